"""A real Helix in a pseudo-terminal, with the configuration of docs/editors/helix.md: what its person sees, and what reaches the disk."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from e2e import replies
from e2e.model import Model, serving
from e2e.page import blocks, fetched, filled, path_with_inglenook, unanswered
from e2e.terminal import PATIENCE, Terminal

HELIX = fetched("helix", "hx")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        HELIX is None,
        reason=f"{'no answer from the archive that has it' if unanswered('helix') else 'not fetched'} (fetch_editors.sh says more)",
    ),
]
FILE = "tally/quotes.py"
NO_SERVER = "No configured language server supports code actions"
ESCAPE, ENTER, NEXT = "\x1b", "\r", "\x0e"


class Helix(Terminal):
    """Helix with a file open. `menu` and `choose` are what Space a does."""

    def menu(self) -> list[str]:
        """Opens the list of code actions, again as long as the server is not there yet; the rows of the agent."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.press(" ")
            self.wait("what Space does", lambda text: "Perform code action" in text and NO_SERVER not in text)
            self.press("a")
            shown = self.wait("code actions", lambda text: "Perform code" not in text and ("Agent: " in text or NO_SERVER in text))
            if NO_SERVER not in shown:
                return [f"Agent: {line.split('Agent: ')[1].split('  ')[0]}" for line in shown.splitlines() if "Agent: " in line]
        raise AssertionError(f"the server is not there:\n{self.text}")

    def choose(self, title: str) -> None:
        """Chooses the code action whose title begins so. Helix may ask a server that has just come before it has opened the file for it."""
        end = time.monotonic() + PATIENCE
        rows = self.menu()
        while not any(row.startswith(title) for row in rows):
            assert time.monotonic() < end, f"nobody offers {title}: {rows}"
            self.press(ESCAPE)
            self.lose("Agent: ")
            rows = self.menu()
        place = next(number for number, row in enumerate(rows) if row.startswith(title))
        self.press(NEXT * place + ENTER)
        self.wait("the end of the list", lambda text: rows[-1] not in text)

    def write(self) -> None:
        self.press(":w" + ENTER)
        self.see("written")

    def quit(self) -> None:
        self.press(":q!" + ENTER)
        assert self.ended() == 0


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": path_with_inglenook(tmp_path / "bin"),
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


@pytest.fixture
def helix(tmp_path: Path, folder: Path, env: dict[str, str]) -> Iterator[Callable[..., tuple[Helix, Model]]]:
    """Starts Helix on a file of the sample, with the configuration of the page and a scripted model."""
    with ExitStack() as stack:

        def start(*turns: str, settings: str = "") -> tuple[Helix, Model]:
            model = stack.enter_context(serving(tmp_path, [{"text": text} for text in turns]))
            (page,) = blocks("helix.md", "toml")
            config = tmp_path / "config" / "helix" / "languages.toml"
            config.parent.mkdir(parents=True)
            (tmp_path / "home").mkdir()
            config.write_text(filled(page, model.url, comment="#").replace("endpoint = ", f"{settings}\nendpoint = "))
            return stack.enter_context(Helix([str(HELIX), FILE], cwd=folder, env=env)), model

        yield start


def test_the_page_s_configuration_is_found_by_helix_itself(tmp_path: Path, env: dict[str, str]) -> None:
    config = tmp_path / "config" / "helix" / "languages.toml"
    config.parent.mkdir(parents=True)
    (page,) = blocks("helix.md", "toml")
    config.write_text(page)
    said = subprocess.run([str(HELIX), "--health", "python"], env=env, capture_output=True, text=True, check=True, timeout=60).stdout
    assert f"✓ inglenook: {tmp_path}/bin/inglenook" in re.sub(r"\x1b\[[0-9;]*m", "", said)


def test_a_hunk_is_read_accepted_and_undone_and_another_rejected(helix: Any, folder: Path) -> None:
    before = (folder / FILE).read_text()
    hx, _ = helix(replies.TWO_HUNKS)
    hx.see("def quote_lines")
    assert hx.menu()[0] == "Agent: Refactor…"
    hx.press(ESCAPE)
    hx.lose("Agent: ")
    hx.choose("Agent: Refactor…")
    hx.see("is in review: 2 hunks in 1 file, nothing written yet")
    hx.wait("a mark at each hunk", lambda text: [line.split()[1] for line in text.splitlines() if line.startswith("●")] == ["6", "11"])
    hx.press("]d")
    shown = hx.see("+ def _discount(quantity, trade):")
    assert "Proposed, 1 of 2: 6 new lines" in shown
    assert "   11          if line.quantity >= 100:" in shown.replace("●  11", "   11"), "not one line of the buffer has moved"
    assert (folder / FILE).read_text() == before

    hx.choose("Agent: Accept this hunk")
    hx.see("1 hunk applied.")
    hx.see("    6  def _discount(quantity, trade):")
    hx.press("u")
    hx.see("●  11          if line.quantity >= 100:")
    hx.lose("def _discount")
    hx.press("U")
    hx.see("●  17          if line.quantity >= 100:")
    assert (folder / FILE).read_text() == before, "what is accepted is in the buffer until it is saved"

    hx.press("]d")
    hx.see("Proposed, 1 of 1: 8 lines → 1")
    hx.choose("Agent: Reject this hunk")
    hx.see("1 hunk rejected.")
    hx.lose("●")
    hx.write()
    assert (folder / FILE).read_text() == before.replace(replies.HEAD, replies.FUNCTION + replies.HEAD)
    hx.quit()


def test_words_are_a_comment_and_the_outline_a_buffer(helix: Any, folder: Path) -> None:
    before = (folder / FILE).read_text()
    hx, model = helix(replies.OUTLINE, replies.THREE_FILES, settings='outline = "always"')
    hx.see("def quote_lines")
    hx.press("O# agent: round in one place")
    hx.see("INS")
    hx.press(ESCAPE)
    hx.see("NOR")
    hx.choose("Agent: Edit “round in one place”")
    hx.see("approve or decline its outline")
    hx.see("1. Create tally/pricing.py with one function")
    hx.press("ga")
    hx.see("def quote_lines")
    hx.choose("Agent: Approve the outline of")
    hx.see("is in review")
    assert "round in one place" in model.requests()[0]["messages"][-1]["content"]
    hx.choose("Agent: Show")
    hx.see("+++ b/tally/pricing.py")
    hx.press("ga")
    hx.see("def quote_lines")
    hx.choose("Agent: Accept all of “")
    hx.see("applied.")
    hx.see("from tally.pricing import to_cents")
    hx.press("ggxd")
    hx.lose("# agent:")
    hx.press(":wa" + ENTER)
    hx.see("written")
    hx.quit()
    rounded = before.replace(replies.IMPORT, replies.SHARED).replace(replies.ROUNDED_QUOTE, "to_cents(cost)")
    assert (folder / FILE).read_text() == rounded
    assert (folder / "tally" / "pricing.py").read_text() == replies.PRICING
