"""What runs say, written into the ledger: one subscriber over their events, in front of whoever else listens."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from inglenook.agents import port
from inglenook.app import events as said
from inglenook.app.measuring import Measuring
from inglenook.errors import InglenookError, LedgerError
from inglenook.ledger import facts
from inglenook.proposal.model import digest
from inglenook.workspace.withholding import Secrets

if TYPE_CHECKING:
    from inglenook.app.keeping import Keeping
    from inglenook.app.run import Hear
    from inglenook.endpoints.pool import Lease
    from inglenook.proposal.model import FileChange
    from inglenook.review.session import Decision, Review
    from inglenook.workspace.documents import Documents

log = logging.getLogger(__name__)

WORDS = 2_000  # characters of a task's words
LINE = 200
MAKING = ("create", "edit", "delete", "rename")  # tools whose place may not be there, in the files or yet
LASTING = facts.OutlineAnswered | facts.HunksDecided | facts.GrantRevoked | facts.Escalated  # on the disk before anything goes on


@dataclass
class Recording:
    """Turns events into facts. A ledger that cannot be written ends no run: it is told once, in the log, and then the next
    acceptance says it to the person and stops (see `Keeping.begin`). texts: whether the user wants the texts of requests too."""

    ledger: Callable[[], Keeping | None]
    documents: Documents
    texts: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic
    _outlines: dict[str, int] = field(default_factory=dict)  # run id → steps of the outline that waits for an answer
    _decisions: dict[str, Mapping[str, Decision]] = field(default_factory=dict)  # proposal id → what was known last
    _failed: bool = False

    def __post_init__(self) -> None:
        self.measuring = Measuring(self.ledger, clock=self.clock)

    def before(self, hear: Hear) -> Hear:
        """Writes each event down, then tells it."""

        def both(event: said.RunEvent) -> None:
            try:
                self.record(event)
            finally:
                hear(event)

        return both

    def record(self, event: said.RunEvent) -> None:
        """Writes down what an event says, if it says anything that lasts, and counts it."""
        try:
            self.measuring.hear(event)
            self.write(*self._facts(event))
        except InglenookError as error:
            log.warning("The ledger: %s", error)

    def known(self, review: Review) -> None:
        """Takes a review up as it stands: what was decided in it is on record already."""
        self._decisions[review.proposal.id] = review.decisions

    def write(self, *found: facts.Fact) -> None:
        """Writes facts down, if there is a place for them."""
        ledger = self.ledger() if found else None
        if ledger is None:
            return
        self.measuring.record(*found)
        try:
            ledger.audit.append(*found, durable=any(isinstance(fact, LASTING) for fact in found))
            self._failed = False
        except LedgerError as error:
            if not self._failed:
                log.warning("The ledger: %s", error)
            self._failed = True

    def _facts(self, event: said.RunEvent) -> list[facts.Fact]:
        match event:
            case said.Started(run_id=run_id, task=task, grants=grants):
                granted = tuple(place.shown for place in grants)
                return [facts.TaskAsked(run_id, task.kind, hushed(task.instruction)[:WORDS], _paths(task), granted)]
            case said.Leased(run_id=run_id, model=model, endpoint=endpoint, window=window, digest=digest_, server=server):
                return [facts.ModelLeased(run_id, hushed(endpoint), model, window or 0, digest_, server)]
            case said.AgentSaid(run_id=run_id, event=inner):
                return self._agent(run_id, inner)
            case said.Phased(run_id=run_id, phase=phase):
                return self._answered(run_id, phase)
            case said.Proposed(run_id=run_id, review=review):
                return self._proposed(run_id, review)
            case said.Reviewed(review=review):
                return self._decided(review)
            case said.Ended(run_id=run_id, state=state, code=code, proposal_id=proposal_id):
                return [*self._declined(run_id, state), facts.RunEnded(run_id, state, code, proposal_id or "")]
            case said.OutlineAsked() | said.ConsentAsked() | said.Answered():
                return []
            case _:
                assert_never(event)

    def _agent(self, run_id: str, event: port.AgentEvent) -> list[facts.Fact]:
        match event:
            case port.Asked(number=number, bytes=size, tokens=tokens, sha256=sha256, text=text):
                sent = facts.RequestSent(run_id, number, size, tokens, sha256)
                return [sent, facts.TextSent(run_id, number, sha256, text)] if self.texts() and text else [sent]
            case port.Replied(usage=usage, model=model):
                cached = -1 if usage.cached is None else usage.cached
                return [facts.ReplyCame(run_id, model, usage.prompt, usage.output, cached)]
            case port.Used(tool=tool, subject=subject, ok=ok, words=words):
                return [facts.ToolCalled(run_id, tool, self._real(tool, subject), ok, hushed(words)[:LINE])]
            case port.Outlined(outline=outline):
                self._outlines[run_id] = len(outline.steps)
            case _:
                pass  # pieces of text, speed, notes: shown, not kept
        return []

    def _real(self, tool: str, subject: str) -> str:
        """The real place that a tool's call was about, links resolved; "" for what is no place (the words of a search)."""
        try:
            path = self.documents.admit(subject.split(" to ")[0], change=False)
            if self.documents.exists(path):
                path = self.documents.settled(path)
            elif tool not in MAKING:
                return ""
            return f"{self.documents.jail(path).root.rstrip('/')}/{path.rel}".rstrip("/")
        except InglenookError:
            return ""

    def _answered(self, run_id: str, phase: str) -> list[facts.Fact]:
        """The door says what was answered by the phase that comes after it."""
        if phase not in ("working", "outlining") or run_id not in self._outlines:
            return []
        return [facts.OutlineAnswered(run_id, self._outlines.pop(run_id), "approved" if phase == "working" else "sent back")]

    def _declined(self, run_id: str, state: str) -> list[facts.Fact]:
        steps = self._outlines.pop(run_id, 0)
        return [facts.OutlineAnswered(run_id, steps, "declined")] if state == "declined" and steps else []  # else nothing was to leave

    def _proposed(self, run_id: str, review: Review) -> list[facts.Fact]:
        proposal = review.proposal
        self._decisions[proposal.id] = review.decisions
        ledger = self.ledger()
        undone = ledger.undoing.get(proposal.id) if ledger is not None else None
        marks = tuple(self._mark(change) for change in proposal.files)
        found: list[facts.Fact] = [
            facts.ProposalMade(run_id, proposal.id, hushed(proposal.title)[:LINE], marks, undone.id if undone is not None else "")
        ]
        if (verdict := proposal.verdict) is not None:
            checks = tuple(facts.CheckMark(check.name, check.state, round(check.seconds * 1000)) for check in verdict.checks)
            found.append(facts.VerdictGiven(proposal.id, verdict.state, hushed(verdict.words)[:LINE], checks))
        return found

    def _mark(self, change: FileChange) -> facts.FileMark:
        base, result = (digest(text) if text is not None else "" for text in (change.base, change.result))
        root = self.documents.jail(change.path).root
        return facts.FileMark(root, change.path.rel, change.to.rel if change.to else "", base, result, tuple(h.id for h in change.hunks))

    def _decided(self, review: Review) -> list[facts.Fact]:
        """Decisions that changed. Accepted hunks are left out: they were written down before their edit was made."""
        before = self._decisions.get(review.proposal.id, {})
        self._decisions[review.proposal.id] = review.decisions
        if not review.open:
            del self._decisions[review.proposal.id]
        found: list[facts.Fact] = []
        decisions: tuple[facts.Decision, ...] = ("rejected", "stale", "pending")
        for decision in decisions:
            ids = tuple(i for i in review.with_decision(decision) if before.get(i, "pending") != decision)
            if ids:
                found.append(facts.HunksDecided(review.proposal.id, ids, decision, "nobody" if decision == "stale" else "person"))
        return found


def leased(run_id: str, lease: Lease, *, guest: bool = False) -> said.Leased:
    """What is known of the model that a run has: its digest and the server's version as far as the server tells them. guest: it is
    asked for this task alone."""
    endpoint = lease.endpoint
    digest = next((str(getattr(model, "digest", "") or "") for model in endpoint.models if model.name == lease.model), "")
    server = f"{endpoint.kind} {endpoint.version}".strip()
    return said.Leased(run_id, lease.model, endpoint.place, lease.profile.window, digest, server, guest or endpoint.kind == "hosted")


def hushed(words: str) -> str:
    """The words with a placeholder for what looks like a credential."""
    return Secrets().hush(words)


def _paths(task: port.Task) -> tuple[str, ...]:
    """What a task is about, as people see it: files and folders, with lines (from 1) where there is a selection."""
    focus = task.focus
    shown = [path.shown for path in task.paths]
    if focus is not None:
        lines = f":{focus.first + 1}-{focus.last}" if focus.first is not None and focus.last is not None else ""
        shown.insert(0, f"{focus.path.shown}{lines}")
    return tuple(dict.fromkeys(shown))
