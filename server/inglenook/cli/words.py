"""The words of the command line: every command with its options, its help and its exit codes."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from math import inf
from typing import NoReturn

from inglenook import __version__
from inglenook.cli.exits import TABLE, USAGE, in_words

FIT = """\
  inglenook fit                             what this machine can do
  inglenook fit 30B --bits 4 --device 24GB  a size, on a card that you do not have yet
  inglenook fit qwen3-coder:30b             a model that a server here has, by what the server tells of it
  inglenook fit model.gguf --window 64k     a file, by its own header
  inglenook fit 235B-A22B --remote gpubox   on another machine"""


class _Folded(argparse.HelpFormatter):
    """Lines of an epilog stay lines; what is too long for the terminal goes on below itself."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(self._fold(line, width, indent) for line in text.splitlines())

    @staticmethod
    def _fold(line: str, width: int, indent: str) -> str:
        gap = re.match(r" *\S+ {2,}|  \S+ +|", line)
        behind = indent + " " * min(gap.end() if gap else 0, width // 2)
        return textwrap.fill(line, width, initial_indent=indent, subsequent_indent=behind, break_on_hyphens=False)


def parser() -> argparse.ArgumentParser:
    """The whole command line; `error` of it ends the process with the exit code of wrong usage."""
    parser = _Parser(prog="inglenook", description="A coding agent for the editor you already use, run by the model you already own.")
    parser.add_argument("--version", action="version", version=f"inglenook {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_run(commands)
    _add_checks(commands)
    _add_ledger(commands)
    _add_figures(commands)
    _add_models(commands)
    _add_fit(commands)
    _add_doctor(commands)
    _add_remote(commands)
    _add_exam(commands)
    _add_sandbox(commands)
    demo = commands.add_parser("demo", help="the main job on a sample repository, in under a minute")
    demo.add_argument("--rehearse", action="store_true", help="use the rehearsal model even if a real one is found")
    lsp = commands.add_parser("lsp", help="the language server, over stdio")
    lsp.add_argument("--tcp", type=port, default=None, metavar="PORT", help="for debugging: over TCP on this machine instead")
    for name, command in commands.choices.items():
        command.formatter_class = _Folded
        command.epilog = "\n\n".join(filter(None, (command.epilog, in_words(name))))
    return parser


def _add_models(commands: argparse._SubParsersAction[_Parser]) -> None:
    models = commands.add_parser("models", help="list the model servers and their models; pull, load or pin one")
    do = models.add_mutually_exclusive_group()
    do.add_argument("--pull", default="", metavar="NAME", help="have Ollama or LM Studio download a model (they do, from the internet)")
    do.add_argument("--use", default="", metavar="NAME", help="load this model now; others that are loaded make room")
    do.add_argument("--pin", nargs="?", const="", default=None, metavar="NAME", help="write down which build this folder works with")
    do.add_argument("--unpin", action="store_true", help="forget that")
    models.add_argument("--json", action="store_true", help="one JSON object on stdout")
    models.add_argument("--folder", default=".", metavar="DIR", help="the workspace folder to pin in (default: the current one)")
    asked = models.add_mutually_exclusive_group()
    asked.add_argument("--endpoint", default="", metavar="URL", help="ask only this one")
    asked.add_argument("--remote", default="", metavar="HOST[:PORT]", help="ask a machine that ssh reaches")


def _add_doctor(commands: argparse._SubParsersAction[_Parser]) -> None:
    doctor = commands.add_parser("doctor", help="one page: what was found, what is wrong, what to do")
    doctor.add_argument("--json", action="store_true", help="one JSON object on stdout")
    doctor.add_argument("--folder", default=".", metavar="DIR", help="the workspace folder (default: the current one)")
    asked = doctor.add_mutually_exclusive_group()
    asked.add_argument("--endpoint", default="", metavar="URL", help="ask only this model server")
    asked.add_argument("--remote", default="", metavar="HOST[:PORT]", help="look at a machine that ssh reaches")


def _add_fit(commands: argparse._SubParsersAction[_Parser]) -> None:
    fit = commands.add_parser(
        "fit",
        help="whether a model fits this machine, with which window, and which one would",
        epilog=FIT,
    )
    fit.add_argument("model", nargs="?", default="", help="30B, 235B-A22B, a name, or a .gguf file (default: the one that a run would use)")
    fit.add_argument(
        "--bits", default="", metavar="N", help="bits of a weight: 16, 8, 4, or a kind such as q4_K_M (default: as named, else 4)"
    )
    fit.add_argument("--device", default="", metavar="SIZE", help="memory to fit into, such as 24GB (default: what the machine has)")
    fit.add_argument("--window", default="", metavar="TOKENS", help="context window, such as 32k (default: 16k)")
    fit.add_argument("--cache", default="f16", metavar="TYPE", help="type of the KV cache: f16, q8_0, q4_0 (default: f16)")
    fit.add_argument("--json", action="store_true", help="one JSON object on stdout")
    where = fit.add_mutually_exclusive_group()
    where.add_argument("--endpoint", default="", metavar="URL", help="ask this model server about the model")
    where.add_argument("--remote", default="", metavar="HOST[:PORT]", help="a machine that ssh reaches instead of this one")


def _add_remote(commands: argparse._SubParsersAction[_Parser]) -> None:
    remote = commands.add_parser("remote", help="how it stands with a machine that ssh reaches, and its model server")
    remote.add_argument("host", nargs="?", default="", metavar="HOST[:PORT]", help="the machine (default: the one in the settings)")
    remote.add_argument("--accept", default="", metavar="SHA256:…", help="accept its host key, whose fingerprint you have compared")
    remote.add_argument("--start", action="store_true", help="run the start command of the settings there, after showing it")


def _add_exam(commands: argparse._SubParsersAction[_Parser]) -> None:
    exam = commands.add_parser("exam", help="what the model can do as it is served here: tools, edits, cache, window; kept for runs")
    exam.add_argument("--again", action="store_true", help="take it anew; without this, the one that was taken is shown")
    measure = commands.add_parser("measure", help="speed, cache and memory of the model at 1k, 4k, 16k … tokens up to its window")
    measure.add_argument("model", nargs="?", default="", help="name of a model, or path of a .gguf file to serve here")
    measure.add_argument("--up-to", type=tokens, default=None, metavar="TOKENS", help="no longer prompts than this")
    measure.add_argument("--minutes", type=minutes, default=10.0, help="how long it may take (default: 10)")
    exam.add_argument("--model", default="", help="name of a model, or path of a .gguf file to serve here")
    for command in (exam, measure):
        command.add_argument("--json", action="store_true", help="one JSON object on stdout")
        where = command.add_mutually_exclusive_group()
        where.add_argument("--endpoint", default="", metavar="URL", help="OpenAI-compatible server on this machine")
        where.add_argument("--remote", default="", metavar="HOST[:PORT]", help="machine that ssh reaches")
        command.set_defaults(no_rules=False)


def _add_sandbox(commands: argparse._SubParsersAction[_Parser]) -> None:
    sandbox = commands.add_parser("sandbox", help="which walls checks get on this machine; --verify attacks them")
    sandbox.add_argument("--verify", action="store_true", help="make a list of attacks on them, and say what held")
    kinds = ("auto", "bubblewrap", "docker", "podman", "sandbox-exec")
    sandbox.add_argument("--kind", choices=kinds, default="", help="instead of the one in the settings")
    sandbox.add_argument("--image", default="", help="for docker and podman: an image on this machine that has python3")


def _add_run(commands: argparse._SubParsersAction[_Parser]) -> None:
    run = commands.add_parser(
        "run",
        help="do a task in this folder; nothing is written before you accept",
    )
    run.add_argument("task", nargs="?", default=None, help='what to do, in your words ("" where --kind says enough)')
    run.add_argument(
        "paths", nargs="*", help="files or folders it is about; FILE:12-30 for a selection of lines; -- before one that begins with a dash"
    )
    run.add_argument("--kind", choices=("refactor", "edit", "fix", "tests", "document", "explain"), default="edit")
    team = "do what .inglenook/commands/NAME.md says; all other words are paths"
    run.add_argument("--command", dest="team", default="", metavar="NAME", help=team)
    mode = run.add_mutually_exclusive_group()
    mode.add_argument("--yes", action="store_true", help="accept all of it, if all of it fits and no check fails")
    mode.add_argument("--dry-run", action="store_true", help="show what would change, write nothing")
    run.add_argument("--json", action="store_true", help="one JSON object on stdout; asks nothing")
    run.add_argument("--model", default="", help="name of a model, or path of a .gguf file to serve here")
    where = run.add_mutually_exclusive_group()
    where.add_argument("--endpoint", default="", metavar="URL", help="OpenAI-compatible server on this machine")
    where.add_argument("--remote", default="", metavar="HOST[:PORT]", help="machine that ssh reaches, and its model server's port there")
    hosted = "yes, for this one task: what is listed may go to the hosted model of the settings (--yes alone never says so)"
    run.add_argument("--hosted", action="store_true", help=hosted)
    run.add_argument("--outline", choices=("always", "several", "never"), default=None, help="when to show an outline first")
    only = "the agent may read and change this file or folder and no other (again for more of them)"
    run.add_argument("--only", action="append", default=[], metavar="PATH", help=only)
    run.add_argument("--no-rules", action="store_true", help="tell the model nothing of AGENTS.md and .inglenook/rules.md")
    run.add_argument("--folder", default=".", metavar="DIR", help="the workspace folder (default: the current one)")


def _add_checks(commands: argparse._SubParsersAction[_Parser]) -> None:
    checks = commands.add_parser("checks", help="list, adopt or run the checks of this folder; only what you adopt is ever run")
    checks.add_argument("--adopt", nargs="*", default=None, metavar="NAME", help="declare suggested checks: these, or all of them")
    checks.add_argument("--run", nargs="*", default=None, metavar="NAME", help="run declared checks on the folder as it is, in the sandbox")
    checks.add_argument("--folder", default=".", metavar="DIR", help="the workspace folder (default: the current one)")


def _add_ledger(commands: argparse._SubParsersAction[_Parser]) -> None:
    rollback = commands.add_parser("rollback", help="undo what was accepted, hunk by hunk; what was edited since is left alone")
    rollback.add_argument("id", nargs="?", default=None, help="which acceptance (default: the newest)")
    mode = rollback.add_mutually_exclusive_group()
    mode.add_argument("--list", action="store_true", help="list what can be rolled back, newest first")
    mode.add_argument("--yes", action="store_true", help="undo all of it, if all of it fits")
    mode.add_argument("--dry-run", action="store_true", help="show what would change, write nothing")
    rollback.add_argument("--folder", default=".", metavar="DIR", help="the workspace folder (default: the current one)")
    rollback.set_defaults(json=False)
    audit = commands.add_parser("audit", help="the record of what was asked, decided and written in this folder")
    verify = "verify, which is all that there is: whether a record was changed, dropped or moved, and which"
    audit.add_argument("action", nargs="?", choices=("verify",), default="verify", help=verify)
    audit.add_argument("--folder", default=".", metavar="DIR", help="the workspace folder (default: the current one)")


def _add_figures(commands: argparse._SubParsersAction[_Parser]) -> None:
    report = commands.add_parser("report", help="whether it pays here: tasks completed, recovery, waiting, escalation, review burden")
    report.add_argument("--since", default="30d", metavar="TIME", help="30d, 12h, 6w, all, or a date (default: 30d)")
    form = report.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object on stdout")
    form.add_argument(
        "--html", nargs="?", const="inglenook-report.html", default=None, metavar="FILE", help="one HTML file with charts; - for stdout"
    )
    report.add_argument("--compare", nargs=2, default=None, metavar="MODEL", help="two models, or two versions of one: NAME or NAME@DIGEST")
    forget = commands.add_parser(
        "forget", help="delete what is kept of this folder: audit, roll back, numbers, caches; never the folder itself"
    )
    forget.add_argument("--yes", action="store_true", help="do not ask")
    commit = commands.add_parser("commit-message", help="a message for what is staged, on stdout; nothing is committed")
    commit.add_argument("--trailers", action="store_true", help="only the trailers for what was accepted here; no model is asked")
    commit.add_argument("--model", default="", help="name of a model")
    commit.add_argument("--endpoint", default="", metavar="URL", help="OpenAI-compatible server on this machine")
    for each in (report, forget, commit):
        each.add_argument("--folder", default=".", metavar="DIR", help="the workspace folder (default: the current one)")


def emptied(given: Sequence[str], parser: argparse.ArgumentParser) -> str:
    """The first option whose value is empty, as in --only "$UNSET"; "" if there is none. It would mean as much as no option."""
    for before, word in pairwise(given):
        if not word and before in _valued(parser):
            return before
    return next((word[:-1] for word in given if word.endswith("=") and word[:-1] in _valued(parser)), "")


def _valued(parser: argparse.ArgumentParser) -> frozenset[str]:
    """The options of all commands that take a value."""
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    actions = (action for command in commands.choices.values() for action in command._actions)
    return frozenset(name for action in actions if action.nargs != 0 for name in action.option_strings)


def unknown(word: str) -> str:
    """What to say to a first word that is no command: what may have been meant."""
    import difflib

    if " " in word.strip():
        return f'there is no command {word!r}; a task is said like this: inglenook run "{word}"'
    near = difflib.get_close_matches(word, TABLE, n=1)
    return f"there is no command {word!r}; " + (f"did you mean {near[0]}?" if near else "inglenook --help lists them all")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def tokens(words: str) -> int:
    if (number := int(words)) < 1:
        raise ValueError
    return number


def minutes(words: str) -> float:
    if not 0 < (number := float(words)) < inf:
        raise ValueError
    return number


def port(words: str) -> int:
    number = int(words)
    if not 0 <= number < 65_536:
        raise argparse.ArgumentTypeError(f"{words} is not a port")
    return number
