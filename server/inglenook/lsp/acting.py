"""What the code actions of every kind have in common: one that sends a command of ours, and which hunks a selection is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lsprotocol import types

from inglenook.lsp.positions import selected_lines


def action(title: str, command: str, data: dict[str, Any]) -> types.CodeAction:
    """A quick fix that sends this command with this one argument."""
    made = types.Command(title=title, command=command, arguments=[data])
    return types.CodeAction(title=title, kind=types.CodeActionKind.QuickFix, command=made)


def touched(places: Mapping[str, tuple[int, int]], where: types.Range) -> list[str]:
    """The hunks (by id: first line, line behind the last) whose lines a range touches; one that inserts is touched from the lines beside
    it."""
    first, end = selected_lines(where)
    return [i for i, (start, stop) in places.items() if first <= max(start, stop - 1) and end > (start - 1 if start == stop else start)]
