"""`inglenook measure`: reading and writing speed, what the cache saves, and whether a planted fact is found, up to the window."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import anyio
from rich.console import Console
from rich.table import Table

from inglenook.app.config import Config
from inglenook.app.services import Models
from inglenook.cli import exits
from inglenook.cli.keeping import keep, log_to
from inglenook.cli.run import configured
from inglenook.errors import InglenookError, InputError
from inglenook.terminal import console, said, stopping_at_signals, styled

if TYPE_CHECKING:
    from inglenook.endpoints.measuring import Measures, Point


def command(options: argparse.Namespace) -> int:
    """Measures, prints and keeps it; 3 if the model's side fails."""
    out, err = console(sys.stdout), console(sys.stderr)
    config = configured(options)
    log_to(config.state_dir)
    found = anyio.run(_measured, config, options.up_to, options.minutes * 60.0, err)
    if isinstance(found, InglenookError):
        raise found
    if options.json:
        from inglenook.endpoints.measuring import as_json

        print(json.dumps({**as_json(found), "recalls": found.recalls}, ensure_ascii=False, indent=2))
    else:
        show(out, found)
    return exits.APPLIED if found.points else exits.ENDPOINT


async def _measured(config: Config, most: int | None, seconds: float, err: Console) -> Measures | InglenookError:
    """An error comes back as a value: through a block it would come as a group of one."""
    from inglenook.endpoints import measuring

    def tell(point: Point) -> None:
        err.print(said("·", f"{point.tokens:,} tokens: first word after {point.first:.1f} s", style="bright_black"))

    async with stopping_at_signals():
        models = Models(config)
        try:
            async with models.lease(tell=lambda words: err.print(said("·", words, style="bright_black"))) as lease:
                if lease.info is None or lease.make is None or lease.endpoint.kind == "rehearsal":
                    raise InputError(
                        "Only a real model on a machine of yours is measured.",
                        hint="Name a model or a .gguf file, or its server with --endpoint.",
                    )
                err.print(said("·", f"{lease.model}, {lease.endpoint.words}", style="bright_black"))
                chat, window = lease.make(lease.profile), lease.profile.window
                try:
                    found = await measuring.measure(
                        lease.endpoint,
                        lease.info,
                        chat,
                        window=window,
                        clock=time.monotonic,
                        now=lambda: datetime.now(UTC),
                        most=most,
                        seconds=seconds,
                        tell=tell,
                    )
                finally:
                    with anyio.CancelScope(shield=True):
                        await chat.aclose()
                if found.points:
                    keep(partial(measuring.save, config.cache_dir, lease.endpoint, found), err)
                return found
        except InglenookError as error:
            return error
        finally:
            await models.aclose()


def show(out: Console, found: Measures) -> None:
    """A table: one row a length."""
    table = Table(title=styled(found.model, "bold"), title_justify="left", box=None, pad_edge=False)
    for name in ("prompt", "reads", "first word", "writes", "and again", "cached", "fact found"):
        table.add_column(name, justify="right")
    for p in found.points:
        table.add_row(
            f"{p.tokens:,}",
            f"{p.reads:,.0f} tok/s" if p.reads else "?",
            f"{p.first:.2f} s",
            f"{p.writes:,.0f} tok/s" if p.writes else "?",
            "?" if p.again is None else f"{p.again:.2f} s",
            "not told" if p.cached is None else f"{p.cached:.0%}",
            "yes" if p.found else "no",
        )
    out.print(table)
    if found.ended:
        out.print(said("!", f"{found.ended.rstrip('.')}.", style="yellow"))
