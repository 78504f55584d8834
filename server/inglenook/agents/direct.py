"""The short way: one request without tools, its answer in SEARCH/REPLACE blocks.

The first message holds all that the task surely needs. What the model still misses it asks for with `NEED` lines; a
block that does not fit goes back with the precise reason, and only that block; everything is appended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from inglenook.agents import outline
from inglenook.agents.blocks import Round, lay_all
from inglenook.agents.context import gather_names
from inglenook.agents.desk import Job
from inglenook.agents.early import Early
from inglenook.agents.ending import Halt, answered, concluded
from inglenook.agents.news import News
from inglenook.agents.port import Approved, Noted, Outcome
from inglenook.agents.prompt import Gathered, after_repairs, bulleted, only_needs, says_nothing
from inglenook.agents.talk import Talk
from inglenook.agents.validating import new_faults
from inglenook.llm.messages import Reply

ASKS_TO_SEE = 4  # replies that ask to see more, before the loop takes over
LEAST_SHOWN = 400  # tokens
NAMED = 6  # names in a note for a person


@dataclass
class _State:
    """How far a task has come: how often something went back, was shown, was reminded of; and the model's summary.

    known: paths that the model was shown. faults: what it was told last that cannot be parsed.
    """

    default: str | None
    known: set[str]
    repairs: int = 0
    faults: tuple[str, ...] = ()
    shown: int = 0
    reminded: bool = False
    summary: str = ""


async def direct(job: Job, gathered: Gathered, rules: str = "") -> Outcome | None:
    """Does a task the short way; None if the model has to look around first, which is for the loop. rules: those of the project, as
    they are told. Halt at a limit."""
    early = Early(job)
    talk = Talk(replace(job, tell=early.tell), job.wording.direct)
    first = job.wording.first(job.task, gathered, rules)
    paths = {piece.path.shown for piece in gathered.pieces}
    state = _State(min(paths) if len(paths) == 1 else None, paths)
    if outline.wanted(job, loop=False):
        talk.hear(f"{first}\n\n{job.wording.say('outline')}")
        await _gate(job, talk, state)
    else:
        talk.hear(first)
    news = News(job)
    while True:
        talk.add(news.about(state.known))
        if job.task.kind != "explain":
            early.begin(state.default, state.known)
        reply = await talk.ask()
        if job.task.kind == "explain" and not only_needs(reply.text):
            return answered(job, reply.text)
        done = lay_all(job, reply, state.default, state.known, early)
        state.summary = state.summary or ("" if only_needs(reply.text) else done.prose)
        words = await _next_words(job, talk, state, reply, done)
        if words is None:
            return concluded(job, state.summary)
        if state.shown > ASKS_TO_SEE and not job.desk.draft.changed:
            return None
        talk.hear(words)


async def _gate(job: Job, talk: Talk, state: _State) -> None:
    """The outline: asked for, shown, and asked for again until it is approved."""
    for shown in range(job.limits.turns + 1):
        reply = await talk.ask()
        asked = only_needs(reply.text)
        if asked and shown < ASKS_TO_SEE:
            talk.hear(f"{await _show(job, talk, state, asked)}\n\n{job.wording.say('outline')}")
            continue
        answer = await outline.show(job, reply.text)
        talk.hear(outline.reply_to(job, answer))
        if isinstance(answer, Approved):
            return


async def _next_words(job: Job, talk: Talk, state: _State, reply: Reply, done: Round) -> str | None:
    """What the model hears next, None if the task is over."""
    if done.asked and not done.problems:
        state.shown += 1
        if state.shown > ASKS_TO_SEE and job.desk.draft.changed:
            raise Halt("stuck", f"stopped because the model asked {state.shown} times to see more")
        return await _show(job, talk, state, done.asked)
    if not (done.laid or done.problems or job.desk.draft.changed):
        reason = says_nothing(reply.text)
        if reason is not None or state.reminded:
            state.summary = reason or done.prose
            return None
        state.reminded = True
        job.tell(Noted("The answer had no edits in it; asked again.", repair=True))
        return job.wording.say("no_blocks")
    if done.problems:
        applied = job.wording.say("applied") + "\n" if done.laid else ""
        words = job.wording.say("failed", problems=bulleted(done.problems), applied=applied)
        why = f"{len(done.problems)} edits" if len(done.problems) > 1 else "an edit"
        why += f" could not be placed{after_repairs(job.limits.repairs)}"
    elif faults := await _broken(job, state):
        return job.wording.say("broken", faults=bulleted(faults))
    else:
        failures = await job.desk.check(job.desk.draft) if job.desk.check and job.desk.draft.changed else ""
        if not failures:
            return None
        words = job.wording.say("checks", words=failures)
        why = f"the checks still fail{after_repairs(job.limits.repairs)}"
    state.repairs += 1
    if state.repairs > job.limits.repairs:
        raise Halt("stuck", why)
    return words + (f"\n\n{await _show(job, talk, state, done.asked)}" if done.asked else "")


async def _broken(job: Job, state: _State) -> tuple[str, ...]:
    """What cannot be parsed any more, if it should go back to the model: once, and within the limit of repairs."""
    faults = await new_faults(job.desk.draft) if job.desk.draft.changed and state.repairs < job.limits.repairs else ()
    if not faults or faults == state.faults:
        return ()
    state.faults = faults
    state.repairs += 1
    job.tell(Noted(f"What the edits left cannot be parsed; it went back to the model: {faults[0]}"))
    return faults


async def _show(job: Job, talk: Talk, state: _State, asked: tuple[str, ...]) -> str:
    """What the model asked to see, or that it is nowhere."""
    budget = max(LEAST_SHOWN, min(job.context_budget, talk.room // 2))
    shown = await gather_names(asked, job.desk, budget=budget)
    more = f" and {len(asked) - NAMED} more" if len(asked) > NAMED else ""
    job.tell(Noted(f"The model asked to see {', '.join(asked[:NAMED])}{more}."))
    state.known |= {piece.path.shown for piece in shown.pieces}
    parts = [job.wording.piece(piece) for piece in shown.pieces]
    parts += [*shown.outlines, *(job.wording.say("needed_missing", name=name) for name in shown.missing)]
    return "\n\n".join([*parts, job.wording.say("go_on")])
