"""The agent's private copy of what it has changed: nothing here touches a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from inglenook.errors import FileExists, FileMissing
from inglenook.proposal.diff import file_change, lines, result_starts
from inglenook.proposal.matching import Gap, gaps, runs
from inglenook.proposal.model import FileChange, Hunk
from inglenook.workspace.paths import JailedPath


@dataclass
class _Entry:
    """One place: the text there now (None: nothing), where that text comes from, and notes on lines of it."""

    text: str | None
    origin: JailedPath
    marks: list[tuple[int, int, tuple[str, ...]]] = field(default_factory=list)


@dataclass(frozen=True)
class CaughtUp:
    """A place whose text is another today. taken: today's text is the base from now on; else the draft has changes on the text as
    it `was` and keeps it."""

    was: str | None
    now: str | None
    taken: bool


@dataclass(frozen=True)
class Mark:
    """A draft as it was at some time; only the draft itself reads it."""

    entries: Mapping[JailedPath, _Entry]


class Draft:
    """Texts as the agent has changed them, over the texts as they are.

    `read` gives the text at a place today, or None when nothing is there; it is asked once per place and the answer is
    the base of the proposal. Errors of `read` (binary, too large, protected) pass through.
    """

    def __init__(self, read: Callable[[JailedPath], str | None]) -> None:
        self._read = read
        self._bases: dict[JailedPath, str | None] = {}
        self._entries: dict[JailedPath, _Entry] = {}

    def base(self, path: JailedPath) -> str | None:
        """The text at that place before the draft, None when nothing was there."""
        if path not in self._bases:
            self._bases[path] = self._read(path)
        return self._bases[path]

    def catch_up(self, path: JailedPath) -> CaughtUp | None:
        """Looks at a place again; None if its text is what it was, or was never asked for."""
        if path not in self._bases:
            return None
        was, now = self._bases[path], self._read(path)
        if was == now:
            return None
        entry = self._entries.get(path)
        taken = entry is None or entry.text == was
        if taken:
            self._bases[path] = now
            self._entries.pop(path, None)
        return CaughtUp(was, now, taken)

    def text(self, path: JailedPath) -> str | None:
        """The text at that place in the draft, None when nothing is there."""
        return self._now(path)

    def _now(self, path: JailedPath) -> str | None:
        entry = self._entries.get(path)
        return entry.text if entry is not None else self.base(path)

    def today(self, path: JailedPath, line: int) -> int | None:
        """Where a line of the text before the draft (0-based) is now; None if it was changed, or there is none."""
        base, text = self.base(path), self._now(path)
        if base is None or text is None or base == text:
            return line
        old, new = lines(base), lines(text)
        found = gaps(runs(old, new), len(old), len(new))
        return None if any(gap.a_start <= line < gap.a_end for gap in found) else _moved(found, line)

    def mark(self) -> Mark:
        """Where the draft is now, to come back to."""
        kept = {path: entry for path, entry in self._entries.items() if entry.text != self.base(path)}
        return Mark({path: replace(entry, marks=list(entry.marks)) for path, entry in kept.items()})

    def restore(self, mark: Mark) -> None:
        """Takes back what was changed since."""
        self._entries = {path: replace(entry, marks=list(entry.marks)) for path, entry in mark.entries.items()}

    def write(self, path: JailedPath, text: str, notes: tuple[str, ...] = ()) -> None:
        """Sets the text of a file, new or not. `notes` will be shown on the hunks that this write changes."""
        entry = self._entry(path)
        old, new = lines(entry.text or ""), lines(text)
        found = gaps(runs(old, new), len(old), len(new))
        marks = [(_moved(found, start), _moved(found, end), words) for start, end, words in entry.marks]
        if notes:
            marks.extend((gap.b_start, gap.b_end, notes) for gap in found)
        entry.text, entry.marks = text, marks

    def create(self, path: JailedPath, text: str, notes: tuple[str, ...] = ()) -> None:
        """A new file; FileExists if something is there."""
        if self._now(path) is not None:
            raise FileExists(f"{path.shown} exists already.", hint="Edit it instead of creating it.")
        self.write(path, text, notes)

    def delete(self, path: JailedPath) -> None:
        """Removes a file; FileMissing if nothing is there."""
        self._present(path)
        self._entries[path] = _Entry(None, path)

    def rename(self, path: JailedPath, to: JailedPath) -> None:
        """Moves a file; FileMissing if nothing is at `path`, FileExists if something is at `to`."""
        self._present(path)
        if self._now(to) is not None:
            raise FileExists(f"{to.shown} exists already, so {path.shown} cannot be renamed to it.")
        self._entries[to] = self._entry(path)
        self._entries[path] = _Entry(None, path)

    @property
    def changed(self) -> tuple[JailedPath, ...]:
        """Every place whose text differs from its base, sorted; both ends of a rename."""
        return self._changed()

    def _changed(self) -> tuple[JailedPath, ...]:
        return tuple(sorted(path for path, entry in self._entries.items() if entry.text != self.base(path)))

    def changes(self) -> tuple[FileChange, ...]:
        """What the draft would change, sorted by path, hunk ids "h1", "h2", … through all files in reading order."""
        moves = self._moves()
        arrived = set(moves.values())
        done: list[FileChange] = []
        first = 1
        for path in self._changed():
            if path in arrived:
                continue
            done.append(self._change(path, moves.get(path), first))
            first += len(done[-1].hunks)
        return tuple(done)

    def change(self, path: JailedPath) -> FileChange | None:
        """What the draft would change of the file at that place, which may be the one that it was renamed to; None if nothing. Its
        hunks are counted from "h1"."""
        moves = self._moves()
        source = next((old for old, new in moves.items() if new == path), path)
        entry = self._entries.get(source)
        return None if entry is None or entry.text == self.base(source) else self._change(source, moves.get(source), 1)

    def _change(self, path: JailedPath, to: JailedPath | None, first: int) -> FileChange:
        entry = self._entries[path if to is None else to]
        change = file_change(path, self.base(path), entry.text, to=to, first=first)
        return replace(change, hunks=_noted(change, entry.marks))

    def _moves(self) -> dict[JailedPath, JailedPath]:
        """From where to where files are renamed. A place that was left and filled again is edited, not renamed."""
        moves: dict[JailedPath, JailedPath] = {}
        for path, entry in sorted(self._entries.items(), key=lambda item: item[0]):
            source = entry.origin
            left = source != path and self._now(source) is None and self.base(source) is not None
            if left and entry.text is not None and self.base(path) is None and source not in moves:
                moves[source] = path
        return moves

    def _entry(self, path: JailedPath) -> _Entry:
        if path not in self._entries:
            self._entries[path] = _Entry(self.base(path), path)
        entry = self._entries[path]
        if entry.text is None:
            entry.origin = path
        return entry

    def _present(self, path: JailedPath) -> None:
        if self._now(path) is None:
            raise FileMissing(f"There is no file {path.shown}.", hint="Check the path; it is relative to the workspace folder.")


def _moved(found: Sequence[Gap], line: int) -> int:
    """Where a line of the text before a write stands after it; a line that is gone falls to the place where it was."""
    shift = 0
    for gap in found:
        if gap.a_end <= line:
            shift += (gap.b_end - gap.b_start) - (gap.a_end - gap.a_start)
        elif gap.a_start < line:
            return min(gap.b_end, gap.b_start + line - gap.a_start)
    return line + shift


def _noted(change: FileChange, marks: Sequence[tuple[int, int, tuple[str, ...]]]) -> tuple[Hunk, ...]:
    """The hunks with the notes of the writes that touched their lines, each note once."""
    starts = result_starts(change)
    done: list[Hunk] = []
    for hunk in change.hunks:
        start = starts.get(hunk.id, 0)
        end = start + len(hunk.new)
        words = dict.fromkeys(
            word
            for low, high, notes in marks
            if hunk.kind == "create" or (hunk.kind == "text" and low <= end and high >= start)
            for word in notes
        )
        done.append(replace(hunk, notes=tuple(words)))
    return tuple(done)
