"""What stands open besides hunks, as code actions: an outline's question, a run to cancel, a decision to take back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from inglenook.lsp.acting import action

if TYPE_CHECKING:
    from lsprotocol import types

    from inglenook.lsp.session import Session


def offered(session: Session) -> Iterator[types.CodeAction]:
    """For a client without commands of ours: some have no way to send one, and cannot show a question with buttons either."""
    runs = session.runs
    if session.abilities.events or runs is None:
        return
    titles = session.door.telling.titles
    for run_id in runs.asking:
        for decision, words in (("approve", "Approve the outline of"), ("decline", "Decline the outline of")):
            data = {"runId": run_id, "decision": decision}
            yield action(f"Agent: {words} “{titles.get(run_id, run_id)}”", "inglenook.outline.decide", data)
    for run_id in runs.running:
        yield action(f"Agent: Cancel “{titles.get(run_id, run_id)}”", "inglenook.run.cancel", {"runId": run_id})
    if session.door.reviewing.can_undo:
        yield action("Agent: Undo the last decision", "inglenook.review.undo", {})
