"""Two changes of the same lines made into one, where there is no doubt what both together are. Pure.

The two are taken apart into single changes, finer than hunks are. Changes of different lines stand side by side. Where they meet,
one of them must be the other and more of it ("the user has made part of it already"); anything else is in doubt, and then there is
no merge at all: a person or a model has to look. No line of either side is ever lost, none is made up, and no line is put together
from two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from inglenook.proposal.matching import agreed, gaps


@dataclass(frozen=True)
class Piece:
    """Lines `start:end` (0-based, `end` left out) of a text give way to `new`; `start == end` inserts, and with no `new` it does
    nothing."""

    start: int
    end: int
    new: tuple[str, ...]

    @property
    def empty(self) -> bool:
        return self.start == self.end and not self.new


@dataclass(frozen=True)
class _Change:
    """Lines `start:end` of the base give way to `new`. hunk: whose it is, "" for the user's."""

    start: int
    end: int
    new: tuple[str, ...]
    hunk: str = ""


def merged(
    base: Sequence[str], yours: Sequence[str], hunks: Mapping[str, Piece], lone: Callable[[Sequence[str]], bool]
) -> dict[str, Piece] | None:
    """What each of the hunks (pieces of `base`, in order, apart from one another) has still to do to `yours`, the text that the user has
    made of the base; None where that is in doubt. lone: whether some lines occur once where the base comes from and once today."""
    user = [
        _Change(gap.a_start, gap.a_end, tuple(yours[gap.b_start : gap.b_end])) for gap in gaps(agreed(base, yours), len(base), len(yours))
    ]
    agent = [change for hunk, piece in hunks.items() for change in _taken_apart(base, piece, hunk)]
    written = Counter(yours) - Counter(base)
    done: dict[str, list[Piece]] = {hunk: [] for hunk in hunks}
    at = mine = 0
    for group in _groups(user, agent):
        start, end = min(change.start for change in group), max(change.end for change in group)
        mine += start - at
        own = _laid(base, start, end, [change for change in group if not change.hunk])
        owners = {change.hunk for change in group} - {""}
        if owners:
            new = _both(base, start, end, group, own) if len(owners) == 1 else None
            alone = all(change.hunk for change in group)
            if new is None or (alone and not _rooted(base, group[0], user, lone)):
                return None
            elsewhere = written if alone else written - Counter(own)
            if any(line in elsewhere and line.strip() for line in Counter(new) - Counter(own)):
                return None  # the user may have made it, at another place
            done[owners.pop()].append(Piece(mine, mine + len(own), new))
        at, mine = end, mine + len(own)
    return {hunk: _joined(yours, pieces) for hunk, pieces in done.items()}


def _taken_apart(base: Sequence[str], piece: Piece, hunk: str) -> list[_Change]:
    """The single changes of a hunk: lines without a word may stand unchanged in it."""
    old = base[piece.start : piece.end]
    found = gaps(agreed(old, piece.new), len(old), len(piece.new))
    return [_Change(piece.start + g.a_start, piece.start + g.a_end, piece.new[g.b_start : g.b_end], hunk) for g in found]


def _groups(user: Sequence[_Change], agent: Sequence[_Change]) -> list[list[_Change]]:
    """The changes in their order, those that meet together."""
    groups: list[list[_Change]] = []
    for change in sorted([*user, *agent], key=lambda each: (each.start, each.end)):
        if groups and any(_meet(other, change) for other in groups[-1]):
            groups[-1].append(change)
        else:
            groups.append([change])
    return groups


def _meet(one: _Change, other: _Change) -> bool:
    """Whether two changes, of two sides, are about the same lines or the same place."""
    if bool(one.hunk) == bool(other.hunk):
        return False
    inserted, beside = (one, other) if one.start == one.end else (other, one)
    if inserted.start != inserted.end:
        return max(one.start, other.start) < min(one.end, other.end)
    if beside.start == beside.end:
        return beside.start == inserted.start
    if beside.start < inserted.start < beside.end:
        return True
    if inserted.start not in (beside.start, beside.end):
        return False
    if set(inserted.new) & set(beside.new):
        return True  # the user may have made part of it there
    # Beside lines that the user changed there is one place for it, as long as none were added to them, and not all are gone.
    return bool(inserted.hunk) and not 0 < len(beside.new) <= beside.end - beside.start


def _both(base: Sequence[str], start: int, end: int, group: Sequence[_Change], own: tuple[str, ...]) -> tuple[str, ...] | None:
    """What both sides make of these lines of the base; None if that is in doubt."""
    theirs = _laid(base, start, end, [change for change in group if change.hunk])
    if all(change.hunk for change in group) or _is_more(base[start:end], own, theirs):
        return theirs
    return own if _is_more(base[start:end], theirs, own) else None


def _is_more(base: Sequence[str], less: Sequence[str], more: Sequence[str]) -> bool:
    """Whether `more` does to the base all that `less` does to it."""
    if tuple(less) == tuple(more):
        return True
    kept, stays = _kept(base, less), _kept(base, more)
    pairs = {run.a + k: run.b + k for run in agreed(less, more) for k in range(run.size)}
    if any(kept.get(i) != stays.get(j) for i, j in pairs.items()):
        return False
    taken = [i for i in range(len(less)) if i not in pairs]
    added = set(range(len(more))) - set(pairs.values())
    if not all(i in kept and kept[i] not in stays.values() for i in taken) or any(j in stays for j in added):
        return False
    # Of lines that occur more than once nobody can say which is which: then their numbers must be right at least.
    grown, shrunk = Counter(more) - Counter(base), Counter(base) - Counter(more)
    return Counter(more[j] for j in added) <= grown and Counter(less[i] for i in taken) <= shrunk


def _kept(base: Sequence[str], text: Sequence[str]) -> dict[int, int]:
    """Line of a text → line of the base that it is, for those that are."""
    return {run.b + k: run.a + k for run in agreed(base, text) for k in range(run.size)}


def _rooted(base: Sequence[str], change: _Change, user: Sequence[_Change], lone: Callable[[Sequence[str]], bool]) -> bool:
    """Whether replaced lines are surely the ones that were meant: a line beside them is as it was, or there are no others like them."""
    if change.start == change.end:
        return True
    touched = {each.end for each in user}, {each.start for each in user}
    return change.start not in touched[0] or change.end not in touched[1] or lone(base[change.start : change.end])


def _laid(base: Sequence[str], start: int, end: int, changes: Sequence[_Change]) -> tuple[str, ...]:
    """Lines `start:end` of the base with ordered changes made."""
    parts: list[str] = []
    for change in changes:
        parts += [*base[start : change.start], *change.new]
        start = change.end
    return (*parts, *base[start:end])


def _joined(text: Sequence[str], pieces: Sequence[Piece]) -> Piece:
    """Pieces of a text as one, without the lines at its ends that stay as they are."""
    if not pieces:
        return Piece(0, 0, ())
    start, end = pieces[0].start, pieces[-1].end
    new: list[str] = []
    at = start
    for piece in pieces:
        new += [*text[at : piece.start], *piece.new]
        at = piece.end
    while start < end and new and text[start] == new[0]:
        start, new = start + 1, new[1:]
    while start < end and new and text[end - 1] == new[-1]:
        end, new = end - 1, new[:-1]
    return Piece(start, end, tuple(new))
