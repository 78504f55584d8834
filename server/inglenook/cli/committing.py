"""`inglenook commit-message`: a message for what is staged, on stdout, for `git commit -F -`. Nothing is committed here."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import anyio

from inglenook.app import committing
from inglenook.app.config import Config, environment, load, resolve
from inglenook.app.runs import Runs
from inglenook.app.services import Services, build
from inglenook.cli import exits
from inglenook.cli.run import folder_of
from inglenook.errors import InglenookError
from inglenook.terminal import clean, console, said, stopping_at_signals

NONE = "Nothing of what is staged was accepted here since the last commit."


def command(options: argparse.Namespace) -> int:
    """Prints the message, or only the trailers; 1 if there are no trailers."""
    err = console(sys.stderr)
    services = build(_config(options), [str(folder_of(options.folder))])
    found = anyio.run(_write, services, options.trailers)
    if found.withheld:
        one = found.withheld == 1
        err.print(said("!", f"{found.withheld} staged file{'' if one else 's'} {'is' if one else 'are'} kept from models.", style="yellow"))
    if not found.text and not found.trailers:
        err.print(said("·", NONE, style="yellow"))
        return exits.NOTHING
    print(clean(found.whole), end="")
    return exits.APPLIED


def _config(options: argparse.Namespace) -> Config:
    """The user's settings, with the server and the model that the command line names."""
    env = environment()
    config = resolve(load(env), env)
    if options.endpoint:
        config = replace(config, url=options.endpoint, model="", remote="")
    return replace(config, model=options.model) if options.model else config


async def _write(services: Services, only_trailers: bool) -> committing.Message:
    failed: InglenookError | None = None
    found = committing.Message("", ())
    async with stopping_at_signals(), anyio.create_task_group() as group:
        runs = Runs(services, group)
        try:
            if only_trailers:
                found = committing.Message("", await committing.trailers(services, runs.ledger))
            else:
                found = await committing.message(services, runs.ledger, runs.record, new_id=services.new_id)
        except InglenookError as error:  # a group would wrap it up
            failed = error
        finally:
            await runs.aclose()
    if failed is not None:
        raise failed
    return found
