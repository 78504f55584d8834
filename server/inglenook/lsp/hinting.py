"""Hunks that wait, as hints on their lines: for a client that shows neither our events nor code lenses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from inglenook.lsp.session import Session
    from inglenook.proposal.model import Hunk
    from inglenook.protocol.events import HunkView, ProposalView
    from inglenook.review.session import Review

SOURCE = "Agent"  # of these hints, and of nothing else
MOST = 12  # new lines of a hunk that a hint shows


class Hinting:
    """Keeps the hints of every open proposal. A file's diagnostics are told whole, so those of all proposals go together."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._of: dict[str, dict[str, list[types.Diagnostic]]] = {}  # proposal id → document → its hints

    def tell(self, review: Review, view: ProposalView) -> None:
        """Tells what of a proposal waits, as it stands now."""
        session = self._session
        if session.abilities.events or session.abilities.lenses:
            return
        wanted = view.open and session.runs is not None and session.runs.services.config.lenses
        before = self._of.pop(view.id, {})
        now = _hints(review, view) if wanted else {}
        if now:
            self._of[view.id] = now
        for uri in {*before, *now}:
            if before.get(uri) != now.get(uri):
                told = [hint for hints in self._of.values() for hint in hints.get(uri, ())]
                session.door.protocol.notify(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, types.PublishDiagnosticsParams(uri, told))


def _hints(review: Review, view: ProposalView) -> dict[str, list[types.Diagnostic]]:
    made: dict[str, list[types.Diagnostic]] = {}
    hunks = {hunk.id: hunk for change in review.proposal.files for hunk in change.hunks}
    for file in view.files:
        for hunk in file.hunks:
            if hunk.decision == "pending" and (at := hunk.range or hunk.near) is not None and file.kind != "create":
                place = types.Range(types.Position(at.start.line, at.start.character), types.Position(at.end.line, at.end.character))
                number = f"{review.pending.index(hunk.id) + 1} of {len(review.pending)}"
                words = _words(hunk, hunks[hunk.id], number)
                hint = types.Diagnostic(place, words, severity=types.DiagnosticSeverity.Hint, source=SOURCE)
                made.setdefault(file.uri, []).append(hint)
    return made


def _words(hunk: HunkView, meant: Hunk, number: str) -> str:
    """What would come instead of the lines; why not, of a hunk that does not fit as the text is now."""
    if hunk.range is None:
        return f"Proposed, {number}: no longer fits here. {hunk.reason}".strip()
    if hunk.kind != "text":
        return f"Proposed, {number}: {hunk.header}"
    more = len(meant.new) - MOST
    lines = [f"+ {line.rstrip()}" for line in meant.new[:MOST]] + ([f"  … and {more} lines more"] if more > 0 else [])
    return "\n".join([f"Proposed, {number}: {_size(len(meant.old), len(meant.new))}", *lines])


def _size(old: int, new: int) -> str:
    """Such as "8 lines → 1", "1 new line", "2 lines go"."""
    if not old:
        return f"{new} new line{'s'[: new != 1]}"
    lines = f"{old} line{'s'[: old != 1]}"
    return f"{lines} → {new}" if new else f"{lines} go{'es'[: 2 * (old == 1)]}"
