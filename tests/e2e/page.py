"""What the pages in docs/editors tell people to put into their configuration, so that the tests use just that."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EDITORS = ROOT / "docs" / "editors"
ADDRESS = "http://127.0.0.1:11434/v1"  # of the model server, in every page


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (EDITORS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def filled(block: str, url: str, *, comment: str) -> str:
    """A block with the lines that are commented out and speak of settings taken in, and with this model server."""
    wanted = re.sub(rf"^(\s*){re.escape(comment)} ((?:\[.*\]|settings|endpoint).*)$", r"\1\2", block, flags=re.MULTILINE)
    assert wanted.count(ADDRESS) == 1, f"the page names its model server once, as {ADDRESS}"
    return wanted.replace(ADDRESS, url)


def path_with_inglenook(folder: Path) -> str:
    """A search path on which `inglenook` is the one under test, as the pages say that it is."""
    folder.mkdir()
    program = folder / "inglenook"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m inglenook "$@"\n')
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def unanswered(name: str) -> bool:
    """Whether that script could not reach the archive that has an editor."""
    return any((ROOT / ".cache" / "editors").glob(f"{name}-*.unanswered"))


def fetched(name: str, program: str) -> Path | None:
    """The program of an editor that `fetch_editors.sh` fetched, None if there is none."""
    found = [home / program for home in sorted((ROOT / ".cache" / "editors").glob(f"{name}-*")) if (home / "complete").exists()]
    return found[-1] if found else None
