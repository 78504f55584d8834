"""A model on another machine, in a real VS Code with a real sshd: a host key that nobody knows, a task over the tunnel, leaving."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from e2e import replies
from e2e.model import Model, serving
from e2e.vscode import Server, until
from fakes import sshd
from fakes.sshd import Sshd, needs_sshd

pytestmark = [pytest.mark.e2e, needs_sshd]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sshd]:
    (tmp_path / "sshd").mkdir()
    with sshd.running(tmp_path / "sshd") as started:
        started.know("")
        yield started


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Model]:
    """The model server on the box."""
    with serving(tmp_path, [{"text": replies.TWO_HUNKS}], name="box-model") as served:
        yield served


def test_a_box_is_connected_by_its_fingerprint_and_serves(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, folder: Path, box: Sshd, there: Model
) -> None:
    command = ["env", f"PATH={box.environment()['PATH']}", sys.executable, "-m", "inglenook", "lsp"]  # it finds the ssh of the test
    settings = {"inglenook.remote.port": urlsplit(there.url).port, "inglenook.server.command": command}
    home = tmp_path_factory.mktemp("remote")
    with Server(home, settings) as code, code.window(browser, folder, "remote") as window:
        window.ready()
        window.open("quotes.py")
        window.palette("Agent: Connect to Remote Box…")
        window.say("box")
        question = window.page.locator(".monaco-dialog-box", has_text="Is this the key of box?")
        window.see(question)
        expect(question).to_contain_text(box.fingerprint)
        window.shot("host_key")
        question.get_by_role("button", name="It Is the Same: Accept").click()
        expect(window.model).to_have_attribute("aria-label", re.compile("^Agent: box-model"), timeout=30_000)

        window.palette("Agent: Refactor…")
        window.say("give the discount a function of its own")
        window.see(window.tab("quotes.py ↔ proposal"))
        assert len(there.requests()) == 1

        box.stop()
        window.see(window.status(re.compile(r"Reconnecting in \d+ s")))
        window.shot("reconnecting", hover=window.model)
        box.start()
        expect(window.model).to_have_attribute("aria-label", re.compile("^Agent: box-model"), timeout=60_000)

        window.palette("Agent: Disconnect from Remote Box")
        until(lambda: not box.sessions(), "the end of the ssh connection")
