"""The ledger at the second gate: what undoes an edit is kept before the edit is made, and an acceptance becomes a proposal again."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, assert_never

from inglenook import __version__
from inglenook.errors import FileMissing, InglenookError, LedgerError, NothingToDo, OutsideWorkspace, WorkspaceError
from inglenook.ledger.audit import Audit
from inglenook.ledger.disk import folder_for
from inglenook.ledger.facts import EditBegun, EditMade, FileMark, HunksDecided, RolledBack, Who
from inglenook.ledger.metrics import Metrics
from inglenook.ledger.rollback import BOM, BOUND, Acceptance, Acceptances, Content, Listed, Place, modes_of, undo_of
from inglenook.proposal.model import FileChange, Proposal, digest
from inglenook.review.fitting import CreateFile, DeleteFile, FileEdit, RenameFile, TextEdit

if TYPE_CHECKING:
    from inglenook.review.fitting import Fitting
    from inglenook.review.session import Review
    from inglenook.workspace.documents import Documents
    from inglenook.workspace.paths import JailedPath

log = logging.getLogger(__name__)


def utc_now() -> str:
    """The time, UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Keeping:
    """What is kept of the acceptances of one workspace, and its numbers. now: UTC, ISO 8601. new_id: an id that is new, with a first
    letter. elsewhere: the acceptances of another open folder, by its real path; None where there is only one folder."""

    documents: Documents
    audit: Audit
    acceptances: Acceptances
    now: Callable[[], str]
    new_id: Callable[[str], str]
    undoing: dict[str, Acceptance] = field(default_factory=dict)  # proposal id → the acceptance that it rolls back
    elsewhere: Callable[[str], Acceptances | None] = lambda root: None

    @cached_property
    def metrics(self) -> Metrics:
        """The numbers of each task. Made when the first one is told."""
        return Metrics(self.audit.folder)

    def begin(self, review: Review, fitting: Fitting, who: Who) -> Acceptance:
        """Keeps what undoes a fitting and writes the decision down: on the disk when this comes back. LedgerError or
        WorkspaceError, and then the fitting must not be applied."""
        proposal = review.proposal
        undone = self.undoing.get(proposal.id)
        acceptance = Acceptance(
            self.new_id("a"),
            proposal.id,
            proposal.title,
            self.now(),
            who,
            fitting.fits,
            self._places(fitting.edits),
            undone.id if undone is not None else "",
        )
        gone: list[str] = []
        try:
            for kept in self._concerned(acceptance):
                gone += kept.keep(acceptance)
        except LedgerError:
            self._forget(acceptance)
            raise
        if gone:
            log.warning("To stay within its bound, the ledger let go of what it kept to undo %s.", ", ".join(gone))
        decided = HunksDecided(proposal.id, fitting.fits, "accepted", who)
        try:
            self.audit.append(decided, EditBegun(acceptance.id, proposal.id, fitting.fits, who, marks(acceptance.places)), durable=True)
        except LedgerError:
            self._forget(acceptance)
            raise
        return acceptance

    def finish(self, acceptance: Acceptance, fitting: Fitting, *, applied: bool) -> None:
        """What came of it: `fitting` is what is in the files now. The edit is made by now, so nothing is raised: a ledger that
        cannot be written is told in the log, and what was kept before stays."""
        made = applied and bool(fitting.fits)
        try:
            if made:
                before = {place.path: place.before for place in acceptance.places}
                self._permit(acceptance, fitting.edits)
                places = tuple(map(self._as_left, self._places(fitting.edits, lambda path: before[path])))
                for kept in self._concerned(acceptance):
                    kept.keep(replace(acceptance, hunks=fitting.fits, places=places, made=True))
            else:
                self._forget(acceptance)
            self.audit.append(EditMade(acceptance.id, acceptance.proposal, fitting.fits if made else (), made))
            if made and acceptance.undoes:
                self.audit.append(RolledBack(acceptance.undoes, acceptance.id, acceptance.proposal, fitting.fits), durable=True)
        except InglenookError as error:
            log.warning("After an edit: %s", error)

    def listed(self) -> tuple[Listed, ...]:
        """The acceptances that can be rolled back, newest first. LedgerError."""
        return self.acceptances.listed()

    def undo(self, acceptance_id: str | None) -> Proposal:
        """The proposal that rolls an acceptance back; None: the newest. UnknownId, LedgerError, InputError, WorkspaceError."""
        if acceptance_id is None:
            listed = self.listed()
            if not listed:
                raise NothingToDo("Nothing was accepted here yet, so there is nothing to roll back.")
            acceptance_id = listed[0].id
        acceptance = self.acceptances.load(acceptance_id, self._admit)
        files = tuple(self._cautioned(change) for change in undo_of(acceptance))
        files = _told(files, acceptance)
        if not files:
            raise NothingToDo(f"“{acceptance.title}” left every text as it was; there is nothing to roll back.")
        title = acceptance.title.removeprefix("Roll back: ")
        title = f"Roll back: {title}" if not acceptance.undoes else title  # a roll back of a roll back makes the change again
        summary = f"Undoes what was accepted on {acceptance.at[:16].replace('T', ' at ')} UTC."
        proposal = Proposal(self.new_id("p"), "", title, summary, files)
        self.undoing[proposal.id] = acceptance
        return proposal

    # ---- inside

    def _concerned(self, acceptance: Acceptance) -> tuple[Acceptances, ...]:
        """Where an acceptance is kept: here, and in the ledger of each other folder that it changes."""
        found = (self.elsewhere(root) for root in dict.fromkeys(place.root for place in acceptance.places))
        return (self.acceptances, *(each for each in found if each is not None))

    def _forget(self, acceptance: Acceptance) -> None:
        for kept in self._concerned(acceptance):
            kept.forget(acceptance.id)

    def _places(self, edits: Sequence[FileEdit], content: Callable[[JailedPath], Content | None] | None = None) -> tuple[Place, ...]:
        places = places_of(edits, content or self._content)
        return tuple(replace(place, root=self.documents.jail(place.path).root) for place in places)

    def _content(self, path: JailedPath) -> Content | None:
        try:
            seen = self.documents.read(path)
        except FileMissing:
            return None
        return Content(seen.text, seen.bom, self.documents.mode(path))

    def _admit(self, root: str, rel: str) -> JailedPath:
        for jail in self.documents.folders:
            if jail.root == root:
                return jail.admit(rel)
        raise OutsideWorkspace(f"`{rel}` is in {root}, which is no folder of this workspace now.", hint="Open that folder as well.")

    def _cautioned(self, change: FileChange) -> FileChange:
        words = self.documents.caution(change.path)
        if not words:
            return change
        return replace(change, hunks=tuple(replace(hunk, notes=(*hunk.notes, words)) for hunk in change.hunks))

    def _as_left(self, place: Place) -> Place:
        """A place with the permissions that its file has, now that the edit is made."""
        mode = self.documents.mode(place.path) if place.after is not None else 0
        return replace(place, after=replace(place.after, mode=mode)) if place.after is not None and mode else place

    def _permit(self, acceptance: Acceptance, edits: Sequence[FileEdit]) -> None:
        """Files get the permissions back that they had before what is rolled back: those that are made again now, and those whose
        permissions nobody has changed since. What the person turned down of the roll back stays as it is."""
        undone = self.undoing.get(acceptance.proposal)
        if undone is None:
            return
        made = {edit.path for edit in edits if isinstance(edit, CreateFile)}
        taken = made | {edit.to if isinstance(edit, RenameFile) else edit.path for edit in edits}
        shown = {path for change in undo_of(undone) for path in (change.path, change.to) if path is not None}
        for path, mode in modes_of(undone).items():
            now = self.documents.mode(path)
            if now in (0, mode.before) or (path in shown and path not in taken) or (path not in made and now != mode.after):
                continue
            try:
                self.documents.permit(path, mode.before)
            except WorkspaceError as error:
                log.warning("The permissions of a restored file could not be set: %s", error)


def _told(files: tuple[FileChange, ...], acceptance: Acceptance) -> tuple[FileChange, ...]:
    """The changes, with a note on the first where a roll back gives permissions back to files whose text it leaves alone."""
    shown = {path for change in files for path in (change.path, change.to)}
    silent = [f"{path.shown} ({mode.before:o})" for path, mode in modes_of(acceptance).items() if path not in shown and mode.after]
    if not files or not silent:
        return files
    first = files[0].hunks[0]
    noted = replace(first, notes=(*first.notes, f"also gives permissions back: {', '.join(silent)}"))
    return (replace(files[0], hunks=(noted, *files[0].hunks[1:])), *files[1:])


def open_ledger(
    documents: Documents,
    state_dir: str,
    *,
    new_id: Callable[[str], str],
    now: Callable[[], str] = utc_now,
    by: str = "",
    bound: Callable[[], int] = lambda: BOUND,
) -> Keeping | None:
    """The ledger of the first folder of a workspace, put right if a process ended while it wrote; None where there is no folder
    or no place for it. Makes nothing yet. bound: bytes that what undoes acceptances may take."""
    if not state_dir or not documents.folders:
        return None
    folder = folder_for(state_dir, documents.folders[0].root)
    audit = Audit(folder, now=now, by=by or f"inglenook {__version__}, process {os.getpid()}")
    try:
        audit.start()
    except LedgerError as error:
        log.warning("%s", error)  # the next acceptance says it to the person, and stops
    home = documents.folders[0].root

    def elsewhere(root: str) -> Acceptances | None:
        return None if root == home else Acceptances(folder_for(state_dir, root), bound=bound)

    return Keeping(documents, audit, Acceptances(folder, bound=bound), now, new_id, elsewhere=elsewhere)


def places_of(edits: Sequence[FileEdit], content: Callable[[JailedPath], Content | None]) -> tuple[Place, ...]:
    """What the edits do to each place, one with another. content: what is there before (None: nothing). `root` is left ""."""
    before: dict[JailedPath, Content | None] = {}
    now: dict[JailedPath, Content | None] = {}
    hunks: dict[JailedPath, list[str]] = {}
    moved: dict[JailedPath, JailedPath] = {}

    def at(path: JailedPath) -> Content | None:
        if path not in now:
            before[path] = now[path] = content(path)
        return now[path]

    def mark(path: JailedPath, *ids: str) -> None:
        hunks.setdefault(path, []).extend(ids)

    for edit in edits:
        there = at(edit.path)
        match edit:
            case TextEdit(path=path, spans=spans):
                now[path] = replace(there or Content(""), text=edit.result)
                mark(path, *(span.hunk for span in spans))
            case CreateFile(path=path, text=text, hunk=hunk):
                now[path] = Content(text.removeprefix(BOM), text.startswith(BOM))
                mark(path, hunk)
            case DeleteFile(path=path, hunk=hunk):
                now[path] = None
                mark(path, hunk)
            case RenameFile(path=path, to=to, hunk=hunk):
                at(to)
                now[path], now[to] = None, there
                moved[path] = to
                mark(path, hunk)
                mark(to, hunk)
            case _:
                assert_never(edit)
    return tuple(Place("", path, before[path], now[path], tuple(hunks.get(path, ())), moved.get(path)) for path in now)


def marks(places: Sequence[Place]) -> tuple[FileMark, ...]:
    """The places of an acceptance as the audit has them."""

    def hash_of(content: Content | None) -> str:
        return digest(content.text) if content is not None else ""

    return tuple(
        FileMark(p.root, p.path.rel, p.moved_to.rel if p.moved_to else "", hash_of(p.before), hash_of(p.after), p.hunks) for p in places
    )
