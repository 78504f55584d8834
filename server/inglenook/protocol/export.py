"""Writes what is generated from the wire types: schemas, docs/protocol.md, blocks of package.json (`make gen`).

The TypeScript types are made from `schemas/protocol.json` by `npm run gen` in `vscode-extension/`. With `--check` nothing is
written; what differs is named, and the exit code is 1.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from inglenook.protocol.base import Wire
from inglenook.protocol.commands import COMMANDS
from inglenook.protocol.events import EVENT, EVENT_METHOD, Event
from inglenook.protocol.palette import PALETTE
from inglenook.protocol.settings import InitializationOptions, Settings

ROOT = Path(__file__).resolve().parents[3]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
CATEGORY = "Agent"
CLIENT_ONLY = ("inglenook.server.", "inglenook.desk.")  # settings of the extension itself: declared by hand, left as they are
SCOPES = {
    "inglenook.endpoint.url": "machine-overridable",
    "inglenook.endpoint.apiKeyVariable": "machine",
    "inglenook.checks.sandbox": "machine",
    "inglenook.checks.image": "machine-overridable",
    "inglenook.remote.host": "machine-overridable",
    "inglenook.remote.port": "machine-overridable",
    "inglenook.remote.start": "machine",
    "inglenook.endpoint.more": "machine-overridable",
    "inglenook.ledger.": "machine",
    "inglenook.hosted.": "machine",  # a folder never switches the way out on, nor says where it leads
}
GROUPS = {  # the headings of the settings editor, in its order, and what stands below each
    "Model": ("inglenook.endpoint.",),
    "Remote Box": ("inglenook.remote.",),
    "Runs": ("inglenook.outline", "inglenook.rules", "inglenook.reader.", "inglenook.limits."),
    "Checks": ("inglenook.checks.",),
    "Review": ("inglenook.lenses", "inglenook.desk."),
    "Hosted Model": ("inglenook.hosted.",),
    "Ledger": ("inglenook.ledger.",),
    "Server": ("inglenook.server.",),
}
SHAPES = {  # what the settings editor says at once; the server looks closer, and says it in words of its own
    "inglenook.remote.host": (r"^(?!-)[^\s'\"`$;&<>|(){}]*$", "A host or user@host, as `ssh` takes it, and nothing else."),
    "inglenook.hosted.url": (r"^$|^https://[^\s/]+(/\S*)?$", "An address that begins with https://."),
    "inglenook.endpoint.apiKeyVariable": (r"^$|^[A-Za-z_][A-Za-z0-9_]*$", "The name of an environment variable, not the key itself."),
    "inglenook.hosted.keyVariable": (r"^$|^[A-Za-z_][A-Za-z0-9_]*$", "The name of an environment variable, not the key itself."),
}
Schema = dict[str, Any]


class _Plain(GenerateJsonSchema):
    """No titles on fields: they would become type names of their own in TypeScript."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _speak_camel(value: Any) -> Any:
    """Field names in descriptions as they are on the wire: Python's `run_id` is `runId` there."""
    if isinstance(value, dict):
        return {k: _camel_words(v) if k == "description" and isinstance(v, str) else _speak_camel(v) for k, v in value.items()}
    return [_speak_camel(v) for v in value] if isinstance(value, list) else value


def _camel_words(words: str) -> str:
    return re.sub(r"`[a-z]+(?:_[a-z]+)+`", lambda m: f"`{to_camel(m[0][1:-1])}`", words)


def _event_types() -> tuple[type[Wire], ...]:
    return get_args(get_args(Event)[0])


def _models() -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    """Every type on the wire, with the side it is seen from: what clients send may leave defaults out, what the server
    sends never does."""
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
    for command in COMMANDS:
        models[(command.params, "validation")] = None
    models[(InitializationOptions, "validation")] = None
    models[(Settings, "validation")] = None
    for command in COMMANDS:
        models[(command.result, "serialization")] = None
    for event in _event_types():
        models[(event, "serialization")] = None
    return list(models)


def protocol_schema() -> Schema:
    """One schema with every type in `$defs`; its root maps each command to its params and result."""
    refs, top = models_json_schema(_models(), ref_template="#/$defs/{model}", schema_generator=_Plain)
    definitions: Schema = top["$defs"]
    definitions["Event"] = EVENT.json_schema(mode="serialization", ref_template="#/$defs/{model}", schema_generator=_Plain)
    definitions["Event"].pop("$defs")
    definitions["Event"]["description"] = f"What the server tells as `{EVENT_METHOD}`."
    properties = {
        command.id: {
            "type": "object",
            "description": command.title + ".",
            "properties": {"params": refs[(command.params, "validation")], "result": refs[(command.result, "serialization")]},
            "required": ["params", "result"],
            "additionalProperties": False,
        }
        for command in COMMANDS
    }
    schema: Schema = {
        "$schema": DIALECT,
        "title": "Commands",
        "description": "Each command of `workspace/executeCommand`, with its one argument and its result.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "$defs": definitions,
        "x-eventMethod": EVENT_METHOD,
        "x-palette": [{"id": row.id, "title": row.title, "kind": row.kind} for row in PALETTE],
    }
    spoken: Schema = _speak_camel(schema)
    return spoken


def settings_schema() -> Schema:
    """The settings as one nested object, as `workspace/configuration` answers the section `inglenook`."""
    return {"$schema": DIALECT, **Settings.model_json_schema(mode="validation", schema_generator=_Plain)}


def event_schema() -> Schema:
    """The union of events by itself."""
    spoken: Schema = _speak_camel(EVENT.json_schema(mode="serialization", schema_generator=_Plain))
    return {"$schema": DIALECT, "title": "Event", **spoken}


def _leaves(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Schema]]:
    """Each single setting by its dotted name, with its JSON Schema."""
    schema = model.model_json_schema(mode="validation", schema_generator=_Plain)
    defaults = model().model_dump(by_alias=True, mode="json")
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _leaves(inner, f"{prefix}.{key}")
        else:
            yield f"{prefix}.{key}", {**schema["properties"][key], "default": defaults[key]}


def _scope(key: str) -> str:
    """Who may set it: its own row, that of its group, else anybody."""
    return SCOPES.get(key) or SCOPES.get(key.rpartition(".")[0] + ".", "window")


def configuration(kept: Sequence[Schema] = ()) -> list[Schema]:
    """VS Code's `contributes.configuration`, a heading a group; of `kept`, the groups there now, the extension's own settings stay."""
    there = {key: value for group in kept for key, value in group["properties"].items()}
    properties = {key: value for key, value in there.items() if key.startswith(CLIENT_ONLY)}
    for key, schema in _leaves(Settings, "inglenook"):
        words = schema.pop("description", "")
        shape = dict(zip(("pattern", "patternErrorMessage"), SHAPES.get(key, ()), strict=False))
        properties[key] = {**schema, **shape, "scope": _scope(key), "markdownDescription": words}
    groups = [{key: properties.pop(key) for key in list(properties) if key.startswith(below)} for below in GROUPS.values()]
    if properties:
        raise ValueError(f"no group of settings takes {', '.join(properties)}: see GROUPS")
    return [
        {"title": title, "order": order, "properties": {key: {**value, "order": at} for at, (key, value) in enumerate(group.items())}}
        for order, (title, group) in enumerate(zip(GROUPS, groups, strict=True))
        if group
    ]


def palette() -> list[Schema]:
    """VS Code's `contributes.commands`."""
    rows: list[Schema] = []
    for row in PALETTE:
        out: Schema = {"command": row.id, "title": row.title, "category": CATEGORY}
        if row.icon:
            out["icon"] = row.icon
        if row.when:
            out["enablement"] = row.when
        rows.append(out)
    return rows


def _type_words(schema: Schema) -> str:
    """A JSON Schema as a short type for people."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type_words(part) for part in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if schema.get("type") == "array":
        return f"list of {_type_words(schema['items'])}"
    return str(schema.get("type", "anything"))


def _one_line(words: str) -> str:
    return " ".join(words.split())


def _type_section(name: str, schema: Schema) -> Iterator[str]:
    yield f'<a id="{name.lower()}"></a>\n\n### {name}\n'
    if schema.get("description"):
        yield _one_line(schema["description"]) + "\n"
    if schema.get("properties"):
        yield "| key | type | default |\n|---|---|---|"
        required = schema.get("required", ())
        for key, field in schema["properties"].items():
            default = "" if key in required or "default" not in field else f"`{json.dumps(field['default'], ensure_ascii=False)}`"
            yield f"| `{key}` | {_type_words(field)} | {default or ('required' if key in required else '')} |"
        yield ""


def protocol_page() -> str:
    """docs/protocol.md: how to talk to the server, for people who write a client."""
    schema = protocol_schema()
    types = schema["$defs"]
    lines = [_HEAD.strip() + "\n", "## Commands\n", "| command | what it does | argument | result |", "|---|---|---|---|"]
    for command in COMMANDS:
        entry = schema["properties"][command.id]["properties"]
        lines.append(f"| `{command.id}` | {command.title} | {_type_words(entry['params'])} | {_type_words(entry['result'])} |")
    lines += ["", "## Events\n", "| type | what it says |", "|---|---|"]
    for event in _event_types():
        ref = f"[{event.__name__}](#{event.__name__.lower()})"
        lines.append(f"| `{event.model_fields['type'].default}` | {ref} {_camel_words(_one_line(event.__doc__ or ''))} |")
    lines += ["", "## Settings\n", "| setting | type | default | |", "|---|---|---|---|"]
    for key, leaf in _leaves(Settings, "inglenook"):
        default = f"`{json.dumps(leaf['default'], ensure_ascii=False)}`"
        lines.append(f"| `{key}` | {_type_words(leaf)} | {default} | {_one_line(leaf.get('description', ''))} |")
    lines += ["", "## Types\n"]
    for name in sorted(set(types) - {"Event"}):
        lines += _type_section(name, types[name])
    return "\n".join(lines).rstrip() + "\n"


_HEAD = """
<!-- Generated by `make gen` from server/inglenook/protocol. Do not edit. -->

# The protocol

`inglenook lsp` is a language server (LSP 3.18) over stdio. What it adds to LSP is on this page.

- **Commands** go as `workspace/executeCommand` with one object as the only argument. Keys are camelCase; a key that we do
  not know is refused, with its name. A command that starts work answers at once with a run id. Errors carry
  `data: {"code", "hint"}`.
- **Events** come as `inglenook/event` notifications, only to a client that asks with
  `initializationOptions: {"events": true}`. Such a client shows runs and proposals itself. To any other client the server
  speaks plain LSP: work-done progress, `window/showMessage`, code lenses, code actions and `workspace/applyEdit`.
- **Documents** under the scheme `inglenook:` are read-only, served over `workspace/textDocumentContent` to a client that
  has it: the two sides of a proposal, and answers.
- **Edits.** The server sends `workspace/applyEdit` only as the consequence of `inglenook.review.decide`, once per decision, with
  the version of every open document in it. Where positions are sent they are in the negotiated position encoding.
- **Settings** are asked for with `workspace/configuration`, section `inglenook`; a client without it passes them as
  `initializationOptions.settings`, or in `workspace/didChangeConfiguration` under the key `inglenook`.

The JSON Schemas are in `schemas/`: `protocol.json` (all types; its root maps commands to argument and result), `event.json`,
`settings.json`.
"""


def _dump(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def generate(root: Path) -> dict[Path, str]:
    """Every generated file and its text; package.json only if the extension is there."""
    files = {
        root / "schemas" / "protocol.json": _dump(protocol_schema()),
        root / "schemas" / "event.json": _dump(event_schema()),
        root / "schemas" / "settings.json": _dump(settings_schema()),
        root / "docs" / "protocol.md": protocol_page(),
    }
    manifest = root / "vscode-extension" / "package.json"
    if manifest.is_file():
        package = json.loads(manifest.read_text("utf-8"))
        contributes = package.setdefault("contributes", {})
        contributes["commands"] = palette()
        contributes["configuration"] = configuration(contributes.get("configuration", ()))
        files[manifest] = _dump(package)
    return files


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Writes, or with `--check` compares. Returns the exit code."""
    check = "--check" in arguments
    code = 0
    for path, text in generate(root).items():
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        if check:
            print(f"{path.relative_to(root)} is not what the wire types say: run `make gen`", file=sys.stderr)
            code = 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(root)}")
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
