"""Leases: the right of a run to use a model. Finds the endpoint that the user wishes for, or one on the usual ports."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from inglenook.endpoints import embedded, exam, gguf, loading, probe, rehearsal
from inglenook.endpoints.endpoint import NAMES, At, Endpoint, Kind, ModelInfo, choose, loopback, usable
from inglenook.endpoints.relay import Relay, Seat
from inglenook.endpoints.remote import Remote
from inglenook.endpoints.slots import Line, look
from inglenook.endpoints.tunnel import State
from inglenook.endpoints.wires import chat_with
from inglenook.errors import ConfigError, EndpointDown, EndpointError
from inglenook.llm.chat import HttpChat
from inglenook.llm.messages import Chat
from inglenook.llm.profiles import Profile, profile_for

FRESH_SECONDS: Final = 10.0
"""How long what a server said about itself is believed without asking again: it may be restarted with another model."""


@dataclass(frozen=True)
class Wish:
    """What the user asks for. url: "" looks on the usual ports; `http://…` on this machine; the path of a `.gguf` file;
    `rehearsal` or `rehearsal:/path/of/recording.json`. window: where the server tells a wrong one; None believes it.
    remote: an ssh destination instead of a url; remote_port: of the model server there, 0 looks on the usual ones. more: addresses
    of further servers on this machine. parallel: runs at one server at the same time, 0 for as many as it tells."""

    url: str = ""
    model: str = ""
    key: str = field(default="", repr=False)
    window: int | None = None
    remote: str = ""
    remote_port: int = 0
    more: tuple[str, ...] = ()
    parallel: int = 0


@asynccontextmanager
async def _nothing_aside() -> AsyncIterator[None]:
    yield


@dataclass(frozen=True)
class Lease:
    """A model to talk to, for as long as the lease is held. aside: within this block its slot is somebody else's, while a person is
    asked something; the block may wait at its end until the slot is free again. info: the model as it was when it was leased; make:
    another chat with it at the same server, under another profile, which the caller closes. Both are None for a hosted model."""

    chat: Chat
    profile: Profile
    endpoint: Endpoint
    model: str
    aside: Callable[[], AbstractAsyncContextManager[None]] = _nothing_aside
    info: ModelInfo | None = None
    make: Callable[[Profile], HttpChat] | None = None


class Pool:
    """Finds, remembers and lends endpoints; keeps the embedded server or the tunnel that it started until `aclose`.

    cache_dir: where the rehearsal model is kept. env: what the embedded server and ssh see of the environment. tell:
    called at each change of the tunnel, if there is one.
    """

    def __init__(
        self,
        wish: Wish,
        *,
        cache_dir: str = "",
        env: Mapping[str, str] | None = None,
        ports: Sequence[int] = probe.USUAL,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[State], None] = lambda state: None,
    ) -> None:
        self.wish = wish
        self._cache_dir, self._env, self._ports, self._clock = cache_dir, env, tuple(ports), clock
        self._lock = anyio.Lock()
        self._found: tuple[Endpoint, ...] = ()
        self._line = Line()
        self._asked = 0.0
        self._embedded: embedded.Embedded | None = None
        self._digest = ""  # of the file that we serve ourselves
        self._tell = tell
        self._remote: Remote | None = None
        self._recording = rehearsal.EMPTY
        self._loaded: dict[tuple[str, str], loading.Loaded] = {}

    @asynccontextmanager
    async def lease(
        self, *, model: str = "", at: At | None = None, tell: Callable[[str], None] = lambda words: None
    ) -> AsyncIterator[Lease]:
        """A model, ready to be talked to, as soon as a server of it has a slot free. Raises EndpointError, ConfigError or InputError,
        each with what to do.

        model: instead of the wished one; at: of that very server and of no other. tell: hears in words how many are ahead in the
        queue, and that another server took over.
        An EndpointError inside the block makes the next lease ask the servers anew."""
        async with self._lock:
            found = await self._find(model) if at is None else (await self._at(at),)
            window = self.wish.window if at is None or self._means(found[0]) else None
            name = choose(found[0], model or self._model_wish()).name
            seats = await self._seats(found, name)
        relay = Relay(seats, self._line, tell)
        try:
            async with relay.seated() as seat, self._lock:
                chosen = choose(seat.endpoint, name)
                if chosen.loaded is False:
                    tell(loading_words(seat.endpoint, chosen))
                info = await self._ready(seat.endpoint, chosen, window)
                profile = await self._profile(seat.endpoint, info, window)
                relay.begin(lambda endpoint: self._chat(endpoint, info.name, profile), window=profile.window)
            chat: Chat = relay if seat.endpoint.kind != "rehearsal" else rehearsal.RehearsalChat(relay, self._recording)
            yield Lease(chat, profile, seat.endpoint, info.name, relay.aside, info, lambda p: self._chat(seat.endpoint, info.name, p)[0])
        except EndpointError:
            self._found = ()
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await relay.aclose()

    async def _profile(self, endpoint: Endpoint, info: ModelInfo, wish: int | None) -> Profile:
        """How to speak with the model, as its exam says, if it took one. Ollama has the window that it was asked for already, or the
        largest that it gives; LM Studio cuts in silence what is longer than the one that it tells."""
        window = wish or info.window
        if info.window and endpoint.kind in ("ollama", "lmstudio"):
            window = info.window if endpoint.kind == "ollama" else min(info.window, window or info.window)
        profile = profile_for(info.name, window=window, tools=info.tools)
        found = await anyio.to_thread.run_sync(exam.load, self._cache_dir, endpoint, info)
        return exam.suited(profile, found) if found else profile

    def _chat(self, endpoint: Endpoint, model: str, profile: Profile) -> tuple[HttpChat, Chat]:
        """The chat with one server, and the same as it is talked to: through a tunnel that may be lost, if there is one."""
        pace = self._recording.tokens_per_second if endpoint.kind == "rehearsal" else 0.0
        loaded = self._loaded.get((endpoint.place, model))
        keep_alive = loaded.keep_alive if loaded else ""
        inner = chat_with(endpoint, model, profile, key=self._key(), pace=pace, keep_alive=keep_alive)
        return inner, self._remote.chat(inner) if self._remote is not None and endpoint.via else inner

    def _key(self) -> str:
        return self._embedded.key if self._embedded is not None else self.wish.key

    async def _seats(self, found: Sequence[Endpoint], model: str) -> list[Seat]:
        """All servers that serve that model, the one with the least to do first."""
        equal = [endpoint for endpoint in found if any(info.name == model and not info.remote for info in endpoint.models)]
        seats: list[Seat] = []

        async def ask(endpoint: Endpoint) -> None:
            load = await look(endpoint, self._key(), parallel=self.wish.parallel)
            seats.append(Seat(endpoint, model, load.slots, max(load.busy, self._line.held((endpoint.place, model))) + load.waiting))

        async with anyio.create_task_group() as group:
            for endpoint in equal or found[:1]:
                group.start_soon(ask, endpoint)
        order = {endpoint.place: number for number, endpoint in enumerate(found)}
        return sorted(seats, key=lambda seat: (seat.busy, order[seat.endpoint.place]))

    async def status(self) -> tuple[Endpoint, ...]:
        """What there is now: the wished endpoint, or all on the usual ports. Raises as `lease` does."""
        async with self._lock:
            if self.wish.remote:
                return await self.box().look()
            if not self.wish.url:
                return (*await probe.discover(self._ports, key=self.wish.key), *await self._more())
            return await self._find()

    async def aclose(self) -> None:
        """Stops the embedded server and the tunnel, if they were started. The pool can be used again."""
        async with self._lock:
            self._found = ()
            server, self._embedded = self._embedded, None
            remote, self._remote = self._remote, None
            with anyio.CancelScope(shield=True):
                if remote is not None:
                    await remote.aclose()
                if server is not None:
                    await server.stop()

    def _model_wish(self) -> str:
        """A model's name means nothing to a server that we started for one file."""
        return "" if self._embedded is not None else self.wish.model

    async def _find(self, model: str = "") -> tuple[Endpoint, ...]:
        """The servers that serve the wished model, as they described themselves within the last seconds, the best first."""
        if self._embedded is not None and not self._embedded.running:
            self._embedded, self._found = None, ()
        if self._found and self._clock() - self._asked < FRESH_SECONDS:
            return self._order(self._found, model)
        url = self.wish.url
        if self.wish.remote:
            found = (*await self.box().look(), *await self._more())
        elif url == "rehearsal" or url.startswith("rehearsal:"):
            found = (await self._rehearse(url.removeprefix("rehearsal").removeprefix(":")),)
        elif url.lower().endswith(".gguf") and "://" not in url:
            found = (await self._embed(_file(url), "embedded", window=self.wish.window),)
        elif url:
            found = await self._named(url)
        else:
            found = await self._discover()
        self._found, self._asked = found, self._clock()
        return self._order(found, model)

    async def _at(self, at: At) -> Endpoint:
        """The server at an address, as it describes itself now. EndpointDown, ConfigError."""
        if at.via:
            found = [endpoint for endpoint in await self.box().look() if (endpoint.url, endpoint.via) == (at.url, at.via)]
            if not found:
                raise EndpointDown(f"No model server answers at {at.url} via {at.via} any more.", hint="Is it running there still?")
            return found[0]
        if self._embedded is not None and _bare(self._embedded.url) == _bare(at.url):
            return (await self._find())[0]
        return await probe.describe(_on_this_machine(at.url), self.wish.key)

    def _means(self, endpoint: Endpoint) -> bool:
        """Whether the settings mean this server, and so what they say of its window."""
        wish = self.wish
        if endpoint.via or endpoint.kind in ("embedded", "rehearsal") or not (wish.url or wish.remote):
            return True
        return any(_bare(endpoint.url) == _bare(url) for url in (wish.url, *wish.more))

    async def _named(self, url: str) -> tuple[Endpoint, ...]:
        """The server at that address, and the further ones; without it only those, if there are any."""
        more = await self._more()
        try:
            return (await probe.describe(_on_this_machine(url), self.wish.key), *more)
        except EndpointDown:
            if more:
                return more
            raise

    async def _more(self) -> tuple[Endpoint, ...]:
        """The further servers of the settings, as far as they answer."""
        urls = [_on_this_machine(url) for url in self.wish.more]
        found: dict[str, Endpoint] = {}

        async def ask(url: str) -> None:
            with contextlib.suppress(EndpointError):
                found[url] = await probe.describe(url, self.wish.key)

        async with anyio.create_task_group() as group:
            for url in urls:
                group.start_soon(ask, url)
        return tuple(found[url] for url in urls if url in found)

    async def _discover(self) -> tuple[Endpoint, ...]:
        found = (*await probe.discover(self._ports, key=self.wish.key), *await self._more())
        if not found:
            ports = ", ".join(str(p) for p in self._ports)
            raise EndpointDown(
                f"No model server answers on the usual ports of this machine ({ports}).",
                hint="Start Ollama, LM Studio, llama.cpp or vLLM; or set `inglenook.endpoint.url` to an address or to a .gguf file.",
            )
        return found

    def _order(self, found: Sequence[Endpoint], model: str = "") -> tuple[Endpoint, ...]:
        """The servers that have the wished model; without a wish those first that have a coder. ModelMissing if none has it."""
        return tuple(endpoint for endpoint, _ in usable(found, model or self._model_wish()))

    def box(self) -> Remote:
        """The remote box that is wished for. ConfigError if there is none, or a server too."""
        wish = self.wish
        if not wish.remote:
            raise ConfigError("No remote box is set.", hint="Set `inglenook.remote.host`, or connect to one.")
        if wish.url:
            raise ConfigError(
                f"Both a server ({wish.url}) and a remote box ({wish.remote}) are set.",
                hint="Clear `inglenook.endpoint.url` or `inglenook.remote.host`.",
            )
        if self._remote is None:
            self._remote = Remote(wish.remote, wish.remote_port, key=wish.key, env=self._env or {}, usual=self._ports, tell=self._tell)
        return self._remote

    async def _rehearse(self, path: str) -> Endpoint:
        self._recording = rehearsal.load(_file(path)) if path else rehearsal.EMPTY
        model = await anyio.to_thread.run_sync(rehearsal.model_file, self._cache_dir)
        return await self._embed(model, "rehearsal", window=rehearsal.WINDOW)

    async def _embed(self, model: Path, kind: Kind, *, window: int | None) -> Endpoint:
        """Our own server on that file, started once."""
        if self._embedded is None:
            rehearsing = kind == "rehearsal"
            self._embedded = await embedded.start(
                model,
                name=rehearsal.MODEL if rehearsing else "",
                window=window,
                slots=2 if rehearsing else 1,
                threads=1 if rehearsing else None,
                env=self._env,
            )
            self._digest = "" if rehearsing else await anyio.to_thread.run_sync(gguf.digest_or_none, model)
        server = self._embedded
        seen = await probe.describe(server.url, server.key, seconds=10.0)
        return replace(seen, kind=kind, models=tuple(replace(m, digest=self._digest or m.digest) for m in seen.models))

    async def _ready(self, endpoint: Endpoint, info: ModelInfo, wish: int | None) -> ModelInfo:
        """The model with its real window. Ollama and LM Studio give and tell it when they load, so the model is loaded now; the first
        request would have waited for the same."""
        if info.remote:
            raise ConfigError(
                f"Ollama would send every prompt for {info.name} to another machine.", hint="Choose a model that runs on this machine."
            )
        socket = endpoint.socket
        before = self._loaded.get((endpoint.place, info.name))
        known = before.info.window if before else None
        if endpoint.kind == "ollama" and not loading.settled(info, wish, known):
            loaded = await loading.load_in_ollama(endpoint.url, info, wish=wish, known=known, socket=socket)
        elif endpoint.kind == "lmstudio" and info.loaded is False:
            loaded = await loading.load_in_studio(endpoint.url, info, wish=wish, key=self._key(), socket=socket)
        else:
            return info
        self._loaded[endpoint.place, info.name] = loaded
        self._found = ()  # what is loaded has changed
        return loaded.info


def loading_words(endpoint: Endpoint, info: ModelInfo) -> str:
    """What the wait for a model that is not loaded is about."""
    others = [other.name for other in endpoint.models if other.loaded and other.name != info.name]
    room = f"; {', '.join(others[:3])} may have to make room" if others else ""
    return f"{NAMES[endpoint.kind]} loads {info.name}{room}."


def _bare(url: str) -> str:
    return url.rstrip("/").removesuffix("/v1")


def _file(path: str) -> Path:
    return Path(path).expanduser()


def _on_this_machine(url: str) -> str:
    """The address, if it is one of this machine. ConfigError otherwise."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half an IPv6 address, or a port that there is not
        sound = False
    if not sound or not parts.hostname:
        raise ConfigError(
            f"{url!r} is no address of a model server.",
            hint="Set `inglenook.endpoint.url` to an address such as http://127.0.0.1:11434/v1, to a .gguf file, or to nothing.",
        )
    if not loopback(parts.hostname):
        raise ConfigError(
            f"{parts.hostname} is another machine, and nothing leaves this one.",
            hint=f"Through ssh it can be used: set `inglenook.remote.host` to {parts.hostname} and `inglenook.remote.port` to "
            f"{parts.port or 8000}.",
        )
    return url
