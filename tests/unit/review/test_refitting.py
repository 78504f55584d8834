"""Re-fitting without a model: both changes are kept, or nothing is done."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.proposal.diff import apply, file_change, lines
from inglenook.proposal.model import CheckResult, Proposal, Verdict
from inglenook.review.fitting import lost, preview, where
from inglenook.review.ground import Ground
from inglenook.review.merging import Piece, merged
from inglenook.review.refitting import REFITTED, THERE, UNCHECKED, Refitted, refit
from inglenook.review.session import Review
from unit.proposal.texts import edited, path

A = path("a.py")
BASE = "one\ntwo\nthree\n\nfour\nfive\nsix\nseven\n"
PASSED = Verdict("passed", "All passed.", (CheckResult("tests", "passed"),))


def of(base: str, result: str, verdict: Verdict | None = None) -> Review:
    return Review(Proposal("p1", "r1", "Title", "", (file_change(A, base, result),), verdict))


def refitted(review: Review, today: str | None, *ids: str) -> Refitted:
    return refit(review, review.proposal.files[0], today, ids or tuple(review.decisions))


def accepted(done: Refitted, today: str) -> str:
    """The file once all that waits and fits is accepted."""
    return preview(done.review, A, today)[0]


TABLE = {
    # what is typed into a line that no change of the agent's is about: its hunk goes on around it
    "between the changes of one hunk": (
        BASE.replace("three", "THREE").replace("four", "FOUR"),
        BASE.replace("\n\n", "\n# mine\n"),
        "one\ntwo\nTHREE\n# mine\nFOUR\nfive\nsix\nseven\n",
    ),
    "the line after an insertion": (
        BASE.replace("five\n", "new\nfive\n"),
        BASE.replace("five", "fünf"),
        BASE.replace("five", "new\nfünf"),
    ),
    "the line before an insertion": (
        BASE.replace("five\n", "five\nnew\n"),
        BASE.replace("five", "fünf"),
        BASE.replace("five", "fünf\nnew"),
    ),
    "part of it is done": (
        BASE.replace("five\nsix\n", "FIVE\nSIX\n"),
        BASE.replace("five", "FIVE"),
        BASE.replace("five", "FIVE").replace("six", "SIX"),
    ),
    "part of an insertion is there": (
        BASE.replace("five\n", "x = 1\ny = 2\nfive\n"),
        BASE.replace("five\n", "y = 2\nfive\n"),
        BASE.replace("five\n", "x = 1\ny = 2\nfive\n"),
    ),
    "the last line has no end": (
        BASE.replace("six\n", "new\nsix\n"),
        BASE.replace("six", "sechs").rstrip("\n"),
        BASE.replace("six", "new\nsechs").rstrip("\n"),
    ),
    "another editor's line ends": (
        BASE.replace("five\n", "new\nfive\n"),
        BASE.replace("five", "fünf").replace("\n", "\r\n"),
        BASE.replace("five", "new\nfünf").replace("\n", "\r\n"),
    ),
}


@pytest.mark.parametrize(("result", "today", "both"), TABLE.values(), ids=TABLE.keys())
def test_both_changes_are_kept_where_there_is_no_doubt(result: str, today: str, both: str) -> None:
    review = of(BASE, result, PASSED)
    assert list(lost(review, A, today)) == ["h1"], "it does not fit before"
    done = refitted(review, today)
    assert (dict(done.fits), done.there) == ({"h1": "h2"}, ())
    assert lost(done.review, A, today) == {} and accepted(done, today) == both
    [hunk] = done.review.proposal.hunks
    assert hunk.notes == (REFITTED,) and done.review.decisions == {"h2": "pending"}
    assert done.review.proposal.verdict == Verdict("not_run", UNCHECKED), "what the checks said was of another text"
    assert review.proposal.verdict == PASSED and list(review.decisions) == ["h1"], "the old one is as it was"


DOUBT = {
    "the same line": (BASE.replace("five", "FIVE"), BASE.replace("five", "fünf")),
    "text added exactly there": (BASE.replace("five\n", "new\nfive\n"), BASE.replace("five\n", "mine\nfive\n")),
    "lines added to the one beside it": (BASE.replace("five\n", "new\nfive\n"), BASE.replace("five\n", "fünf\ncinq\n")),
    "the line beside it is gone": (BASE.replace("five\n", "new\nfive\n"), BASE.replace("five\n", "")),
    "lines inside what it replaces": (BASE.replace("five\nsix\n", "both\n"), BASE.replace("five\n", "five\nmine\n")),
    "part of it and something else": (BASE.replace("five\nsix\n", "FIVE\nSIX\n"), BASE.replace("five", "FIVE").replace("six", "sechs")),
    "what it would take out is another text": (BASE.replace("five\nsix\n", ""), BASE.replace("six", "sechs")),
    "the same lines stand there twice": ("a\nx\nb\n", "a\ny\nb\n", "b\nx\na\nb\nx\n"),
}


@pytest.mark.parametrize("texts", DOUBT.values(), ids=DOUBT.keys())
def test_what_is_in_doubt_is_left_alone(texts: tuple[str, ...]) -> None:
    base, result, today = texts if len(texts) == 3 else (BASE, *texts)
    review = of(base, result, PASSED)
    assert lost(review, A, today)
    assert refitted(review, today) == Refitted(review)


def test_what_the_user_has_made_alone_is_set_aside_with_a_reason() -> None:
    review = of(BASE, BASE.replace("five\n", "new\nfive\n").replace("one", "ONE"), PASSED)
    today = BASE.replace("five\n", "new\nfive\n")
    done = refitted(review, today)
    assert (dict(done.fits), done.there) == ({}, ("h2",))
    assert done.review.decisions == {"h1": "pending", "h2": "stale"} and done.review.reasons == {"h2": THERE}
    assert done.review.proposal.verdict == PASSED


def test_decisions_on_the_rest_and_its_places_stay() -> None:
    review = of(BASE, BASE.replace("one", "ONE").replace("five\n", "new\nfive\n").replace("seven", "SEVEN"), PASSED)
    review = review.accept(["h1"]).reject(["h3"])
    today = BASE.replace("one", "ONE").replace("five", "fünf")
    done = refitted(review, today, "h2")
    assert done.review.decisions == {"h1": "accepted", "h4": "pending", "h3": "rejected"}
    assert accepted(done, today) == today.replace("fünf", "new\nfünf")
    again = Refitted(done.review.reopen(["h3"]))
    assert accepted(again, today) == today.replace("fünf", "new\nfünf").replace("seven", "SEVEN")


def test_what_fits_or_is_not_asked_is_as_it_was() -> None:
    review = of(BASE, BASE.replace("one", "ONE").replace("five\n", "new\nfive\n"))
    today = BASE.replace("five", "fünf")
    assert refitted(review, today, "h1") == Refitted(review)
    assert refitted(review, BASE) == Refitted(review)
    assert refitted(review, None) == Refitted(review)
    assert refitted(review.reject(["h2"]), today, "h2").fits == {}


def test_hunks_between_the_same_lines_are_fitted_together() -> None:
    base = "a = 1\nb = 2\nc = 3\nd = 4\n"
    review = of(base, "a = 1\nnew = 0\nb = 2\nc = 3\nother = 0\nd = 4\n")
    today = base.replace("b = 2\nc = 3", "b = 20\nc = 30")
    assert list(lost(review, A, today)) == ["h1", "h2"]
    done = refitted(review, today, "h1")
    assert dict(done.fits) == {"h1": "h3", "h2": "h4"}
    assert accepted(done, today) == "a = 1\nnew = 0\nb = 20\nc = 30\nother = 0\nd = 4\n"


def test_fitted_once_it_can_be_typed_into_and_fitted_once_more() -> None:
    review = of(BASE, BASE.replace("five\n", "new\nfive\n"))
    once = refitted(review, BASE.replace("five", "fünf"))
    today = BASE.replace("five", "cinq")
    assert list(lost(once.review, A, today)) == ["h2"]
    twice = refitted(once.review, today)
    assert accepted(twice, today) == BASE.replace("five", "new\ncinq")
    assert twice.review.proposal.hunks[0].notes == (REFITTED,)


# ---- laws


@st.composite
def forks(draw: st.DrawFn) -> tuple[str, str, str]:
    """A text, and what two people made of it."""
    base, result = draw(edited())
    today = lines(base)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(today)))
        taken = draw(st.sampled_from(["mine\n", "x = 1\n", "}\n", "\n", *lines(result)[:4]]))
        today[at : at + draw(st.integers(0, 2))] = [taken] * draw(st.integers(0, 2))
    return base, result, "".join(today)


@given(forks())
def test_no_line_of_either_is_lost_and_none_is_made_up(texts: tuple[str, str, str]) -> None:
    base, result, today = texts
    review = of(base, result)
    before = where(review, A, today)
    done = refitted(review, today)
    if not done.fits:
        assert [h for f in done.review.proposal.files for h in f.hunks] == list(review.proposal.hunks)
        return
    now = where(done.review, A, today)
    assert set(done.fits.values()) <= set(now), "what is said to fit does"
    assert {i: place for i, place in now.items() if i in before} == before, "what fitted stands where it stood"
    change = done.review.proposal.files[0]
    assert apply(change, {h.id for h in change.hunks}) == change.result and apply(change, ()) == change.base
    plain, both = Counter(lines(preview(review, A, today)[0])), Counter(lines(accepted(done, today)))
    as_today = Ground(review, review.proposal.files[0], today).as_today
    of_hunks = [h for h in review.proposal.hunks if h.id in done.fits or h.id in done.there]
    assert not both - plain - Counter(as_today(line) for h in of_hunks for line in h.new), "nothing is made up"
    assert not plain - both - Counter(as_today(line) for h in of_hunks for line in h.old), "nothing of the user's is lost"


@given(forks())
def test_merged_lines_are_those_of_both_sides(texts: tuple[str, str, str]) -> None:
    base, result, today = (lines(text) for text in texts)
    hunks = {h.id: Piece(h.start, h.start + len(h.old), h.new) for h in of(texts[0], texts[1]).proposal.hunks}
    made = merged(base, today, hunks, lambda some: False)
    if today == base:
        assert made is not None and laid(today, made) == result, "without a change of the user's it is the proposal"
    if made is None:
        return
    both = laid(today, made)
    new = Counter(line for piece in hunks.values() for line in piece.new)
    old = Counter(line for piece in hunks.values() for line in base[piece.start : piece.end])
    assert not Counter(both) - Counter(today) - new and not Counter(today) - Counter(both) - old
    if len(set(both)) == len(both) and len(set(base)) == len(base):
        again = merged(base, both, hunks, lambda some: False)
        assert again is None or laid(both, again) == both, "done once, nothing is left of it"


def laid(text: list[str], pieces: dict[str, Piece]) -> list[str]:
    for piece in reversed(list(pieces.values())):
        text = [*text[: piece.start], *piece.new, *text[piece.end :]] if not piece.empty else text
    return text
