"""Pending hunks marked in the file itself: what they look like, what the hover says, and what typing does to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from e2e import replies
from e2e.model import Model
from e2e.vscode import Server, Window, until, until_text

pytestmark = pytest.mark.e2e
StartModel = Callable[..., Model]

TYPED = "  # or 20?"
LADDER = replies.LADDER.replace("elif line.quantity >= 25:", f"elif line.quantity >= 25:{TYPED}")
CALL = (
    '        discount = Decimal("0.12" if line.quantity >= 100 else "0.06" if line.quantity >= 25 else "0")'
    f' + Decimal("0.05" if order.customer.trade else "0"){TYPED}\n'
)
HEAD = replies.HEAD.replace("\n", "  # priced\n")
REFITTED = {"text": "Both are kept.\n\n" + replies.block("tally/quotes.py", LADDER, CALL), "when": ["keep what I changed"]}


def marked(window: Window) -> list[str]:
    """The words behind the marked lines of the editor in front, from its top."""
    words = window.page.evaluate(
        """() => [...document.querySelectorAll('.editor-instance .view-line span[class*="ced-"]')]
            .map((mark) => [mark.getBoundingClientRect().top, getComputedStyle(mark, '::after').content])
            .filter(([, words]) => words.startsWith('"')).sort((a, b) => a[0] - b[0]).map(([, words]) => JSON.parse(words))"""
    )
    return [str(each) for each in words]


def test_hunks_are_marked_in_the_file_and_typing_inside_one_sets_it_aside(
    browser: Browser, code: Server, folder: Path, model: StartModel
) -> None:
    served = model([{"text": replies.TWO_HUNKS, "chunk": 30, "pace": 0.02}, REFITTED], **{"files.autoSave": "off"})
    quotes = folder / "tally" / "quotes.py"
    before = quotes.read_text("utf-8")
    with code.window(browser, folder, "marks") as window:
        window.ready()
        window.open("quotes.py")
        window.palette("Agent: Refactor…")
        window.say("give the discount a function of its own")
        window.see(window.tab("quotes.py ↔ proposal"))
        window.go_to_tab("quotes.py")
        until(lambda: marked(window) == ["6 lines to add", "8 lines to replace with 1"], "the marks")
        expect(window.page.locator(".editor-instance .cgmr[class*='ced-']")).to_have_count(2)
        window.gone(window.page.locator(".tab.dirty"))
        window.see(window.lens("Show diff (2 of 2)")).click()
        window.see(window.page.locator(".tab.active[aria-label^='quotes.py ↔ proposal']"))
        window.go_to_tab("quotes.py")
        page = window.hover_line("if line.quantity >= 100:")
        expect(page).to_contain_text("The agent proposes: 8 lines to replace with 1")
        expect(page).to_contain_text("discount = _discount(line.quantity, order.customer.trade)")
        window.see(page.get_by_text("Reject"))
        window.shot("marks", hover=window.line("if line.quantity >= 100:").locator("span span").last, wide=True)
        window.keys.press("Escape")

        window.focus_editor()
        window.keys.press("Control+Home")
        window.keys.type("# mine\n")
        expect(window.lens("✓ Accept (+1 −8)")).to_be_visible()
        assert marked(window) == ["6 lines to add", "8 lines to replace with 1"]
        window.click_line("elif line.quantity >= 25:")
        window.keys.press("End")
        window.keys.type(TYPED)
        until(lambda: any("no longer fits: The lines it replaces were changed" in words for words in marked(window)), "the stale mark")
        window.see(window.lens("A hunk no longer fits here"))
        window.shot("stale", wide=True)
        for _ in TYPED:
            window.keys.press("Backspace")
        until(lambda: marked(window) == ["6 lines to add", "8 lines to replace with 1"], "the marks again")
        window.gone(window.lens("↻ Re-fit"))

        window.click_line("def quote_lines(order, catalogue):")
        window.keys.press("End")
        window.keys.type("  # priced")
        until(lambda: any("no longer fits: The line after the place" in words for words in marked(window)), "another stale mark")
        window.see(window.lens("↻ Re-fit")).click()
        window.see(window.status("Re-fitted: 1 hunk fits again."))
        until(lambda: marked(window) == ["6 lines to add", "8 lines to replace with 1"], "the mark that fits again")
        assert len(served.requests()) == 1, "a model was asked for what can be merged"
        window.see(window.line("def quote_lines(order, catalogue):  # priced"))

        window.click_line("elif line.quantity >= 25:")
        window.keys.press("End")
        window.keys.type(TYPED)
        window.hover_line("if line.quantity >= 100:").get_by_text("Re-fit").click()
        window.see(window.toast("The agent is asked to fit 1 hunk to what you changed."))
        window.see(window.page.locator(".tab.active", has_text="quotes.py ↔ proposal"))
        window.go_to_tab("quotes.py")
        until(lambda: marked(window) == ["6 lines to add", "8 lines to replace with 1"], "what the agent made of it")
        window.see(window.line(f"elif line.quantity >= 25:{TYPED}"))
        assert quotes.read_text("utf-8") == before

        window.hover_line("if line.quantity >= 100:").get_by_text("Accept").click()
        window.see(window.status("1 hunk applied."))
        until(lambda: marked(window) == ["6 lines to add"], "one mark")
        assert quotes.read_text("utf-8") == before, "unsaved work of the user was saved"
        expect(window.lens("✓ Accept (")).to_have_count(1)
        window.lens("✗ Reject").click()
        until(lambda: marked(window) == [], "no mark")
        window.save()
        until_text(quotes, "# mine\n" + before.replace(replies.LADDER, CALL).replace(replies.HEAD, HEAD))
