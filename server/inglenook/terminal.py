"""What front ends at a terminal share: coloured diffs, one live line for a run, a clean end. No word of a model reaches the screen raw."""

from __future__ import annotations

import re
import signal
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from textwrap import wrap
from typing import TextIO

import anyio
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

HUNK = re.compile(r"@@ -(\d+)\S* \+(\d+)\S* @@")
ADDED, REMOVED, DIM, HEAD = "green", "red", "bright_black", "bold"
READING = "reading"
UNFOLDED = 1_000_000
LONGEST = 2_000  # characters of a line of a diff that are shown
TAIL = 400  # characters of what the model writes that are kept for the live line


def clean(text: str) -> str:
    r"""The text with every character that could drive a terminal, or hide or reorder other ones, made visible (`\x1b`, `\u202e`).
    Line ends and tabs stay; a carriage return before a line end is dropped."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line if line.isprintable() else "".join(map(_shown, line)) for line in lines)


def _shown(character: str) -> str:
    if character in "\n\t" or character.isprintable() or character == "\u3000":
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str, width: int) -> str:
    """The text on one line of at most so many characters, an ellipsis where it was cut."""
    flat = " ".join(clean(text).split())
    return flat if len(flat) <= width else flat[: max(width - 1, 0)].rstrip() + "…"


def styled(words: str, style: str = "") -> Text:
    """Words of any origin, made safe."""
    return Text(clean(words), style=style)


@dataclass(frozen=True)
class Hanging:
    """A text behind a prefix; where it does not fit on one line it goes on below itself."""

    prefix: Text
    body: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType | Segment]:
        room = max(options.max_width - self.prefix.cell_len, 10)
        if len(self.body) <= room and self.body.plain.isascii() and self.body.plain.isprintable():
            yield from self.prefix.render(console)  # nothing to fold: wrapping is most of the time of a long diff
            yield from self.body.render(console, end="\n")
            return
        for number, line in enumerate(self.body.wrap(console, room, overflow="fold") or [Text()]):
            front = self.prefix if number == 0 else Text(" " * self.prefix.cell_len)
            yield Text.assemble(front, line, overflow="ignore", no_wrap=True)


def below(words: str | Text, style: str = DIM, *, by: int = 2) -> Hanging:
    """A line that belongs to the one above it: set in by so many columns, wherever it is wrapped."""
    return Hanging(Text(" " * by), words if isinstance(words, Text) else styled(words, style))


def said(mark: str, words: str, *, style: str, hint: str = "") -> Hanging:
    """A line with a coloured mark in front, and a hint below it."""
    body = Text(clean(words), style=style if mark in "✗!" else "")
    if hint:
        body = Text.assemble(body, (f"\n{clean(hint)}", DIM))
    return Hanging(Text(f"{mark} ", style=style), body)


def diff(unified: str, *, indent: str = "  ", headed: bool = True) -> Group:
    """A git-style unified diff with line numbers: as the file was on the left, as it will be on the right. headed: with a
    line that names each file."""
    parts: list[RenderableType] = []
    head = first = True
    old = new = 0
    for line in clean(unified).splitlines():
        hunk = HUNK.match(line)
        if line.startswith("diff --git "):
            head = first = True
            parts += [Text()] * bool(parts) + [Text(indent + _file_named(line), style=HEAD)] * headed
        elif hunk:
            parts += [] if first else [Text(f"{indent}{'⋮':>4} {'⋮':>4}", style=DIM)]
            head = first = False
            old, new = int(hunk[1]), int(hunk[2])
        elif head:
            if headed and not line.startswith(("--- ", "+++ ")):
                named = re.sub(r'"(.*)"$', lambda found: _unquoted(found[1]), line.removesuffix(" mode 100644"))
                parts.append(Text(indent + named, style=DIM))
        elif line.startswith("\\"):
            parts.append(Text(f"{indent}{'':>12}{line[2:]}", style=DIM))
        else:
            parts.append(_row(indent, old, new, line))
            old, new = old + (line[:1] != "+"), new + (line[:1] != "-")
    return Group(*parts)


def _file_named(line: str) -> str:
    """The name in a `diff --git a/x b/y` line: the one after the change, as people write it."""
    named = re.search(r' (?:"b/(.*)"|b/(.*))$', line)
    return (_unquoted(named[1] or "") or named[2]) if named else line


def _unquoted(name: str) -> str:
    """A name out of git's C quotes, where every byte beyond ASCII is an octal number."""
    letters = {"n": b"\n", "t": b"\t", "r": b"\r", "a": b"\a", "b": b"\b", "f": b"\f", "v": b"\v"}

    def byte(found: re.Match[bytes]) -> bytes:
        escaped = found[1].decode()
        return bytes([int(escaped, 8) & 0xFF]) if escaped.isdigit() else letters.get(escaped, found[1])

    plain = re.sub(rb"\\([0-7]{3}|.)", byte, name.encode()).decode("utf-8", "replace")
    return clean(plain).replace("\n", "\\n").replace("\t", "\\t")


def _row(indent: str, old: int, new: int, line: str) -> Hanging:
    """A line of a diff with its number before and after, where it has one."""
    sign, text = line[:1], line[1:].expandtabs(4)
    style = {"+": ADDED, "-": REMOVED}.get(sign, "")
    numbers = f"{indent}{'' if sign == '+' else old:>4} {'' if sign == '-' else new:>4} "
    words = text.rstrip() if sign == " " else text
    if len(words) > LONGEST:
        words = f"{words[:LONGEST]}… ({len(words) - LONGEST:,} more characters)"
    body = Text(words, style=style)
    body.stylize("reverse", len(words.rstrip()))  # blanks at the end that come or go can be seen
    return Hanging(Text.assemble((numbers, DIM), (f"{sign} ".rstrip() if not words else f"{sign} ", style)), body)


def used(tool: str, subject: str, words: str, *, ok: bool) -> Text:
    """A tool that was used: `  ✓ read     tally/quotes.py  lines 1-37 of 37`; what failed says all of why."""
    mark, style = ("✓", "green") if ok else ("✗", "red")
    row = Text.assemble((f"  {mark} ", style), (f"{one_line(tool, 12):<8}", "bold"), f" {one_line(subject, 48)}" if subject else "")
    more = _beside(subject, words) if ok else one_line(words, 200)
    return row.append(f"  {more}" if more else "", style=DIM if ok else "")


def _beside(subject: str, words: str) -> str:
    """What words add to the subject: nothing, if they only say that it was done."""
    if subject and subject not in words:
        return one_line(words, 60)
    rest = words.replace(subject, "", 1).strip(" ,.:").removesuffix(" with") if subject else ""
    return one_line(rest, 60) if " " in rest else ""


def numbered(steps: Iterable[str], width: int) -> Text:
    """Steps with their numbers, long ones wrapped below themselves at so many columns."""
    rows = Text()
    for number, step in enumerate(steps, 1):
        wrapped = wrap(clean(step), max(width - 8, 20)) or [""]
        rows.append("\n" * (number > 1)).append(f"{number:>5}  ", style=DIM).append(("\n" + " " * 7).join(wrapped))
    return rows


def amounts(added: int, removed: int) -> Text:
    """`+12 −3`, each only where there is any."""
    parts = Text()
    if added:
        parts.append(f"+{added}", style=ADDED)
    if removed:
        parts.append((" " if added else "") + f"−{removed}", style=REMOVED)
    return parts


@dataclass
class Line:
    """The live line of a run: what it does, with which model, how fast, for how long, and the end of what it writes."""

    clock: Callable[[], float]
    began: float
    words: str = ""
    model: str = ""
    speed: float = 0.0
    writing: str = ""

    def reads(self, processed: int, total: int) -> None:
        self.words = f"{READING} {processed:,} of {total:,} tokens"

    def wrote(self, text: str) -> None:
        if self.words.startswith(READING):
            self.words = "writing"
        self.writing = (self.writing + text)[-TAIL:]

    def text(self) -> str:
        """`model · 41.2 tok/s · 0:12 · what it does`."""
        seconds = int(self.clock() - self.began)
        speed = f"{self.speed:.1f} tok/s" if self.speed else ""
        return " · ".join(clean(p) for p in (self.model, speed, f"{seconds // 60}:{seconds % 60:02d}", self.words) if p)


class _Drawn:
    """Draws a Line anew at each refresh."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._spinner = Spinner("dots", style="cyan")

    def __rich_console__(self, console: Console, _: object) -> Iterator[RenderableType]:
        width = max(console.width - 4, 10)
        if self._line.writing.strip():
            flat = " ".join(clean(self._line.writing).split())
            yield Text("  " + flat[-(width - 2) :], style=DIM, no_wrap=True, overflow="ellipsis")
        self._spinner.update(text=Text(one_line(self._line.text(), width), style="cyan"))
        yield self._spinner


def console(stream: TextIO) -> Console:
    """A console on a stream: as wide as the terminal; where there is none, lines are never folded."""
    return Console(file=stream, highlight=False) if stream.isatty() else Console(file=stream, highlight=False, width=UNFOLDED)


@contextmanager
def live(console: Console, line: Line) -> Iterator[Live | None]:
    """Shows a Line at the bottom of the terminal while the block lasts; nothing where there is no terminal."""
    if not console.is_terminal:
        yield None
        return
    with Live(_Drawn(line), console=console, refresh_per_second=10, transient=True, redirect_stdout=False, redirect_stderr=False) as shown:
        yield shown


@asynccontextmanager
async def stopping_at_signals() -> AsyncIterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that nothing of ours stays behind. An exception leaves it as it is, and
    not as a group of one."""
    try:
        async with _heard():
            yield
    except BaseExceptionGroup as group:
        raise _only(group) from None


def _only(error: BaseException) -> BaseException:
    """What a group of one holds."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


@asynccontextmanager
async def _heard() -> AsyncIterator[None]:
    got: list[int] = []
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:

            async def listen() -> None:
                with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as signals:
                    async for number in signals:
                        got.append(number)
                        scope.cancel()

            group.start_soon(listen)
            yield
            group.cancel_scope.cancel()
    if got:
        raise KeyboardInterrupt
