"""May this leave the machine? What would go to a hosted model, who is asked, and the grant that holds it to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from inglenook.workspace.grants import Grant, Place, place_of

if TYPE_CHECKING:
    from inglenook.agents.port import Task
    from inglenook.workspace.documents import Documents
    from inglenook.workspace.paths import JailedPath
    from inglenook.workspace.withholding import Secrets

SMALL = 8_000  # bytes of one file below which a task is small
LISTED = 12  # files that are named in words

By = Literal["person", "--hosted"]


@dataclass(frozen=True)
class LeavingFile:
    """A file that a hosted model could read, whole; bytes of its UTF-8 text after redaction."""

    path: JailedPath
    bytes: int


@dataclass(frozen=True)
class Leaving:
    """What would leave the machine for one task, and where to. `words_bytes` of what the user said; `withheld` credentials go
    as placeholders. `reason` is one sentence that says why a hosted model is offered at all."""

    endpoint: str
    place: str
    model: str
    reason: str
    files: tuple[LeavingFile, ...]
    words_bytes: int
    withheld: int = 0

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.words_bytes + sum(file.bytes for file in self.files)

    @property
    def small(self) -> bool:
        """One short file."""
        return len(self.files) == 1 and self.files[0].bytes < SMALL

    @property
    def words(self) -> str:
        """The question for a person, as plain text."""
        listed = "\n".join(f"  {file.path.shown} ({sized(file.bytes)})" for file in self.files[:LISTED])
        more = f"\n  and {len(self.files) - LISTED} more" if len(self.files) > LISTED else ""
        kept = f"\n{self.withheld} credential{'s' * (self.withheld != 1)} in it would go as placeholders." if self.withheld else ""
        return (
            f"{self.reason}\nSend this task to {self.model} at {self.endpoint} ({self.place})? It leaves this machine.\n"
            f"Your words and {len(self.files)} file{'s' * (len(self.files) != 1)}, {sized(self.bytes)} in all; it can read no others:\n"
            f"{listed}{more}{kept}"
        )


class Consent(Protocol):
    """Asks a person. `by` is who answers, for the record."""

    @property
    def by(self) -> By: ...

    async def ask(self, leaving: Leaving) -> bool:
        """True only if this very list may go there. Nothing is remembered."""
        ...


class ListedGrant(Grant):
    """What a run may touch while a hosted model works on it: of what exists only the files that a person saw in the list, and
    new ones where it might have made some before. What is taken back from `grant` is taken back here."""

    def __init__(self, grant: Grant, files: Sequence[Place], documents: Documents) -> None:
        super().__init__(files, whole=False)
        self._whole_grant = grant
        self._documents = documents

    def allows(self, path: JailedPath) -> bool:
        """As Grant.allows."""
        if not self._whole_grant.allows(path):
            return False
        return any(place.holds(path) for place in self.places) or self._documents.kind(path) is None

    def check(self, path: JailedPath) -> None:
        """As Grant.check; what was taken back says so."""
        self._whole_grant.check(path)
        super().check(path)


def listed_grant(grant: Grant, leaving: Leaving, documents: Documents) -> ListedGrant:
    """A grant of what is listed. FileMissing if a file is gone by now."""
    return ListedGrant(grant, [place_of(documents, file.path) for file in leaving.files], documents)


def words_of(task: Task) -> str:
    """All that the user said, and what came with it."""
    earlier = astuple(task.earlier) if task.earlier else ()
    return "\n".join([task.instruction, *(d.message for d in task.diagnoses), *earlier])


def leaving_file(path: JailedPath, text: str, secrets: Secrets) -> LeavingFile:
    """A file as it would go."""
    return LeavingFile(path, len(secrets.redact(text).encode("utf-8", "replace")))


def sized(count: int) -> str:
    """Bytes for a person: 812 bytes, 1.2 kB, 3.4 MB."""
    for unit, size in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
