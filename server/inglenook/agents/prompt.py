"""How a task, texts and answers are put into words for a model. Pure: the texts themselves are Markdown in `prompts/`.

The system text is the same for every task. What comes after it goes from what changes least to what changes most:
the files, what was found, the selection, and the task last. Nothing that was said is ever said again differently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inglenook.agents.port import Earlier, Task
from inglenook.errors import InglenookError
from inglenook.workspace.paths import JailedPath

SELECTION_LINES = 30
TITLE_CHARACTERS = 60
MANY_NAMES = 24
MANY_PROBLEMS = 12
LONG_PROBLEM = 2_000  # characters
ALONE_TITLES = {
    "refactor": "Refactor",
    "edit": "Improve",
    "fix": "Fix",
    "tests": "Write tests for",
    "document": "Document",
    "explain": "Explain",
}


@dataclass(frozen=True)
class Piece:
    """Lines of a file as told to a model: 0-based, `last` excluded. `text` is the lines with \\n as line end;
    None says that the file does not exist yet."""

    path: JailedPath
    first: int
    last: int
    total: int
    text: str | None

    @property
    def whole(self) -> bool:
        return self.text is not None and self.first == 0 and self.last >= self.total


@dataclass(frozen=True)
class Found:
    """Where a name occurs: `places` as path:line, ready to show."""

    name: str
    places: tuple[str, ...]
    more: int = 0


@dataclass(frozen=True)
class Gathered:
    """What is surely meant by a task. `complete`: nothing more is needed to begin, as far as one can tell.
    `listing`: paths (or folders with counts) of the project; `tests`: some test files; `notes`: for the person.
    `symbols`: files with what they define, ready to show."""

    pieces: tuple[Piece, ...] = ()
    complete: bool = False
    selected: Piece | None = None
    found: tuple[Found, ...] = ()
    listing: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()


def sections(text: str) -> dict[str, str]:
    """The sections of a Markdown file by their `## title`."""
    parts = re.split(r"^## +(\S+) *\n", text, flags=re.MULTILINE)
    return {title: body.strip("\n") for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def fenced(text: str) -> str:
    """A text between fences that are longer than any fence in it."""
    longest = max((len(run) for run in re.findall(r"^\s*(`{3,})", text, flags=re.MULTILINE)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}"


def title(task: Task) -> str:
    """A line of at most 60 characters for a person."""
    words = " ".join(task.instruction.split())
    if not words:
        about = task.focus.path.shown if task.focus else ", ".join(p.shown for p in task.paths) or "this workspace"
        problem = " ".join(task.diagnoses[0].message.split()) if task.diagnoses else ""
        words = f"{ALONE_TITLES[task.kind]} {about}" + (f": {problem}" if problem else "")
    return words if len(words) <= TITLE_CHARACTERS else words[: TITLE_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"


@dataclass(frozen=True)
class Wording:
    """All texts that are said to models: a system text for each way of working, and phrases by name."""

    direct: str
    loop: str
    reader: str
    phrases: Mapping[str, str]

    def say(self, name: str, /, **values: object) -> str:
        """A phrase with its braces filled in; values may contain braces themselves."""
        return re.sub(r"\{(\w+)\}", lambda m: str(values[m.group(1)]), self.phrases[name])

    def piece(self, piece: Piece) -> str:
        """A file or lines of it, in the shape in which blocks are answered."""
        shown = piece.path.shown
        if piece.text is None:
            return self.say("missing", path=shown)
        if not piece.text:
            return self.say("empty", path=shown)
        lines = "" if piece.whole else self.say("lines", first=piece.first + 1, last=piece.last, total=piece.total) + "\n"
        return f"{lines}{shown}\n{fenced(piece.text)}"

    def first(self, task: Task, gathered: Gathered, rules: str = "") -> str:
        """The first message: the project's rules, files, then what is known of them, then the task."""
        parts: list[str] = [rules] if rules else []
        if gathered.listing:
            parts.append(self.say("listing") + "\n" + "\n".join(gathered.listing))
        if gathered.symbols:
            parts.append(self.say("symbols") + "\n" + "\n".join(gathered.symbols))
        parts += [self.piece(piece) for piece in gathered.pieces]
        for found in gathered.found:
            places = ", ".join(found.places) + (f" and {found.more} more" if found.more else "")
            parts.append(self.say("found", name=found.name, places=places))
        if gathered.tests:
            parts.append(self.say("tests_here", paths=", ".join(gathered.tests)))
        if task.diagnoses:
            parts.append(self.say("problems") + "\n" + "\n".join(_problem(d.path, d.line, d.message, d.source) for d in task.diagnoses))
        parts += self._about(task, gathered)
        if task.earlier is not None:
            parts += self._earlier(task.earlier)
        parts.append(self.task(task))
        return "\n\n".join(parts)

    def task(self, task: Task) -> str:
        """The task itself, one paragraph."""
        words = task.instruction.strip()
        told = self.say(task.kind, words=words) if words else self.say(f"{task.kind}_alone")
        return self.say("task", words=told)

    def _earlier(self, earlier: Earlier) -> Sequence[str]:
        """What was proposed before, what is not wanted, and the person's words."""
        told = {"earlier": earlier.left, "rejected": earlier.rejected, "unfit": earlier.unfit}
        diffs = [self.say(name) + "\n" + fenced(diff) for name, diff in told.items() if diff]
        return [*diffs, self.say("otherwise", words=earlier.words)] if earlier.words else diffs

    def _about(self, task: Task, gathered: Gathered) -> Sequence[str]:
        focus, selected = task.focus, gathered.selected
        if focus is None:
            return ()
        if selected is None or selected.text is None:
            alone = len(gathered.pieces) == 1 and gathered.pieces[0].path == focus.path
            return () if alone else (self.say("about", path=focus.path.shown),)
        if any(p.path == focus.path and (p.first, p.last) == (selected.first, selected.last) for p in gathered.pieces):
            return (self.say("about", path=f"lines {selected.first + 1}-{selected.last} of {focus.path.shown}"),)
        where = {"first": selected.first + 1, "last": selected.last, "path": focus.path.shown}
        lines = [line for line in selected.text.splitlines() if line.strip()]
        if selected.last - selected.first <= SELECTION_LINES or len(lines) < 2:
            return (self.say("selected", **where) + "\n" + fenced(selected.text),)
        return (self.say("selected_long", head=lines[0].strip(), tail=lines[-1].strip(), **where),)


def _problem(path: JailedPath, line: int, message: str, source: str) -> str:
    told = " ".join(message.split())
    return f"- {path.shown}:{line + 1}: {told}" + (f" ({source})" if source else "")


_STEP = re.compile(r"(?:\*\*)?(?:step\s+)?\d+(?:\*\*)?\s*[.):\-](?:\*\*)?\s*(.+)", re.IGNORECASE)


def steps(text: str, limit: int = 20) -> tuple[str, ...]:
    """The steps of an outline: numbered or dashed lines, else every line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("```")]
    listed = [
        m.group(1) for line in lines if (m := re.match(r"(?:\*\*)?(?:step\s+)?\d+(?:\*\*)?\s*[.):\-](?:\*\*)?\s*(.+)", line, re.IGNORECASE))
    ]
    if not listed:
        listed = [m.group(1) for line in lines if (m := re.match(r"[-*•]\s+(.+)", line))]
    return tuple((listed or lines)[:limit])


def needs(prose: str) -> tuple[str, ...]:
    """What a reply asks to see: `NEED path_or_name`, each on its own line; no more than a person would."""
    found = (re.match(r"\s*(?:[-*]\s+|\d+[.)]\s+)?[`*]*NEED:?[`*]*\s+(.+)", line) for line in prose.splitlines())
    names = [part for m in found if m for part in re.split(r",\s*|\s+and\s+", m.group(1))]
    cleaned = (n.strip().rstrip(".,;").strip("`*'\"").removesuffix("()") for n in names)
    return tuple(dict.fromkeys(n for n in cleaned if n and " " not in n))[:MANY_NAMES]


def only_needs(text: str) -> tuple[str, ...]:
    """What a reply asks to see, if it says nothing else."""
    lines = [line for line in text.splitlines() if line.strip()]
    return needs(text) if all(needs(line) for line in lines) else ()


def says_nothing(prose: str) -> str | None:
    """The reason, if a reply says that there is nothing to change; None if it does not."""
    m = re.match(r"\s*[`*]*NOTHING\b[`*]*\s*[:.,–—-]*\s*(.*)", prose, re.DOTALL)
    return " ".join(m.group(1).split()) if m else None


def told(error: InglenookError) -> str:
    """An error for a model: what happened, and what to do, on a line of its own below a quotation."""
    message = error.message.rstrip()
    return f"{message}\n{error.hint}".rstrip() if "\n" in message else str(error)


def bulleted(problems: Sequence[str]) -> str:
    """A list of what went wrong, of a length that no model can provoke."""
    shown = [f"- {p if len(p) <= LONG_PROBLEM else p[: LONG_PROBLEM - 1] + '…'}" for p in dict.fromkeys(problems[:MANY_PROBLEMS])]
    left = len(problems) - MANY_PROBLEMS
    return "\n".join([*shown, f"- and {counted(left, 'problem')} more"] if left > 0 else shown)


def after_repairs(repairs: int) -> str:
    """The end of a sentence on what still fails, when so many repairs were allowed."""
    return f" after {counted(repairs, 'repair')}" if repairs else "; no repair is allowed (`inglenook.limits.repairs` is 0)"


def counted(number: int, noun: str) -> str:
    """ "1 turn", "2 turns"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
