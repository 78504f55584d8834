"""What a run's end says, it says once: that nothing was changed, and why the model's side failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes import openai
from fakes.openai import FakeOpenAI, Turn
from unit.agents.stage import staged

pytestmark = pytest.mark.anyio
BUSY = "The server is busy or still loading the model. Try again in a moment."
BLOCK = "a.py\n<<<<<<< SEARCH\n{}\n=======\nx = 2\n>>>>>>> REPLACE\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("every import is used.", "Nothing was changed: every import is used."),
        ("Nothing was changed.", "Nothing was changed."),
        ("Nothing needs to be changed: every import is used.", "Nothing needs to be changed: every import is used."),
        ("nothing to change", "nothing to change"),
        ("Nothing is wrong with it.", "Nothing was changed: Nothing is wrong with it."),
    ],
)
async def test_that_nothing_was_changed_is_said_once(tmp_path: Path, said: str, words: str) -> None:
    (tmp_path / "a.py").write_text("x = 1\n", "utf-8")
    with staged(tmp_path) as stage:
        async with FakeOpenAI([f"NOTHING {said}"]) as fake:
            outcome = await stage.run(stage.task({"instruction": "Remove unused imports", "focus": {"path": "a.py"}}), fake)
    assert (outcome.reason, outcome.words) == ("nothing", words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (BUSY, f"The model server at URL failed: 503, {BUSY} 1 file changed so far is in review."),
        ("no slot is free", f"The model server at URL failed: 503, no slot is free. {BUSY} 1 file changed so far is in review."),
    ],
)
async def test_a_hint_that_the_server_gave_itself_is_not_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    monkeypatch.setitem(openai.REFUSALS, "500", (503, {"error": {"message": body}}))
    (tmp_path / "a.py").write_text("x = 1\n", "utf-8")
    with staged(tmp_path) as stage:
        async with FakeOpenAI([BLOCK.format("x = 1") + BLOCK.format("not there"), Turn(fault="500")]) as fake:
            outcome = await stage.run(stage.task({"instruction": "Set x to 2", "focus": {"path": "a.py"}}), fake)
            told = outcome.words.replace(fake.url, "URL")
    assert (outcome.reason, told, len(outcome.files)) == ("failed", words, 1)
