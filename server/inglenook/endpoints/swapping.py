"""Two models that share one GPU: their server lets one go and loads the other, one change at a time, and the wait is told.

Ollama: POST /api/generate with keep_alive 0 lets a model go, without it loads it. LM Studio: POST /api/v1/models/unload with the id
of an instance, …/load with the key of a model. llama.cpp as a router: POST /models/unload and /models/load, then GET /models until
the status of the model is "loaded". Other servers have the one model that they were started with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import anyio

from inglenook.endpoints.endpoint import NAMES, Endpoint
from inglenook.endpoints.library import answered, asking
from inglenook.endpoints.probe import describe
from inglenook.errors import EndpointError, InputError, ModelMissing, ServerFault
from inglenook.llm.profiles import can_chat

LOAD_SECONDS: Final = 900.0
LEAVE_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.25

Say = Callable[[str], None]


class Shelf:
    """Who changes what is loaded, one change at a time for each server."""

    def __init__(self) -> None:
        self._locks: dict[str, anyio.Lock] = {}

    async def only(
        self, endpoint: Endpoint, model: str, say: Say = lambda words: None, key: str = "", *, together: bool = False
    ) -> tuple[str, ...]:
        """Has the server let its other chat models go and load this one; answers the names of those that made room. Models that only
        embed are small and stay. together: all fit, so nobody makes room. EndpointError, InputError."""
        async with self._locks.setdefault(endpoint.place, anyio.Lock()):
            now = await _again(endpoint, key)
            known = next((info for info in now.models if info.name == model), None)
            if known is None:
                raise ModelMissing(f"{endpoint.words} does not serve {model!r}.", hint="`inglenook models` lists what is served.")
            others = tuple(info.name for info in now.models if info.loaded and info.name != model and can_chat(info.name))
            others = () if together else others
            for name in others:
                say(f"{name} makes room for {model}")
                await unload(endpoint, name, key)
            if not known.loaded:
                say(f"Loading {model}")
                await load(endpoint, model, key)
            return others


async def load(endpoint: Endpoint, model: str, key: str = "", *, seconds: float = LOAD_SECONDS) -> None:
    """Has the server load a model, and waits until it is there. EndpointError in its words; InputError where a server cannot."""
    async with asking(endpoint, key, seconds=seconds) as client:
        match endpoint.kind:
            case "ollama":
                await answered(client, "POST", "/api/generate", endpoint, model, {"model": model, "stream": False})
            case "lmstudio":
                await answered(client, "POST", "/api/v1/models/load", endpoint, model, {"model": model})
            case "llama.cpp":
                await _routed(client, "load", endpoint, model)
                await _until(client, endpoint, model, "loaded", seconds)
            case _:
                raise _cannot(endpoint)


async def unload(endpoint: Endpoint, model: str, key: str = "") -> None:
    """Has the server let a model go, and waits until its memory is free. EndpointError in its words; InputError where it cannot."""
    async with asking(endpoint, key, seconds=LEAVE_SECONDS) as client:
        match endpoint.kind:
            case "ollama":
                await answered(client, "POST", "/api/generate", endpoint, model, {"model": model, "keep_alive": 0, "stream": False})
                await _until(client, endpoint, model, "unloaded", LEAVE_SECONDS)
            case "lmstudio":
                listed = await answered(client, "GET", "/api/v1/models", endpoint, model)
                for instance in _instances(listed, model):
                    await answered(client, "POST", "/api/v1/models/unload", endpoint, model, {"instance_id": instance})
            case "llama.cpp":
                await _routed(client, "unload", endpoint, model)
                await _until(client, endpoint, model, "unloaded", LEAVE_SECONDS)
            case _:
                raise _cannot(endpoint)


async def _again(endpoint: Endpoint, key: str) -> Endpoint:
    """The server as it is now: what is loaded may have changed."""
    return await describe(endpoint.url, key, seconds=5.0, socket=endpoint.socket)


async def _routed(client: Any, verb: str, endpoint: Endpoint, model: str) -> None:
    try:
        await answered(client, "POST", f"/models/{verb}", endpoint, model, {"model": model})
    except ModelMissing as error:  # 404: no router
        raise _cannot(endpoint) from error


async def _until(client: Any, endpoint: Endpoint, model: str, wanted: str, seconds: float) -> None:
    """Waits until the server says that the model is as wanted. ServerFault if loading failed or takes too long."""
    path = "/api/ps" if endpoint.kind == "ollama" else "/models"
    with anyio.move_on_after(seconds):
        while True:
            listed = await answered(client, "GET", path, endpoint, model)
            status = {"value": "loaded" if model in _names(listed) else "unloaded"} if path == "/api/ps" else _status(listed, model)
            if status.get("value") == wanted:
                return
            if status.get("failed"):
                hint = "See its log: is there memory enough? `inglenook fit` says."
                raise ServerFault(f"{NAMES[endpoint.kind]} could not load {model}.", hint=hint)
            await anyio.sleep(LOOK_SECONDS)
    raise ServerFault(f"{model} is not {wanted} after {seconds:.0f} s.", hint="See the log of the server.")


def _status(listed: dict[str, Any], model: str) -> dict[str, Any]:
    rows = listed.get("data")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("id") == model and isinstance(row.get("status"), dict):
            return dict(row["status"])
    return {}


def _names(listed: dict[str, Any]) -> set[str]:
    rows = listed.get("models")
    return {str(row.get("name")) for row in rows if isinstance(row, dict)} if isinstance(rows, list) else set()


def _instances(listed: dict[str, Any], model: str) -> list[str]:
    rows = listed.get("models")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("key") == model:
            loaded = row.get("loaded_instances")
            return [str(one["id"]) for one in loaded if isinstance(one, dict) and one.get("id")] if isinstance(loaded, list) else []
    return []


def _cannot(endpoint: Endpoint) -> EndpointError | InputError:
    hint = "Start it with another one, or use Ollama, LM Studio or llama-server as a router."
    return InputError(f"{endpoint.words} has the one model that it was started with.", hint=hint)
