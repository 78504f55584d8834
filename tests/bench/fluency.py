"""A proposal of 300 hunks over 40 files in a real VS Code, beside the same window without our extension: what a person waits for.

Both sides are driven by the same keys, and `page.js` notes in the page when a key was pressed and when the DOM showed what it does.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, TimeoutError

from e2e.model import Model, serving
from e2e.replies import block
from e2e.vscode import Server, Window, until

HERE = Path(__file__).resolve().parent
STAMPED = (sys.executable, str(HERE / "stamped.py"), "lsp")
FILES = 40
HUNKS = 300
ROUNDS = 12  # of typing: a comment of LETTERS letters each, and a line end
LETTERS = 10
REST_MS = 250  # between two decisions, or two diffs
PACE_MS = 60  # between two letters: 200 words in a minute
SWITCHES = 20
DECISIONS = 6  # in each of two files
PROSE = "Nothing has to change here. " * 12
TITLE = "count from one"
BYSTANDER = ".statusbar-item[id='tests.bystander.words']"
TOLD = "document.querySelector('.notification-list-item-message')?.textContent ?? ''"
Row = Callable[..., None]


@dataclass
class Side:
    """What was measured in one window: milliseconds, and of the extension host bytes."""

    typing: list[float] = field(default_factory=list)
    switching: list[float] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)
    accepting: float = 0.0
    memory: dict[str, int] = field(default_factory=dict)


@dataclass
class Ours(Side):
    """Also what only our window has; `typing` and `visible` are those while 300 hunks wait."""

    before: list[float] = field(default_factory=list)
    rows: float = 0.0
    words: list[float] = field(default_factory=list)
    rejected: list[float] = field(default_factory=list)
    unmarked: list[float] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)


def large(row: Row, browser: Any, bystander: Path) -> None:
    """All rows of the large proposal."""
    with tempfile.TemporaryDirectory(prefix="bench") as place:
        bare, ours = _bare(browser, Path(place) / "bare", bystander), _ours(browser, Path(place) / "ours", bystander)
    row(
        f"{HUNKS} hunks over {FILES} files: reply → rows on the desk",
        f"{ours.rows:.0f} ms",
        "parsing, a second request and diffing included",
    )
    row("  typing in one of its files: key → line drawn", *_beside(ours.typing, ours.before, "before the proposal"))
    row("  typing before there is a proposal", *_beside(ours.before, bare.typing, "without our extension"))
    row("  reject → its row", *_spread(ours.rejected))
    row("  reject → its mark is gone", *_spread(ours.unmarked))
    row("  accept → its row, the file edited meanwhile", *_spread(ours.accepted))
    row("  next hunk, in another file → shown", *_beside(ours.switching, bare.switching, "a bare diff of two files"))
    share = f"a bare edit of the same places: {bare.accepting:.0f} ms"
    row("  accept all → every file on disk", f"{ours.accepting / bare.accepting:.2f} ×", f"{ours.accepting:.0f} ms; {share}")
    row("event → visible: tokens of a run, in its notification", *_beside(ours.words, bare.visible, "a bare entry of the status bar"))
    row("event → visible: a decision among 300, on the desk", *_beside(ours.visible, bare.visible, "a bare entry of the status bar"))
    for name, words in (("heapUsed", "heap"), ("rss", "resident")):
        mine, without = ours.memory[name] / 1e6, bare.memory[name] / 1e6
        told = f"{mine:.0f} MB with {HUNKS} hunks, {without:.0f} MB without our extension"
        row(f"our share of the extension host's memory, {words}", f"{mine - without:.1f} MB", told)


def _bare(browser: Any, place: Path, bystander: Path) -> Side:
    """The same window without our extension."""
    side = Side()
    with _window(browser, place, bystander, "bench_bare", ours=False) as (window, folder):
        window.see(window.page.locator(BYSTANDER))
        window.open("part00.py")
        side.typing = _typed(window)
        window.page.evaluate(f"bench.watch(() => document.querySelector(\"{BYSTANDER}\")?.textContent ?? '')")
        window.palette("Bystander: Count")
        window.page.wait_for_function("() => bench.seen.length > 60", timeout=30_000)
        side.visible = [at - int(words.split()[-1]) for at, words in window.page.evaluate("bench.seen") if " at " in words]
        sides = ("Control+Alt+o", "part37.py", "step_37_"), ("Control+Alt+o", "part39.py", "step_39_")
        side.switching = [_shown_after(window, *sides[turn % 2]) for turn in range(SWITCHES + 2)][2:]
        side.memory = _memory(window)
        side.accepting = _accepted(window, folder, "Bystander: Edit All Files")
    return side


def _ours(browser: Any, place: Path, bystander: Path) -> Ours:
    side = Ours()
    place.mkdir()
    turns = [
        {"text": PROSE, "when": ["say nothing yet"], "chunk": 3, "pace": 0.03},
        {"text": _reply(), "when": [TITLE], "hold": "go", "chunk": 40},
        {"text": "That is all.", "repeat": True},  # a task that is about no file goes on until the model calls nothing more
    ]
    with serving(place, turns) as model, _window(browser, place, bystander, "bench_large", model.url) as (window, folder):
        stamps = place / "stamps"
        window.ready()
        window.open("part00.py")
        side.before = _typed(window)
        window.palette("View: Close All Editors")
        window.palette("Focus on Desk View")
        window.see(window.page.locator(".sidebar .welcome-view-content", has_text="Nothing is on the desk."))
        side.words = _words(window, stamps)
        side.rows = _proposed(window, model)
        window.open("part00.py")
        side.typing = _typed(window)
        _decide(window, side, stamps)
        side.switching = _across(window)
        side.memory = _memory(window)
        side.accepting = _accepted(window, folder, "Agent: Accept All", DECISIONS)
    return side


@contextmanager
def _window(browser: Any, place: Path, bystander: Path, name: str, url: str = "", *, ours: bool = True) -> Iterator[tuple[Window, Path]]:
    """A window on a folder with all the files."""
    home, folder = place / "home", place / "folder"
    home.mkdir(parents=True)
    (folder / ".vscode").mkdir(parents=True)
    given: dict[str, Any] = {"files.autoSave": "off", "inglenook.endpoint.url": url, "inglenook.checks.run": "never"}
    given |= {"inglenook.outline": "never", "inglenook.limits.outputTokens": 200_000, "inglenook.endpoint.window": 400_000}
    (folder / ".vscode" / "settings.json").write_text(json.dumps(given), "utf-8")
    for number in range(FILES):
        (folder / f"part{number:02}.py").write_text("".join(_step(number, each) for each in _places(number)), "utf-8")
    settings = {"inglenook.server.command": list(STAMPED)}
    with (
        Server(home, settings, {"STAMPS": str(place / "stamps")}, ours=ours, also=bystander) as server,
        server.window(browser, folder, name, init=(HERE / "page.js").read_text("utf-8")) as window,
    ):
        yield window, folder


def _places(number: int) -> range:
    return range(HUNKS // FILES + (number < HUNKS % FILES))


def _step(number: int, each: int) -> str:
    return f"def step_{number}_{each}(value):\n    start_{each} = 0\n    return value + start_{each}\n\n\n"


def _reply() -> str:
    """What changes all places, as search and replace."""
    wanted = [(number, each) for number in range(FILES) for each in _places(number)]
    return "".join(block(f"part{n:02}.py", f"    start_{each} = 0\n", f"    start_{each} = 1\n") for n, each in wanted)


def _typed(window: Window) -> list[float]:
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
    typed: list[float] = page.evaluate("bench.typed")
    return typed


def _words(window: Window, stamps: Path) -> list[float]:
    """From an event about the speed of a run to its notification that says so."""
    window.page.evaluate(f"bench.watch(() => {TOLD})")
    _ask(window, "say nothing yet")
    window.see(window.page.locator('.sidebar .monaco-list-row[aria-label*="nothing to change"]'))
    window.page.evaluate("bench.rest()")
    shown: dict[int, float] = {}
    for at, words in window.page.evaluate("bench.seen"):
        if told := re.search(r"(\d+) tokens", words):
            shown.setdefault(int(told[1]), at)
    said = {each["tokens"]: each["at"] for each in reversed(_stamps(stamps)) if each["type"] == "runSpeed"}
    return [shown[tokens] - at for tokens, at in said.items() if tokens in shown]


def _ask(window: Window, words: str) -> None:
    window.palette("Agent: Edit…")
    window.see(window.page.locator(".quick-input-title", has_text="Agent: Edit"))
    window.say(words)


def _proposed(window: Window, model: Model) -> float:
    """From the reply to the rows, with the diff in front in the end."""
    page = window.page
    asked = len(model.requests())
    _ask(window, TITLE)
    until(lambda: len(model.requests()) == asked + 1, "the request")
    many = """() => document.querySelectorAll('.sidebar .monaco-list-row[aria-label*="to review"]').length > 10"""
    page.evaluate(f"bench.arm({{ rows: {many} }})")
    before = time.time() * 1000
    model.release("go")
    rows = _took(window, "rows")["rows"] - before
    window.see(window.status(f"{HUNKS} hunks to review"))
    window.see(window.tab(f"Proposal: {TITLE}"))
    window.see(page.locator(".editor.modified .monaco-editor.focused, .editor.modified.focused, .monaco-editor.focused").first)
    return rows


def _decide(window: Window, side: Ours, stamps: Path) -> None:
    """Rejects the hunks of the first file, which is in front with its marks; then accepts those of the second."""
    rows = "document.querySelectorAll('.sidebar .monaco-list-row[aria-label*=\", {}\"]').length"
    lines = "[...document.querySelectorAll('.editor-instance .view-line')]"
    marked = lines + ".some((line) => /start_{}\\s=/.test(line.textContent) && {}line.querySelector('[class*=\"ced-\"]'))"
    hunks = window.page.locator('.sidebar .monaco-list-row[aria-level="3"]')
    window.page.wait_for_function(f"() => {marked.format(DECISIONS - 1, '')}")
    for turn in range(1, DECISIONS + 1):
        row, mark = f"() => {rows.format('rejected')} >= {turn}", f"() => {marked.format(turn - 1, '!')}"
        took = _after(window, f"row: {row}, mark: {mark}", lambda at=turn: _push(window, hunks.nth(at - 1), "Reject"))
        side.rejected.append(took["row"] - took["pressed"])
        side.unmarked.append(took["mark"] - took["pressed"])
        side.visible.append(took["row"] - _said(stamps, turn))
    second = len(_places(0))
    for turn in range(DECISIONS + 1, 2 * DECISIONS + 1):
        row = f"() => {rows.format('accepted')} >= {turn - DECISIONS}"
        took = _after(window, f"row: {row}", lambda at=turn: _push(window, hunks.nth(second + at - DECISIONS - 1), "Accept"))
        side.accepted.append(took["row"] - took["pressed"])
        side.visible.append(took["row"] - _said(stamps, turn))


def _push(window: Window, row: Locator, button: str) -> None:
    """Pushes a button of a row of the desk."""
    window.see(row).hover()
    row.locator(f'.action-label[aria-label^="{button}"]').click()


def _across(window: Window) -> list[float]:
    """From the first hunk that waits to the one before it, which is the last of the last file, and back."""
    window.palette("Agent: Next Hunk")
    window.see(window.page.locator(".tab.active[aria-label^='part00.py ↔']"))
    sides = ("Shift+Alt+k", "part39.py ↔", "step_39_"), ("Shift+Alt+j", "part00.py ↔", "step_0_")
    return [_shown_after(window, *sides[turn % 2]) for turn in range(SWITCHES + 2)][2:]


def _shown_after(window: Window, key: str, name: str, text: str) -> float:
    """Until a diff is in front, with its text on the right."""
    tab = f"document.querySelector('.tab.active')?.getAttribute('aria-label')?.startsWith('{name}')"
    there = f"[...document.querySelectorAll('.editor.modified .view-line')].some((line) => line.textContent.includes('{text}'))"
    took = _after(window, f"shown: () => {tab} && {there}", lambda: window.keys.press(key))
    return took["shown"] - took["pressed"]


def _after(window: Window, conditions: str, act: Callable[[], object]) -> dict[str, float]:
    """When a key or button was pressed, and when each of the conditions came true. Pressed again where it went to something that was
    still being drawn."""
    window.page.evaluate(f"bench.arm({{ {conditions} }})")
    names = re.findall(r"(\w+): \(\)", conditions)
    for _ in range(4):
        act()
        try:
            return _took(window, *names, seconds=5)
        except TimeoutError:
            continue
        finally:
            window.page.wait_for_timeout(REST_MS)
    return _took(window, *names)


def _took(window: Window, *names: str, seconds: float = 30) -> dict[str, float]:
    window.page.wait_for_function("(names) => names.every((name) => name in bench.took)", arg=list(names), timeout=seconds * 1000)
    took: dict[str, float] = window.page.evaluate("({ ...bench.took, pressed: bench.pressed })")
    return took


def _said(stamps: Path, decided: int) -> float:
    """When the server said that so many hunks are decided."""
    return next(each["at"] for each in _stamps(stamps) if each["type"] == "proposalChanged" and each["decided"] == decided)


def _stamps(stamps: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stamps.read_text("utf-8").splitlines() if line.endswith("}")]


def _memory(window: Window) -> dict[str, int]:
    window.palette("Bystander: Memory")
    words = window.page.locator(BYSTANDER, has_text="memory")
    window.see(words)
    found: dict[str, int] = json.loads((words.text_content() or "").partition("memory ")[2])
    return found


def _accepted(window: Window, folder: Path, title: str, left: int = 0) -> float:
    """From a command of the palette until every file is on disk; as many places as are `left` stay as they were."""
    paths = sorted(folder.glob("*.py"))
    window.palette(title)
    pressed = window.page.evaluate("bench.pressed")
    end = time.monotonic() + 40
    while not all(texts := [path.read_text("utf-8") for path in paths]) or sum(text.count("= 0\n") for text in texts) != left:
        assert time.monotonic() < end, f"{title}: not every file was written"
        time.sleep(0.01)
    return time.time() * 1000 - float(pressed)


def _spread(times: Sequence[float]) -> tuple[str, str]:
    """The median, and the 95th percentile."""
    return f"{statistics.median(times):.0f} ms", f"95th percentile {_p95(times):.0f} ms; {len(times)} times"


def _beside(times: Sequence[float], base: Sequence[float], what: str) -> tuple[str, str]:
    """The medians and the 95th percentiles as ratios."""
    halves, ends = statistics.median(times) / statistics.median(base), _p95(times) / _p95(base)
    ours, theirs = (f"{statistics.median(each):.0f} ({_p95(each):.0f}) ms" for each in (times, base))
    return f"{halves:.2f} × ({ends:.2f} ×)", f"{ours}; {what}: {theirs}; in brackets the 95th percentile"


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[round(0.95 * (len(times) - 1))]
