"""What each command of the table does: unpack, call, pack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from inglenook.errors import InglenookError, InputError
from inglenook.lsp import amending, checks, consenting, granting, models, remote, reporting, rollback, setup, team, uris, views
from inglenook.lsp.positions import selected_lines
from inglenook.lsp.wire import INVALID_PARAMS, Refused, dump, refused

if TYPE_CHECKING:
    from pydantic import ValidationError

    from inglenook.agents.port import Diagnosis, Focus, Task
    from inglenook.lsp.session import Session
    from inglenook.protocol import commands as wire
    from inglenook.protocol.base import Nothing, Range, Wire
    from inglenook.protocol.events import ProposalView, Status
    from inglenook.workspace.paths import JailedPath

AT_CURSOR = ("fix", "document", "explain", "tests")  # tasks that mean what is under the cursor when nothing is selected


async def start(session: Session, asked: wire.StartRun) -> wire.RunRef:
    from inglenook.protocol.commands import RunRef

    runs = await session.house()
    only = [granting.place(session, uri) for uri in asked.grants]
    return RunRef(run_id=runs.start(_task(session, team.meant(session, asked)), session.door.telling.hear, only=only))


async def cancel(session: Session, asked: wire.RunRef) -> Nothing:
    from inglenook.protocol.base import Nothing

    (await session.house()).cancel(asked.run_id)
    return Nothing()


async def answer(session: Session, asked: wire.RunRef) -> wire.Answer:
    from inglenook.protocol.commands import Answer

    given = (await session.house()).answer(asked.run_id)
    return Answer(run_id=given.run_id, title=given.title, markdown=given.markdown)


async def decide_outline(session: Session, asked: wire.DecideOutline) -> Nothing:
    from inglenook.agents.port import Approved, Declined, SentBack
    from inglenook.protocol.base import Nothing

    runs = await session.house()
    match asked.decision:
        case "approve":
            runs.decide_outline(asked.run_id, Approved())
        case "decline":
            runs.decide_outline(asked.run_id, Declined())
        case "revise":
            if not asked.words.strip():
                raise InputError("Sending an outline back needs words that say what to do otherwise.")
            runs.decide_outline(asked.run_id, SentBack(asked.words))
    return Nothing()


async def list_reviews(session: Session, _: Nothing) -> wire.ProposalList:
    from inglenook.protocol.commands import ProposalList

    runs = await session.house()
    return ProposalList(proposals=[views.proposal(session, runs, review) for review in runs.reviews()])


async def show_review(session: Session, asked: wire.ProposalRef) -> ProposalView:
    """A client of ours shows it; any other gets the whole as a diff."""
    runs = await session.house()
    review = runs.review(asked.proposal_id)
    if not session.abilities.events:
        pages = session.door.pages
        uri = uris.page("changes", review.proposal.id, "proposal.diff")
        session.spawn(pages.show, uri, pages.changes(review))
    return views.proposal(session, runs, review)


async def hunk_text(session: Session, asked: wire.HunkRef) -> wire.HunkText:
    from inglenook.protocol.commands import HunkText

    hunk = (await session.house()).review(asked.proposal_id).hunk(asked.hunk)
    return HunkText(old="".join(hunk.old), new="".join(hunk.new))


async def decide(session: Session, asked: wire.DecideHunks) -> wire.Decided:
    decided = await session.door.reviewing.decide(asked)
    session.door.telling.decided(asked.decision, decided)
    return decided


async def undo(session: Session, _: Nothing) -> wire.Decided:
    decided = await session.door.reviewing.undo()
    session.door.telling.decided("reopen", decided)
    return decided


async def status(session: Session, _: Nothing) -> Status:
    return await session.door.telling.endpoint(await session.house(), look_again=False)


async def refresh(session: Session, _: Nothing) -> Status:
    return await session.door.telling.endpoint(await session.house(), look_again=True)


HANDLERS: dict[str, Callable[[Session, Any], Awaitable[Wire]]] = {
    "inglenook.run.start": start,
    "inglenook.run.cancel": cancel,
    "inglenook.run.revoke": granting.revoke,
    "inglenook.run.answer": answer,
    "inglenook.run.consent": consenting.decide,
    "inglenook.outline.decide": decide_outline,
    "inglenook.review.list": list_reviews,
    "inglenook.review.show": show_review,
    "inglenook.review.hunk": hunk_text,
    "inglenook.review.decide": decide,
    "inglenook.review.undo": undo,
    "inglenook.review.again": amending.ask_again,
    "inglenook.review.refit": amending.refit,
    "inglenook.review.amend": amending.amend,
    "inglenook.review.check": amending.check,
    "inglenook.review.acceptances": rollback.listed,
    "inglenook.review.rollback": rollback.roll_back,
    "inglenook.review.unfit": rollback.unfit,
    "inglenook.checks.list": checks.listed,
    "inglenook.checks.adopt": checks.adopt,
    "inglenook.team.list": team.listed,
    "inglenook.report.show": reporting.report,
    "inglenook.commit.message": reporting.commit_message,
    "inglenook.endpoint.status": status,
    "inglenook.endpoint.refresh": refresh,
    "inglenook.models.list": models.listed,
    "inglenook.models.select": models.select,
    "inglenook.models.pull": models.pull,
    "inglenook.models.stop": models.stop,
    "inglenook.setup.check": setup.check,
    "inglenook.remote.connect": remote.connect,
    "inglenook.remote.state": remote.state,
    "inglenook.remote.disconnect": remote.disconnect,
    "inglenook.remote.accept": remote.accept,
    "inglenook.remote.start": remote.start,
}


async def execute(session: Session, command: str, arguments: Sequence[Any]) -> dict[str, Any]:
    """Runs one command of the table. Refused, with words, for wrong arguments and for every error of our tree."""
    from pydantic import ValidationError

    from inglenook.protocol.commands import COMMANDS

    if command not in HANDLERS:
        raise Refused(f"There is no command {command}.", INVALID_PARAMS)
    row = next(row for row in COMMANDS if row.id == command)
    if len(arguments) > 1:
        raise Refused(f"{command} takes one object, not {len(arguments)} arguments.", INVALID_PARAMS)
    try:
        asked = row.params.model_validate(arguments[0] if arguments and arguments[0] is not None else {})
    except ValidationError as error:
        raise Refused(f"{command}: {_in_words(error)}", INVALID_PARAMS) from error
    try:
        return dump(await HANDLERS[command](session, asked))
    except InglenookError as error:
        raise refused(error) from error


def _in_words(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'the argument'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    )


# ---- a task from the wire


def _task(session: Session, asked: wire.StartRun) -> Task:
    """URIs become places, ranges become lines. OutsideWorkspace, InputError."""
    from inglenook.agents.port import Task

    focus = _focus(session, asked) if asked.uri is not None else None
    if asked.kind == "edit" and not asked.instruction.strip():
        raise InputError("Say what to edit.", hint="Pass the words as `instruction`.")
    return Task(
        kind=asked.kind,
        instruction=asked.instruction.strip(),
        focus=focus,
        paths=tuple(session.place(uri) for uri in asked.uris if not session.is_folder(uri)),  # a whole folder narrows nothing
        diagnoses=_diagnoses(asked, focus.path) if focus is not None else (),
    )


def _focus(session: Session, asked: wire.StartRun) -> Focus:
    from inglenook.agents.port import Focus

    path = session.place(asked.uri or "")
    if asked.range is None or (asked.range.start == asked.range.end and asked.kind not in AT_CURSOR):
        return Focus(path)
    first, last = selected_lines(_lsp(asked.range))
    return Focus(path, first, last)


def _diagnoses(asked: wire.StartRun, path: JailedPath) -> tuple[Diagnosis, ...]:
    from inglenook.agents.port import Diagnosis

    return tuple(Diagnosis(path, d.range.start.line, d.message, d.source) for d in asked.diagnostics)


def _lsp(range_: Range) -> Any:
    from lsprotocol import types

    start, end = range_.start, range_.end
    return types.Range(types.Position(start.line, start.character), types.Position(end.line, end.character))
