"""The facts that are written down: one closed union, plain values only, to JSON and back.

No fact holds a text of the workspace or of a model: of those there are sizes and hashes, unless the user asked for the
texts (`TextSent`, the setting `ledger.texts`). What looks like a credential is withheld in words of every kind.
A field with a default is younger than the others: records without it are read with the default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

Who = Literal["person", "--yes", "--hosted", "nobody"]
Decision = Literal["accepted", "rejected", "stale", "pending"]


@dataclass(frozen=True, slots=True)
class FileMark:
    """One file of a change: places below their folder's real path `root`, SHA-256 (hex) of its UTF-8 text before and after
    ("" where there is no file), and the ids of its hunks. `to` is "" unless it was renamed."""

    root: str
    path: str
    to: str
    base: str
    result: str
    hunks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckMark:
    """One check and what it said; milliseconds of wall time."""

    name: str
    state: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class TaskAsked:
    """A run began. `words` is the instruction, redacted; `paths` the files it is about, with lines where there is a selection;
    `grants` what it may touch."""

    run: str
    task: str
    words: str
    paths: tuple[str, ...]
    grants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GrantRevoked:
    """A place was taken back from a run while it went on; "" for everything."""

    run: str
    place: str


@dataclass(frozen=True, slots=True)
class ModelLeased:
    """A run has its model. `window` in tokens, 0 if it was not told; `digest` of the model's file and `server` (its kind and
    version) as the server tells them, "" if it does not."""

    run: str
    endpoint: str
    model: str
    window: int
    digest: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True)
class Escalated:
    """A run goes on with a model on somebody else's machine, because a person said so for this task: which, what was shown
    before (the files by name, bytes and estimated tokens of what would be sent, how many credentials are withheld), and
    who consented."""

    run: str
    endpoint: str
    model: str
    reason: str
    files: tuple[str, ...]
    bytes: int
    tokens: int
    withheld: int
    who: Who


@dataclass(frozen=True, slots=True)
class TextSent:
    """The text of a request, credentials withheld; only where the user asked for it (`ledger.texts`). `number` is that of the
    request; `sha256` as in its RequestSent."""

    run: str
    number: int
    sha256: str
    text: str


@dataclass(frozen=True, slots=True)
class OutlineAnswered:
    """The first gate: how many steps were shown, and the answer."""

    run: str
    steps: int
    answer: Literal["approved", "sent back", "declined"]


@dataclass(frozen=True, slots=True)
class RequestSent:
    """What went to the model, by its size: its number in the run, bytes of its messages, an estimate of its tokens, and
    the SHA-256 (hex) of those bytes ("" where it is not known)."""

    run: str
    number: int
    bytes: int
    tokens: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ReplyCame:
    """A reply is whole: the name the server gives its model, tokens in and out, and those it had cached (-1: not told)."""

    run: str
    model: str
    prompt: int
    output: int
    cached: int


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A tool was used. `path` is the real, resolved place ("" where it is about none)."""

    run: str
    tool: str
    path: str
    ok: bool
    words: str


@dataclass(frozen=True, slots=True)
class ProposalMade:
    """Something is in review. `undoes` is the acceptance that it would roll back ("" for an agent's proposal)."""

    run: str
    proposal: str
    title: str
    files: tuple[FileMark, ...]
    undoes: str


@dataclass(frozen=True, slots=True)
class ProposalEdited:
    """A person edited what was proposed for a file, before accepting it. `lines` are theirs, in the edited text: "12-14", counted from
    1, last included; "12-11" is the place before line 12 where lines were only taken out."""

    proposal: str
    root: str
    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HunksRefitted:
    """Hunks of a file that a person had typed into were fitted to that without a model: `hunks` did not fit, `now` came in their place
    (none where the person had made the change alone)."""

    proposal: str
    root: str
    path: str
    hunks: tuple[str, ...]
    now: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VerdictGiven:
    """What the checks said about a proposal."""

    proposal: str
    state: str
    words: str
    checks: tuple[CheckMark, ...]


@dataclass(frozen=True, slots=True)
class HunksDecided:
    """The second gate: hunks, the decision, and who decided."""

    proposal: str
    hunks: tuple[str, ...]
    decision: Decision
    who: Who


@dataclass(frozen=True, slots=True)
class EditBegun:
    """An accepted edit is about to be made; what is needed to undo it is kept under `acceptance`. Written before any file."""

    acceptance: str
    proposal: str
    hunks: tuple[str, ...]
    who: Who
    files: tuple[FileMark, ...]


@dataclass(frozen=True, slots=True)
class EditMade:
    """How an accepted edit went; `hunks` are those that are in the files now."""

    acceptance: str
    proposal: str
    hunks: tuple[str, ...]
    made: bool


@dataclass(frozen=True, slots=True)
class RolledBack:
    """An acceptance was undone, in whole or in part: by the acceptance `by`, of the proposal `proposal`."""

    acceptance: str
    by: str
    proposal: str
    hunks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run is over; `code` is that of the error it failed with ("" if it did not)."""

    run: str
    state: str
    code: str
    proposal: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """The ledger itself was found damaged and was put right: how many bytes of an unfinished record were taken off and their
    SHA-256 (hex), and how many whole records are missing before this one."""

    words: str
    torn: int
    sha256: str
    missing: int


Fact = (
    TaskAsked
    | GrantRevoked
    | ModelLeased
    | Escalated
    | TextSent
    | OutlineAnswered
    | RequestSent
    | ReplyCame
    | ToolCalled
    | ProposalMade
    | ProposalEdited
    | HunksRefitted
    | VerdictGiven
    | HunksDecided
    | EditBegun
    | EditMade
    | RolledBack
    | RunEnded
    | Repaired
)

KINDS: Mapping[str, type[Any]] = {re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower(): cls for cls in get_args(Fact)}  # "task_asked", …
_NAMES = {cls: kind for kind, cls in KINDS.items()}
_MARKS: Mapping[str, type[FileMark] | type[CheckMark]] = {"files": FileMark, "checks": CheckMark}  # fields that hold rows


def kind_of(fact: Fact) -> str:
    """The name of a fact's kind in a record: "task_asked", "edit_made", …"""
    return _NAMES[type(fact)]


def plain(fact: Fact | FileMark | CheckMark) -> dict[str, object]:
    """The fields of a fact as JSON has them."""
    return {field.name: _plain(getattr(fact, field.name)) for field in fields(fact)}


def _plain(value: Any) -> object:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return plain(value) if isinstance(value, FileMark | CheckMark) else value


def fact_of(kind: str, values: Mapping[str, Any]) -> Fact:
    """The fact that `plain` made these values of. KeyError or TypeError for values that are none."""
    made: Fact = KINDS[kind](**{name: _value(name, value) for name, value in values.items()})
    return made


def _value(name: str, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return tuple(_MARKS[name](**{key: _value(key, v) for key, v in each.items()}) if isinstance(each, dict) else each for each in value)
