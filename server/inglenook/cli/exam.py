"""`inglenook exam`: what the model can do as it is served here; the result is kept, and every run uses it from then on."""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import anyio
from rich.console import Console

from inglenook.app.config import Config
from inglenook.app.services import Models
from inglenook.cli import exits
from inglenook.cli.keeping import keep, log_to
from inglenook.cli.run import configured
from inglenook.errors import InglenookError, InputError
from inglenook.terminal import console, said, stopping_at_signals, styled

if TYPE_CHECKING:
    from inglenook.endpoints.exam import Exam


def command(options: argparse.Namespace) -> int:
    """Takes the exam, or shows the one that was taken; 3 if the model's side fails."""
    out, err = console(sys.stdout), console(sys.stderr)
    config = configured(options)
    log_to(config.state_dir)
    found = anyio.run(_examined, config, options.again, err)
    if isinstance(found, InglenookError):
        raise found
    exam, words = found
    if options.json:
        from inglenook.endpoints.exam import as_json

        print(json.dumps(as_json(exam), ensure_ascii=False, indent=2))
    else:
        show(out, exam, words)
    return exits.APPLIED


async def _examined(config: Config, again: bool, err: Console) -> tuple[Exam, str] | InglenookError:
    """An error comes back as a value: through a block it would come as a group of one."""
    from inglenook.endpoints import exam, questions

    async with stopping_at_signals():
        models = Models(config)
        try:
            async with models.lease(tell=lambda words: err.print(said("·", words, style="bright_black"))) as lease:
                if lease.info is None or lease.make is None:
                    raise InputError("A hosted model is not examined: every question would cost money.")
                kept = None if again else exam.load(config.cache_dir, lease.endpoint, lease.info)
                if kept is not None:
                    return kept, f"{lease.model}, {lease.endpoint.words}, examined {kept.taken}"
                err.print(said("·", f"{lease.model}, {lease.endpoint.words}: about a minute.", style="bright_black"))
                taken = await questions.take(
                    lease.endpoint,
                    lease.info,
                    lease.make,
                    window=lease.info.window or lease.profile.window,
                    clock=time.monotonic,
                    tell=lambda words: err.print(said("·", words, style="bright_black")),
                )
                keep(partial(exam.save, config.cache_dir, lease.endpoint, lease.info, taken), err)
                return taken, f"{lease.model}, {lease.endpoint.words}, in {taken.seconds:.0f} s"
        except InglenookError as error:
            return error
        finally:
            await models.aclose()


def show(out: Console, exam: Exam, words: str) -> None:
    from inglenook.endpoints.exam import report

    out.print(styled(words, "bold"))
    for subject, found in report(exam):
        out.print(styled(f"  {subject:<16}", "bright_black").append(found))
