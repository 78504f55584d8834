"""Accepted hunks laid on today's texts: each one fits at exactly one place, or is stale with the reason.

The base of the proposal and today's text differ by what was accepted before and by what the user did since. The first
part is known exactly; only the rest is found by comparing, and only lines on which a comparison from the top and one
from the bottom agree count as unchanged (`matching.agreed`). A hunk fits where all the lines it replaces are unchanged
and still stand together; an insertion, where the lines before and after it do. Nothing else is tried: a hunk is never
put at a second-best place, and no line of the user's is ever replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from inglenook.errors import WorkspaceError
from inglenook.proposal.diff import lines
from inglenook.proposal.model import FileChange, Hunk
from inglenook.review.ground import Ground, Span
from inglenook.review.session import Review
from inglenook.workspace.paths import JailedPath


@dataclass(frozen=True)
class TextEdit:
    """Spans of one file in order, apart from one another; `today` is the exact text they are counted in."""

    path: JailedPath
    today: str
    spans: tuple[Span, ...]

    @property
    def result(self) -> str:
        """Today's text with the spans laid on."""
        return laid(self.today, self.spans)[0]


@dataclass(frozen=True)
class CreateFile:
    """A new file; nothing may be at `path`."""

    path: JailedPath
    text: str
    hunk: str


@dataclass(frozen=True)
class DeleteFile:
    """Removes a file whose text is exactly `today`."""

    path: JailedPath
    today: str
    hunk: str


@dataclass(frozen=True)
class RenameFile:
    """Moves a file; nothing may be at `to`. Comes after the text edits of the same file."""

    path: JailedPath
    to: JailedPath
    hunk: str


FileEdit = TextEdit | CreateFile | DeleteFile | RenameFile
Today = Callable[[JailedPath], str | None]


@dataclass(frozen=True)
class Fitting:
    """What can be done today with the hunks that were asked for.

    edits: in the order in which they are to be applied. fits: ids of the hunks that the edits carry out, in reading
    order. stale: hunk id → why it does not fit, for a person, with 1-based line numbers of today's text.
    """

    edits: tuple[FileEdit, ...] = ()
    fits: tuple[str, ...] = ()
    stale: Mapping[str, str] = field(default_factory=dict)


def laid(text: str, spans: Sequence[Span]) -> tuple[str, dict[str, tuple[int, int]]]:
    """A text with ordered spans laid on, and where (0-based lines, end left out) each span's new lines are in it."""
    old = lines(text)
    parts: list[str] = []
    places: dict[str, tuple[int, int]] = {}
    at = 0
    for span in spans:
        parts.extend(old[at : span.start])
        places[span.hunk] = (len(parts), len(parts) + len(span.new))
        parts.extend(span.new)
        at = span.end
    parts.extend(old[at:])
    return "".join(parts), places


def fit(review: Review, ids: Collection[str], today: Today) -> Fitting:
    """Lays the hunks with these ids on today's texts. `today` gives the text at a place, None when nothing is there; where it
    raises WorkspaceError (a folder, no text) the hunks of that file are stale, and no others.

    Accepted hunks among the ids are left out (they are in today's texts); others may be of any decision: who asks for
    a rejected or stale hunk has changed their mind. UnknownId for an id that the proposal lacks.
    """
    wanted = {i for i in review.known(ids) if review.decisions[i] != "accepted"}
    edits: list[FileEdit] = []
    fits: set[str] = set()
    stale: dict[str, str] = {}
    for change in review.proposal.files:
        asked = [h for h in change.hunks if h.id in wanted]
        if not asked:
            continue
        try:
            done, reasons = _fit_file(review, change, asked, today)
        except WorkspaceError as error:
            done, reasons = [], dict.fromkeys((h.id for h in asked), error.message)
        edits.extend(done)
        stale.update(reasons)
        fits.update(h.id for h in asked if h.id not in reasons)
    return Fitting(tuple(edits), review.known(fits), {i: stale[i] for i in review.known(stale)})


def place_of(review: Review, change: FileChange, today: Today) -> JailedPath:
    """Where the file of a change is now: at its new name once its rename was accepted and something is there."""
    renamed = any(h.kind == "rename" and review.decisions[h.id] == "accepted" for h in change.hunks)
    return change.to if renamed and change.to is not None and _taken(change.to, today) else change.path


def _taken(path: JailedPath, today: Today) -> bool:
    """Whether something is at a place, be it no text."""
    try:
        return today(path) is not None
    except WorkspaceError:
        return True


def preview(review: Review, path: JailedPath, today: str | None) -> tuple[str, Mapping[str, tuple[int, int]]]:
    """The file's text (as it is today: `today`) with all that is pending and fits laid on, and where each of those
    hunks is in it: id → 0-based lines, end left out. A deletion gives "" and (0, 0); a rename stands at (0, 0)."""
    change = review.file(path)
    if change is None:
        return today or "", {}
    pending = [h for h in change.hunks if review.decisions[h.id] == "pending"]
    if change.base is None or change.result is None:
        good = {h.id: h for h in pending if not _whole_reason(change, h, today)}
        if not good:
            return today or "", {}
        return change.result or "", {i: (0, len(h.new)) for i, h in good.items()}
    if today is None:
        return "", {}
    spans, _ = _spans(review, change, pending, today)
    text, places = laid(today, spans)
    return text, {**{h.id: (0, 0) for h in pending if h.kind == "rename"}, **places}


def where(review: Review, path: JailedPath, today: str | None) -> Mapping[str, tuple[int, int]]:
    """Where the pending hunks that fit are in today's text: id → 0-based lines, end left out (an insertion is empty).

    A deletion covers the file, a rename stands at (0, 0), a new file has no place.
    """
    change = review.file(path)
    if change is None or today is None or change.base is None:
        return {}
    pending = [h for h in change.hunks if review.decisions[h.id] == "pending"]
    if change.result is None:
        return {h.id: (0, len(lines(today))) for h in pending if not _whole_reason(change, h, today)}
    spans, _ = _spans(review, change, pending, today)
    return {**{h.id: (0, 0) for h in pending if h.kind == "rename"}, **{s.hunk: (s.start, s.end) for s in spans}}


@dataclass(frozen=True)
class Lost:
    """Why a pending hunk does not fit today's text, and between which lines it would have stood: 0-based, end left out
    (None where it had no lines, or the file is gone)."""

    reason: str
    near: tuple[int, int] | None


def lost(review: Review, path: JailedPath, today: str | None) -> Mapping[str, Lost]:
    """The pending hunks of a file that do not fit its text as it is today; id → why and where. A rename always fits here."""
    change = review.file(path)
    if change is None:
        return {}
    pending = [h for h in change.hunks if review.decisions[h.id] == "pending"]
    if change.base is None or change.result is None:
        return {h.id: Lost(reason, None) for h in pending if (reason := _whole_reason(change, h, today))}
    if today is None:
        return {h.id: Lost(f"{path.shown} is not there any more.", None) for h in pending}
    ground = Ground(review, change, today)
    placed = {h: ground.place(h) for h in pending if h.kind == "text"}
    return {h.id: Lost(got, ground.near(h)) for h, got in placed.items() if isinstance(got, str)}


def _fit_file(review: Review, change: FileChange, asked: Sequence[Hunk], today: Today) -> tuple[list[FileEdit], dict[str, str]]:
    path = place_of(review, change, today)
    text = today(path)
    if change.base is None or change.result is None:
        return _fit_whole(change, asked[0], text)
    if text is None:
        return [], {h.id: f"{path.shown} is not there any more." for h in asked}
    edits: list[FileEdit] = []
    spans, reasons = _spans(review, change, asked, text)
    if spans:
        edits.append(TextEdit(path, text, spans))
    for hunk in asked:
        if hunk.kind != "rename" or hunk.to is None:
            continue
        if path == hunk.to:
            reasons[hunk.id] = f"Already there: the file is named {hunk.to.shown}."
        elif _taken(hunk.to, today):
            reasons[hunk.id] = f"{hunk.to.shown} exists now, so {path.shown} cannot be renamed to it."
        else:
            edits.append(RenameFile(path, hunk.to, hunk.id))
    return edits, reasons


def _fit_whole(change: FileChange, hunk: Hunk, text: str | None) -> tuple[list[FileEdit], dict[str, str]]:
    reason = _whole_reason(change, hunk, text)
    if reason:
        return [], {hunk.id: reason}
    if hunk.kind == "create":
        return [CreateFile(change.path, change.result or "", hunk.id)], {}
    return [DeleteFile(change.path, text or "", hunk.id)], {}


def _whole_reason(change: FileChange, hunk: Hunk, text: str | None) -> str:
    """Why a file cannot be created or deleted today, "" if it can."""
    shown = change.path.shown
    if hunk.kind == "create":
        if text is None:
            return ""
        return f"Already there: {shown} has exactly this text." if text == change.result else f"{shown} exists now, with other text."
    if text is None:
        return f"Already done: {shown} is not there any more."
    if text == change.base:
        return ""
    line = next((n for n, pair in enumerate(zip(lines(text), lines(change.base or ""), strict=False), 1) if pair[0] != pair[1]), 0)
    at = f" (from line {line} on)" if line else ""
    return f"{shown} was edited since the proposal was made{at}; deleting it would lose that."


def _spans(review: Review, change: FileChange, asked: Sequence[Hunk], today: str) -> tuple[tuple[Span, ...], dict[str, str]]:
    """Where the text hunks among `asked` fit in today's text, in order, and why the others do not."""
    ground = Ground(review, change, today)
    spans: list[Span] = []
    reasons: dict[str, str] = {}
    for hunk in asked:
        if hunk.kind != "text":
            continue
        got = ground.place(hunk)
        if isinstance(got, Span):
            spans.append(got)
        else:
            reasons[hunk.id] = got
    return tuple(spans), reasons
