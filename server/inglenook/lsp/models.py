"""Models in an editor: all of them side by side, one selected, another one downloaded by its server."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from inglenook.errors import ConfigError, InputError, ModelMissing
from inglenook.lsp.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from inglenook.app.choosing import Choice
    from inglenook.app.config import Config
    from inglenook.app.services import Services
    from inglenook.endpoints.endpoint import Endpoint, ModelInfo
    from inglenook.lsp.session import Session
    from inglenook.protocol import models as wire
    from inglenook.protocol.base import Nothing

NOBODY = "No model server answers. Start Ollama, LM Studio, llama.cpp or vLLM, or connect to a remote box."


async def listed(session: Session, _: Nothing) -> wire.ModelList:
    """The models of the wished server, of all on the usual ports, and of the box."""
    from inglenook.app.choosing import choices, for_chat
    from inglenook.protocol.models import ModelList

    services = (await session.house()).services
    found = for_chat(await choices(services.config, await _everywhere(session)))
    return ModelList(models=[_brief(choice) for choice in found], hosted=_hosted(services), words="" if found else NOBODY)


def _hosted(services: Services) -> list[wire.ModelBrief]:
    """The hosted model, if the settings open it for these folders and say all that is needed."""
    from inglenook.app.escalating import provider_of, shut
    from inglenook.endpoints.hosted import checked
    from inglenook.protocol.models import ModelBrief

    if shut(services):
        return []
    try:
        hosted = checked(provider_of(services.config))
    except ConfigError:
        return []  # `inglenook.setup.check` says what is wrong with it
    facts = ["leaves this machine", "you are asked first", f"window {hosted.window:,}"]
    where = f"{hosted.words} ({hosted.url})"
    return [ModelBrief(name=hosted.model, url=hosted.url, endpoint=where, remote=True, window=hosted.window, facts=facts)]


async def _everywhere(session: Session) -> tuple[Endpoint, ...]:
    from inglenook.app.choosing import everywhere

    services = (await session.house()).services
    return await everywhere(services.config, services.pool)


def _brief(choice: Choice) -> wire.ModelBrief:
    from inglenook.protocol.models import ModelBrief

    info, endpoint = choice.info, choice.endpoint
    return ModelBrief(
        name=choice.name,
        url=endpoint.url,
        via=endpoint.via,
        endpoint=endpoint.words,
        used=choice.used,
        loaded=info.loaded if info else None,
        remote=bool(info and info.remote),
        window=info.window if info else None,
        fits=choice.fit.fits if choice.fit else None,
        tokens_per_second=choice.speed,
        facts=list(choice.facts),
    )


async def select(session: Session, asked: wire.SelectModel) -> wire.ModelSelected:
    """Runs to come use it; it is loaded now, and what is in its way makes room. ModelMissing, InputError, EndpointError."""
    from inglenook.app.choosing import made_ready
    from inglenook.endpoints.swapping import Shelf
    from inglenook.protocol.models import ModelSelected, SettingValue

    runs = await session.house()
    endpoint, info = await _meant(session, asked)
    if info.remote:
        raise InputError(f"{info.name} would be asked on another machine.", hint="Choose a model that runs on this machine, or on the box.")
    session.shelf = session.shelf or Shelf()

    def say(words: str) -> None:
        _news(session, info.name, words)

    moved = await made_ready(runs.services.config, endpoint, info, session.shelf, say)
    chosen = _config(runs.services.config, endpoint, info.name)
    await runs.reconfigure(chosen)
    status = await session.door.telling.endpoint(runs, look_again=True)
    room = f" {', '.join(moved)} made room." if moved else ""
    values = {"endpoint.url": chosen.url, "endpoint.model": chosen.model, "remote.host": chosen.remote}
    settings = [SettingValue(key=f"inglenook.{key}", value=value) for key, value in values.items()]
    return ModelSelected(words=f"Runs use {info.name} from {endpoint.words}.{room}", status=status, settings=settings)


async def _meant(session: Session, asked: wire.SelectModel) -> tuple[Endpoint, ModelInfo]:
    for endpoint in await _everywhere(session):
        if endpoint.url == asked.url and endpoint.via == asked.via:
            for info in endpoint.models:
                if info.name == asked.model:
                    return endpoint, info
    raise ModelMissing(f"{asked.model} is not served at {asked.url} (any more).", hint="Look again: `Agent: Select Model…`.")


def _config(config: Config, endpoint: Endpoint, model: str) -> Config:
    """The settings with that model: of the box where it is there, else of the server on this machine."""
    if endpoint.via:
        return replace(config, url="", model=model)
    return replace(config, url=endpoint.url, model=model, remote="", remote_port=0)


async def pull(session: Session, asked: wire.PullModel) -> wire.ModelPulled:
    """Answers when it is there, or was cancelled. InputError if it is under way already; EndpointError in the server's words."""
    from inglenook.app.choosing import getting
    from inglenook.endpoints import library
    from inglenook.protocol.models import ModelPulled

    name = asked.name.strip()
    if name in session.pulls:
        raise InputError(f"{name} is being downloaded already.")
    config = (await session.house()).services.config
    servers = [server for server in await _everywhere(session) if asked.url in (None, server.url)]
    endpoint = getting(servers, name)
    tell, over = _voice(session, name)
    words = f"Cancelled. What is there of {name} stays, and pulling it again goes on."
    done = False
    with anyio.CancelScope() as scope:
        session.pulls[name] = scope
        try:
            words, done = await library.pull(endpoint, name, tell, config.key), True
        finally:
            del session.pulls[name]
            over(words if done else f"{name} was not downloaded.")
    if not done and endpoint.kind == "lmstudio":
        words = f"Not waited for any more. LM Studio itself goes on with {name}: stop it there."
    return ModelPulled(name=name, done=done, words=words)


def _voice(session: Session, name: str) -> tuple[Callable[..., None], Callable[[str], None]]:
    """How a download is told: by events to a client of ours, as work-done progress to any other that shows it."""
    from inglenook.endpoints.amounts import gigabytes
    from inglenook.endpoints.library import Progress as Far

    shown = Progress(session, name, f"{name} is downloaded by its server") if session.abilities.progress else None
    if shown is not None:
        session.spawn(shown.run)
    told = [""]

    def tell(far: Far) -> None:
        amount = f" {gigabytes(far.done)} of {gigabytes(far.total)} ({far.share:.0%})" if far.share is not None else ""
        if f"{far.words}{amount}" == told[0]:
            return
        told[0] = f"{far.words}{amount}"
        _news(session, name, told[0], far.done, far.total)
        if shown is not None:
            shown.show(told[0])

    def over(words: str) -> None:
        if shown is not None:
            shown.end(words)

    return tell, over


async def stop(session: Session, asked: wire.ModelRef) -> Nothing:
    """InputError if nothing of that name is being downloaded."""
    from inglenook.protocol.base import Nothing

    if asked.name not in session.pulls:
        raise InputError(f"{asked.name} is not being downloaded.")
    session.pulls[asked.name].cancel()
    return Nothing()


def _news(session: Session, name: str, words: str, done: int = 0, total: int = 0) -> None:
    from inglenook.protocol.events import ModelNews

    session.door.telling.tell(ModelNews(name=name, words=words, done=done, total=total))
