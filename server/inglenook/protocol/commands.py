"""The table of commands: what a client may ask, as `workspace/executeCommand` with one object as its argument.

Dispatch, `docs/protocol.md` and the TypeScript types are generated from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from inglenook.protocol.base import Nothing, Range, Wire
from inglenook.protocol.events import GrantView, ProposalView, Status, TaskKind
from inglenook.protocol.models import (
    ModelList,
    ModelPulled,
    ModelRef,
    ModelSelected,
    PullModel,
    SelectModel,
    SetupChecked,
)
from inglenook.protocol.remote import AcceptHostKey, ConnectRemote, RemoteState, StartRemote


class DiagnosticBrief(Wire):
    """A diagnostic that a task is about."""

    range: Range
    message: str
    source: str = ""


class StartRun(Wire):
    """A task. `uri` and `range` are the file and selection it is about; `uris` other files or folders the user named;
    `instruction` the user's words (may be empty where the kind says enough). `grants` are the only files and folders that the
    run may touch, by URI; none means every folder that is open. `command` is the name of a team command: then `kind` is its own,
    and its prompt comes before the instruction."""

    kind: TaskKind
    instruction: str = ""
    uri: str | None = None
    range: Range | None = None
    uris: list[str] = Field(default_factory=list)
    grants: list[str] = Field(default_factory=list)
    diagnostics: list[DiagnosticBrief] = Field(default_factory=list)
    command: str = ""


class TeamCommandBrief(Wire):
    """A command that a team has written in `.inglenook/commands`. `when` says where it is offered; `uri` is its file."""

    name: str
    title: str
    kind: TaskKind
    when: Literal["always", "selection", "problem", "list"]
    prompt: str
    uri: str


class TeamCommandList(Wire):
    """The team's commands by title, and in words what is wrong with files that cannot be used."""

    commands: list[TeamCommandBrief]
    faults: list[str] = Field(default_factory=list)


class RunRef(Wire):
    """A run by its id."""

    run_id: str


class RevokeGrant(Wire):
    """What to take back from a run: a file or folder and all below it, by URI; null means everything."""

    run_id: str
    uri: str | None = None


class GrantList(Wire):
    """What a run may touch still."""

    grants: list[GrantView]


class ProposalRef(Wire):
    """A proposal by its id; null means the newest one that is open. `hunk`: the one to show first."""

    proposal_id: str | None = None
    hunk: str | None = None


class DecideOutline(Wire):
    """The answer at the first gate; `words` say what to do otherwise, with "revise"."""

    run_id: str
    decision: Literal["approve", "revise", "decline"]
    words: str = ""


class DecideHunks(Wire):
    """The answer at the second gate. `hunks` by id, or all pending ones of the file `uri`, or all pending ones."""

    decision: Literal["accept", "reject", "reopen"]
    proposal_id: str | None = None
    hunks: list[str] | None = None
    uri: str | None = None


class HunkRef(Wire):
    """A hunk of a proposal."""

    proposal_id: str
    hunk: str


class HunkText(Wire):
    """What a hunk takes out and what it puts in: whole lines with their ends."""

    old: str
    new: str


class Decided(Wire):
    """What came of a decision. `applied` is true when the editor took the edit; `words` say it for a person."""

    applied: bool
    accepted: list[str] = Field(default_factory=list)
    stale: list[str] = Field(default_factory=list)
    words: str
    proposal: ProposalView


class AskAgain(Wire):
    """A proposal that is wanted otherwise; null means the newest that is open. `hunks` by id, or those of the file `uri`, or all that
    are not accepted; `words` what the person says of it. `model`: another one for this run alone ("" the usual), at the server `url` on
    the box `via` (as `inglenook.models.list` has them; "" those of the settings). `hosted`: the hosted model, after a question. `choose`:
    the server shows the models as buttons of a message, for clients without a list of their own."""

    proposal_id: str | None = None
    hunks: list[str] | None = None
    uri: str | None = None
    words: str = ""
    model: str = ""
    url: str = ""
    via: str = ""
    hosted: bool = False
    choose: bool = False


class RefitHunks(Wire):
    """Hunks that do not fit any more; a null proposal means the newest that is open. `hunks` by id, or those of the file `uri` that
    wait and do not fit, or all such."""

    proposal_id: str | None = None
    hunks: list[str] | None = None
    uri: str | None = None


class Refitted(Wire):
    """What came of it. `fits`: the hunks that fit now, by id; those that were merged with what the person typed are new ones. `there`:
    those that the person had made alone. `run_id`: the run that is to fit the others, null if there are none. `words` say it all."""

    fits: list[str] = Field(default_factory=list)
    there: list[str] = Field(default_factory=list)
    run_id: str | None = None
    words: str
    proposal: ProposalView


class AmendProposal(Wire):
    """What a person makes of a file of a proposal, before accepting it: `uri` is the real file or a side of it as it is served, `text` the
    whole text that the file should have."""

    proposal_id: str
    uri: str
    text: str


class ProposalList(Wire):
    """Proposals, newest first."""

    proposals: list[ProposalView]


class Answer(Wire):
    """The answer of a run, as Markdown."""

    run_id: str
    title: str
    markdown: str


class CheckBrief(Wire):
    """A check by the name that tells it apart. `command` is a list of words; `source` the file of the project that speaks of
    it, for one that is only suggested."""

    name: str
    command: list[str]
    seconds: float
    folder: str
    source: str = ""


class CheckList(Wire):
    """The checks that the user declared, and those that could be: none of these is run before it is adopted."""

    declared: list[CheckBrief]
    suggested: list[CheckBrief]


class AdoptChecks(Wire):
    """Suggested checks to declare, by name; null means all of them. Only ever sent because a person said so."""

    names: list[str] | None = None


class DecideConsent(Wire):
    """A person's answer to whether a task may go to a hosted model."""

    run_id: str
    allow: bool


class AdoptedChecks(Wire):
    """What is declared now, what was declared already and left as it is, and the files that were written."""

    added: list[str] = Field(default_factory=list)
    kept: list[str] = Field(default_factory=list)
    uris: list[str] = Field(default_factory=list)
    words: str


class AcceptanceRef(Wire):
    """Something that was accepted, by its id; null means the newest."""

    acceptance_id: str | None = None


class AcceptanceBrief(Wire):
    """Something that was accepted and can be rolled back. `at` is UTC, ISO 8601; `who` is "person" or "--yes"; `files` as people
    see them; `undoes` the acceptance that this one rolled back, `undone_by` the one that rolled this back ("" for none)."""

    id: str
    title: str
    at: str
    who: str
    files: list[str]
    undoes: str = ""
    undone_by: str = ""


class ThreeWays(Wire):
    """What of a proposal does not fit, as text with the marks of merge tools: the text now, the text that was meant, and what would
    stand there; `uri` is the same as a read-only document."""

    uri: str
    text: str


class AcceptanceList(Wire):
    """What can be rolled back, newest first."""

    acceptances: list[AcceptanceBrief]


class ReportAsked(Wire):
    """Which report: `since` is 30d, 12h, 6w, all, or a date; `compare` none or two models, each `NAME` or `NAME@DIGEST`."""

    since: str = "30d"
    compare: list[str] = Field(default_factory=list)


class ReportShown(Wire):
    """The report: `uri` is a Markdown page of ours with the text `markdown`; `charts` a file with charts for a browser, by URI ("" while
    there is nothing to report)."""

    uri: str
    charts: str
    markdown: str


class CommitAsked(Wire):
    """For which repository: `uri` of a folder or of a file in it; null means the first folder in which something is staged."""

    uri: str | None = None


class CommitMessage(Wire):
    """A message for what is staged, and trailers for what was accepted in it; `whole` is both. `withheld` staged files were kept from
    the model. Nothing is committed."""

    message: str
    trailers: list[str] = Field(default_factory=list)
    whole: str
    withheld: int = 0


@dataclass(frozen=True)
class Command:
    """One row: id on the wire, title for people, types of its argument and of its result."""

    id: str
    title: str
    params: type[Wire]
    result: type[Wire]


COMMANDS: tuple[Command, ...] = (
    Command("inglenook.run.start", "Start a run; answers at once", StartRun, RunRef),
    Command("inglenook.run.cancel", "Cancel a run", RunRef, Nothing),
    Command("inglenook.run.revoke", "Take back what a run may touch, from its next step on", RevokeGrant, GrantList),
    Command("inglenook.run.answer", "The answer of a run, as Markdown", RunRef, Answer),
    Command("inglenook.run.consent", "Answer whether a task may go to a hosted model", DecideConsent, Nothing),
    Command("inglenook.outline.decide", "Approve an outline, send it back with words, or decline", DecideOutline, Nothing),
    Command("inglenook.review.list", "The proposals of this session, newest first", Nothing, ProposalList),
    Command("inglenook.review.show", "Show a proposal in the editor", ProposalRef, ProposalView),
    Command("inglenook.review.hunk", "The lines that a hunk takes out and puts in", HunkRef, HunkText),
    Command("inglenook.review.decide", "Accept, reject or reopen hunks", DecideHunks, Decided),
    Command("inglenook.review.undo", "Take back the last decision", Nothing, Decided),
    Command("inglenook.review.again", "Ask again: a newer proposal takes the place of what is not accepted", AskAgain, RunRef),
    Command(
        "inglenook.review.refit", "Fit hunks to what was typed there: both changes merged, else the agent is asked", RefitHunks, Refitted
    ),
    Command("inglenook.review.amend", "Edit what is proposed for a file, before accepting it", AmendProposal, ProposalView),
    Command("inglenook.review.check", "Run the checks on a proposal as it stands", ProposalRef, ProposalView),
    Command("inglenook.review.acceptances", "What was accepted in this folder and can be rolled back", Nothing, AcceptanceList),
    Command("inglenook.review.rollback", "Put into review what undoes an acceptance", AcceptanceRef, ProposalView),
    Command("inglenook.review.unfit", "Show three ways what of a proposal does not fit the files as they are", ProposalRef, ThreeWays),
    Command("inglenook.checks.list", "The checks that are declared, and those that the project suggests", Nothing, CheckList),
    Command("inglenook.checks.adopt", "Declare suggested checks in .inglenook/checks.toml", AdoptChecks, AdoptedChecks),
    Command("inglenook.team.list", "The commands that the team has written in .inglenook/commands", Nothing, TeamCommandList),
    Command("inglenook.report.show", "Show what the tasks of this folder came to", ReportAsked, ReportShown),
    Command("inglenook.commit.message", "Write a message for what is staged; nothing is committed", CommitAsked, CommitMessage),
    Command("inglenook.endpoint.status", "The endpoint and its model", Nothing, Status),
    Command("inglenook.endpoint.refresh", "Look for the endpoint again", Nothing, Status),
    Command("inglenook.models.list", "The models of all servers that answer, with fit and speed", Nothing, ModelList),
    Command("inglenook.models.select", "Use this model from now on, for this session", SelectModel, ModelSelected),
    Command("inglenook.models.pull", "Have Ollama or LM Studio download a model", PullModel, ModelPulled),
    Command("inglenook.models.stop", "Stop a download", ModelRef, Nothing),
    Command("inglenook.setup.check", "Look at everything that a run needs", Nothing, SetupChecked),
    Command("inglenook.remote.connect", "Connect to a remote box, for this session", ConnectRemote, RemoteState),
    Command("inglenook.remote.state", "How it stands with the remote box", Nothing, RemoteState),
    Command("inglenook.remote.disconnect", "Take the connection to the remote box down", Nothing, RemoteState),
    Command("inglenook.remote.accept", "Accept the host key of the remote box", AcceptHostKey, RemoteState),
    Command("inglenook.remote.start", "Start the model server on the remote box", StartRemote, RemoteState),
)
