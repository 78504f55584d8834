"""What comes after a run, in a real VS Code: the report, what does not fit, and the commit message in the box of Source Control."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from e2e import replies
from e2e.model import Model
from e2e.vscode import Server, until, until_text

pytestmark = pytest.mark.e2e
StartModel = Callable[..., Model]
SETTINGS = {"git.enabled": True, "git.autofetch": False}
MESSAGE = "Give the discount a function of its own\n\nIt was spelled out in the middle of a loop."


def git(folder: Path, *words: str) -> str:
    own = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    return subprocess.run(["git", *own, *words], cwd=folder, capture_output=True, check=True, text=True).stdout


def test_what_was_done_is_reported_compared_and_described(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    model([{"text": replies.TWO_HUNKS}, {"text": MESSAGE}], **{"inglenook.checks.run": "never"})
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Begin")
    quotes = folder / "tally" / "quotes.py"
    before = quotes.read_text("utf-8")
    with code.window(browser, folder, "ledger") as window:
        window.ready()
        window.open("quotes.py")
        window.palette("Agent: Refactor…")
        window.say("give the discount a function of its own")
        window.see(window.tab("quotes.py ↔ proposal"))
        window.lens("✓ Accept (+6 −0)").click()
        until_text(quotes, before.replace(replies.HEAD, replies.FUNCTION + replies.HEAD))

        window.palette("Agent: Show Report")
        page = window.page.frame_locator("iframe.webview").frame_locator("iframe#active-frame")
        expect(page.locator("h2", has_text="Task completion")).to_be_visible(timeout=60_000)
        window.see(window.toast("The report has charts, too."))

        window.go_to_tab("quotes.py")
        window.click_line("elif line.quantity >= 25:")
        window.keys.press("End")
        window.keys.type("  # or 20?")
        window.see(window.lens("no longer fits"))
        window.palette("Agent: Show What Does Not Fit")
        shown = window.page.locator(".editor-instance .view-line")
        window.see(shown.filter(has_text="# or 20?").first)
        window.see(shown.filter(has_text="discount = _discount(").first)

        git(folder, "add", "tally/quotes.py")
        head = git(folder, "rev-parse", "HEAD")
        window.palette("Source Control: Focus on Changes View")
        window.see(window.page.locator(".sidebar .action-label[aria-label^='Write Commit Message']").first).click()
        box = window.page.locator(".scm-editor .view-lines")
        until(lambda: "Give the discount a function of its own" in " ".join(box.inner_text().split()), "the message")
        window.shot("commit_message")
        assert git(folder, "rev-parse", "HEAD") == head, "it was committed"
        assert git(folder, "diff", "--cached", "--name-only") == "tally/quotes.py\n"
