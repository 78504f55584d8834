"""`inglenook remote`: how it stands with a box that ssh reaches; accept its host key, start the model server there."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
from rich.console import Console

from inglenook.app.box import BoxState, accept, look, serve
from inglenook.app.config import Config, environment, load, resolve
from inglenook.app.services import Models
from inglenook.cli import exits
from inglenook.cli.asking import read_line
from inglenook.cli.run import with_remote
from inglenook.errors import ConfigError, InglenookError
from inglenook.terminal import console, said, stopping_at_signals, styled

if TYPE_CHECKING:
    from inglenook.endpoints.pool import Pool


def command(options: argparse.Namespace) -> int:
    """Says how it stands; 3 if no model server of the box can be used."""
    out, err = console(sys.stdout), console(sys.stderr)
    env = environment()
    config = resolve(load(env), env)
    config = with_remote(config, options.host) if options.host else replace(config, url="")
    if not config.remote:
        raise ConfigError("No remote box is named.", hint="Say `inglenook remote HOST`, or set `remote.host` in settings.toml.")
    state = anyio.run(_work, options, config, err)
    if isinstance(state, InglenookError):
        raise state
    return _show(state, out, err)


async def _work(options: argparse.Namespace, config: Config, err: Console) -> BoxState | InglenookError:
    """The state, or why it cannot be told: an error must not leave the group that hears the signals."""
    models = Models(config)
    async with stopping_at_signals():
        try:
            return await _done(options, models.open(), config.remote_start, err)
        except InglenookError as error:
            return error
        finally:
            await models.aclose()


async def _done(options: argparse.Namespace, pool: Pool, start: str, err: Console) -> BoxState:
    """What the command line asks for, in this order: look, accept the key, start the server."""
    state = await look(pool, start=start)
    if options.accept and not state.connected:
        state = await accept(pool, options.accept, start=start)
    if options.start and not state.connected and await _agreed(state, start, err):
        state = await serve(pool, start, start=start)
    return state


async def _agreed(state: BoxState, start: str, err: Console) -> bool:
    """Shows the start command, and lets it be run only after a yes."""
    if not state.start:
        return not start  # then `serve` says that none is set
    err.print(f"On {state.host} this would be run by its shell:")
    err.print(styled(f"  {state.start}", "bold"))
    if not sys.stdin.isatty():
        raise ConfigError("There is no terminal to ask on, so it was not run.", hint="Run it there by hand.")
    err.print("Run it? [b]y[/b]es, or anything else for no: ", end="")
    return (await read_line() or "").casefold() in ("y", "yes")


def _show(state: BoxState, out: Console, err: Console) -> int:
    for words in state.warnings:
        err.print(said("!", words, style="bold red"))
    if state.connected:
        out.print(said("✓", state.words, style="green"))
        return exits.APPLIED
    err.print(said("✗", state.words, style="red", hint=state.hint))
    if state.fingerprint:
        err.print(f"  inglenook remote {state.host} --accept {state.fingerprint}")
    if state.start:
        err.print(f"  inglenook remote {state.host} --start   runs `{state.start}` there, after you have agreed", markup=False)
    return exits.ENDPOINT
