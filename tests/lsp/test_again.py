"""What a person does with a hunk that is not right: fits it again to what they typed, or asks another model for it."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes.anthropic import FakeAnthropic
from fakes.openai import FakeOpenAI, Turn
from lsp.editor import Editor
from lsp.test_amending import PLUS, decisions, file, in_sandbox, newest, reviewing
from lsp.wire import Refusal
from lsp.words import RENAME, TASK, replace, settings

pytestmark = pytest.mark.anyio

GUARD = replace("calc.py", "def sub(a, b):", "@checked\ndef sub(a, b):")
TYPED = "def sub(a: int, b: int):"


def hunk(proposal: dict[str, Any], id_: str) -> dict[str, Any]:
    return next(h for f in proposal["files"] for h in f["hunks"] if h["id"] == id_)


async def titles(editor: Editor, name: str) -> list[str]:
    return [lens["command"]["title"] for lens in await editor.lenses(editor.uri(name))]


def audit(editor: Editor) -> list[dict[str, Any]]:
    files = sorted(editor._home.rglob("audit-*.jsonl"))
    return [json.loads(line) for each in files for line in each.read_text("utf-8").splitlines()]


# ---- fitting again


async def test_what_was_typed_beside_a_hunk_is_kept_and_the_hunk_fits_again(folder: Path) -> None:
    async with reviewing(folder, GUARD) as (editor, fake, proposal):
        assert not hunk(proposal, "h1")["refit"]
        editor.type("calc.py", "def sub(a, b):", TYPED)
        typed = editor.text("calc.py") or ""
        await editor.until(lambda: any(e["type"] == "proposalChanged" and hunk(e["proposal"], "h1")["refit"] for e in editor.events))
        assert (await titles(editor, "calc.py"))[:3] == ["⚠ A hunk no longer fits here", "↻ Re-fit", "✗ Reject"]
        page = file(proposal, "calc.py")["resultUri"]
        (where, again) = await editor.lenses(page)
        assert (where["command"]["title"], again["command"]["title"]) == ("1 hunk of the proposal no longer fits here", "↻ Re-fit")
        lens = next(lens for lens in await editor.lenses(editor.uri("calc.py")) if lens["command"]["title"] == "↻ Re-fit")
        came = await editor.command("review.refit", **lens["command"]["arguments"][0])
        assert (came["fits"], came["there"], came["runId"], came["words"]) == (["h2"], [], None, "Re-fitted: 1 hunk fits again.")
        new = hunk(came["proposal"], "h2")
        assert new["reason"] == "" and new["range"] and not new["refit"]
        assert new["notes"] == ["Fitted to what you changed here meanwhile."] and decisions(came["proposal"]) == {"h2": "pending"}
        assert editor.text("calc.py") == typed and editor.edits == [] and len(fake.requests) == 1, "no model, and nothing written"
        await editor.decide("accept", hunks=["h2"])
        assert editor.text("calc.py") == typed.replace(TYPED, f"@checked\n{TYPED}")
    [fact] = [row for row in audit(editor) if "hunks_refitted" in json.dumps(row)]
    assert '"h1"' in json.dumps(fact) and '"h2"' in json.dumps(fact) and "calc.py" in json.dumps(fact)


async def test_a_hunk_that_did_not_fit_when_it_was_accepted_can_be_fitted_too(folder: Path) -> None:
    async with reviewing(folder, GUARD) as (editor, _, _p):
        editor.type("calc.py", "def sub(a, b):", TYPED)
        stale = (await editor.decide("accept", hunks=["h1"]))["proposal"]
        assert decisions(stale) == {"h1": "stale"} and hunk(stale, "h1")["refit"] and not stale["open"]
        came = await editor.command("review.refit", proposalId=stale["id"], hunks=["h1"])
        assert decisions(came["proposal"]) == {"h2": "pending"} and came["proposal"]["open"]
        editor.type("calc.py", TYPED, "def sub(a, b):")
        with pytest.raises(Refusal, match="has no hunk h1"):
            await editor.command("review.refit", proposalId=stale["id"], hunks=["h1"])


async def test_what_the_user_has_made_alone_is_set_aside_and_offered_no_more(folder: Path) -> None:
    async with reviewing(folder, RENAME) as (editor, fake, _):
        editor.type("calc.py", "return add_numbers(a, a)", "return add(a, a)")
        came = await editor.command("review.refit", hunks=["h2"])
        assert (came["fits"], came["there"], came["words"]) == ([], ["h2"], "You have made 1 hunk yourself.")
        set_aside = hunk(came["proposal"], "h2")
        assert (set_aside["decision"], set_aside["reason"], set_aside["refit"]) == ("stale", "You have made this change yourself.", False)
        assert len(fake.requests) == 1


async def test_where_a_merge_would_be_a_guess_the_agent_is_asked_for_that_hunk_alone(folder: Path) -> None:
    kept = replace("calc.py", "    return add_numbers(a, a)  # twice as much", "    return add(a, a)  # twice as much")
    async with reviewing(folder, RENAME, kept) as (editor, fake, proposal):
        await editor.decide("accept", hunks=["h1"])
        editor.type("calc.py", "return add_numbers(a, a)", "return add_numbers(a, a)  # twice as much")
        text = editor.text("calc.py")
        came = await editor.command("review.refit", proposalId=proposal["id"])
        assert (came["fits"], came["words"]) == ([], "The agent is asked to fit 1 hunk to what you changed.")
        with pytest.raises(Refusal, match=r"“Re-fit: .*” is under way for it"):
            await editor.command("review.refit", proposalId=proposal["id"], hunks=["h2"])
        ended = await editor.ended(came["runId"])
        new, old = await newest(editor)
        assert ended["proposalId"] == new["id"] and new["title"] == f"Re-fit: {proposal['title']}"
        assert decisions(old) == {"h1": "accepted", "h2": "stale", "h3": "pending"} and not hunk(old, "h2")["refit"]
        asked = fake.requests[-1].last
        diff, _, rest = asked.partition("I have changed these lines since")
        assert "because the person has changed these lines meanwhile" in diff and "+    return add(a, a)" in diff
        assert "print(add(1, 2))" not in diff, "the other hunks are not asked again"
        assert "# twice as much" in asked and TASK in asked and "keep what I changed. Change nothing else." in rest
        assert editor.text("calc.py") == text
        await editor.decide("accept", proposalId=new["id"])
        assert (editor.text("calc.py") or "").endswith("    return add(a, a)  # twice as much\n")


async def test_some_are_merged_and_the_agent_is_asked_for_the_rest(folder: Path) -> None:
    two = GUARD + replace("calc.py", "    return add_numbers(a, a)", "    return a + a")
    async with reviewing(folder, two, {"fault": "500"}) as (editor, _, _p):
        editor.type("calc.py", "def sub(a, b):", TYPED)
        editor.type("calc.py", "return add_numbers(a, a)", "return 2 * a")
        came = await editor.command("review.refit")
        assert came["words"] == "Re-fitted: 1 hunk fits again. The agent is asked to fit 1 hunk to what you changed."
        assert (await editor.ended(came["runId"]))["state"] == "failed"
        (old,) = await newest(editor)
        assert decisions(old) == {"h3": "pending", "h2": "pending"} and hunk(old, "h2")["refit"], "what failed took nothing away"


@in_sandbox
async def test_what_the_agent_fits_is_checked_with_what_else_waits(folder: Path) -> None:
    (folder / ".inglenook").mkdir()
    (folder / ".inglenook/checks.toml").write_text('[[check]]\nname = "runs"\ncommand = ["python3", "main.py"]\n')
    lines = "from calc import add_numbers\n\nprint(add_numbers(1, 2))  # three"
    kept = replace("main.py", lines, lines.replace("add_numbers", "add"))
    async with reviewing(folder, RENAME, kept, checks={"run": "auto"}) as (editor, fake, proposal):
        editor.type("main.py", "print(add_numbers(1, 2))", "print(add_numbers(1, 2))  # three")
        came = await editor.command("review.refit", proposalId=proposal["id"])
        await editor.ended(came["runId"])
        new, _ = await newest(editor)
        assert new["verdict"]["state"] == "passed", "calc.add is in a hunk that waits"
        assert new["verdict"]["words"].endswith("What else waits of the earlier proposal was laid on too.")
        assert [f["path"] for f in new["files"]] == ["main.py"] and len(fake.requests) == 2
        text = editor.text("main.py") or ""
        await editor.decide("accept", proposalId=new["id"])
        assert editor.text("main.py") == text.replace("add_numbers", "add")


async def test_what_fits_is_decided_or_has_no_text_any_more_is_not_fitted(folder: Path) -> None:
    async with reviewing(folder, RENAME) as (editor, _, proposal):
        with pytest.raises(Refusal, match="All of this proposal fits"):
            await editor.command("review.refit")
        with pytest.raises(Refusal, match="fits in that file"):
            await editor.command("review.refit", uri=editor.uri("calc.py"))
        await editor.decide("reject", hunks=["h1"])
        with pytest.raises(Refusal, match="h1 is decided"):
            await editor.command("review.refit", proposalId=proposal["id"], hunks=["h1"])
    (folder / "main.py").unlink()
    async with Editor(folder, settings={}) as editor:
        await editor.command("endpoint.status")
        back = (await editor.event("proposalChanged"))["proposal"]
        with pytest.raises(Refusal, match=r"main\.py is not there any more"):
            await editor.command("review.refit", proposalId=back["id"], uri=editor.uri("main.py"))


async def test_any_editor_has_it_as_a_code_action(folder: Path) -> None:
    async with FakeOpenAI([GUARD]) as fake, Editor(folder, settings=settings(fake.url), plain=True) as editor:
        editor.open("calc.py")
        await editor.start("refactor", TASK, path="calc.py")
        await editor.message("is in review")
        editor.type("calc.py", "def sub(a, b):", TYPED)
        found = {a["title"]: a for a in await editor.actions("calc.py", editor.lines(7, 7), only=["quickfix"])}
        assert "Agent: Accept this hunk" not in found
        again = found["Agent: Re-fit this hunk"]["command"]
        assert found["Agent: Ask again about this hunk"]["command"]["command"] == "inglenook.review.again"
        await editor.wire.request("workspace/executeCommand", {"command": again["command"], "arguments": again["arguments"]})
        await editor.message("Re-fitted: 1 hunk fits again.")
        found = {a["title"]: a for a in await editor.actions("calc.py", editor.lines(7, 7), only=["quickfix"])}
        assert "Agent: Accept this hunk" in found and "Agent: Re-fit this hunk" not in found


# ---- asking another model


async def test_another_server_is_asked_for_this_task_alone(folder: Path) -> None:
    async with FakeOpenAI([PLUS], model="larger-coder") as other, reviewing(folder, RENAME, RENAME) as (editor, fake, proposal):
        asked = {"proposalId": proposal["id"], "words": "call it plus", "model": "larger-coder", "url": other.url}
        assert (await editor.ended((await editor.command("review.again", **asked))["runId"]))["state"] == "done"
        new, old = await newest(editor)
        assert new["title"].startswith("Again: ") and not old["open"]
        assert "call it plus" in other.requests[-1].last and other.requests[-1].body["model"] == "larger-coder"
        assert len(fake.requests) == 1
        told = [event["status"]["model"] for event in editor.events if event["type"] == "statusChanged"]
        assert "larger-coder" in told, "shown while it lasts"
        await editor.until(lambda: [e["status"]["model"] for e in editor.events if e["type"] == "statusChanged"][-1] == "fake-coder")
        await editor.ended(await editor.start("refactor", TASK, path="calc.py"))
        assert len(fake.requests) == 2 and len(other.requests) == 1, "what runs use is as it was"


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ({"model": "larger-coder", "url": "http://127.0.0.1:9/v1"}, "Nobody answers at"),
        ({"model": "gone", "url": "OTHER"}, "does not serve 'gone'"),
        ({"model": "larger-coder", "url": "OTHER", "via": "ssh gpubox"}, "No remote box is set"),
        ({"model": "larger-coder", "url": "https://api.example.com/v1"}, "is another machine, and nothing leaves this one"),
    ],
)
async def test_a_server_that_cannot_be_asked_takes_nothing_away(folder: Path, where: dict[str, str], why: str) -> None:
    async with FakeOpenAI([], model="larger-coder") as other, reviewing(folder, RENAME) as (editor, _, proposal):
        asked = {key: value.replace("OTHER", other.url) for key, value in where.items()}
        ended = await editor.ended((await editor.command("review.again", proposalId=proposal["id"], **asked))["runId"])
        assert ended["state"] == "failed" and why in ended["words"]
        (old,) = await newest(editor)
        assert set(decisions(old).values()) == {"pending"}


async def test_a_window_that_is_too_small_and_a_run_that_is_cancelled_take_nothing_away(folder: Path) -> None:
    never, slow = [Turn(fault="context", repeat=True)], [Turn(PLUS, hold="never")]
    async with (
        FakeOpenAI(never, model="small") as small,
        FakeOpenAI(slow, model="slow") as late,
        reviewing(folder, RENAME) as (editor, _, proposal),
    ):
        asked = {"proposalId": proposal["id"], "model": "small", "url": small.url}
        ended = await editor.ended((await editor.command("review.again", **asked))["runId"])
        assert ended["code"] == "context_exceeded"
        run = (await editor.command("review.again", proposalId=proposal["id"], model="slow", url=late.url))["runId"]
        await editor.event("runPhase", runId=run, phase="working")
        await editor.command("run.cancel", runId=run)
        assert (await editor.ended(run))["state"] == "cancelled"
        (old,) = await newest(editor)
        assert set(decisions(old).values()) == {"pending"}


@asynccontextmanager
async def opened(folder: Path, *replies: Any, plain: bool = False, **more: Any) -> AsyncIterator[tuple[Editor, FakeAnthropic]]:
    """An editor with a local proposal in review, whose user has opened a hosted model for this folder."""
    async with FakeOpenAI([RENAME]) as fake, FakeAnthropic(list(replies)) as provider:
        hosted = {"use": "prefer-local", "folders": [str(folder)], "kinds": ["refactor", "small"], "name": "Example", "url": provider.url}
        hosted |= {"model": "large", "wire": "anthropic", "keyVariable": "EXAMPLE_KEY"} | more
        argv = ["env", "EXAMPLE_KEY=k", sys.executable, "-m", "inglenook", "lsp"]
        async with Editor(folder, settings=settings(fake.url, hosted=hosted), argv=argv, plain=plain) as editor:
            run = await editor.start("refactor", TASK, path="calc.py")
            await (editor.message("is in review") if plain else editor.ended(run))
            yield editor, provider


async def test_the_hosted_model_is_offered_and_asked_once_a_person_agrees_to_the_list(folder: Path) -> None:
    async with opened(folder, PLUS) as (editor, provider):
        [listed] = (await editor.command("models.list"))["hosted"]
        assert (listed["name"], listed["remote"], listed["facts"][:2]) == ("large", True, ["leaves this machine", "you are asked first"])
        run = (await editor.command("review.again", words="call it plus", hosted=True))["runId"]
        asked = await editor.event("runConsent", runId=run)
        assert asked["reason"] == "You asked for the hosted model." and provider.requests == []
        assert "calc.py" in [f["path"] for f in asked["files"]]
        await editor.command("run.consent", runId=run, allow=True)
        assert (await editor.ended(run))["state"] == "done"
        assert "call it plus" in provider.requests[-1].raw.decode()
        new, old = await newest(editor)
        assert new["title"].startswith("Again: ") and not old["open"]
    assert any("escalated" in json.dumps(row) for row in audit(editor))


async def test_a_no_ends_the_run_and_leaves_what_was_proposed_in_review(folder: Path) -> None:
    async with opened(folder) as (editor, provider):
        run = (await editor.command("review.again", hosted=True))["runId"]
        await editor.event("runConsent", runId=run)
        await editor.command("run.consent", runId=run, allow=False)
        ended = await editor.ended(run)
        assert (ended["state"], ended["words"]) == ("declined", "Nothing was sent, and nothing is changed.")
        (old,) = await newest(editor)
        assert set(decisions(old).values()) == {"pending"} and provider.requests == []
    assert not any("outline_answered" in json.dumps(row) for row in audit(editor)), "no outline was declined"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"use": "never"}, "No hosted model is opened: the setting"),
        ({"folders": []}, "No hosted model is opened for this folder"),
        ({"kinds": ["edit"]}, "A task of the kind “refactor” stays on this machine"),
    ],
)
async def test_what_is_shut_stays_shut(folder: Path, more: dict[str, Any], why: str) -> None:
    async with opened(folder, **more) as (editor, provider):
        assert len((await editor.command("models.list"))["hosted"]) == ("kinds" in more)
        with pytest.raises(Refusal, match=why):
            await editor.command("review.again", hosted=True)
        assert provider.requests == []


async def test_what_hinders_the_hosted_model_is_said_and_sends_nothing(folder: Path) -> None:
    async with opened(folder, keyVariable="NO_SUCH_KEY") as (editor, provider):
        run = (await editor.command("review.again", hosted=True))["runId"]
        await editor.event("runConsent", runId=run)
        await editor.command("run.consent", runId=run, allow=True)
        ended = await editor.ended(run)
        assert ended["state"] == "failed" and "NO_SUCH_KEY" in ended["words"] and provider.requests == []


async def test_an_editor_without_a_list_of_its_own_shows_the_models_as_buttons(folder: Path) -> None:
    async with opened(folder, PLUS, plain=True) as (editor, provider):
        found = {a["title"]: a for a in await editor.actions("calc.py", editor.lines(3, 3), only=["quickfix"])}
        action = found["Agent: Ask again about this hunk on another model…"]["command"]
        with pytest.raises(Refusal, match="No model was chosen"):
            await editor.wire.request("workspace/executeCommand", {"command": action["command"], "arguments": action["arguments"]})
        [question] = [q for q in editor.questions if q["message"] == "Ask again on which model?"]
        title = f"large: Example ({provider.url}), leaves this machine"
        assert title in [a["title"] for a in question["actions"]]
        editor.answers = {"Ask again on which model?": title, "You asked for the hosted model.": "Send it"}
        await editor.wire.request("workspace/executeCommand", {"command": action["command"], "arguments": action["arguments"]})
        await editor.message("“Again: ")
        assert len(provider.requests) == 1
