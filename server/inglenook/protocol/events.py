"""Events: what the server tells a client that asked for them, as `inglenook/event` notifications.

A client asks with `initializationOptions: {"events": true}`. Every event names its run, where it has one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from inglenook.protocol.base import Range, Wire

EVENT_METHOD = "inglenook/event"

TaskKind = Literal["refactor", "edit", "fix", "tests", "document", "explain"]
Phase = Literal["connecting", "outlining", "waiting", "working", "checking"]
RunState = Literal["done", "nothing", "limited", "cancelled", "declined", "failed"]
Decision = Literal["pending", "accepted", "rejected", "stale"]
EndpointState = Literal["unknown", "searching", "ready", "down"]
VerdictState = Literal["passed", "failed", "not_run", "timed_out"]


class HunkView(Wire):
    """A hunk as a client shows it. `range` is where it stands in today's text of the file (null when stale, decided
    or a new file); `result_range` where it stands in the proposal's text as served under `result_uri`. `reason` says why
    it is stale, or while it is pending why it does not fit the text as it is just now; `near` are the lines of that text
    where it would have stood; `refit`: whether `inglenook.review.refit` is for it. `header` is short ("lines 12–14", "new file",
    "rename to b.py"); `notes` are leniencies a reviewer should see."""

    id: str
    kind: Literal["text", "create", "delete", "rename"]
    decision: Decision
    reason: str = ""
    header: str
    range: Range | None = None
    result_range: Range | None = None
    near: Range | None = None
    refit: bool = False
    added: int = 0
    removed: int = 0
    notes: list[str] = Field(default_factory=list)


class FileView(Wire):
    """A file of a proposal. `uri` is the real file (for "create": where it will be); `base_uri` and `result_uri` are
    read-only documents served over workspace/textDocumentContent: today's text, and that text with what is still
    pending laid on."""

    uri: str
    path: str
    kind: Literal["edit", "create", "delete", "rename"]
    to_uri: str | None = None
    base_uri: str
    result_uri: str
    hunks: list[HunkView]


class CheckView(Wire):
    """What one check said: seconds of wall time, the tail of its output, the failures that are new."""

    name: str
    state: VerdictState
    seconds: float
    tail: str = ""
    new: list[str] = Field(default_factory=list)
    words: str = ""


class VerdictView(Wire):
    """What the checks that really ran said. `breaks`: something fails that does not fail without the proposal."""

    state: VerdictState
    words: str
    breaks: bool = False
    checks: list[CheckView] = Field(default_factory=list)


class ProposalView(Wire):
    """A proposal with its decisions. `open` is false once every hunk is decided."""

    id: str
    run_id: str
    title: str
    summary: str = ""
    open: bool
    files: list[FileView]
    verdict: VerdictView | None = None


class Status(Wire):
    """The endpoint as the status bar shows it; `words` says what is wrong and what to do, when something is. `cached`: which share of
    the last prompt came out of the server's cache, 0 to 1, null where it does not tell; `used`: tokens of the last prompt and its
    reply, of `window`; `tunnel`: how the tunnel to a remote box is, in words, empty where there is none; `retry_in`: seconds, from
    this event on, until a lost tunnel is tried again, null where nothing is waited for."""

    state: EndpointState
    model: str = ""
    endpoint: str = ""
    window: int | None = None
    tokens_per_second: float | None = None
    running: int = 0
    words: str = ""
    cached: float | None = None
    used: int | None = None
    tunnel: str = ""
    retry_in: float | None = None


class GrantView(Wire):
    """A file or folder that a run may touch; `path` is for people, a folder with a slash."""

    uri: str
    path: str


class RunStarted(Wire):
    """A run began. `grants` are the places that it may touch, until `inglenook.run.revoke` takes them back."""

    type: Literal["runStarted"] = "runStarted"
    run_id: str
    kind: TaskKind
    title: str
    grants: list[GrantView] = Field(default_factory=list)


class RunPhase(Wire):
    """A run went on to something else; `words` is one line for a person."""

    type: Literal["runPhase"] = "runPhase"
    run_id: str
    phase: Phase
    words: str = ""


class RunOutline(Wire):
    """The steps the agent means to take; the run waits for `inglenook.outline.decide`."""

    type: Literal["runOutline"] = "runOutline"
    run_id: str
    steps: list[str]
    files: list[str] = Field(default_factory=list)


class LeavingFile(Wire):
    """A file that a hosted model may read; `bytes` of it after redaction."""

    path: str
    bytes: int


class RunConsent(Wire):
    """May this leave the machine? The run waits for `inglenook.run.consent`. `place` is the address it would go to, `reason` why
    it is asked; `files` are all that the model there could read, `bytes` all of it with the words of the task, after redaction;
    `words` say the same for a person. Never to be answered by a machine."""

    type: Literal["runConsent"] = "runConsent"
    run_id: str
    endpoint: str
    place: str
    model: str
    reason: str
    files: list[LeavingFile]
    bytes: int
    words: str


class RunText(Wire):
    """A piece of what the model writes (or thinks), gathered to at most ten a second."""

    type: Literal["runText"] = "runText"
    run_id: str
    text: str
    reasoning: bool = False


class RunPrefill(Wire):
    """How far the server has read the prompt, in tokens."""

    type: Literal["runPrefill"] = "runPrefill"
    run_id: str
    processed: int
    total: int


class RunSpeed(Wire):
    """How fast the model writes, and the tokens of the run so far. `cached` is null where the server does not tell."""

    type: Literal["runSpeed"] = "runSpeed"
    run_id: str
    model: str
    tokens_per_second: float
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int | None = None


class RunTool(Wire):
    """A tool was used."""

    type: Literal["runTool"] = "runTool"
    run_id: str
    tool: str
    subject: str
    ok: bool
    words: str = ""


class DraftedHunk(Wire):
    """A hunk that a draft has so far, as HunkView says it."""

    kind: Literal["text", "create", "delete", "rename"]
    header: str
    added: int
    removed: int


class RunDrafted(Wire):
    """The agent's draft of a file changed; nothing is in review yet, and nothing is written. `hunks`: what it would change there now,
    none if nothing any more; `lines`: so many are there of a whole file that is being written just now, else 0. `base_uri` and
    `draft_uri` are read-only documents served over workspace/textDocumentContent until the run ends: the text before, and as drafted."""

    type: Literal["runDrafted"] = "runDrafted"
    run_id: str
    uri: str
    path: str
    base_uri: str
    draft_uri: str
    hunks: list[DraftedHunk]
    lines: int = 0


class RunNote(Wire):
    """Something a person should know about the run."""

    type: Literal["runNote"] = "runNote"
    run_id: str
    words: str


class ProposalChanged(Wire):
    """A proposal is new, or its decisions, places or verdict changed."""

    type: Literal["proposalChanged"] = "proposalChanged"
    proposal: ProposalView


class AnswerReady(Wire):
    """A run answered in words: a read-only Markdown document."""

    type: Literal["answerReady"] = "answerReady"
    run_id: str
    uri: str
    title: str


class RunEnded(Wire):
    """A run is over. `proposal_id` is set when something is in review; `code` is an error code when it failed."""

    type: Literal["runEnded"] = "runEnded"
    run_id: str
    state: RunState
    words: str
    hint: str = ""
    code: str = ""
    proposal_id: str | None = None


class StatusChanged(Wire):
    """The endpoint's state or speed changed."""

    type: Literal["statusChanged"] = "statusChanged"
    status: Status


class ModelNews(Wire):
    """How far a model is that is downloaded or loaded, in words and, where told, bytes."""

    type: Literal["modelNews"] = "modelNews"
    name: str
    words: str
    done: int = 0
    total: int = 0


Event = Annotated[
    RunStarted
    | RunPhase
    | RunOutline
    | RunConsent
    | RunText
    | RunPrefill
    | RunSpeed
    | RunTool
    | RunDrafted
    | RunNote
    | ProposalChanged
    | AnswerReady
    | RunEnded
    | StatusChanged
    | ModelNews,
    Field(discriminator="type"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
