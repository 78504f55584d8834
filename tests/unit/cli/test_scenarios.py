"""`inglenook` as people and scripts meet it: real processes, a real terminal where there is one, a fake model server.

Each file in `scenarios/cli` is one case. argv: after the program's name. turns: what the model says (a name is a file in
`replies/`). endpoint: "dead" for an address where nobody listens, "given" where argv has its own. files: more files of
the workspace. meanwhile: texts saved by somebody else while the model writes. interrupt: a text on stderr at which Ctrl-C
comes. terminal: pairs of what to wait for and what to type; absent: no terminal.

Then what must come of it: exit, texts in stdout, stderr or on the screen, values in the JSON (by dotted keys), the files
that changed, with their whole texts, and those that are gone; every other byte of the workspace is as before.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from fakes.openai import FakeOpenAI, Request, Scripted, turn
from fakes.tty import Shown, at_terminal, without_terminal
from inglenook.cli import exits

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "cli"
CASES = sorted(SCENARIOS.glob("*.json"))


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path, settings: str) -> dict[str, str]:
    (home / "config" / "inglenook").mkdir(parents=True)
    if settings:
        (home / "config" / "inglenook" / "settings.toml").write_text(settings)
    folders = {f"XDG_{name.upper()}_HOME": str(home / name) for name in ("config", "cache", "state")}
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **folders}


class Case:
    """One scenario, with a workspace and a home of its own."""

    def __init__(self, file: Path, above: Path) -> None:
        self.case: dict[str, Any] = json.loads(file.read_text("utf-8"))
        self.workspace = above / "work"
        shutil.copytree(SCENARIOS / "workspace", self.workspace)
        self.env = environment(above / "home", self.case.get("settings", ""))
        for name, text in self.case.get("files", {}).items():
            (self.workspace / name).parent.mkdir(parents=True, exist_ok=True)
            (self.workspace / name).write_text(text)
        self.before = self.bytes()
        self.said = [self._scripted(entry) for entry in self.case.get("turns", ())]

    def _scripted(self, entry: Any) -> Scripted:
        file = SCENARIOS / "replies" / f"{entry}.md"
        return file.read_text("utf-8") if isinstance(entry, str) and "\n" not in entry else turn(entry)

    def bytes(self) -> dict[str, str]:
        return {p.relative_to(self.workspace).as_posix(): p.read_bytes().decode() for p in sorted(self.workspace.rglob("*")) if p.is_file()}

    def next_turn(self, request: Request) -> Scripted:
        """The next thing the model says; before its first word the others save their work."""
        for name, text in self.case.get("meanwhile", {}).items():
            (self.workspace / name).write_text(text)
            self.before[name] = text
        return self.said.pop(0) if self.said else turn({"fault": "500"})

    async def run(self) -> Shown:
        async with FakeOpenAI(self.next_turn) as fake:
            url = f"http://127.0.0.1:{unused_port()}/v1" if self.case.get("endpoint", "").startswith("dead") else fake.url
            given = self.case.get("endpoint") == "given"
            argv = [sys.executable, "-m", "inglenook", *self.case["argv"], *([] if given else ["--endpoint", url])]
            if "terminal" in self.case:
                return await at_terminal(argv, self.case["terminal"], cwd=str(self.workspace), env=self.env)
            return await without_terminal(argv, cwd=str(self.workspace), env=self.env, stop_at=self.case.get("interrupt", ""))


def at(value: Any, key: str) -> Any:
    for part in key.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_scenario(file: Path, tmp_path: Path) -> None:
    scene = Case(file, tmp_path)
    case, shown = scene.case, anyio.run(scene.run)
    everything = f"exit {shown.code}\n--- stdout or screen\n{shown.screen}\n--- stderr\n{shown.stderr}"
    assert shown.code == case["exit"], everything
    assert shown.code in {**exits.TABLE[case["argv"][0]], **exits.EVERY}, everything
    for text in (*case.get("stdout", ()), *case.get("screen", ())):
        assert text in shown.screen, everything
    for text in case.get("stderr", ()):
        assert text in shown.stderr, everything
    for text in case.get("hides", ()):
        assert text not in shown.screen + shown.stderr, everything
    if "stderr_is" in case:
        assert shown.stderr == case["stderr_is"], everything
    for key, value in case.get("json", {}).items():
        assert at(json.loads(shown.screen), key) == value, (key, everything)
    after = {name: text for name, text in (scene.before | case.get("changed", {})).items() if name not in case.get("removed", ())}
    assert scene.bytes() == after, everything
    assert not scene.said or case["exit"] in (2, 3) or "interrupt" in case, f"the model was not asked for all of its turns\n{everything}"
