"""Replies that nobody would write: mutated habits, run together and cut anywhere. No crash, no hang, no call out of nothing."""

from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.fuzz_dialects import SHARDS, habits, mutated
from inglenook.llm.dialects import Sifter
from unit.llm.test_dialect_table import TOOLS, sift

MUTATIONS = 20_000
SLOWEST = 0.1  # seconds for one reply
PIECES = [row for row in habits()[0] if len(row) < 300]


@pytest.mark.parametrize("seed", range(20))
def test_mutated_replies_neither_crash_nor_hang(seed: int) -> None:
    source = random.Random(seed)
    offered = {tool.name for tool in TOOLS}
    for _ in range(MUTATIONS // 20):
        reply = mutated(source)
        cut = source.randrange(len(reply) + 1)
        pieces = [reply[:cut], reply[cut:]]
        began = time.process_time()
        sifter = Sifter(TOOLS)
        said = [*sifter.feed(pieces[0]), *sifter.feed(pieces[1]), *sifter.close(cut=bool(cut % 2))]
        took = time.process_time() - began
        assert took < SLOWEST, f"{took:.3f} s for {reply!r}"
        for call in (c for s in said for c in s.calls):
            assert isinstance(json.loads(call.arguments), dict)
            assert call.problem or call.name in offered


@pytest.mark.parametrize("seed", range(4))
def test_mutated_replies_are_the_same_in_whatever_pieces(seed: int) -> None:
    source = random.Random(1_000 + seed)
    for _ in range(250):
        reply = mutated(source)
        whole = sift([reply], cut=False)
        assert sift(list(reply), cut=False) == whole, reply


@settings(deadline=None)
@given(st.lists(st.sampled_from([*PIECES, *SHARDS, " words ", "\n"]), max_size=4), st.data())
def test_habits_run_together_are_the_same_in_whatever_pieces(parts: list[str], data: st.DataObject) -> None:
    reply = "".join(parts)
    places = sorted(data.draw(st.lists(st.integers(0, len(reply)), max_size=6)))
    pieces = [reply[a:b] for a, b in zip([0, *places], [*places, len(reply)], strict=True)]
    assert sift(pieces, cut=False) == sift([reply], cut=False)


@pytest.mark.parametrize(
    "unit",
    [
        *("<tool_call>", "<tool_call>{", '{"name": "', "[", "[read(", "```json\n{", "<function=read><parameter=path>", "<|channel|>"),
        *("<|im_end|>", "<invoke name=", "<tool_call>read<arg_key>a</arg_key><arg_value>", "[TOOL_CALLS]", "Action: read\n", '\\"'),
        *("<read><path>", "</think>", "a='b',", "<|tool_call>call:read{a:{", "<|tool_call_begin|>read:0<|tool_call_argument_begin|>{"),
        "<\uff5ctool\u2581calls\u2581begin\uff5c>",
    ],
)
def test_what_is_repeated_without_end_takes_no_time_without_end(unit: str) -> None:
    for head in ("", "<|tool_call_start|>[read(", "<tool_call>"):
        reply = head + unit * (8_000 // len(unit))
        began = time.process_time()
        sift([reply], cut=False)
        assert time.process_time() - began < 1.0
