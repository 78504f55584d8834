"""How a command ends that has no answer of its own to give: an error or an interruption, in words or as JSON, alike for all commands."""

from __future__ import annotations

import json
import sys
from typing import Literal

from inglenook.cli import exits
from inglenook.errors import InglenookError
from inglenook.terminal import console, said

FORMAT = 1  # of this object and of a run's; grows when a key changes its meaning
INTERRUPTED = "Stopped. Nothing was written."


def as_json(code: int, state: Literal["done", "failed", "cancelled"], words: str, hint: str = "", error: str = "") -> str:
    """The object that `--json` prints where there is no answer: the first keys of a run's. code: of the exit; error: the stable
    code of an error, "" if there was none."""
    told = {"format": FORMAT, "exit": code, "state": state, "words": words, "hint": hint, "code": error}
    return json.dumps(told, ensure_ascii=False, indent=2)


def failed(error: InglenookError, *, json: bool) -> int:
    """Says why a command could not do its work; answers its exit code."""
    code = exits.of_error(error)
    if json:
        print(as_json(code, "failed", error.message, error.hint, error.code))
        return code
    mark, style = ("·", "yellow") if code == exits.NOTHING else ("✗", "red")
    console(sys.stderr).print(said(mark, error.message, style=style, hint=error.hint))
    return code


def interrupted(*, json: bool) -> int:
    """Says that Ctrl-C or a signal ended it; answers the exit code."""
    if json:
        print(as_json(exits.INTERRUPTED, "cancelled", INTERRUPTED))
    else:
        print(f"\n{INTERRUPTED}", file=sys.stderr)
    return exits.INTERRUPTED
