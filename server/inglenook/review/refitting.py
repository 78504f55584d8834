"""Hunks that the user has typed into, fitted again without a model: both changes are kept, or nothing is done. Pure.

The lines that were changed become part of what the proposal was made for, and the hunk says what is left to do there. That is a new
hunk with a new id, so that nobody accepts by an old name what they have not seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from inglenook.proposal.diff import apply, lines
from inglenook.proposal.matching import Gap
from inglenook.proposal.model import FileChange, Hunk, Verdict
from inglenook.review.amending import next_number
from inglenook.review.fitting import TextEdit, fit, where
from inglenook.review.ground import Ground
from inglenook.review.merging import Piece, merged
from inglenook.review.session import Review

REFITTED = "Fitted to what you changed here meanwhile."
UNCHECKED = "It was fitted to your changes after its checks ran."
THERE = "You have made this change yourself."


@dataclass(frozen=True)
class Refitted:
    """What came of it. fits: hunk → the new one in its place, by id. there: hunks of which nothing was left to do, by id."""

    review: Review
    fits: Mapping[str, str] = field(default_factory=dict)
    there: tuple[str, ...] = ()


def refit(review: Review, change: FileChange, today: str | None, ids: Collection[str]) -> Refitted:
    """Those of the hunks of one file that wait and do not fit its text as it is today (None: it is gone), fitted again where that is
    no guess. Others between the same lines come along, since one cannot be fitted without the other."""
    done = Refitted(review)
    for hunk in change.hunks:
        now = next((each for each in done.review.proposal.files if hunk in each.hunks), None)
        if hunk.id not in ids or now is None or today is None or hunk.kind != "text" or done.review.decisions[hunk.id] != "pending":
            continue
        done = _fitted(done, now, today, hunk)
    return done


def _fitted(done: Refitted, change: FileChange, today: str, hunk: Hunk) -> Refitted:
    """The same with this hunk fitted, and with those that share its lines; unchanged where it fits, or where a merge is in doubt."""
    review = done.review
    ground = Ground(review, change, today)
    if not isinstance(ground.place(hunk), str):
        return done
    region = ground.region(hunk)
    inside = [each for each in change.hunks if each.kind == "text" and _within(each, region)]
    if any(review.decisions[each.id] != "pending" or not isinstance(ground.place(each), str) for each in inside):
        return done
    asked = {
        each.id: Piece(each.start - region.a_start, each.start + len(each.old) - region.a_start, _as_today(ground, each.new))
        for each in inside
    }
    pieces = merged(ground.base[region.a_start : region.a_end], ground.lines[region.b_start : region.b_end], asked, ground.lone)
    if pieces is None:
        return done
    there = tuple(i for i, piece in pieces.items() if piece.empty)
    if len(there) == len(pieces):
        return Refitted(review.stale(dict.fromkeys(there, THERE)), done.fits, (*done.there, *there))
    fits = {i: f"h{next_number(review) + n}" for n, i in enumerate(i for i in pieces if i not in there)}
    now = _rebased(review, change, ground, region, pieces, fits)
    if not _holds(review, now, change, today, {fits[i]: _moved(pieces[i], region.b_start) for i in fits}):
        return done
    return Refitted(now, {**done.fits, **fits}, (*done.there, *there))


def _within(hunk: Hunk, region: Gap) -> bool:
    """Whether a hunk is about lines of a region of the base, or inserts at one of its ends."""
    first, last = hunk.start, hunk.start + len(hunk.old)
    if first == last or region.a_start == region.a_end:
        return first <= region.a_end and last >= region.a_start
    return first < region.a_end and last > region.a_start


def _as_today(ground: Ground, some: Collection[str]) -> tuple[str, ...]:
    return tuple(ground.as_today(line) for line in some)


def _moved(piece: Piece, by: int) -> Piece:
    return Piece(piece.start + by, piece.end + by, piece.new)


def _rebased(
    review: Review, change: FileChange, ground: Ground, region: Gap, pieces: Mapping[str, Piece], fits: Mapping[str, str]
) -> Review:
    """The review on a base in which the lines of the region are as the user has made them."""
    yours = ground.lines[region.b_start : region.b_end]
    base = "".join([*ground.base[: region.a_start], *yours, *ground.base[region.a_end :]])
    grown = len(yours) - (region.a_end - region.a_start)
    hunks: list[Hunk] = []
    for hunk in change.hunks:
        if hunk.id in fits:
            piece = pieces[hunk.id]
            notes = (*(note for note in hunk.notes if note != REFITTED), REFITTED)
            old, start = tuple(yours[piece.start : piece.end]), region.a_start + piece.start
            hunks.append(Hunk(fits[hunk.id], "text", hunk.path, start, old, piece.new, notes=notes))
        elif hunk.id not in pieces:
            start = hunk.start + grown if hunk.kind == "text" and hunk.start >= region.a_end else hunk.start
            hunks.append(replace(hunk, start=start, old=_as_today(ground, hunk.old), new=_as_today(ground, hunk.new)))
    made = replace(change, base=base, hunks=tuple(hunks))
    made = replace(made, result=apply(made, {hunk.id for hunk in hunks}))
    verdict = Verdict("not_run", UNCHECKED) if review.proposal.verdict is not None else None
    proposal = replace(review.proposal, files=tuple(made if each is change else each for each in review.proposal.files), verdict=verdict)
    left = {hunk.id for hunk in proposal.hunks}
    decisions = {i: decision for i, decision in review.decisions.items() if i in left}
    return Review(proposal, decisions, {i: words for i, words in review.reasons.items() if i in left})


def _holds(before: Review, now: Review, change: FileChange, today: str, pieces: Mapping[str, Piece]) -> bool:
    """Whether the new hunks fit today's text and make of it what was merged, and all others stand where they stood."""
    parts = lines(today)
    for piece in reversed(tuple(pieces.values())):
        parts[piece.start : piece.end] = piece.new
    fitting = fit(now, pieces, lambda path: today)
    made = [edit.result for edit in fitting.edits if isinstance(edit, TextEdit)]
    if fitting.stale or made != ["".join(parts)] or lines(made[0]) != parts:
        return False
    stood, stand = where(before, change.path, today), where(now, change.path, today)
    return all(stand.get(i) == place for i, place in stood.items()) and set(stand) == set(stood) | set(pieces)
