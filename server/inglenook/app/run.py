"""One run while it lives: its task, its ears, its gate, and how it ends."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

import anyio

from inglenook.agents.port import Approved, Declined, EndReason, Gate, GateAnswer, Outline, OutlinePolicy, SentBack, Task
from inglenook.app.events import Answered, ConsentAsked, Ended, OutlineAsked, Phased, RunEvent
from inglenook.errors import InglenookError
from inglenook.workspace.grants import Grant
from inglenook.workspace.withholding import Secrets

if TYPE_CHECKING:
    from inglenook.app.consent import By, Consent, Leaving
    from inglenook.endpoints.endpoint import At
    from inglenook.proposal.model import FileChange, Verdict
    from inglenook.protocol.events import Phase, RunState

log = logging.getLogger(__name__)

Hear = Callable[[RunEvent], None]
Beside = Callable[[tuple["FileChange", ...]], tuple["FileChange", ...]]
STATES: dict[EndReason, RunState] = {
    "done": "done",
    "nothing": "nothing",
    "turns": "limited",
    "tokens": "limited",
    "time": "limited",
    "stuck": "limited",
    "declined": "declined",
    "failed": "failed",
}


@dataclass(eq=False)
class Run:
    """What is known of a run. `grant`: what it may touch; `secrets`: what it withholds from the model. `asked` is set while it
    waits at the first gate; `ended` once it is over. `replaces`: a proposal, by its id, and those of its hunks that give way to what
    this run proposes. `model`: instead of the one in the settings, `at`: of that server, or `hosted`: the hosted one."""

    id: str
    task: Task
    title: str
    hear: Hear
    policy: OutlinePolicy
    gate: Gate | None
    grant: Grant
    secrets: Secrets = field(default_factory=Secrets)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    over: anyio.Event = field(default_factory=anyio.Event)
    asked: anyio.Event | None = None
    reply: GateAnswer | None = None
    consent: Consent | None = None  # asks a person whether something may leave; None: `Runs.decide_consent` brings the answer
    leaving: anyio.Event | None = None  # set once that answer is there
    agreed: bool = False
    leased: bool = False  # it has had a model
    replaces: tuple[str, tuple[str, ...]] | None = None
    model: str = ""
    at: At | None = None
    hosted: bool = False
    beside: Beside | None = None  # what is checked together with what this run proposes
    answer: Answered | None = None
    ended: Ended | None = None

    def say(self, event: RunEvent) -> None:
        """Tells the front end. One that cannot listen does not end the run."""
        try:
            self.hear(event)
        except Exception:
            log.exception("A front end failed on %s of run %s", type(event).__name__, self.id)

    async def ask_consent(self, leaving: Leaving) -> tuple[bool, By]:
        """Whether this may leave the machine, and who says so. No answer is no."""
        self.phase("waiting", "May this leave the machine? Waiting for your answer")
        if self.consent is not None:
            return await self.consent.ask(leaving), self.consent.by
        self.leaving, self.agreed = anyio.Event(), False
        try:
            self.say(ConsentAsked(self.id, leaving))
            await self.leaving.wait()
        finally:
            self.leaving = None
        return self.agreed, "person"

    def waits(self, words: str) -> None:
        """Its place in the queue for a model, or that it goes on with another server."""
        self.phase("connecting" if not self.leased else "working", words)

    def phase(self, phase: Phase, words: str = "", *, repair: bool = False) -> None:
        self.say(Phased(self.id, phase, words, repair))


@asynccontextmanager
async def _nothing_aside() -> AsyncIterator[None]:
    yield


@dataclass(frozen=True)
class Door:
    """The first gate as the agent sees it: tells the phases around whoever really answers. aside: what the run gives back while a
    person thinks, such as its slot of the model server."""

    run: Run
    aside: Callable[[], AbstractAsyncContextManager[None]] = _nothing_aside

    async def ask(self, outline: Outline) -> GateAnswer:
        run = self.run
        run.phase("waiting", "The outline waits for your answer")
        async with self.aside():
            answer = await (run.gate.ask(outline) if run.gate is not None else self._wait(outline))
        match answer:
            case Approved():
                run.phase("working")
            case SentBack():
                run.phase("outlining", "Making another outline")
            case Declined():
                pass
            case _:
                assert_never(answer)
        return answer

    async def _wait(self, outline: Outline) -> GateAnswer:
        run = self.run
        run.asked, run.reply = anyio.Event(), None
        try:
            run.say(OutlineAsked(run.id, outline))
            await run.asked.wait()
        finally:
            run.asked = None
        return run.reply or Declined()


def hushed(verdict: Verdict, secrets: Secrets) -> Verdict:
    """A verdict as it is told: the output of checks without what looks like a credential."""
    checks = tuple(
        replace(c, tail=secrets.hush(c.tail), words=secrets.hush(c.words), new=tuple(map(secrets.hush, c.new))) for c in verdict.checks
    )
    return replace(verdict, words=secrets.hush(verdict.words), checks=checks)


def failure(run_id: str, error: BaseException) -> Ended:
    """The end of a run by an error: an expected one in its own words, any other one logged with its traceback."""
    for known in _leaves(error):
        if isinstance(known, InglenookError):
            log.info("Run %s failed: %s", run_id, known.message)
            return Ended(run_id, "failed", known.message, known.hint, known.code)
    log.error("Run %s failed by a fault of ours", run_id, exc_info=error)
    name = type(next(_leaves(error))).__name__
    return Ended(
        run_id, "failed", f"Something in Inglenook itself went wrong ({name}); nothing was written.", "The log has the details.", "fault"
    )


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions inside exception groups."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
