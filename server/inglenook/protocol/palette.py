"""The palette of the extension: what a person may call by name, and when. `package.json` gets its commands from here."""

from __future__ import annotations

from dataclasses import dataclass

from inglenook.protocol.events import TaskKind


@dataclass(frozen=True)
class Palette:
    """A command of the extension's palette. `kind` is set for those that start a run; `when` is VS Code's enablement."""

    id: str
    title: str
    kind: TaskKind | None = None
    when: str = ""
    icon: str = ""


IN_EDITOR = "inglenook.ready && editorIsOpen"  # while the palette is open no editor has the focus
IN_REVIEW = "inglenook.reviewing"
PALETTE: tuple[Palette, ...] = (
    Palette("inglenook.refactor", "Refactor…", "refactor", "inglenook.ready"),
    Palette("inglenook.edit", "Edit…", "edit", "inglenook.ready", "$(add)"),
    Palette("inglenook.fix", "Fix…", "fix", IN_EDITOR),
    Palette("inglenook.tests", "Write Tests", "tests", IN_EDITOR),
    Palette("inglenook.document", "Document", "document", IN_EDITOR),
    Palette("inglenook.explain", "Explain", "explain", IN_EDITOR),
    Palette("inglenook.cancel", "Cancel Run", None, "inglenook.running", "$(debug-stop)"),
    Palette("inglenook.review", "Show Proposal", None, IN_REVIEW),
    Palette("inglenook.acceptHunk", "Accept Hunk", None, IN_REVIEW, "$(check)"),
    Palette("inglenook.rejectHunk", "Reject Hunk", None, IN_REVIEW, "$(close)"),
    Palette("inglenook.acceptFile", "Accept File", None, IN_REVIEW, "$(check-all)"),
    Palette("inglenook.rejectFile", "Reject File", None, IN_REVIEW, "$(close-all)"),
    Palette("inglenook.acceptAll", "Accept All", None, IN_REVIEW, "$(check-all)"),
    Palette("inglenook.rejectAll", "Reject All", None, IN_REVIEW, "$(close-all)"),
    Palette("inglenook.undoDecision", "Undo Last Decision", None, "inglenook.ready", "$(discard)"),
    Palette("inglenook.askAgain", "Ask Again…", None, "inglenook.ready", "$(refresh)"),
    Palette("inglenook.askAgainWith", "Ask Again with Another Model…", None, "inglenook.ready"),
    Palette("inglenook.refit", "Re-fit", None, "inglenook.ready", "$(sync)"),
    Palette("inglenook.editProposal", "Edit Proposal", None, IN_REVIEW, "$(edit)"),
    Palette("inglenook.checkAgain", "Check Proposal Again", None, IN_REVIEW, "$(beaker)"),
    Palette("inglenook.nextHunk", "Next Hunk", None, IN_REVIEW, "$(arrow-down)"),
    Palette("inglenook.previousHunk", "Previous Hunk", None, IN_REVIEW, "$(arrow-up)"),
    Palette("inglenook.desk.accept", "Accept", None, IN_REVIEW, "$(check)"),
    Palette("inglenook.desk.reject", "Reject", None, IN_REVIEW, "$(close)"),
    Palette("inglenook.desk.reopen", "Decide Again", None, "inglenook.ready", "$(discard)"),
    Palette("inglenook.rollback", "Roll Back…", None, "inglenook.ready"),
    Palette("inglenook.unfit", "Show What Does Not Fit", None, "inglenook.ready"),
    Palette("inglenook.report", "Show Report", None, "inglenook.ready"),
    Palette("inglenook.commitMessage", "Write Commit Message", None, "inglenook.ready", "$(sparkle)"),
    Palette("inglenook.walkthrough", "Get Started"),
    Palette("inglenook.demo", "Try on a Sample"),
    Palette("inglenook.team", "Team Commands…", None, "inglenook.ready"),
    Palette("inglenook.checks", "Set Up Checks…", None, "inglenook.ready"),
    Palette("inglenook.selectEndpoint", "Look for a Model", None, "inglenook.ready"),
    Palette("inglenook.selectModel", "Select Model…", None, "inglenook.ready"),
    Palette("inglenook.pullModel", "Pull Model…", None, "inglenook.ready"),
    Palette("inglenook.checkSetup", "Check Setup", None, "inglenook.ready"),
    Palette("inglenook.remote.open", "Connect to Remote Box…", None, "inglenook.ready"),
    Palette("inglenook.remote.close", "Disconnect from Remote Box", None, "inglenook.ready"),
    Palette("inglenook.remote.serve", "Start Model Server on the Box…", None, "inglenook.ready"),
    Palette("inglenook.showLog", "Show Log"),
    Palette("inglenook.install", "Install Server"),
    Palette("inglenook.restart", "Restart Server"),
)
