"""Random and mutated replies, sifted for calls: no crash, no hang, no call of a tool that was not offered, no matter the pieces."""

from __future__ import annotations

import json
import random
import time
import tomllib
from functools import cache
from pathlib import Path

from inglenook.llm.dialects import Said, Sifter
from inglenook.llm.messages import ToolSpec

FOLDER = Path(__file__).resolve().parents[1] / "scenarios" / "dialects"
LIMIT = 0.1  # seconds of CPU that one reply may take
SHARDS = (
    *("<", ">", "{", "}", "[", "]", '"', "'", "`", "```", "\n", "\\", "|", "<|", "|>", "</", "<tool_call>", "</tool_call>", "call:"),
    *("<think>", "</think>", "[TOOL_CALLS]", "assistant", "assistantfinal", "analysis", " to=read json", "<|open|>", "<|sep|>"),
    *("]<]minimax[>[", "\x00", "\ud800", "\u2028", "é" * 30, "read\n", ">>>", "<|channel|>", "<|message|>", "Action:", "//", "/*"),
)


@cache
def habits() -> tuple[tuple[str, ...], tuple[ToolSpec, ...]]:
    """The replies of the table, and the tools that they were offered."""
    rows = [row for path in sorted(FOLDER.glob("*.toml")) for row in tomllib.loads(path.read_text("utf-8"))["row"]]
    tools = json.loads((FOLDER / "tools.json").read_text("utf-8"))
    return tuple(row["reply"] for row in rows if len(row["reply"]) < 600), tuple(
        ToolSpec(tool["name"], tool["description"], tool["parameters"]) for tool in tools
    )


def mutated(dice: random.Random) -> str:
    """One or two habits with characters dropped, doubled, turned round and strewn in."""
    replies, _ = habits()
    text = "".join(dice.choice(replies) for _ in range(dice.choice((1, 1, 1, 2))))
    for _ in range(dice.randint(1, 5)):
        at, to = sorted((dice.randrange(len(text) + 1), dice.randrange(len(text) + 1)))
        to = min(to, at + 40)
        match dice.randrange(5):
            case 0:
                text = text[:at] + text[to:]
            case 1:
                text = text[:to] + text[at:to] + text[to:]
            case 2:
                text = text[:at] + dice.choice(SHARDS) + text[at:]
            case 3:
                text = text[: max(1, to)]
            case _:
                text = text[:at] + text[at:to][::-1] + text[to:]
    return text


def read(pieces: list[str], *, cut: bool) -> tuple[str, str, list[tuple[str, str, str]]]:
    """The words, the reasoning and the calls of a reply that comes in pieces."""
    sifter = Sifter(habits()[1])
    said: list[Said] = [*(s for piece in pieces for s in sifter.feed(piece)), *sifter.close(cut=cut)]
    words = thoughts = ""
    calls: list[tuple[str, str, str]] = []
    for part in said:
        match part.kind:
            case "text":
                words += part.text
            case "thought":
                thoughts += part.text
            case "recant":
                words, thoughts = "", thoughts + words
            case "calls":
                calls += [(call.name, call.arguments, call.problem) for call in part.calls]
    return words, thoughts, calls


def sifted(dice: random.Random) -> str:
    """What is wrong with how a reply is sifted, "" if nothing is."""
    text, cut = mutated(dice), not dice.randrange(3)
    whole = read([text], cut=cut)
    seconds = min(_taken(text, cut=cut) for _ in range(1 if len(text) < 2_000 else 2))
    if seconds > LIMIT and _taken(text, cut=cut) > LIMIT:
        return f"{seconds * 1e3:.0f} ms to sift {text!r}"
    offered = {tool.name for tool in habits()[1]}
    for name, arguments, problem in whole[2]:
        if not isinstance(json.loads(arguments), dict) or (not problem and name not in offered):
            return f"a call of {name} with {arguments} out of {text!r}"
    size = dice.choice((1, 1, 2, 7, 30))
    if read([text[at : at + size] for at in range(0, len(text), size)], cut=cut) != whole:
        return f"in pieces of {size} it is read otherwise: {text!r}"
    return ""


def _taken(text: str, *, cut: bool) -> float:
    began = time.process_time()
    read([text], cut=cut)
    return time.process_time() - began
