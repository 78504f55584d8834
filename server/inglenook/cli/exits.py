"""Exit codes: what each means for each command, and which one an end or an error deserves."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from inglenook import errors

if TYPE_CHECKING:
    from inglenook.app.events import Ended

APPLIED = 0
NOTHING = 1
USAGE = 2
ENDPOINT = 3
CHECKS = 4
REFUSED = 5
INTERRUPTED = 130

EVERY: Final[Mapping[int, str]] = MappingProxyType(
    {
        USAGE: "the command line, the settings, a file, a folder or a program that is needed cannot be used",
        INTERRUPTED: "interrupted",
    }
)
"""What any command may end with."""

_MODEL = "the model or its server failed, or nobody serves one"
TABLE: Final[Mapping[str, Mapping[int, str]]] = MappingProxyType(
    {
        "run": {
            APPLIED: "applied; or `--dry-run` with a proposal; or answered",
            NOTHING: "nothing to do",
            ENDPOINT: "the model or its server failed, or the run ended at a limit",
            CHECKS: "a check fails with the change that does not fail without it, so `--yes` did not accept it",
            REFUSED: "not accepted, or files changed meanwhile; without a terminal and without `--yes` always, if there is a proposal",
        },
        "checks": {
            APPLIED: "listed, adopted, or all that were run passed",
            NOTHING: "nothing to adopt or to run",
            CHECKS: "a check did not pass, or could not be run",
        },
        "rollback": {
            APPLIED: "undone; or `--list` or `--dry-run` with something to undo",
            NOTHING: "nothing to roll back",
            REFUSED: "not accepted, files changed since, or the record of it cannot be used",
        },
        "audit": {APPLIED: "the record is whole", NOTHING: "nothing was recorded yet", CHECKS: "a record was changed, dropped or moved"},
        "report": {APPLIED: "shown", NOTHING: "nothing to report yet", REFUSED: "the numbers cannot be read"},
        "forget": {
            APPLIED: "deleted",
            NOTHING: "nothing is kept of the folder",
            REFUSED: "not agreed to, or somebody has it open",
        },
        "commit-message": {
            APPLIED: "a message, or trailers",
            NOTHING: "nothing is staged; or `--trailers` and there are none",
            ENDPOINT: _MODEL,
        },
        "models": {
            APPLIED: "listed, or done",
            NOTHING: "`--unpin`, and none was",
            ENDPOINT: "nobody serves models, or the server refused",
        },
        "doctor": {APPLIED: "all well", NOTHING: "warnings", ENDPOINT: "something without which no run works; 2 if it is the settings"},
        "fit": {
            APPLIED: "answered, whether it fits or not (in `--json`: `fits`)",
            ENDPOINT: "the box or the server cannot be reached",
        },
        "remote": {APPLIED: "a model server of the box can be used", ENDPOINT: "none can, with the reason"},
        "exam": {APPLIED: "taken, or shown", ENDPOINT: _MODEL},
        "measure": {APPLIED: "measured", ENDPOINT: f"{_MODEL}, so that nothing was measured"},
        "sandbox": {
            APPLIED: "all attacks were held; without `--verify`: there is a sandbox",
            CHECKS: "something was not held",
            REFUSED: "there is no sandbox, or it could not be made; nothing was run",
        },
        "demo": {APPLIED: "all of it worked", NOTHING: "not all of it worked", ENDPOINT: "it could not be played"},
        "lsp": {APPLIED: "shut down as asked", NOTHING: "the editor went away without that"},
    }
)
"""Command → code → what it means, beside what EVERY says."""

_USERS = (errors.InputError, errors.WorkspaceError)


def codes_of(*families: type[errors.InglenookError]) -> frozenset[str]:
    """The error codes of these classes and of all below them."""
    found = set(families)
    for family in families:
        found |= _below(family)
    return frozenset(c.code for c in found)


def _below(family: type[errors.InglenookError]) -> set[type[errors.InglenookError]]:
    return {inner for c in family.__subclasses__() for inner in {c, *_below(c)}}


USERS = codes_of(*_USERS)


def of_end(ended: Ended) -> int:
    """The exit code of a run that left nothing to review."""
    match ended.state:
        case "done":
            return APPLIED
        case "nothing":
            return NOTHING
        case "declined":
            return REFUSED
        case "cancelled":
            return INTERRUPTED
        case "limited":
            return ENDPOINT
        case "failed":
            return USAGE if ended.code in USERS else ENDPOINT


def of_error(error: errors.InglenookError) -> int:
    """The exit code of an error before or after a run."""
    match error:
        case errors.NothingToDo():
            return NOTHING
        case errors.StaleError() | errors.LedgerError() | errors.SandboxUnavailable():
            return REFUSED
        case errors.InputError() | errors.WorkspaceError() | errors.ProcessError():
            return USAGE
        case _:
            return ENDPOINT


def in_words(command: str) -> str:
    """The codes of a command as its --help tells them."""
    codes = {**TABLE[command], **EVERY}
    return "exit codes:\n" + "\n".join(f"  {code:<4}{codes[code].replace('`', '')}" for code in sorted(codes))


def in_markdown() -> str:
    """All of it as docs/terminal.md shows it."""
    rows = [f"| `{name}` | {code} | {words} |" for name, codes in TABLE.items() for code, words in codes.items()]
    every = [f"| every command | {code} | {words} |" for code, words in EVERY.items()]
    return "\n".join(["| command | code | |", "|---|---|---|", *rows, *every]) + "\n"
