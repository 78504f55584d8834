"""Zed's wire: the server started by the settings of docs/editors/zed.md, and answered as Zed's source answers. Zed itself is not run.

Read off zed-industries/zed as of its 1.1 (April 2026):
- crates/lsp/src/lsp.rs, `default_initialize_params`: what it announces, word for word below as far as it is about what we do.
- crates/languages/src/lib.rs, "Register globally available language servers", and the pull request 18318: `language_servers` may name a
  server that Zed brings along for any language, and `lsp.<name>.binary` replaces its program.
- crates/languages/src/python.rs, `PyLspAdapter::workspace_configuration`: every question for a configuration is answered out of an object
  whose only key is `pylsp`, so ours is null; `initialization_options` go through as they stand.
- crates/project/src/lsp_store.rs: a code action's command is sent only if the server lists it; `workspace/applyEdit` edits buffers, opens
  those of other files without a word to the server, and is answered with `applied: true` whatever came of it; `window/showMessageRequest`
  is a notification with buttons; no `window/showDocument`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from e2e.page import blocks, filled, path_with_inglenook
from fakes.openai import FakeOpenAI
from lsp.buffers import CannotApply
from lsp.editor import Editor
from lsp.test_plain import OUTLINE
from lsp.words import RENAME

pytestmark = pytest.mark.anyio

REFRESH, DYNAMIC = {"refreshSupport": True}, {"dynamicRegistration": True}
WORKSPACE_EDIT = {"resourceOperations": ["create", "rename", "delete"], "documentChanges": True, "snippetEditSupport": True}
RESOLVES = {"properties": ["kind", "diagnostics", "isPreferred", "disabled", "edit", "command"]}
LITERALS = {"codeActionKind": {"valueSet": ["refactor", "quickfix", "source"]}}
ANNOUNCED: dict[str, Any] = {
    "general": {"positionEncodings": ["utf-16"]},
    "workspace": {
        "configuration": True,
        "didChangeWatchedFiles": {"dynamicRegistration": True, "relativePatternSupport": True},
        "didChangeConfiguration": DYNAMIC,
        "workspaceFolders": True,
        "codeLens": REFRESH,
        "workspaceEdit": WORKSPACE_EDIT,
        "fileOperations": {"dynamicRegistration": True, "didRename": True, "willRename": True},
        "applyEdit": True,
        "executeCommand": DYNAMIC,
    },
    "textDocument": {
        "codeAction": {"codeActionLiteralSupport": LITERALS, "dataSupport": True, "resolveSupport": RESOLVES, **DYNAMIC},
        "publishDiagnostics": {"relatedInformation": True, "versionSupport": True, "dataSupport": True, "codeDescriptionSupport": True},
        "synchronization": {"didSave": True, **DYNAMIC},
        "codeLens": DYNAMIC,
    },
    "window": {"workDoneProgress": True, "showMessage": {"messageActionItem": {"additionalPropertiesSupport": True}}},
    "experimental": {"serverStatusNotification": True, "localDocs": True},
}


class Zed(Editor):
    """What Zed does with a server, as its source says. `refuses`: its buffers take no edit, and it says that they did."""

    def __init__(self, folder: Path, path: str, settings: dict[str, Any]) -> None:
        server = settings["lsp"]["pylsp"]
        assert all("pylsp" in language["language_servers"] for language in settings["languages"].values())
        program = shutil.which(Path(server["binary"]["path"]).name, path=path)
        super().__init__(folder, plain=True, argv=[str(program), *server["binary"]["arguments"]])
        self.capabilities, self.named = ANNOUNCED, "Zed"
        self.initialization_options = server["initialization_options"]
        self.refuses = False

    async def _answer(self, method: str, params: Any) -> Any:
        match method:
            case "workspace/configuration":
                return [{"pylsp": {}}.get(item["section"]) for item in params["items"]]
            case "window/showDocument":
                raise NotImplementedError
        return await super()._answer(method, params)

    def _apply(self, params: dict[str, Any]) -> dict[str, Any]:
        self.edits.append(params)
        known = set(self.ground.open)
        if not self.refuses:
            try:
                touched = self.ground.apply(params["edit"], params.get("label", ""))
                self._sync([path for path in touched if path in known], known)
            except CannotApply:
                pass  # logged
        return {"applied": True}

    async def choose(self, title: str, line: int) -> None:
        """A code action as Zed runs it: its command, if the server lists it."""
        action = next(a for a in await self.actions("calc.py", self.lines(line, line)) if a["title"].startswith(title))
        command = action["command"]
        assert command["command"] in self.server["executeCommandProvider"]["commands"]
        await self.wire.request("workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]})


@pytest.fixture
def zed(tmp_path: Path, folder: Path) -> Any:
    """Makes a Zed with the settings of the page, for a model server at that address; more settings of ours as keywords."""

    def made(url: str, **more: Any) -> Zed:
        (page,) = blocks("zed.md", "json")
        settings = json.loads(filled(page, url, comment="//"))
        settings["lsp"]["pylsp"]["initialization_options"]["settings"] |= more
        return Zed(folder, path_with_inglenook(tmp_path / "bin"), settings)

    return made


async def test_the_whole_job_by_code_actions_and_lenses(zed: Any, folder: Path) -> None:
    async with FakeOpenAI([RENAME]) as fake, zed(fake.url) as editor:
        editor.open("calc.py")
        before = editor.text("calc.py")
        await editor.choose("Agent: Refactor…", 3)
        assert "3 hunks in 2 files, nothing written yet" in await editor.message("is in review")
        assert editor.edits == []
        assert editor.diagnostics == {}, "an editor with code lenses gets no hints"

        await editor.choose("Agent: Accept this hunk", 3)
        await editor.message("1 hunk applied.")
        (change,) = editor.edits[0]["edit"]["documentChanges"]
        assert change["textDocument"] == {"uri": editor.uri("calc.py"), "version": 1}
        assert editor.text("calc.py") == before.replace("def add_numbers", "def add")
        editor.undo()
        assert editor.text("calc.py") == before

        lenses = {lens["command"]["title"]: lens["command"] for lens in await editor.lenses(editor.uri("calc.py"))}
        assert lenses["✗ Reject"]["command"] in editor.server["executeCommandProvider"]["commands"]
        await editor.wire.request("workspace/executeCommand", {k: lenses["✗ Reject"][k] for k in ("command", "arguments")})
        await editor.message("1 hunk rejected.")
        assert editor.text("calc.py") == before

        await editor.choose("Agent: Accept all of “", 0)
        await editor.until(lambda: len(editor.edits) == 2)
        assert "add_numbers" not in editor.text("main.py"), "in a buffer that Zed opened for it, and tells nobody of"
        assert "add_numbers" in (folder / "main.py").read_text(), "what is accepted is in buffers until it is saved"


async def test_an_edit_that_zed_says_it_applied_and_did_not(zed: Any) -> None:
    """What is believed is the text that the server sees, and not the answer."""
    async with FakeOpenAI([RENAME]) as fake, zed(fake.url) as editor:
        editor.open("calc.py")
        await editor.choose("Agent: Refactor…", 3)
        await editor.message("is in review")
        editor.refuses = True
        await editor.choose("Agent: Accept this hunk", 3)
        await editor.message("The editor did not change calc.py; decide again.")
        editor.refuses = False
        await editor.choose("Agent: Accept this hunk", 3)
        await editor.message("1 hunk applied.")
        assert "def add(a, b)" in editor.text("calc.py")


async def test_an_outline_is_a_notification_with_buttons_and_an_answer_names_a_file(zed: Any) -> None:
    async with FakeOpenAI([OUTLINE, "It adds.\n\nThat is all."], strict=False) as fake:
        editor = zed(fake.url, outline="always")
        editor.answers["Agent means to:\n1. "] = "Decline"
        async with editor:
            editor.open("calc.py")
            await editor.choose("Agent: Refactor…", 3)
            await editor.until(lambda: any(p["value"]["kind"] == "end" for p in editor.progress))
            assert len(editor.questions) == 1
            await editor.choose("Agent: Explain", 3)
            told = await editor.message("It adds.")
            assert Path(told.split()[1]).read_text() == "It adds.\n\nThat is all.\n"
