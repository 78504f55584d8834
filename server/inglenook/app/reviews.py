"""What is in review: each proposal with the decisions on it, and whoever hears of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from inglenook.app.events import Reviewed
from inglenook.errors import UnknownId

if TYPE_CHECKING:
    from inglenook.app.run import Hear
    from inglenook.review.session import Review

REPLACED = "You asked again: a newer proposal takes its place."


class Reviews:
    """Reviews by the ids of their proposals, in the order in which they came."""

    def __init__(self) -> None:
        self._reviews: dict[str, Review] = {}
        self._heard_by: dict[str, Hear] = {}

    def newest(self) -> tuple[Review, ...]:
        """All of them, newest first."""
        return tuple(reversed(self._reviews.values()))

    def review(self, proposal_id: str | None = None) -> Review:
        """The one of a proposal; None means the newest that is open. UnknownId."""
        if proposal_id is None:
            for review in self.newest():
                if review.open:
                    return review
            raise UnknownId("No proposal is open.", hint="Start a run first.")
        if proposal_id not in self._reviews:
            raise UnknownId(f"There is no proposal {proposal_id} (any more).")
        return self._reviews[proposal_id]

    def add(self, review: Review, hear: Hear) -> None:
        """Takes one in; `hear` is told what becomes of it from now on. Tells nobody yet."""
        self._reviews[review.proposal.id], self._heard_by[review.proposal.id] = review, hear

    def drop(self, review: Review) -> None:
        """Forgets one."""
        del self._reviews[review.proposal.id], self._heard_by[review.proposal.id]

    def renew(self, review: Review) -> Review:
        """Takes a review as what stands now, and tells it."""
        proposal_id = review.proposal.id
        if self._reviews.get(proposal_id) != review:
            self._reviews[proposal_id] = review
            self._heard_by[proposal_id](Reviewed(review))
        return review

    def replaced(self, proposal_id: str, ids: Collection[str]) -> None:
        """These hunks give way to what came, unless they were decided meanwhile."""
        old = self._reviews.get(proposal_id)
        waiting = [i for i in ids if old is not None and old.decisions.get(i) == "pending"]
        if old is not None and waiting:
            self.renew(old.stale(dict.fromkeys(waiting, REPLACED)))

    def forget(self, kept: int) -> None:
        """Keeps memory bounded: of those that are closed the oldest go."""
        for review in [r for r in self._reviews.values() if not r.open][:-kept]:
            self.drop(review)
