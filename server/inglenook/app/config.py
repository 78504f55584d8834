"""Configuration: settings as a user writes them, resolved with the environment; the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from inglenook.agents.port import Limits, OutlinePolicy
from inglenook.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import ValidationError

    from inglenook.protocol.settings import HostedSettings, Settings

HostedUse = Literal["never", "ask", "prefer-local"]
HostedWire = Literal["openai", "anthropic"]
SandboxKind = Literal["auto", "bubblewrap", "docker", "podman", "sandbox-exec"]
SETTINGS_FILE = "settings.toml"
SETTINGS_BYTES = 100_000


@dataclass(frozen=True)
class Hosted:
    """The way out as the user has set it. folders: absolute real paths in and below which it may be offered. key_command: an
    argv that prints the key. url: without a slash at its end."""

    use: HostedUse = "never"
    folders: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset({"refactor", "edit", "fix"})
    name: str = ""
    url: str = ""
    model: str = ""
    wire: HostedWire = "openai"
    window: int = 100_000
    key_variable: str = ""
    key_command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Config:
    """Everything that the house needs to know, with nothing left to look up.

    url, model, key, window: the endpoint that is wished for (see the settings; window None: as the server says).
    remote, remote_port: the box that is wished for instead of a url ("": none; port 0: look there).
    sandbox, image: which walls checks run in; the image that a container is made of.
    rules: whether the project's rules files are told to the model.
    ledger_texts: whether the texts of requests are kept; ledger_bytes: that what undoes acceptances may take.
    cache_dir, state_dir: absolute, ours; made when first written to.
    more, parallel: addresses of further model servers; runs at one server at the same time (0: as it tells).
    remote_start: the command that starts the model server on the box. hosted: the way out.
    environment: of this process, for the programs that we start (a sandbox gets none of it, only PATH to find tools).
    """

    url: str = ""
    model: str = ""
    key: str = field(default="", repr=False)
    window: int | None = None
    remote: str = ""
    remote_port: int = 0
    remote_start: str = ""
    more: tuple[str, ...] = ()
    parallel: int = 0
    hosted: Hosted = field(default_factory=Hosted)
    outline: OutlinePolicy = "several"
    limits: Limits = field(default_factory=Limits)
    checks: bool = True
    sandbox: SandboxKind = "auto"
    image: str = ""
    reader: bool = False
    rules: bool = True
    lenses: bool = True
    ledger_texts: bool = False
    ledger_bytes: int = 200_000_000
    cache_dir: str = ""
    state_dir: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> str:
        """PATH, for finding tools."""
        return self.environment.get("PATH", os.defpath)


def environment() -> Mapping[str, str]:
    """A copy of this process's environment; front ends hand it to `resolve`."""
    return dict(os.environ)


def resolve(settings: Settings, env: Mapping[str, str]) -> Config:
    """Settings and environment as one Config. ConfigError when the key's variable is named but not set."""
    variable = settings.endpoint.api_key_variable
    if variable and not env.get(variable):
        raise ConfigError(
            f"The setting endpoint.apiKeyVariable names the environment variable {variable}, which is not set.",
            hint="Set it where the server is started, or clear the setting if the endpoint needs no key.",
        )
    return Config(
        url=settings.endpoint.url.strip(),
        model=settings.endpoint.model.strip(),
        key=env[variable] if variable else "",
        window=settings.endpoint.window or None,
        remote=settings.remote.host.strip(),
        remote_port=settings.remote.port,
        remote_start=settings.remote.start.strip(),
        more=tuple(url.strip() for url in settings.endpoint.more if url.strip()),
        parallel=settings.endpoint.parallel,
        hosted=_hosted(settings.hosted, env),
        outline=settings.outline,
        limits=Limits(
            turns=settings.limits.turns,
            output_tokens=settings.limits.output_tokens,
            seconds=settings.limits.minutes * 60,
            repairs=settings.limits.repairs,
        ),
        checks=settings.checks.run == "auto",
        sandbox=settings.checks.sandbox,
        image=settings.checks.image.strip(),
        reader=settings.reader.run == "always",
        rules=settings.rules == "auto",
        lenses=settings.lenses,
        ledger_texts=settings.ledger.texts,
        ledger_bytes=settings.ledger.megabytes * 1_000_000,
        cache_dir=str(_xdg(env, "XDG_CACHE_HOME", ".cache")),
        state_dir=str(_xdg(env, "XDG_STATE_HOME", ".local/state")),
        environment=dict(env),
    )


def _hosted(settings: HostedSettings, env: Mapping[str, str]) -> Hosted:
    """The way out as it is set, its folders as real absolute paths. What is wrong with it is said when it would be used."""
    folders = []
    for folder in settings.folders:
        home = env.get("HOME", "")
        path = Path(home, folder.removeprefix("~").lstrip("/")) if folder.startswith("~") and home else Path(folder)
        if path.is_absolute():
            folders.append(str(path.resolve()))
    return Hosted(
        use=settings.use,
        folders=tuple(folders),
        kinds=frozenset(settings.kinds),
        name=settings.name.strip(),
        url=settings.url.strip().rstrip("/"),
        model=settings.model.strip(),
        wire=settings.wire,
        window=settings.window,
        key_variable=settings.key_variable.strip(),
        key_command=tuple(settings.key_command),
    )


def settings_from(values: Mapping[str, Any], *, where: str) -> Settings:
    """Settings from plain values, as an editor or a file gives them. ConfigError names each wrong key; `where` says whose
    they are ("the editor's settings", a file's path)."""
    from pydantic import ValidationError

    from inglenook.protocol.settings import Settings

    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_in_words(error)}", hint="Correct it, or remove it to get the default.") from error


def load(env: Mapping[str, str]) -> Settings:
    """The settings of the terminal: `inglenook/settings.toml` in the user's configuration folder, with the same names as in
    an editor. Defaults if there is no such file; ConfigError if it cannot be used."""
    import tomllib

    file = _xdg(env, "XDG_CONFIG_HOME", ".config") / SETTINGS_FILE
    try:
        with file.open("rb") as stream:
            data = stream.read(SETTINGS_BYTES + 1)
    except FileNotFoundError:
        return settings_from({}, where=str(file))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}.", hint="Make it readable, or remove it.") from error
    if len(data) > SETTINGS_BYTES:
        raise ConfigError(f"{file} is larger than {SETTINGS_BYTES:,} bytes, so it is not a settings file.", hint="Remove it.")
    try:
        values = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file} is not UTF-8 text (line {line}).", hint="Save it as UTF-8, or remove it.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}.", hint="Correct that line, or remove the file.") from error
    return settings_from(values, where=str(file))


def _xdg(env: Mapping[str, str], variable: str, default: str) -> Path:
    """Our folder under an XDG base folder; a relative value is ignored, as the specification says."""
    base = Path(env.get(variable, ""))
    if not base.is_absolute():
        home = env.get("HOME", "")
        base = (Path(home) if home else Path.home()) / default
    return base / "inglenook"


def _in_words(error: ValidationError) -> str:
    parts = []
    for problem in error.errors(include_url=False, include_input=False):
        key = ".".join(str(part) for part in problem["loc"]) or "the whole"
        said = "no such setting" if problem["type"] == "extra_forbidden" else problem["msg"].rstrip(".")
        parts.append(f"{key}: {said}")
    return "; ".join(parts) + "."
