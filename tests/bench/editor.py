"""The extension in a real VS Code: start, size of the package, and (`fluency`) a proposal of 300 hunks.

Where Chromium, Playwright or the VS Code of the end-to-end tests are missing, the rows say so.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "vscode-extension"
VSIX = EXTENSION / "inglenook.vsix"
ESBUILD = EXTENSION / "node_modules" / ".bin" / "esbuild"
BYSTANDER = Path(__file__).resolve().parent / "bystander"
BARE = (sys.executable, str(Path(__file__).resolve().parent / "bare.py"))
ROUNDS = 3
Row = Callable[..., None]


def missing() -> str:
    """What is not there for the rows in a real editor; empty if all is."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "no Playwright here (`make setup`)"
    if not Path("/usr/bin/chromium").exists():
        return "no /usr/bin/chromium here"
    if not VSIX.is_file():
        return "no package here (`make vsix`)"
    if not ESBUILD.exists():
        return "no esbuild here (`make setup`)"
    fetched = list((ROOT / ".cache" / "vscode").glob("code-server-*/complete"))
    return "" if fetched else "no VS Code here (`tests/e2e/fetch_vscode.sh`)"


def editor(row: Row) -> None:
    """All rows; those that need a real editor say what is missing for it. Blocks for about three minutes."""
    size(row)
    without = missing()
    if without:
        for name in ("activation → initialize answered", "300 hunks over 40 files", "memory of the extension host"):
            row(f"in a real VS Code: {name}", "NOT MEASURED", without)
        return
    from playwright.sync_api import Error, sync_playwright

    from bench.fluency import large
    from e2e.vscode import CHROMIUM

    with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="bench") as place:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(CHROMIUM))
        bystander = bundled(Path(place))
        try:
            for part in (activation, large):
                try:
                    part(row, browser, bystander)
                except (AssertionError, Error) as error:
                    row(f"in a real VS Code: {part.__name__}", "DID NOT WORK", str(error).strip().split("\n")[0])
        finally:
            browser.close()


def bundled(place: Path) -> Path:
    """The bystander with the language client that it imports, as a folder that can be packaged."""
    folder = place / BYSTANDER.name
    folder.mkdir()
    shutil.copy(BYSTANDER / "package.json", folder)
    words = [BYSTANDER / "extension.cjs", "--bundle", "--minify", "--platform=node", "--external:vscode", "--log-level=warning"]
    env = {"PATH": os.environ["PATH"], "NODE_PATH": str(EXTENSION / "node_modules")}
    subprocess.run([ESBUILD, *words, f"--outfile={folder / 'extension.cjs'}"], check=True, env=env)
    return folder


def size(row: Row) -> None:
    """Bytes of the package, compressed, without the server that it carries."""
    if not VSIX.is_file():
        row("size of the vsix without the Python part", "NOT MEASURED", "no package here (`make vsix`)")
        return
    with zipfile.ZipFile(VSIX) as package:
        sizes = {each.filename: each.compress_size for each in package.infolist()}
    python = sum(size for name, size in sizes.items() if name.startswith("extension/server/"))
    ours = VSIX.stat().st_size - python
    row("size of the vsix without the Python part", f"{ours / 1000:.0f} KB", f"goal < 150 KB (the Python part: {python / 1000:.0f} KB)")


def activation(row: Row, browser: Any, bystander: Path) -> None:
    """Windows on an empty folder, in turns: our extension, and a bare one with a bare pygls server. What VS Code's own table says of
    each: our `activate` ends when `initialize` is answered, and so does the bare one's."""
    from e2e.vscode import Server

    times: dict[str, list[tuple[int, ...]]] = {"inglenook.inglenook": [], "tests.bystander": []}
    with tempfile.TemporaryDirectory(prefix="bench") as place:
        ours, bare, folder = (Path(place) / name for name in ("ours", "bare", "folder"))
        for each in (ours, bare, folder):
            each.mkdir()
        with (
            Server(ours, also=bystander) as with_ours,
            Server(bare, env={"BYSTANDER_SERVER": json.dumps(BARE)}, ours=False, also=bystander) as with_bare,
        ):
            for turn in range(ROUNDS + 1):
                for server, name in ((with_ours, "inglenook.inglenook"), (with_bare, "tests.bystander")):
                    noted = _activated(server, browser, folder, name)
                    if turn:  # the first pair warms the caches
                        times[name].append(noted)
    loaded, called = ({name: statistics.median(each[at] for each in noted) for name, noted in times.items()} for at in (0, 1))
    (mine, other), (load, other_load) = called.values(), loaded.values()
    told = f"{mine:.0f} / {other:.0f} ms by VS Code's own table; code loaded in {load:.0f} / {other_load:.0f} ms before"
    row("activation → initialize answered, ours / bare pygls extension", f"{mine / other:.2f} ×", told)


def _activated(server: Any, browser: Any, folder: Path, name: str) -> tuple[int, int]:
    """Milliseconds in which the code of an extension was loaded, and from the call of its `activate` to its end."""
    with server.window(browser, folder, "bench_start") as window:
        bystander = window.see(window.page.locator(".statusbar-item[id='tests.bystander.words']"))
        window.palette("Bystander: Activation")
        words = window.see(bystander.filter(has_text="activation"))
        cells = (words.text_content() or "").partition(f"{name} ")[2].split("|")
        load, call, finish = (int(cell) for cell in cells[2:5])
        return load, call + finish
