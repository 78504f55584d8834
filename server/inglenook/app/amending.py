"""A proposal that a person edits before accepting it, and the checks run once more on a proposal as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inglenook.agents.port import Task
from inglenook.app.checking import Checking
from inglenook.app.run import Run, hushed
from inglenook.errors import InputError
from inglenook.ledger.facts import ProposalEdited
from inglenook.proposal.diff import file_change
from inglenook.review.amending import amend as amended
from inglenook.review.fitting import place_of, preview
from inglenook.workspace.grants import grant_of

if TYPE_CHECKING:
    from inglenook.app.runs import Runs
    from inglenook.proposal.model import FileChange
    from inglenook.review.session import Review
    from inglenook.workspace.paths import JailedPath


def amend(runs: Runs, proposal_id: str, path: JailedPath, text: str) -> Review:
    """Makes `text` what the proposal makes of a file, and writes down which lines are the person's. Nothing is written to the file.
    UnknownId, InputError, WorkspaceError."""
    review = runs.review(proposal_id)
    change = review.file(path)
    if change is None:
        raise InputError(f"{path.shown} is not in this proposal.", hint="Edit the file itself.")
    done = amended(review, change, runs.today(place_of(review, change, runs.today)), text)
    if not done.lines:
        return review
    root = runs.services.documents.jail(path).root
    runs.record(ProposalEdited(review.proposal.id, root, path.rel, tuple(f"{first + 1}-{last}" for first, last in done.lines)))
    return runs.renew(done.review)


async def check_again(runs: Runs, proposal_id: str | None) -> Review:
    """Runs the declared checks on today's texts with all that waits laid on, and takes their verdict as that of the proposal."""
    review = runs.review(proposal_id)
    files = tuple(change for each in review.proposal.files if (change := as_it_stands(runs, review, each)) is not None)
    if not files:
        raise InputError("Nothing of this proposal waits for a decision, so there is nothing to check.")
    services = runs.services
    run = Run(
        review.proposal.run_id, Task("edit", ""), review.proposal.title, lambda event: None, "never", None, grant_of(services.documents)
    )
    verdict = hushed(await Checking(services, run).verdict(files), run.secrets)
    now = runs.review(review.proposal.id)
    if (now.proposal.files, now.decisions) != (review.proposal.files, review.decisions):
        raise InputError("The proposal changed while it was checked.", hint="Check it once more.")
    return runs.renew(now.with_verdict(verdict))


def as_it_stands(runs: Runs, review: Review, change: FileChange) -> FileChange | None:
    """What accepting all that waits would make of a file today; None if that is nothing."""
    waiting = [hunk for hunk in change.hunks if review.decisions[hunk.id] == "pending"]
    place = place_of(review, change, runs.today)
    today = runs.today(place)
    result, fits = preview(review, change.path, today)
    if not any(hunk.id in fits for hunk in waiting):
        return None
    if change.result is None:
        return file_change(place, today, None)
    to = change.to if any(hunk.kind == "rename" for hunk in waiting) else None
    return file_change(place, today, result, to=to)
