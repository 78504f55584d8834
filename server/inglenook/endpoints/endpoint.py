"""What is known of a place where models are served."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from inglenook.errors import ModelMissing
from inglenook.llm.profiles import can_chat, is_coder

Kind = Literal["llama.cpp", "ollama", "lmstudio", "vllm", "openai", "embedded", "rehearsal", "hosted"]

NAMES: Final[dict[Kind, str]] = {
    "llama.cpp": "llama.cpp",
    "ollama": "Ollama",
    "lmstudio": "LM Studio",
    "vllm": "vLLM",
    "openai": "An OpenAI-compatible server",
    "embedded": "The embedded llama.cpp server",
    "rehearsal": "The rehearsal model",
    "hosted": "A hosted model",
}


_LOCAL: Final = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})


@dataclass(frozen=True)
class ModelInfo:
    """One model that an endpoint serves, as its server tells; None where it does not.

    window: tokens of prompt and reply together, as allocated; trained: as the model was trained. tools: whether the
    server says that the model can be given tools. remote: the server would send the prompt to another machine. size: bytes of
    the weights. digest: what tells this build of the model from another ("" where the server does not tell). on_gpu: which
    share of a loaded model lies on the GPU, 0…1.
    """

    name: str
    loaded: bool | None = None
    window: int | None = None
    trained: int | None = None
    tools: bool | None = None
    parameters: str = ""
    quantisation: str = ""
    remote: bool = False
    size: int | None = None
    digest: str = ""
    on_gpu: float | None = None


@dataclass(frozen=True)
class Endpoint:
    """A server of models. `url` is the base of the OpenAI wire, ending in `/v1` for all but unknown servers.

    via: "ssh HOST" where it is on another machine, whose 127.0.0.1 the url then means; socket: the Unix socket to it."""

    url: str
    kind: Kind
    models: tuple[ModelInfo, ...] = ()
    version: str = ""
    via: str = ""
    socket: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """Where it is, for a person."""
        return f"{self.url} via {self.via}" if self.via else self.url

    @property
    def words(self) -> str:
        """What and where it is, for a person."""
        return f"{NAMES[self.kind]} at {self.place}"

    @property
    def coders(self) -> tuple[ModelInfo, ...]:
        """The models made for code that run on this machine."""
        return tuple(m for m in self.models if is_coder(m.name) and not m.remote)


@dataclass(frozen=True)
class At:
    """One server by its address, and the box that it is on ("ssh HOST"; "" for this machine)."""

    url: str
    via: str = ""


def loopback(host: str) -> bool:
    """Whether a name or an address is that of this machine itself."""
    if host.lower() in _LOCAL:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def choose(endpoint: Endpoint, wish: str = "") -> ModelInfo:
    """The model to use: the wished one by its name or an unmistakable part of it; without a wish the one that is loaded,
    else the first coder, else the first. Never one that the server would ask another machine for, unless it is wished.

    Raises ModelMissing, which names what is served."""
    if wish:
        return _wished(endpoint, wish)
    local = [m for m in endpoint.models if can_chat(m.name) and not m.remote]
    if not local:
        raise ModelMissing(
            f"{endpoint.words} serves no model that can chat on this machine{_served(endpoint)}.", hint=_get_one(endpoint.kind)
        )
    return min(local, key=lambda m: (not m.loaded, not is_coder(m.name)))


def usable(endpoints: Sequence[Endpoint], wish: str = "") -> tuple[tuple[Endpoint, ModelInfo], ...]:
    """The servers that have the wished model, each with it, in the order in which a run would use them: as given; without a wish those
    first that have a coder. ModelMissing, in the words of the first server, if none has it."""
    found: list[tuple[Endpoint, ModelInfo]] = []
    missing: list[ModelMissing] = []
    for endpoint in endpoints:
        try:
            found.append((endpoint, choose(endpoint, wish)))
        except ModelMissing as error:
            missing.append(error)
    if missing and not found:
        raise missing[0]
    return tuple(sorted(found, key=lambda pair: not (wish or pair[0].coders)))


def _wished(endpoint: Endpoint, wish: str) -> ModelInfo:
    def matches(fits: object) -> list[ModelInfo]:
        assert callable(fits)
        return [m for m in endpoint.models if fits(m.name.lower(), wish.lower())]

    for fits in (str.__eq__, lambda name, w: name == f"{w}:latest", str.startswith, str.__contains__):
        found = matches(fits)
        if len(found) == 1:
            return found[0]
        if found:
            raise ModelMissing(
                f"{wish!r} may be one of several models at {endpoint.place}: {', '.join(m.name for m in found[:8])}.",
                hint="Say the whole name.",
            )
    raise ModelMissing(f"{endpoint.words} does not serve {wish!r}{_served(endpoint)}.", hint=_get_one(endpoint.kind))


def _served(endpoint: Endpoint) -> str:
    names = [m.name for m in endpoint.models]
    if not names:
        return ""
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"; it has {', '.join(names[:8])}{more}"


def _get_one(kind: Kind) -> str:
    if kind == "ollama":
        return "`ollama pull qwen2.5-coder:7b` gets a small one for code."
    if kind == "lmstudio":
        return "Download and load one in LM Studio."
    return "Serve one, or name another with `inglenook.endpoint.model`."
