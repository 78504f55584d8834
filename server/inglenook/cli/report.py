"""What came of a run: the proposal as a coloured diff, the verdict, the answer; or all of it as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from inglenook.app.events import Answered, Ended
from inglenook.cli.asking import header
from inglenook.cli.ends import FORMAT
from inglenook.cli.watching import Watch
from inglenook.proposal.diff import unified
from inglenook.proposal.model import FileChange, Verdict
from inglenook.review.session import Review
from inglenook.terminal import amounts, clean, diff, said, styled

MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "timed_out": ("✗", "red"), "not_run": ("·", "yellow")}


def show_proposal(out: Console, review: Review, *, whole: bool) -> None:
    """The files of a proposal with their sizes. whole: with the diff of all of them."""
    proposal = review.proposal
    out.print()
    out.print(styled(proposal.title, "bold"))
    if proposal.summary and proposal.summary != proposal.title:
        out.print(styled(proposal.summary.strip(), "bright_black"))
    width = max(len(name_of(change)) for change in proposal.files)
    for change in proposal.files:
        row = Text.assemble("  ", styled(f"{name_of(change):<{width}}  "), (f"{change.kind:<7} ", "cyan"))
        out.print(row.append_text(amounts(*size_of(change))))
    if whole:
        out.print()
        out.print(diff(unified(proposal.files)))
        for hunk in proposal.hunks:
            for note in hunk.notes:
                out.print(said("!", f"{hunk.path.shown}, {header(hunk)}: {note}", style="yellow"))
    out.print()


def name_of(change: FileChange) -> str:
    return f"{change.path.shown} → {change.to.shown}" if change.to is not None else change.path.shown


def size_of(change: FileChange) -> tuple[int, int]:
    """Lines that come and lines that go."""
    return sum(len(h.new) for h in change.hunks), sum(len(h.old) for h in change.hunks)


def show_verdict(err: Console, review: Review) -> None:
    """What the checks said, and of those that failed what is new and the end of their output."""
    verdict = review.proposal.verdict
    if verdict is None:
        return
    mark, style = MARKS[verdict.state]
    err.print(said(mark, verdict.words, style=style))
    show_checks(err, verdict)


def show_checks(err: Console, verdict: Verdict) -> None:
    """Of the checks that did not pass: what is new, and the end of their output."""
    for check in verdict.checks:
        if check.state in ("failed", "timed_out"):
            for failure in (new for new in check.new[:10] if new not in verdict.words):
                err.print(styled(f"    {failure}", "red"))
            for line in check.tail.strip().splitlines()[-12:]:
                err.print(styled(f"    {line}", "bright_black"))


def show_answer(out: Console, answer: Answered) -> None:
    """Markdown: set in type on a terminal, as it is elsewhere."""
    if out.is_terminal:
        out.print(Markdown(clean(answer.markdown), hyperlinks=False))
    else:
        out.print(styled(answer.markdown))


def as_json(ended: Ended, review: Review | None, watch: Watch, applied: Collection[str], code: int) -> str:
    """The one JSON object that `--json` prints."""
    spent = watch.spent
    return json.dumps(
        {
            "format": FORMAT,
            "exit": code,
            "state": ended.state,
            "words": ended.words,
            "hint": ended.hint,
            "code": ended.code,
            "model": watch.model,
            "endpoint": watch.endpoint,
            "grants": list(watch.grants),
            "usage": {
                "requests": spent.requests,
                "promptTokens": spent.prompt,
                "outputTokens": spent.output,
                "cachedTokens": spent.cached,
                "tokensPerSecond": round(spent.speed, 1),
                "seconds": round(watch.line.clock() - watch.line.began, 2),
            },
            "answer": watch.answer.markdown if watch.answer else None,
            "proposal": _proposal(review) if review else None,
            "applied": list(applied),
        },
        ensure_ascii=False,
        indent=2,
    )


def _proposal(review: Review) -> dict[str, Any]:
    proposal = review.proposal
    return {
        "id": proposal.id,
        "title": proposal.title,
        "summary": proposal.summary,
        "verdict": _verdict(proposal.verdict),
        "files": [_file(change, review) for change in proposal.files],
        "diff": unified(proposal.files),
    }


def _file(change: FileChange, review: Review) -> dict[str, Any]:
    hunks = [
        {
            "id": hunk.id,
            "kind": hunk.kind,
            "header": header(hunk),
            "decision": review.decisions[hunk.id],
            "reason": review.reasons.get(hunk.id, ""),
            "added": len(hunk.new),
            "removed": len(hunk.old),
            "notes": list(hunk.notes),
        }
        for hunk in change.hunks
    ]
    return {"path": change.path.shown, "kind": change.kind, "to": change.to.shown if change.to else None, "hunks": hunks}


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    checks = [
        {"name": c.name, "state": c.state, "seconds": round(c.seconds, 2), "new": list(c.new), "tail": c.tail, "words": c.words}
        for c in verdict.checks
    ]
    return {"state": verdict.state, "breaks": verdict.breaks, "words": verdict.words, "checks": checks}
