"""`inglenook models`: which model servers answer, what they serve, and which model a run would use; pulls, loads and pins one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from rich.console import Console
from rich.text import Text

from inglenook.app.config import Config, environment, load, resolve
from inglenook.cli import ends, exits
from inglenook.cli.run import folder_of, with_remote
from inglenook.errors import EndpointDown, InglenookError, NothingToDo
from inglenook.terminal import Line, console, live, said, stopping_at_signals, styled

if TYPE_CHECKING:
    from inglenook.app.choosing import Choice
    from inglenook.endpoints.endpoint import Endpoint
    from inglenook.endpoints.library import Progress
    from inglenook.workspace.documents import Documents

NOBODY = "No model server answers on the usual ports of this machine (Ollama 11434, LM Studio 1234, llama.cpp 8080, vLLM 8000)."
START_ONE = "Start one; or serve a file yourself: inglenook run --model path/to/model.gguf; or see what Inglenook does: inglenook demo."
Made = TypeVar("Made")


def command(options: argparse.Namespace) -> int:
    """Lists what is found, or does what was asked; 3 if nobody serves models."""
    out, err = console(sys.stdout), console(sys.stderr)
    config = _configured(options)
    if options.unpin:
        return _done(out, _unpin(options), options)
    if options.pull:
        return _done(out, _pull(err, config, options.pull), options)
    if options.use:
        return _done(out, _use(err, config, options.use), options)
    if options.pin is not None:
        return _done(out, _pin(config, options), options)
    return _list(out, err, config, as_json=options.json)


def _done(out: Console, words: str, options: argparse.Namespace) -> int:
    """Says what was done."""
    if options.json:
        print(ends.as_json(exits.APPLIED, "done", words))
    else:
        out.print(said("✓", words, style="green"))
    return exits.APPLIED


def _configured(options: argparse.Namespace) -> Config:
    env = environment()
    config = resolve(load(env), env)
    if options.remote:
        return with_remote(config, options.remote)
    return replace(config, url=options.endpoint, model="", remote="") if options.endpoint else config


def _run(work: Callable[[], Awaitable[Made]]) -> Made:
    """Runs it so that signals end it cleanly; errors come out as they are and not as a group."""

    async def inside() -> Made | InglenookError:
        async with stopping_at_signals():
            try:
                return await work()
            except InglenookError as error:
                return error

    made = anyio.run(inside)
    if isinstance(made, InglenookError):
        raise made
    return made


# ---- the list


def _list(out: Console, err: Console, config: Config, *, as_json: bool) -> int:
    from inglenook.app.choosing import choices

    found = _run(lambda: choices(config))
    if as_json:
        print(json.dumps({"models": [_row(choice) for choice in found]}, ensure_ascii=False, indent=2))
        return exits.APPLIED if found else exits.ENDPOINT
    if not found and config.url:
        out.print(said("·", f"{config.url} is served here by Inglenook itself, with the first run.", style="cyan"))
        return exits.APPLIED
    if not found:
        err.print(said("✗", NOBODY, style="red", hint=START_ONE))
        return exits.ENDPOINT
    for place in dict.fromkeys(choice.endpoint.place for choice in found):
        _show(out, [choice for choice in found if choice.endpoint.place == place])
    return exits.APPLIED


def _show(out: Console, choices: Sequence[Choice]) -> None:
    """The models of one server."""
    out.print(styled(choices[0].endpoint.words, "bold"))
    if choices[0].trouble is not None:
        out.print(said("!", choices[0].trouble.message, style="yellow", hint=choices[0].trouble.hint))
    width = max(len(choice.name) for choice in choices)
    for choice in choices:
        if choice.info is not None:
            mark = ("→ ", "green") if choice.used else ("  ", "")
            out.print(Text.assemble(mark, styled(f"{choice.name:<{width}}"), styled(f"  {' · '.join(choice.facts)}", "bright_black")))


def _row(choice: Choice) -> dict[str, Any]:
    info, fit = choice.info, choice.fit
    return {
        "name": choice.name,
        "url": choice.endpoint.url,
        "server": f"{choice.endpoint.kind} {choice.endpoint.version}".strip(),
        "via": choice.endpoint.via,
        "used": choice.used,
        "loaded": info.loaded if info else None,
        "window_tokens": info.window if info else None,
        "parameters": info.parameters if info else "",
        "quantization": info.quantisation if info else "",
        "digest": info.digest if info else "",
        "fits": fit.fits if fit else None,
        "need_gb": round(fit.need.total / 1e9, 2) if fit else None,
        "tokens_per_second": choice.speed,
    }


# ---- doing


async def _servers(config: Config) -> tuple[Endpoint, ...]:
    from inglenook.app.fit import served

    found = await served(config)
    if not found:
        raise EndpointDown(NOBODY, hint=START_ONE)
    return found


def _pull(err: Console, config: Config, name: str) -> str:
    """Has a server download a model, with a line of how far it is; Ctrl-C ends it."""
    import time

    from inglenook.app.choosing import getting
    from inglenook.endpoints.endpoint import NAMES
    from inglenook.endpoints.library import pull

    line = Line(time.monotonic, time.monotonic())
    told: set[str] = set()

    def tell(progress: Progress) -> None:
        """On a terminal the live line; else a line for each tenth, and for what is no amount."""
        line.words = progress_words(progress)
        step = f"{progress.share:.1f}" if progress.share is not None and progress.words == "downloading" else line.words
        if not err.is_terminal and step not in told:
            told.add(step)
            err.print(styled(f"  {line.words}", "bright_black"))

    async def work() -> str:
        endpoint = getting(await _servers(config), name)
        err.print(styled(f"{NAMES[endpoint.kind]} at {endpoint.place} downloads {name} from the internet; Inglenook itself does not."))
        with live(err, line):
            return await pull(endpoint, name, tell, config.key)

    return _run(work)


def progress_words(progress: Progress) -> str:
    """`downloading 1.20 GB of 4.68 GB (26 %)`."""
    from inglenook.endpoints.amounts import gigabytes

    if progress.share is None:
        return progress.words
    return f"{progress.words} {gigabytes(progress.done)} of {gigabytes(progress.total)} ({progress.share * 100:.0f} %)"


def _use(err: Console, config: Config, name: str) -> str:
    from inglenook.app.choosing import having
    from inglenook.endpoints.swapping import Shelf

    async def work() -> str:
        endpoint, info = having(await _servers(config), name)
        moved = await Shelf().only(endpoint, info.name, lambda words: err.print(styled(f"  {words}", "bright_black")), config.key)
        room = f"; {', '.join(moved)} made room" if moved else ""
        return f"{info.name} is loaded{room}."

    return _run(work)


def _pin(config: Config, options: argparse.Namespace) -> str:
    from inglenook.app.choosing import having
    from inglenook.endpoints.pinned import pin, pin_of

    async def work() -> tuple[Endpoint, Any]:
        return having(await _servers(config), options.pin or config.model)

    endpoint, info = _run(work)
    made = pin_of(endpoint, info)
    with _documents(options) as documents:
        place = pin(documents, made)
    told = f"build {made.digest}" if made.digest else f"{made.server} does not tell which build it is, so only its name is compared"
    return f"{place} pins {made.name} ({told})."


@contextmanager
def _documents(options: argparse.Namespace) -> Iterator[Documents]:
    """The workspace folder that is meant."""
    from inglenook.app.services import open_jails
    from inglenook.workspace.documents import Documents

    jails = open_jails([str(folder_of(options.folder))])
    try:
        yield Documents(jails)
    finally:
        for jail in jails:
            jail.close()


def _unpin(options: argparse.Namespace) -> str:
    from inglenook.endpoints.pinned import unpin

    with _documents(options) as documents:
        if not unpin(documents):
            raise NothingToDo("No model was pinned.")
    return "No model is pinned any more."
