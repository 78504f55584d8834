"""The wall by copy: the workspace as the editor sees it, a draft laid over, for programs that may do to it what they like."""

from __future__ import annotations

import errno
import os
import tempfile
import time
import weakref
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio

from inglenook.errors import TooLarge, WorkspaceError
from inglenook.temporary import left_alone, taken
from inglenook.workspace.copying import Copy, Wanted
from inglenook.workspace.documents import Documents
from inglenook.workspace.paths import JailedPath
from inglenook.workspace.removing import FOLDER, remove_tree
from inglenook.workspace.search import Search

MOST_FILES = 100_000
MOST_BYTES = 2_000_000_000
MOST_KEPT = 2  # copies: one with the proposal, one without
MOST_KEPT_BYTES = 1_000_000_000  # of one copy; a larger one is removed when it is no longer used
_PREFIX = "inglenook-scratch-"
_LOCK = "lock"
_SLICE = 0.05  # seconds of work before a cancellation is looked for


@dataclass(frozen=True)
class Scratch:
    """A copy of the workspace. root: the folder that holds it all, for as long as it is handed out.

    folders: where the copy of each workspace folder is, by the folder's name. files: how many are in it; written: how many of them
    had to be written this time. left_out: files that could not be copied, as they are shown (too large, unreadable).
    """

    root: str
    folders: Mapping[str, str]
    files: int = 0
    left_out: tuple[str, ...] = ()
    written: int = 0


class Scratches:
    """The copies of a session. They are kept between checks and made like the workspace again by what changed, so that the second
    check of a big folder is quick. They go away with `close`, at the end of the process, or, if it was killed, with the next one.

    parent: the folder to make them in (default: the system's for temporary files). Use it from one event loop.
    """

    def __init__(self, documents: Documents, search: Search, *, parent: str | None = None) -> None:
        self._documents, self._search = documents, search
        self._parent = parent
        self._home = ""
        self._made = 0
        self._free: list[tuple[str, Copy]] = []  # the one used last is the last
        self._close: weakref.finalize[[str, int], Scratches] | None = None

    @asynccontextmanager
    async def copy(
        self,
        overlay: Mapping[JailedPath, str | None],
        *,
        owner: tuple[int, int] | None = None,
        purpose: str = "",
        most_files: int = MOST_FILES,
        most_bytes: int = MOST_BYTES,
    ) -> AsyncIterator[Scratch]:
        """A copy of what is not ignored, secret or version control's own; open buffers lie over the disk, `overlay` over both.

        overlay: the text of a file, None for a file that is not there any more. owner: (uid, gid) to whom the copy is given
        (root only). purpose: a copy that served the same one before is taken first. Nothing is linked, so no write to the copy
        reaches the workspace; nothing that an earlier program did to it is in it. Raises TooLarge, and WorkspaceError if the copy
        cannot be made.
        """
        listing = await self._search.files(limit=most_files, everything=True)
        if listing.more:
            raise TooLarge(
                f"The workspace has {most_files + listing.more} files; a copy of more than {most_files} is not made.",
                hint="Name what is not source in .gitignore or .agentignore.",
            )
        jails = {jail.name: jail for jail in self._documents.folders}
        wanted = Wanted(jails, listing.paths, self._documents.buffers, overlay, most_bytes)
        with _in_words():
            taken = self._taken(purpose, owner)
            copy = taken if taken is not None else await anyio.to_thread.run_sync(self._new, owner)
        try:
            with _in_words():
                await _driven(copy.refresh(wanted))
            yield Scratch(copy.root, dict(copy.folders), copy.files, tuple(copy.left_out), copy.written)
        finally:
            with anyio.CancelScope(shield=True):
                await self._give_back(purpose, copy)

    def close(self) -> None:
        """Remove all copies. Safe to call twice; a later `copy` makes new ones."""
        for _, copy in self._free:
            copy.remove()
        self._free.clear()
        if self._close is not None:
            self._close()
        self._home, self._close = "", None

    def _taken(self, purpose: str, owner: tuple[int, int] | None) -> Copy | None:
        """A copy that nobody uses now, best one that served the same purpose."""
        fitting = [entry for entry in self._free if entry[1].owner == owner]
        best = next((entry for entry in reversed(fitting) if entry[0] == purpose), None)
        if best is None and len(self._free) >= MOST_KEPT and fitting:
            best = fitting[0]
        if best is None:
            return None
        self._free.remove(best)
        return best[1]

    def _new(self, owner: tuple[int, int] | None) -> Copy:
        if not self._home:
            self._home = self._begin(owner)
        self._made += 1
        root = Path(self._home, f"copy-{self._made}")
        root.mkdir(0o700)
        if owner is not None:
            os.chown(root, *owner)
        return Copy(str(root), owner)

    def _begin(self, owner: tuple[int, int] | None) -> str:
        """The folder for all copies, with a lock that says that somebody lives in it; what dead processes left is removed."""
        parent = self._parent or tempfile.gettempdir()
        remove_left_behind(parent, {os.geteuid(), *([] if owner is None else [owner[0]])}, time.time())
        home = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
        lock = _locked(home, make=True)
        # The user of the sandbox passes through here to its copies; it can neither list nor change what is here.
        Path(home).chmod(0o711 if os.geteuid() == 0 else 0o700)
        self._close = weakref.finalize(self, _end, home, -1 if lock is None else lock)
        return home

    async def _give_back(self, purpose: str, copy: Copy) -> None:
        surplus = [copy]
        if self._home and copy.size <= MOST_KEPT_BYTES:
            self._free.append((purpose, copy))
            surplus = [old for _, old in self._free[:-MOST_KEPT]]
            del self._free[:-MOST_KEPT]
        for old in surplus:
            await anyio.to_thread.run_sync(old.remove)


@asynccontextmanager
async def scratch(
    documents: Documents,
    search: Search,
    overlay: Mapping[JailedPath, str | None],
    *,
    owner: tuple[int, int] | None = None,
    parent: str | None = None,
    most_files: int = MOST_FILES,
    most_bytes: int = MOST_BYTES,
) -> AsyncIterator[Scratch]:
    """A copy for one use, as `Scratches.copy` makes it; it goes away with the block."""
    copies = Scratches(documents, search, parent=parent)
    try:
        async with copies.copy(overlay, owner=owner, most_files=most_files, most_bytes=most_bytes) as copy:
            yield copy
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(copies.close)


def remove_left_behind(parent: str, users: set[int], now: float) -> None:
    """Remove the copies of processes that were killed: those of these users that nobody holds the lock of. now: seconds since 1970."""
    for home in left_alone(parent, _PREFIX, users, now):
        with suppress(OSError):
            lock = _locked(home, make=False)
            if lock is not None:
                remove_tree(home)
                os.close(lock)


def _locked(home: str, *, make: bool) -> int | None:
    """The lock of a folder of copies, held as long as its descriptor is open; None if another process holds it."""
    folder = os.open(home, FOLDER)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_EXCL if make else 0)
        lock = os.open(_LOCK, flags, 0o600, dir_fd=folder)
    finally:
        os.close(folder)
    return taken(lock)


def _end(home: str, lock: int) -> None:
    remove_tree(home)
    if lock >= 0:
        os.close(lock)


@contextmanager
def _in_words() -> Iterator[None]:
    """An OSError becomes a WorkspaceError."""
    try:
        yield
    except OSError as error:
        hint = "Make room on the disk for temporary files." if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise WorkspaceError(f"The workspace could not be copied: {error.strerror or error}.", hint=hint) from error


async def _driven(job: Generator[None, None, None]) -> None:
    """Do a long job in worker threads, in slices between which it can be cancelled."""
    try:
        while await anyio.to_thread.run_sync(_some, job):
            pass
    finally:
        job.close()


def _some(job: Iterator[None]) -> bool:
    until = time.monotonic() + _SLICE
    return any(time.monotonic() > until for _ in job)
