"""A proposal that is not right yet, in a real VS Code: edited before it is accepted, asked again, and a decision taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from e2e import replies
from e2e.model import Model, serving
from e2e.vscode import Server, Window, until, until_text

pytestmark = pytest.mark.e2e
StartModel = Callable[..., Model]

BETTER = "The discount gets a function with a plain name.\n\n" + replies.block(
    "tally/quotes.py", replies.LADDER, "        discount = share_off(line.quantity, order.customer.trade)\n"
) + replies.block("tally/quotes.py", replies.HEAD, replies.FUNCTION.replace("_discount", "share_off") + replies.HEAD)  # fmt: skip
BEST = BETTER.replace("share_off", "rebate")
MINE = "  # before VAT"


def proposed(window: Window) -> None:
    window.ready()
    window.open("quotes.py")
    window.palette("Agent: Refactor…")
    window.say("give the discount a function of its own")
    window.see(window.tab("quotes.py ↔ proposal"))
    expect(window.lens("✓ Accept (")).to_have_count(2)


def test_the_proposal_is_edited_accepted_and_taken_back(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    model([{"text": replies.TWO_HUNKS}])
    quotes = folder / "tally" / "quotes.py"
    before = quotes.read_text("utf-8")
    mine = replies.FUNCTION.replace('such as 0.11."""', f'such as 0.11."""{MINE}')
    with code.window(browser, folder, "edit_proposal") as window:
        proposed(window)
        window.palette("Agent: Edit Proposal")
        window.see(window.tab("quotes.py (edit the proposal)"))
        line = window.page.locator(".editor.modified .view-line", has_text="The share that is taken off").first
        window.see(line)
        line.click()
        window.keys.press("End")
        window.keys.type(MINE)
        window.keys.press("Control+Home")
        window.shot("edit_proposal", wide=True)
        window.save()
        window.see(window.status("not checked"))  # what the checks said was of another text
        assert quotes.read_text("utf-8") == before, "an edit of the proposal reached the file"

        window.palette("Agent: Accept All")
        until_text(quotes, before.replace(replies.LADDER, replies.CALL).replace(replies.HEAD, mine + replies.HEAD))
        window.gone(window.tab("quotes.py (edit the proposal)"))

        window.palette("Agent: Undo Last Decision")
        until_text(quotes, before)
        window.see(window.status("2 hunks to review"))


@pytest.fixture
def larger(tmp_path: Path) -> Iterator[Model]:
    """Another model server on this machine."""
    (tmp_path / "larger").mkdir()
    with serving(tmp_path / "larger", [{"text": BEST, "when": ["a plainer word"]}], name="larger-model") as served:
        yield served


def test_asking_again_replaces_what_was_not_wanted(browser: Browser, code: Server, folder: Path, model: StartModel, larger: Model) -> None:
    served = model(
        [{"text": replies.TWO_HUNKS}, {"text": BETTER, "when": ["call it share_off"]}], **{"inglenook.endpoint.more": [larger.url]}
    )
    quotes = folder / "tally" / "quotes.py"
    before = quotes.read_text("utf-8")
    with code.window(browser, folder, "ask_again") as window:
        proposed(window)
        window.page.locator(".codelens-decoration a").get_by_text("✗ Reject", exact=True).first.click()
        window.see(window.status("1 hunk to review"))
        window.palette("Agent: Ask Again…")
        window.see(window.page.locator(".quick-input-widget", has_text="what you accepted stays"))
        window.say("call it share_off")
        window.see(window.page.locator(".editor.modified .view-line", has_text="share_off").first)
        window.see(window.status("2 hunks to review"))
        window.palette("Focus on Desk View")
        window.see(window.page.locator(".sidebar .monaco-list-row", has_text="Again: give the discount").first)
        old = window.page.locator(".sidebar .monaco-list-row[aria-label^='give the discount']")
        expect(old).to_have_attribute("aria-label", "give the discount a function of its own, 1 rejected, 1 stale · ✓ checks passed")
        window.shot("ask_again")
        window.palette("Agent: Ask Again with Another Model…")
        expect(window.row("larger-model")).to_contain_text(larger.url)
        window.choose("larger-model")
        window.see(window.page.locator(".quick-input-widget", has_text="Agent: Ask Again on larger-model"))
        window.say("a plainer word")
        window.see(window.page.locator(".editor.modified .view-line", has_text="rebate").first)
        assert len(larger.requests()) == 1
        expect(window.page.locator(".sidebar .monaco-list-row[aria-label^='Again: '][aria-label*=', 2 stale']")).to_have_count(1)
        assert quotes.read_text("utf-8") == before
        window.palette("Agent: Accept All")
        until(lambda: "rebate" in quotes.read_text("utf-8") and replies.LADDER not in quotes.read_text("utf-8"), "the newest proposal")
        expect(window.model).to_contain_text("scripted-model")
    assert len(served.requests()) == 2
    asked = served.requests()[-1]["messages"][-1]["content"]
    assert "turned this down" in asked and "call it share_off" in asked
