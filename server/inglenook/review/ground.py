"""The lines of a change's base, found again in today's text: where each one is, and where a hunk fits or why it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inglenook.proposal.diff import apply, lines
from inglenook.proposal.matching import Gap, Run, agreed
from inglenook.proposal.model import FileChange, Hunk
from inglenook.review.session import Review


@dataclass(frozen=True)
class Span:
    """Lines `start:end` (0-based, `end` left out) of TODAY's text give way to `new`; `start == end` inserts.

    new: whole lines with their ends. hunk: the id of the hunk that this is.
    """

    start: int
    end: int
    new: tuple[str, ...]
    hunk: str


class Ground:
    """Where the lines of a change's base are in today's text; −1 and one past the last stand for its two ends."""

    def __init__(self, review: Review, change: FileChange, today: str) -> None:
        self.lines = lines(today)
        self._end = _other_line_end(change.base or "", self.lines)
        accepted = [h for h in change.hunks if h.kind == "text" and review.decisions[h.id] == "accepted"]
        self.base = [self.as_today(line) for line in lines(change.base or "")]
        expected = [self.as_today(line) for line in lines(apply(change, {h.id for h in accepted}) or "")]
        at = _positions(agreed(expected, self.lines), len(expected), len(self.lines))
        self.at = {line: at[place] for line, place in _kept(accepted, len(self.base)).items() if place in at}

    def place(self, hunk: Hunk) -> Span | str:
        """The span of a hunk in today's text, or why it has none."""
        new = tuple(self.as_today(line) for line in hunk.new)
        first, last = hunk.start, hunk.start + len(hunk.old)
        before, after = self.at.get(first - 1), self.at.get(last)
        there = self._already(hunk, new, before, after)
        if there:
            return there
        if first == last:
            if before is None or after is None or after != before + 1:
                return self._insertion_reason(before, after)
            start = end = after
        else:
            found = [self.at.get(line) for line in range(first, last)]
            start = found[0] if found[0] is not None else -1
            if start < 0 or found != list(range(start, start + len(found))):
                return self._replacement_reason(hunk, before, after)
            end = start + len(found)
            if not self._rooted(hunk, start, end, before, after):
                return f"The lines around it changed so much that lines {start + 1}–{end} may not be the ones that were meant."
        if new and not new[-1].endswith(("\n", "\r")) and end != len(self.lines):
            return f"It ends the file, but text was added after line {end}."
        return Span(start, end, new, hunk.id)

    def region(self, hunk: Hunk) -> Gap:
        """What lies between the nearest unchanged lines before and after a hunk: of the base, and of today's text."""
        first, last = hunk.start, hunk.start + len(hunk.old)
        low = next(line for line in range(first - 1, -2, -1) if line in self.at)
        high = next(line for line in range(last, len(self.base) + 1) if line in self.at)
        return Gap(low + 1, high, self.at[low] + 1, self.at[high])

    def near(self, hunk: Hunk) -> tuple[int, int]:
        """The lines of today's text between the nearest unchanged ones before and after a hunk."""
        found = self.region(hunk)
        return found.b_start, found.b_end

    def _rooted(self, hunk: Hunk, start: int, end: int, before: int | None, after: int | None) -> bool:
        """Whether a neighbour still stands beside the lines, or they occur once in the base and once today."""
        if before == start - 1 or after == end:
            return True
        return self.lone([self.as_today(line) for line in hunk.old])

    def lone(self, some: Sequence[str]) -> bool:
        """Whether lines occur once in the base, and once today."""
        return _count(self.base, some) == 1 and _count(self.lines, some) == 1

    def _already(self, hunk: Hunk, new: tuple[str, ...], before: int | None, after: int | None) -> str:
        if before is None or after is None or not before < after:
            return ""
        between = tuple(self.lines[before + 1 : after])
        if between != new or between == tuple(self.as_today(line) for line in hunk.old):
            return ""
        return f"Already there: {_named(before + 1, after)}." if new else "Already done: those lines are gone."

    def _insertion_reason(self, before: int | None, after: int | None) -> str:
        if before is not None and after is not None and after > before + 1:
            return f"Text was added exactly here ({_named(before + 1, after)})."
        if before is not None:
            return (
                f"The line after the place, which follows line {before + 1}, changed."
                if before >= 0
                else "The first line of the file changed."
            )
        if after is not None:
            return f"The line before line {after + 1} changed." if after < len(self.lines) else "The last line of the file changed."
        return "The lines around the place changed or are gone."

    def _replacement_reason(self, hunk: Hunk, before: int | None, after: int | None) -> str:
        if before is not None and after is not None:
            if after <= before + 1:
                return (
                    f"The lines it replaces are gone (they followed line {before + 1})."
                    if before >= 0
                    else "The lines it replaces are gone."
                )
            return f"The lines it replaces were changed: today {_named(before + 1, after)}."
        found = [at for at in (self.at.get(n) for n in range(hunk.start, hunk.start + len(hunk.old))) if at is not None]
        if found:
            return f"Some of the lines it replaces were changed, near {_named(found[0], found[-1] + 1)}."
        return "The lines it replaces, and those around them, were changed or are gone."

    def as_today(self, line: str) -> str:
        """A line with the line end that the file has today, if an editor has converted it as a whole."""
        if self._end is None or not line.endswith(("\n", "\r")):
            return line
        return line.rstrip("\r\n") + self._end


def _kept(accepted: Sequence[Hunk], size: int) -> dict[int, int]:
    """Base line → line of the base with the accepted hunks applied, for every line that they leave alone."""
    kept: dict[int, int] = {-1: -1}
    at = moved = 0
    for hunk in accepted:
        kept.update((line, line + moved) for line in range(at, hunk.start))
        at = hunk.start + len(hunk.old)
        moved += len(hunk.new) - len(hunk.old)
    kept.update((line, line + moved) for line in range(at, size + 1))
    return kept


def _count(some: Sequence[str], block: Sequence[str]) -> int:
    size = len(block)
    return sum(some[i] == block[0] and list(some[i : i + size]) == block for i in range(len(some) - size + 1))


def _positions(shared: Sequence[Run], size: int, today: int) -> dict[int, int]:
    at = {run.a + k: run.b + k for run in shared for k in range(run.size)}
    at[-1], at[size] = -1, today
    return at


def _other_line_end(base: str, today: Sequence[str]) -> str | None:
    """The one line end of today's text, if the base had others: editors convert whole files. None: leave ends alone."""
    ends = {_ending(line) for line in today} - {""}
    if len(ends) != 1 or {_ending(line) for line in lines(base)} - {""} <= ends:
        return None
    return ends.pop()


def _ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _named(start: int, end: int) -> str:
    """Lines of today's text (0-based, end left out) as a person counts them."""
    return f"line {start + 1}" if end - start <= 1 else f"lines {start + 1}–{end}"
