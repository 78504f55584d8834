"""How a run of an agent ends: the outcome with words for a person, whatever the reason."""

from __future__ import annotations

import re
from dataclasses import replace

from inglenook.agents.desk import Job
from inglenook.agents.port import EndReason, Outcome
from inglenook.agents.prompt import title
from inglenook.errors import EndpointError
from inglenook.proposal.model import FileChange

SUMMARY_CHARACTERS = 600
NAMED_FILES = 3


class Halt(Exception):
    """The run ends here before its task does. `words` say why, for a person: a clause without a full stop."""

    def __init__(self, reason: EndReason, words: str) -> None:
        super().__init__(words)
        self.reason: EndReason = reason
        self.words = words


def concluded(job: Job, summary: str) -> Outcome:
    """The agent says that it is done; nothing changed is an end of its own kind."""
    files = _changes(job)
    told = shortened(summary)
    if not files:
        return Outcome("nothing", _unchanged(told), title(job.task), told)
    names = [(f.to or f.path).shown for f in files]
    shown = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if len(names) <= NAMED_FILES else f"{len(names)} files"
    return Outcome("done", f"Changed {shown}.", title(job.task), told, files=files)


def answered(job: Job, markdown: str) -> Outcome:
    """The task was to answer in words."""
    return Outcome("done", "Answered.", title(job.task), answer=markdown.strip() + "\n")


def halted(job: Job, halt: Halt) -> Outcome:
    """A limit, a person or a stuck model ended the run; what is in the draft so far goes into review."""
    files = _changes(job) if halt.reason != "declined" else ()
    said = halt.words[:1].upper() + halt.words[1:]
    return Outcome(halt.reason, f"{said}; {_so_far(len(files))}.", title(job.task), files=files)


def failed(job: Job, error: EndpointError) -> Outcome | None:
    """The model's side failed: an outcome if there is something to review, None if there is nothing to save."""
    files = _changes(job)
    if not files:
        return None
    why = error.message if error.hint in error.message else str(error)
    return Outcome("failed", f"{why} {_so_far(len(files)).capitalize()}.", title(job.task), files=files)


def shortened(text: str) -> str:
    """The first paragraph, on one line."""
    first = " ".join(text.strip().split("\n\n")[0].split())
    return first if len(first) <= SUMMARY_CHARACTERS else first[: SUMMARY_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"


def _unchanged(told: str) -> str:
    """That nothing was changed, and what the agent says of it: once, where it says just that."""
    if re.match(r"nothing(?:\s+\w+){0,3}\s+changed?\b", told, re.IGNORECASE):
        return told
    return f"Nothing was changed: {told}" if told else "Nothing was changed."


def _changes(job: Job) -> tuple[FileChange, ...]:
    """What the draft would change; a file that deserves a second look says so on its hunks."""
    return tuple(_with_caution(change, job.desk.documents.caution(change.to or change.path)) for change in job.desk.draft.changes())


def _with_caution(change: FileChange, caution: str) -> FileChange:
    if not caution:
        return change
    return replace(change, hunks=tuple(replace(hunk, notes=tuple(dict.fromkeys((*hunk.notes, caution)))) for hunk in change.hunks))


def _so_far(count: int) -> str:
    if count == 0:
        return "nothing was changed"
    return "1 file changed so far is in review" if count == 1 else f"{count} files changed so far are in review"
