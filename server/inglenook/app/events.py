"""What a run says while it works: one closed union, over which every front end folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inglenook.agents.port import AgentEvent, Outline, Task
from inglenook.review.session import Review

if TYPE_CHECKING:
    from inglenook.app.consent import Leaving
    from inglenook.protocol.events import Phase, RunState
    from inglenook.workspace.grants import Place


@dataclass(frozen=True)
class Started:
    """A run began; always its first event. `title` is one line for a person. `grants` are the places it may touch. What looks
    like a credential in the title and in the task's words has a placeholder."""

    run_id: str
    task: Task
    title: str
    grants: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Phased:
    """A run went on to something else; `words` is one line for a person ("" where the phase says enough). repair: because its
    checks fail, and the agent mends that."""

    run_id: str
    phase: Phase
    words: str = ""
    repair: bool = False


@dataclass(frozen=True)
class Leased:
    """A run has its model: the name it is served under, the address of the endpoint, its window in tokens (None: not told), the
    digest of its file, and the server with its version ("" where the server does not tell). guest: it is asked for this task alone."""

    run_id: str
    model: str
    endpoint: str
    window: int | None
    digest: str = ""
    server: str = ""
    guest: bool = False


@dataclass(frozen=True)
class AgentSaid:
    """The agent of a run said something."""

    run_id: str
    event: AgentEvent


@dataclass(frozen=True)
class OutlineAsked:
    """The first gate: the run waits for `Runs.decide_outline`, unless a gate of the front end's own was handed in."""

    run_id: str
    outline: Outline


@dataclass(frozen=True)
class ConsentAsked:
    """May this leave the machine? The run waits for `Runs.decide_consent`, unless a front end handed in who asks."""

    run_id: str
    leaving: Leaving


@dataclass(frozen=True)
class Proposed:
    """Something is in review."""

    run_id: str
    review: Review


@dataclass(frozen=True)
class Reviewed:
    """Decisions of a review changed."""

    review: Review


@dataclass(frozen=True)
class Answered:
    """A run answered in words, as Markdown."""

    run_id: str
    title: str
    markdown: str


@dataclass(frozen=True)
class Ended:
    """A run is over; always its last event, and always said. `code` is the code of the error it failed with ("" if it did
    not); `proposal_id` is set when something is in review, however the run ended."""

    run_id: str
    state: RunState
    words: str
    hint: str = ""
    code: str = ""
    proposal_id: str | None = None


RunEvent = Started | Phased | Leased | AgentSaid | OutlineAsked | ConsentAsked | Proposed | Reviewed | Answered | Ended
