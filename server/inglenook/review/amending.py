"""A person edits what is proposed before accepting it: the file's hunks become those between today's text and the edited one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inglenook.errors import InputError
from inglenook.proposal.diff import changed_lines, file_change, lines, result_starts
from inglenook.proposal.model import FileChange, Hunk, Verdict
from inglenook.review.fitting import preview
from inglenook.review.session import Review

EDITED = "You changed this before it was accepted."
UNCHECKED = "You edited it after its checks ran."


@dataclass(frozen=True)
class Amended:
    """A review with one file of its proposal edited. `lines`: what the person wrote, in the edited text: 0-based, end left out; a
    place where lines were only taken out is empty."""

    review: Review
    lines: tuple[tuple[int, int], ...]


def amend(review: Review, change: FileChange, today: str | None, text: str) -> Amended:
    """The review with `text` as what the proposal makes of the file. `today` is the file's text now, None if nothing is there.

    Hunks that are accepted are in today's text, and rejected ones are not wanted, so both leave the proposal; a hunk that the
    person left alone keeps its id and its notes. The verdict of the checks does not hold any more, and says so.
    InputError if the file has nothing to edit: it is to be deleted, or nothing of it waits.
    """
    if change.result is None or (change.base is None) != (today is None):
        raise InputError(f"{change.path.shown} cannot be edited in the proposal.", hint="Accept or reject it as it is.")
    pending = [hunk for hunk in change.hunks if review.decisions[hunk.id] == "pending"]
    if not pending:
        raise InputError(f"Nothing in {change.path.shown} waits for a decision any more.", hint="Edit the file itself.")
    before, _ = preview(review, change.path, today)
    mine = tuple((gap.b_start, gap.b_end) for gap in changed_lines(lines(before), lines(text)))
    if not mine:
        return Amended(review, ())
    to = change.to if any(hunk.kind == "rename" for hunk in pending) else None
    made = file_change(change.path, today, text, to=to, first=next_number(review))
    made = replace(made, hunks=_told(made, pending, mine))
    files = tuple(made if each is change else each for each in review.proposal.files)
    verdict = Verdict("not_run", UNCHECKED) if review.proposal.verdict is not None else None
    proposal = replace(review.proposal, files=tuple(each for each in files if each.hunks), verdict=verdict)
    if not proposal.files:
        raise InputError("Nothing of the proposal would be left.", hint="Reject it instead.")
    left = {hunk.id for hunk in proposal.hunks}
    decisions = {i: decision for i, decision in review.decisions.items() if i in left}
    reasons = {i: words for i, words in review.reasons.items() if i in left}
    return Amended(Review(proposal, decisions, reasons), mine)


def next_number(review: Review) -> int:
    """Ids of hunks go on where the proposal's end, so that no id ever means another hunk."""
    return 1 + max(int(hunk.id.removeprefix("h")) for hunk in review.proposal.hunks)


def _told(made: FileChange, pending: Sequence[Hunk], mine: Sequence[tuple[int, int]]) -> tuple[Hunk, ...]:
    """The hunks as they were, where the person left them alone; the others with a note that says so."""
    starts, left = result_starts(made), list(pending)
    told: list[Hunk] = []
    for hunk in made.hunks:
        start = starts.get(hunk.id, 0)
        if hunk.kind != "rename" and any(low <= start + len(hunk.new) and high >= start for low, high in mine):
            notes = dict.fromkeys(note for old in pending if set(old.new) & set(hunk.new) for note in old.notes)
            told.append(replace(hunk, notes=(*(note for note in notes if note != EDITED), EDITED)))
            continue
        same = next((old for old in left if (old.kind, old.old, old.new) == (hunk.kind, hunk.old, hunk.new)), None)
        if same is not None:
            left.remove(same)
        told.append(hunk if same is None else replace(hunk, id=same.id, notes=same.notes))
    return tuple(told)
