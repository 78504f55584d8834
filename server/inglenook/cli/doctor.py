"""`inglenook doctor`: one page of what was found, what is wrong, and what to do."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anyio
from rich.console import Console

from inglenook.app.config import environment, load, resolve, settings_from
from inglenook.cli import exits
from inglenook.cli.run import folder_of, with_remote
from inglenook.errors import ConfigError
from inglenook.terminal import console, said, stopping_at_signals, styled

if TYPE_CHECKING:
    from inglenook.app.config import Config
    from inglenook.app.doctor import Finding

MARKS = {"good": ("✓", "green"), "note": ("·", "cyan"), "warning": ("!", "yellow"), "wrong": ("✗", "red")}
WARNED = exits.NOTHING


def command(options: argparse.Namespace) -> int:
    """Shows the page; 0 all well, 1 warnings, 2 the settings are wrong, 3 something else without which no run works."""
    config, trouble = _configured(options)
    findings = anyio.run(_examined, config, trouble, str(folder_of(options.folder)))
    code = _code(findings)
    if options.json:
        print(json.dumps(as_json(findings, code), ensure_ascii=False, indent=2))
    else:
        _show(console(sys.stdout), findings)
    return code


def _configured(options: argparse.Namespace) -> tuple[Config, ConfigError | None]:
    """The settings, or what stands without them and why they cannot be used."""
    from dataclasses import replace

    env = environment()
    trouble = None
    try:
        config = resolve(load(env), env)
    except ConfigError as error:
        config, trouble = resolve(settings_from({}, where="the defaults"), env), error
    if options.remote:
        config = with_remote(config, options.remote)
    elif options.endpoint:
        config = replace(config, url=options.endpoint, model="", remote="")
    return config, trouble


async def _examined(config: Config, trouble: ConfigError | None, folder: str) -> Sequence[Finding]:
    from inglenook.app.doctor import examine
    from inglenook.app.services import open_jails
    from inglenook.workspace.documents import Documents

    jails = open_jails([folder])
    try:
        async with stopping_at_signals():
            return await examine(config, Documents(jails), trouble=trouble)
    finally:
        for jail in jails:
            jail.close()


def _code(findings: Sequence[Finding]) -> int:
    from inglenook.app.doctor import worst

    match worst(findings):
        case "wrong":
            return exits.USAGE if any(f.state == "wrong" and f.about == "settings" for f in findings) else exits.ENDPOINT
        case "warning":
            return WARNED
        case _:
            return exits.APPLIED


def as_json(findings: Sequence[Finding], code: int) -> dict[str, Any]:
    """The page for programs. Numbers have their unit in their name."""
    from inglenook.app.doctor import worst

    rows = [{"about": f.about, "state": f.state, "words": f.words, "hint": f.hint, "facts": dict(f.facts)} for f in findings]
    return {"state": worst(findings), "exit": code, "findings": rows}


def _show(out: Console, findings: Sequence[Finding]) -> None:
    width = max(len(finding.about) for finding in findings)
    for finding in findings:
        mark, style = MARKS[finding.state]
        out.print(said(mark, f"{finding.about:<{width}}  {finding.words}", style=style, hint=finding.hint))
    wrong, warned = (sum(f.state == state for f in findings) for state in ("wrong", "warning"))
    told = [f"{wrong} wrong" if wrong else "", f"{warned} to look at" if warned else ""]
    out.print(styled(f"{' and '.join(filter(None, told)) or 'All well'}.", "bold"))
