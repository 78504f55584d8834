"""A fake editor that really applies edits: the server over stdio, buffers with versions, an undo stack.

    async with Editor(folder, settings={"endpoint": {"url": fake.url}}) as editor:
        editor.open("a.py")
        run = await editor.start(kind="refactor", instruction="…", path="a.py", lines=(3, 9))
        proposal = await editor.proposal()
        await editor.decide("accept", hunks=["h1"])
        editor.text("a.py")

`plain=True` is an editor without our extension: no events, no virtual documents.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from lsp.buffers import Buffer, CannotApply, Ground, to_path, to_uri
from lsp.wire import PATIENCE, Connection

EVENT = "inglenook/event"


def capabilities(*, plain: bool, encodings: list[str] | None, resources: bool, document_changes: bool, pull: bool) -> dict[str, Any]:
    workspace_edit: dict[str, Any] = {"documentChanges": document_changes}
    if resources:
        workspace_edit["resourceOperations"] = ["create", "rename", "delete"]
    actions: dict[str, Any] = {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["", "quickfix", "refactor", "source"]}}}
    if not plain:
        actions |= {"dataSupport": True, "resolveSupport": {"properties": ["edit", "command"]}, "tagSupport": {"valueSet": [1]}}
    workspace: dict[str, Any] = {"applyEdit": True, "workspaceEdit": workspace_edit, "workspaceFolders": True, "configuration": pull}
    workspace["didChangeConfiguration"] = {"dynamicRegistration": True}
    if not plain:
        workspace |= {"textDocumentContent": {"dynamicRegistration": True}, "codeLens": {"refreshSupport": True}}
    general = {"positionEncodings": encodings} if encodings else {}
    window = {"workDoneProgress": True, "showDocument": {"support": True}}
    return {"workspace": workspace, "textDocument": {"codeAction": actions}, "window": window, "general": general}


class Editor:
    """One editor with one server. Use as an async context manager; leaving it shuts the server down properly."""

    def __init__(
        self,
        *folders: Path,
        settings: Mapping[str, Any] | None = None,
        plain: bool = False,
        encodings: list[str] | None = None,
        resources: bool = True,
        document_changes: bool = True,
        pull: bool = True,
        home: Path | None = None,
        argv: list[str] | None = None,
    ) -> None:
        self.folders = folders
        self.settings: Any = dict(settings or {})
        self.plain, self._pull = plain, pull
        self.capabilities = capabilities(
            plain=plain, encodings=encodings, resources=resources, document_changes=document_changes, pull=pull
        )
        self._argv = argv or [sys.executable, "-m", "inglenook", "lsp"]
        self._home = home or folders[0].parent / "home"
        self.events: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.progress: list[dict[str, Any]] = []
        self.shown: list[dict[str, Any]] = []
        self.refreshed: list[str] = []
        self.registered: list[str] = []
        self.edits: list[dict[str, Any]] = []
        self.diagnostics: dict[str, list[dict[str, Any]]] = {}
        self.questions: list[dict[str, Any]] = []
        self.answers: dict[str, str] = {}  # question's beginning → title of the button to press
        self.before_apply: Callable[[], None] | None = None
        self.ground = Ground("utf-16")
        self._news = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()
        self.server: dict[str, Any] = {}
        self.named = ""
        self.initialization_options: dict[str, Any] = {}

    async def __aenter__(self) -> Editor:
        self._home.mkdir(exist_ok=True)
        env = {**os.environ, "HOME": str(self._home), "XDG_CACHE_HOME": "", "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": ""}
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*self._argv, stdin=pipe, stdout=pipe, stderr=pipe, env=env, limit=2**26)
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self._stderr = asyncio.create_task(self.process.stderr.read())
        self.wire = Connection(self.process.stdout, self.process.stdin, self._answer, self._hear)
        options: dict[str, Any] = {} if self.plain else {"events": True}
        options |= self.initialization_options
        if not self._pull:
            options["settings"] = self.settings
        answer = await self.wire.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": to_uri(self.folders[0]) if self.folders else None,
                "workspaceFolders": [{"uri": to_uri(f), "name": f.name} for f in self.folders],
                "capabilities": self.capabilities,
                "initializationOptions": options,
                **({"clientInfo": {"name": self.named}} if self.named else {}),
            },
        )
        self.server = answer["capabilities"]
        self.ground.encoding = self.server["positionEncoding"]
        self.wire.notify("initialized", {})
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.returncode is None:
            if kind is None:
                await self.quit()
            else:
                self.process.kill()
                print((await self._stderr).decode(), file=sys.stderr)
        await self.process.wait()

    async def quit(self) -> int:
        """shutdown, exit; the exit code."""
        await self.wire.request("shutdown", None)
        self.wire.notify("exit", None)
        return await self.gone()

    async def gone(self) -> int:
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    async def stderr(self) -> str:
        return (await self._stderr).decode()

    # ---- what the server asks and tells

    def _hear(self, method: str, params: Any) -> None:
        match method:
            case "inglenook/event":
                self.events.append(params)
            case "window/showMessage" | "window/logMessage":
                self.messages.append(params)
            case "$/progress":
                self.progress.append(params)
            case "textDocument/publishDiagnostics":
                self.diagnostics[params["uri"]] = params["diagnostics"]
        task = asyncio.ensure_future(self._tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def _answer(self, method: str, params: Any) -> Any:
        match method:
            case "workspace/configuration":
                return [self.settings if item["section"] == "inglenook" else None for item in params["items"]]
            case "client/registerCapability":
                self.registered += [r["method"] for r in params["registrations"]]
            case "workspace/applyEdit":
                return self._apply(params)
            case "window/showDocument":
                self.shown.append(params)
                await self._tell()
                return {"success": True}
            case "window/showMessageRequest":
                self.questions.append(params)
                await self._tell()
                return next(
                    (a for a in params["actions"] for q, t in self.answers.items() if params["message"].startswith(q) and a["title"] == t),
                    None,
                )
            case "workspace/textDocumentContent/refresh":
                self.refreshed.append(params["uri"])
            case "window/workDoneProgress/create" | "workspace/codeLens/refresh":
                pass
            case _:
                raise NotImplementedError
        await self._tell()
        return None

    def _apply(self, params: dict[str, Any]) -> dict[str, Any]:
        if self.before_apply is not None:
            once, self.before_apply = self.before_apply, None
            once()
        self.edits.append(params)
        known = set(self.ground.open)
        try:
            touched = self.ground.apply(params["edit"], params.get("label", ""))
        except CannotApply as reason:
            return {"applied": False, "failureReason": str(reason)}
        self._sync(touched, known)
        return {"applied": True}

    def _sync(self, touched: list[Path], known: set[Path]) -> None:
        """Tells the server of buffers as an editor does: opened, changed whole, closed."""
        for path in touched:
            buffer = self.ground.open.get(path)
            if buffer is None:
                if path in known:
                    self.wire.notify("textDocument/didClose", {"textDocument": {"uri": to_uri(path)}})
            elif path in known:
                change = {"textDocument": {"uri": to_uri(path), "version": buffer.version}, "contentChanges": [{"text": buffer.text}]}
                self.wire.notify("textDocument/didChange", change)
            else:
                self._did_open(path, buffer)

    def _did_open(self, path: Path, buffer: Buffer) -> None:
        document = {"uri": to_uri(path), "languageId": "python", "version": buffer.version, "text": buffer.text}
        self.wire.notify("textDocument/didOpen", {"textDocument": document})

    # ---- what a person does

    def path(self, name: str) -> Path:
        return self.folders[0] / name

    def uri(self, name: str) -> str:
        return to_uri(self.path(name))

    def open(self, name: str) -> None:
        path = self.path(name)
        raw = path.read_bytes()
        self.ground.open[path] = Buffer(raw.decode("utf-8").removeprefix("\ufeff"), 1, raw.startswith(b"\xef\xbb\xbf"))
        self._did_open(path, self.ground.open[path])

    def type(self, name: str, old: str, new: str) -> None:
        """Replaces the only place of `old` in the buffer, told as an incremental change."""
        path = self.path(name)
        text = self.ground.open[path].text
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {name}"
        at = text.index(old)
        where = {"start": self.ground.position(text, at), "end": self.ground.position(text, at + len(old))}
        self.ground.write(path, text.replace(old, new))
        change = {"textDocument": {"uri": to_uri(path), "version": self.ground.open[path].version}}
        self.wire.notify("textDocument/didChange", {**change, "contentChanges": [{"range": where, "text": new}]})

    def text(self, name: str) -> str | None:
        return self.ground.text(self.path(name))

    def save_all(self) -> None:
        for path in list(self.ground.open):
            self.ground.save(path)

    def undo(self) -> None:
        known = set(self.ground.open)
        self._sync(self.ground.undo(), known)

    def lines(self, first: int, last: int) -> dict[str, Any]:
        return {"start": {"line": first, "character": 0}, "end": {"line": last, "character": 0}}

    async def command(self, name: str, **argument: Any) -> Any:
        return await self.wire.request("workspace/executeCommand", {"command": f"inglenook.{name}", "arguments": [argument]})

    async def start(self, kind: str = "edit", instruction: str = "", *, path: str = "", lines: tuple[int, int] | None = None) -> str:
        about: dict[str, Any] = {"uri": self.uri(path)} if path else {}
        if lines:
            about["range"] = self.lines(*lines)
        return str((await self.command("run.start", kind=kind, instruction=instruction, **about))["runId"])

    async def decide(self, decision: str, **which: Any) -> dict[str, Any]:
        return dict(await self.command("review.decide", decision=decision, **which))

    async def actions(self, name: str, range_: dict[str, Any], *, diagnostics: list[Any] | None = None, **context: Any) -> list[Any]:
        params = {"textDocument": {"uri": self.uri(name)}, "range": range_, "context": {"diagnostics": diagnostics or [], **context}}
        return list(await self.wire.request("textDocument/codeAction", params))

    async def lenses(self, uri: str) -> list[Any]:
        return list(await self.wire.request("textDocument/codeLens", {"textDocument": {"uri": uri}}))

    async def page(self, uri: str) -> str:
        return str((await self.wire.request("workspace/textDocumentContent", {"uri": uri}))["text"])

    # ---- waiting for what happens

    async def until(self, what: Callable[[], Any]) -> Any:
        """Waits until `what` gives something true, and gives it."""
        async with asyncio.timeout(PATIENCE), self._news:
            while not (found := what()):
                await self._news.wait()
            return found

    async def event(self, type_: str, **fields: Any) -> dict[str, Any]:
        """The first event of that type with these fields, now or later."""
        return dict(await self.until(lambda: next((e for e in self.events if e["type"] == type_ and fields.items() <= e.items()), None)))

    async def ended(self, run_id: str) -> dict[str, Any]:
        return await self.event("runEnded", runId=run_id)

    async def proposal(self) -> dict[str, Any]:
        """The newest proposal, once its run is over."""
        await self.until(
            lambda: any(e["type"] == "runEnded" for e in self.events) or any(p["value"]["kind"] == "end" for p in self.progress)
        )
        return dict((await self.command("review.list"))["proposals"][0])

    async def message(self, part: str) -> str:
        return str((await self.until(lambda: next((m for m in self.messages if part in m["message"]), None)))["message"])


def paths_of(edit: dict[str, Any]) -> list[str]:
    """The names of the files in a workspace edit, in order."""
    changes = edit["documentChanges"]
    return [to_path(c["textDocument"]["uri"] if "textDocument" in c else c.get("uri") or c["oldUri"]).name for c in changes]
