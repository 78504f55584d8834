"""Asking again: what was proposed and not wanted goes along with the person's words, and what comes then replaces it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from inglenook.agents.port import Earlier, Focus, Task
from inglenook.errors import InputError
from inglenook.proposal.diff import file_change, unified
from inglenook.review.fitting import place_of, preview
from inglenook.review.session import Review

if TYPE_CHECKING:
    from inglenook.app.run import Hear
    from inglenook.app.runs import Runs
    from inglenook.endpoints.endpoint import At
    from inglenook.proposal.model import FileChange
    from inglenook.review.fitting import Lost
    from inglenook.workspace.paths import JailedPath

DIFF_CHARACTERS = 12_000  # of each diff that goes along
CUT = "…\n(the rest is left out)\n"
AGAIN, REFIT = "Again: ", "Re-fit: "
UNDOES = "What undoes an acceptance cannot be asked for again."
KEEP = (
    "Only this of it is asked now: do what the diff above was meant to do, {where} as the text is now. I have changed these lines since "
    "that diff was made; keep what I changed. Change nothing else."
)


def ask_again(
    runs: Runs,
    proposal_id: str | None,
    ids: Collection[str],
    words: str,
    tell: Hear,
    *,
    model: str = "",
    at: At | None = None,
    hosted: bool = False,
) -> str:
    """Starts a run for the same task, for these hunks of a proposal (none named: all that wait), with what the person says of
    them; answers its id. Accepted hunks stay. What waits is replaced when the new proposal is there, and not before.

    model: another model for this run alone ("": the one that runs use), of the server `at` (None: of those that runs use). hosted: the
    hosted model, after a person has agreed to what would be sent. InputError, UnknownId."""
    from inglenook.app.escalating import OPENING, shut

    review = runs.review(proposal_id)
    proposal = review.proposal
    if not proposal.run_id:
        raise InputError(UNDOES, hint="Start a task of your own instead.")
    asked = tuple(i for i in (review.known(ids) if ids else review.decisions) if review.decisions[i] != "accepted")
    if not asked:
        raise InputError("All of it is accepted, so there is nothing to ask again.", hint="Roll it back first, or start a new task.")
    task = _task(review, runs.task_of(proposal.run_id), asked, words.strip())
    if hosted and (why := shut(runs.services, task.kind)):
        raise InputError(why, hint=OPENING)
    return runs.start(task, tell, replaces=(proposal.id, asked), title=_titled(AGAIN, proposal.title), model=model, at=at, hosted=hosted)


def ask_to_refit(runs: Runs, review: Review, lost: Sequence[tuple[str, Lost]], tell: Hear) -> str:
    """Starts a run that is to fit these hunks (by id, with why they do not fit) to the text as it is now, and to keep what the person
    changed there; answers its id. InputError if a run under way does that already, or if nobody was asked for this proposal."""
    proposal = review.proposal
    ids = tuple(i for i, _ in lost)
    if not proposal.run_id:
        raise InputError(UNDOES, hint="`Agent: Show What Does Not Fit` shows it beside the text as it is now.")
    if going := runs.replacing(proposal.id, ids):
        raise InputError(f"“{going}” is under way for it.", hint="Wait for it, or cancel it.")
    before = runs.task_of(proposal.run_id) or Task("edit", proposal.title)
    files = [change for change in proposal.files if any(hunk.id in ids for hunk in change.hunks)]
    places = tuple(place_of(review, change, runs.today) for change in files)
    where = "in these files" if len(files) > 1 else f"in {places[0].shown}"
    focus = _near(places, [found for _, found in lost])
    if focus is not None and focus.first is not None and focus.last is not None:
        where = f"in lines {focus.first + 1}-{focus.last} of {focus.path.shown}"
    told = " ".join([before.instruction, KEEP.format(where=where)]).strip()
    task = replace(
        before, instruction=told, focus=focus, paths=places, diagnoses=(), earlier=Earlier("", "", "", _cut(unified(files, set(ids))))
    )
    beside = partial(_with_the_rest, runs, proposal.id, ids)
    return runs.start(task, tell, outline="never", replaces=(proposal.id, ids), title=_titled(REFIT, proposal.title), beside=beside)


def _with_the_rest(runs: Runs, proposal_id: str, ids: Collection[str], files: tuple[FileChange, ...]) -> tuple[FileChange, ...]:
    """What a run proposes for these hunks, with the others that wait laid on: one alone may not even be a program."""
    from inglenook.app.amending import as_it_stands

    review = runs.review(proposal_id)
    others = Review(review.proposal, {**review.decisions, **{i: "rejected" for i in ids if i in review.decisions}})
    made = {change.path: change for change in files}
    for old in review.proposal.files:
        new = made.get(old.path)
        if new is None and (change := as_it_stands(runs, others, old)) is not None and change.path not in made:
            made[change.path] = change
        elif new is not None and new.base is not None and new.result is not None and old.base is not None:
            result, _ = preview(others, old.path, new.result)
            made[old.path] = file_change(new.path, new.base, result, to=new.to) if result != new.result else new
    return tuple(made.values())


def _near(places: Sequence[JailedPath], lost: Sequence[Lost]) -> Focus | None:
    """The file and, of one hunk, the lines that were changed there, if there are any."""
    if len(places) != 1:
        return None
    near = lost[0].near if len(lost) == 1 else None
    return Focus(places[0], *near) if near is not None and near[0] < near[1] else Focus(places[0])


def _titled(kind: str, title: str) -> str:
    return f"{kind}{title.removeprefix(AGAIN).removeprefix(REFIT)}"


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
