"""The only orchestrator: from a task to a proposal in review, and from a person's decision to an edit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from inglenook.agents.port import Gate, GateAnswer, Noted, Outcome, OutlinePolicy, Task
from inglenook.agents.prompt import title as title_of
from inglenook.app import keeping, surviving
from inglenook.app import services as house
from inglenook.app.events import AgentSaid, Answered, Ended, Proposed, Started
from inglenook.app.recording import Recording
from inglenook.app.reviews import Reviews
from inglenook.app.run import STATES, Beside, Hear, Run, failure, hushed
from inglenook.errors import FileMissing, InglenookError, InputError, LedgerError, UnknownId
from inglenook.ledger.facts import GrantRevoked, RunEnded
from inglenook.proposal.model import Proposal
from inglenook.workspace.grants import Place, grant_of

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from inglenook.app.checking import Checking
    from inglenook.app.config import Config
    from inglenook.app.consent import Consent
    from inglenook.app.keeping import Keeping
    from inglenook.app.reading import SecondReader
    from inglenook.app.services import Services
    from inglenook.app.surviving import CutOff
    from inglenook.endpoints.endpoint import At
    from inglenook.ledger.facts import Escalated, Fact, Who
    from inglenook.ledger.rollback import Acceptance
    from inglenook.review.fitting import Fitting
    from inglenook.review.session import Review
    from inglenook.workspace.paths import JailedPath

KEPT = 64  # ended runs and closed reviews that are remembered
GOODBYE = 5.0  # seconds that leaving may take
CANCELLED = "Cancelled; nothing was written."


class Runs:
    """All runs and reviews of a session. Methods are called from the event loop of `group`, which owns every run."""

    def __init__(self, services: Services, group: TaskGroup, *, lasting: bool = False) -> None:
        """lasting: reviews and the tasks of runs outlive this process, for the next one to take up (`restore`)."""
        self.services = services
        self._group = group
        self._runs: dict[str, Run] = {}
        self._reviews = Reviews()
        self._ledger: Keeping | None = None
        self._kept: dict[str, Acceptance] = {}  # proposal id → what was kept for the edit that is being made
        self._last: dict[str, str] = {}  # proposal id → the id of what was kept for its last edit
        self._recording = Recording(lambda: self.ledger, services.documents, lambda: self.services.config.ledger_texts)
        self._surviving = surviving.open_survival(services.documents, services.config.state_dir, services.new_id("s")) if lasting else None

    # ---- runs

    def start(
        self,
        task: Task,
        tell: Hear,
        *,
        outline: OutlinePolicy | None = None,
        gate: Gate | None = None,
        only: Sequence[Place] = (),
        replaces: tuple[str, tuple[str, ...]] | None = None,
        title: str = "",
        model: str = "",
        at: At | None = None,
        hosted: bool = False,
        beside: Beside | None = None,
        consent: Consent | None = None,
    ) -> str:
        """Starts a run and answers at once with its id. `tell` hears every event, `Started` first and `Ended` last, always.

        outline: instead of the one in the settings. gate: answers outlines instead of `decide_outline`. only: the places that the
        run may touch; none means every folder that is open now. replaces: the id of a proposal and those of its hunks in whose
        place the run's own proposal comes. title: instead of the task's. model: instead of the one in the settings, at: of that server;
        hosted: the hosted one, once a person agrees. beside: adds to what is proposed what is to be checked together with it. consent: asks
        whether something may leave the machine, instead of `decide_consent`.
        """
        services = self.services
        hear = self._recording.before(self._surviving.before(tell) if self._surviving else tell)
        grant = grant_of(services.documents, only)
        run = Run(services.new_id("r"), task, title or title_of(task), hear, outline or services.config.outline, gate, grant)
        run.replaces, run.model, run.at, run.hosted, run.beside, run.consent = replaces, model, at, hosted, beside, consent
        run.title = run.secrets.hush(run.title)
        self._runs[run.id] = run
        self._forget()
        self._group.start_soon(self._supervise, run, services, name=f"run {run.id}")
        return run.id

    def cancel(self, run_id: str) -> None:
        """Ends a run as soon as can be; its stream is closed and what it started is gone. No effect on one that is over."""
        self._run(run_id).scope.cancel()

    def revoke(self, run_id: str, place: Place | None = None) -> tuple[Place, ...]:
        """Takes back what a run may touch, from its next step on: a place and all below it, or everything. What is granted still.
        InputError if the run is over, or if that is not granted."""
        run = self._run(run_id)
        if run.ended is not None:
            raise InputError(f"“{run.title}” is over; it touches nothing any more.")
        run.grant.revoke(place)
        self._recording.write(GrantRevoked(run.id, place.shown if place else ""))
        run.say(AgentSaid(run.id, Noted(f"{place.shown if place else 'Everything'} was taken back from this run.")))
        return run.grant.places

    def decide_outline(self, run_id: str, answer: GateAnswer) -> None:
        """The answer at the first gate. InputError if the run does not wait for one."""
        run = self._run(run_id)
        if run.asked is None or run.asked.is_set():
            raise InputError(f"“{run.title}” does not wait for an answer to an outline.")
        run.reply = answer
        run.asked.set()

    def decide_consent(self, run_id: str, *, allow: bool) -> None:
        """A person's answer to whether what was listed may leave. InputError if the run does not wait for one."""
        run = self._run(run_id)
        if run.leaving is None or run.leaving.is_set():
            raise InputError(f"“{run.title}” does not ask whether something may leave.")
        run.agreed = allow
        run.leaving.set()

    def task_of(self, run_id: str) -> Task | None:
        """What a run was asked; None if the run is not known any more."""
        run = self._runs.get(run_id)
        return run.task if run is not None else None

    def replacing(self, proposal_id: str, ids: Collection[str]) -> str:
        """The title of a run under way whose proposal is to take the place of one of these hunks ("" if there is none)."""
        going = [run for run in self._runs.values() if run.ended is None and run.replaces is not None and run.replaces[0] == proposal_id]
        return next((run.title for run in going if run.replaces is not None and set(ids) & set(run.replaces[1])), "")

    def answer(self, run_id: str) -> Answered:
        """What a run answered in words. InputError if it did not (yet)."""
        run = self._run(run_id)
        if run.answer is None:
            raise InputError(f"“{run.title}” has no answer in words.")
        return run.answer

    async def wait(self, run_id: str) -> Ended:
        """Waits for the end of a run."""
        run = self._run(run_id)
        await run.over.wait()
        if run.ended is None:
            raise InputError(f"“{run.title}” ended without a word.")
        return run.ended

    @property
    def running(self) -> tuple[str, ...]:
        """The ids of the runs that are not over."""
        return tuple(run.id for run in self._runs.values() if run.ended is None)

    @property
    def asking(self) -> tuple[str, ...]:
        """The ids of the runs that wait for an answer to their outline."""
        return tuple(run.id for run in self._runs.values() if run.ended is None and run.asked is not None and not run.asked.is_set())

    async def reconfigure(self, config: Config) -> None:
        """Takes another configuration for the runs to come. Those under way keep what they have; if the endpoint is another
        one, its old pool is closed once they are over."""
        old = self.services
        self.services = house.reconfigured(old, config)
        if self.services.pool is not old.pool:
            self._group.start_soon(self._retire, old, self.running, name="retire endpoints")

    async def aclose(self) -> None:
        """Ends every run and stops what the pool started; for leaving the house. Cannot be cancelled, takes seconds at most."""
        with anyio.move_on_after(GOODBYE, shield=True):
            for run_id in self.running:
                self.cancel(run_id)
            for run in tuple(self._runs.values()):
                await run.over.wait()
            await self.services.pool.aclose()
        if self._surviving is not None:
            self._surviving.close()

    # ---- reviews

    def reviews(self) -> tuple[Review, ...]:
        """Newest first."""
        return self._reviews.newest()

    def review(self, proposal_id: str | None = None) -> Review:
        """A review by the id of its proposal; None means the newest that is open. UnknownId."""
        return self._reviews.review(proposal_id)

    def fit(self, proposal_id: str | None, ids: Collection[str]) -> Fitting:
        """Those hunks laid on today's texts. A file that cannot be read today makes its own hunks stale, and no others."""
        from inglenook.review.fitting import fit

        return fit(self.review(proposal_id), ids, self.today)

    def today(self, path: JailedPath) -> str | None:
        """The text of a file as it is now, None if nothing is there. WorkspaceError if it cannot be read as text."""
        return text_or_none(self.services, path)

    def settle(self, proposal_id: str | None, fitting: Fitting, *, applied: bool) -> Review:
        """What came of a fitting: accepted if it was applied (still pending if not), and stale what did not fit."""
        review = self.review(proposal_id)
        self._settled(review.proposal.id, fitting, applied=applied)
        if applied and fitting.fits:
            review = review.accept(fitting.fits)
        if fitting.stale:
            review = review.stale(fitting.stale)
        return self.renew(review)

    def reject(self, proposal_id: str | None, ids: Collection[str]) -> Review:
        return self.renew(self.review(proposal_id).reject(ids))

    def reopen(self, proposal_id: str | None, ids: Collection[str]) -> Review:
        return self.renew(self.review(proposal_id).reopen(ids))

    def apply(self, fitting: Fitting, proposal_id: str | None = None, *, who: Who = "person") -> None:
        """Headless only: writes a fitting to the disk, all of it or nothing, after what undoes it is kept. LedgerError, StaleError
        or WorkspaceError; then every file is as it was."""
        from inglenook.app.writing import write_all

        review = self.review(proposal_id)
        self.keep(review.proposal.id, fitting, who=who)
        try:
            write_all(self.services.documents, fitting.edits)
        except InglenookError:
            self._settled(review.proposal.id, fitting, applied=False)
            raise

    # ---- the ledger

    @property
    def ledger(self) -> Keeping | None:
        """What happened in the first folder, and what undoes it; None while there is no folder, or no place for it."""
        if self._ledger is None:
            services = self.services
            state_dir, new_id = services.config.state_dir, services.new_id
            self._ledger = keeping.open_ledger(
                services.documents, state_dir, new_id=new_id, bound=lambda: self.services.config.ledger_bytes
            )
        return self._ledger

    def keep(self, proposal_id: str | None, fitting: Fitting, *, who: Who) -> None:
        """Keeps what undoes a fitting, on the disk when this comes back; `settle` says what came of it. LedgerError or
        WorkspaceError: then the fitting must not be applied."""
        review = self.review(proposal_id)
        self._settled(review.proposal.id, fitting, applied=False)  # of an edit that was refused and is tried once more
        if self.ledger is not None:
            self._kept[review.proposal.id] = self.ledger.begin(review, fitting, who)

    def restore(self, tell: Hear) -> tuple[CutOff, ...]:
        """Takes up the reviews that processes which are gone left in the first folder; `tell` hears of each as of any proposal.
        The runs that were cut off, to be started again if a person says so."""
        if self._surviving is None:
            return ()
        reviews, cut = self._surviving.take_over()
        hear = self._recording.before(self._surviving.before(tell))
        for review in reviews:
            self._recording.known(review)
            self._reviews.add(review, hear)
            tell(Proposed(review.proposal.run_id, review))
        for run in cut:
            self._recording.write(RunEnded(run.run_id, "interrupted", "", ""))
        return cut

    def _settled(self, proposal_id: str, fitting: Fitting, *, applied: bool) -> None:
        """Tells the ledger what came of the edit that was being made, if one was."""
        kept = self._kept.pop(proposal_id, None)
        if kept is not None and self.ledger is not None:
            if applied and fitting.fits:
                self._last[proposal_id] = kept.id
            self.ledger.finish(kept, fitting, applied=applied)

    def roll_back(self, acceptance_id: str | None, tell: Hear) -> Review:
        """Puts into review what undoes an acceptance (None: the newest); nothing is changed before that is accepted. `tell` hears
        of it as of any proposal. UnknownId, InputError, LedgerError, WorkspaceError."""
        review = self.undo_of(acceptance_id)
        self.show(review, tell)
        return review

    def undo_of(self, acceptance_id: str | None) -> Review:
        """What undoes an acceptance, as a review that nobody is told of: to be decided on, then dropped or shown."""
        from inglenook.review.session import Review

        if self.ledger is None:
            raise InputError("No folder is open, so there is nothing to roll back.")
        review = Review(self.ledger.undo(acceptance_id))
        hear = self._recording.before(lambda event: None)
        self._reviews.add(review, hear)
        hear(Proposed("", review))
        return review

    def show(self, review: Review, tell: Hear) -> None:
        """Tells a review that nobody was told of; `tell` hears of it from now on."""
        self._reviews.add(review, self._recording.before(tell))
        tell(Proposed("", review))

    def drop(self, review: Review) -> None:
        """Forgets a review that nobody was told of."""
        self._reviews.drop(review)

    def acceptance_of(self, proposal_id: str) -> str:
        """The id of what was kept for the last edit of a proposal ("" if nothing is)."""
        return self._last.get(proposal_id, "")

    def record(self, fact: Fact) -> None:
        """Writes something down that a person did."""
        self._recording.write(fact)

    # ---- inside

    def _run(self, run_id: str) -> Run:
        if run_id not in self._runs:
            raise UnknownId(f"There is no run {run_id} (any more).")
        return self._runs[run_id]

    def renew(self, review: Review) -> Review:
        """Takes a review as what stands now, and tells it."""
        return self._reviews.renew(review)

    def _forget(self) -> None:
        """Keeps memory bounded: the oldest ended runs and closed reviews go."""
        for run in [r for r in self._runs.values() if r.ended is not None][:-KEPT]:
            del self._runs[run.id]
        self._reviews.forget(KEPT)

    async def _retire(self, services: Services, run_ids: Collection[str]) -> None:
        for run_id in run_ids:
            if run_id in self._runs:
                await self._runs[run_id].over.wait()
        await services.pool.aclose()

    async def _supervise(self, run: Run, services: Services) -> None:
        """The one supervised place: whatever happens inside, the run ends with words, and once."""
        ended = Ended(run.id, "cancelled", CANCELLED)
        try:
            with run.scope:
                task = replace(run.task, instruction=run.secrets.hush(run.task.instruction))
                run.say(Started(run.id, task, run.title, run.grant.places))
                ended = await self._work(run, services)
        except Exception as error:  # noqa: BLE001 - the supervisor: no run takes the house down with it
            if not run.scope.cancel_called:
                ended = failure(run.id, error)
        finally:
            run.ended = ended
            run.say(ended)
            run.over.set()

    async def _work(self, run: Run, services: Services) -> Ended:
        from inglenook.app import escalating

        run.phase("connecting", "Looking for a model")
        worked = await escalating.work(run, services, self._escalated)
        if worked is None:
            return Ended(run.id, "declined", escalating.KEPT_HERE)
        return await self._conclude(run, services, worked.outcome, worked.checking, worked.reader)

    def _escalated(self, fact: Escalated) -> None:
        """On the disk when this comes back; LedgerError, and then nothing leaves."""
        if self.ledger is None:
            raise LedgerError("There is no place for the record of this folder.", hint="A hosted model is used only where that is kept.")
        self.ledger.audit.append(fact, durable=True)

    async def _conclude(self, run: Run, services: Services, outcome: Outcome, checking: Checking, reader: SecondReader) -> Ended:
        """What there is goes to the person, however the agent ended: an answer, a proposal, or words alone."""
        from inglenook.review.session import Review

        title = run.title if run.replaces else outcome.title or run.title
        if outcome.answer:
            run.answer = Answered(run.id, title, outcome.answer)
            run.say(run.answer)
        state = STATES[outcome.reason]
        if not outcome.files:
            if state == "done" and not outcome.answer:
                state = "nothing"
            return Ended(run.id, state, outcome.words)
        verdict = hushed(await checking.verdict(outcome.files), run.secrets)
        files = await reader.read(outcome.files, verdict)
        proposal = Proposal(services.new_id("p"), run.id, title, outcome.summary, files, verdict)
        review = Review(proposal)
        self._reviews.add(review, run.hear)
        run.say(Proposed(run.id, review))
        if run.replaces is not None:
            self._reviews.replaced(*run.replaces)
        return Ended(run.id, state, outcome.words, proposal_id=proposal.id)


def text_or_none(services: Services, path: JailedPath) -> str | None:
    """Today's text of a file, None if nothing is there. WorkspaceError if there is something that is not to be read."""
    try:
        return services.documents.read(path).text
    except FileMissing:
        return None
