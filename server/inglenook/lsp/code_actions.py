"""Code actions: starting a run on a selection or a diagnostic, and deciding on the hunk under the cursor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from inglenook.lsp import amending, hinting, standing, team, views
from inglenook.lsp.acting import action, touched
from inglenook.lsp.positions import selected_lines

if TYPE_CHECKING:
    from inglenook.app.runs import Runs
    from inglenook.app.teaching import TeamCommand
    from inglenook.lsp.session import Session
    from inglenook.review.session import Review

START = "inglenook.run.start"
DECIDE = "inglenook.review.decide"
SHOW = "inglenook.review.show"
REWRITE, QUICK_FIX, SOURCE = types.CodeActionKind.RefactorRewrite, types.CodeActionKind.QuickFix, types.CodeActionKind.Source
LINE_END = re.compile(r"\r\n|\r|\n")
WRITTEN = re.compile(r"\s*(?:#|//|--|;+|%|/\*+|<!--)\s*agent:\s*(?P<words>\S.*?)\s*(?:\*/|-->)?\s*$", re.IGNORECASE)
KINDS = (REWRITE, QUICK_FIX, SOURCE)


@dataclass(frozen=True)
class Offer:
    """A row: what kind of task, its title. `asks`: it needs words, so a client that can ask for them does. `whole`: it is about the
    file, whatever is selected."""

    kind: str
    title: str
    action: types.CodeActionKind
    asks: bool = False
    whole: bool = False


OFFERS = (
    Offer("refactor", "Agent: Refactor…", REWRITE, asks=True),
    Offer("edit", "Agent: Edit…", REWRITE, asks=True),
    Offer("tests", "Agent: Write Tests", REWRITE),
    Offer("document", "Agent: Document", REWRITE),
    Offer("explain", "Agent: Explain", SOURCE),
    Offer("tests", "Agent: Write Tests for This File", SOURCE, whole=True),
    Offer("document", "Agent: Document This File", SOURCE, whole=True),
)


def offered(session: Session, params: types.CodeActionParams) -> list[types.CodeAction | types.Command]:
    """What can be done at a place. Nothing outside the workspace's folders."""
    uri = params.text_document.uri
    if not session.inside(uri):
        return []
    params.context.diagnostics = [d for d in params.context.diagnostics if d.source != hinting.SOURCE]
    actions = [*_decisions(session, params), *_written(session, params), *_fix(session, params)]
    quiet = params.context.trigger_kind == types.CodeActionTriggerKind.Automatic and params.range.start == params.range.end
    if not quiet:  # no light bulb on every line
        actions += [_start(session, offer, params) for offer in OFFERS if offer.kind != "edit" or session.abilities.events]
        actions += [_team(session, command, params) for command in team.offered(session, params)]
        actions = [*standing.offered(session), *actions]
    wanted = params.context.only
    chosen = [action for action in actions if wanted is None or any(_within(action.kind, kind) for kind in wanted)]
    if session.abilities.action_literals:
        return list(chosen)
    return [action.command for action in chosen if action.command is not None]


def _command(session: Session, title: str, data: dict[str, Any]) -> types.Command:
    """A client of ours asks for words first, under its palette's id; any other starts with the task's own words."""
    asks = "command" not in data and any(offer.asks and offer.kind == data.get("kind") for offer in OFFERS)
    if asks and session.abilities.events:
        from inglenook.protocol.palette import PALETTE

        command = next(row.id for row in PALETTE if row.kind == data["kind"])
    else:
        command = START
    return types.Command(title=title, command=command, arguments=[data])


def _within(kind: types.CodeActionKind | str | None, wanted: types.CodeActionKind | str) -> bool:
    have, want = (str(getattr(k, "value", k)) for k in (kind, wanted))
    return want == "" or have == want or have.startswith(f"{want}.")


def _start(session: Session, offer: Offer, params: types.CodeActionParams) -> types.CodeAction:
    about = {"uri": params.text_document.uri} if offer.whole else _about(params)
    return _run(session, offer.title, offer.action, {"kind": offer.kind, **about})


def _team(session: Session, command: TeamCommand, params: types.CodeActionParams) -> types.CodeAction:
    kind = next((offer.action for offer in OFFERS if offer.kind == command.kind), QUICK_FIX)
    found = [{"range": _plain(d.range), "message": d.message, "source": d.source or ""} for d in params.context.diagnostics]
    data = {"kind": command.kind, "command": command.name, **_about(params), **({"diagnostics": found} if found else {})}
    return _run(session, f"Agent: {command.title}", kind, data)


def _fix(session: Session, params: types.CodeActionParams) -> Iterator[types.CodeAction]:
    found = params.context.diagnostics
    if not found:
        return
    first = " ".join(found[0].message.split())
    what = f"“{first[:57]}…”" if len(first) > 60 else f"“{first}”"
    title = f"Agent: Fix {what}" if len(found) == 1 else f"Agent: Fix {len(found)} problems here"
    diagnostics = [{"range": _plain(d.range), "message": d.message, "source": d.source or ""} for d in found]
    action = _run(session, title, QUICK_FIX, {"kind": "fix", **_about(params), "diagnostics": diagnostics})
    action.diagnostics = found
    yield action


def _written(session: Session, params: types.CodeActionParams) -> Iterator[types.CodeAction]:
    """A task written into the file as a comment, `# agent: …`, where nobody can be asked for words: the first one that is selected.
    It is about the selected lines, or about the file if there is only the comment."""
    buffer = session.buffers.get(params.text_document.uri)
    if session.abilities.events or buffer is None:
        return
    first, last = selected_lines(params.range)
    found = next((match for line in LINE_END.split(buffer.text)[first:last] if (match := WRITTEN.match(line))), None)
    if found is not None:
        words = found["words"]
        title = f"Agent: Edit “{words[:57]}…”" if len(words) > 60 else f"Agent: Edit “{words}”"
        about = _about(params) if last - first > 1 else {"uri": params.text_document.uri}
        instruction = f"{words}\n\nThis was written as a comment, `{found[0].strip()}`: remove that line."
        yield _run(session, title, QUICK_FIX, {"kind": "edit", "instruction": instruction, **about})


def _about(params: types.CodeActionParams) -> dict[str, Any]:
    return {"uri": params.text_document.uri, "range": _plain(params.range)}


def _plain(range_: types.Range) -> dict[str, Any]:
    start, end = range_.start, range_.end
    return {"start": {"line": start.line, "character": start.character}, "end": {"line": end.line, "character": end.character}}


def _run(session: Session, title: str, kind: types.CodeActionKind, data: dict[str, Any]) -> types.CodeAction:
    """The action with its command in it: Helix says that it resolves commands, and then runs only what stood in the first answer."""
    tags = [types.CodeActionTag.LlmGenerated] if session.abilities.tags_llm else None
    return types.CodeAction(title=title, kind=kind, command=_command(session, title, data), tags=tags)


# ---- decisions under the cursor


def _decisions(session: Session, params: types.CodeActionParams) -> Iterator[types.CodeAction]:
    runs = session.runs
    open_reviews = [review for review in runs.reviews() if review.open] if runs else []
    for review in open_reviews:
        if runs is not None:
            yield from _of_review(session, runs, review, params)


def _of_review(session: Session, runs: Runs, review: Review, params: types.CodeActionParams) -> Iterator[types.CodeAction]:
    proposal_id = review.proposal.id
    here = _hunks_at(session, runs, review, params)
    for verb, word in (("accept", "Accept"), ("reject", "Reject")):
        if here:
            what = "this hunk" if len(here) == 1 else f"these {len(here)} hunks"
            yield action(f"Agent: {word} {what}", DECIDE, {"decision": verb, "proposalId": proposal_id, "hunks": here})
    path = session.place_or_none(params.text_document.uri)
    of_file = [i for i in (review.of_file(path) if path else ()) if review.decisions[i] == "pending"]
    for verb, word in (("accept", "Accept"), ("reject", "Reject")):
        if len(of_file) > len(here):
            data = {"decision": verb, "proposalId": proposal_id, "uri": params.text_document.uri}
            yield action(f"Agent: {word} all of this file ({len(of_file)})", DECIDE, data)
    for verb, word in (("accept", "Accept"), ("reject", "Reject")):
        if len(review.pending) > len(of_file):
            title = f"Agent: {word} all of “{review.proposal.title}” ({len(review.pending)})"
            yield action(title, DECIDE, {"decision": verb, "proposalId": proposal_id})
    yield from amending.offered(session, runs, review, params, here)
    yield action(f"Agent: Show “{review.proposal.title}”", SHOW, {"proposalId": proposal_id})


def _hunks_at(session: Session, runs: Runs, review: Review, params: types.CodeActionParams) -> list[str]:
    """The pending hunks whose lines the range touches."""
    path = session.place_or_none(params.text_document.uri)
    change = review.file(path) if path is not None else None
    if change is None:
        return []
    return touched(views.sides(runs, review, change).in_base, params.range)
