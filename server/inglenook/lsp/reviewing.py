"""The second gate at the editor's door: a person's decision becomes one edit, and what the editor did is read again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import anyio
from lsprotocol import types

from inglenook.errors import InputError, UnknownId
from inglenook.lsp import uris, views

if TYPE_CHECKING:
    from inglenook.app.runs import Runs
    from inglenook.lsp.session import Session
    from inglenook.protocol.commands import Decided, DecideHunks
    from inglenook.review.fitting import FileEdit, Fitting
    from inglenook.review.session import Decision, Review
    from inglenook.workspace.paths import JailedPath

log = logging.getLogger(__name__)

SETTLING = 1.5  # seconds within which an editor tells of what it has just applied
SETTLING_PLAIN = 0.4  # the same, of one that may not tell before its command is over
REMEMBERED = 200  # decisions that can be taken back
QUIET = 0.15  # seconds without typing before places are computed again
NEEDS = {"CreateFile": "create", "DeleteFile": "delete", "RenameFile": "rename"}
NO_RESOURCES = "This editor cannot {} files for a language server: do it by hand, then decide again."
UNSHARED = "{} was changed in the editor, but is neither saved nor open here: save it, then decide again."


@dataclass(frozen=True)
class Sent:
    """What an editor said about an edit, and why not when it refused."""

    applied: bool
    words: str = ""


@dataclass(frozen=True)
class Step:
    """A decision that can be taken back: hunks of a proposal, what was decided, and what was kept to undo the edit ("" for none)."""

    proposal: str
    decision: Literal["accept", "reject", "reopen"]
    hunks: tuple[str, ...]
    acceptance: str = ""


@dataclass(frozen=True)
class Unseen:
    """A file as we see it still, although the editor has changed it: its text, and the version of its buffer (None: it is not open)."""

    text: str | None
    version: int | None


class Reviewing:
    """Decisions, one after the other; and everything shown of open reviews, kept true while the user types."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._touched = asyncio.Event()
        self._history: list[Step] = []
        self._unseen: dict[JailedPath, Unseen] = {}  # changed by the editor out of our sight → what we still see

    # ---- decisions

    @property
    def can_undo(self) -> bool:
        """Whether `undo` has a decision to take back."""
        return bool(self._history)

    async def decide(self, wish: DecideHunks) -> Decided:
        """Accepts, rejects or reopens. InputError, UnknownId."""
        session = self._session
        runs = await session.house()
        async with session.deciding:
            review = runs.review(wish.proposal_id)
            ids = self._meant(runs, review, wish)
            if wish.decision == "accept":
                decided = await self._accept(runs, review, ids)
                self._remember(Step(review.proposal.id, "accept", tuple(decided.accepted), runs.acceptance_of(review.proposal.id)))
                return decided
            settled = (runs.reject if wish.decision == "reject" else runs.reopen)(review.proposal.id, ids)
            self._remember(Step(review.proposal.id, wish.decision, tuple(i for i in ids if settled.decisions[i] != review.decisions[i])))
            words = f"{_count(len(ids), 'hunk')} {'rejected' if wish.decision == 'reject' else 'open again'}."
            return self._decided(runs, settled, words)

    async def undo(self) -> Decided:
        """Takes back the last decision of this session: hunks that were accepted are taken out of the texts again, in one edit, if
        nothing of it was edited since; else what undoes them is put into review. InputError if there is none to take back."""
        session = self._session
        runs = await session.house()
        async with session.deciding:
            if not self._history:
                raise InputError("No decision of this session is left to take back.", hint="`Agent: Roll Back…` undoes earlier ones.")
            step = self._history.pop()
            try:
                review = runs.review(step.proposal)
            except UnknownId as error:
                raise InputError("The proposal of the last decision is not known any more.", hint="Use `Agent: Roll Back…`.") from error
            if step.decision == "accept":
                return await self._undo_edit(runs, review, step)
            settled = (runs.reopen if step.decision == "reject" else runs.reject)(step.proposal, step.hunks)
            now = "open again" if step.decision == "reject" else "rejected again"
            return self._decided(runs, settled, f"{_count(len(step.hunks), 'hunk')} {now}.")

    async def _undo_edit(self, runs: Runs, review: Review, step: Step) -> Decided:
        from inglenook.review.fitting import fit

        await self._share_out(runs)
        reopened = review.reopen(step.hunks)
        if not fit(reopened, step.hunks, runs.today).stale:  # undone in the editor already
            return self._decided(runs, runs.renew(reopened), f"{_count(len(step.hunks), 'hunk')} open again.")
        undo = runs.undo_of(step.acceptance or None)
        fitting, kept = self._possible(runs.fit(undo.proposal.id, undo.pending))
        if fitting.stale or kept:
            runs.show(undo, self._session.door.telling.hear)
            words = "Something was edited since; what undoes it is in review."
            return self._decided(runs, undo, " ".join([words, *kept]))
        done = await self._accept(runs, undo, undo.pending)
        runs.drop(undo)
        if not done.applied:
            self._remember(step)
            return self._decided(runs, review, done.words)
        return self._decided(runs, runs.reopen(step.proposal, step.hunks), f"Taken back: {_count(len(step.hunks), 'hunk')} open again.")

    def _remember(self, step: Step) -> None:
        if step.hunks:
            self._history = [*self._history, step][-REMEMBERED:]

    def _meant(self, runs: Runs, review: Review, wish: DecideHunks) -> tuple[str, ...]:
        """The ids a wish is about: named, or all of a file or of the proposal that can take this decision."""
        if wish.hunks is not None:
            return review.known(wish.hunks)
        open_to: tuple[Decision, ...] = ("rejected", "stale") if wish.decision == "reopen" else ("pending",)
        among = tuple(review.decisions) if wish.uri is None else self.of_document(review, wish.uri)
        ids = tuple(i for i in among if review.decisions[i] in open_to)
        if not ids:
            raise InputError("Nothing there waits for a decision.")
        return ids

    def of_document(self, review: Review, uri: str) -> tuple[str, ...]:
        """The hunks of a document: the real file, or one side of it as we serve it."""
        parts = uris.page_parts(uri)
        if parts is not None:
            changes = [c for c in review.proposal.files if c.path.shown == parts[2] and parts[1] == review.proposal.id]
            return tuple(hunk.id for change in changes for hunk in change.hunks)
        path = self._session.place_or_none(uri)
        return review.of_file(path) if path is not None else ()

    async def _accept(self, runs: Runs, review: Review, ids: Collection[str]) -> Decided:
        await self._share_out(runs)
        fitting, kept = self._possible(runs.fit(review.proposal.id, ids))
        sent = Sent(applied=False)
        before = {edit.path: self._see(runs, edit.path) for edit in fitting.edits}
        if fitting.edits:
            sent = await self._send(runs, review, fitting)
            if not sent.applied:  # the user typed while the edit was on its way? Once more, on what is there now
                again, kept = self._possible(runs.fit(review.proposal.id, ids))
                if again.edits and again.edits != fitting.edits:
                    fitting, sent = again, await self._send(runs, review, again)
        done, lost = (await self._read_again(runs, fitting, before)) if sent.applied else (fitting, ())
        settled = runs.settle(review.proposal.id, done, applied=sent.applied)
        words = _words(done, sent, [*kept, *(f"The editor did not change {name}; decide again." for name in lost)])
        return self._decided(runs, settled, words, done, applied=sent.applied and bool(done.fits))

    def _possible(self, fitting: Fitting) -> tuple[Fitting, list[str]]:
        """Without what this editor cannot do now, and why not: such hunks stay pending."""
        reasons = {edit: words for edit in fitting.edits if (words := self._hindrance(edit))}
        return _without(fitting, reasons), list(dict.fromkeys(reasons.values()))

    def _hindrance(self, edit: FileEdit) -> str:
        able = self._session.abilities
        need = NEEDS.get(type(edit).__name__)
        if need and need not in (able.resources if able.document_changes else ()):
            return NO_RESOURCES.format(need)
        return UNSHARED.format(edit.path.shown) if edit.path in self._unseen else ""

    async def _send(self, runs: Runs, review: Review, fitting: Fitting) -> Sent:
        """One edit to the editor, after what undoes it is kept (LedgerError). Nothing is awaited between reading the texts and
        sending."""
        session = self._session
        if not session.abilities.apply_edit:
            return Sent(False, "This editor takes no edits from a language server.")
        runs.keep(review.proposal.id, fitting, who="person")
        edit = views.workspace_edit(session, fitting.edits)
        params = types.ApplyWorkspaceEditParams(edit=edit, label=f"Agent: {review.proposal.title}")
        answer = await session.door.request(types.WORKSPACE_APPLY_EDIT, params)
        if answer is not None and answer.applied:
            return Sent(True)
        reason = (answer.failure_reason or "").strip().rstrip(".") if answer is not None else ""
        return Sent(False, f"The editor did not take the edit{': ' + reason if reason else ''}.")

    async def _read_again(self, runs: Runs, fitting: Fitting, before: Mapping[JailedPath, Unseen]) -> tuple[Fitting, tuple[str, ...]]:
        """What of a fitting really is in the texts now, and the files that are not. An editor may tell of its buffers a moment after
        it answered; or only once its command is over, as Emacs does, or never, of a file that it does not share with us. Of such a
        file nothing was told since `before`: that is believed, and until it can be seen nothing more is sent for it."""
        lost: list[FileEdit] = []
        with anyio.move_on_after(SETTLING if self._session.abilities.events else SETTLING_PLAIN):
            while lost := [edit for edit in fitting.edits if not self._shown(runs, edit) and self._session.buffer(edit.path)]:
                await self._session.buffers.move()
        for edit in fitting.edits:
            if not self._shown(runs, edit) and (edit not in lost or self._untold(runs, edit.path, before)):
                self._unseen[edit.path] = self._see(runs, edit.path)
        lost = [edit for edit in lost if edit.path not in self._unseen]
        return _without(fitting, lost), tuple(edit.path.shown for edit in lost)

    async def _share_out(self, runs: Runs) -> None:
        """Waits a moment for the editor to share the files that it changed unseen."""
        with anyio.move_on_after(SETTLING):
            while True:
                self._unseen = {path: seen for path, seen in self._unseen.items() if self._see(runs, path) == seen}
                if not self._unseen:
                    return
                await self._session.buffers.move()

    def _untold(self, runs: Runs, path: JailedPath, before: Mapping[JailedPath, Unseen]) -> bool:
        """Whether a plain client, of which this must be expected, told nothing of a file since then; that it has opened it, with the
        text of before, is nothing."""
        was, now = before.get(path), self._see(runs, path)
        same = was is not None and was.text == now.text and was.version in (None, now.version)
        return same and not self._session.abilities.events and not self._session.abilities.prompt

    def _see(self, runs: Runs, path: JailedPath) -> Unseen:
        buffer = self._session.buffer(path)
        return Unseen(views.text_today(runs, path), buffer.version if buffer else None)

    def _shown(self, runs: Runs, edit: FileEdit) -> bool:
        """Whether today's text shows that an edit was carried out (and perhaps typed over since)."""
        from inglenook.review.fitting import CreateFile, DeleteFile, RenameFile, TextEdit

        match edit:
            case TextEdit(path=path, today=before):
                return edit.result == before or views.text_today(runs, path) != before
            case CreateFile(path=path):
                return views.text_today(runs, path) is not None
            case DeleteFile(path=path):
                return views.text_today(runs, path) is None
            case RenameFile(to=to):
                return views.text_today(runs, to) is not None

    def _decided(self, runs: Runs, review: Review, words: str, fitting: Fitting | None = None, *, applied: bool = False) -> Decided:
        from inglenook.protocol.commands import Decided

        return Decided(
            applied=applied,
            accepted=list(fitting.fits) if fitting and applied else [],
            stale=list(fitting.stale) if fitting else [],
            words=words,
            proposal=views.proposal(self._session, runs, review),
        )

    # ---- what is shown

    def touched(self) -> None:
        """A text changed; places are computed again once it is quiet."""
        self._touched.set()

    async def keep_shown(self) -> None:
        """Runs for as long as the session: after a change of texts, everything shown of open reviews is told anew."""
        while True:
            await self._touched.wait()
            await anyio.sleep(QUIET)
            self._touched = asyncio.Event()
            runs = self._session.runs
            if runs is None:
                continue
            for review in runs.reviews():
                if review.open:
                    await self._session.door.telling.review_changed(runs, review)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _without(fitting: Fitting, left_out: Collection[FileEdit]) -> Fitting:
    """A fitting without some of its edits."""
    hunks = {span.hunk for edit in left_out for span in getattr(edit, "spans", ())} | {getattr(edit, "hunk", "") for edit in left_out}
    edits = tuple(edit for edit in fitting.edits if edit not in left_out)
    return replace(fitting, edits=edits, fits=tuple(i for i in fitting.fits if i not in hunks))


def _words(done: Fitting, sent: Sent, more: Collection[str]) -> str:
    """What came of an accept, for a person."""
    parts = [f"{_count(len(done.fits), 'hunk')} applied."] if sent.applied and done.fits else []
    if sent.words:
        parts.append(sent.words)
    return " ".join([*parts, *more, *dict.fromkeys(done.stale.values())]) or "Nothing to apply."
