"""What a command keeps beside its answer, a log of faults and results for later runs; what cannot be kept ends nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from rich.console import Console

from inglenook.terminal import said
from inglenook.workspace.withholding import Hushed

LOG_BYTES = 1_000_000


class _Log(RotatingFileHandler):
    """A log that falls silent where it cannot be written, such as on a full disk: it would else be told on the screen, at length."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


def log_to(folder: str) -> Path:
    """Faults of ours go into a file of the user's, not onto the screen; where none can be made, nowhere. Answers which."""
    file = Path(folder) / "run.log"
    log = logging.getLogger("inglenook")
    log.propagate = False
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler: logging.Handler = _Log(file, maxBytes=LOG_BYTES, backupCount=1, delay=True, encoding="utf-8")
    except OSError:
        handler = logging.NullHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(Hushed("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    log.handlers = [handler]
    return file


def keep(save: Callable[[], Path], err: Console) -> None:
    """Keeps a result for later runs. That it could not be kept is said, and takes nothing away of the result."""
    try:
        save()
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        err.print(said("!", f"This could not be kept for later runs: {error.strerror or error}{where}.", style="yellow"))
