"""What an agent is to the rest of the house: a task goes in, events come out, an outcome ends it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from inglenook.llm.messages import Usage
from inglenook.proposal.model import FileChange
from inglenook.workspace.paths import JailedPath

TaskKind = Literal["refactor", "edit", "fix", "tests", "document", "explain"]
OutlinePolicy = Literal["always", "several", "never"]
EndReason = Literal["done", "nothing", "turns", "tokens", "time", "declined", "stuck", "failed"]


@dataclass(frozen=True)
class Focus:
    """The file a task is about and, if there is a selection, its 0-based lines: first included, last excluded."""

    path: JailedPath
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class Diagnosis:
    """A diagnostic of some language server that the task is about. `line` is 0-based."""

    path: JailedPath
    line: int
    message: str
    source: str = ""


@dataclass(frozen=True)
class Earlier:
    """What was proposed for the same task and is asked again: `left` and `rejected` are unified diffs, of hunks that the person
    wants otherwise and of those turned down ("" for none); `words` say what to do otherwise (may be empty). `unfit`: a diff of
    hunks that fit no more, because the person has changed their lines meanwhile."""

    left: str
    rejected: str
    words: str
    unfit: str = ""


@dataclass(frozen=True)
class Task:
    """What the user asked, and the files or selection it is about. `instruction` may be empty where the kind says
    enough. `paths` are files or folders the user named beside the focus."""

    kind: TaskKind
    instruction: str
    focus: Focus | None = None
    paths: tuple[JailedPath, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    earlier: Earlier | None = None


@dataclass(frozen=True)
class Limits:
    """When a run ends by itself. `turns`: requests to the model; `output_tokens`: all replies together; `seconds`:
    wall time; `repairs`: how often in a row a broken edit or a failed check goes back to the model."""

    turns: int = 24
    output_tokens: int = 24_000
    seconds: float = 900.0
    repairs: int = 3


@dataclass(frozen=True)
class Outline:
    """The steps an agent means to take, each one line, and the files it names."""

    steps: tuple[str, ...]
    files: tuple[JailedPath, ...] = ()


@dataclass(frozen=True)
class Approved:
    pass


@dataclass(frozen=True)
class SentBack:
    """The person wants another outline, for the reason in `words`."""

    words: str


@dataclass(frozen=True)
class Declined:
    pass


GateAnswer = Approved | SentBack | Declined


class Gate(Protocol):
    """The first gate: shows an outline and waits for a person (or a policy) to answer."""

    async def ask(self, outline: Outline) -> GateAnswer: ...


@dataclass(frozen=True)
class Asked:
    """A request went out: its number (from 1), the bytes of its body's messages, an estimate of its tokens, and the SHA-256
    (hex) of its messages' texts in order ("" where nobody computed it). text: those texts, credentials withheld."""

    number: int
    bytes: int
    tokens: int
    sha256: str = ""
    text: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True)
class Prefilled:
    processed: int
    total: int


@dataclass(frozen=True)
class Wrote:
    """A piece of the reply's text as it streams in."""

    text: str


@dataclass(frozen=True)
class Thought:
    """A piece of the model's reasoning; never part of an edit."""

    text: str


@dataclass(frozen=True)
class Sped:
    tokens_per_second: float
    output: int


@dataclass(frozen=True)
class Replied:
    """A reply is whole; `model` is the name the server gave."""

    usage: Usage
    model: str


@dataclass(frozen=True)
class Used:
    """A tool was used: its name, what it was about in a few words, whether it worked, and a line for a person."""

    tool: str
    subject: str
    ok: bool
    words: str


@dataclass(frozen=True)
class Outlined:
    outline: Outline


@dataclass(frozen=True)
class Drafted:
    """The draft changed in this file. change: what it would change there now, None if nothing (any more). lines: so many are there of
    a whole file that the model writes just now, 0 if it does not; of a new file they are the change."""

    path: JailedPath
    change: FileChange | None = field(repr=False)  # the user's own texts: not for logs
    lines: int = 0


@dataclass(frozen=True)
class Noted:
    """Something a person should know ("an edit did not match and went back to the model"). repair: the model was sent back to
    mend an edit."""

    words: str
    repair: bool = field(default=False, compare=False)


AgentEvent = Asked | Prefilled | Wrote | Thought | Sped | Replied | Used | Outlined | Drafted | Noted
Tell = Callable[[AgentEvent], None]


@dataclass(frozen=True)
class Outcome:
    """How a run of an agent ended. `files` is what the draft would change (also when a limit was reached: what is
    there so far goes into review); `answer` is Markdown for tasks that answer; `words` one line for a person."""

    reason: EndReason
    words: str
    title: str = ""
    summary: str = ""
    answer: str = ""
    files: tuple[FileChange, ...] = ()
