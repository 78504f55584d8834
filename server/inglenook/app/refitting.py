"""Hunks that do not fit any more: fitted again by merging both changes where that is no guess, else by asking the agent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inglenook.errors import InputError, WorkspaceError
from inglenook.ledger.facts import HunksRefitted
from inglenook.review.fitting import Lost, fit, lost, place_of
from inglenook.review.refitting import THERE, Refitted
from inglenook.review.refitting import refit as merged

if TYPE_CHECKING:
    from inglenook.app.run import Hear
    from inglenook.app.runs import Runs
    from inglenook.proposal.model import FileChange
    from inglenook.review.session import Review
    from inglenook.workspace.paths import JailedPath


@dataclass(frozen=True)
class Refit:
    """What came of it. fits: hunks that fit now, by id, some of them new; there: those that the person had made alone; run_id: the run
    that was started for the others ("" for none). words: all of it, for a person."""

    review: Review
    fits: tuple[str, ...]
    there: tuple[str, ...]
    run_id: str
    words: str


def unfit(runs: Runs, review: Review) -> tuple[str, ...]:
    """The hunks that wait and do not fit the texts as they are today."""
    return tuple(i for i in fit(review, review.pending, runs.today).stale)


def refit(runs: Runs, proposal_id: str | None, ids: Collection[str], tell: Hear) -> Refit:
    """Fits these hunks again (none named: all that wait and do not fit), without a model where both changes can be kept and there is
    one way to do it. `tell` hears the run that is started for the others. Nothing is written. InputError, UnknownId."""
    before = runs.review(proposal_id)
    asked = before.known(ids) if ids else unfit(runs, before)
    if not asked:
        raise InputError("All of this proposal fits.")
    done = tuple(i for i in asked if before.decisions[i] in ("accepted", "rejected"))
    if done:
        raise InputError(f"{', '.join(done)} is decided, so there is nothing to fit.", hint="Open it again first.")
    review = before.reopen([i for i in asked if before.decisions[i] == "stale"])
    fitting = fit(review, asked, runs.today)
    came = Refitted(review)
    for change in review.proposal.files:
        mine = tuple(hunk.id for hunk in change.hunks if hunk.id in fitting.stale)
        if mine:
            came = _of_file(runs, came, change, mine)
    left = {i: words for i, words in fitting.stale.items() if i not in came.fits and i not in came.there}
    review = runs.renew(_still_stale(before, came.review, left))
    fits = (*fitting.fits, *came.fits.values())
    words = _words(len(fits), len(came.there))
    if not left:
        return Refit(review, fits, came.there, "", words)
    try:
        run_id = _ask(runs, review, left, tell)
    except InputError as error:
        if not words:
            raise
        return Refit(review, fits, came.there, "", f"{words} {error}")
    words = f"{words} The agent is asked to fit {_count(len(left))} to what you changed.".strip()
    return Refit(review, fits, came.there, run_id, words)


def _of_file(runs: Runs, came: Refitted, before: FileChange, ids: Collection[str]) -> Refitted:
    """The same with the hunks of one file merged, as far as that can be done, and written down."""
    review = came.review
    change = next(each for each in review.proposal.files if each.path == before.path)
    today = text_of(runs, place_of(review, change, runs.today))
    if (change.base is None and today is not None and today == change.result) or (change.result is None and today is None):
        done = Refitted(review.stale(dict.fromkeys(ids, THERE)), {}, tuple(ids))
    else:
        done = merged(review, change, today, ids)
    if done.fits or done.there:
        root = runs.services.documents.jail(change.path).root
        hunks = tuple(i for i in review.decisions if i in done.fits or i in done.there)
        runs.record(HunksRefitted(review.proposal.id, root, change.path.rel, hunks, tuple(done.fits.values())))
    return Refitted(done.review, {**came.fits, **done.fits}, (*came.there, *done.there))


def _ask(runs: Runs, review: Review, left: Mapping[str, str], tell: Hear) -> str:
    """The id of the run that is to fit what cannot be merged. InputError where there is no text to fit it to."""
    from inglenook.app.again import ask_to_refit

    seen = review.reopen(left)
    found: list[tuple[str, Lost]] = []
    for change in review.proposal.files:
        mine = [hunk.id for hunk in change.hunks if hunk.id in left]
        if not mine:
            continue
        today = text_of(runs, place_of(review, change, runs.today))
        if today is None:
            raise InputError(left[mine[0]], hint="Without a text there is nothing to fit it to: put the file back, or reject it.")
        near = lost(seen, change.path, today)
        found += [(i, near.get(i) or Lost(left[i], None)) for i in mine]
    return ask_to_refit(runs, review, found, tell)


def _still_stale(before: Review, now: Review, left: Collection[str]) -> Review:
    """What was set aside before and could not be fitted is set aside still, with its reason."""
    aside = {i: before.reasons.get(i, "") for i in left if before.decisions[i] == "stale"}
    return now.stale(aside) if aside else now


def text_of(runs: Runs, path: JailedPath) -> str | None:
    """The text of a file now; None where there is none, or no text."""
    try:
        return runs.today(path)
    except WorkspaceError:
        return None


def _words(fits: int, there: int) -> str:
    parts = []
    if fits:
        parts.append(f"Re-fitted: {_count(fits)} fit{'s' * (fits == 1)} again.")
    if there:
        parts.append(f"You have made {_count(there)} yourself.")
    return " ".join(parts)


def _count(number: int) -> str:
    return f"{number} hunk{'s' * (number != 1)}"
