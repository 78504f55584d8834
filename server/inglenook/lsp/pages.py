"""Read-only documents of ours: both sides of a proposal, all of it as a diff, and answers."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types

from inglenook.errors import UnknownId
from inglenook.lsp import uris, views

if TYPE_CHECKING:
    from inglenook.app.runs import Runs
    from inglenook.lsp.session import Session
    from inglenook.review.session import Review

TOO_LONG = 4000  # characters of a page that are said when it cannot be shown


class Pages:
    """Serves `inglenook:` documents; for a client that cannot show them, writes a file of ours and has it shown."""

    def __init__(self, session: Session, holding: ExitStack) -> None:
        self._session = session
        self._holding = holding
        self._folder: Path | None = None
        self._kept: dict[tuple[str, str, str] | None, str] = {}
        self._given: dict[tuple[str, str, str] | None, int] = {}  # a side of a file that the client has fetched → the text's hash

    async def text(self, uri: str) -> str:
        """The text of a document of ours. UnknownId for any other."""
        parts = uris.page_parts(uri)
        if parts in self._kept:
            return self._kept[parts]
        runs = await self._session.house()
        match parts:
            case ("answer", run_id, _):
                return runs.answer(run_id).markdown
            case ("changes", proposal_id, _):
                return self.changes(runs.review(proposal_id))
            case ("base" | "result", proposal_id, shown):
                text = self._side(runs, runs.review(proposal_id), parts[0], shown)
                self._given[parts] = hash(text)
                return text
        raise UnknownId(f"{uri} is no document of ours.")

    def _side(self, runs: Runs, review: Review, side: str, shown: str) -> str:
        for change in review.proposal.files:
            if change.path.shown == shown:
                seen = views.sides(runs, review, change)
                return seen.result if side == "result" else seen.base or ""
        raise UnknownId(f"Proposal {review.proposal.id} does not change {shown}.")

    def outdated(self, runs: Runs, review: Review) -> list[str]:
        """The sides of its files that the client has fetched and that are others now: each is told once, until it is fetched again."""
        found: list[str] = []
        for change in review.proposal.files:
            shown = [
                uri for uri in (views.page(review, change, side) for side in ("base", "result")) if uris.page_parts(uri) in self._given
            ]
            if not shown:
                continue
            seen = views.sides(runs, review, change)
            for uri in shown:
                parts = uris.page_parts(uri)
                text = seen.result if parts and parts[0] == "result" else seen.base or ""
                if self._given[parts] != hash(text):
                    del self._given[parts]
                    found.append(uri)
        return found

    @staticmethod
    def changes(review: Review) -> str:
        """A whole proposal as a unified diff."""
        from inglenook.proposal.diff import unified

        return unified(review.proposal.files)

    def keep(self, uri: str, text: str) -> None:
        """Serves this text under that URI from now on: a page that is made once, and not whenever it is looked at."""
        self._kept[uris.page_parts(uri)] = text

    def forget(self, uri: str) -> None:
        """Serves it no longer."""
        self._kept.pop(uris.page_parts(uri), None)

    async def refresh(self, uri: str) -> None:
        """Lets the client fetch a document again."""
        await self._session.door.asked(types.WORKSPACE_TEXT_DOCUMENT_CONTENT_REFRESH, types.TextDocumentContentRefreshParams(uri))

    async def show(self, uri: str, text: str) -> None:
        """Has the editor show a text: our document, else a file in a private folder, else a message."""
        session = self._session
        able = session.abilities
        if able.show_document:
            target = uri if able.pages else uris.to_uri(str(self._write(uri, text)))
            params = types.ShowDocumentParams(uri=target, take_focus=True)
            answer = await session.door.request(types.WINDOW_SHOW_DOCUMENT, params)
            if answer is not None and answer.success:
                return
        if "\n" in text.strip():  # some show one line of a message, and none shows a long one well
            rest = "…" if len(text) > TOO_LONG else ""
            text = f"Open {self._write(uri, text)} to read all of this.\n\n{text[:TOO_LONG]}{rest}"
        session.door.say(types.MessageType.Info, text)

    def _write(self, uri: str, text: str) -> Path:
        """A file that only we and this user can read, gone when the server ends."""
        if self._folder is None:
            from inglenook.temporary import Folder

            self._folder = Path(self._holding.enter_context(Folder("pages")))
        _, owner, name = uris.page_parts(uri) or ("", "page", "page.txt")
        safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)[:80]
        path = self._folder / f"{owner}-{safe}"
        path.write_text(text, "utf-8")
        return path
