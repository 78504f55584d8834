"""A proposal of 300 hunks over 40 files in a real VS Code, beside the same window without our extension: what a person waits for.

Both sides are driven by the same keys, and `page.js` notes in the page when a key was pressed and when the DOM showed what it does.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import driving
from e2e.model import Model, serving
from e2e.replies import block
from e2e.vscode import Server, Window, until

HERE = Path(__file__).resolve().parent
STAMPED = (sys.executable, str(HERE / "stamped.py"), "lsp")
FILES = 40
HUNKS = 300
SWITCHES = 20
DECISIONS = 6  # in each of two files
PROSE = "Nothing has to change here. " * 12
TITLE = "count from one"
TOLD = "document.querySelector('.notification-list-item-message')?.textContent ?? ''"
Row = Callable[..., None]


@dataclass
class Side:
    """What was measured in one window: milliseconds, and of the extension host bytes."""

    typing: list[float] = field(default_factory=list)
    switching: list[float] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)
    words: list[float] = field(default_factory=list)
    accepting: float = 0.0
    memory: dict[str, int] = field(default_factory=dict)


@dataclass
class Ours(Side):
    """Also what only our window has; `typing` and `visible` are those while 300 hunks wait."""

    before: list[float] = field(default_factory=list)
    rows: float = 0.0
    rejected: list[float] = field(default_factory=list)
    unmarked: list[float] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)


def large(row: Row, browser: Any, bystander: Path) -> None:
    """All rows of the large proposal."""
    with tempfile.TemporaryDirectory(prefix="bench") as place:
        bare, ours = _bare(browser, Path(place) / "bare", bystander), _ours(browser, Path(place) / "ours", bystander)
    parts = "with the parsing, a second request and the diffing"
    row(f"{HUNKS} hunks over {FILES} files: reply → rows on the desk", f"{ours.rows:.0f} ms", parts)
    row("  typing in one of its files: key → line drawn", *driving.beside(ours.typing, ours.before, "before the proposal"))
    row("  typing before there is a proposal", *driving.beside(ours.before, bare.typing, "without our extension"))
    row("  reject → its row", *driving.spread(ours.rejected))
    row("  reject → its mark is gone", *driving.spread(ours.unmarked))
    row("  accept → its row, the file edited meanwhile", *driving.spread(ours.accepted))
    row("  next hunk, in another file → shown", *driving.beside(ours.switching, bare.switching, "a bare diff of two files"))
    share = f"a bare edit of the same places: {bare.accepting:.0f} ms"
    row("  accept all → every file on disk", f"{ours.accepting / bare.accepting:.2f} ×", f"{ours.accepting:.0f} ms; {share}")
    row("event → visible: tokens of a run, in its notification", *driving.beside(ours.words, bare.words, "a bare notification"))
    base = "a bare entry of the status bar"
    row("event → visible: a decision among 300, on the desk", *driving.beside(ours.visible, bare.visible, base))
    for name, words in (("heapUsed", "heap"), ("rss", "resident")):
        mine, without = ours.memory[name] / 1e6, bare.memory[name] / 1e6
        told = f"{mine:.0f} MB with {HUNKS} hunks, {without:.0f} MB without our extension"
        row(f"our share of the extension host's memory, {words}", f"{mine - without:.1f} MB", told)


def _bare(browser: Any, place: Path, bystander: Path) -> Side:
    """The same window without our extension."""
    side = Side()
    with _window(browser, place, bystander, "bench_bare", ours=False) as (window, folder):
        window.see(window.page.locator(driving.BYSTANDER))
        window.open("part00.py")
        side.typing = driving.typed(window)
        side.visible, side.words = _counted(window)
        sides = ("Control+Alt+o", "part37.py", "step_37_"), ("Control+Alt+o", "part39.py", "step_39_")
        side.switching = [driving.shown_after(window, *sides[turn % 2]) for turn in range(SWITCHES + 2)][2:]
        side.memory = driving.memory(window)
        side.accepting = driving.accepted(window, folder, "Bystander: Edit All Files")
    return side


def _counted(window: Window) -> tuple[list[float], list[float]]:
    """From the time that the bystander says to its being seen, in the status bar and in a notification."""
    entry = f"document.querySelector(\"{driving.BYSTANDER}\")?.textContent ?? ''"
    window.page.evaluate(f"bench.watch(() => `${{ {entry} }} ${{ {TOLD} }}`)")
    window.palette("Bystander: Count")
    window.see(window.page.locator(driving.BYSTANDER, has_text="counted"))
    window.page.evaluate("bench.rest()")
    seen: tuple[dict[int, float], dict[int, float]] = {}, {}
    for at, words in window.page.evaluate("bench.seen"):
        for shown, before in zip(seen, ("bystander at", "Bystander: at"), strict=True):
            if told := re.search(rf"{before} (\d+)", words):
                shown.setdefault(int(told[1]), at - int(told[1]))
    return list(seen[0].values()), list(seen[1].values())


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
        side.before = driving.typed(window)
        window.palette("View: Close All Editors")
        window.palette("Focus on Desk View")
        window.see(window.page.locator(".sidebar .welcome-view-content", has_text="Nothing is on the desk."))
        side.words = _words(window, stamps)
        side.rows = _proposed(window, model)
        window.open("part00.py")
        side.typing = driving.typed(window)
        _decide(window, side, stamps)
        side.switching = _across(window)
        side.memory = driving.memory(window)
        side.accepting = driving.accepted(window, folder, "Agent: Accept All", DECISIONS)
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
    rows = driving.took(window, "rows")["rows"] - before
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
        took = driving.after(window, f"row: {row}, mark: {mark}", lambda at=turn: driving.push(window, hunks.nth(at - 1), "Reject"))
        side.rejected.append(took["row"] - took["pressed"])
        side.unmarked.append(took["mark"] - took["pressed"])
        side.visible.append(took["row"] - _said(stamps, turn))
    second = len(_places(0))
    for turn in range(DECISIONS + 1, 2 * DECISIONS + 1):
        row = f"() => {rows.format('accepted')} >= {turn - DECISIONS}"
        took = driving.after(window, f"row: {row}", lambda at=turn: driving.push(window, hunks.nth(second + at - DECISIONS - 1), "Accept"))
        side.accepted.append(took["row"] - took["pressed"])
        side.visible.append(took["row"] - _said(stamps, turn))


def _across(window: Window) -> list[float]:
    """From the first hunk that waits to the one before it, which is the last of the last file, and back."""
    window.lens("Show diff (1 of").click()
    window.see(window.page.locator(".tab.active[aria-label^='part00.py ↔']"))
    window.page.wait_for_timeout(driving.REST_MS)
    sides = ("Shift+Alt+k", "part39.py ↔", "step_39_"), ("Shift+Alt+j", "part00.py ↔", "step_0_")
    return [driving.shown_after(window, *sides[turn % 2]) for turn in range(SWITCHES + 2)][2:]


def _said(stamps: Path, decided: int) -> float:
    """When the server said that so many hunks are decided."""
    said = [each["at"] for each in _stamps(stamps) if each["type"] == "proposalChanged" and each["decided"] == decided]
    assert said, f"the server never said that {decided} hunks are decided"
    return float(said[0])


def _stamps(stamps: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stamps.read_text("utf-8").splitlines() if line.endswith("}")]
