"""A program in a pseudo-terminal, with a model of its screen: keys go in, and what a person would see is waited for."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

PATIENCE = 60.0  # seconds; a busy machine starts four times slower
WHOLE = 0.02  # seconds without output after which a screen is taken for drawn: it comes in pieces
DEVICE_CONTROL = re.compile(rb"\x1bP.*?\x1b\\", re.DOTALL)  # questions about the terminal, which the model would print
BEGUN = re.compile(rb"\x1b(P[^\x1b]*(\x1b)?)?$")


class _Screen(pyte.Screen):
    """A screen that answers when the program asks what terminal this is."""

    def __init__(self, columns: int, lines: int, answer: Callable[[str], None]) -> None:
        super().__init__(columns, lines)
        self._reply = answer

    def write_process_input(self, data: str) -> None:
        self._reply(data)


class Terminal:
    """Use as a context manager; leaving it ends the program and all that it started."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], columns: int = 120, lines: int = 40) -> None:
        self._screen = _Screen(columns, lines, self.press)
        self._stream = pyte.ByteStream(self._screen)
        self._rest = b""
        self._argv, self._cwd = list(argv), cwd
        self._env = {**env, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}

    def __enter__(self) -> Terminal:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", self._screen.lines, self._screen.columns, 0, 0))
        self._process = subprocess.Popen(
            self._argv, cwd=self._cwd, env=self._env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, close_fds=True
        )
        os.close(slave)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._master)

    def _read(self, within: float) -> bool:
        """Reads what came within that time, in seconds; whether anything came. The end of the program is its end."""
        if not select.select([self._master], [], [], within)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says EIO once the program is gone
            return False
        data = DEVICE_CONTROL.sub(b"", self._rest + data)
        begun = BEGUN.search(data)
        self._rest = data[begun.start() :] if begun else b""
        self._stream.feed(data[: len(data) - len(self._rest)])
        return True

    # ---- what a person does

    def press(self, keys: str) -> None:
        """Types these characters; `\\x1b` is Escape, `\\r` is Enter."""
        os.write(self._master, keys.encode())

    # ---- what a person sees

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    def wait(self, what: str, test: Callable[[str], object]) -> str:
        """Waits until the screen passes a test; the screen then. An AssertionError shows what was there instead."""
        end = time.monotonic() + PATIENCE
        while True:
            while self._read(WHOLE):
                pass
            if test(self.text):
                return self.text
            if time.monotonic() > end or (not self._read(0.2) and self._process.poll() is not None):
                state = "" if self._process.poll() is None else f" (the program is gone: {self._process.returncode})"
                raise AssertionError(f"waited in vain for {what}{state}:\n{self.text}")

    def see(self, words: str) -> str:
        """Waits until these words stand on the screen."""
        return self.wait(repr(words), lambda text: words in text)

    def lose(self, words: str) -> str:
        """Waits until these words stand nowhere on the screen."""
        return self.wait(f"the end of {words!r}", lambda text: words not in text)

    def ended(self) -> int:
        """Waits until the program ended by itself; its exit status."""
        end = time.monotonic() + PATIENCE
        while self._process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"the program did not end:\n{self.text}")
            self._read(0.2)
        return self._process.returncode
