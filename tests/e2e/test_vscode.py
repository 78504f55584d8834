"""The main job in a real VS Code: task, proposal, decisions, undo; and what happens when something goes wrong."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from e2e import replies
from e2e.model import Model
from e2e.vscode import LOOKS, Server, until, until_text

pytestmark = pytest.mark.e2e
StartModel = Callable[..., Model]


def digests(folder: Path) -> dict[str, str]:
    """Every file of a folder with what is in it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


def test_one_hunk_is_accepted_another_rejected_and_one_undo_restores(
    browser: Browser, code: Server, folder: Path, model: StartModel
) -> None:
    served = model([{"text": replies.TWO_HUNKS, "chunk": 9, "pace": 0.02}])
    quotes = folder / "tally" / "quotes.py"
    before = quotes.read_text("utf-8")
    untouched = digests(folder)
    with code.window(browser, folder, "accept_and_reject") as window:
        window.ready()
        window.open("quotes.py")
        window.palette("Agent: Refactor…")
        window.say("give the discount a function of its own")
        expect(window.model).to_have_text(re.compile(r"scripted-model · [\d.]+ tok/s"))
        window.see(window.toast("give the discount a function of its own"))
        window.shot("running")
        window.see(window.tab("quotes.py ↔ proposal"))
        expect(window.lens("✓ Accept (")).to_have_count(2)
        window.see(window.status(re.compile("2 hunks to review · (checks passed|not checked)")))
        assert digests(folder) == untouched, "something reached the disk before it was accepted"
        window.shot("review", wide=True)

        window.lens("✓ Accept (+1 −8)").click()
        until_text(quotes, before.replace(replies.LADDER, replies.CALL))
        expect(window.lens("✓ Accept (")).to_have_count(1)
        window.lens("✗ Reject").click()
        window.gone(window.tab("quotes.py ↔ proposal"))
        window.gone(window.status("to review"))
        assert quotes.read_text("utf-8") == before.replace(replies.LADDER, replies.CALL)
        window.shot("status", hover=window.model)

        window.focus_editor()
        window.keys.press("Control+z")
        window.see(window.line("elif line.quantity >= 25:"))
        window.save()
        until_text(quotes, before)
    assert len(served.requests()) == 1
    assert digests(folder) == untouched


def test_an_outline_is_sent_back_then_approved_and_all_of_a_set_accepted(
    browser: Browser, code: Server, folder: Path, model: StartModel
) -> None:
    turns = [
        {"text": replies.OTHER_OUTLINE, "when": ["numbered list"]},
        {"text": replies.OUTLINE, "when": ["call it pricing.py"]},
        {"text": replies.THREE_FILES, "when": ["Approved"], "chunk": 20, "pace": 0.01},
    ]
    served = model(turns, outline="always")
    untouched = digests(folder)
    with code.window(browser, folder, "outline") as window:
        window.ready()
        window.open("quotes.py")
        window.palette("Agent: Refactor…")
        window.say("round to cents in one place")
        window.see(window.row("1. Create tally/rounding.py"))
        window.choose("Send Back…")
        window.say("call it pricing.py")
        window.see(window.row("1. Create tally/pricing.py"))
        window.keys.press("Escape")
        window.status("Outline waits").click()
        window.see(window.row("3. Leave amounts, texts and tests as they are."))
        window.shot("outline")
        assert len(served.requests()) == 2
        window.choose("Approve")
        window.see(window.tab("Proposal: round to cents in one place"))
        window.see(window.lens("✓ Accept (new file)"))
        assert digests(folder) == untouched
        window.shot("proposal", wide=True)
        window.palette("Agent: Accept All")
        until_text(folder / "tally" / "pricing.py", replies.PRICING)
        until_text(folder / "tally" / "quotes.py", _rounded(folder, "quotes.py"))
        window.gone(window.tab("Proposal: round to cents in one place"))
    changed = {name for name, digest in digests(folder).items() if untouched.get(name) != digest}
    assert changed == {"tally/pricing.py", "tally/quotes.py", "tally/invoices.py"}


def _rounded(folder: Path, name: str) -> str:
    from e2e.conftest import SAMPLE

    text = (SAMPLE / "tally" / name).read_text("utf-8")
    return text.replace(replies.IMPORT, replies.SHARED).replace(replies.ROUNDED_QUOTE, "to_cents(cost)")


def test_keys_go_from_hunk_to_hunk_across_files(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    model([{"text": replies.THREE_FILES}])
    quotes = folder / "tally" / "quotes.py"
    with code.window(browser, folder, "keys") as window:
        window.ready()
        window.open("quotes.py")
        window.palette("Agent: Edit…")
        window.say("round to cents in one place")
        window.see(window.tab("Proposal: round to cents"))
        window.see(window.lens("✓ Accept (new file)"))
        window.keys.press("Shift+Alt+k")  # before the first is the last: in another file
        window.see(window.tab("quotes.py ↔ proposal"))
        window.see(window.lens("✓ Accept (+1 −1)"))
        expect(window.status(re.compile("^Ln "))).to_have_text("Ln 22, Col 1")
        window.keys.press("Shift+Alt+y")
        window.see(window.status("1 hunk applied."))
        window.see(window.status("5 hunks to review"))
        assert "to_cents(cost)" in quotes.read_text("utf-8")
        window.keys.press("Shift+Alt+n")
        window.see(window.status("1 hunk rejected."))
        window.see(window.status("4 hunks to review"))

        invoices = folder / "tally" / "invoices.py"
        window.page.locator(".explorer-folders-view .monaco-list-row", has_text="invoices.py").dblclick()
        window.see(window.lens("✓ Accept all 2"))  # in the file itself, with the cursor on no hunk
        window.keys.press("Shift+Alt+y")
        expect(window.status(re.compile("^Ln "))).to_have_text("Ln 45, Col 1")
        assert "to_cents" not in invoices.read_text("utf-8")
        window.keys.press("Shift+Alt+y")
        window.see(window.status("3 hunks to review"))
        until(lambda: "return to_cents(" in invoices.read_text("utf-8"), "the accepted hunk")
        window.keys.press("Shift+Alt+j")
        expect(window.status(re.compile("^Ln "))).to_have_text("Ln 56, Col 1")
        window.keys.press("Shift+Alt+x")
        window.keys.press("f")
        window.see(window.status("2 hunks to review"))
        window.see(window.page.locator(".tab.active[aria-label^='invoices.py']:not([aria-label*='proposal'])"))
        window.go_to_tab("quotes.py")
        window.see(window.lens("Show diff (2 of 2)"))
        window.keys.press("Shift+Alt+g")
        window.keys.press("a")
        until_text(folder / "tally" / "pricing.py", replies.PRICING)
        window.gone(window.status("to review"))


def test_unsaved_work_of_the_user_stays_unsaved(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    model([{"text": replies.TWO_HUNKS}], **{"files.autoSave": "off"})
    quotes = folder / "tally" / "quotes.py"
    before = quotes.read_text("utf-8")
    with code.window(browser, folder, "unsaved") as window:
        window.ready()
        window.open("quotes.py")
        window.focus_editor()
        window.keys.press("Control+End")
        window.keys.type("\n# mine")
        window.palette("Agent: Refactor…")
        window.say("give the discount a function of its own")
        window.see(window.lens("✓ Accept all 2")).click()
        window.gone(window.status("to review"))
        window.see(window.line("_discount(line.quantity, order.customer.trade)"))
        assert quotes.read_text("utf-8") == before
        window.save()
        after = before.replace(replies.LADDER, replies.CALL).replace(replies.HEAD, replies.FUNCTION + replies.HEAD)
        until_text(quotes, after + "\n# mine")


def test_a_proposal_does_not_jump_in_front_of_somebody_who_types(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    served = model([{"text": replies.TWO_HUNKS, "hold": "go"}])
    quotes = folder / "tally" / "quotes.py"
    with code.window(browser, folder, "typing") as window:
        window.ready()
        window.open("quotes.py")
        window.palette("Agent: Refactor…")
        window.say("give the discount a function of its own")
        until(lambda: len(served.requests()) == 1, "the request")
        window.open("orders.py")
        window.focus_editor()
        window.keys.type("# mine")
        served.release("go")
        ready = window.see(window.toast("is ready to review"))
        window.gone(window.tab("quotes.py ↔ proposal"))
        window.see(window.line("# mine"))
        ready.get_by_role("button", name="Show Proposal").click()
        window.see(window.tab("quotes.py ↔ proposal"))
        window.open("quotes.py")
        window.focus_editor()
        window.keys.press("Control+Home")
        window.keys.type("# mine\n")  # above the hunks: they move along
        window.see(window.lens("✓ Accept (+1 −8)")).click()
        window.see(window.status("1 hunk applied."))
        until(lambda: replies.CALL in quotes.read_text("utf-8"), "the accepted hunk")
        assert quotes.read_text("utf-8").startswith('# mine\n"""Quotes')


def test_a_run_is_cancelled_from_the_status_bar(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    served = model([{"text": replies.TWO_HUNKS, "fault": "stall"}])
    untouched = digests(folder)
    with code.window(browser, folder, "cancel") as window:
        window.ready()
        window.open("quotes.py")
        window.palette("Agent: Refactor…")
        window.say("give the discount a function of its own")
        until(lambda: len(served.requests()) == 1, "the request")
        window.see(window.status("Cancel")).click()
        window.gone(window.toast("give the discount a function of its own"))
        window.gone(window.status(re.compile("Cancel$")))
    assert digests(folder) == untouched


def test_an_explanation_is_a_page_and_changes_nothing(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    model([{"text": replies.EXPLANATION}])
    with code.window(browser, folder, "explain") as window:
        window.ready()
        window.open("quotes.py")
        window.palette("Agent: Explain")
        frame = window.page.frame_locator("iframe.webview").frame_locator("iframe#active-frame")
        expect(frame.locator("strong", has_text="what each line would cost")).to_be_visible(timeout=60_000)


def test_the_light_bulb_asks_for_words_about_the_selection(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    served = model([{"text": replies.TWO_HUNKS}])
    with code.window(browser, folder, "light_bulb") as window:
        window.ready()
        window.open("quotes.py")
        window.focus_editor()
        window.keys.press("Control+a")
        offered = window.press_for("Control+.", window.page.locator(".action-widget .monaco-list-row", has_text="Agent: Refactor…"))
        window.shot("light_bulb")
        offered.click()
        window.see(window.page.locator(".quick-input-message", has_text="In quotes.py, lines 1–"))
        window.say("give the discount a function of its own")
        window.see(window.tab("quotes.py ↔ proposal"))
    assert "give the discount a function of its own" in str(served.requests()[0])


def test_a_problem_that_another_language_server_found_goes_along(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    wrong, right = '{ "rate": 12 "unit": "%" }\n', '{ "rate": 12, "unit": "%" }\n'
    (folder / "rates.json").write_text(wrong, "utf-8")
    served = model([{"text": replies.block("rates.json", wrong, right)}], **{"inglenook.checks.run": "never"})
    with code.window(browser, folder, "fix") as window:
        window.ready()
        window.open("rates.json")
        window.see(window.page.locator(".editor-instance .squiggly-error"))
        window.click_line('"rate": 12')
        window.keys.press("F8")  # to the problem
        window.keys.press("Escape")
        window.press_for(
            "Control+.", window.page.locator(".action-widget .monaco-list-row", has_text="Agent: Fix “Expected comma”")
        ).click()
        window.see(window.tab("rates.json ↔ proposal"))
        window.lens("✓ Accept (+1 −1)").click()
        until_text(folder / "rates.json", right)
        window.gone(window.page.locator(".editor-instance .squiggly-error"))
    assert "Expected comma" in str(served.requests()[0])


def test_a_server_that_crashes_is_started_again_once(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    model([{"text": replies.TWO_HUNKS}])
    untouched = digests(folder)
    with code.window(browser, folder, "crash") as window:
        window.ready()
        window.open("quotes.py")
        window.palette("Agent: Refactor…")
        window.say("give the discount a function of its own")
        window.see(window.tab("quotes.py ↔ proposal"))
        first = _kill(code)
        window.see(window.toast("stopped (killed by SIGKILL) and was started again"))
        window.gone(window.tab("quotes.py ↔ proposal"))
        window.ready()
        window.see(window.status("2 hunks to review"))  # it is in review again
        window.shot("crash", place=LOOKS)
        until(lambda: len(code.language_servers()) == 1, "the new server")
        assert _kill(code) != first
        window.see(window.toast("stopped again (killed by SIGKILL)"))
        window.see(window.status("Inglenook stopped")).click()
        window.ready()
        until(lambda: len(code.language_servers()) == 1, "the server that was asked for")
    assert digests(folder) == untouched


def _kill(code: Server) -> int:
    [pid] = code.language_servers()
    os.kill(pid, signal.SIGKILL)
    return pid


def test_no_model_is_said_with_what_helps(browser: Browser, code: Server, folder: Path, model: StartModel) -> None:
    model([], **{"inglenook.endpoint.url": "http://127.0.0.1:9/v1"})
    with code.window(browser, folder, "no_model") as window:
        window.ready()
        window.see(window.status("No model"))
        window.open("quotes.py")
        window.palette("Agent: Refactor…")
        window.say("give the discount a function of its own")
        window.see(window.toast("127.0.0.1:9"))
        window.see(window.toast("127.0.0.1:9").get_by_role("button", name="Look Again"))
