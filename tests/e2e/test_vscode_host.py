"""The extension's API surface: a mocha suite inside the real extension host, on the packaged extension."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from e2e import replies
from e2e.model import Model
from e2e.vscode import ROOT, Server, until

pytestmark = pytest.mark.e2e
SUITE = ROOT / "vscode-extension" / "test"
CASES = 12


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mocha") / "outcome.json"


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory, outcome: Path) -> Iterator[Server]:
    """A VS Code server that runs tests in its extension host when a window asks for it."""
    with Server(tmp_path_factory.mktemp("code"), env={"INGLENOOK_MOCHA": str(outcome)}, drivable=True) as server:
        yield server


def test_the_suite_in_the_extension_host(browser: Browser, code: Server, folder: Path, outcome: Path, model: Callable[..., Model]) -> None:
    model([{"text": replies.TWO_HUNKS}], **{"inglenook.checks.run": "never"})
    with code.window(browser, folder, "host", extension=SUITE, tests=SUITE / "index.cjs"):
        until(outcome.is_file, "the end of the suite", 120)
        until(lambda: outcome.read_text("utf-8").endswith("}"), "the whole outcome")
    told = json.loads(outcome.read_text("utf-8"))
    assert told["failed"] == [], "\n".join(told["failed"])
    assert len(told["passed"]) == CASES
