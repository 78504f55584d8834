"""`inglenook checks`: which checks are declared and which are suggested; a person adopts them, and can run them."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping

import anyio
from rich.console import Console
from rich.text import Text

from inglenook.app.config import environment, load, resolve
from inglenook.app.services import Services, build
from inglenook.cli import exits
from inglenook.cli.report import MARKS, show_checks
from inglenook.cli.run import folder_of
from inglenook.errors import InputError
from inglenook.proposal.model import Verdict
from inglenook.terminal import console, said, stopping_at_signals, styled
from inglenook.verify import Check, adopt, by_name, declared, to_adopt

NONE_DECLARED = "No checks are declared."
HOW_TO_ADOPT = "inglenook checks --adopt takes all of them, --adopt NAME… some; nothing of it is run before."
HOW_TO_DECLARE = 'Declare one in .inglenook/checks.toml:\n[[check]]\nname = "tests"\ncommand = ["make", "test"]'


def command(options: argparse.Namespace) -> int:
    """Lists, adopts or runs; answers the exit code: 4 if a check did not pass, 1 if there was nothing to adopt or to run."""
    out, err = console(sys.stdout), console(sys.stderr)
    env = environment()
    services = build(resolve(load(env), env), [str(folder_of(options.folder))])
    code = exits.APPLIED
    if options.adopt is not None:
        code = _adopt(err, services, options.adopt)
    if options.run is not None:
        return _run(err, services, options.run)
    if options.adopt is None:
        _list(out, services)
    return code


def _list(out: Console, services: Services) -> None:
    known, offered = by_name(declared(services.documents)), by_name(to_adopt(services.documents))
    width = max(map(len, (*known, *offered)), default=0)
    if known:
        out.print(styled("Declared in .inglenook/checks.toml", "bold"))
        _rows(out, known, width)
    if offered:
        out.print(styled("Suggested by the files of the project", "bold"))
        _rows(out, offered, width)
        out.print(styled(f"  {HOW_TO_ADOPT}", "bright_black"))
    if not known:
        out.print(said("·", NONE_DECLARED, style="yellow", hint="" if offered else HOW_TO_DECLARE))


def _rows(out: Console, checks: Mapping[str, Check], width: int) -> None:
    for name, check in checks.items():
        more = check.source or (f"{check.seconds:g} s" if check.seconds != Check.seconds else "")
        out.print(
            Text.assemble("  ", styled(f"{name:<{width}}  ", "cyan"), styled(shlex.join(check.argv)), styled(f"  {more}", "bright_black"))
        )


def _adopt(err: Console, services: Services, names: list[str]) -> int:
    done = adopt(services.documents, names or None)
    for name, check in by_name(done.added).items():
        err.print(said("✓", f"{name}: {shlex.join(check.argv)}", style="green"))
    err.print(said("·", done.words, style="yellow" if not done.added else "bright_black"))
    return exits.APPLIED if done.added else exits.NOTHING


def _run(err: Console, services: Services, names: list[str]) -> int:
    """Runs declared checks on the folder as it is. A check that could not be run did not pass."""
    known = by_name(declared(services.documents))
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"No check called {', '.join(unknown)} is declared.", hint=f"Declared: {', '.join(known) or 'none'}.")
    chosen = [check for name, check in known.items() if name in names or not names]
    if not chosen:
        err.print(said("·", NONE_DECLARED, style="yellow", hint=HOW_TO_ADOPT if to_adopt(services.documents) else HOW_TO_DECLARE))
        return exits.NOTHING
    verdict = anyio.run(_verdict, err, services, chosen)
    for result in verdict.checks:
        mark, style = MARKS[result.state]
        err.print(said(mark, f"{result.name}: {result.words}", style=style))
    show_checks(err, verdict)
    if not verdict.checks:
        err.print(said("✗", verdict.words, style="red"))
    return exits.APPLIED if verdict.state == "passed" else exits.CHECKS


async def _verdict(err: Console, services: Services, checks: list[Check]) -> Verdict:
    from inglenook.verify import verify

    sandbox = services.sandbox()

    def tell(words: str) -> None:
        err.print(styled(f"  {words}", "bright_black"))

    async with stopping_at_signals():
        return await verify((), checks, services.documents, services.search, sandbox, tell=tell, search_path=services.config.path)
