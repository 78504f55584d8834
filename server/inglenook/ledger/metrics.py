"""Numbers of each task, in SQLite beside the audit: for the report of whoever runs this, and for nobody else.

One row per run, filled in piece by piece while the run goes on and while its proposal is decided. Writing is the work of a
thread of its own: whoever tells a number never waits for a disk. Numbers that cannot be written are told in the log once,
and cost nothing else. Times are seconds; a number that nobody told is NULL and not 0.
"""

from __future__ import annotations

import logging
import os
import queue
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from inglenook.errors import LedgerError
from inglenook.ledger.disk import NO_FOLLOW, make_private

log = logging.getLogger(__name__)

FILE = "metrics.sqlite3"
PATIENCE = 5.0  # seconds that another process may hold the file
MIGRATIONS = (
    """
    CREATE TABLE tasks (
        run TEXT PRIMARY KEY,
        began TEXT NOT NULL DEFAULT '',
        kind TEXT NOT NULL DEFAULT '',
        endpoint TEXT NOT NULL DEFAULT '',
        model TEXT NOT NULL DEFAULT '',
        digest TEXT NOT NULL DEFAULT '',
        state TEXT NOT NULL DEFAULT 'running',
        code TEXT NOT NULL DEFAULT '',
        proposal TEXT NOT NULL DEFAULT '',
        answered INTEGER NOT NULL DEFAULT 0,
        proposed INTEGER NOT NULL DEFAULT 0,
        accepted INTEGER NOT NULL DEFAULT 0,
        edited INTEGER NOT NULL DEFAULT 0,
        rejected INTEGER NOT NULL DEFAULT 0,
        stale INTEGER NOT NULL DEFAULT 0,
        repairs INTEGER NOT NULL DEFAULT 0,
        checks INTEGER NOT NULL DEFAULT 0,
        checks_failed INTEGER NOT NULL DEFAULT 0,
        requests INTEGER NOT NULL DEFAULT 0,
        tokens_in INTEGER NOT NULL DEFAULT 0,
        tokens_out INTEGER NOT NULL DEFAULT 0,
        tokens_cached INTEGER,
        speed REAL,
        first_token REAL,
        to_review REAL,
        waited REAL,
        decided_in REAL,
        escalated INTEGER NOT NULL DEFAULT 0,
        rolled_back TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX tasks_began ON tasks (began);
    CREATE INDEX tasks_proposal ON tasks (proposal);
    """,
)
"""Each brings the file from the version before to the next one; `PRAGMA user_version` is how many were applied."""


@dataclass(frozen=True, slots=True)
class Task:
    """One row. began: UTC, ISO 8601. state: how the run ended, "running" until then, "interrupted" if its process did.
    proposed, accepted, edited, rejected, stale: hunks; edited ones are accepted ones that the person changed before. repairs: how
    often the model was sent back to mend an edit or what the checks found. tokens_cached: None where no server told it. speed:
    tokens a second of the last reply. first_token: from the beginning of the run to the first piece of a reply. to_review: to the
    proposal or the answer. waited: how long the run worked, without the time in which it waited for the person. decided_in: from
    the proposal to the last decision. rolled_back: when the person undid it, "" if not."""

    run: str
    began: str = ""
    kind: str = ""
    endpoint: str = ""
    model: str = ""
    digest: str = ""
    state: str = "running"
    code: str = ""
    proposal: str = ""
    answered: int = 0
    proposed: int = 0
    accepted: int = 0
    edited: int = 0
    rejected: int = 0
    stale: int = 0
    repairs: int = 0
    checks: int = 0
    checks_failed: int = 0
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int | None = None
    speed: float | None = None
    first_token: float | None = None
    to_review: float | None = None
    waited: float | None = None
    decided_in: float | None = None
    escalated: int = 0
    rolled_back: str = ""


COLUMNS = tuple(field.name for field in fields(Task))


class Metrics:
    """The numbers of one workspace. Nothing is made before the first one is told; `close` waits until all are written."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE
        self._told: queue.SimpleQueue[tuple[str, str, Mapping[str, Any]] | threading.Event | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def tell(self, run: str, **values: Any) -> None:
        """Sets these columns of a run's row, which is made if it is not there."""
        self._put("run", run, values)

    def tell_proposal(self, proposal: str, **values: Any) -> None:
        """Sets these columns of the row that the proposal is from; nothing if there is none."""
        self._put("proposal", proposal, values)

    def settle(self, seconds: float = PATIENCE) -> None:
        """Waits until all that was told is written, but not for longer than that."""
        if self._thread is not None and self._thread.is_alive():
            written = threading.Event()
            self._told.put(written)
            written.wait(seconds)

    def close(self) -> None:
        """Writes what was told and lets go of the file. It is opened again when something more is told."""
        thread, self._thread = self._thread, None
        if thread is not None:
            _finish(self._told, thread)

    def _put(self, key: str, value: str, values: Mapping[str, Any]) -> None:
        unknown = values.keys() - set(COLUMNS)
        if unknown:
            raise KeyError(f"no such column: {', '.join(sorted(unknown))}")
        self._told.put((key, value, dict(values)))
        if self._thread is None:
            self._thread = threading.Thread(target=_write, args=(self.file, self._told), name="inglenook metrics", daemon=True)
            self._thread.start()
            weakref.finalize(self, _finish, self._told, self._thread)  # also when the process ends


def _finish(told: queue.SimpleQueue[Any], thread: threading.Thread) -> None:
    if thread.is_alive():
        told.put(None)
        thread.join(PATIENCE)


def _write(file: Path, told: queue.SimpleQueue[Any]) -> None:
    """The thread: writes what is told until it is told None. All that is there at once becomes one transaction."""
    connection: sqlite3.Connection | None = None
    failed = False
    try:
        while (first := told.get()) is not None:
            rows, waiting, ended = _gathered(first, told)
            try:
                connection = connection or _opened(file)
                with connection:
                    for key, value, values in rows:
                        _set(connection, key, value, values)
                failed = False
            except (sqlite3.Error, OSError, LedgerError) as error:
                if not failed:
                    log.warning("The numbers for the report cannot be written (%s): %s", file, error)
                failed = True
            for event in waiting:
                event.set()
            if ended:
                return
    finally:
        if connection is not None:
            connection.close()


def _gathered(first: Any, told: queue.SimpleQueue[Any]) -> tuple[list[tuple[str, str, Mapping[str, Any]]], list[threading.Event], bool]:
    """What was told up to now: rows, those who wait for them, and whether that was all."""
    rows: list[tuple[str, str, Mapping[str, Any]]] = []
    waiting: list[threading.Event] = []
    item = first
    while True:
        if item is None:
            return rows, waiting, True
        if isinstance(item, threading.Event):
            waiting.append(item)
        else:
            rows.append(item)
        try:
            item = told.get_nowait()
        except queue.Empty:
            return rows, waiting, False


def _set(connection: sqlite3.Connection, key: str, value: str, values: Mapping[str, Any]) -> None:
    if key == "run":
        connection.execute("INSERT INTO tasks (run) VALUES (?) ON CONFLICT (run) DO NOTHING", (value,))
    if values:  # names are columns of ours: `_put` let no other through
        names = ", ".join(f"{name} = ?" for name in values)
        connection.execute(f"UPDATE tasks SET {names} WHERE {key} = ?", (*values.values(), value))


def _opened(file: Path) -> sqlite3.Connection:
    """The file, made if it is not there, for the user alone, at today's version. sqlite3.Error, OSError, LedgerError."""
    make_private(file.parent)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o600))  # SQLite gives its two companions the same mode
    connection = sqlite3.connect(file, timeout=PATIENCE)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(connection: sqlite3.Connection) -> None:
    """Brings the tables to today's version, each step whole or not at all. LedgerError for a file of a later version."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise LedgerError("The numbers for the report were written by a later version of Inglenook.", hint="Use that version.")
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            (now,) = connection.execute("PRAGMA user_version").fetchone()
            if now < number:  # else another process was quicker
                for statement in filter(str.strip, script.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def tasks(folder: Path, *, since: str = "") -> tuple[Task, ...]:
    """The rows from then on (UTC, ISO 8601), oldest first; none if nothing was ever written. LedgerError."""
    file = folder / FILE
    if not file.exists():
        return ()
    with _in_words(file), closing(sqlite3.connect(file, timeout=PATIENCE)) as connection:
        migrate(connection)
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM tasks WHERE began >= ? ORDER BY began, run", (since,)).fetchall()
    return tuple(Task(*row) for row in rows)


@contextmanager
def _in_words(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL  # only errors of the library itself have one
        anew = "Remove that file to begin anew; the audit and what undoes your acceptances are not in it."
        hint = "Make some room there, then ask again." if full else anew
        raise LedgerError(f"The numbers for the report cannot be read ({file}): {error}.", hint=hint) from error
