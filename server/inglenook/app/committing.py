"""Help with a commit: a message from what is staged, and trailers for what was accepted. Git is only read; nothing is committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inglenook.agents import port
from inglenook.errors import InglenookError, InputError, NothingToDo
from inglenook.ledger import facts

if TYPE_CHECKING:
    from inglenook.agents.desk import Job
    from inglenook.app.keeping import Keeping
    from inglenook.app.services import Services
    from inglenook.endpoints.pool import Lease
    from inglenook.ledger.rollback import Listed
    from inglenook.workspace.git import Staged
    from inglenook.workspace.jail import Jail

KEY = "Assisted-by"
UNDECIDED = "Stage what belongs into the commit (git add), then ask again."
NO_REPOSITORY = "A folder that has a `.git` folder of its own is meant; git init makes one."
SECONDS, OUTPUT_TOKENS = 180.0, 800


@dataclass(frozen=True)
class Message:
    """A message, its trailers, and how many staged files were kept from the model."""

    text: str
    trailers: tuple[str, ...]
    withheld: int = 0

    @property
    def whole(self) -> str:
        """As it goes into the commit."""
        return "\n\n".join(part for part in (self.text, "\n".join(self.trailers)) if part) + "\n"


class _NoGate:
    async def ask(self, outline: port.Outline) -> port.GateAnswer:
        return port.Declined()


async def trailers(services: Services, ledger: Keeping | None, folder: str = "") -> tuple[str, ...]:
    """A line for each thing that was accepted since the last commit in a file that is staged, oldest first: `Assisted-by: MODEL
    (Inglenook): what it was`. NothingToDo if nothing is staged; InputError without a repository; ProcessError,
    WorkspaceError, LedgerError."""
    jail, staged = await _staged(services, folder)
    return _trailers(_accepted(ledger, jail, staged), ledger)


async def message(
    services: Services, ledger: Keeping | None, record: Callable[[facts.Fact], None], folder: str = "", *, new_id: Callable[[str], str]
) -> Message:
    """Asks the model for a message. NothingToDo if nothing is staged; InputError without a repository, or if no model may see any of it;
    EndpointError and so on."""
    from inglenook.agents import commit
    from inglenook.agents.ending import Halt
    from inglenook.app.recording import leased

    jail, staged = await _staged(services, folder)
    if not staged.patches:
        raise InputError("All that is staged is kept from models.", hint="Write this message yourself.")
    accepted = _accepted(ledger, jail, staged)
    run = new_id("r")
    record(facts.TaskAsked(run, "commit", "", staged.names, ()))
    state, code = "failed", ""
    try:
        async with services.pool.lease() as lease:
            said = leased(run, lease)
            record(facts.ModelLeased(run, said.endpoint, said.model, said.window or 0, said.digest, said.server))
            text = await commit.write(_job(services, lease, run, record), staged.patches, [row.title for row in accepted])
        state = "done"
    except Halt as halt:
        raise InputError(f"No message came: {halt.words}.", hint="Ask once more, or stage less.") from halt
    except InglenookError as error:
        code = error.code
        raise
    finally:
        record(facts.RunEnded(run, state, code, ""))
    return Message(text, _trailers(accepted, ledger), staged.withheld)


def _job(services: Services, lease: Lease, run: str, record: Callable[[facts.Fact], None]) -> Job:
    """A job that touches no file: it is only asked, and what was asked is on record."""
    from inglenook.agents.desk import Job, Spent, desk_of
    from inglenook.agents.prompts import wording
    from inglenook.workspace.grants import grant_of
    from inglenook.workspace.withholding import Secrets

    def tell(event: port.AgentEvent) -> None:
        match event:
            case port.Asked(number=number, bytes=size, tokens=tokens, sha256=sha256):
                record(facts.RequestSent(run, number, size, tokens, sha256))
            case port.Replied(usage=usage, model=model):
                record(facts.ReplyCame(run, model, usage.prompt, usage.output, -1 if usage.cached is None else usage.cached))
            case _:
                pass

    desk = desk_of(services.documents, services.search, grant_of(services.documents), Secrets())
    limits = port.Limits(turns=2, output_tokens=OUTPUT_TOKENS, seconds=SECONDS)
    spent = Spent(services.clock())
    task = port.Task("document", "")
    return Job(task, lease.chat, desk, limits, tell, _NoGate(), "never", lease.profile, services.clock, wording(), spent)


async def _staged(services: Services, folder: str) -> tuple[Jail, Staged]:
    """The named folder, else the first one in which something is staged."""
    from inglenook.workspace.git import Git

    jails = [jail for jail in services.documents.folders if folder in ("", jail.root, jail.name)]
    repositories = [jail for jail in jails if Git(jail).is_repository()]
    for jail in repositories:
        staged = await Git(jail).staged()
        if staged.names:
            return jail, staged
    names = " and ".join(f"`{jail.name}`" for jail in repositories or jails) or "this folder"
    if not repositories:
        raise InputError(f"There is no git repository at the top of {names}.", hint=NO_REPOSITORY)
    raise NothingToDo(f"Nothing is staged in {names}.", hint=UNDECIDED)


def _accepted(ledger: Keeping | None, jail: Jail, staged: Staged) -> tuple[Listed, ...]:
    """What was accepted since the last commit and is still there, in the staged files: oldest first."""
    rows = ledger.listed() if ledger is not None else ()
    undone = {row.undoes for row in rows if row.undoes}
    names = set(staged.names)

    def counts(row: Listed) -> bool:
        about = {name for shown in row.files for name in shown.split(" → ")}
        return row.made and not row.undoes and row.id not in undone and row.at > staged.since and bool(about & names)

    return tuple(row for row in reversed(rows) if counts(row))


def _trailers(rows: Sequence[Listed], ledger: Keeping | None) -> tuple[str, ...]:
    from inglenook.ledger.metrics import tasks

    models: dict[str, str] = {}
    if rows and ledger is not None:
        ledger.metrics.settle()
        models = {task.proposal: task.model for task in tasks(ledger.audit.folder)}
    lines = (f"{KEY}: {models.get(row.proposal) or 'a local model'} (Inglenook): {' '.join(row.title.split())}" for row in rows)
    return tuple(dict.fromkeys(lines))
