"""What the client on the other side can do, read once from `initialize`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lsprotocol import types

from inglenook.lsp.positions import Encoding


@dataclass(frozen=True)
class Abilities:
    """Each is what the client said of itself; absent means no.

    events: it folds over our events and shows runs and proposals itself.
    settings: what it passed instead of answering `workspace/configuration`.
    resources: which of "create", "rename", "delete" a workspace edit may hold.
    prompt: it is known to tell of its open buffers before it answers an edit.
    pages: it shows read-only documents of ours (`workspace/textDocumentContent`, registered dynamically).
    """

    encoding: Encoding = "utf-16"
    events: bool = False
    settings: Any = None
    apply_edit: bool = False
    document_changes: bool = False
    resources: frozenset[str] = field(default_factory=frozenset)
    progress: bool = False
    pages: bool = False
    show_document: bool = False
    prompt: bool = False
    configuration: bool = False
    configuration_dynamic: bool = False
    lenses: bool = False
    lens_refresh: bool = False
    action_literals: bool = False
    tags_llm: bool = False


_ENCODINGS: dict[str, Encoding] = {"utf-8": "utf-8", "utf-16": "utf-16", "utf-32": "utf-32"}


def choose_encoding(capabilities: types.ClientCapabilities) -> Encoding:
    """The first of the client's encodings that we know; UTF-16 if it names none."""
    offered = capabilities.general.position_encodings if capabilities.general else None
    for name in offered or ():
        if (encoding := _ENCODINGS.get(str(getattr(name, "value", name)))) is not None:
            return encoding
    return "utf-16"


def _named(params: types.InitializeParams) -> str:
    return params.client_info.name if params.client_info else ""


def read(params: types.InitializeParams) -> Abilities:
    """What an `initialize` request says. `events` that is not true counts as no; wrong settings are told when they are read."""
    capabilities = params.capabilities
    workspace = capabilities.workspace or types.WorkspaceClientCapabilities()
    document = capabilities.text_document or types.TextDocumentClientCapabilities()
    window = capabilities.window or types.WindowClientCapabilities()
    options = params.initialization_options if isinstance(params.initialization_options, dict) else {}
    edit = workspace.workspace_edit or types.WorkspaceEditClientCapabilities()
    action = document.code_action or types.CodeActionClientCapabilities()
    tags = action.tag_support.value_set if action.tag_support else ()
    pages = workspace.text_document_content
    configuration = workspace.did_change_configuration
    return Abilities(
        encoding=choose_encoding(capabilities),
        events=options.get("events") is True,
        settings=options.get("settings"),
        apply_edit=bool(workspace.apply_edit),
        document_changes=bool(edit.document_changes),
        resources=frozenset(str(getattr(kind, "value", kind)) for kind in edit.resource_operations or ()),
        progress=bool(window.work_done_progress),
        pages=bool(pages and pages.dynamic_registration),
        show_document=bool(window.show_document and window.show_document.support)
        or _named(params) == "helix",  # shows, and does not say so
        prompt=_named(params).lower().split()[:1] in (["helix"], ["zed"]),
        configuration=bool(workspace.configuration),
        configuration_dynamic=bool(configuration and configuration.dynamic_registration),
        lenses=document.code_lens is not None,
        lens_refresh=bool(workspace.code_lens and workspace.code_lens.refresh_support),
        action_literals=action.code_action_literal_support is not None,
        tags_llm=types.CodeActionTag.LlmGenerated in tags,
    )
