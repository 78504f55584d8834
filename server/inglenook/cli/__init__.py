"""The terminal: which command is meant, who does it, and how it ends."""

from __future__ import annotations

import argparse
import codecs
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TextIO, cast

from inglenook.cli.exits import TABLE, USAGE
from inglenook.cli.streams import Lasting, in_json, open_all_three, plainly
from inglenook.cli.words import emptied, unknown
from inglenook.cli.words import parser as whole
from inglenook.errors import InglenookError, InputError

LONGEST_NAME = 200  # characters of a path that are told


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command line and answers its exit code; never raises for a person."""
    open_all_three()
    warnings.filterwarnings("ignore", category=SyntaxWarning)  # of texts of models and files that are parsed, never of ours
    codecs.register_error("inglenook", plainly)
    codecs.register_error("inglenook-json", in_json)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="inglenook")
    given = list(sys.argv[1:] if words is None else words)
    if given == ["lsp"]:  # as editors start us, who wait: the other commands' words are not even built
        return _serve(None)
    with _lasting_streams():
        options = _options(given)
    if options.command == "lsp":
        return _serve(options.tcp)
    if _as_json(options) and hasattr(sys.stdout, "reconfigure"):  # JSON is UTF-8, or else all of it in ASCII
        utf8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        sys.stdout.reconfigure(encoding="utf-8" if utf8 else "ascii", errors="inglenook-json")
    ours = logging.getLogger("inglenook")
    if not ours.handlers:  # else Python would write our warnings onto the screen, raw; a command that has a log says so itself
        ours.addHandler(logging.NullHandler())
    with _lasting_streams():
        try:
            return _dispatch(options)
        except KeyboardInterrupt:
            from inglenook.cli.ends import interrupted

            return interrupted(json=_as_json(options))
        except InglenookError as error:
            from inglenook.cli.ends import failed

            return failed(error, json=_as_json(options))
        except OSError as error:
            from inglenook.cli.ends import failed

            named = str(error.filename or "")
            where = f" ({named if len(named) <= LONGEST_NAME else named[:LONGEST_NAME] + '…'})" if named else ""
            return failed(InputError(f"The system refused: {error.strerror or error}{where}."), json=_as_json(options))


def _as_json(options: argparse.Namespace) -> bool:
    return bool(getattr(options, "json", False))


@contextmanager
def _lasting_streams() -> Iterator[None]:
    """What cannot be said any more ends nothing: the exit code is that of the work. A reader who left (`| head`) wanted no
    more; anything else is told."""
    before = sys.stdout, sys.stderr
    out, err = Lasting(sys.stdout), Lasting(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield
    finally:
        for stream in (out, err):
            stream.flush()
        if out.lost:
            err.write(f"The output is not whole: {out.lost}.\n")
        sys.stdout, sys.stderr = before


_PLAIN = "\0"  # before a word that is no option; no word of a command line can hold it


def _options(given: list[str]) -> argparse.Namespace:
    """The command line. Paths may stand after options too, and `--` may stand before any word, both of which argparse alone
    does not understand."""
    if "--" in given:
        end = given.index("--")
        given[end:] = [_PLAIN + word for word in given[end + 1 :]]
    parser = whole()
    if not given:
        parser.print_help(sys.stderr)
        parser.exit(USAGE)
    if not given[0].startswith("-") and given[0] not in TABLE:
        parser.error(unknown(given[0]))
    if option := emptied(given, parser):
        parser.error(f"argument {option}: its value is empty")
    if given[0] != "run" and "" in given:
        parser.error("one of the words is empty")
    options, more = parser.parse_known_args(given)
    wrong = more if options.command != "run" else [word for word in more if word.startswith("-")]
    if wrong:
        parser.error(f"unrecognized arguments: {' '.join(wrong).replace(_PLAIN, '')}")
    if options.command == "run":
        _take_task(parser, options, more)
    for name, word in vars(options).items():
        if isinstance(word, str):
            setattr(options, name, word.removeprefix(_PLAIN))
    return options


_COMMANDS: dict[str, tuple[str, str]] = {
    "checks": ("inglenook.cli.checks", "command"),
    "rollback": ("inglenook.cli.ledger", "rollback"),
    "audit": ("inglenook.cli.ledger", "audit"),
    "report": ("inglenook.cli.figures", "command"),
    "forget": ("inglenook.cli.forget", "command"),
    "commit-message": ("inglenook.cli.committing", "command"),
    "models": ("inglenook.cli.models", "command"),
    "doctor": ("inglenook.cli.doctor", "command"),
    "fit": ("inglenook.cli.fit", "command"),
    "remote": ("inglenook.cli.remote", "command"),
    "exam": ("inglenook.cli.exam", "command"),
    "measure": ("inglenook.cli.measure", "command"),
    "sandbox": ("inglenook.cli.sandbox", "command"),
    "run": ("inglenook.cli.run", "command"),
}
"""Command → the module and the function in it that does it, imported only then."""


def _take_task(parser: argparse.ArgumentParser, options: argparse.Namespace, more: Sequence[str]) -> None:
    """The task is the first word that is no option, unless a command of the team says what to do; all others are paths."""
    words = [word for word in (options.task, *options.paths, *more) if word is not None]
    if not words and not options.team:
        parser.error('say what to do, such as: inglenook run "rename Basket to Cart" (inglenook run --help says more)')
    first = "" if options.team else words.pop(0)
    options.task = first
    options.paths = [word.removeprefix(_PLAIN) for word in words]


def _serve(port: int | None) -> int:
    from inglenook.lsp.server import main as lsp

    return lsp(port)


def _dispatch(options: argparse.Namespace) -> int:
    match options.command:
        case "demo":
            from inglenook.demo import command as demo

            return demo(rehearse=options.rehearse)
        case _:
            module, name = _COMMANDS[options.command]
            done: int = getattr(import_module(module), name)(options)
            return done
