"""Asking again: what was proposed and not wanted goes along with the person's words, and what comes then replaces it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from inglenook.agents.port import Earlier, Focus, Task
from inglenook.errors import InputError
from inglenook.proposal.diff import unified

if TYPE_CHECKING:
    from inglenook.app.run import Hear
    from inglenook.app.runs import Runs
    from inglenook.review.session import Review

DIFF_CHARACTERS = 12_000  # of each diff that goes along
CUT = "…\n(the rest is left out)\n"


def ask_again(runs: Runs, proposal_id: str | None, ids: Collection[str], words: str, tell: Hear, *, model: str = "") -> str:
    """Starts a run for the same task, for these hunks of a proposal (none named: all that wait), with what the person says of
    them; answers its id. Accepted hunks stay. What waits is replaced when the new proposal is there, and not before.

    model: another model at the same endpoint ("": the one that runs use). InputError, UnknownId."""
    review = runs.review(proposal_id)
    proposal = review.proposal
    if not proposal.run_id:
        raise InputError("What undoes an acceptance cannot be asked for again.", hint="Start a task of your own instead.")
    asked = tuple(i for i in (review.known(ids) if ids else review.decisions) if review.decisions[i] != "accepted")
    if not asked:
        raise InputError("All of it is accepted, so there is nothing to ask again.", hint="Roll it back first, or start a new task.")
    task = _task(review, runs.task_of(proposal.run_id), asked, words.strip())
    return runs.start(task, tell, replaces=(proposal.id, asked), title=f"Again: {proposal.title.removeprefix('Again: ')}", model=model)


def _task(review: Review, before: Task | None, asked: Collection[str], words: str) -> Task:
    """The task of the run, narrowed to the files that are asked again. A task that is not known any more (it was of an earlier
    session) is told by its title."""
    proposal = review.proposal
    files = [change for change in proposal.files if any(hunk.id in asked for hunk in change.hunks)]
    rejected = {i for i in asked if review.decisions[i] == "rejected"}
    earlier = Earlier(
        _cut(unified(files, set(asked) - rejected)) if set(asked) - rejected else "",
        _cut(unified(files, rejected)) if rejected else "",
        words,
    )
    paths = tuple(change.path for change in files if change.base is not None)
    if before is None:
        return Task("edit", proposal.title, paths=paths, earlier=earlier)
    focus = before.focus
    if focus is not None and any(change.path == focus.path for change in proposal.files):
        accepted = any(h.path == focus.path and review.decisions[h.id] == "accepted" for h in proposal.hunks)
        focus = Focus(focus.path) if accepted else focus  # its lines are others now
    if len(files) < len(proposal.files):
        focus = focus if focus is not None and focus.path in paths else None
        return replace(before, focus=focus, paths=paths, earlier=earlier)
    return replace(before, focus=focus, earlier=earlier)


def _cut(diff: str) -> str:
    return diff if len(diff) <= DIFF_CHARACTERS else diff[:DIFF_CHARACTERS].rsplit("\n", 1)[0] + "\n" + CUT
