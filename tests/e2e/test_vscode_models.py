"""Models in a real VS Code: one is selected and stays selected, another is downloaded and cancelled, the setup is a page."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from e2e.vscode import LOOKS, Server, until
from fakes.shelf import HANG, Ollama

pytestmark = pytest.mark.e2e
GB = 1_000_000_000


@pytest.fixture
def ollama(folder: Path) -> Iterator[Ollama]:
    """An Ollama with two models, in a loop of its own; the folder's settings point to it."""
    fake = Ollama({"qwen2.5-coder:7b": {"loaded": True, "size": 40 * GB}, "llama3.1:8b": {"size": 40 * GB}})
    started, loop = threading.Event(), asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with fake:
            started.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(10)
    (folder / ".vscode").mkdir()
    (folder / ".vscode" / "settings.json").write_text(json.dumps({"inglenook.endpoint.url": fake.url}), "utf-8")
    yield fake
    loop.call_soon_threadsafe(over.set)
    thread.join(10)
    loop.close()


def test_a_model_is_selected_and_kept_in_the_settings(browser: Browser, code: Server, folder: Path, ollama: Ollama) -> None:
    with code.window(browser, folder, "select_model") as window:
        window.ready()
        window.palette("Agent: Select Model…")
        window.see(window.row("qwen2.5-coder:7b"))
        expect(window.row("llama3.1:8b")).to_contain_text("too large")
        window.choose("llama3.1:8b")
        window.see(window.toast("Runs use llama3.1:8b"))
        assert ollama.loaded == ["llama3.1:8b"]
        kept = folder / ".vscode" / "settings.json"
        until(lambda: json.loads(kept.read_text() or "{}").get("inglenook.endpoint.model") == "llama3.1:8b", "the setting")
        expect(window.model).to_contain_text("llama3.1:8b")


def test_a_download_shows_how_far_it_is_and_is_cancelled(browser: Browser, code: Server, folder: Path, ollama: Ollama) -> None:
    layer = {"status": "pulling a", "digest": "sha256:a", "total": 4 * GB, "completed": GB}
    ollama.downloads["new:7b"] = [[layer, HANG]]
    with code.window(browser, folder, "pull_model") as window:
        window.ready()
        window.palette("Agent: Pull Model…")
        window.say("new:7b")
        toast = window.see(window.toast("1.00 GB of 4.00 GB"))
        toast.hover()
        toast.get_by_text("Cancel").click()
        window.see(window.toast("What is there of new:7b stays"))


def test_the_setup_is_a_page(browser: Browser, code: Server, folder: Path, ollama: Ollama) -> None:
    with code.window(browser, folder, "check_setup") as window:
        window.ready()
        window.palette("Agent: Check Setup")
        frame = window.page.frame_locator("iframe.webview").frame_locator("iframe#active-frame")
        expect(frame.locator("h1", has_text="Check Setup")).to_be_visible(timeout=60_000)
        expect(frame.locator("li", has_text="Runs use qwen2.5-coder:7b")).to_be_visible()
        window.shot("check_setup", place=LOOKS)
