"""From a proposal to the files: hunk by hunk, one edit and one undo step, never over what the user did meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes.openai import FakeOpenAI
from lsp.editor import Editor, paths_of
from lsp.wire import Refusal
from lsp.words import RENAME, TASK, replace, settings

pytestmark = pytest.mark.anyio

MIXED = (
    replace("calc.py", "def sub(a, b):\n    return a - b", "def sub(a, b):\n    return b - a")
    + "new.py\n<<<<<<< SEARCH\n=======\nprint('new')\n>>>>>>> REPLACE\n\nDELETE main.py\n\nRENAME calc.py -> lib/calc.py\n"
)


@asynccontextmanager
async def reviewing(folder: Path, reply: str = RENAME, *names: str, **how: Any) -> AsyncIterator[tuple[Editor, dict[str, Any]]]:
    """An editor with a proposal in review, and `names` open before the run."""
    async with FakeOpenAI([reply]) as fake, Editor(folder, settings=settings(fake.url), **how) as editor:
        for name in names:
            editor.open(name)
        await editor.ended(await editor.start("refactor", TASK, path="calc.py"))
        yield editor, await editor.proposal()


def hunks(proposal: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {h["id"]: h for f in proposal["files"] for h in f["hunks"]}


async def test_nothing_changes_before_it_is_accepted(folder: Path) -> None:
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    async with reviewing(folder, RENAME, "calc.py") as (editor, proposal):
        assert editor.edits == []
        assert list(hunks(proposal)) == ["h1", "h2", "h3"]
        assert all(h["decision"] == "pending" for h in hunks(proposal).values())
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


async def test_a_proposal_is_told_before_the_end_of_its_run_and_once(folder: Path) -> None:
    async with reviewing(folder, RENAME) as (editor, proposal):
        await editor.command("review.list")
        types = [e["type"] for e in editor.events]
        assert types.count("proposalChanged") == 1
        assert types.index("proposalChanged") < types.index("runEnded")
        assert next(e for e in editor.events if e["type"] == "proposalChanged")["proposal"] == proposal


async def test_accepting_all_is_one_edit_over_both_files_and_one_undo_step(folder: Path) -> None:
    async with reviewing(folder, RENAME, "calc.py") as (editor, _):
        before = editor.text("calc.py"), editor.text("main.py")
        decided = await editor.decide("accept")
        assert decided["accepted"] == ["h1", "h2", "h3"]
        assert decided["words"] == "3 hunks applied."
        assert not decided["proposal"]["open"]
        assert len(editor.edits) == 1
        assert paths_of(editor.edits[0]["edit"]) == ["calc.py", "main.py"]
        assert [c["textDocument"]["version"] for c in editor.edits[0]["edit"]["documentChanges"]] == [1, None]
        assert "add_numbers" not in f"{editor.text('calc.py')}{editor.text('main.py')}"
        editor.undo()
        assert (editor.text("calc.py"), editor.text("main.py")) == before


async def test_one_hunk_accepted_one_rejected(folder: Path) -> None:
    async with reviewing(folder, RENAME, "calc.py", "main.py") as (editor, _):
        await editor.decide("accept", hunks=["h2"])
        decided = await editor.decide("reject", hunks=["h1"])
        assert decided["words"] == "1 hunk rejected."
        assert {i: h["decision"] for i, h in hunks(decided["proposal"]).items()} == {"h1": "rejected", "h2": "accepted", "h3": "pending"}
        text = editor.text("calc.py") or ""
        assert "def add_numbers(a, b)" in text
        assert "return add(a, a)" in text
        assert "add_numbers" in (editor.text("main.py") or "")


async def test_every_hunk_by_itself_in_any_order_gives_the_whole(folder: Path) -> None:
    async with reviewing(folder, RENAME, "calc.py") as (editor, proposal):
        result = {f["path"]: await editor.page(f["resultUri"]) for f in proposal["files"]}
        for hunk in ("h3", "h2", "h1"):
            assert (await editor.decide("accept", hunks=[hunk]))["accepted"] == [hunk]
        assert {name: editor.text(name) for name in result} == result


async def test_a_file_at_a_time_by_the_real_file_or_by_either_side(folder: Path) -> None:
    async with reviewing(folder, RENAME) as (editor, proposal):
        one = await editor.decide("accept", uri=proposal["files"][0]["resultUri"])
        assert one["accepted"] == ["h1", "h2"]
        two = await editor.decide("reject", uri=editor.uri("main.py"))
        assert not two["proposal"]["open"]
        with pytest.raises(Refusal, match="Nothing there waits"):
            await editor.decide("accept", uri=editor.uri("main.py"), proposalId=proposal["id"])
        again = await editor.decide("reopen", uri=editor.uri("main.py"), proposalId=proposal["id"])
        assert again["words"] == "1 hunk open again."
        assert (await editor.decide("accept"))["accepted"] == ["h3"]


async def test_hunks_move_with_lines_that_the_user_typed_elsewhere(folder: Path) -> None:
    async with reviewing(folder, RENAME, "calc.py") as (editor, _):
        editor.type("calc.py", '"""Sums."""\n', '"""Sums, and more."""\n\nimport math\n')
        changed = await editor.event("proposalChanged", proposal=(await editor.command("review.list"))["proposals"][0])
        assert hunks(changed["proposal"])["h1"]["range"]["start"]["line"] == 5
        await editor.decide("accept")
        text = editor.text("calc.py") or ""
        assert text.startswith('"""Sums, and more."""\n\nimport math\n')
        assert "def add(a, b)" in text


async def test_a_hunk_whose_lines_changed_is_stale_and_says_why_and_the_others_are_applied(folder: Path) -> None:
    async with reviewing(folder, RENAME, "calc.py") as (editor, _):
        editor.type("calc.py", "def add_numbers(a, b):", "def add_numbers(a, b, c=0):")
        decided = await editor.decide("accept")
        assert decided["accepted"] == ["h2", "h3"]
        assert decided["stale"] == ["h1"]
        assert "line 4" in hunks(decided["proposal"])["h1"]["reason"]
        assert hunks(decided["proposal"])["h1"]["reason"] in decided["words"]
        assert "def add_numbers(a, b, c=0):" in (editor.text("calc.py") or "")


async def test_typing_inside_a_hunk_is_told_with_the_reason_and_the_place_and_taking_it_back_too(folder: Path) -> None:
    async with reviewing(folder, RENAME, "calc.py") as (editor, proposal):
        editor.type("calc.py", "def add_numbers(a, b):", "def add_numbers(a, b,\n        c=0):")
        told = await editor.until(lambda: _told(editor, lambda h: h["near"] is not None))
        assert told["decision"] == "pending"
        assert told["range"] is None
        assert told["near"] == editor.lines(3, 5)
        assert told["reason"] == "The lines it replaces were changed: today lines 4–5."
        lenses = [(x["range"]["start"]["line"], x["command"]["title"]) for x in await editor.lenses(editor.uri("calc.py"))]
        assert (3, "⚠ A hunk no longer fits here") in lenses
        assert (3, "✗ Reject") in lenses
        editor.type("calc.py", "def add_numbers(a, b,\n        c=0):", "def add_numbers(a, b):")
        again = await editor.until(lambda: _told(editor, lambda h: h["near"] is None))
        assert again == hunks(proposal)["h1"]


def _told(editor: Editor, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    """Hunk h1 as it was told last after the first time, if it is so."""
    told = [hunks(e["proposal"])["h1"] for e in editor.events if e["type"] == "proposalChanged"][1:]
    return told[-1] if told and what(told[-1]) else None


async def test_the_lines_of_a_hunk_are_told_when_asked_for(folder: Path) -> None:
    async with reviewing(folder, RENAME) as (editor, proposal):
        text = await editor.command("review.hunk", proposalId=proposal["id"], hunk="h1")
        assert text == {"old": "def add_numbers(a, b):\n", "new": "def add(a, b):\n"}
        with pytest.raises(Refusal, match="has no hunk h9"):
            await editor.command("review.hunk", proposalId=proposal["id"], hunk="h9")


async def test_typing_while_the_edit_is_on_its_way_loses_nothing(folder: Path) -> None:
    """The version no longer matches, the editor refuses, and the hunks are fitted once more on the newer text."""
    async with reviewing(folder, RENAME, "calc.py", "main.py") as (editor, _):
        editor.before_apply = lambda: editor.type("calc.py", "return a - b", "return a - b  # typed")
        decided = await editor.decide("accept")
        assert decided["accepted"] == ["h1", "h2", "h3"]
        assert len(editor.edits) == 2
        text = editor.text("calc.py") or ""
        assert "# typed" in text
        assert "def add(a, b)" in text


async def test_an_edit_that_the_editor_refuses_leaves_the_hunks_pending(folder: Path) -> None:
    async with reviewing(folder, MIXED.replace("DELETE main.py\n\nRENAME calc.py -> lib/calc.py\n", "")) as (editor, _):
        editor.before_apply = lambda: (folder / "new.py").write_text("somebody was faster\n") and None
        decided = await editor.decide("accept")
        assert not decided["applied"] or decided["stale"]
        assert (folder / "new.py").read_text() == "somebody was faster\n"
        assert "new.py" in decided["words"]


async def test_files_created_deleted_and_renamed_are_hunks_too(folder: Path) -> None:
    async with reviewing(folder, MIXED, "main.py") as (editor, proposal):
        kinds = {f["path"]: f["kind"] for f in proposal["files"]}
        assert kinds == {"calc.py": "rename", "main.py": "delete", "new.py": "create"}
        assert {h["header"] for h in hunks(proposal).values()} == {"rename to lib/calc.py", "line 9", "delete file", "new file"}
        assert list(folder.iterdir()) == [folder / "calc.py", folder / "main.py"] or not (folder / "new.py").exists()
        decided = await editor.decide("accept")
        assert not decided["stale"], decided["words"]
        assert not decided["proposal"]["open"]
        assert editor.text("new.py") == "print('new')\n"
        assert not (folder / "main.py").exists()
        assert "return b - a" in (editor.text("lib/calc.py") or "")
        editor.undo()
        assert "return a - b" in (editor.text("calc.py") or "")
        assert (folder / "main.py").exists()
        assert not (folder / "new.py").exists()


async def test_an_editor_that_cannot_make_files_is_told_and_gets_the_rest(folder: Path) -> None:
    async with reviewing(folder, MIXED, resources=False) as (editor, _):
        decided = await editor.decide("accept")
        assert "cannot create files" in decided["words"]
        states = {h["kind"]: h["decision"] for h in hunks(decided["proposal"]).values()}
        assert states == {"text": "accepted", "rename": "pending", "delete": "pending", "create": "pending"}
        assert (folder / "main.py").exists()


async def test_only_the_sides_that_were_fetched_and_are_others_now_are_fetched_again(folder: Path) -> None:
    async with reviewing(folder, RENAME, "calc.py") as (editor, proposal):
        calc, main = proposal["files"]
        pages = [file[side] for file in (calc, main) for side in ("baseUri", "resultUri")]
        before = {uri: await editor.page(uri) for uri in pages}
        editor.refreshed.clear()
        editor.type("calc.py", "return a - b", "return b - a")  # moves no hunk
        await editor.until(lambda: len(editor.refreshed) == 2)
        assert editor.refreshed == [calc["baseUri"], calc["resultUri"]]
        for side in ("baseUri", "resultUri"):
            assert "return b - a" in await editor.page(calc[side])
        assert {uri: await editor.page(uri) for uri in pages[2:]} == {uri: before[uri] for uri in pages[2:]}
        editor.refreshed.clear()
        await editor.decide("reject", hunks=[main["hunks"][0]["id"]])
        await editor.until(lambda: editor.refreshed)
        editor.type("calc.py", "return b - a", "return a - b")
        await editor.until(lambda: calc["resultUri"] in editor.refreshed)
        assert editor.refreshed == [main["resultUri"], calc["baseUri"], calc["resultUri"]]


async def test_an_editor_without_document_changes_gets_plain_edits(folder: Path) -> None:
    async with reviewing(folder, RENAME, document_changes=False) as (editor, _):
        await editor.decide("accept")
        assert "documentChanges" not in editor.edits[0]["edit"]
        assert "def add(a, b)" in (editor.text("calc.py") or "")


async def test_both_sides_are_read_only_documents_that_follow_the_decisions(folder: Path) -> None:
    async with reviewing(folder, RENAME, "calc.py") as (editor, proposal):
        assert "workspace/textDocumentContent" in editor.registered
        base, result = proposal["files"][0]["baseUri"], proposal["files"][0]["resultUri"]
        assert await editor.page(base) == editor.text("calc.py")
        assert "def add(a, b)" in await editor.page(result)
        editor.refreshed.clear()
        await editor.decide("reject", hunks=["h1"])
        await editor.until(lambda: result in editor.refreshed)
        assert "def add_numbers(a, b)" in await editor.page(result)
        assert "return add(a, a)" in await editor.page(result)
        with pytest.raises(Refusal, match="no document of ours"):
            await editor.page("inglenook:/etc/passwd")


async def test_lenses_stand_at_pending_hunks_in_the_file_and_on_the_proposal(folder: Path) -> None:
    async with reviewing(folder, RENAME, "calc.py") as (editor, proposal):
        lenses = await editor.lenses(editor.uri("calc.py"))
        assert [(lens["range"]["start"]["line"], lens["command"]["title"]) for lens in lenses] == [
            (0, "✓ Accept all 2"),
            (0, "✗ Reject all"),
            (3, "✓ Accept (+1 −1)"),
            (3, "✗ Reject"),
            (3, "Show diff (1 of 3)"),
            (12, "✓ Accept (+1 −1)"),
            (12, "✗ Reject"),
            (12, "Show diff (2 of 3)"),
        ]
        shown = await editor.wire.request("workspace/executeCommand", {k: lenses[4]["command"][k] for k in ("command", "arguments")})
        assert shown["id"] == proposal["id"]
        command = lenses[2]["command"]
        await editor.wire.request("workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]})
        assert "def add(a, b)" in (editor.text("calc.py") or "")
        left = await editor.lenses(proposal["files"][0]["resultUri"])
        assert [lens["range"]["start"]["line"] for lens in left] == [12, 12]
        assert await editor.lenses(editor.uri("other.py")) == []


async def test_lenses_can_be_switched_off_in_files_but_not_on_a_proposal(folder: Path) -> None:
    async with FakeOpenAI([RENAME]) as fake, Editor(folder, settings=settings(fake.url, lenses=False)) as editor:
        await editor.ended(await editor.start("refactor", TASK, path="calc.py"))
        proposal = await editor.proposal()
        assert await editor.lenses(editor.uri("calc.py")) == []
        assert len(await editor.lenses(proposal["files"][0]["resultUri"])) == 6


async def test_code_actions_decide_on_the_hunk_under_the_cursor(folder: Path) -> None:
    async with reviewing(folder, RENAME, "calc.py") as (editor, _):
        actions = {a["title"]: a for a in await editor.actions("calc.py", editor.lines(3, 3), only=["quickfix"])}
        assert list(actions)[:3] == ["Agent: Accept this hunk", "Agent: Reject this hunk", "Agent: Accept all of this file (2)"]
        command = actions["Agent: Accept this hunk"]["command"]
        assert command["arguments"][0]["hunks"] == ["h1"]
        away = [a["title"] for a in await editor.actions("calc.py", editor.lines(8, 8))]
        assert "Agent: Accept this hunk" not in away
        assert any(title.startswith("Agent: Accept all of “Rename function") for title in away)
