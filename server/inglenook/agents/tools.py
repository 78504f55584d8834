"""The tools of the loop: what a model is told of them, how their arguments are read, and what using one answers.

A tool never raises for what a model did: a wrong path, a missing file, an edit that fits nowhere or twice, an unknown
tool or broken arguments are all answered in words, and the loop goes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inglenook.agents import lookup, showing
from inglenook.agents.desk import Desk
from inglenook.agents.port import Drafted, Tell, Used
from inglenook.agents.prompt import told
from inglenook.agents.validating import new_faults
from inglenook.errors import EditError, FileMissing, InputError, WorkspaceError
from inglenook.llm.messages import ToolCall, ToolSpec
from inglenook.llm.meter import estimate_tokens
from inglenook.proposal.edits import Edit, lay
from inglenook.workspace.paths import JailedPath

SAME_FAILURES = 3
RESULT_TOKENS = 4_000
LEAST_RESULT = 400


@dataclass(frozen=True)
class Parameter:
    """One argument: "string" or "integer". `also` are the names that models use for it out of habit; `choices` all values
    that it may have, () for any."""

    name: str
    type: str = "string"
    required: bool = True
    also: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": self.type, "enum": list(self.choices)} if self.choices else {"type": self.type}


@dataclass(frozen=True)
class Tool:
    """One row of the table from which specs, reading of arguments and dispatch come."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    changes: bool = False

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(
            self.name,
            self.description,
            {
                "type": "object",
                "properties": {p.name: p.schema for p in self.parameters},
                "required": [p.name for p in self.parameters if p.required],
            },
        )


_PATH = Parameter("path", also=("file", "file_path", "filepath", "filename", "file_name", "target_file"))
_FOLDER = Parameter("folder", required=False, also=("path", "dir", "directory"))
TOOLS = (
    Tool("list", "List files", (_FOLDER,)),
    Tool(
        "read",
        "Read a file, or its lines first to last",
        (
            _PATH,
            Parameter("first", "integer", required=False, also=("start", "start_line", "line_start", "offset")),
            Parameter("last", "integer", required=False, also=("end", "end_line", "line_end")),
        ),
    ),
    Tool("search", "Find lines in all files by text or regex", (Parameter("text", also=("pattern", "query", "regex", "symbol")), _FOLDER)),
    Tool(
        "edit",
        "Replace one place in a file",
        (
            _PATH,
            Parameter("search", also=("old", "old_string", "old_str", "old_text", "find")),
            Parameter("replace", also=("new", "new_string", "new_str", "new_text", "replacement")),
        ),
        changes=True,
    ),
    Tool("create", "Write a new file", (_PATH, Parameter("text", also=("content", "contents", "file_text", "code"))), changes=True),
    Tool("delete", "Delete a file", (_PATH,), changes=True),
    Tool(
        "rename",
        "Move a file",
        (
            Parameter("path", also=("from", "old_path", "source", "old", *_PATH.also)),
            Parameter("to", also=("new_path", "destination", "target", "new")),
        ),
        changes=True,
    ),
    Tool("done", "End the task", (Parameter("summary", also=("message", "text", "result", "answer")),)),
)
BY_NAME = {tool.name: tool for tool in TOOLS}
CHANGING = frozenset(tool.name for tool in TOOLS if tool.changes)
LOOKING = frozenset({"list", "read", "search"})
SPECS = tuple(tool.spec for tool in TOOLS)


def offered(desk: Desk) -> tuple[Tool, ...]:
    """The tools over one desk: with `run_check` where checks are declared, which takes one of their names."""
    if desk.checks is None or not desk.checks.names:
        return TOOLS
    name = Parameter("name", also=("check",), choices=desk.checks.names)
    tests = Parameter("tests", required=False, also=("test", "test_ids", "ids"))
    return (*TOOLS[:-1], Tool("run_check", "Run a check on your edits", (name, tests)), TOOLS[-1])


@dataclass(frozen=True)
class Result:
    """What a call came to: words for the model, and whether it worked."""

    text: str
    ok: bool
    words: str = ""


class Toolbox:
    """The tools over one desk. `read_only` says why nothing may be changed now ("" if it may); `seen`: paths of files that
    the model was shown."""

    def __init__(self, desk: Desk, tell: Tell) -> None:
        self._desk = desk
        self._tell = tell
        self._tools = {tool.name: tool for tool in offered(desk)}
        self._failures: dict[tuple[str, str], int] = {}
        self._known: dict[tuple[str, str], str] = {}
        self.seen: set[str] = set()
        self.read_only = ""
        self.stuck = ""

    def forget(self) -> None:
        """What was told before does not stand in the transcript any more: it is told again if it is asked for."""
        self._known.clear()

    async def use(self, call: ToolCall, room: int) -> Result:
        """Uses one tool; `room` are the tokens left in the window. After the same call for the third time in vain `stuck`
        says what it was."""
        key = (call.name, call.problem or _canonical(call.arguments))
        result = self._repeated(key, await self._use(call, max(LEAST_RESULT, min(RESULT_TOKENS, room // 2))))
        self._tell(Used(call.name, _subject(call), result.ok, result.words or result.text.split("\n", 1)[0]))
        if result.ok and call.name in CHANGING:
            self._failures.clear()
        elif not result.ok:
            self._failures[key] = self._failures.get(key, 0) + 1
            if self._failures[key] >= SAME_FAILURES:
                self.stuck = f"the model repeated the same call {SAME_FAILURES} times in vain: {call.name} {_subject(call)}".rstrip()
        return result

    def _repeated(self, key: tuple[str, str], result: Result) -> Result:
        """A result that the model has already, word for word, is not told again."""
        if not result.ok or key[0] not in LOOKING:
            return result
        if self._known.get(key) == result.text:
            return Result("The same as before; see above.", False)
        self._known[key] = result.text
        return result

    async def _use(self, call: ToolCall, limit: int) -> Result:
        tool = self._tools.get(call.name)
        if call.problem:
            return Result(call.problem, False)
        if tool is None:
            return Result(f"There is no tool {call.name}. The tools are: {', '.join(self._tools)}.", False)
        if tool.changes and self.read_only:
            return Result(self.read_only, False)
        values = arguments(tool, call.arguments)
        if isinstance(values, str):
            return Result(values, False)
        try:
            return await self._dispatch[call.name](self, values, limit)
        except (WorkspaceError, EditError, InputError) as error:
            return Result(told(error), False)

    async def _list(self, values: Mapping[str, Any], limit: int) -> Result:
        folder, under = self._folder(values)
        paths = [p for p in await lookup.paths(self._desk, under) if p.shown.startswith(folder)]
        return Result("\n".join(lookup.listing(paths, limit * 3, folder)) or "No files.", True, f"{len(paths)} files")

    def _folder(self, values: Mapping[str, Any]) -> tuple[str, JailedPath | None]:
        """The folder to look in: what its paths begin with, and the folder itself, None for a whole workspace folder."""
        words = values.get("folder", "").strip().removeprefix("./").rstrip("/")
        if words in {"", "."}:
            return "", None
        documents = self._desk.documents
        if len(documents.names) > 1 and words in documents.names:
            return f"{words}/", None
        under = documents.admit(words, change=False)
        if documents.kind(under) is None and not any(lookup.below(p, under) for p in self._desk.draft.changed):
            raise FileMissing(f"There is no folder {words}.")
        return under.shown, under

    async def _read(self, values: Mapping[str, Any], limit: int) -> Result:
        path = self._desk.documents.admit(values["path"], change=False)
        if self._desk.documents.kind(path) == "dir":
            return Result(f"{path.shown} is a folder. Use list.", False)
        text = self._desk.draft.text(path)
        if text is None:
            return Result(await self._missing(path), False)
        self.seen.add(path.shown)
        parts = await lookup.parts(path, text) if estimate_tokens(text) > limit else ()
        shown = showing.read(path, text, values.get("first"), values.get("last"), limit, parts)
        return Result(shown, True, shown.split("\n", 1)[0])

    async def _search(self, values: Mapping[str, Any], limit: int) -> Result:
        folder, under = self._folder(values)
        found = (await lookup.grep(self._desk, values["text"], under, limit=lookup.MOST_RANKED)).within(folder)
        hits = showing.ranked(found, values["text"], lambda path: lookup.at_hand(self._desk, path))
        return Result(showing.shown_hits(hits, limit), True, f"{len(hits.hits) + hits.more} lines with {values['text']}")

    async def _edit(self, values: Mapping[str, Any], limit: int) -> Result:
        path = self._desk.documents.admit(values["path"])
        if self._desk.draft.text(path) is None and values["search"].strip():
            return Result(await self._missing(path), False)
        return await self._lay(Edit(values["path"], values["search"], values["replace"], "replace"), "Edited")

    async def _create(self, values: Mapping[str, Any], limit: int) -> Result:
        return await self._lay(Edit(values["path"], "", values["text"], "create"), "Created")

    async def _delete(self, values: Mapping[str, Any], limit: int) -> Result:
        return await self._lay(Edit(values["path"], "", "", "delete"), "Deleted")

    async def _rename(self, values: Mapping[str, Any], limit: int) -> Result:
        return await self._lay(Edit(values["path"], "", "", "rename", values["to"]), "Renamed")

    async def _run_check(self, values: Mapping[str, Any], limit: int) -> Result:
        checks = self._desk.checks
        if checks is None or values["name"] not in checks.names:
            return Result(f"No check is called {values['name']}. Declared: {', '.join(checks.names if checks else ())}.", False)
        passed, said = await checks.run(self._desk.draft, values["name"], values.get("tests", ""))
        return Result(said if len(said) <= limit * 3 else said[: limit * 3] + "\n…", passed)

    async def _done(self, values: Mapping[str, Any], limit: int) -> Result:
        return Result("Done.", True, values["summary"])

    async def _lay(self, edit: Edit, verb: str) -> Result:
        path, notes = lay(self._desk.draft, edit, self._desk.documents.admit)
        self._tell(Drafted(path, self._desk.draft.change(path)))
        done = f"{verb} {path.shown}" + (f" ({'; '.join(notes)})" if notes else "") + "."
        broken = await new_faults(self._desk.draft, (path,)) if edit.kind in {"replace", "create"} else ()
        return Result(f"{done}\nNow it cannot be parsed: {broken[0]}" if broken else done, True)

    async def _missing(self, path: JailedPath) -> str:
        near = lookup.nearest(path.shown, await lookup.paths(self._desk, None))
        return f"There is no file {path.shown}." + (f" Did you mean {' or '.join(near)}?" if near else " Use list or search.")

    _dispatch: Mapping[str, Callable[[Toolbox, Mapping[str, Any], int], Awaitable[Result]]] = {
        "list": _list,
        "read": _read,
        "search": _search,
        "edit": _edit,
        "create": _create,
        "delete": _delete,
        "rename": _rename,
        "run_check": _run_check,
        "done": _done,
    }


def arguments(tool: Tool, text: str) -> dict[str, Any] | str:
    """The arguments of a call by the tool's own names, or one sentence that says what is wrong with them.

    Habitual other names are understood, types are changed only where nothing is lost, null means absent, and
    arguments that no tool knows are left out.
    """
    try:
        given = json.loads(text or "{}")
    except ValueError as error:
        return f"The arguments of {tool.name} are not valid JSON: {error}."
    if not isinstance(given, dict):
        return f"The arguments of {tool.name} must be one JSON object."
    values: dict[str, Any] = {}
    for parameter in tool.parameters:
        value = next((given[n] for n in (parameter.name, *parameter.also) if given.get(n) is not None), None)
        if value is None or (parameter.name == "path" and value == ""):
            if parameter.required and tool.name != "done":
                wanted = ", ".join(p.name for p in tool.parameters if p.required)
                return f"{tool.name} needs {wanted}; {parameter.name} is missing."
            continue
        fitting = _coerced(value, parameter.type)
        if fitting is None:
            return f"{parameter.name} of {tool.name} must be {'a whole number' if parameter.type == 'integer' else 'a string'}."
        values[parameter.name] = fitting
    if tool.name == "done":
        values.setdefault("summary", "")
    return values


def _coerced(value: object, type_: str) -> str | int | None:
    if type_ == "integer":
        if isinstance(value, bool):
            return None
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value.strip()):
            return int(value)
        return value if isinstance(value, int) else None
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    return None if isinstance(value, dict | list | bool) else str(value)


def _canonical(text: str) -> str:
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


def _subject(call: ToolCall) -> str:
    """What a call is about, in a few words for a person."""
    try:
        given = json.loads(call.arguments)
    except ValueError:
        return ""
    if not isinstance(given, dict):
        return ""
    names = ("path", "text", "folder", "file_path", "pattern", "query", "name") if call.name != "search" else ("text", "pattern", "query")
    value = next((given[n] for n in names if isinstance(given.get(n), str)), "")
    if call.name == "rename" and isinstance(given.get("to"), str):
        value = f"{value} to {given['to']}"
    return " ".join(value.split())[:80]
