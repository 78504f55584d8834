"""What may interrupt the text of a reply: the tags of all dialects, found in text that comes in pieces; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from inglenook.llm.dialects import openers
from inglenook.llm.dialects.form import Offered
from inglenook.llm.dialects.labelled import RESULTS as OBSERVATIONS
from inglenook.llm.dialects.reasoning import ANSWERS, CHANNEL, LEAKS, LONE_CLOSERS, RESULTS, START, TURNS
from inglenook.llm.messages import ToolSpec

HARMONY: Final = (CHANNEL, START)
QUOTES: Final = frozenset("\"'`\u2018\u201c")
"""Beside a tag: it is only spoken of."""


class Tags:
    """The tags that count where these tools are offered. `rest` is what is not given yet of a reply, `at` a place in it."""

    def __init__(self, offered: Offered) -> None:
        self._pattern, self._beginnings, self._longest = _table(tuple(offered.tools), bool(offered))

    def after(self, rest: str, at: int) -> re.Match[str] | None:
        """The first tag from a place on."""
        return self._pattern.search(rest, at)

    def here(self, rest: str, at: int) -> re.Match[str] | None:
        """The tag that begins at a place."""
        return self._pattern.match(rest, at)

    def begun(self, rest: str, at: int) -> int:
        """The first place, not before another, from which the rest may be the beginning of a tag; its end where there is none."""
        places = range(max(at, len(rest) - self._longest), len(rest))
        return next((place for place in places if rest[place:] in self._beginnings), len(rest))

    def may_grow(self, rest: str, at: int) -> bool:
        """Whether what begins at a place may turn out to be a longer tag."""
        return len(rest) - at < self._longest and rest[at:] in self._beginnings


def spoken(tag: str, before: str) -> bool:
    """Whether a tag is only spoken of, or stands where it cannot mean anything. before: the character in front of it, "" at the
    start of a reply."""
    if openers.at_line_start(tag) or tag in OBSERVATIONS:
        return before not in ("", "\n")
    return before in QUOTES or (tag == "[" and (before.isalnum() or before in ("]", ")", "_")))


@lru_cache(maxsize=8)
def by_length(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Each tag once, the longest first."""
    return tuple(sorted(set(tags), key=len, reverse=True))


def held(text: str, tags: Sequence[str]) -> int:
    """How many characters at the end of a text may be the beginning of one of these tags."""
    return max(_held(text, tag) for tag in tags)


def _held(text: str, tag: str) -> int:
    return next((n for n in range(min(len(tag) - 1, len(text)), 0, -1) if tag.startswith(text[-n:])), 0)


@lru_cache(maxsize=32)
def _table(tools: tuple[str, ...], offered: bool) -> tuple[re.Pattern[str], frozenset[str], int]:
    """The pattern of all tags, every true beginning of one, and the length of the longest."""
    tags = {*LEAKS, *TURNS, *HARMONY, *LONE_CLOSERS, *ANSWERS.values()}
    if offered:
        tags |= {*openers.literals(Offered([ToolSpec(name, "", {}) for name in tools])), *RESULTS, *OBSERVATIONS}
    beginnings = frozenset(tag[:n] for tag in tags for n in range(1, len(tag)))
    return re.compile("|".join(map(re.escape, sorted(tags, key=len, reverse=True)))), beginnings, max(map(len, tags))
