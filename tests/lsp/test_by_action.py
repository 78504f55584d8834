"""An editor with code actions and diagnostics and little else, as Helix and Eglot are: no lenses, no questions with buttons."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from fakes.openai import FakeOpenAI
from lsp.editor import Editor
from lsp.test_plain import OUTLINE
from lsp.words import RENAME, TASK, settings

pytestmark = pytest.mark.anyio


class Bare(Editor):
    """An editor that knows no questions with buttons, and no documents that are shown: unless its name is Helix, which shows them."""

    def __init__(self, folder: Path, name: str = "", **more: Any) -> None:
        super().__init__(folder, plain=True, **more)
        self.named = name
        self.capabilities["window"].pop("showDocument")

    async def _answer(self, method: str, params: Any) -> Any:
        if method == "window/showMessageRequest" or (method == "window/showDocument" and self.named != "helix"):
            raise NotImplementedError
        return await super()._answer(method, params)

    async def by_action(self, title: str, line: int = 0) -> None:
        """Chooses the code action of a line whose title begins so."""
        found = await self.actions("calc.py", self.lines(line, line))
        command = next(action["command"] for action in found if action["title"].startswith(title))
        await self.wire.request("workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]})

    def hints(self, name: str) -> list[tuple[int, str]]:
        return [(hint["range"]["start"]["line"], hint["message"]) for hint in self.diagnostics.get(self.uri(name), [])]


async def test_hunks_that_wait_are_hints_with_their_new_lines(folder: Path) -> None:
    async with FakeOpenAI([RENAME]) as fake, Bare(folder, settings=settings(fake.url)) as editor:
        editor.open("calc.py")
        await editor.by_action("Agent: Refactor…", 3)
        await editor.until(lambda: editor.hints("calc.py"))
        assert editor.hints("calc.py") == [
            (3, "Proposed, 1 of 3: 1 line → 1\n+ def add(a, b):"),
            (12, "Proposed, 2 of 3: 1 line → 1\n+     return add(a, a)"),
        ]
        assert {(hint["source"], hint["severity"]) for hint in editor.diagnostics[editor.uri("calc.py")]} == {("Agent", 4)}
        assert (await editor.until(lambda: editor.hints("main.py")))[0][0] == 0
        hint = editor.diagnostics[editor.uri("calc.py")][0]
        titles = [a["title"] for a in await editor.actions("calc.py", editor.lines(3, 3), diagnostics=[hint])]
        assert "Agent: Accept this hunk" in titles
        assert not any("Fix" in title for title in titles), "a proposal is no problem of the code"
        editor.type("calc.py", '"""Sums."""', '"""Sums."""\n')
        await editor.until(lambda: editor.hints("calc.py")[0][0] == 4)  # they move with the text
        await editor.by_action("Agent: Reject this hunk", 4)
        await editor.until(lambda: len(editor.hints("calc.py")) == 1)
        await editor.by_action("Agent: Accept all of “", 4)
        await editor.until(lambda: not editor.hints("calc.py") and not editor.hints("main.py"))


async def test_hints_of_two_proposals_stand_side_by_side_in_one_file(folder: Path) -> None:
    docs = 'calc.py\n<<<<<<< SEARCH\n    return a - b\n=======\n    """The difference."""\n    return a - b\n>>>>>>> REPLACE\n'
    async with FakeOpenAI([RENAME, docs]) as fake, Bare(folder, settings=settings(fake.url)) as editor:
        editor.open("calc.py")
        await editor.by_action("Agent: Refactor…", 3)
        await editor.until(lambda: len(editor.hints("calc.py")) == 2)
        await editor.by_action("Agent: Document", 8)
        await editor.until(lambda: len(editor.hints("calc.py")) == 3)
        assert [words for _, words in editor.hints("calc.py") if "difference" in words] == [
            'Proposed, 1 of 1: 1 new line\n+     """The difference."""'
        ]


async def test_an_editor_with_lenses_gets_no_hints(folder: Path) -> None:
    async with FakeOpenAI([RENAME]) as fake:
        editor = Editor(folder, settings=settings(fake.url), plain=True)
        editor.capabilities["textDocument"]["codeLens"] = {"dynamicRegistration": False}
        async with editor:
            editor.open("calc.py")
            await editor.start("refactor", TASK, path="calc.py")
            await editor.message("is in review")
            assert await editor.lenses(editor.uri("calc.py"))
            assert editor.diagnostics == {}


async def test_lenses_off_means_hints_off(folder: Path) -> None:
    async with FakeOpenAI([RENAME]) as fake, Bare(folder, settings=settings(fake.url, lenses=False)) as editor:
        await editor.start("refactor", TASK, path="calc.py")
        await editor.message("is in review")
        await editor.command("review.list")
        assert editor.diagnostics == {}


async def test_an_outline_is_shown_and_answered_by_code_action(folder: Path) -> None:
    async with FakeOpenAI([OUTLINE, RENAME]) as fake, Bare(folder, "helix", settings=settings(fake.url, outline="always")) as editor:
        editor.open("calc.py")
        await editor.by_action("Agent: Refactor…")
        await editor.message("approve or decline its outline")
        shown = Path(unquote(urlsplit(editor.shown[0]["uri"]).path))
        assert shown.read_text() == f"Agent means to:\n{OUTLINE}"
        await editor.by_action("Agent: Approve the outline of “Refactor calc.py”")
        await editor.message("is in review")
        titles = [a["title"] for a in await editor.actions("calc.py", editor.lines(0, 0))]
        assert not any("outline" in title or "Cancel" in title for title in titles)


async def test_where_nothing_can_be_shown_the_message_names_a_file(folder: Path) -> None:
    async with FakeOpenAI([OUTLINE]) as fake, Bare(folder, settings=settings(fake.url, outline="always")) as editor:
        editor.open("calc.py")
        await editor.by_action("Agent: Refactor…")
        told = await editor.message("to read all of this.\n\nAgent means to:\n1. ")
        assert Path(told.split()[1]).read_text() == f"Agent means to:\n{OUTLINE}"
        await editor.by_action("Agent: Decline the outline of")
        await editor.until(lambda: any(p["value"]["kind"] == "end" for p in editor.progress))
        assert len(fake.requests) == 1


async def test_a_run_is_cancelled_and_a_decision_taken_back_by_code_action(folder: Path) -> None:
    async with FakeOpenAI([RENAME, OUTLINE]) as fake, Bare(folder, settings=settings(fake.url)) as editor:
        editor.open("calc.py")
        before = editor.text("calc.py")
        await editor.by_action("Agent: Refactor…")
        await editor.message("is in review")
        await editor.by_action("Agent: Accept this hunk", 3)
        await editor.message("1 hunk applied.")
        assert editor.text("calc.py") != before
        await editor.by_action("Agent: Undo the last decision")
        await editor.message("Taken back")
        assert editor.text("calc.py") == before
        titles = [a["title"] for a in await editor.actions("calc.py", editor.lines(0, 0))]
        assert not any("Undo" in title for title in titles), "nothing is left to take back"
    async with FakeOpenAI([OUTLINE]) as fake, Bare(folder, settings=settings(fake.url, outline="always")) as editor:
        editor.open("calc.py")
        await editor.by_action("Agent: Refactor…")
        await editor.message("approve or decline its outline")
        await editor.by_action("Agent: Cancel “Refactor calc.py”")
        await editor.until(lambda: any(p["value"]["kind"] == "end" for p in editor.progress))
        assert len(fake.requests) == 1
        assert not any("Cancel" in a["title"] for a in await editor.actions("calc.py", editor.lines(0, 0)))


async def test_no_light_bulb_for_what_is_not_about_the_line(folder: Path) -> None:
    here = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
    async with FakeOpenAI([OUTLINE]) as fake, Bare(folder, settings=settings(fake.url, outline="always")) as editor:
        editor.open("calc.py")
        await editor.by_action("Agent: Refactor…")
        await editor.message("approve or decline its outline")
        assert await editor.actions("calc.py", here, triggerKind=2) == []
        assert "Agent: Cancel “Refactor calc.py”" in [a["title"] for a in await editor.actions("calc.py", here)]
        await editor.by_action("Agent: Cancel")


@pytest.mark.parametrize(
    "comment", ["# agent: {}", "    // Agent:   {} ", "/* agent: {} */", "<!-- agent: {} -->", "-- agent: {}", ";; agent: {}"]
)
async def test_words_are_a_comment_in_the_file(folder: Path, comment: str) -> None:
    line = comment.format("rename add_numbers to add")
    (folder / "calc.py").write_text(f"{line}\n{(folder / 'calc.py').read_text()}")
    async with FakeOpenAI([RENAME]) as fake, Bare(folder, settings=settings(fake.url)) as editor:
        editor.open("calc.py")
        await editor.by_action("Agent: Edit “rename add_numbers to add”")
        await editor.message("is in review")
        assert "rename add_numbers to add\n" in fake.requests[0].last
        assert f"`{line.strip()}`: remove that line" in fake.requests[0].last
        assert not [a for a in await editor.actions("calc.py", editor.lines(1, 4)) if "Agent: Edit" in a["title"]]


async def test_a_written_task_is_about_the_lines_selected_with_it(folder: Path) -> None:
    (folder / "calc.py").write_text(f"# agent: rename this\n{(folder / 'calc.py').read_text()}")
    async with FakeOpenAI([RENAME]) as fake, Bare(folder, settings=settings(fake.url)) as editor:
        editor.open("calc.py")
        (action,) = [a for a in await editor.actions("calc.py", editor.lines(0, 5)) if "Agent: Edit" in a["title"]]
        assert action["command"]["arguments"][0]["range"] == editor.lines(0, 5)
        for alone in (editor.lines(0, 0), editor.lines(0, 1)):  # the cursor on it, or the whole line with its end
            (found,) = [a for a in await editor.actions("calc.py", alone) if "Agent: Edit" in a["title"]]
            assert "range" not in found["command"]["arguments"][0]
        assert fake.requests == []


async def test_what_waits_has_its_hints_again_in_the_next_session(folder: Path) -> None:
    async with FakeOpenAI([RENAME]) as fake, Bare(folder, settings=settings(fake.url)) as editor:
        editor.open("calc.py")
        await editor.by_action("Agent: Refactor…", 3)
        await editor.message("is in review")
    async with Bare(folder, settings=settings("http://127.0.0.1:9/v1")) as editor:
        editor.open("calc.py")
        await editor.until(lambda: len(editor.hints("calc.py")) == 2)
        await editor.by_action("Agent: Accept this hunk", 3)
        await editor.message("1 hunk applied.")
