"""Code lenses at pending hunks: in the real file and on both sides of a proposal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from inglenook.lsp import uris, views
from inglenook.lsp.amending import REFIT
from inglenook.lsp.positions import Encoding, line_range

if TYPE_CHECKING:
    from inglenook.app.runs import Runs
    from inglenook.lsp.session import Session
    from inglenook.proposal.model import FileChange
    from inglenook.review.session import Review

DECIDE = "inglenook.review.decide"
SHOW = "inglenook.review.show"


def of_document(session: Session, uri: str) -> list[types.CodeLens]:
    """The lenses of a document, real or ours."""
    runs = session.runs
    if runs is None:
        return []
    parts = uris.page_parts(uri)
    if parts is None and not runs.services.config.lenses:
        return []
    lenses: list[types.CodeLens] = []
    for review in runs.reviews():
        change = _change(session, review, uri) if review.open else None
        if change is not None:
            lenses += _of_change(session, runs, review, change, side=parts[0] if parts else "")
    return lenses


def _change(session: Session, review: Review, uri: str) -> FileChange | None:
    parts = uris.page_parts(uri)
    if parts is None:
        path = session.place_or_none(uri)
        return review.file(path) if path is not None else None
    if parts[0] not in ("base", "result") or parts[1] != review.proposal.id:
        return None
    return next((change for change in review.proposal.files if change.path.shown == parts[2]), None)


def _of_change(session: Session, runs: Runs, review: Review, change: FileChange, *, side: str) -> Iterator[types.CodeLens]:
    """`side` is "base" or "result" of a diff, "" the real file, which also says where a hunk was that does not fit."""
    seen = views.sides(runs, review, change)
    places, text = (seen.in_result, seen.result) if side == "result" else (seen.in_base, seen.base or "")
    pending = [hunk for hunk in change.hunks if review.decisions[hunk.id] == "pending"]
    at = partial(_at, text, session.abilities.encoding)
    whole = {"proposalId": review.proposal.id, "uri": session.uri(seen.path)}
    if len(pending) > 1:
        yield _lens(at(0), f"✓ Accept all {len(pending)}", {"decision": "accept", **whole})
        yield _lens(at(0), "✗ Reject all", {"decision": "reject", **whole})
    near = {} if side == "result" else {i: gone.near for i, gone in seen.lost.items() if gone.near is not None}
    if lost := len(pending) - len(places) - len(near):
        words = f"{lost} hunk{'s'[: lost != 1]} of the proposal no longer fit{'s'[: lost == 1]} here"
        yield _lens(at(0), words, {"proposalId": review.proposal.id}, SHOW)
        yield _lens(at(0), "↻ Re-fit", whole, REFIT)
    for hunk in pending:
        one = {"proposalId": review.proposal.id, "hunks": [hunk.id]}
        if hunk.id in places:
            where = at(places[hunk.id][0])
            size = views.header(hunk) if hunk.kind != "text" else f"+{len(hunk.new)} −{len(hunk.old)}"
            yield _lens(where, f"✓ Accept ({size})", {"decision": "accept", **one})
            yield _lens(where, "✗ Reject", {"decision": "reject", **one})
            if not side:
                number = f"{review.pending.index(hunk.id) + 1} of {len(review.pending)}"
                yield _lens(where, f"Show diff ({number})", {"proposalId": review.proposal.id, "hunk": hunk.id}, SHOW)
        elif hunk.id in near:
            where = at(near[hunk.id][0])
            yield _lens(where, "⚠ A hunk no longer fits here", {"proposalId": review.proposal.id}, SHOW)
            yield _lens(where, "↻ Re-fit", one, REFIT)
            yield _lens(where, "✗ Reject", {"decision": "reject", **one})


def _at(text: str, encoding: Encoding, line: int) -> types.Range:
    return line_range(text, line, line, encoding)


def _lens(where: types.Range, title: str, data: dict[str, Any], command: str = DECIDE) -> types.CodeLens:
    return types.CodeLens(range=where, command=types.Command(title=title, command=command, arguments=[data]))
