"""Folders for the time being: ours alone, gone when we are done with them, and if we are killed, removed by whoever comes next.

Each is held by an advisory lock on the folder itself, which the system lets go of when its holder dies in whatever way. So a
later process knows a folder that nobody lives in from one that is in use.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from types import TracebackType

PREFIX = "inglenook-run-"
YOUNG = 60.0  # seconds that a folder without a holder is left alone: it may be about to get one
_OPEN = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Folder:
    """A new empty folder, mode 0700, with a lock that is held as long as it lives. As a context it gives its path.

    kind: a word for its name. parent: where to make it (default: the system's folder for temporary files)."""

    def __init__(self, kind: str, *, parent: str | None = None) -> None:
        above = parent or tempfile.gettempdir()
        remove_left_behind(above, time.time())
        self.path = tempfile.mkdtemp(prefix=f"{PREFIX}{kind}-", dir=above)
        self._lock = _held(self.path)

    def close(self) -> None:
        """Remove it with all that is in it. Safe to call twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> str:
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def remove_left_behind(parent: str, now: float) -> None:
    """Remove the folders of processes that were killed: this user's own, whose lock nobody holds. now: seconds since 1970."""
    users = {os.geteuid()} if hasattr(os, "geteuid") else None
    for path in left_alone(parent, PREFIX, users, now):
        with suppress(OSError):
            lock = _held(path)
            if lock is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)


def left_alone(parent: str, prefix: str, users: Collection[int] | None, now: float) -> Iterator[str]:
    """The folders of that prefix, of these users (None: of any), that are no longer young; whether somebody holds them is for the
    caller to see. now: seconds since 1970. Nothing where the parent cannot be read."""
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if not entry.name.startswith(prefix):
                continue
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                ours = users is None or status.st_uid in users
                if stat.S_ISDIR(status.st_mode) and ours and now - status.st_ctime >= YOUNG:
                    yield entry.path


def _held(path: str) -> int | None:
    """The lock of a folder, held until it is closed; None if another process holds it, or nothing can be locked here."""
    return taken(os.open(path, _OPEN))


def taken(lock: int) -> int | None:
    """The same descriptor with the lock of its file or folder; None, and it is closed, if another process holds that, or nothing can be
    locked here."""
    try:
        import fcntl
    except ImportError:
        os.close(lock)
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock
