"""The endpoint as a status bar shows it, looked for when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inglenook.errors import InglenookError
from inglenook.protocol.events import Status

if TYPE_CHECKING:
    from inglenook.app.services import Services
    from inglenook.endpoints.tunnel import State

NOBODY = (
    "No model server answers on the usual ports of this machine. Start Ollama, LM Studio, llama.cpp or vLLM; or set "
    "`inglenook.endpoint.url` to its address, or to the path of a .gguf file."
)


def served_here(url: str) -> bool:
    """Whether the wish is a model that we would have to start ourselves, which only a run does."""
    return bool(url) and "://" not in url


async def look(services: Services) -> Status:
    """Asks the endpoint, or all the usual ones. What is wrong is in the words; nothing is raised."""
    from inglenook.endpoints.endpoint import usable

    config = services.config
    where = f"ssh {config.remote}" if config.remote and not config.url else config.url
    if served_here(config.url):
        return Status(state="unknown", endpoint=config.url, words="The model is started with the first run.")
    try:
        found = await services.pool.open().status()
        chosen = next(iter(usable(found, config.model)), None)
    except InglenookError as error:
        return Status(state="down", endpoint=where, words=str(error))
    if chosen is None:
        return Status(state="down", endpoint=config.url, words=NOBODY)
    endpoint, model = chosen
    return Status(state="ready", model=model.name, endpoint=endpoint.place, window=config.window or model.window)


def of_tunnel(status: Status, state: State) -> Status:
    """The status as the tunnel to the box has become: lost, given up, or there again."""
    from inglenook.endpoints.tunnel import Backoff, Fatal, Ready

    before = status.model_copy(update={"retry_in": None})
    match state:
        case Backoff(trouble, seconds):
            when = f" in {seconds:.0f} s" if seconds >= 1 else ""
            told = {"state": "searching", "words": f"{trouble.words} Trying again{when}.", "tunnel": f"lost, trying again{when}"}
            return before.model_copy(update={**told, "retry_in": seconds})
        case Fatal(trouble):
            return before.model_copy(update={"state": "down", "words": f"{trouble.words} {trouble.hint}", "tunnel": "down"})
        case Ready() if status.state != "ready" and status.words:
            return before.model_copy(update={"state": "ready" if status.model else "unknown", "words": "", "tunnel": "up"})
        case Ready():
            return before.model_copy(update={"tunnel": "up"})
        case _:
            return before
