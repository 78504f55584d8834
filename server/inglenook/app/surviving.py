"""What outlives the process: reviews come back with their decisions, and a run that was cut off can be started again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, cast

from inglenook.agents.port import Diagnosis, Earlier, Focus, Task
from inglenook.app import events as said
from inglenook.errors import InglenookError, OutsideWorkspace, UnknownId
from inglenook.review.session import Decision, Review
from inglenook.workspace.grants import Place

if TYPE_CHECKING:
    from inglenook.app.run import Hear
    from inglenook.ledger.survival import Survival
    from inglenook.workspace.documents import Documents
    from inglenook.workspace.paths import JailedPath

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CutOff:
    """A run that was going when its process ended: what was asked, and what it was granted (none: every folder)."""

    run_id: str
    title: str
    task: Task
    only: tuple[Place, ...]


class Surviving:
    """Hears the events of runs and keeps what must outlive the process. What cannot be kept is told in the log, and ends nothing."""

    def __init__(self, documents: Documents, survival: Survival) -> None:
        self._documents = documents
        self._survival = survival

    def before(self, hear: Hear) -> Hear:
        """Keeps what an event says, then tells it."""

        def both(event: said.RunEvent) -> None:
            try:
                self._keep(event)
            except InglenookError as error:
                log.warning("What should outlive this process could not be kept: %s", error)
            finally:
                hear(event)

        return both

    def _keep(self, event: said.RunEvent) -> None:
        match event:
            case said.Started(run_id=run_id, task=task, title=title, grants=grants):
                self._survival.run_began(run_id, title, self._row(task, grants))
            case said.Ended(run_id=run_id):
                self._survival.run_ended(run_id)
            case said.Proposed(review=review) | said.Reviewed(review=review) if review.proposal.run_id:
                self._survival.review(review.proposal, review.decisions, review.reasons, open_=review.open)
            case _:
                pass  # a roll back can be asked for again at any time; the rest is over when it is said

    def take_over(self) -> tuple[tuple[Review, ...], tuple[CutOff, ...]]:
        """What processes that are gone left here. Nothing, with a line in the log, if that cannot be read."""
        try:
            kept, runs = self._survival.take_over()
        except InglenookError as error:
            log.warning("What an earlier process left could not be read: %s", error)
            return (), ()
        reviews: list[Review] = []
        for one in kept:
            try:
                reviews.append(Review(one.proposal, cast("Mapping[str, Decision]", one.decisions), one.reasons))
            except UnknownId as error:
                log.warning("A review could not be taken up again: %s", error)
        cut: list[CutOff] = []
        for run in runs:
            try:
                cut.append(CutOff(run.run, run.title, *self._task(run.task)))
            except (InglenookError, KeyError, TypeError, ValueError) as error:
                log.warning("The task of run %s could not be taken up again: %s", run.run, error)
        return tuple(reviews), tuple(cut)

    def close(self) -> None:
        self._survival.close()

    # ---- tasks as they are kept

    def root(self, path: JailedPath) -> str:
        """The real path of a place's folder."""
        return self._documents.jail(path).root

    def _at(self, path: JailedPath) -> list[str]:
        return [self.root(path), path.rel]

    def _row(self, task: Task, grants: tuple[Place, ...]) -> dict[str, Any]:
        focus = task.focus
        roots = {jail.name: jail.root for jail in self._documents.folders}
        return {
            "kind": task.kind,
            "instruction": task.instruction,
            "focus": [*self._at(focus.path), focus.first, focus.last] if focus is not None else None,
            "paths": [self._at(path) for path in task.paths],
            "diagnoses": [[*self._at(d.path), d.line, d.message, d.source] for d in task.diagnoses],
            "earlier": list(astuple(task.earlier)) if task.earlier is not None else None,
            "only": [[roots[place.folder], place.rel, place.shown] for place in grants if place.folder in roots],
        }

    def _task(self, row: Mapping[str, Any]) -> tuple[Task, tuple[Place, ...]]:
        focus = Focus(admitted(self._documents, *row["focus"][:2]), *row["focus"][2:]) if row["focus"] else None
        task = Task(
            kind=row["kind"],
            instruction=row["instruction"],
            focus=focus,
            paths=tuple(admitted(self._documents, *path) for path in row["paths"]),
            diagnoses=tuple(Diagnosis(admitted(self._documents, *each[:2]), *each[2:]) for each in row["diagnoses"]),
            earlier=Earlier(*row["earlier"]) if row.get("earlier") else None,
        )
        names = {jail.root: jail.name for jail in self._documents.folders}
        missing = [root for root, _, _ in row["only"] if root not in names]
        if missing or not row["only"]:
            raise OutsideWorkspace(f"What it was granted is not open now: {', '.join(missing) or 'nothing'}.")
        return task, tuple(Place(names[root], rel, shown) for root, rel, shown in row["only"])


def admitted(documents: Documents, root: str, rel: str) -> JailedPath:
    """The place at a path below the real path of a folder that is open. OutsideWorkspace, Protected."""
    for jail in documents.folders:
        if jail.root == root:
            return jail.admit(rel, change=False)
    raise OutsideWorkspace(f"`{rel}` is in {root}, which is no folder of this workspace now.", hint="Open that folder as well.")


def open_survival(documents: Documents, state_dir: str, name: str) -> Surviving | None:
    """For the ledger of the first folder; None where there is no folder or no place for it. Makes nothing yet."""
    from inglenook.ledger.disk import folder_for
    from inglenook.ledger.survival import Survival

    if not state_dir or not documents.folders:
        return None
    folder = folder_for(state_dir, documents.folders[0].root)
    survival = Survival(folder, name, root=lambda path: documents.jail(path).root, admit=lambda root, rel: admitted(documents, root, rel))
    return Surviving(documents, survival)
