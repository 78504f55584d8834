"""The package as it goes to people: what is in it, and what its page shows where."""

from __future__ import annotations

import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from e2e.vscode import ROOT, VSIX

pytestmark = pytest.mark.e2e
EXTENSION = ROOT / "vscode-extension"
PICTURE = re.compile(r"!\[([^\]]+)\]\(([^)]+)\)")
ADDRESS = "https://code.example.org/inglenook/raw/main/vscode-extension"


def readme(package: Path) -> str:
    with zipfile.ZipFile(package) as found:
        return found.read("extension/readme.md").decode("utf-8")


def test_it_holds_what_runs_and_nothing_else() -> None:
    with zipfile.ZipFile(VSIX) as package:
        names = {
            re.sub(r"inglenook-[^/]*\.whl", "WHEEL", name) for name in package.namelist() if not name.startswith("extension/walkthrough/")
        }
    assert names == {
        "[Content_Types].xml",
        "extension.vsixmanifest",
        "extension/LICENSE.txt",
        "extension/images/desk.svg",
        "extension/images/icon.png",
        "extension/out/extension.js",
        "extension/package.json",
        "extension/readme.md",
        "extension/server/WHEEL",
        "extension/server/requirements.txt",
    }


def test_its_page_has_pictures_where_they_can_be_seen_and_no_broken_ones_elsewhere(tmp_path: Path) -> None:
    source = (EXTENSION / "README.md").read_text("utf-8")
    pictures = PICTURE.findall(source)
    assert len(pictures) >= 3
    for words, path in pictures:
        assert len(words) > 20, f"{path} says nothing to those who cannot see it"
        assert (EXTENSION / path).read_bytes().startswith(b"\x89PNG"), path
    assert PICTURE.sub("", source).split() == readme(VSIX).split(), "VS Code would show broken pictures on the extension's page"

    public = tmp_path / "public.vsix"
    env = {**os.environ, "INGLENOOK_PAGE": ADDRESS}
    subprocess.run(["node", "scripts/vsix.mjs", str(public)], cwd=EXTENSION, env=env, check=True, capture_output=True)
    assert [path for _, path in PICTURE.findall(readme(public))] == [f"{ADDRESS}/{path}" for _, path in pictures]
