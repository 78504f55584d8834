"""Edits that are laid while the reply streams in: what comes of a run is what the whole reply says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.openai import FakeOpenAI, Turn
from inglenook.agents.blocks import lay_all
from inglenook.agents.desk import Job, Spent
from inglenook.agents.early import Early
from inglenook.agents.port import AgentEvent, Asked, Drafted, Limits, Wrote
from inglenook.agents.prompts import wording
from inglenook.llm.chat import HttpChat
from inglenook.llm.messages import Reply, Usage
from inglenook.llm.profiles import Profile
from unit.agents.stage import Stage, lay_out, staged, ticking

FILES = {"a.py": "a = 1\nb = 2\nc = 3\n", "b.py": "x = 1\ny = 2\n"}


def block(path: str, old: str, new: str) -> str:
    return f"{path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n\n"


GOOD = [block("a.py", "a = 1", "a = 10"), block("a.py", "b = 2", "b = 20"), block("b.py", "x = 1", "x = 10"), block("n.py", "", "new = 1")]
BAD = [block("a.py", "zzz = 1", "a = 10"), block("../out.py", "a", "b"), block("b.py", "y = 2", "y = 2"), "b.py\n```python\nx = 5\n```\n\n"]
DIFF = "```diff\n--- a/a.py\n+++ b/a.py\n@@ -3 +3 @@\n-c = 3\n+c = 30\n```\n"
WORDS = ["Words.\n", "```\n", "DELETE b.py\n", "<<<<<<< SEARCH\nhalf\n", DIFF]


def job_on(stage: Stage) -> Job:
    profile = Profile("m", 8192)
    chat = HttpChat("http://127.0.0.1:9/v1", "m", profile)
    task, tell = stage.task({"instruction": "Do it."}), stage.events.append
    return Job(task, chat, stage.desk, Limits(), tell, stage.gate, "never", profile, ticking(0.0), wording(), Spent(0.0))


def texts(stage: Stage) -> dict[str, str | None]:
    return {path.shown: stage.desk.draft.text(path) for path in stage.desk.draft.changed}


def after(folder: Path, reply: str, pieces: Sequence[str], *, early: bool, before: Sequence[str] = ()) -> tuple[object, ...]:
    """What is in the draft and what the model is told after one reply, laid early or not."""
    with staged(folder) as stage:
        job = job_on(stage)
        done = Early(job) if early else None
        if done is not None:
            done.begin(None, ("a.py", "b.py"))
            for lot in (before, pieces):
                done.tell(Asked(1, 0, 0))
                for piece in lot:
                    done.tell(Wrote(piece))
        result = lay_all(job, Reply(reply, "", (), "stop", Usage(1, 1), "m"), None, ("a.py", "b.py"), done)
        hunks = [change.hunks for change in stage.desk.draft.changes()]
        if done is not None:
            told = {event.path: event for event in stage.told(Drafted)}
            assert all(event == Drafted(path, stage.desk.draft.change(path)) for path, event in told.items()), "told and not so"
            assert set(stage.desk.draft.changed) <= set(told)
        return texts(stage), result, hunks


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([*GOOD, *GOOD, *BAD, *WORDS]), max_size=7), st.data())
def test_it_comes_to_the_same_as_the_whole_reply(tmp_path: Path, parts: list[str], data: st.DataObject) -> None:
    folder = tmp_path if (tmp_path / "a.py").exists() else lay_out(tmp_path, FILES)
    reply = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(reply)), max_size=5)))
    pieces = [reply[low:high] for low, high in zip([0, *cuts], [*cuts, len(reply)], strict=True)]
    broken = ["".join(data.draw(st.lists(st.sampled_from(GOOD), max_size=3)))]
    whole = after(folder, reply, (), early=False)
    assert after(folder, reply, pieces, early=True) == whole
    assert after(folder, reply, pieces, early=True, before=broken) == whole, "a broken stream left something"
    assert after(folder, reply, broken, early=True) == whole, "words that were taken back left something"


def test_each_block_is_in_the_draft_as_soon_as_it_closes(tmp_path: Path) -> None:
    with staged(lay_out(tmp_path, FILES)) as stage:
        early = Early(job_on(stage))
        early.begin(None, ())
        early.tell(Wrote(GOOD[0][:-4]))
        assert texts(stage) == {}
        early.tell(Wrote(GOOD[0][-4:]))
        assert texts(stage) == {"a.py": "a = 10\nb = 2\nc = 3\n"}
        (told,) = stage.told(Drafted)
        assert told.path.shown == "a.py"
        assert told.change is not None
        assert [(hunk.old, hunk.new) for hunk in told.change.hunks] == [(("a = 1\n",), ("a = 10\n",))]


def test_a_whole_new_file_is_told_while_it_grows_and_taken_back_with_its_reply(tmp_path: Path) -> None:
    with staged(lay_out(tmp_path, FILES)) as stage:
        early = Early(job_on(stage))
        early.begin(None, ())
        for piece in ("n.py\n```python\n", "one = 1\n", "two = ", "2\n", "thr"):
            early.tell(Wrote(piece))
        growing = stage.told(Drafted)
        assert [(event.path.shown, event.lines, event.change and event.change.result) for event in growing] == [
            ("n.py", 1, "one = 1\n"),
            ("n.py", 2, "one = 1\ntwo = 2\n"),
        ]
        assert texts(stage) == {}, "half a file was laid"
        early.tell(Asked(1, 0, 0))
        assert stage.told(Drafted)[-1] == Drafted(growing[0].path, None), "the stream broke, and the file still seems to be there"


def test_a_short_file_after_a_long_one_is_told_from_its_first_line(tmp_path: Path) -> None:
    with staged(lay_out(tmp_path, FILES)) as stage:
        early = Early(job_on(stage))
        early.begin(None, ())
        early.tell(Wrote("long.py\n```python\n" + "x = 1\n" * 90))
        early.tell(Wrote("```\n\nshort.py\n```python\ny = 2\n"))
        assert [(event.path.shown, event.lines) for event in stage.told(Drafted)] == [("long.py", 90), ("long.py", 0), ("short.py", 1)]


def test_a_file_that_is_written_anew_tells_only_how_far_it_is(tmp_path: Path) -> None:
    with staged(lay_out(tmp_path, FILES)) as stage:
        early = Early(job_on(stage))
        early.begin(None, ("a.py",))
        for piece in ("a.py\n```python\n", "a = 5\nb = 6\n", "c = 7\n"):
            early.tell(Wrote(piece))
        assert [(event.lines, event.change) for event in stage.told(Drafted)] == [(2, None), (3, None)]


def test_a_run_that_breaks_off_keeps_the_blocks_that_were_whole(tmp_path: Path) -> None:
    async def scenario() -> list[AgentEvent]:
        text = "".join(GOOD[:2]) + "b.py\n<<<<<<< SEARCH\n" + "x = 1\n" * 80
        async with FakeOpenAI([Turn(text=text, fault="cut", repeat=True)], strict=False) as fake:
            with staged(lay_out(tmp_path, FILES)) as stage:
                task = stage.task({"instruction": "Change a.py", "focus": {"path": "a.py"}})
                outcome = await stage.run(task, fake)
                assert outcome.reason == "failed"
                assert [(change.path.shown, change.result) for change in outcome.files] == [("a.py", "a = 10\nb = 20\nc = 3\n")]
                return stage.events

    events = asyncio.run(scenario())
    drafted = [n for n, event in enumerate(events) if isinstance(event, Drafted) and event.change is not None]
    back = [n for n, event in enumerate(events) if isinstance(event, Drafted) and event.change is None]
    asked = [n for n, event in enumerate(events) if isinstance(event, Asked)]
    assert len(asked) == 2
    assert len(drafted) == 4, "each of the two replies was laid from the first block on"
    assert asked[0] < drafted[0] < drafted[1] < asked[1] < back[0] < drafted[2]
