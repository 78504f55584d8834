"""One error tree: a stable code for machines, words for a person, and what to do next.

InglenookError
├── InputError                what a person or an editor asked for cannot be done as asked
│   ├── ConfigError           a setting has a value we cannot use
│   ├── NothingToDo           there is nothing that it could be done to
│   └── UnknownId             a run, proposal or hunk that we do not know (any more)
├── WorkspaceError            a file operation that is refused or cannot be done
│   ├── OutsideWorkspace      the path leaves every workspace folder
│   ├── Protected             a path that policy keeps from agents (VCS internals, secrets, editor settings)
│   ├── NotGranted            a path that is not, or no longer, granted to the run
│   ├── FileMissing           nothing at that path
│   ├── FileExists            something is there already
│   ├── NotText               binary, or not decodable: never rewritten
│   └── TooLarge              above the size we read
├── EditError                 what a model wrote cannot be laid on the text
│   ├── EditMalformed         the form itself is broken
│   ├── EditNotFound          the text to replace is nowhere
│   └── EditAmbiguous         the text to replace is in more than one place
├── StaleError                texts changed since the proposal, nothing was written
├── EndpointError             the model's side failed
│   ├── EndpointDown          nobody answers there
│   ├── EndpointDenied        401 or 403
│   ├── ModelMissing          the server does not serve that model
│   ├── ContextExceeded       the prompt is longer than the window
│   │   └── PromptDropped     the server read only a part of it, without a word
│   ├── StreamBroken          the reply stopped half way
│   ├── EmptyReply            a reply without text and without calls
│   └── ServerFault           any other error the server told us
├── LedgerError               what happened, or how to undo it, cannot be written down or read
├── ProcessError              a program that we start is missing or could not be started
└── SandboxUnavailable        no wall can be made here, so nothing was run
"""

from __future__ import annotations

from typing import ClassVar


class InglenookError(Exception):
    """The root. `message` says what happened to which thing; `hint` says what to do next ("" if nothing helps)."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InputError(InglenookError):
    """What a person or an editor asked for cannot be done as asked."""

    code = "input"


class ConfigError(InputError):
    """A setting has a value we cannot use."""

    code = "config"


class NothingToDo(InputError):
    """There is nothing that it could be done to; editors take it as any InputError, a terminal has an exit code for it."""


class UnknownId(InputError):
    """A run, proposal or hunk that we do not know, or no longer know."""

    code = "unknown_id"


class WorkspaceError(InglenookError):
    """A file operation that is refused or cannot be done."""

    code = "workspace"


class OutsideWorkspace(WorkspaceError):
    """The path leaves every workspace folder."""

    code = "outside_workspace"


class Protected(WorkspaceError):
    """A path that policy keeps from agents."""

    code = "protected"


class NotGranted(WorkspaceError):
    """A path that is not granted to the run, or was taken back while it was going."""

    code = "not_granted"


class FileMissing(WorkspaceError):
    """Nothing is at that path."""

    code = "missing"


class FileExists(WorkspaceError):
    """Something is at that path already."""

    code = "exists"


class NotText(WorkspaceError):
    """A binary file, or one that cannot be decoded; it is never rewritten."""

    code = "not_text"


class TooLarge(WorkspaceError):
    """A file above the size that we read."""

    code = "too_large"


class EditError(InglenookError):
    """What a model wrote cannot be laid on the text."""

    code = "edit"


class EditMalformed(EditError):
    """The edit form itself is broken."""

    code = "edit_malformed"


class EditNotFound(EditError):
    """The text to replace is nowhere in the file."""

    code = "edit_not_found"


class EditAmbiguous(EditError):
    """The text to replace is in more than one place."""

    code = "edit_ambiguous"


class StaleError(InglenookError):
    """Texts changed since the proposal was made; nothing was written."""

    code = "stale"


class EndpointError(InglenookError):
    """The model's side failed."""

    code = "endpoint"


class EndpointDown(EndpointError):
    """Nobody answers at the endpoint."""

    code = "endpoint_down"


class EndpointDenied(EndpointError):
    """The endpoint refuses our key, or asks for one."""

    code = "endpoint_denied"


class ModelMissing(EndpointError):
    """The endpoint does not serve that model."""

    code = "model_missing"


class ContextExceeded(EndpointError):
    """The prompt is longer than the model's window."""

    code = "context_exceeded"


class PromptDropped(ContextExceeded):
    """The server read only a part of the prompt, without a word. read: the tokens that it did read."""

    def __init__(self, message: str, *, hint: str = "", read: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.read = read


class StreamBroken(EndpointError):
    """The reply stopped half way."""

    code = "stream_broken"


class EmptyReply(EndpointError):
    """A reply without text and without calls. read: tokens of the prompt, None where the server did not tell."""

    code = "empty_reply"

    def __init__(self, message: str, *, hint: str = "", read: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.read = read


class ServerFault(EndpointError):
    """Any other error that the model server told us."""

    code = "server_fault"


class LedgerError(InglenookError):
    """What happened, or how to undo it, cannot be written down or read."""

    code = "ledger"


class ProcessError(InglenookError):
    """A program that we start is missing or could not be started."""

    code = "process"


class SandboxUnavailable(InglenookError):
    """No wall can be made here, so nothing was run."""

    code = "sandbox_unavailable"
