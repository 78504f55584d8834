"""A real VS Code for tests: its server under its own Node, the workbench in headless Chromium, our packaged extension in it.

    with Server(home, settings) as server, server.window(browser, folder) as window:
        window.palette("Agent: Refactor…")

Everything it writes is under `home`; Chromium resolves no host but loopback. Waiting is always for something to be seen.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Locator, Page, expect

ROOT = Path(__file__).resolve().parents[2]
VSIX = ROOT / "vscode-extension" / "inglenook.vsix"
SHOTS = ROOT / "docs" / "images"
FAILURES = ROOT / "test-results"
LOOKS = FAILURES / "looks"
SHOOTING = bool(os.environ.get("INGLENOOK_SHOTS"))
PATIENCE = 30_000  # ms: a busy machine starts four times slower
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")  # fmt: skip
QUIET: Mapping[str, Any] = {
    "security.workspace.trust.enabled": False,
    "workbench.startupEditor": "none",
    "telemetry.telemetryLevel": "off",
    "chat.disableAIFeatures": True,
    "extensions.autoUpdate": False,
    "extensions.autoCheckUpdates": False,
    "git.enabled": False,
    "workbench.reduceMotion": "on",
    "workbench.tips.enabled": False,
    "workbench.layoutControl.enabled": False,
    "window.commandCenter": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "remote.autoForwardPorts": False,
    "editor.minimap.enabled": False,
    "files.exclude": {"**/.vscode": True},
    "window.autoDetectColorScheme": True,
    "workbench.preferredDarkColorTheme": "Dark Modern",
    "workbench.preferredLightColorTheme": "Light Modern",
}


def until(ready: Callable[[], bool], what: str, seconds: float = PATIENCE / 1000) -> None:
    """Waits for something on disk or in a process; AssertionError with `what` when it does not come."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.05)


def until_text(path: Path, text: str) -> None:
    """Waits until a file has this content: VS Code empties a file before it writes it."""
    seen = lambda: path.read_text("utf-8") if path.is_file() else None  # noqa: E731
    try:
        until(lambda: seen() == text, "the text")
    except AssertionError:
        assert seen() == text, f"{path.name} never had the expected text"


def packaged(extension: Path, place: Path) -> Path:
    """A folder that holds an extension, as a file that VS Code installs."""
    package = place / f"{extension.name}.vsix"
    with zipfile.ZipFile(package, "w") as packing:
        for path in sorted(extension.iterdir()):
            packing.write(path, f"extension/{path.name}")
    return package


class Server:
    """The VS Code server, with the extension installed (unless it is not `ours`), and `also` one that a folder holds. `settings` go over
    the usual ones; None takes one away. A `drivable` one runs tests in its extension host."""

    def __init__(
        self,
        home: Path,
        settings: Mapping[str, Any] = {},
        env: Mapping[str, str] = {},
        *,
        ours: bool = True,
        also: Path | None = None,
        drivable: bool = False,
    ) -> None:
        self.home = home
        self.ours = ours
        self.also = also
        self.drivable = drivable
        given = {**QUIET, "inglenook.server.command": [sys.executable, "-m", "inglenook", "lsp"], **settings}
        self.settings = {key: value for key, value in given.items() if value is not None}
        self.env = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "XDG_STATE_HOME": str(home / ".state"),
            **env,
        }
        self.port = 0

    def __enter__(self) -> Server:
        fetched = subprocess.run([str(ROOT / "tests/e2e/fetch_vscode.sh")], check=True, capture_output=True, text=True)
        code = Path(fetched.stdout.strip())
        for where in ("Machine", "User"):
            folder = self.home / "ud" / where
            folder.mkdir(parents=True)
            (folder / "settings.json").write_text(json.dumps(self.settings), "utf-8")
        base = [str(code / "node"), str(code / "vscode/out/server-main.js"), "--accept-server-license-terms"]
        base += ["--server-data-dir", f"{self.home}/sd", "--user-data-dir", f"{self.home}/ud", "--extensions-dir", f"{self.home}/ext"]
        assert VSIX.is_file(), "there is no packaged extension: run `make vsix`"
        for package in [*([VSIX] if self.ours else []), *([packaged(self.also, self.home)] if self.also is not None else [])]:
            subprocess.run([*base, "--install-extension", str(package)], check=True, capture_output=True, env=self.env)
        log = (self.home / "server.log").open("w+")
        serve = ["--host", "127.0.0.1", "--port", "0", "--without-connection-token", "--telemetry-level", "off"]
        serve += ["--enable-smoke-test-driver"] if self.drivable else []
        self.process = subprocess.Popen([*base, *serve], stdout=log, stderr=log, env=self.env, start_new_session=True)
        told = lambda: re.search(r"listening on (\d+)", (self.home / "server.log").read_text())  # noqa: E731
        until(lambda: told() is not None, "the port of the VS Code server")
        match = told()
        assert match is not None
        self.port = int(match[1])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def language_servers(self) -> list[int]:
        """The process ids of our servers that run under this VS Code, by their environment's HOME."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    command = (entry / "cmdline").read_bytes().split(b"\0")
                    ours = f"HOME={self.home}".encode() in (entry / "environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                if ours and b"inglenook" in command and b"lsp" in command:
                    found.append(int(entry.name))
        return found

    def _payload(self, extension: Path | None, tests: Path | None) -> str:
        given = {"extensionDevelopmentPath": extension, "extensionTestsPath": tests}
        pairs = [[key, f"vscode-remote://127.0.0.1:{self.port}{path}"] for key, path in given.items() if path is not None]
        return f"&payload={quote(json.dumps([*pairs, ['skipWelcome', 'true']]))}" if pairs else ""

    @contextmanager
    def window(
        self,
        browser: Browser,
        folder: Path,
        name: str = "window",
        extension: Path | None = None,
        tests: Path | None = None,
        init: str | None = None,
    ) -> Iterator[Window]:
        """A window on a folder, with an `extension` under development in it, the module that runs its `tests`, and a script that the
        page begins with. On failure its picture is kept in test-results/."""
        context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce", color_scheme="dark")
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        if init is not None:
            page.add_init_script(init)
        if tests is not None:
            for hook in ("codeAutomationExit", "codeAutomationLog"):
                page.expose_function(hook, lambda *_said: None)
        try:
            page.goto(f"http://127.0.0.1:{self.port}/?folder={quote(str(folder))}{self._payload(extension, tests)}")
            expect(page.locator(".monaco-workbench .statusbar-item").first).to_be_visible(timeout=2 * PATIENCE)
            yield Window(page)
        except BaseException:
            FAILURES.mkdir(exist_ok=True)
            page.screenshot(path=FAILURES / f"{name}.png")
            raise
        finally:
            context.close()


class Window:
    """A VS Code window as a person uses it: by keyboard, by mouse, by looking."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.keys = page.keyboard

    # ---- by looking

    def status(self, text: str | re.Pattern[str]) -> Locator:
        """The entry of the status bar with this text."""
        return self.page.locator(".statusbar-item", has_text=text).first

    @property
    def model(self) -> Locator:
        """Our entry of the status bar that names the model."""
        return self.page.locator("[id='inglenook.inglenook.inglenook.status']")

    def ready(self) -> None:
        """Waits for our server."""
        expect(self.model).to_have_attribute("aria-label", re.compile("^Agent: (?!starting|the server is stopped)"), timeout=2 * PATIENCE)

    def see(self, locator: Locator) -> Locator:
        expect(locator).to_be_visible(timeout=PATIENCE)
        return locator

    def gone(self, locator: Locator) -> None:
        expect(locator).to_have_count(0, timeout=PATIENCE)

    def tab(self, label: str) -> Locator:
        return self.page.locator(f".tab[aria-label*={json.dumps(label, ensure_ascii=False)}]").first

    def lens(self, text: str | re.Pattern[str]) -> Locator:
        return self.page.locator(".codelens-decoration a", has_text=text)

    def toast(self, text: str) -> Locator:
        return self.page.locator(".notifications-toasts .notification-list-item", has_text=text)

    @property
    def hover_box(self) -> Locator:
        """What is told of the thing under the mouse."""
        return self.page.locator(".monaco-hover:visible .hover-contents:visible, .monaco-hover:visible .monaco-hover-content:visible").first

    def line(self, text: str) -> Locator:
        """A line of the editor in front; blanks in it are as VS Code draws them."""
        return self.page.locator(".editor-instance .view-line", has_text=re.compile(r"\s".join(map(re.escape, text.split(" "))))).first

    def row(self, text: str) -> Locator:
        """A row of the quick pick."""
        return self.rows().filter(has_text=text).first

    def rows(self) -> Locator:
        return self.page.locator(".quick-input-list .monaco-list-row")

    def shot(self, name: str, *, hover: Locator | None = None, wide: bool = False, place: Path = SHOTS) -> None:
        """A picture for the documentation, dark and light (`<name>_light`), `wide` without the side bar. Taken only when asked for
        (INGLENOOK_SHOTS=1), so that a test run leaves the tree as it is. One that is only to be looked at goes to another place."""
        if not SHOOTING:
            return
        sidebar = self.page.locator(".part.sidebar:visible")
        if wide and sidebar.count():
            self.keys.press("Control+b")
            self.gone(sidebar)
        if hover is None:
            self.page.mouse.move(200, 600)
        else:
            hover.hover()
            self.see(self.hover_box)
        place.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_timeout(700)  # scroll bars and hovers fade
        self.page.screenshot(path=place / f"{name}.png")
        self.page.emulate_media(color_scheme="light")
        self.see(self.page.locator(".monaco-workbench.vs"))
        self.page.wait_for_timeout(300)
        self.page.screenshot(path=place / f"{name}_light.png")
        self.page.emulate_media(color_scheme="dark")
        self.see(self.page.locator(".monaco-workbench.vs-dark"))

    def picture(self, name: str) -> None:
        """A picture of the theme that is on just now, with our own parts as they are."""
        if SHOOTING:
            self.page.wait_for_timeout(700)
            self.page.screenshot(path=SHOTS / f"{name}.png")

    # ---- by keyboard and mouse

    def palette(self, title: str) -> None:
        """Runs a command by its title."""
        self.keys.press("F1")
        self._type_into_quick_input(">" + title, title)

    def open(self, name: str) -> None:
        """Opens a file by its name, and puts the cursor at its top."""
        self.keys.press("Control+p")
        self._type_into_quick_input(name, name)
        self.see(self.tab(name))
        self.see(self.page.locator(".editor-instance .monaco-editor.focused .view-lines").first)

    def go_to_tab(self, label: str) -> None:
        """Clicks the tab of exactly this label."""
        tab = f".tab[aria-label={json.dumps(label, ensure_ascii=False)}]"
        self.page.locator(tab).click()
        self.see(self.page.locator(f"{tab}.active"))

    def offered(self, title: str) -> bool:
        """Whether the palette has a command of this title."""
        self.keys.press("F1")
        box = self.see(self.page.locator(".quick-input-widget input"))
        box.fill(">" + title)
        first = self.rows().first
        self.see(first)
        found = self.rows().filter(has_text=title).count() > 0
        self.keys.press("Escape")
        self.gone(self.page.locator(".quick-input-widget:visible"))
        return found

    def say(self, words: str) -> None:
        """Answers an input box."""
        box = self.see(self.page.locator(".quick-input-widget input"))
        expect(self.rows()).to_have_count(0)
        box.fill(words)
        self.keys.press("Enter")

    def choose(self, text: str) -> None:
        """Chooses a row of a quick pick."""
        self.see(self.row(text)).click()

    def focus_editor(self) -> None:
        """Puts the focus into the editor in front."""
        self.palette("View: Focus Active Editor Group")
        self.see(self.page.locator(".editor-instance .monaco-editor.focused").first)

    def click_line(self, text: str) -> None:
        """Puts the cursor into a line of the editor in front."""
        self.see(self.line(text)).locator("span span").last.click()

    def hover_line(self, text: str) -> Locator:
        """What is told of a line when the mouse rests on it; it comes to rest again if VS Code was busy with something else just then."""
        for _ in range(5):
            self.page.mouse.move(200, 600)
            self.see(self.line(text)).locator("span span").last.hover()
            try:
                expect(self.hover_box).to_be_visible(timeout=PATIENCE / 5)
                break
            except AssertionError:
                continue
        return self.see(self.hover_box)

    def press_for(self, key: str, locator: Locator) -> Locator:
        """Presses a key for something to appear; again if VS Code was busy with something else just then."""
        for _ in range(5):
            self.keys.press(key)
            try:
                expect(locator).to_be_visible(timeout=PATIENCE / 5)
                break
            except AssertionError:
                self.keys.press("Escape")
        return self.see(locator)

    def save(self) -> None:
        self.keys.press("Control+s")

    def _type_into_quick_input(self, words: str, row: str) -> None:
        box = self.see(self.page.locator(".quick-input-widget input"))
        box.fill(words)
        self.see(self.page.locator(".quick-input-list .monaco-list-row.focused", has_text=row))
        self.keys.press("Enter")
