"""The agent: the short way where all that a task needs is known, else a loop of tools over a draft."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from inglenook.agents import outline as gate_one
from inglenook.agents.blocks import Round, lay_all
from inglenook.agents.compacting import NOTE
from inglenook.agents.context import LOOP_PIECES, gather
from inglenook.agents.desk import Desk, Job, Spent
from inglenook.agents.direct import direct
from inglenook.agents.ending import Halt, answered, concluded, failed, halted
from inglenook.agents.news import News, rules_of
from inglenook.agents.port import Approved, Gate, Limits, Noted, Outcome, OutlinePolicy, Task, Tell, Used
from inglenook.agents.prompt import Gathered, after_repairs, bulleted, says_nothing
from inglenook.agents.prompts import wording
from inglenook.agents.talk import Talk, hushed, without_secrets
from inglenook.agents.tools import CHANGING, LEAST_RESULT, RESULT_TOKENS, Result, Toolbox, offered
from inglenook.agents.validating import new_faults, noted
from inglenook.errors import ContextExceeded, EndpointError, PromptDropped
from inglenook.llm.messages import Chat, Reply, ToolCall
from inglenook.llm.meter import estimate_tokens
from inglenook.llm.profiles import Profile
from inglenook.proposal.edits import holds_edits

LITTLE = 1_000  # tokens of files that go into the loop after the short way did not work


async def run(
    task: Task,
    chat: Chat,
    desk: Desk,
    limits: Limits,
    tell: Tell,
    gate: Gate,
    *,
    outline: OutlinePolicy,
    profile: Profile,
    clock: Callable[[], float],
) -> Outcome:
    """Works on a task until it is done, a limit is reached or the model's side fails; the draft holds what changed.

    Raises EndpointError if the model's side fails before anything was changed, and WorkspaceError if what the user
    named cannot be read as text. Cancelling closes the model's stream.
    """
    told = hushed(tell, desk.secrets)
    job = Job(task, chat, desk, limits, told, gate, outline, profile, clock, wording(), Spent(clock()))
    outcome = await _work(job)
    return without_secrets(replace(outcome, files=await noted(outcome.files)), desk.secrets)


async def _work(job: Job) -> Outcome:
    """The short way if all that is needed is known, else or after it the loop; the outcome whatever happens on the way."""
    try:
        gathered = await gather(job.task, job.desk, budget=job.context_budget)
        for note in gathered.notes:
            job.tell(Noted(note))
        rules = rules_of(job, gathered)
        blocks = job.profile.edit_form == "block" or job.task.kind == "explain"  # the short way knows no other form
        if gathered.complete and blocks:
            if (outcome := await _directly(job, gathered, rules)) is not None:
                return outcome
            gathered = await gather(job.task, job.desk, budget=LITTLE)
        elif (share := job.window // 5) < LOOP_PIECES:  # the tools need a part of a small window, and what is read the rest
            gathered = await gather(job.task, job.desk, budget=share)
        return await explore(job, gathered, rules)
    except Halt as halt:
        return halted(job, halt)
    except EndpointError as error:
        if (outcome := failed(job, error)) is None:
            raise
        return outcome


async def _directly(job: Job, gathered: Gathered, rules: str) -> Outcome | None:
    try:
        outcome = await direct(job, gathered, rules)
    except ContextExceeded as error:
        if job.desk.draft.changed or isinstance(error, PromptDropped):
            raise
        job.tell(Noted(f"{error.message} Looking at less at a time."))
        return None
    if outcome is None:
        job.tell(Noted("The model needs to look around; going on with tools."))
    return outcome


async def explore(job: Job, gathered: Gathered, rules: str = "") -> Outcome:
    """The loop: ask, use the tools that the reply calls, answer every call, until done is called. Halt at a limit."""
    talk = Talk(job, job.wording.loop, [tool.spec for tool in offered(job.desk)], job.desk.notes)
    work = _Work(job, talk, Toolbox(job.desk, job.tell), News(job))
    work.tools.seen.update(piece.path.shown for piece in gathered.pieces)
    first = job.wording.first(job.task, gathered, rules)
    if job.task.kind == "explain":
        work.tools.read_only = "This task changes nothing."
    elif gate_one.wanted(job, loop=True):
        work.outlining = True
        work.tools.read_only = job.wording.say("outline_first")
        first += "\n\n" + job.wording.say("outline")
    talk.hear(first)
    while True:
        reply = await work.ask()
        outcome = await work.calls(reply) if reply.calls else await work.words(reply)
        if outcome is not None:
            return outcome


@dataclass
class _Work:
    """One turn of the loop after the other. `failing`: replies in a row whose changes failed, or whose checks did.
    `faults`: what it was told last that cannot be parsed."""

    job: Job
    talk: Talk
    tools: Toolbox
    news: News
    outlining: bool = False
    failing: int = 0
    reminded: bool = False
    faults: tuple[str, ...] = ()

    async def ask(self) -> Reply:
        """The next reply. After a fold the tools tell again what they told before."""
        self.talk.add(self.news.about(self.tools.seen))
        folds = self.talk.folds
        reply = await self.talk.ask()
        if self.talk.folds != folds:
            self.tools.forget()
        return reply

    async def calls(self, reply: Reply) -> Outcome | None:
        """Uses every tool that a reply calls, done last, and answers in the order of the calls."""
        self.reminded = False
        results: dict[int, Result] = {}
        outcome: Outcome | None = None
        room = self.talk.room
        for n, call in sorted(enumerate(reply.calls), key=lambda entry: entry[1].name == "done"):
            result = await self._use(call, room)
            room -= estimate_tokens(result.text)
            if call.name == "done" and result.ok:
                if all(r.ok for r in results.values()):
                    outcome, result = await self._done(result)
                else:
                    result = Result(self.job.wording.say("done_refused"), ok=False)
            results[n] = result
        for n, call in enumerate(reply.calls):
            self.talk.answer(call, results[n].text)
        changing = [results[n].ok for n, call in enumerate(reply.calls) if call.name in CHANGING]
        if outcome is None:
            self._count(failed=bool(changing) and not any(changing), worked=any(changing))
            if self.tools.stuck:
                raise Halt("stuck", self.tools.stuck)
        return outcome

    async def _use(self, call: ToolCall, room: int) -> Result:
        noted = self.talk.note(call, max(LEAST_RESULT, min(RESULT_TOKENS, room // 2)))
        if noted is None:
            return await self.tools.use(call, room)
        self.job.tell(Used(call.name, NOTE, True, noted.split("\n", 1)[0]))
        return Result(noted, True)

    async def words(self, reply: Reply) -> Outcome | None:
        """A reply without a call: an outline, an answer, edits written as text, or the end."""
        job = self.job
        if self.outlining:
            await self._gate(reply)
            return None
        if job.task.kind == "explain":
            return answered(job, reply.text)
        ended = job.desk.draft.changed and not holds_edits(reply.text)
        done = Round(reply.text) if ended else lay_all(job, reply, None, self.tools.seen)
        if done.problems:
            applied = job.wording.say("applied") + "\n" if done.laid else ""
            self.talk.hear(job.wording.say("failed", problems=bulleted(done.problems), applied=applied))
            self._count(failed=not done.laid, worked=bool(done.laid))
        elif done.laid:
            self._count(failed=False, worked=True)
            self.talk.hear(job.wording.say("text_edits"))
        elif job.desk.draft.changed:
            outcome, result = await self._done(Result("", ok=True, words=done.prose))
            if outcome is not None:
                return outcome
            self.talk.hear(result.text)
        elif self.reminded:
            return concluded(job, says_nothing(reply.text) or done.prose)
        else:
            self.reminded = True
            self.talk.hear(job.wording.say("no_call"))
        return None

    async def _gate(self, reply: Reply) -> None:
        answer = await gate_one.show(self.job, reply.text)
        if isinstance(answer, Approved):
            self.outlining = False
            self.tools.read_only = ""
        self.talk.hear(gate_one.reply_to(self.job, answer))

    async def _done(self, said: Result) -> tuple[Outcome | None, Result]:
        """The model says that it is done: the outcome, or the checks that fail."""
        job = self.job
        if self.outlining:
            return None, Result(job.wording.say("outline_first"), ok=False)
        if job.task.kind == "explain":
            return answered(job, said.words), said
        faults = await new_faults(job.desk.draft) if job.desk.draft.changed and self.failing < job.limits.repairs else ()
        if faults and faults != self.faults:
            self.faults = faults
            self.failing += 1
            return None, Result(job.wording.say("done_broken", faults=bulleted(faults)), ok=False)
        failures = await job.desk.check(job.desk.draft) if job.desk.check and job.desk.draft.changed else ""
        if not failures:
            return concluded(job, said.words), said
        if self.failing >= job.limits.repairs:
            raise Halt("stuck", f"the checks still fail{after_repairs(job.limits.repairs)}")
        self.failing += 1
        return None, Result(job.wording.say("done_checks", words=failures), ok=False)

    def _count(self, *, failed: bool, worked: bool) -> None:
        if worked:
            self.failing = 0
        elif failed:
            self.failing += 1
            if self.failing > self.job.limits.repairs:
                raise Halt("stuck", f"no edit could be placed{after_repairs(self.job.limits.repairs)}")
