"""One attempt at a task: an agent with a model at a desk, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inglenook.agents import port
from inglenook.app.events import AgentSaid
from inglenook.app.recording import leased
from inglenook.app.run import Door
from inglenook.errors import InglenookError

if TYPE_CHECKING:
    from inglenook.agents.desk import Desk
    from inglenook.agents.rules import Rulebook
    from inglenook.app.checking import Checking
    from inglenook.app.reading import SecondReader
    from inglenook.app.run import Run
    from inglenook.app.services import Services
    from inglenook.endpoints.pool import Lease
    from inglenook.workspace.documents import Documents
    from inglenook.workspace.grants import Grant
    from inglenook.workspace.paths import JailedPath


@dataclass(frozen=True)
class Worked:
    """What an agent brought back, with the checks and the reader that go on with it. `seen`: the files that it read."""

    outcome: port.Outcome
    checking: Checking
    reader: SecondReader


@dataclass
class Seen:
    """The files that tools were used on, in order; an ear beside the others."""

    documents: Documents
    paths: dict[JailedPath, None] = field(default_factory=dict)

    def hear(self, event: port.AgentEvent) -> None:
        if isinstance(event, port.Used) and event.ok and event.subject:
            try:
                path = self.documents.admit(event.subject, change=False)
                if self.documents.kind(path) == "file":
                    self.paths[path] = None
            except InglenookError:
                return  # a search, a check: no place


async def attempt(run: Run, services: Services, lease: Lease, *, grant: Grant | None = None, seen: Seen | None = None) -> Worked:
    """Has an agent work with this model. grant: narrower than that of the run; then what checks say is kept from the model too,
    as nobody has seen it before it would leave. EndpointError if the model's side fails before anything was changed."""
    from inglenook.agents.desk import desk_of
    from inglenook.app.checking import Checking
    from inglenook.app.notebook import notebook
    from inglenook.workspace.grants import GrantedSymbols

    run.leased = True
    run.say(leased(run.id, lease, guest=bool(run.model or run.at)))
    for words in _other_than_pinned(services, lease):
        run.say(AgentSaid(run.id, port.Noted(words)))
    checking = Checking(services, run)
    run.phase("outlining" if run.policy == "always" else "working")
    back, own = (checking.back_to_the_agent(), checking.for_the_agent()) if grant is None else (None, None)
    bare = desk_of(services.documents, services.search, grant or run.grant, run.secrets, back, own)
    book = _rules(run, services, grant)
    symbols = GrantedSymbols(services.symbols(), grant or run.grant)
    with notebook(services.config.state_dir) as notes:
        return await _at(replace(bare, notes=notes, rules=book, symbols=symbols), run, services, lease, checking, seen)


def _other_than_pinned(services: Services, lease: Lease) -> tuple[str, ...]:
    """What is other about the model than when this folder was pinned to it, said aloud; a hosted one was agreed to just now."""
    from inglenook.endpoints.pinned import noticed

    return noticed(services.documents, lease.endpoint, lease.model) if lease.endpoint.kind != "hosted" else ()


def _rules(run: Run, services: Services, grant: Grant | None) -> Rulebook | None:
    """The project's rules, unless the user wants none; where others will read them, only what they may read."""
    from inglenook.app.teaching import rulebook

    if not services.config.rules:
        return None

    def note(words: str) -> None:
        run.say(AgentSaid(run.id, port.Noted(words)))

    return rulebook(services.documents, note, grant.allows if grant is not None else lambda path: True)


async def _at(desk: Desk, run: Run, services: Services, lease: Lease, checking: Checking, seen: Seen | None) -> Worked:
    """Has an agent work at that desk."""
    from inglenook.agents.loop import run as run_agent
    from inglenook.app.reading import SecondReader

    reader = SecondReader(services, run, desk)

    def hear(event: port.AgentEvent) -> None:
        if seen is not None:
            seen.hear(event)
        reader.hear(event)

    outcome = await run_agent(
        run.task,
        lease.chat,
        desk,
        services.config.limits,
        hear,
        Door(run, lease.aside),
        outline=run.policy,
        profile=lease.profile,
        clock=services.clock,
    )
    return Worked(outcome, checking, reader)
