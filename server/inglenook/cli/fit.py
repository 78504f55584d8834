"""`inglenook fit`: whether a model fits a machine, with which window, and which one would."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

import anyio
from rich.console import Console
from rich.text import Text

from inglenook.app.config import environment, load, resolve
from inglenook.cli import exits
from inglenook.cli.run import with_remote
from inglenook.endpoints.amounts import GB, billions, gigabytes
from inglenook.errors import InglenookError
from inglenook.terminal import Hanging, console, said, stopping_at_signals, styled

if TYPE_CHECKING:
    from inglenook.app.config import Config
    from inglenook.app.fit import Answer, Question
    from inglenook.endpoints.sizing import Fit, Machine, Tier


def command(options: argparse.Namespace) -> int:
    """Answers on stdout; the exit code."""
    from dataclasses import replace

    from inglenook.app.fit import Question

    env = environment()
    config = resolve(load(env), env)
    if options.remote:
        config = with_remote(config, options.remote)
    elif options.endpoint:
        config = replace(config, url=options.endpoint, model="", remote="")
    question = Question(options.model, options.bits, options.device, options.window, options.cache.lower())
    found = anyio.run(_asked, question, config)
    if isinstance(found, InglenookError):
        raise found
    if options.json:
        print(json.dumps(as_json(found), ensure_ascii=False, indent=2))
    else:
        show(console(sys.stdout), found)
    return exits.APPLIED


async def _asked(question: Question, config: Config) -> Answer | InglenookError:
    """An error comes back as a value: through the block it would come as a group of one."""
    from inglenook.app.fit import answer

    async with stopping_at_signals():
        try:
            return await answer(question, config)
        except InglenookError as error:
            return error


def as_json(found: Answer) -> dict[str, Any]:
    """The answer as JSON. Every number says its unit in its name; gb are 10⁹ bytes."""
    from inglenook.endpoints.sizing import best

    top = best(found.tiers)
    fit = found.fit
    told: dict[str, Any] = {"fits": fit.fits if fit else top is not None}
    if fit is not None:
        told |= _fit_json(fit)
    device = found.device
    return told | {
        "device": {"kind": device.kind, "name": device.name, "total_gb": _gb(device.total), "free_gb": _gb(device.free)},
        "device_gb": _gb(device.total),
        "machine": _machine_json(found.machine) if found.machine else None,
        "advice": [_tier_json(tier) for tier in found.tiers],
        "recommended": _tier_json(top) if top else None,
        "mixture_of_experts": found.mixture,
        "warnings": list(found.warnings),
    }


def _fit_json(fit: Fit) -> dict[str, Any]:
    model, need, shape = fit.model, fit.need, fit.model.shape
    return {
        "model": {
            "name": model.name,
            "parameters_total_billions": round(model.parameters.total / 1e9, 3),
            "parameters_active_billions": round(model.parameters.active / 1e9, 3),
            "mixture_of_experts": model.parameters.mixture,
            "bits": model.bits.nominal,
            "bits_per_weight": round(model.bits.real, 3),
            "quantization": model.bits.told,
            "source": model.source,
        },
        "bits": model.bits.nominal,
        "weights_gb": _gb(need.weights),
        "kv_cache_gb": _gb(need.cache),
        "overhead_gb": _gb(need.overhead),
        "headroom_gb": _gb(need.headroom),
        "need_gb": _gb(need.total),
        "window_tokens": fit.window,
        "largest_window_tokens": fit.largest,
        "trained_window_tokens": shape.trained,
        "kv_cache_type": fit.cache,
        "partly_on_cpu": fit.spills,
        "shape": {"layers": shape.layers, "kv_heads": shape.kv_heads, "head_size": shape.head, "source": shape.source},
    }


def _machine_json(machine: Machine) -> dict[str, Any]:
    return {
        "where": machine.where,
        "memory_gb": _gb(machine.memory),
        "available_gb": _gb(machine.available),
        "limit_gb": _gb(machine.limit),
        "swap_used_gb": _gb(machine.swapped),
        "swapping": machine.swapping,
        "gpus": [{"kind": g.kind, "name": g.name, "total_gb": _gb(g.total), "free_gb": _gb(g.free)} for g in machine.gpus],
    }


def _tier_json(tier: Tier) -> dict[str, Any]:
    return {
        "parameters_billions": tier.billions,
        "bits": 4,
        "fits": tier.window is not None,
        "largest_window_tokens": tier.window,
        "need_gb": _gb(tier.need.total),
    }


def _gb(size: float | None) -> float | None:
    return None if size is None else round(size / GB, 3)


def show(out: Console, found: Answer) -> None:
    """The answer for a person: the verdict, where the memory goes, what the machine can do, what to know."""
    from inglenook.endpoints.sizing import best

    device = found.device
    place = f"{device.name}: {gigabytes(device.total)}" if device.kind != "asked" else gigabytes(device.total)
    if found.fit is not None:
        _show_fit(out, found.fit, place)
    elif found.machine is not None:
        out.print(styled(f"{found.machine.where.capitalize()} has {place} for a model.", "bold"))
    out.print(styled("What fits, for coding, at 4 bits:", "bold"))
    top = best(found.tiers)
    for tier in found.tiers:
        mark = ("→ ", "green") if tier == top else ("  ", "")
        window = f"window up to {tier.window:,} tokens" if tier.window else "does not fit"
        out.print(Hanging(Text.assemble(mark, f"{tier.billions:g}B".rjust(5), f"  {gigabytes(tier.need.total):>8}  "), Text(window)))
    if top is None:
        out.print(said("·", "None of them fits. A bigger machine can be reached through ssh: --remote HOST.", style="cyan"))
    if found.mixture:
        out.print(said("·", found.mixture, style="cyan"))
    for words in found.warnings:
        out.print(said("!", words, style="yellow"))


def _show_fit(out: Console, fit: Fit, place: str) -> None:
    model, need = fit.model, fit.need
    packed = f"{model.bits.nominal:g} bits" + (f", {model.bits.told}" if model.bits.told else "")
    verdict = "fits" if fit.fits else "does not fit"
    head = f"{model.name} ({billions(model.parameters.total)}, {packed}) {verdict} with a window of {fit.window:,} tokens into {place}."
    out.print(said("✓" if fit.fits else "✗", head, style="green" if fit.fits else "red"))
    rows = [
        (
            "weights",
            need.weights,
            f"{billions(model.parameters.total)} × {model.bits.real:g} bits / 8" if model.weights is None else model.source,
        )
    ]
    rows.append(("KV cache", need.cache, f"{fit.window:,} tokens, {fit.cache}, {fit.model.shape.source}"))
    rows.append(("runtime", need.overhead, "buffers of the server, by rule of thumb"))
    if need.headroom:
        rows.append(("headroom", need.headroom, "up to 35 % of the weights in all, as only the size is known"))
    rows.append(("in all", need.total, ""))
    for name, size, why in rows:
        out.print(Hanging(Text(f"  {name:<9}{gigabytes(size):>9}  "), styled(why, "bright_black")))
    if not fit.fits and fit.largest:
        out.print(said("·", f"It fits with a window of {fit.largest:,} tokens.", style="cyan"))
    elif fit.fits and fit.largest and fit.largest > fit.window:
        out.print(said("·", f"The largest window that fits is {fit.largest:,} tokens.", style="cyan"))
