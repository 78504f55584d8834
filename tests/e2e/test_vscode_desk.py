"""The desk: a tree of runs and proposals with everything that can be decided in it; and accepting what fails its checks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Locator, expect

from e2e import replies
from e2e.model import Model
from e2e.vscode import PATIENCE, Server, Window, until, until_text

pytestmark = pytest.mark.e2e
StartModel = Callable[..., Model]
BROKEN = replies.TWO_HUNKS.replace('bulk = "0.12"', 'bulk = "0.52"')


def row(window: Window, label: str) -> Locator:
    """A row of the desk by what a screen reader says of it."""
    return window.page.locator(f'.sidebar .monaco-list-row[aria-label^="{label}"]')


def press(window: Window, label: str, button: str, then: str) -> None:
    """Presses a button of a row for another row to appear; again if the tree was drawn anew just under the mouse."""
    for _ in range(5):
        window.page.mouse.move(700, 790)  # the tooltip of another row may lie over this one
        try:
            if row(window, label).count():
                row(window, label).hover(timeout=PATIENCE / 5)
                row(window, label).locator(f'.action-label[aria-label^="{button}"]').click(timeout=PATIENCE / 5)
            expect(row(window, then)).to_be_visible(timeout=PATIENCE / 5)
            break
        except (AssertionError, Error):
            continue
    window.see(row(window, then))


def badge(window: Window) -> Locator:
    return window.page.locator(".activitybar .action-item", has=window.page.locator('[aria-label^="Inglenook"]')).locator(".badge-content")


def focus_desk(window: Window) -> None:
    """Puts the focus on the desk's rows; again if an editor that was still opening took it back."""
    focused = window.page.locator(".sidebar .monaco-list:focus-within .monaco-list-row.focused")
    for _ in range(5):
        window.palette("Focus on Desk View")
        try:
            expect(focused).to_be_visible(timeout=5_000)
            return
        except AssertionError:
            continue
    window.see(focused)


def accept_by_key(window: Window, pending: Locator) -> None:
    """Presses the key until the desk has taken it: VS Code knows which view has the focus a moment after it has it."""
    for _ in range(5):
        focus_desk(window)
        window.keys.press("Shift+Alt+y")
        try:
            expect(window.status("1 hunk applied.")).to_be_visible(timeout=5_000)
            return
        except AssertionError:
            if not pending.is_visible():
                return


def test_the_desk_shows_runs_and_proposals_and_decides_on_them(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    served = model([{"text": replies.THREE_FILES, "hold": "go"}, {"text": replies.GROWING, "chunk": 10, "fault": "stall"}])
    with code.window(browser, folder, "desk") as window:
        window.ready()
        window.open("quotes.py")
        window.palette("Focus on Desk View")
        window.see(window.page.locator(".sidebar .welcome-view-content", has_text="Nothing is on the desk."))
        window.see(window.page.locator(".sidebar .monaco-button", has_text="Refactor…")).click()
        window.say("round to cents in one place")
        window.see(row(window, "round to cents in one place, "))
        until(lambda: len(served.requests()) == 1, "the request")
        served.release("go")
        window.see(row(window, "round to cents in one place, 6 of 6 to review"))
        expect(badge(window)).to_have_text("6")
        window.see(row(window, "pricing.py, tally · new file · 1 of 1 to review"))
        window.see(window.tab("Proposal: round to cents"))

        press(window, "New file, to review", "Accept", "New file, accepted")
        until_text(folder / "tally" / "pricing.py", replies.PRICING)
        press(window, "quotes.py, tally · 2 of 2", "Reject", "quotes.py, tally · 2 rejected")
        window.see(row(window, "round to cents in one place, 3 of 6 to review"))
        expect(badge(window)).to_have_text("3")
        press(window, "Line 3, 1 line to replace with 3, rejected", "Decide Again", "Line 3, 1 line to replace with 3, to review")
        window.see(row(window, "round to cents in one place, 4 of 6 to review"))

        first = window.see(row(window, "Line 3, 1 line to replace with 3, to review").last)
        first.click()
        window.see(window.page.locator(".tab.active[aria-label^='quotes.py ↔ proposal']"))
        window.shot("desk")
        window.see(window.lens("✓ Accept (+3 −1)"))  # the diff is whole, and takes no focus any more
        accept_by_key(window, row(window, "Line 3, 1 line to replace with 3, to review").last)
        window.see(window.status("1 hunk applied."))
        focus_desk(window)  # on the row that was clicked
        window.keys.press("ArrowDown")
        expect(window.page.locator(".sidebar .monaco-list-row.focused")).to_have_attribute(
            "aria-label", re.compile("^Line 20, .* rejected")
        )
        for _ in range(5):
            window.keys.press("ArrowUp")
        expect(window.page.locator(".sidebar .monaco-list-row.focused")).to_have_attribute(
            "aria-label", re.compile("^Line 56, .* to review")
        )
        window.keys.press("Shift+Alt+n")  # on the row that has the focus now, which was never clicked
        window.see(row(window, "Line 56, 1 line to replace with 1, rejected"))
        expect(window.page.locator(".sidebar .monaco-list:focus-within")).to_be_visible()
        press(window, "Line 56, 1 line to replace with 1, rejected", "Decide Again", "Line 56, 1 line to replace with 1, to review")

        window.palette("Agent: Edit…")
        window.say("once more")
        window.see(row(window, "invoices.py, 1 hunk so far"))
        window.see(row(window, "Line 56, +1 −1"))
        window.see(row(window, "New file, +"))
        growing = window.see(row(window, "rates.py, "))
        expect(growing).to_have_attribute("aria-label", re.compile(r"^rates\.py, \d+ lines so far"))
        growing.click()
        window.see(window.tab("rates.py (draft so far)"))
        window.see(window.page.locator(".editor.modified .view-line", has_text="RATE_7 = 7"))
        window.shot("drafting")
        assert not (folder / "tally" / "rates.py").exists()
        assert len(served.requests()) == 2
        press(window, "once more, ", "Cancel", "once more, cancelled")
        window.gone(window.tab("rates.py (draft so far)"))
        top = window.page.locator(".sidebar .monaco-list-row").first
        expect(top).to_have_attribute("aria-label", re.compile("^once more, cancelled"))
        settings = folder / ".vscode" / "settings.json"
        settings.write_text(json.dumps({**json.loads(settings.read_text("utf-8")), "inglenook.desk.hours": 0}), "utf-8")
        window.gone(row(window, "once more, cancelled"))  # what is over fades; what waits stays
        window.see(row(window, "round to cents in one place, 3 of 6 to review"))


def test_what_fails_its_checks_is_accepted_in_two_steps(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    model([{"text": BROKEN}], **{"inglenook.limits.repairs": 0})
    quotes = folder / "tally" / "quotes.py"
    before = quotes.read_text("utf-8")
    with code.window(browser, folder, "failing") as window:
        window.ready()
        window.open("quotes.py")
        window.palette("Agent: Refactor…")
        window.say("give the discount a function of its own")
        window.see(window.tab("quotes.py ↔ proposal"))
        verdict = window.see(window.status("2 hunks to review"))
        if "not checked" in verdict.inner_text():
            pytest.skip("there is no sandbox here to run checks in")
        expect(verdict).to_contain_text("checks fail")
        question = window.page.locator(".monaco-dialog-box", has_text="Checks fail with this change.")

        window.lens("✓ Accept (+1 −8)").click()
        window.see(question)
        expect(question).to_contain_text("test_")
        window.shot("checks_fail")
        question.get_by_role("button", name="Cancel").click()
        window.gone(question)
        window.see(window.status("2 hunks to review"))

        window.lens("✓ Accept (+1 −8)").click()
        window.see(question).get_by_role("button", name="Show Output").click()
        expect(window.page.locator(".panel select option:checked").first).to_have_text("Inglenook Checks")
        assert quotes.read_text("utf-8") == before

        window.palette("Agent: Accept All")
        window.see(question).get_by_role("button", name="Accept Anyway").click()
        after = before.replace(replies.LADDER, replies.CALL).replace(replies.HEAD, replies.FUNCTION + replies.HEAD)
        until_text(quotes, after.replace('bulk = "0.12"', 'bulk = "0.52"'))


def test_a_proposal_survives_a_reload_of_the_window(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    model([{"text": replies.TWO_HUNKS}], **{"inglenook.checks.run": "never"})
    quotes = folder / "tally" / "quotes.py"
    before = quotes.read_text("utf-8")
    with code.window(browser, folder, "reload") as window:
        window.ready()
        window.open("quotes.py")
        window.palette("Agent: Refactor…")
        window.say("give the discount a function of its own")
        window.see(window.tab("quotes.py ↔ proposal"))
        window.see(window.lens("✓ Accept (+6 −0)"))
        window.lens("✗ Reject").nth(1).click()
        window.see(window.status("1 hunk to review"))
        window.page.reload()
        window.ready()
        window.palette("Focus on Desk View")
        window.see(row(window, "give the discount a function of its own, 1 of 2 to review"))
        expect(badge(window)).to_have_text("1")
        press(window, "Lines 11–18, 8 lines to replace with 1, to review", "Accept", "Lines 11–18, 8 lines to replace with 1, accepted")
        until_text(quotes, before.replace(replies.LADDER, replies.CALL))
