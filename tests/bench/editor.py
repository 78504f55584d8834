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
LABEL = "document.querySelector(\"[id='inglenook.inglenook.inglenook.status']\")?.getAttribute('aria-label') ?? ''"
TEXT = "document.querySelector(\"[id='tests.bystander.words']\")?.textContent ?? ''"
OURS = f"began: () => ({LABEL}) === 'Agent: starting', ready: () => bench.took.began && /^Agent: (?!starting)/.test({LABEL})"
OTHER = f"began: () => /starts/.test({TEXT}), ready: () => bench.took.began && /is ready/.test({TEXT})"
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
    """Windows on an empty folder, in turns: our extension, and a bare one with a bare pygls server. Both have an entry in the status
    bar, which says that the server is being started, and that `initialize` is answered."""
    from e2e.vscode import Server

    times: dict[str, list[float]] = {OURS: [], OTHER: []}
    with tempfile.TemporaryDirectory(prefix="bench") as place:
        ours, bare, folder = (Path(place) / name for name in ("ours", "bare", "folder"))
        for each in (ours, bare, folder):
            each.mkdir()
        env = {"BYSTANDER_SERVER": json.dumps(BARE)}
        with Server(ours, also=bystander) as with_ours, Server(bare, env=env, ours=False, also=bystander) as with_bare:
            for turn in range(ROUNDS + 1):
                for server, conditions in ((with_ours, OURS), (with_bare, OTHER)):
                    noted = _activated(server, browser, folder, conditions)
                    if turn:  # the first pair warms the caches
                        times[conditions].append(noted)
    mine, other = (statistics.median(each) for each in times.values())
    told = f"{mine:.0f} / {other:.0f} ms, as the status bar shows it"
    row("activation → initialize answered, ours / bare pygls extension", f"{mine / other:.2f} ×", told)


def _activated(server: Any, browser: Any, folder: Path, conditions: str) -> float:
    """Milliseconds from the start of the language server to its being ready."""
    from bench.driving import took

    init = (Path(__file__).resolve().parent / "page.js").read_text("utf-8") + f"bench.arm({{ {conditions} }});"
    with server.window(browser, folder, "bench_start", init=init) as window:
        noted = took(window, "began", "ready", seconds=60)
        return float(noted["ready"] - noted["began"])
