"""`inglenook report`: whether the agent pays, in five figures; as a table, as JSON, or as one HTML file with charts."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from inglenook.app.config import environment, load, resolve
from inglenook.app.reporting import BESIDE, FIVE, HOW, Asked, Row, as_json, ask, difference, outcomes, shown, since_words, sparkline, trend
from inglenook.cli import exits
from inglenook.cli.run import folder_of
from inglenook.errors import InputError
from inglenook.ledger.figures import Figures
from inglenook.terminal import console, one_line, said, styled

LABELS, COLUMN, LEAST, MOST = 48, 18, 2, 6  # characters of the labels and of a group; groups beside one another
NARROW = 70  # columns below which there is room for one group and for no trend


def command(options: argparse.Namespace) -> int:
    """Shows the report; 1 if there is nothing to report yet."""
    out, err = console(sys.stdout), console(sys.stderr)
    env = environment()
    compare = tuple(options.compare) if options.compare else None
    folder = str(folder_of(options.folder))
    asked = ask(resolve(load(env), env).state_dir, folder, since=options.since, compare=compare)
    return _show(asked, options, out, err)


def _show(asked: Asked, options: argparse.Namespace, out: Console, err: Console) -> int:
    if options.json:
        print(json.dumps(as_json(asked), indent=2, allow_nan=False))
    elif options.html is not None:
        return _html(asked, options.html, err)
    elif asked.empty:
        err.print(said("·", asked.nothing, style="yellow", hint=HOW))
    else:
        _tables(asked, out)
    return exits.NOTHING if asked.empty else exits.APPLIED


def _html(asked: Asked, name: str, err: Console) -> int:
    from inglenook.app.charts import html

    text = html(asked)
    if name == "-":
        print(text)
        return exits.APPLIED
    try:
        Path(name).write_text(text, "utf-8")
    except OSError as error:
        raise InputError(f"{name} cannot be written: {error.strerror or error}.", hint="--html takes the name of a file, or -.") from error
    err.print(said("✓", f"Written: {name}. It needs no network; open it in a browser.", style="green"))
    return exits.APPLIED


def _tables(asked: Asked, out: Console) -> None:
    whole = asked.report.whole
    counted = f"{whole.tasks:,} task{'s' * (whole.tasks != 1)}"
    out.print(Text.assemble(styled(counted, "bold"), styled(f", {since_words(asked)}: {outcomes(whole)}")))
    if asked.compared:
        _compared(*asked.compared, out=out)
        return
    many = min(max((out.width - LABELS) // COLUMN, LEAST), MOST) if out.width >= NARROW else 1
    for groups in ([whole, *asked.report.models], [*asked.report.kinds]):
        for start in range(0, len(groups), many):
            _table(asked, groups[start : start + many], out, first=groups[start] is whole and out.width >= NARROW)


def _table(asked: Asked, groups: list[Figures], out: Console, *, first: bool) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for group in groups:
        table.add_column(styled(one_line(group.name, 24)), justify="right")
    if first:
        table.add_column("trend")
    for title, rows in (*FIVE, ("Beside these", BESIDE)):
        table.add_row(styled(title, "bold"))
        for row in rows:
            table.add_row(f"  {row.label}", *_cells(row, groups), *([styled(sparkline(trend(asked, row)), "cyan")] if first else []))
    out.print()
    out.print(table)


def _cells(row: Row, groups: list[Figures]) -> list[str]:
    return [shown(getattr(group, row.key), row.unit) for group in groups]


def _compared(first: Figures, second: Figures, *, out: Console) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for group in (first, second):
        table.add_column(styled(one_line(group.name, 32)), justify="right")
    table.add_column("")
    table.add_row("  tasks", f"{first.tasks:,}", f"{second.tasks:,}", "")
    for title, rows in (*FIVE, ("Beside these", BESIDE)):
        table.add_row(styled(title, "bold"))
        for row in rows:
            words, better = difference(row, first, second)
            style = "" if better is None else "green" if better else "red"
            table.add_row(f"  {row.label}", *_cells(row, [first, second]), styled(words, style))
    out.print()
    out.print(table)
