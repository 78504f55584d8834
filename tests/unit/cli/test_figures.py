"""`inglenook report`, `forget` and `commit-message`, as a person and as a script meet them: real processes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from fakes.openai import FakeOpenAI
from unit.cli.test_ledger import Desk, play


def git(desk: Desk, *words: str) -> str:
    env = {**desk.env, "GIT_CONFIG_NOSYSTEM": "1", "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z"}
    who = ["-c", "user.name=t", "-c", "user.email=t@t"]
    return subprocess.run(["git", *who, *words], cwd=desk.work, env=env, capture_output=True, check=True, text=True).stdout


def test_a_run_is_in_the_report_and_can_be_forgotten(tmp_path: Path) -> None:
    async def act(desk: Desk) -> None:
        shown = await desk.say("report", "--json")
        found = json.loads(shown.screen)
        assert shown.code == 0
        assert (found["whole"]["tasks"], found["whole"]["completion"], found["models"][0]["name"]) == (1, 1.0, "fake-coder")
        table = await desk.say("report", "--since", "all")
        assert table.code == 0 and "Review burden" in table.screen and "fake-coder" in table.screen and "1 completed" in table.screen
        page = desk.work.parent / "r.html"
        assert (await desk.say("report", "--html", str(page))).code == 0
        assert "<svg" in page.read_text("utf-8")
        wrong = await desk.say("report", "--compare", "fake-coder", "other")
        assert wrong.code == 2 and "There are: fake-coder" in wrong.stderr
        files = desk.files()
        refused = await desk.say("forget")
        assert refused.code == 5 and "Pass --yes" in refused.stderr and desk.ledger.is_dir()
        ledger = desk.ledger
        gone = await desk.say("forget", "--yes")
        assert gone.code == 0 and not ledger.exists() and desk.files() == files
        for what in ("the audit", "what undoes acceptances", "the numbers for the report"):
            assert f"Deleted: {what}" in gone.screen
        again = await desk.say("forget", "--yes")
        assert again.code == 1 and "Nothing is kept" in again.screen
        empty = await desk.say("report")
        assert empty.code == 1 and "nothing to report" in empty.stderr and "Run one" in empty.stderr

    play(tmp_path, act)


def test_a_person_is_asked_before_anything_is_forgotten(tmp_path: Path) -> None:
    async def act(desk: Desk) -> None:
        kept = await desk.at_terminal("forget", play=[("[y/N]", "n\n")])
        assert kept.code == 5 and desk.ledger.is_dir()
        ledger = desk.ledger
        gone = await desk.at_terminal("forget", play=[("[y/N]", "y\n")])
        assert gone.code == 0 and not ledger.exists()

    play(tmp_path, act)


def test_a_commit_message_goes_to_stdout_alone(tmp_path: Path) -> None:
    async def act(desk: Desk) -> None:
        none = await desk.say("commit-message")
        assert none.code == 2 and "There is no git repository" in none.stderr
        git(desk, "init", "-q")
        git(desk, "add", ".")
        async with FakeOpenAI(["Rename it\n\nIt was misleading."]) as fake:
            shown = await desk.say("commit-message", "--endpoint", fake.url)
        assert shown.code == 0
        assert shown.screen.startswith("Rename it\n\nIt was misleading.\n\nAssisted-by: fake-coder (Inglenook): ")
        trailers = await desk.say("commit-message", "--trailers")
        assert (
            trailers.code == 0 and trailers.screen.startswith("Assisted-by: fake-coder (Inglenook): ") and trailers.screen.count("\n") == 1
        )
        assert "No commits yet" in git(desk, "status")

    play(tmp_path, act)
