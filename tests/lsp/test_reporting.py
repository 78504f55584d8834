"""The report and the commit message in an editor, with our extension and without."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from fakes.openai import FakeOpenAI
from lsp.editor import Editor
from lsp.test_review import reviewing
from lsp.wire import Refusal
from lsp.words import RENAME, settings

pytestmark = pytest.mark.anyio


async def test_the_report_is_a_page_of_ours_and_a_file_with_charts(folder: Path, tmp_path: Path) -> None:
    async with reviewing(folder, RENAME) as (editor, _):
        await editor.decide("accept")
        shown = await editor.command("report.show")
        page = await editor.page(shown["uri"])
        assert page == shown["markdown"] and "## Task completion" in page and "| completed | 100% |" in page
        charts = Path(unquote(urlsplit(shown["charts"]).path))
        assert "<svg" in charts.read_text("utf-8") and charts.stat().st_mode & 0o777 == 0o600
        assert charts.is_relative_to(tmp_path / "home") and not charts.is_relative_to(folder)
        with pytest.raises(Refusal, match="is no time"):
            await editor.command("report.show", since="soon")
        again = await editor.command("report.show", since="all", compare=["fake-coder", "fake-coder"])
        assert "## Review burden" in await editor.page(again["uri"])


async def test_an_editor_without_pages_is_shown_the_report(folder: Path) -> None:
    async with FakeOpenAI([]) as fake, Editor(folder, settings=settings(fake.url), plain=True) as editor:
        shown = await editor.command("report.show")
        assert shown["charts"] == "" and "nothing to report" in shown["markdown"]
        await editor.until(lambda: editor.shown)
        assert "nothing to report" in Path(unquote(urlsplit(editor.shown[0]["uri"]).path)).read_text("utf-8")


async def test_a_commit_message_is_given_back_and_nothing_is_committed(folder: Path) -> None:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=folder, capture_output=True, check=True, text=True).stdout

    async with FakeOpenAI(["Add sums\n\nThey were missing."]) as fake, Editor(folder, settings=settings(fake.url)) as editor:
        with pytest.raises(Refusal, match="There is no git repository"):
            await editor.command("commit.message")
        git("init", "-q")
        with pytest.raises(Refusal, match="Nothing is staged"):
            await editor.command("commit.message")
        git("add", "calc.py")
        before = git("status", "--porcelain=v2", "--branch")
        made = await editor.command("commit.message", uri=folder.as_uri())
        assert (made["message"], made["trailers"], made["withheld"]) == ("Add sums\n\nThey were missing.", [], 0)
        assert made["whole"] == "Add sums\n\nThey were missing.\n"
        assert git("status", "--porcelain=v2", "--branch") == before
