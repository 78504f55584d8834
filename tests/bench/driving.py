"""How a window is driven while it is measured: keys and buttons as a person uses them, and what `page.js` noted of each."""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import Locator, TimeoutError

from e2e.vscode import Window

ROUNDS = 12  # of typing: a comment of LETTERS letters each, and a line end
LETTERS = 10
PACE_MS = 60  # between two letters: 200 words in a minute
REST_MS = 250  # between two decisions, or two diffs
BYSTANDER = ".statusbar-item[id='tests.bystander.words']"


def typed(window: Window) -> list[float]:
    """Types comments at the top of the file in front, each on a line of its own, and takes them back."""
    page = window.page
    window.keys.press("Control+Home")
    page.evaluate("bench.typed = []")
    for turn in range(ROUNDS):
        marker = f"#x{turn}x"
        window.keys.type(marker)
        page.wait_for_function(
            "(marker) => [...document.querySelectorAll('.view-line')].some((l) => l.textContent.includes(marker))", arg=marker
        )
        page.evaluate("(marker) => bench.type(marker)", marker)
        window.keys.type("abcdefghij"[:LETTERS], delay=PACE_MS)
        page.wait_for_function(f"() => bench.typed.length === {(turn + 1) * LETTERS}", timeout=30_000)
        page.evaluate("bench.rest()")
        window.keys.press("Enter")
        page.wait_for_timeout(PACE_MS)
    window.palette("File: Revert File")
    window.gone(page.locator(".tab.dirty"))
    noted: list[float] = page.evaluate("bench.typed")
    return noted


def push(window: Window, row: Locator, button: str) -> None:
    """Pushes a button of a row of the desk."""
    window.see(row).hover()
    row.locator(f'.action-label[aria-label^="{button}"]').click()


def shown_after(window: Window, key: str, name: str, text: str) -> float:
    """Until a diff is in front, with its text on the right."""
    tab = f"document.querySelector('.tab.active')?.getAttribute('aria-label')?.startsWith('{name}')"
    there = f"[...document.querySelectorAll('.editor.modified .view-line')].some((line) => line.textContent.includes('{text}'))"
    noted = after(window, f"shown: () => {tab} && {there}", lambda: window.keys.press(key))
    return noted["shown"] - noted["pressed"]


def after(window: Window, conditions: str, act: Callable[[], object]) -> dict[str, float]:
    """When a key or button was pressed, and when each of the conditions came true. Pressed again where it went to something that was
    still being drawn."""
    window.page.evaluate(f"bench.arm({{ {conditions} }})")
    names = re.findall(r"(\w+): \(\)", conditions)
    for _ in range(4):
        act()
        try:
            return took(window, *names, seconds=5)
        except TimeoutError:
            continue
        finally:
            window.page.wait_for_timeout(REST_MS)
    return took(window, *names)


def took(window: Window, *names: str, seconds: float = 30) -> dict[str, float]:
    window.page.wait_for_function("(names) => names.every((name) => name in bench.took)", arg=list(names), timeout=seconds * 1000)
    noted: dict[str, float] = window.page.evaluate("({ ...bench.took, pressed: bench.pressed })")
    return noted


def memory(window: Window) -> dict[str, int]:
    window.palette("Bystander: Memory")
    words = window.page.locator(BYSTANDER, has_text="memory")
    window.see(words)
    found: dict[str, int] = json.loads((words.text_content() or "").partition("memory ")[2])
    return found


def accepted(window: Window, folder: Path, title: str, left: int = 0) -> float:
    """From a command of the palette until every file is on disk; as many places as are `left` stay as they were."""
    paths = sorted(folder.glob("*.py"))
    window.palette(title)
    pressed = window.page.evaluate("bench.pressed")
    end = time.monotonic() + 40
    while not all(texts := [path.read_text("utf-8") for path in paths]) or sum(text.count("= 0\n") for text in texts) != left:
        assert time.monotonic() < end, f"{title}: not every file was written"
        time.sleep(0.01)
    return time.time() * 1000 - float(pressed)


def spread(times: Sequence[float]) -> tuple[str, str]:
    """The median, and the 95th percentile."""
    assert times, "nothing was noted"
    return f"{statistics.median(times):.0f} ms", f"95th percentile {_p95(times):.0f} ms; {len(times)} times"


def beside(times: Sequence[float], base: Sequence[float], what: str) -> tuple[str, str]:
    """The medians and the 95th percentiles as ratios."""
    assert times and base, f"nothing was noted, or nothing of {what}"
    halves, ends = statistics.median(times) / statistics.median(base), _p95(times) / _p95(base)
    ours, theirs = (f"{statistics.median(each):.0f} ({_p95(each):.0f}) ms" for each in (times, base))
    return f"{halves:.2f} × ({ends:.2f} ×)", f"{ours}; {what}: {theirs}; in brackets the 95th percentile"


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[round(0.95 * (len(times) - 1))]
