"""What a run has drafted so far, while it still writes: told file by file, with both sides of each as read-only documents."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inglenook.lsp import uris, views
from inglenook.protocol import events as wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from inglenook.agents.port import Drafted
    from inglenook.lsp.session import Session
    from inglenook.workspace.paths import JailedPath

GATHER = 0.1  # seconds in which what changes in one file is told once


@dataclass
class _Run:
    """The files of one run as they were told last, and those that are to be told."""

    told: set[JailedPath] = field(default_factory=set)
    waiting: dict[JailedPath, Drafted] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None


class Drafting:
    """Tells a client that folds events over them. Nothing here is in review: it goes with the end of its run."""

    def __init__(self, session: Session, tell: Callable[[wire.Event], None]) -> None:
        self._session = session
        self._tell = tell
        self._runs: dict[str, _Run] = {}

    def hear(self, run_id: str, event: Drafted) -> None:
        """A draft changed."""
        if not self._session.abilities.events:
            return
        run = self._runs.setdefault(run_id, _Run())
        run.waiting[event.path] = event
        if run.timer is None:
            self._flush(run_id)

    def ended(self, run_id: str) -> None:
        """The run is over, and what it drafted is a proposal, or nothing."""
        run = self._runs.pop(run_id, None)
        if run is None:
            return
        if run.timer is not None:
            run.timer.cancel()
        for path in run.told:
            for side in ("before", "draft"):
                self._session.door.pages.forget(_page(side, run_id, path))

    def _flush(self, run_id: str) -> None:
        """Tells what waits, and waits a moment before it tells again."""
        run = self._runs[run_id]
        run.timer = asyncio.get_running_loop().call_later(GATHER, self._flush, run_id) if run.waiting else None
        waiting, run.waiting = run.waiting, {}
        for event in waiting.values():
            self._serve(run, run_id, event)
            self._tell(self._event(run_id, event))

    def _serve(self, run: _Run, run_id: str, event: Drafted) -> None:
        """Both sides as documents; an editor that shows one fetches it again."""
        pages, able = self._session.door.pages, self._session.abilities
        base, result = (event.change.base, event.change.result) if event.change else (None, None)
        for side, text in (("before", base), ("draft", result)):
            uri = _page(side, run_id, event.path)
            pages.keep(uri, text or "")
            if able.pages and event.path in run.told:
                self._session.spawn(pages.refresh, uri)
        run.told.add(event.path)

    def _event(self, run_id: str, event: Drafted) -> wire.RunDrafted:
        hunks = event.change.hunks if event.change else ()
        return wire.RunDrafted(
            run_id=run_id,
            uri=self._session.uri(event.path),
            path=event.path.shown,
            base_uri=_page("before", run_id, event.path),
            draft_uri=_page("draft", run_id, event.path),
            hunks=[wire.DraftedHunk(kind=h.kind, header=views.header(h), added=len(h.new), removed=len(h.old)) for h in hunks],
            lines=event.lines,
        )


def _page(side: str, run_id: str, path: JailedPath) -> str:
    return uris.page(side, run_id, path.shown, scheme=uris.DRAFT)
