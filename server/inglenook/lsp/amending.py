"""A proposal that is not right (yet), at the editor's door: asked again, fitted again, edited by hand, checked once more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lsprotocol import types

from inglenook.errors import InputError
from inglenook.lsp import uris, views
from inglenook.lsp.acting import action, touched

if TYPE_CHECKING:
    from inglenook.app.runs import Runs
    from inglenook.lsp.session import Session
    from inglenook.protocol.commands import AmendProposal, AskAgain, ProposalRef, RefitHunks, Refitted, RunRef
    from inglenook.protocol.events import ProposalView
    from inglenook.protocol.models import ModelBrief
    from inglenook.review.session import Review
    from inglenook.workspace.paths import JailedPath


AGAIN = "inglenook.review.again"
REFIT = "inglenook.review.refit"
ASK_AGAIN, ASK_AGAIN_WITH = "inglenook.askAgain", "inglenook.askAgainWith"  # of our own client, which asks for words first
BUTTONS = 8  # models in one question


async def ask_again(session: Session, asked: AskAgain) -> RunRef:
    from inglenook.app.again import ask_again
    from inglenook.endpoints.endpoint import At
    from inglenook.protocol.commands import RunRef

    runs = await session.house()
    review = runs.review(asked.proposal_id)
    hunks = tuple(asked.hunks or ())
    if asked.hunks is None and asked.uri is not None:
        hunks = tuple(i for i in session.door.reviewing.of_document(review, asked.uri) if review.decisions[i] != "accepted")
        if not hunks:
            raise InputError("There is nothing of this proposal in that file to ask again.")
    if asked.choose:
        chosen = await _chosen(session)
        hosted = chosen.remote
        asked = asked.model_copy(update={"model": chosen.name, "url": "" if hosted else chosen.url, "via": chosen.via, "hosted": hosted})
    at = At(asked.url.strip(), asked.via.strip()) if asked.url.strip() and not asked.hosted else None
    hear, model = session.door.telling.hear, asked.model.strip()
    return RunRef(run_id=ask_again(runs, review.proposal.id, hunks, asked.words, hear, model=model, at=at, hosted=asked.hosted))


async def _chosen(session: Session) -> ModelBrief:
    """The model that a person picks by a button. InputError if there is no other, or if they turn away."""
    from inglenook.lsp.models import listed
    from inglenook.protocol.base import Nothing

    found = await listed(session, Nothing())
    others = [*(model for model in found.models if not model.used and not model.remote), *found.hosted]
    rows = {f"{model.name}: {model.endpoint}{', leaves this machine' * model.remote}": model for model in others[:BUTTONS]}
    if not rows:
        raise InputError("No other model is there to be asked.", hint="`inglenook.models.list` lists what is served.")
    actions = [types.MessageActionItem(title=title) for title in rows]
    params = types.ShowMessageRequestParams(type=types.MessageType.Info, message="Ask again on which model?", actions=actions)
    answer = await session.door.request(types.WINDOW_SHOW_MESSAGE_REQUEST, params)
    if answer is None or answer.title not in rows:
        raise InputError("No model was chosen, so nothing was asked.")
    return rows[answer.title]


async def refit(session: Session, asked: RefitHunks) -> Refitted:
    from inglenook.app.refitting import refit, unfit
    from inglenook.protocol.commands import Refitted

    runs = await session.house()
    async with session.deciding:
        review = runs.review(asked.proposal_id)
        ids = tuple(asked.hunks or ())
        if asked.hunks is None and asked.uri is not None:
            of_file = session.door.reviewing.of_document(review, asked.uri)
            ids = tuple(i for i in unfit(runs, review) if i in of_file)
            if not ids:
                raise InputError("All of this proposal fits in that file.")
        done = refit(runs, review.proposal.id, ids, session.door.telling.hear)
    if not session.abilities.events:
        session.door.say(types.MessageType.Info, done.words)
    view = views.proposal(session, runs, done.review)
    return Refitted(fits=list(done.fits), there=list(done.there), run_id=done.run_id or None, words=done.words, proposal=view)


async def amend(session: Session, asked: AmendProposal) -> ProposalView:
    from inglenook.app.amending import amend

    runs = await session.house()
    async with session.deciding:
        review = amend(runs, asked.proposal_id, _place(session, runs.review(asked.proposal_id), asked.uri), asked.text)
    return views.proposal(session, runs, review)


async def check(session: Session, asked: ProposalRef) -> ProposalView:
    from inglenook.app.amending import check_again

    runs = await session.house()
    return views.proposal(session, runs, await check_again(runs, asked.proposal_id))


def _place(session: Session, review: Review, uri: str) -> JailedPath:
    """The file that a document of a proposal stands for: the real one, or a side of it as we serve it."""
    parts = uris.page_parts(uri)
    if parts is None:
        return session.place(uri)
    found = [change.path for change in review.proposal.files if change.path.shown == parts[2] and parts[1] == review.proposal.id]
    if not found:
        raise InputError(f"{uri} is no document of this proposal.")
    return found[0]


# ---- as code actions


def offered(
    session: Session, runs: Runs, review: Review, params: types.CodeActionParams, here: Sequence[str]
) -> Iterator[types.CodeAction]:
    """What else can be done with hunks at a place: those that stand `here`, and those that would if they still fitted."""
    lost = _lost_at(session, runs, review, params)
    proposal_id, ours = review.proposal.id, session.abilities.events
    if lost:
        yield action(f"Agent: Re-fit {_these(lost)}", REFIT, {"proposalId": proposal_id, "hunks": lost})
    hunks = [*here, *lost]
    if hunks and review.proposal.run_id:
        asked = {"proposalId": proposal_id, "hunks": hunks}
        title = f"Agent: Ask again about {_these(hunks)}"
        yield action(f"{title}{'…' * ours}", ASK_AGAIN if ours else AGAIN, asked)
        yield action(f"{title} on another model…", ASK_AGAIN_WITH if ours else AGAIN, asked if ours else {**asked, "choose": True})


def _lost_at(session: Session, runs: Runs, review: Review, params: types.CodeActionParams) -> list[str]:
    """The pending hunks that do not fit, and whose lines the range touches."""
    path = session.place_or_none(params.text_document.uri)
    change = review.file(path) if path is not None else None
    if change is None:
        return []
    lost = views.sides(runs, review, change).lost
    return touched({i: gone.near for i, gone in lost.items() if gone.near is not None}, params.range)


def _these(hunks: Sequence[str]) -> str:
    return "this hunk" if len(hunks) == 1 else f"these {len(hunks)} hunks"
