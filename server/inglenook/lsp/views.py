"""Reviews, fittings and outlines as they look on the wire: URIs, ranges in the negotiated encoding, words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from inglenook.errors import WorkspaceError
from inglenook.lsp import uris
from inglenook.lsp.positions import Encoding, line_range, line_starts, position

if TYPE_CHECKING:
    from inglenook.app.runs import Runs
    from inglenook.lsp.session import Session
    from inglenook.proposal.model import FileChange, Hunk, Verdict
    from inglenook.protocol.base import Range
    from inglenook.protocol.events import FileView, HunkView, ProposalView, VerdictView
    from inglenook.review.fitting import FileEdit, Lost, TextEdit
    from inglenook.review.session import Review
    from inglenook.review.threeway import ThreeWay
    from inglenook.workspace.paths import JailedPath


def text_today(runs: Runs, path: JailedPath) -> str | None:
    """The text at a place now; None also for what cannot be read as text, which no hunk fits."""
    try:
        return runs.today(path)
    except WorkspaceError:
        return None


@dataclass(frozen=True)
class Sides:
    """A changed file as it is today (`base`) and with what is pending laid on (`result`), and where each pending hunk
    that fits is in both: id → 0-based lines, the last excluded. `lost` are those that do not fit."""

    change: FileChange
    path: JailedPath
    base: str | None
    result: str
    in_base: dict[str, tuple[int, int]]
    in_result: dict[str, tuple[int, int]]
    lost: dict[str, Lost]


def sides(runs: Runs, review: Review, change: FileChange) -> Sides:
    """Both sides of one file of a review, on today's text."""
    from inglenook.review.fitting import lost, place_of, preview, where

    path = place_of(review, change, lambda p: text_today(runs, p))
    today = text_today(runs, path)
    result, in_result = preview(review, change.path, today)
    unplaced = any(review.decisions[h.id] == "pending" and h.id not in in_result for h in change.hunks)
    gone = dict(lost(review, change.path, today)) if unplaced else {}
    return Sides(change, path, today, result, dict(where(review, change.path, today)), dict(in_result), gone)


def three_ways(runs: Runs, review: Review, change: FileChange) -> tuple[ThreeWay, ...]:
    """What of one file of a review does not fit today's text."""
    from inglenook.review.fitting import place_of
    from inglenook.review.threeway import three_ways as seen

    return seen(review, change, text_today(runs, place_of(review, change, lambda p: text_today(runs, p))))


def page(review: Review, change: FileChange, side: str) -> str:
    """The URI of one side of a file; it ends like the file, so that editors colour it."""
    return uris.page(side, review.proposal.id, change.path.shown)


def proposal(session: Session, runs: Runs, review: Review) -> ProposalView:
    """A review as clients show it."""
    from inglenook.protocol.events import ProposalView

    meant = review.proposal
    return ProposalView(
        id=meant.id,
        run_id=meant.run_id,
        title=meant.title,
        summary=meant.summary,
        open=review.open,
        files=[_file(session, runs, review, change) for change in meant.files],
        verdict=verdict(meant.verdict),
    )


def verdict(said: Verdict | None) -> VerdictView | None:
    """What the checks said, None if nothing was asked of them."""
    from inglenook.protocol.events import CheckView, VerdictView

    if said is None:
        return None
    checks = [CheckView(name=c.name, state=c.state, seconds=c.seconds, tail=c.tail, new=list(c.new), words=c.words) for c in said.checks]
    return VerdictView(state=said.state, words=said.words, breaks=said.breaks, checks=checks)


def _file(session: Session, runs: Runs, review: Review, change: FileChange) -> FileView:
    from inglenook.protocol.events import FileView

    seen = sides(runs, review, change)
    return FileView(
        uri=session.uri(change.path),
        path=change.path.shown,
        kind=change.kind,
        to_uri=session.uri(change.to) if change.to else None,
        base_uri=page(review, change, "base"),
        result_uri=page(review, change, "result"),
        hunks=[_hunk(review, hunk, seen, session.abilities.encoding) for hunk in change.hunks],
    )


def _hunk(review: Review, hunk: Hunk, seen: Sides, encoding: Encoding) -> HunkView:
    from inglenook.protocol.events import HunkView

    gone = seen.lost.get(hunk.id)
    return HunkView(
        id=hunk.id,
        kind=hunk.kind,
        decision=review.decisions[hunk.id],
        reason=gone.reason if gone else review.reasons.get(hunk.id, ""),
        header=header(hunk),
        range=_range(seen.base, seen.in_base.get(hunk.id), encoding),
        result_range=_range(seen.result, seen.in_result.get(hunk.id), encoding),
        near=_range(seen.base, gone.near if gone else None, encoding),
        refit=gone is not None or unfit(review, hunk),
        added=len(hunk.new),
        removed=len(hunk.old),
        notes=list(hunk.notes),
    )


def unfit(review: Review, hunk: Hunk) -> bool:
    """Whether a hunk was set aside because it did not fit, and nothing else came in its place."""
    from inglenook.app.reviews import REPLACED
    from inglenook.review.refitting import THERE

    return review.decisions[hunk.id] == "stale" and review.reasons.get(hunk.id) not in (REPLACED, THERE)


def header(hunk: Hunk) -> str:
    """A hunk in a few words; lines are those of the base, counted from 1."""
    match hunk.kind:
        case "create":
            return "new file"
        case "delete":
            return "delete file"
        case "rename":
            return f"rename to {hunk.to}"
        case "text":
            if not hunk.old:
                return f"after line {hunk.start}" if hunk.start else "before line 1"
            last = hunk.start + len(hunk.old)
            return f"line {last}" if len(hunk.old) == 1 else f"lines {hunk.start + 1}–{last}"


def _range(text: str | None, lines: tuple[int, int] | None, encoding: Encoding) -> Range | None:
    from inglenook.protocol.base import Position, Range

    if text is None or lines is None:
        return None
    found = line_range(text, *lines, encoding)
    return Range(
        start=Position(line=found.start.line, character=found.start.character),
        end=Position(line=found.end.line, character=found.end.character),
    )


# ---- fittings


def workspace_edit(session: Session, edits: tuple[FileEdit, ...]) -> types.WorkspaceEdit:
    """Fitted hunks as one workspace edit, with the version of every open document. A client that knows no document
    changes gets the plain form, which has no versions; it must not be given anything but text edits."""
    from inglenook.review.fitting import CreateFile, DeleteFile, RenameFile, TextEdit

    if not session.abilities.document_changes:
        return types.WorkspaceEdit(changes={session.uri(e.path): text_edits(session, e) for e in edits if isinstance(e, TextEdit)})
    changes: list[Any] = []
    for edit in edits:
        uri = session.uri(edit.path)
        match edit:
            case TextEdit():
                changes.append(_document(uri, session, edit.path, text_edits(session, edit)))
            case CreateFile(text=text):
                changes.append(types.CreateFile(uri=uri, options=types.CreateFileOptions(overwrite=False, ignore_if_exists=False)))
                start = types.Position(0, 0)
                if text:
                    changes.append(_document(uri, session, edit.path, [types.TextEdit(types.Range(start, start), text)]))
            case DeleteFile():
                changes.append(types.DeleteFile(uri=uri, options=types.DeleteFileOptions(recursive=False, ignore_if_not_exists=False)))
            case RenameFile(to=to):
                options = types.RenameFileOptions(overwrite=False, ignore_if_exists=False)
                changes.append(types.RenameFile(old_uri=uri, new_uri=session.uri(to), options=options))
    return types.WorkspaceEdit(document_changes=changes)


def _document(uri: str, session: Session, path: JailedPath, edits: list[types.TextEdit]) -> types.TextDocumentEdit:
    buffer = session.buffer(path)
    identifier = types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=buffer.version if buffer else None)
    return types.TextDocumentEdit(text_document=identifier, edits=edits)


def text_edits(session: Session, edit: TextEdit) -> list[types.TextEdit]:
    """The spans of one file. An insertion behind a last line without a line end goes to the end of that line."""
    encoding = session.abilities.encoding
    starts = line_starts(edit.today)
    made = []
    for span in edit.spans:
        where = types.Range(position(edit.today, starts, span.start, encoding), position(edit.today, starts, span.end, encoding))
        made.append(types.TextEdit(where, "".join(span.new)))
    return made
