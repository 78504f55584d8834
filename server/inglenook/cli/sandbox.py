"""`inglenook sandbox`: which walls checks get here; with --verify, an attack list is really run against them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import anyio
from rich.console import Console
from rich.text import Text

from inglenook.app.config import environment, load, resolve
from inglenook.app.services import sandbox_of
from inglenook.cli import exits
from inglenook.errors import InglenookError, ProcessError, SandboxUnavailable
from inglenook.sandbox import Bubblewrap, Sandbox
from inglenook.terminal import below, console, said, stopping_at_signals, styled

ESCAPED = exits.CHECKS
NONE = exits.REFUSED
HOW_TO_VERIFY = "inglenook sandbox --verify makes the attacks on it, on this machine, and says what held."


def command(options: argparse.Namespace) -> int:
    """Says which sandbox there is; 5 if there is none. Verified: 0 if all held, 4 if something did not."""
    out, err = console(sys.stdout), console(sys.stderr)
    try:
        env = environment()
        config = resolve(load(env), env)
        if options.kind or options.image:
            config = replace(config, sandbox=options.kind or config.sandbox, image=options.image or config.image)
        box = sandbox_of(config)
        return anyio.run(_verify, out, err, box) if options.verify else _show(out, box)
    except InglenookError as error:
        return _refused(err, error)


def _refused(err: Console, error: InglenookError) -> int:
    err.print(said("✗", error.message, style="red", hint=error.hint))
    return NONE if isinstance(error, (SandboxUnavailable, ProcessError)) else exits.of_error(error)


def _show(out: Console, box: Sandbox) -> int:
    out.print(styled(f"Checks run in {box.name}.", "bold"))
    if box.weaker:
        out.print(said("!", f"It is {box.weaker}.", style="yellow"))
    out.print(below(HOW_TO_VERIFY))
    return exits.APPLIED


async def _verify(out: Console, err: Console, box: Sandbox) -> int:
    """Each attack as it ends, then how many held."""
    from inglenook.sandbox.proving import prove

    outcomes: list[bool] = []
    async with stopping_at_signals():
        try:
            async for outcome in prove(box, layout=isinstance(box, Bubblewrap)):
                if not outcomes:
                    out.print(styled(f"Attacks on {box.name}", "bold"))
                outcomes.append(outcome.held)
                mark = ("✓ ", "green") if outcome.held else ("✗ ", "red")
                rest = "" if outcome.held else f"  {outcome.said}"
                out.print(Text.assemble(mark, styled(outcome.name), styled(rest, "bright_black")))
        except InglenookError as error:
            return _refused(err, error)
    if box.weaker:
        out.print(said("!", f"It is {box.weaker}.", style="yellow"))
    if escaped := outcomes.count(False):
        out.print(said("✗", f"{escaped} of {len(outcomes)} attacks were not held.", style="red"))
        return ESCAPED
    out.print(said("✓", f"All {len(outcomes)} attacks were held.", style="green"))
    return exits.APPLIED
