"""`inglenook forget`: what is kept of this folder is shown, deleted once a person agrees, and named."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from inglenook.app.config import environment, load, resolve
from inglenook.app.remembering import Remembered
from inglenook.cli import exits
from inglenook.cli.run import folder_of
from inglenook.ledger.disk import folder_for
from inglenook.ledger.forgetting import Deleted, forget, kept
from inglenook.terminal import console, said

NO_TERMINAL = "Nothing was deleted: nobody can be asked here. Pass --yes to delete it."


def command(options: argparse.Namespace) -> int:
    """Deletes what is kept of the folder; 1 if that is nothing, 5 if the person says no or another Inglenook has it open."""
    out, err = console(sys.stdout), console(sys.stderr)
    env = environment()
    state_dir = resolve(load(env), env).state_dir
    root = str(folder_of(options.folder).resolve())
    return _forget(state_dir, root, out, err, yes=options.yes)


def _forget(state_dir: str, root: str, out: Console, err: Console, *, yes: bool) -> int:
    folder, memory = folder_for(state_dir, root), Remembered(state_dir)
    found, answered = kept(folder), memory.never(root)
    if not found and not answered:
        out.print(said("·", f"Nothing is kept of {root}.", style="yellow"))
        return exits.NOTHING
    if not yes and not _agreed(root, found, out, err):
        return exits.REFUSED
    for one in forget(folder):
        out.print(said("✓", f"Deleted: {_words(one)}.", style="green"))
    if answered:
        memory.forget(root)
        out.print(said("✓", "Forgotten: that checks are never to be offered here.", style="green"))
    out.print(said("·", f"{root} itself was not touched.", style="bright_black"))
    return exits.APPLIED


def _agreed(root: str, found: tuple[Deleted, ...], out: Console, err: Console) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        err.print(said("✗", NO_TERMINAL, style="red"))
        return False
    out.print(f"Of {root} are kept:", markup=False)
    for one in found:
        out.print(f"  {_words(one)}", markup=False)
    out.print("Nothing that was accepted here can be rolled back afterwards. Delete all of it? [y/N] ", end="", style="bold", markup=False)
    try:
        agreed = input().strip().casefold() in ("y", "yes")
    except EOFError:
        agreed = False
    if not agreed:
        out.print(said("·", "Nothing was deleted.", style="yellow"))
    return agreed


def _words(one: Deleted) -> str:
    return f"{one.what} ({one.files:,} file{'s' * (one.files != 1)}, {_size(one.bytes)})"


def _size(count: int) -> str:
    return f"{count:,} bytes" if count < 1_000 else f"{count / 1e3:.1f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"
