"""Where a task is done: on the user's own model; and, if that cannot do it and a person agrees to what is listed, on a hosted one.

Nothing here is silent, and nothing is remembered: the way out is open in the folders and for the kinds of task that the user
has set, one question is asked for each task and reason, and the answer is on the disk before the first byte leaves.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.agents.port import Noted
from inglenook.app.consent import Leaving, LeavingFile, leaving_file, listed_grant, words_of
from inglenook.app.events import AgentSaid
from inglenook.app.working import Seen, Worked, attempt
from inglenook.errors import (
    ConfigError,
    ContextExceeded,
    EndpointDown,
    EndpointError,
    InglenookError,
    InputError,
    LedgerError,
    ModelMissing,
)
from inglenook.ledger.facts import Escalated
from inglenook.llm.meter import BYTES_PER_TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from inglenook.app.config import Config
    from inglenook.app.run import Run
    from inglenook.app.services import Services
    from inglenook.endpoints.hosted import Hosted
    from inglenook.workspace.paths import JailedPath

log = logging.getLogger(__name__)

REASON = 200  # characters of it on record
KEPT_HERE = "Nothing was sent, and nothing is changed."
ASKED_FOR = "You asked for the hosted model."
MOST_FILES = 40  # in one question; a person can read no longer list
BUDGET = 8_000  # tokens of files that are looked for
SMALL_STAYS = "a task about one short file stays on this machine."
OPENING = "What opens the way: `inglenook.hosted.use`, `inglenook.hosted.folders` and `inglenook.hosted.kinds` (docs/hosted.md)."


def reason_of(error: EndpointError) -> str:
    """Why a hosted model may be offered after this; "" if it is no reason. These are all the reasons, with an agent that got stuck
    and a user who is asked for each task."""
    match error:
        case EndpointDown():
            return f"No local model answers: {error.message}"
        case ModelMissing():
            return f"The model is not served here: {error.message}"
        case ContextExceeded():
            return f"The task does not fit the local model's window: {error.message}"
        case _:
            return ""


async def work(
    run: Run,
    services: Services,
    record: Callable[[Escalated], None],
) -> Worked | None:
    """Does the task of a run; None if a person asked for the hosted model and then did not agree to what would be sent. record: writes a
    fact to the disk, or raises LedgerError. EndpointError as the agent raises it."""
    way = _WayOut(run, services, record)
    if run.hosted:
        return await way.out(ASKED_FOR)
    if (
        services.config.hosted.use == "ask"
        and run.at is None
        and (worked := await way.instead("You have set that you are asked for each task."))
    ):
        return worked
    try:
        async with services.pool.lease(model=run.model, at=run.at, tell=run.waits) as leased:
            worked = await attempt(run, services, leased, seen=way.seen)
    except EndpointError as error:
        reason = reason_of(error)
        if run.at is not None and not isinstance(error, ContextExceeded):
            raise  # that server is not there, but others may be
        if not reason or (better := await way.instead(reason)) is None:
            raise
        return better
    if worked.outcome.reason != "stuck":
        return worked
    for change in worked.outcome.files:
        way.seen.paths.setdefault(change.path)
    try:
        return await way.instead(f"The local model got stuck: {worked.outcome.words}") or worked
    except EndpointError as error:
        run.say(AgentSaid(run.id, Noted(f"{error.message} What the local model did is kept.")))
        return worked


def shut(services: Services, kind: str = "") -> str:
    """Why nothing may go to a hosted model from these folders, in a task of this kind ("": of some kind); "" if the user's settings open
    the way. A person is asked all the same."""
    hosted = services.config.hosted
    if hosted.use == "never":
        return "No hosted model is opened: the setting `inglenook.hosted.use` is `never`."
    opened = [Path(folder) for folder in hosted.folders]
    roots = [Path(jail.root) for jail in services.documents.folders]
    if not roots or not all(any(root.is_relative_to(folder) for folder in opened) for root in roots):
        return "No hosted model is opened for this folder."
    return f"A task of the kind “{kind}” stays on this machine." if kind and kind not in hosted.kinds else ""


def provider_of(config: Config) -> Hosted:
    """The hosted model of the settings, whether it can be used or not."""
    from inglenook.endpoints.hosted import Hosted

    set_ = config.hosted
    return Hosted(set_.url, set_.model, set_.wire, set_.name, set_.window, set_.key_variable, set_.key_command)


@dataclass
class _WayOut:
    """The way out of one run. A person who said no once is not asked again in it."""

    run: Run
    services: Services
    record: Callable[[Escalated], None]
    refused: bool = False
    seen: Seen = field(init=False)

    def __post_init__(self) -> None:
        self.seen = Seen(self.services.documents)

    async def instead(self, reason: str) -> Worked | None:
        """Has the hosted model do the task if a person agrees; None if it may not be offered, or is refused. EndpointError."""
        if self.refused or shut(self.services, self.run.task.kind):
            return None
        from inglenook.endpoints.hosted import checked

        try:
            hosted = checked(provider_of(self.services.config))
            leaving = await self._leaving(hosted, reason)
        except InglenookError as error:
            self._note(f"A hosted model could not be offered: {error}")
            return None
        if isinstance(leaving, str):
            if leaving != SMALL_STAYS:
                self._note(f"A hosted model is not offered: {leaving}")
            return None
        if not await self._agreed(leaving):
            self.refused = True
            return None
        try:
            return await self._sent(hosted, leaving)
        except ConfigError as error:
            self._note(f"Nothing was sent: {error}")
            return None

    async def out(self, reason: str) -> Worked | None:
        """The same where a person asked for nothing else: None if they do not agree; InputError, ConfigError or EndpointError where it
        cannot be done."""
        from inglenook.endpoints.hosted import checked

        why = shut(self.services, self.run.task.kind)
        if why:
            raise InputError(why, hint=OPENING)
        hosted = checked(provider_of(self.services.config))
        leaving = await self._leaving(hosted, reason)
        if isinstance(leaving, str):
            raise InputError(leaving[:1].upper() + leaving[1:], hint=OPENING)
        return await self._sent(hosted, leaving) if await self._agreed(leaving) else None

    async def _sent(self, hosted: Hosted, leaving: Leaving) -> Worked:
        """Has the hosted model work on what a person agreed to. ConfigError without a key, and then nothing is sent."""
        from inglenook.endpoints.hosted import lease

        grant = listed_grant(self.run.grant, leaving, self.services.documents)
        async with lease(hosted, self.services.config.environment) as leased:
            return await attempt(self.run, self.services, leased, grant=grant)

    async def _leaving(self, hosted: Hosted, reason: str) -> Leaving | str:
        """What would go; or why nothing may: there is too little to go by, or it is a small task and those stay. WorkspaceError."""
        secrets, documents = self.run.secrets, self.services.documents
        files: list[LeavingFile] = []
        for path in await self._meant():
            if self.run.grant.allows(path) and documents.kind(path) == "file":
                files.append(leaving_file(path, documents.read(path).text, secrets))
        words = secrets.redact(words_of(self.run.task))
        said = len(words.encode("utf-8", "replace"))
        leaving = Leaving(
            hosted.words, hosted.url, hosted.model, secrets.hush(reason), tuple(files[:MOST_FILES]), said, withheld=secrets.many
        )
        if not files:
            return "the task names no file that it could be shown."
        if leaving.small and "small" not in self.services.config.hosted.kinds:
            return SMALL_STAYS
        return leaving

    async def _meant(self) -> dict[JailedPath, None]:
        """The files that the task is surely about, and those that the local agent looked at."""
        from inglenook.agents.context import gather
        from inglenook.agents.desk import desk_of

        task = self.run.task
        desk = desk_of(self.services.documents, self.services.search, self.run.grant, self.run.secrets)
        gathered = await gather(task, desk, budget=BUDGET)
        found: dict[JailedPath, None] = {}
        if task.focus is not None:
            found[task.focus.path] = None
        return found | dict.fromkeys(piece.path for piece in gathered.pieces) | self.seen.paths

    async def _agreed(self, leaving: Leaving) -> bool:
        """Asks, and writes the answer down. Without a record nothing leaves."""
        agreed, by = await self.run.ask_consent(leaving)
        if not agreed:
            self._note("Nothing was sent to the hosted model.")
            return False
        paths = tuple(file.path.shown for file in leaving.files)
        tokens = round(leaving.bytes / BYTES_PER_TOKEN)
        reason = leaving.reason[:REASON]
        fact = Escalated(self.run.id, leaving.place, leaving.model, reason, paths, leaving.bytes, tokens, leaving.withheld, by)
        try:
            self.record(fact)
        except LedgerError as error:
            self._note(f"Nothing was sent: it could not be written down. {error}")
            return False
        return agreed

    def _note(self, words: str) -> None:
        self.run.say(AgentSaid(self.run.id, Noted(self.run.secrets.hush(words))))
