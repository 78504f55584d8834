"""What a run says, folded for the client: events for one that asked for them, plain LSP for any other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from lsprotocol import types

from inglenook.agents import port
from inglenook.app import events as said
from inglenook.lsp import consenting, granting, uris, views
from inglenook.lsp.checks import offer as offer_checks
from inglenook.lsp.diagnosing import Diagnosing
from inglenook.lsp.drafting import Drafting
from inglenook.lsp.endpoint import look, of_tunnel
from inglenook.lsp.hinting import Hinting
from inglenook.lsp.progress import Progress
from inglenook.lsp.wire import dump
from inglenook.protocol import events as wire

if TYPE_CHECKING:
    from inglenook.app.runs import Runs
    from inglenook.endpoints.tunnel import State
    from inglenook.llm.messages import Usage
    from inglenook.lsp.session import Session
    from inglenook.protocol.commands import Decided
    from inglenook.review.session import Review

GATHER = 0.1  # seconds of the model's text in one event
PHASES: dict[wire.Phase, str] = {
    "connecting": "looking for a model",
    "outlining": "making an outline",
    "waiting": "waiting for your answer",
    "working": "working",
    "checking": "running the checks",
}
MEASURED = ("tokens_per_second", "cached", "used")  # of a status: what is known of one model only
APPROVE, DECLINE = "Approve", "Decline"


@dataclass
class Voice:
    """One run as the client hears it. Tokens are those of the replies that are whole."""

    run_id: str
    kind: wire.TaskKind
    title: str
    progress: Progress | None
    phase: str = ""
    model: str = ""
    guest: bool = False  # its model is asked for this task alone
    speed: float = 0.0
    prompt: int = 0
    output: int = 0
    cached: int | None = None
    reading: str = ""
    pieces: list[str] = field(default_factory=list)
    reasoning: bool = False
    timer: asyncio.TimerHandle | None = None


class Telling:
    """Tells the client of runs, reviews and the endpoint."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._voices: dict[str, Voice] = {}
        self._told: dict[str, wire.ProposalView] = {}
        self._diagnosing = Diagnosing(session)
        self._hinting = Hinting(session)
        self._drafting = Drafting(session, self._event)
        self.status = wire.Status(state="unknown")

    # ---- runs

    @property
    def titles(self) -> dict[str, str]:
        """The runs that are not over: id → title."""
        return {run_id: voice.title for run_id, voice in self._voices.items()}

    def hear(self, event: said.RunEvent) -> None:
        """Every event of every run comes through here."""
        match event:
            case said.Started():
                self._started(event)
            case said.Phased(run_id=run_id, phase=phase, words=words):
                self._voices[run_id].phase = words or PHASES[phase]
                self._event(wire.RunPhase(run_id=run_id, phase=phase, words=words))
                self._show_progress(run_id)
            case said.Leased():
                self._voices[event.run_id].model = event.model
                self._voices[event.run_id].guest = event.guest
                same = event.model == self.status.model
                known = {} if same else dict.fromkeys(MEASURED)
                self._status(state="ready", model=event.model, endpoint=event.endpoint, window=event.window, words="", **known)
            case said.AgentSaid(run_id=run_id, event=inner):
                self._agent(self._voices[run_id], inner)
            case said.OutlineAsked():
                self._outline(event)
            case said.ConsentAsked():
                consenting.asked(self._session, event)
            case said.Proposed(review=review):
                self._changed(review, proposed=True)
            case said.Reviewed(review=review):
                self._changed(review, proposed=False)
            case said.Answered():
                self._answered(event)
            case said.Ended():
                self._ended(event)
            case _:
                assert_never(event)

    def _started(self, event: said.Started) -> None:
        session = self._session
        progress = Progress(session, event.run_id, event.title) if session.abilities.progress else None
        self._voices[event.run_id] = Voice(event.run_id, event.task.kind, event.title, progress)
        if progress is not None:
            session.spawn(progress.run)
        grants = granting.views(session, event.grants)
        self._event(wire.RunStarted(run_id=event.run_id, kind=event.task.kind, title=event.title, grants=grants))
        self._status(running=len(self._voices))

    def _agent(self, voice: Voice, event: port.AgentEvent) -> None:
        run_id = voice.run_id
        match event:
            case port.Wrote(text=text):
                self._gather(voice, text, reasoning=False)
            case port.Thought(text=text):
                self._gather(voice, text, reasoning=True)
            case port.Prefilled(processed=processed, total=total):
                self._event(wire.RunPrefill(run_id=run_id, processed=processed, total=total))
                self._reads(voice, f"reading the prompt, {processed / total:.0%}" if total else "")
            case port.Sped(tokens_per_second=speed, output=output):
                self._sped(voice, speed, output)
            case port.Replied(usage=usage, model=model):
                self._replied(voice, usage, model)
            case port.Used(tool=tool, subject=subject, ok=ok, words=words):
                self._event(wire.RunTool(run_id=run_id, tool=tool, subject=subject, ok=ok, words=words))
            case port.Noted(words=words):
                self._event(wire.RunNote(run_id=run_id, words=words))
            case port.Asked():
                self._reads(voice, "waiting for its first word")
            case port.Drafted():
                self._drafting.hear(run_id, event)
            case port.Outlined():
                pass  # the phase, the gate and the proposal say these
            case _:
                assert_never(event)

    def _reads(self, voice: Voice, words: str) -> None:
        """What the model does before its first word, which can take minutes: shown as long as it lasts."""
        if voice.reading != words:
            voice.reading = words
            self._show_progress(voice.run_id)

    def _gather(self, voice: Voice, text: str, *, reasoning: bool) -> None:
        """Pieces of text go out together, at most ten times a second, thoughts apart from words."""
        self._reads(voice, "")
        if not self._session.abilities.events:
            return
        if voice.pieces and voice.reasoning != reasoning:
            self._flush(voice)
        voice.reasoning = reasoning
        voice.pieces.append(text)
        if voice.timer is None:
            voice.timer = asyncio.get_running_loop().call_later(GATHER, self._flush, voice)

    def _flush(self, voice: Voice) -> None:
        if voice.timer is not None:
            voice.timer.cancel()
            voice.timer = None
        if voice.pieces:
            text, voice.pieces = "".join(voice.pieces), []
            self._event(wire.RunText(run_id=voice.run_id, text=text, reasoning=voice.reasoning))

    def _sped(self, voice: Voice, speed: float, output: int) -> None:
        voice.speed = speed
        self._event(self._speed(voice, voice.output + output))
        self._show_progress(voice.run_id)

    def _replied(self, voice: Voice, usage: Usage, model: str) -> None:
        self._flush(voice)
        voice.model = model or voice.model
        voice.prompt += usage.prompt
        voice.output += usage.output
        if usage.cached is not None:
            voice.cached = (voice.cached or 0) + usage.cached
        voice.speed = usage.tokens_per_second or voice.speed
        voice.reading = ""
        self._event(self._speed(voice, voice.output))
        share = None if usage.cached is None or not usage.prompt else round(min(1.0, usage.cached / usage.prompt), 3)
        speed = voice.speed or self.status.tokens_per_second
        self._status(tokens_per_second=speed, cached=share, used=usage.prompt + usage.output)
        self._show_progress(voice.run_id)

    def _speed(self, voice: Voice, output: int) -> wire.RunSpeed:
        return wire.RunSpeed(
            run_id=voice.run_id,
            model=voice.model,
            tokens_per_second=voice.speed,
            prompt_tokens=voice.prompt,
            output_tokens=output,
            cached_tokens=voice.cached,
        )

    def _show_progress(self, run_id: str) -> None:
        voice = self._voices[run_id]
        if voice.progress is not None:
            speed = f"{voice.speed:.0f} tok/s" if voice.speed else ""
            voice.progress.show(" · ".join(part for part in (voice.phase, voice.reading, voice.model, speed) if part))

    def _ended(self, event: said.Ended) -> None:
        voice = self._voices.pop(event.run_id)
        self._flush(voice)
        self._drafting.ended(event.run_id)
        if voice.progress is not None:
            voice.progress.end(event.words)
        words = f"{event.words} {event.hint}".strip()
        down = {"state": "down", "words": words} if event.code == "endpoint_down" else {}
        self._status(running=len(self._voices), **down)
        if voice.guest:
            self._session.spawn(self._back_home)
        self._event(
            wire.RunEnded(
                run_id=event.run_id,
                state=event.state,
                words=event.words,
                hint=event.hint,
                code=event.code,
                proposal_id=event.proposal_id,
            )
        )
        if event.state in ("failed", "limited", "nothing"):
            self._plain(types.MessageType.Error if event.state == "failed" else types.MessageType.Warning, words)

    # ---- the first gate

    def _outline(self, event: said.OutlineAsked) -> None:
        files = [path.shown for path in event.outline.files]
        if self._session.abilities.events:
            self._event(wire.RunOutline(run_id=event.run_id, steps=list(event.outline.steps), files=files))
        else:
            self._session.spawn(self._ask_outline, event.run_id, event.outline.steps)

    async def _ask_outline(self, run_id: str, steps: tuple[str, ...]) -> None:
        """The first gate in a plain client: a question with two buttons. Closed without an answer, the run waits on; where there are
        no such questions, the outline is shown as a page. Either way code actions answer it."""
        listed = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
        actions = [types.MessageActionItem(title=APPROVE), types.MessageActionItem(title=DECLINE)]
        params = types.ShowMessageRequestParams(type=types.MessageType.Info, message=f"Agent means to:\n{listed}", actions=actions)
        asked = await self._session.door.answer(types.WINDOW_SHOW_MESSAGE_REQUEST, params)
        answer, runs = asked.result() if asked is not None else None, self._session.runs
        if answer is None or runs is None:
            if asked is None:
                await self._session.door.pages.show(uris.page("answer", run_id, "outline.md"), f"{params.message}\n")
            self._plain(types.MessageType.Info, "The run waits: approve or decline its outline, or cancel it, by code action.")
        elif run_id in runs.running:
            runs.decide_outline(run_id, port.Approved() if answer.title == APPROVE else port.Declined())

    # ---- reviews and answers

    def _changed(self, review: Review, *, proposed: bool) -> None:
        runs = self._session.runs
        if runs is None:
            return
        self._proposal(runs, review)
        self._session.spawn(self._refresh, runs, review)
        if proposed:
            self._plain(types.MessageType.Info, _in_review(review))
            if self._session.abilities.events:
                self._session.spawn(offer_checks, self._session)

    async def review_changed(self, runs: Runs, review: Review) -> None:
        """Tells the client a review as it stands now, if it stands otherwise than when it was told last. The texts beside the hunks may
        have changed without that."""
        await self._refresh(runs, review, lenses=self._proposal(runs, review))

    def _proposal(self, runs: Runs, review: Review) -> bool:
        """Tells a review; whether there was anything new in it."""
        view = views.proposal(self._session, runs, review)
        if self._told.get(view.id) == view:
            return False
        self._told[view.id] = view
        if not view.open:
            del self._told[view.id]
        self._event(wire.ProposalChanged(proposal=view))
        self._diagnosing.tell(runs, review)
        self._hinting.tell(review, view)
        return True

    async def _refresh(self, runs: Runs, review: Review, *, lenses: bool = True) -> None:
        """Lets the client fetch again what it shows of a review and what is not any more as it was fetched."""
        door, able = self._session.door, self._session.abilities
        if able.lens_refresh and lenses:
            await door.asked(types.WORKSPACE_CODE_LENS_REFRESH, None)
        for uri in door.pages.outdated(runs, review) if able.pages else ():
            await door.pages.refresh(uri)

    def _answered(self, event: said.Answered) -> None:
        uri = uris.page("answer", event.run_id, f"{event.title}.md")
        if self._session.abilities.events:
            self._event(wire.AnswerReady(run_id=event.run_id, uri=uri, title=event.title))
        else:
            self._session.spawn(self._session.door.pages.show, uri, event.markdown)

    def decided(self, decision: str, decided: Decided) -> None:
        """What came of a decision; a client of ours reads it from the answer."""
        whole = decision != "accept" or (decided.applied and not decided.stale)
        self._plain(types.MessageType.Info if whole else types.MessageType.Warning, decided.words)

    # ---- the endpoint

    async def endpoint(self, runs: Runs, *, look_again: bool) -> wire.Status:
        """The endpoint's state; asked for if nobody knows it yet, or if somebody wants to know anew."""
        if look_again or self.status.state == "unknown":
            self._status(state="searching")
            found = await look(runs.services)
            known = {name: getattr(self.status, name) for name in MEASURED} if found.model == self.status.model else {}
            self.set_status(found.model_copy(update={"running": len(self._voices), "tunnel": self.status.tunnel, **known}))
        return self.status

    async def _back_home(self) -> None:
        """After a run on a model for that task alone the status is that of the usual one again."""
        if self._session.runs is not None:
            await self.endpoint(self._session.runs, look_again=True)

    def tunnel(self, state: State) -> None:
        """The tunnel to the remote box was lost, is there again, or needs a person."""
        self.set_status(of_tunnel(self.status, state))

    # ---- ways out

    def tell(self, event: wire.Event) -> None:
        """An event that is about no run."""
        self._event(event)

    def _status(self, **changes: object) -> None:
        self.set_status(self.status.model_copy(update=changes))

    def set_status(self, status: wire.Status) -> None:
        """Remembers the endpoint's state; tells it if it is another one."""
        if status != self.status:
            self.status = status
            self._event(wire.StatusChanged(status=status))

    def _event(self, event: wire.Event) -> None:
        if self._session.abilities.events:
            self._session.door.protocol.notify(wire.EVENT_METHOD, dump(event))

    def _plain(self, kind: types.MessageType, words: str) -> None:
        if not self._session.abilities.events:
            self._session.door.say(kind, words)


def _in_review(review: Review) -> str:
    """What a person in a plain client should know of a new proposal."""
    hunks, files = len(review.proposal.hunks), len(review.proposal.files)
    size = f"{hunks} hunk{'s'[: hunks != 1]} in {files} file{'s'[: files != 1]}"
    checks = f" Checks: {review.proposal.verdict.words}" if review.proposal.verdict else ""
    return f"“{review.proposal.title}” is in review: {size}, nothing written yet. Accept or reject by code lens or code action.{checks}"
