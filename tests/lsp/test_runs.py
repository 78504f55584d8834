"""Runs as an editor lives them: progress, cancelling, the outline gate, answers, failures in words, settings and status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.openai import FakeOpenAI, Turn
from lsp.editor import Editor
from lsp.wire import Refusal
from lsp.words import RENAME, TASK, replace, settings

pytestmark = pytest.mark.anyio

BOUND = 5.0  # seconds for a cancelled stream to be gone, on a machine that may be busy; the aim is 0.1
OUTLINE = "1. calc.py: rename the function\n2. main.py: call it by its new name\n"


async def by_command(editor: Editor, run_id: str) -> None:
    await editor.command("run.cancel", runId=run_id)


async def by_progress(editor: Editor, run_id: str) -> None:
    begun = await editor.until(lambda: next((p for p in editor.progress if p["value"]["kind"] == "begin"), None))
    assert begun["value"]["cancellable"]
    editor.wire.notify("window/workDoneProgress/cancel", {"token": begun["token"]})


@pytest.mark.parametrize("way", [by_command, by_progress])
async def test_cancelling_closes_the_models_stream(folder: Path, way: Callable[[Editor, str], Any]) -> None:
    async with FakeOpenAI([Turn(text=RENAME, fault="stall")]) as fake, Editor(folder, settings=settings(fake.url)) as editor:
        run_id = await editor.start("refactor", TASK, path="calc.py")
        await editor.event("runText", runId=run_id)
        request = await fake.asked(1)
        assert not request.dropped.is_set()
        await way(editor, run_id)
        await asyncio.wait_for(request.dropped.wait(), BOUND)
        ended = await editor.ended(run_id)
        assert (ended["state"], ended["proposalId"]) == ("cancelled", None)
        assert "nothing was written" in ended["words"]
        end = await editor.until(lambda: next((p for p in editor.progress if p["value"]["kind"] == "end"), None))
        assert end["value"]["message"] == ended["words"]


@pytest.mark.parametrize("way", ["exit", "close"])
async def test_leaving_the_editor_closes_the_models_stream(folder: Path, way: str) -> None:
    async with FakeOpenAI([Turn(text=RENAME, fault="stall")]) as fake, Editor(folder, settings=settings(fake.url)) as editor:
        await editor.event("runText", runId=await editor.start("refactor", TASK, path="calc.py"))
        request = await fake.asked(1)
        if way == "exit":
            assert await editor.quit() == 0
        else:
            assert editor.process.stdin is not None
            editor.process.stdin.close()
            assert await editor.gone() == 1
        await asyncio.wait_for(request.dropped.wait(), BOUND)
        assert "Traceback" not in await editor.stderr()


async def test_a_run_answers_at_once_and_the_server_goes_on_answering(folder: Path) -> None:
    async with FakeOpenAI([Turn(text=RENAME, hold="go")]) as fake, Editor(folder, settings=settings(fake.url)) as editor:
        run_id = await editor.start("refactor", TASK, path="calc.py")
        await fake.asked(1)
        assert (await editor.command("endpoint.status"))["running"] == 1
        assert await editor.command("review.list") == {"proposals": []}
        fake.release("go")
        assert (await editor.ended(run_id))["state"] == "done"
        assert (await editor.command("endpoint.status"))["running"] == 0


async def test_a_cancelled_request_does_not_tear_a_decision(folder: Path) -> None:
    """`$/cancelRequest` answers at once; the edit that is on its way is applied and known to be."""
    async with FakeOpenAI([RENAME]) as fake, Editor(folder, settings=settings(fake.url)) as editor:
        await editor.ended(await editor.start("refactor", TASK, path="calc.py"))
        numbers: list[int] = []
        editor.before_apply = lambda: editor.wire.notify("$/cancelRequest", {"id": numbers[0]})
        numbers.append(
            editor.wire.send("workspace/executeCommand", {"command": "inglenook.review.decide", "arguments": [{"decision": "accept"}]})
        )
        with pytest.raises(Refusal) as refusal:
            await editor.wire.result(numbers[0])
        assert refusal.value.code == -32800
        told = await editor.until(
            lambda: next((e for e in editor.events if e["type"] == "proposalChanged" and not e["proposal"]["open"]), None)
        )
        assert {h["decision"] for f in told["proposal"]["files"] for h in f["hunks"]} == {"accepted"}


async def test_events_tell_model_speed_and_text_in_order(folder: Path) -> None:
    async with FakeOpenAI([RENAME]) as fake, Editor(folder, settings=settings(fake.url)) as editor:
        run_id = await editor.start("refactor", TASK, path="calc.py")
        await editor.ended(run_id)
        mine = [e for e in editor.events if e.get("runId") == run_id]
        assert (mine[0]["type"], mine[0]["kind"]) == ("runStarted", "refactor")
        assert mine[0]["title"].startswith("Rename function add_numbers")
        assert mine[-1]["type"] == "runEnded"
        assert "".join(e["text"] for e in mine if e["type"] == "runText") == RENAME
        speed = [e for e in mine if e["type"] == "runSpeed"][-1]
        assert speed["model"] == "fake-coder"
        assert speed["tokensPerSecond"] > 0
        assert speed["promptTokens"] > 100
        assert speed["outputTokens"] > 10
        status = [e["status"] for e in editor.events if e["type"] == "statusChanged"][-1]
        assert (status["state"], status["model"], status["running"]) == ("ready", "fake-coder", 0)
        tokens = {p["token"] for p in editor.progress}
        assert len(tokens) == 1
        assert editor.progress[0]["value"]["kind"] == "begin"


async def test_a_burst_of_text_is_gathered(folder: Path) -> None:
    reply = "x" * 3000 + "\n" + RENAME
    async with FakeOpenAI([Turn(text=reply, chunk=1)]) as fake, Editor(folder, settings=settings(fake.url)) as editor:
        await editor.ended(await editor.start("refactor", TASK, path="calc.py"))
        texts = [e["text"] for e in editor.events if e["type"] == "runText"]
        assert "".join(texts) == reply
        assert len(texts) < 300


@pytest.mark.parametrize("answer", ["approve", "revise", "decline"])
async def test_the_outline_waits_for_the_person(folder: Path, answer: str) -> None:
    turns = [OUTLINE, OUTLINE.replace("rename", "really rename"), RENAME] if answer == "revise" else [OUTLINE, RENAME]
    async with FakeOpenAI(turns) as fake, Editor(folder, settings=settings(fake.url, outline="always")) as editor:
        run_id = await editor.start("refactor", TASK, path="calc.py")
        asked = await editor.event("runOutline", runId=run_id)
        assert len(asked["steps"]) == 2
        assert "rename the function" in asked["steps"][0]
        assert len(fake.requests) == 1
        with pytest.raises(Refusal, match="needs words"):
            await editor.command("outline.decide", runId=run_id, decision="revise", words=" ")
        words = {"words": "say really"} if answer == "revise" else {}
        await editor.command("outline.decide", runId=run_id, decision=answer, **words)
        if answer == "revise":
            again = await editor.until(lambda: [e for e in editor.events if e["type"] == "runOutline"][1:])
            assert "really rename" in again[0]["steps"][0]
            assert "say really" in fake.requests[1].last
            await editor.command("outline.decide", runId=run_id, decision="approve")
        ended = await editor.ended(run_id)
        assert ended["state"] == ("declined" if answer == "decline" else "done")
        with pytest.raises(Refusal, match="does not wait"):
            await editor.command("outline.decide", runId=run_id, decision="approve")


async def test_an_explanation_is_a_document_and_no_edit(folder: Path) -> None:
    async with FakeOpenAI(["It **adds** two numbers."]) as fake, Editor(folder, settings=settings(fake.url)) as editor:
        run_id = await editor.start("explain", path="calc.py", lines=(3, 5))
        ready = await editor.event("answerReady", runId=run_id)
        assert ready["uri"].startswith("inglenook://answer.")
        assert ready["uri"].endswith(".md")
        assert await editor.page(ready["uri"]) == "It **adds** two numbers.\n"
        answer = await editor.command("run.answer", runId=run_id)
        assert answer == {"runId": run_id, "title": ready["title"], "markdown": "It **adds** two numbers.\n"}
        assert (await editor.ended(run_id))["proposalId"] is None
        assert editor.edits == []


async def test_a_failing_endpoint_is_told_with_what_to_do(folder: Path) -> None:
    async with Editor(folder, settings=settings("http://127.0.0.1:9/v1")) as editor:
        ended = await editor.ended(await editor.start("refactor", TASK, path="calc.py"))
        assert (ended["state"], ended["code"]) == ("failed", "endpoint_down")
        assert ended["hint"]
        status = await editor.command("endpoint.refresh")
        assert status["state"] == "down"
        assert "127.0.0.1:9" in status["words"]


async def test_another_endpoint_is_used_after_the_settings_change_and_reviews_stay(folder: Path) -> None:
    swap = replace("calc.py", "    return a - b", "    return b - a")
    async with FakeOpenAI([RENAME], model="one") as one, FakeOpenAI([swap], model="two") as two:
        editor = Editor(folder, settings=settings(one.url))
        async with editor:
            await editor.ended(await editor.start("refactor", TASK, path="calc.py"))
            editor.settings = settings(two.url)
            editor.wire.notify("workspace/didChangeConfiguration", {"settings": None})
            assert (await editor.command("endpoint.refresh"))["model"] == "two"
            await editor.ended(await editor.start("edit", "swap", path="calc.py"))
            assert len(two.requests) == 1
            assert len((await editor.command("review.list"))["proposals"]) == 2


async def test_code_actions_on_a_selection_start_runs(folder: Path) -> None:
    async with FakeOpenAI(["Explained."]) as fake, Editor(folder, settings=settings(fake.url)) as editor:
        actions = await editor.actions("calc.py", editor.lines(3, 5))
        assert [(a["title"], a["kind"]) for a in actions] == [
            ("Agent: Refactor…", "refactor.rewrite"),
            ("Agent: Edit…", "refactor.rewrite"),
            ("Agent: Write Tests", "refactor.rewrite"),
            ("Agent: Document", "refactor.rewrite"),
            ("Agent: Explain", "source"),
            ("Agent: Write Tests for This File", "source"),
            ("Agent: Document This File", "source"),
        ]
        arguments = [action["command"]["arguments"][0] for action in actions]
        assert [(a["kind"], "range" in a) for a in arguments[2:]] == [
            ("tests", True),
            ("document", True),
            ("explain", True),
            ("tests", False),
            ("document", False),
        ]
        assert all(a["tags"] == [1] for a in actions)
        refactor, explain = actions[0], actions[4]
        assert refactor["command"]["command"] == "inglenook.refactor"  # the extension asks for words first
        command = explain["command"]
        started = await editor.wire.request("workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]})
        await editor.ended(started["runId"])
        assert "def add_numbers" in fake.requests[0].last


async def test_fix_is_offered_on_a_diagnostic_and_quiet_on_every_other_line(folder: Path) -> None:
    problem = {
        "range": {"start": {"line": 4, "character": 11}, "end": {"line": 4, "character": 12}},
        "message": "a is odd",
        "source": "lint",
    }
    here = {"start": {"line": 4, "character": 11}, "end": {"line": 4, "character": 11}}
    async with (
        FakeOpenAI([replace("calc.py", "    return a + b", "    return b + a")]) as fake,
        Editor(folder, settings=settings(fake.url)) as editor,
    ):
        assert await editor.actions("calc.py", here, triggerKind=2) == []
        (fix,) = await editor.actions("calc.py", here, diagnostics=[problem], triggerKind=2)
        assert (fix["title"], fix["kind"]) == ("Agent: Fix “a is odd”", "quickfix")
        assert fix["diagnostics"] == [problem]
        assert [a["title"] for a in await editor.actions("calc.py", here, only=["refactor"])] == [
            "Agent: Refactor…",
            "Agent: Edit…",
            "Agent: Write Tests",
            "Agent: Document",
        ]
        command = fix["command"]
        started = await editor.wire.request("workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]})
        assert (await editor.ended(started["runId"]))["state"] == "done"
        assert "a is odd" in fake.requests[0].last


async def test_what_the_agent_drafts_can_be_read_while_it_works_and_goes_with_its_run(folder: Path) -> None:
    new = "notes.md\n```markdown\nOne\nTwo\n" + "Three\n" * 400
    before = (folder / "calc.py").read_text("utf-8")
    async with FakeOpenAI([Turn(text=RENAME + new, fault="stall")]) as fake, Editor(folder, settings=settings(fake.url)) as editor:
        run = await editor.start("refactor", TASK, path="calc.py")
        calc = await editor.until(lambda: next((e for e in drafted(editor, "calc.py") if len(e["hunks"]) == 2), None))
        assert [(hunk["header"], hunk["added"], hunk["removed"]) for hunk in calc["hunks"]] == [("line 4", 1, 1), ("line 13", 1, 1)]
        assert await editor.page(calc["baseUri"]) == before
        assert await editor.page(calc["draftUri"]) == before.replace("add_numbers", "add")
        notes = await editor.event("runDrafted", path="notes.md")
        assert notes["lines"] > 0
        assert [hunk["header"] for hunk in notes["hunks"]] == ["new file"]
        assert (await editor.page(notes["draftUri"])).startswith("One\nTwo\n")
        await editor.command("run.cancel", runId=run)
        await editor.ended(run)
        with pytest.raises(Refusal, match="is no document of ours"):
            await editor.page(calc["draftUri"])
        assert editor.edits == []
        assert not (folder / "notes.md").exists()


def drafted(editor: Editor, path: str) -> list[dict[str, Any]]:
    return [event for event in editor.events if event["type"] == "runDrafted" and event["path"] == path]


async def test_what_the_agent_drafts_is_told_before_it_is_in_review(folder: Path) -> None:
    async with FakeOpenAI([RENAME]) as fake, Editor(folder, settings=settings(fake.url)) as editor:
        run = await editor.start("refactor", TASK, path="calc.py")
        await editor.ended(run)
        assert [hunk["kind"] for hunk in drafted(editor, "calc.py")[0]["hunks"]] == ["text"]
        types = [e["type"] for e in editor.events]
        assert types.index("runDrafted") < types.index("proposalChanged")
        assert editor.edits == []
