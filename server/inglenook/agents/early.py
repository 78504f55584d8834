"""Edits laid on the draft while the model still writes: each as soon as it has closed, and taken back if the whole reply says otherwise.

A reply is asked for once more when its stream breaks, and the words before a late end of thinking are no answer: then, and
whenever the edits of the whole reply do not begin with those that were laid, the draft goes back to where it was, and the
whole reply is laid. So what comes of a reply is always what comes of the whole of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from inglenook.agents.desk import Job
from inglenook.agents.inert import bared
from inglenook.agents.port import AgentEvent, Asked, Drafted, Noted, Wrote
from inglenook.errors import EditError, InglenookError, InputError, WorkspaceError
from inglenook.proposal.diff import file_change
from inglenook.proposal.draft import Mark
from inglenook.proposal.edits import Edit, Laid, lay_parts
from inglenook.proposal.incoming import Growing, Incoming
from inglenook.workspace.paths import JailedPath

GROWTH = 50  # a file that is being written is told anew when it has grown by its fiftieth part


def seen(job: Job, known: Collection[str]) -> frozenset[str]:
    """The paths that the model knows of: those it was shown, and those it has changed."""
    draft = job.desk.draft
    return frozenset(known) | {path.shown for path in draft.changed if draft.text(path) is not None}


def attempt(job: Job, edit: Edit) -> Laid | InglenookError:
    """Lays one edit on the draft and tells of it; the error if it does not fit."""
    try:
        laid = lay_parts(job.desk.draft, edit, job.desk.documents.admit)
    except (EditError, WorkspaceError, InputError) as error:
        return error
    job.tell(Drafted(laid.path, job.desk.draft.change(laid.path)))
    for note in laid.notes:
        job.tell(Noted(f"{laid.path.shown}: {note}"))
    return laid


class Early:
    """What has been laid of the reply that streams in now. `tell` stands between a talk and whoever listens to the run."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._default: str | None = None
        self._incoming: Incoming | None = None
        self._mark: Mark | None = None
        self._done: list[tuple[Edit, Laid | InglenookError]] = []
        self._growing: JailedPath | None = None
        self._enough = 0  # lines with which it is told again; another file begins anew
        self.shown: frozenset[str] = frozenset()

    def begin(self, default: str | None, known: Collection[str]) -> None:
        """The next reply may hold edits. default: the file of a block that names none. known: paths that the model was shown."""
        self.shown = seen(self._job, known)
        self._default, self._mark, self._done = default, self._job.desk.draft.mark(), []
        self._incoming = Incoming(default_path=default, known=self.shown)

    def tell(self, event: AgentEvent) -> None:
        """Passes an event on, and lays what closes with it."""
        self._job.tell(event)
        if self._mark is None:
            return
        match event:
            case Asked():
                self._back()
                self._incoming = Incoming(default_path=self._default, known=self.shown)
            case Wrote() if self._incoming is not None:
                for edit in self._incoming.take(event.text):
                    if not self._lay(edit):
                        self._incoming = None
                        break
                if self._incoming is not None:
                    self._grow(self._incoming.growing)

    def settle(self, edits: Sequence[Edit]) -> list[Laid | InglenookError]:
        """What became of the first of the whole reply's edits; [] if the draft had to go back to where it was."""
        if [edit for edit, _ in self._done] != list(edits[: len(self._done)]):
            self._back()
        self._grown()
        outcomes = [outcome for _, outcome in self._done]
        self._incoming = self._mark = None
        return outcomes

    def _lay(self, edit: Edit) -> bool:
        """Lays an edit that has closed; not one with a placeholder for a credential or an inert token, which only the whole reply has
        back."""
        texts = [edit.path, edit.to, edit.search, edit.replace, *(line for hunk in edit.hunks for line in (*hunk.old, *hunk.new))]
        if any(self._job.desk.secrets.restore(bared(text)) != text for text in texts):
            return False
        if edit.kind != "replace" or edit.search != edit.replace:
            self._done.append((edit, attempt(self._job, edit)))
        return True

    def _grow(self, growing: Growing | None) -> None:
        """Tells how far a whole file is that is being written; of a new one all that there is of it. Nothing is laid."""
        if growing is None:
            self._enough = 0
            return
        draft = self._job.desk.draft
        try:
            path = self._job.desk.documents.admit(growing.path)
            new = draft.text(path) is None
        except (WorkspaceError, InputError):
            return  # the whole edit will say so
        if path == self._growing and len(growing.lines) < self._enough:
            return
        change = file_change(path, None, "\n".join((*growing.lines, ""))) if new else draft.change(path)
        self._growing, self._enough = path, len(growing.lines) + max(1, len(growing.lines) // GROWTH)
        self._job.tell(Drafted(path, change, len(growing.lines)))

    def _grown(self) -> None:
        """No file is being written any more: what is told of the last one is what the draft has."""
        if self._growing is not None:
            self._job.tell(Drafted(self._growing, self._job.desk.draft.change(self._growing)))
        self._growing, self._enough = None, 0

    def _back(self) -> None:
        draft = self._job.desk.draft
        if self._done and self._mark is not None:
            before = draft.changed
            draft.restore(self._mark)
            for path in sorted({*before, *draft.changed}):
                self._job.tell(Drafted(path, draft.change(path)))
        self._done = []
        self._grown()
