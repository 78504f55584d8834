"""Standard streams that somebody closed, or that nobody can write to any more: neither ends a job half way."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

PLAIN = {
    **{"✓": "+", "✗": "x", "·": "-", "●": "*", "→": "->", "−": "-", "–": "-", "—": "-", "…": "...", "⋮": ":", "×": "x"},
    **{"“": '"', "”": '"', "‘": "'", "’": "'", "\u00a0": " ", "⁹": "^9"},
}
"""Our marks where the terminal's encoding has none of them."""


def plainly(error: UnicodeError) -> tuple[str, int]:
    """An error handler for text streams: our marks become plain ones, and what else the encoding does not have an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lost), error.end


def in_json(error: UnicodeError) -> tuple[str, int]:
    """An error handler for a stream that takes JSON: what the encoding does not have stands there as JSON escapes it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


class Lasting:
    """A text stream that falls silent, and does not fail, once what it says cannot be taken. lost: why, in words; "" if
    nothing was lost that somebody wanted."""

    def __init__(self, stream: TextIO) -> None:
        self.lost = ""
        self._stream = stream
        self._silent = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, act: Callable[[], object]) -> None:
        if self._silent:
            return
        try:
            act()
        except OSError as error:
            self._silent = True
            self.lost = "" if isinstance(error, BrokenPipeError) else error.strerror or str(error)
            with suppress(OSError, ValueError):  # what is still held back must not fail at exit either
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def open_all_three() -> None:
    """Opens on nothing what a caller has closed of stdin, stdout and stderr: no file of ours may get their numbers."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, mode, closefd=False))
        else:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for as long as we run
