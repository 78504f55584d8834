"""Tells apart text, reasoning and calls in a reply that comes in pieces, cut anywhere: the pieces do not matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from inglenook.llm.dialects import openers
from inglenook.llm.dialects.finishing import all_finished
from inglenook.llm.dialects.form import NO_CALL, WAIT, Body, Offered, Written, begins, skipped
from inglenook.llm.dialects.json_calls import JsonScan
from inglenook.llm.dialects.labelled import RESULTS as OBSERVATIONS
from inglenook.llm.dialects.reasoning import (
    ANSWERS,
    CHANNEL,
    CHANNELS,
    LEAK,
    LEAKS,
    LONE_CLOSERS,
    RESULTS,
    START,
    THINKS,
    TURNS,
    Channel,
    bare_next,
    bare_start,
    channel,
    header_end,
    message_end,
    recipient_first,
)
from inglenook.llm.dialects.tags import HARMONY, QUOTES, Tags, by_length, held, spoken
from inglenook.llm.messages import ToolCall, ToolSpec

_AT_ONCE: Final = 4_096  # characters: a long piece is read in parts, so that no time is lost in moving text about


@dataclass(frozen=True)
class Said:
    """A piece of a reply: plain text, reasoning, the source of a block of calls with those calls, or "recant": all text so
    far was reasoning that its model had begun before the reply."""

    kind: Literal["text", "thought", "calls", "recant"]
    text: str
    calls: tuple[ToolCall, ...] = ()


class Sifter:
    """tools: those that were offered; without any, nothing is taken for a call. any_name: the tools are unknown, so that
    every name is taken for one's."""

    def __init__(self, tools: Sequence[ToolSpec], *, any_name: bool = False) -> None:
        self._offered = Offered(tools, any_name=any_name)
        self._tags = Tags(self._offered)
        self._state: Literal["start", "think", "text", "pending", "after", "header", "message", "over"] = "start"
        self._rest = ""
        self._from = 0  # up to here nothing in `_rest` interrupts the text
        self._start, self._tag = 0, ""  # of what is pending
        self._body: Body | None = None
        self._last, self._fences, self._ticks = "", 0, 0  # the last character given as text, the fences in it, and what may be half of one
        self._visible = self._called = self._thought = False
        self._close, self._answer = "", ""
        self._channel = Channel()
        self._bare = False  # harmony without its tokens
        self._scan: JsonScan | None = None
        self._before: tuple[ToolCall, ...] = ()  # the calls of the block before

    def feed(self, piece: str) -> list[Said]:
        """What is certain by now."""
        said: list[Said] = []
        for at in range(0, len(piece), _AT_ONCE):
            self._rest += piece[at : at + _AT_ONCE]
            said += self._steps(final=False, cut=False)
        return said

    def close(self, *, cut: bool = False) -> list[Said]:
        """What was held back, at the end of the reply. cut: its limit ended it, so no call may be completed."""
        return list(self._steps(final=True, cut=cut))

    def _steps(self, *, final: bool, cut: bool) -> Iterator[Said]:
        """Goes from state to state until nothing more is certain."""
        before = None
        while before != (self._state, len(self._rest), self._from):
            before = (self._state, len(self._rest), self._from)
            match self._state:
                case "start" | "after":
                    self._beginning(final=final)
                case "think":
                    yield from self._thinking(final=final)
                case "text":
                    yield from self._texting(final=final)
                case "pending":
                    yield from self._pending(final=final, cut=cut)
                case "header":
                    self._heading(final=final)
                case "message":
                    yield from (self._baring if self._bare else self._messaging)(final=final, cut=cut)
                case "over":
                    self._rest = ""

    # ---- where reasoning may stand

    def _beginning(self, *, final: bool) -> None:
        """At the start of a reply, or after a call: tokens and closers that mean nothing, then reasoning or text."""
        here = skipped(self._rest, 0)
        closers = openers.CLOSERS if self._state == "after" else ()
        answers = tuple(ANSWERS) if self._thought and not self._visible else ()
        tags = by_length((*LEAKS, *closers, *answers, *HARMONY, *TURNS, *THINKS))
        tag = begins(self._rest, here, tags)
        if not final and (tag is None or any(t != tag and t.startswith(self._rest[here:]) for t in tags)):
            return
        if not tag and self._state == "after" and self._channel.recipient and (left := self._rest[here:].rstrip()):
            if final and left in CHANNELS:  # the next message was begun, and nothing came
                self._rest = ""
            if any(name.startswith(left) for name in CHANNELS) and not final:
                return
        fresh = not tag and self._state == "start" and not (self._visible or self._called or self._thought)
        bare = bare_start(self._rest, here, final=final) if fresh else False
        directed = recipient_first(self._rest, here, final=final) if fresh else False
        if bare is None or directed is None:
            return
        if directed:
            self._state, self._rest = "header", self._rest[here:]
        elif bare:
            self._state, self._bare, self._channel, self._tag = "message", True, bare[0], self._rest[here : bare[1]]
            self._rest = self._rest[bare[1] :]
        elif not tag:
            self._state, self._from = "text", 0
            if self._thought and not self._visible and not self._called:
                self._rest = self._rest[here:]
        elif tag in TURNS:
            self._state = "over"
        elif tag in HARMONY:
            self._state, self._rest = "header", self._rest[here:]
        elif tag in THINKS:
            self._state, self._rest, self._close, self._thought = "think", self._rest[here + len(tag) :], THINKS[tag], True
        else:
            self._answer = ANSWERS.get(tag, self._answer)
            self._rest = self._rest[here + len(tag) :]

    def _thinking(self, *, final: bool) -> Iterator[Said]:
        thought, tag, rest = self._rest.partition(self._close)
        if tag:
            self._state, self._rest = "after" if self._visible or self._called else "start", rest
        else:
            keep = 0 if final else held(self._rest, (self._close,))
            thought, self._rest = self._rest[: len(self._rest) - keep], self._rest[len(self._rest) - keep :]
        if thought:
            yield Said("thought", thought)

    # ---- text, and what interrupts it

    def _texting(self, *, final: bool) -> Iterator[Said]:
        """Gives text up to where something interrupts it or may. The blanks before that are kept: they may belong to it."""
        at = self._from
        while (found := self._tags.after(self._rest, at)) is not None:
            if not final and self._tags.begun(self._rest, at) < found.start():  # a longer tag may have begun before it
                found = None
                break
            if (not final and self._tags.may_grow(self._rest, found.start())) or not spoken(found[0], self._before_place(found.start())):
                break
            at = found.start() + 1
        self._from = at if found is None else found.start()
        if found is not None and (final or not self._tags.may_grow(self._rest, found.start())):
            self._state, self._tag, self._body = "pending", found[0], None
            yield from self._given(found.start(), blanks=False)
            return
        if final:
            yield from self._given(len(self._rest), blanks=True)
            return
        begun = self._tags.begun(self._rest, at)
        self._from = min(self._from, begun) if found is not None else begun
        yield from self._given(self._from, blanks=False)

    def _given(self, end: int, *, blanks: bool) -> Iterator[Said]:
        """The text before a place; with the blanks before that only at the end of the reply. `_start` is the place, then."""
        text = self._rest[:end] if blanks or not self._offered else self._rest[:end].rstrip()
        self._rest = self._rest[len(text) :]
        self._start, self._from = end - len(text), max(0, self._from - len(text))
        if blanks and not text.strip() and (self._called or self._thought):
            return
        if blanks and self._answer:
            text = text.rstrip().removesuffix(self._answer).rstrip()
        if text:
            ticks = "`" * self._ticks + text
            self._fences, self._ticks = self._fences + ticks.count("```"), (len(ticks) - len(ticks.rstrip("`"))) % 3
            self._last, self._visible = text[-1], self._visible or bool(text.strip())
            yield Said("text", text)

    def _before_place(self, at: int) -> str:
        """The character in front of a place in the rest, "" at the start of the reply."""
        return self._rest[at - 1] if at else self._last

    def _pending(self, *, final: bool, cut: bool) -> Iterator[Said]:
        """What began to interrupt the text: it does, it does not, or more must come."""
        tag = self._tag
        if tag in LONE_CLOSERS:
            verdict = self._lone(final=final)
        elif tag in RESULTS or tag in OBSERVATIONS:
            verdict = self._start if self._called else NO_CALL
        elif tag in HARMONY:
            verdict = self._channels(final=final)
        elif tag in ANSWERS.values() and tag == self._answer:
            verdict = self._ending(final=final)
        elif LEAK.fullmatch(tag):
            verdict = self._leaks(final=final)
        elif tag in ANSWERS.values():
            verdict = NO_CALL
        else:
            yield from self._calling(final=final, cut=cut)
            return
        if verdict == NO_CALL:
            self._state, self._from = "text", self._start + 1
        elif verdict != WAIT:
            yield from self._interrupted(verdict)

    def _interrupted(self, after: int) -> Iterator[Said]:
        """Drops what is pending, up to a place, and goes on as it demands."""
        tag = self._tag
        if tag in LONE_CLOSERS:
            if self._visible and self._start:
                yield Said("text", self._rest[: self._start])
            yield Said("recant", tag)
            self._rest, self._state, self._from = self._rest[after:], "start", 0
            self._thought, self._visible, self._last, self._fences, self._ticks = True, False, "", 0, 0
        elif tag in RESULTS or tag in OBSERVATIONS or tag in TURNS:
            self._state = "over"
        elif tag in HARMONY:
            self._state, self._rest = "header", self._rest[self._start :]
        else:
            self._rest = self._rest[: self._start] + self._rest[after:]
            self._state, self._from = "text", self._start

    def _lone(self, *, final: bool) -> int:
        """The end of reasoning that began before the reply: nothing was called yet, and it is not spoken of."""
        after = self._start + len(self._tag)
        following = self._rest[after : after + 1]
        if not following and not final:
            return WAIT
        if self._called or self._thought or self._fences % 2 or following in QUOTES:
            return NO_CALL
        return after

    def _channels(self, *, final: bool) -> int:
        end = header_end(self._rest, self._start, final=final)
        return self._start if end >= 0 else end

    def _ending(self, *, final: bool) -> int:
        """The closer of an answer's tag, at the end of the reply."""
        after = self._start + len(self._tag)
        if self._rest[after:].strip():
            return NO_CALL
        return after if final else WAIT

    def _leaks(self, *, final: bool) -> int:
        """Special tokens at the start, at the end, or before a call mean nothing; between texts they are text."""
        here = self._start
        while (leak := LEAK.match(self._rest, skipped(self._rest, here))) is not None:
            if leak[0] in TURNS:
                self._tag = leak[0]
                return leak.end()
            if not final and self._tags.may_grow(self._rest, leak.start()):
                return WAIT
            here = leak.end()
        following = skipped(self._rest, here)
        if following >= len(self._rest):
            return following if final else WAIT
        if not final and self._tags.may_grow(self._rest, following):
            return WAIT
        if not self._visible:
            return here
        found = self._tags.here(self._rest, following)
        return here if found is not None and not openers.weak(found[0]) else NO_CALL

    # ---- calls

    def _calling(self, *, final: bool, cut: bool) -> Iterator[Said]:
        body = self._body = self._body or openers.body_for(self._tag, self._offered)
        at = self._start if openers.inside(self._tag) else self._start + len(self._tag)
        end = body.end(self._rest, at, final=False)
        unfinished = end == WAIT
        if unfinished and not final:
            return
        if unfinished:
            end = body.end(self._rest, at, final=True)
        written = None if end < 0 else body.read(self._rest[at:end], cut=cut and unfinished)
        if written is None:
            self._state, self._from, self._body = "text", self._start + 1, None
            return
        yield from self._found(written, self._rest[:end], cut=cut and unfinished)
        self._rest = self._rest[end:]

    def _found(self, written: list[Written], source: str, *, cut: bool) -> Iterator[Said]:
        self._state, self._called, self._body, self._last, self._from = "after", True, None, "\n", 0
        calls = all_finished(written, self._offered, source, cut=cut) if written else ()
        echoed = openers.weak(self._tag) and calls == self._before  # without its opener, right after the same block
        self._before = calls
        if calls and not echoed:
            yield Said("calls", source, calls)

    # ---- harmony

    def _heading(self, *, final: bool) -> None:
        end = header_end(self._rest, 0, final=final)
        if end >= 0:
            self._tag, self._rest = self._rest[:end], self._rest[end:]
            self._state, self._channel = "message", channel(self._tag)
        elif end == NO_CALL:
            self._state, self._from = "text", 1

    def _messaging(self, *, final: bool, cut: bool) -> Iterator[Said]:
        """The text of one message: reasoning and words as they come, a call when it is whole."""
        ends = message_end(self._rest, 0)
        called = bool(self._channel.recipient) and bool(self._offered) and not self._channel.foreign
        if ends is None and called and not final:
            return
        keep = 0 if final or ends is not None else held(self._rest, ("<|end|>", "<|call|>", "<|return|>", START, CHANNEL))
        end, after = ends or (len(self._rest) - keep, len(self._rest) - keep)
        text, source = self._rest[:end], self._tag + self._rest[:after]
        self._rest = self._rest[after:]
        if ends is not None or final:
            self._state, self._from = "after", 0
        if called:
            written = Written(self._channel.recipient, text.strip() or "{}")
            yield from self._found([written], source, cut=cut and ends is None)
        else:
            yield from self._uttered(text)

    def _uttered(self, text: str) -> Iterator[Said]:
        """A part of a message that is no call."""
        if self._channel.thought and text:
            self._thought = True
            yield Said("thought", text)
        elif text and not self._channel.foreign:
            self._visible, self._last = True, text[-1]
            yield Said("text", text)

    def _baring(self, *, final: bool, cut: bool) -> Iterator[Said]:
        """As messages, but only words part them; a call ends with its JSON."""
        if self._channel.recipient and self._offered:
            self._scan = self._scan or JsonScan(0)
            after = self._scan.end(self._rest, final=final)
            if after < 0 and not final:
                return
            whole, after = after >= 0, after if after >= 0 else len(self._rest)
            written, source = Written(self._channel.recipient, self._rest[:after]), self._tag + self._rest[:after]
            self._rest, self._scan, self._channel = self._rest[after:], None, Channel("", "final")
            yield from self._found([written], source, cut=cut and not whole)
            self._state, self._tag = "message", ""
            return
        if not self._tag:
            self._rest = self._rest.lstrip()
        end, following = bare_next(self._rest, final=final)
        text, self._rest = self._rest[:end], self._rest[end:]
        self._tag = self._tag or text
        yield from self._uttered(text)
        if following is not None:
            self._channel, after = following
            self._tag, self._rest = self._rest[: after - end], self._rest[after - end :]
        elif final:
            self._state, self._from = "after", 0
