"""May it leave this machine? In a real VS Code: the question names what would be sent, closing it is a no, and a yes is for one task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from e2e import replies
from e2e.model import Model, serving
from e2e.vscode import Server

pytestmark = pytest.mark.e2e


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Model]:
    """A hosted model, here on loopback."""
    with serving(tmp_path, [{"text": replies.TWO_HUNKS}], name="hosted-model") as served:
        yield served


def test_nothing_leaves_before_a_person_agrees_to_the_list(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, folder: Path, provider: Model
) -> None:
    settings = {
        "inglenook.hosted.use": "prefer-local",
        "inglenook.hosted.folders": [str(folder.parent)],
        "inglenook.hosted.kinds": ["refactor", "small"],
        "inglenook.hosted.url": provider.url,
        "inglenook.hosted.model": "hosted-model",
        "inglenook.hosted.name": "Example Cloud",
    }
    (folder / ".vscode").mkdir()
    (folder / ".vscode" / "settings.json").write_text(json.dumps({"inglenook.endpoint.url": "http://127.0.0.1:9/v1"}), "utf-8")
    with Server(tmp_path_factory.mktemp("consent"), settings) as code, code.window(browser, folder, "consent") as window:
        window.ready()
        window.open("quotes.py")
        question = window.page.locator(".monaco-dialog-box", has_text="to Example Cloud? It leaves this machine.")

        window.palette("Agent: Refactor…")
        window.say("give the discount a function of its own")
        window.see(question)
        expect(question).to_contain_text("tally/quotes.py")
        expect(question).to_contain_text("No local model answers")
        expect(question.get_by_role("button", name="Keep It Here")).to_be_focused()
        window.shot("consent")
        assert provider.requests() == []
        question.get_by_role("button", name="Keep It Here").click()
        window.see(window.toast("Nobody answers at"))
        assert provider.requests() == []

        window.palette("Agent: Refactor…")
        window.say("give the discount a function of its own")
        window.see(question).get_by_role("button", name="Send It").click()
        window.see(window.tab("quotes.py ↔ proposal"))
        assert len(provider.requests()) == 1

        window.palette("Agent: Ask Again with Another Model…")
        expect(window.row("hosted-model")).to_contain_text("leaves this machine · you are asked first")
        window.choose("hosted-model")
        window.say("with a plainer name")
        window.see(question)
        expect(question).to_contain_text("You asked for the hosted model.")
        question.get_by_role("button", name="Keep It Here").click()
        window.gone(window.toast("Again: give the discount"))
        window.see(window.status("2 hunks to review"))
        assert len(provider.requests()) == 1
