"""What commands about models and the setup say: types of the wire, for the table in `commands`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from inglenook.protocol.base import Wire
from inglenook.protocol.events import Status


class ModelBrief(Wire):
    """A model of a server that answers. `endpoint` is the server for a person, `url` its address, `via` the box it is on; `facts` are
    what is known of it, a few words each. `used`: a run would use it. `fits`: its weights and window fit the machine it would run on,
    null where nobody knows. `remote`: its server would ask another machine."""

    name: str
    url: str
    via: str = ""
    endpoint: str
    used: bool = False
    loaded: bool | None = None
    remote: bool = False
    window: int | None = None
    fits: bool | None = None
    tokens_per_second: float | None = None
    facts: list[str] = Field(default_factory=list)


class ModelList(Wire):
    """The models of all servers that answer; `words` say why there are none. `hosted`: the hosted model, if it is opened for these folders;
    `url` is its address. It can be asked for one task at a time, after a question, and cannot be selected."""

    models: list[ModelBrief]
    hosted: list[ModelBrief] = Field(default_factory=list)
    words: str = ""


class SelectModel(Wire):
    """The model that runs are to use: by its name, and the address (and box) of its server."""

    model: str
    url: str
    via: str = ""


class SettingValue(Wire):
    """A setting and its value; "" is its default."""

    key: str
    value: str


class ModelSelected(Wire):
    """What came of it, and the settings that make it last; they hold for this session already."""

    words: str
    status: Status
    settings: list[SettingValue]


class PullModel(Wire):
    """A model that Ollama or LM Studio is to download; `url` the server, null for the one that would. `name` as that server names it."""

    name: str
    url: str | None = None


class ModelRef(Wire):
    """A model by its name."""

    name: str


class ModelPulled(Wire):
    """What came of a download; `done` is false when it was cancelled."""

    name: str
    done: bool
    words: str


class FindingView(Wire):
    """One thing that was looked at. "wrong": a run will not work, or not be safe; a note is neither good nor bad."""

    about: str
    state: Literal["good", "note", "warning", "wrong"]
    words: str
    hint: str = ""


class SetupChecked(Wire):
    """The doctor's page: `uri` is a read-only Markdown document with it; `state` the gravest of the findings."""

    uri: str
    state: Literal["good", "note", "warning", "wrong"]
    findings: list[FindingView]
    markdown: str
