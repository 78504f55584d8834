"""What is generated from the wire types is what is committed, and says what the types say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from inglenook.protocol import export
from inglenook.protocol.commands import COMMANDS
from inglenook.protocol.palette import PALETTE
from inglenook.protocol.settings import Settings

ROOT = Path(__file__).resolve().parents[3]


def test_nothing_generated_has_drifted() -> None:
    drifted = [str(path.relative_to(ROOT)) for path, text in export.generate(ROOT).items() if path.read_text("utf-8") != text]
    assert not drifted, "run `make gen`"


def test_check_names_what_drifted_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export.main([], tmp_path) == 0
    assert export.main(["--check"], tmp_path) == 0
    for changed in ("schemas/protocol.json", "docs/protocol.md"):
        path = tmp_path / changed
        good = path.read_text("utf-8")
        path.write_text(good + " ", "utf-8")
        assert export.main(["--check"], tmp_path) == 1
        assert changed in capsys.readouterr().err
        assert path.read_text("utf-8") == good + " "
        path.write_text(good, "utf-8")


def test_the_manifest_keeps_what_is_not_generated(tmp_path: Path) -> None:
    folder = tmp_path / "vscode-extension"
    folder.mkdir()
    own = {"inglenook.server.command": {"type": "array"}, "inglenook.gone": {"type": "string"}}
    manifest = {"name": "x", "contributes": {"menus": {"a": 1}, "configuration": [{"properties": own}]}, "scripts": {"b": "c"}}
    (folder / "package.json").write_text(json.dumps(manifest), "utf-8")
    export.main([], tmp_path)
    package = json.loads((folder / "package.json").read_text("utf-8"))
    assert (package["name"], package["scripts"], package["contributes"]["menus"]) == ("x", {"b": "c"}, {"a": 1})
    groups = package["contributes"]["configuration"]
    assert [group["title"] for group in groups][:2] == ["Model", "Remote Box"]
    properties = {key: value for group in groups for key, value in group["properties"].items()}
    assert properties["inglenook.server.command"] == {"type": "array", "order": 0}
    assert "inglenook.gone" not in properties
    assert properties["inglenook.limits.outputTokens"]["default"] == 24_000
    assert {c["command"] for c in package["contributes"]["commands"]} == {row.id for row in PALETTE}
    assert all(c["category"] == "Agent" for c in package["contributes"]["commands"])


def test_every_setting_has_its_place_in_one_group() -> None:
    names = [key for group in export.configuration() for key in group["properties"]]
    assert len(names) == len(set(names)) == len(list(export._leaves(Settings, "inglenook")))


@pytest.mark.parametrize(
    ("setting", "good", "bad"),
    [
        (
            "inglenook.remote.host",
            ["", "gpubox", "me@gpubox", "ssh://me@gpubox", "me@[::1]"],
            ["-oProxyCommand=x", "box; reboot", "my box", "`x`"],
        ),
        ("inglenook.hosted.url", ["", "https://api.example.com/v1"], ["http://api.example.com", "api.example.com", "https://"]),
        ("inglenook.hosted.keyVariable", ["", "MY_KEY"], ["sk-123456", "MY KEY"]),
    ],
)
def test_what_a_setting_may_look_like_is_said_while_it_is_typed(setting: str, good: list[str], bad: list[str]) -> None:
    shape = next(group["properties"][setting] for group in export.configuration() if setting in group["properties"])
    assert all(re.search(shape["pattern"], text) for text in good)
    assert not any(re.search(shape["pattern"], text) for text in bad)
    assert shape["patternErrorMessage"]


def test_the_servers_handlers_are_the_table() -> None:
    from inglenook.lsp.commands import HANDLERS

    assert list(HANDLERS) == [command.id for command in COMMANDS]


def test_the_typescript_types_are_generated_from_the_same_schema() -> None:
    """`npm run gen` makes the file; here only that every type and command of the schema stands in it."""
    text = (ROOT / "vscode-extension/src/protocol.gen.ts").read_text("utf-8")
    schema = export.protocol_schema()
    for name in schema["$defs"]:
        assert f"export interface {name} " in text or f"export type {name} =" in text, name
    for command in schema["properties"]:
        assert f'"{command}": {{' in text


def test_the_schemas_hold_no_machine_and_no_snake_case() -> None:
    for name in ("protocol", "event", "settings"):
        text = (ROOT / "schemas" / f"{name}.json").read_text("utf-8")
        keys = json.loads(text)
        assert "run_id" not in text
        assert keys["$schema"].endswith("2020-12/schema")
