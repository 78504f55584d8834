"""What is said to a model, and how its short answers are read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.agents.desk import Checks, Desk
from inglenook.agents.port import Diagnosis, Focus, Task
from inglenook.agents.prompt import Gathered, Piece, bulleted, fenced, needs, only_needs, says_nothing, sections, steps, title
from inglenook.agents.prompts import wording
from inglenook.agents.tools import SPECS, offered
from inglenook.llm.dialects import native_tools, tools_text
from inglenook.workspace.paths import JailedPath

A = JailedPath("ws", "src/a.py", "src/a.py")
B = JailedPath("ws", "b.py", "b.py")


def whole(path: JailedPath, text: str) -> Piece:
    count = len(text.splitlines())
    return Piece(path, 0, count, count, text)


def test_the_system_texts_are_short() -> None:
    """Goals in tokens of o200k_base: 250 for the short way, 600 for the loop with its tools; about 4.3 bytes each."""
    said = wording()
    assert len(said.direct.encode()) <= 1_000
    tools = json.dumps(native_tools(SPECS, strict=True), separators=(",", ":"))
    assert len((said.loop + tools).encode()) <= 2_400
    assert len((said.loop + tools_text(SPECS)).encode()) <= 2_400
    assert len(said.reader.encode()) <= 1_000


def test_the_tool_for_checks_still_fits() -> None:
    """With three checks declared: 595 tokens of o200k_base for the loop with its tools, counted; words take more bytes each."""
    desk = Desk(None, None, None, checks=Checks(("tests", "lint", "types"), None))  # type: ignore[arg-type]
    specs, said = [tool.spec for tool in offered(desk)], wording()
    assert [spec.name for spec in specs][-2:] == ["run_check", "done"]
    tools = json.dumps(native_tools(specs, strict=True), separators=(",", ":"))
    assert len((said.loop + tools).encode()) <= 2_600
    assert len((said.loop + tools_text(specs)).encode()) <= 2_600


def test_files_come_first_and_the_task_last() -> None:
    told = Gathered((whole(A, "x = 1\n"), whole(B, "y = 2\n")), complete=True)
    text = wording().first(Task("edit", "swap them"), told)
    assert text == "src/a.py\n```\nx = 1\n```\n\nb.py\n```\ny = 2\n```\n\nTask: swap them"


def test_two_tasks_over_the_same_files_share_all_but_the_task() -> None:
    told = Gathered((whole(A, "x = 1\n"),), complete=True)
    one, two = (wording().first(Task("edit", words), told) for words in ("first thing", "second thing"))
    assert one.removesuffix("Task: first thing") == two.removesuffix("Task: second thing")


def test_lines_of_a_file_say_which_they_are() -> None:
    text = wording().piece(Piece(A, 9, 11, 40, "x = 1\ny = 2\n"))
    assert text == "Lines 10-11 of 40 in:\nsrc/a.py\n```\nx = 1\ny = 2\n```"


def test_a_selection_is_shown_again_if_it_is_short_and_by_its_ends_if_not() -> None:
    text = "".join(f"line {n}\n" for n in range(100))
    task = Task("refactor", "shorter", Focus(A, 10, 12))
    short = wording().first(task, Gathered((whole(A, text),), complete=True, selected=Piece(A, 10, 12, 100, "line 10\nline 11\n")))
    assert "Selected, lines 11-12 of src/a.py:\n```\nline 10\nline 11\n```\n\nTask: Refactor, keeping the behaviour: shorter" in short
    lines = "".join(f"line {n}\n" for n in range(10, 80))
    long = wording().first(task, Gathered((whole(A, text),), complete=True, selected=Piece(A, 10, 80, 100, lines)))
    assert "Selected: lines 11-80 of src/a.py, from `line 10` to `line 79`." in long


def test_diagnostics_are_told_on_one_line_each() -> None:
    task = Task("fix", "", Focus(B), diagnoses=(Diagnosis(B, 3, "no\nsuch  name", "pyright"),))
    text = wording().first(task, Gathered((whole(B, "y\n"),), complete=True))
    assert "Reported problems:\n- b.py:4: no such name (pyright)\n\nTask: Fix the reported problems." in text


@pytest.mark.parametrize("kind", ["refactor", "edit", "fix", "tests", "document", "explain"])
def test_every_kind_says_enough_by_itself_and_keeps_the_users_words(kind: str) -> None:
    alone = wording().task(Task(kind, "  ", Focus(A)))  # type: ignore[arg-type]
    told = wording().task(Task(kind, "keep {this} and {words}", Focus(A)))  # type: ignore[arg-type]
    assert alone.startswith("Task: ") and "{" not in alone
    assert "keep {this} and {words}" in told


def test_a_text_with_fences_gets_longer_fences() -> None:
    assert fenced("a\n```py\nb\n```\n") == "````\na\n```py\nb\n```\n````"


@given(st.text(max_size=200))
def test_no_text_closes_its_own_fence(text: str) -> None:
    first, *_, last = (shown := fenced(text)).split("\n")
    assert first == last and set(first) == {"`"}
    assert not any(line.strip().startswith(first) for line in shown.split("\n")[1:-1])


def test_sections_are_read_by_their_titles() -> None:
    assert sections("intro\n\n## a\none\n\n## b\n{x}\ntwo\n") == {"a": "one", "b": "{x}\ntwo"}


def test_no_phrase_names_a_value_that_is_never_given() -> None:
    with pytest.raises(KeyError):
        wording().say("task")
    assert wording().say("task", words="{words}") == "Task: {words}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. one\n2. two\n", ("one", "two")),
        ("Here are the steps:\n1) one\n   detail\n2) two", ("one", "two")),
        ("Step 1: one\n**2.** two", ("one", "two")),
        ("- one\n* two", ("one", "two")),
        ("```\n1. one\n```", ("one",)),
        ("just one thing", ("just one thing",)),
        ("", ()),
    ],
)
def test_steps_of_an_outline(text: str, expected: tuple[str, ...]) -> None:
    assert steps(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NEED src/tax.py", ("src/tax.py",)),
        ("NEED src/tax.py\nNEED total\n", ("src/tax.py", "total")),
        ("- NEED: `src/tax.py`", ("src/tax.py",)),
        ("NEED a.py, b.py and c.py", ("a.py", "b.py", "c.py")),
        ("**NEED** total().", ("total",)),
        ("I NEED more", ()),
        ("NEED to see how it is called", ()),
        ("We need a.py", ()),
    ],
)
def test_what_a_reply_asks_to_see(text: str, expected: tuple[str, ...]) -> None:
    assert needs(text) == expected
    assert only_needs(text) == expected


def test_nobody_is_shown_five_hundred_files() -> None:
    asked = needs("\n".join(f"NEED file{n}.py" for n in range(500)))
    assert (len(asked), asked[0]) == (24, "file0.py")


def test_what_went_wrong_five_hundred_times_is_told_in_a_dozen_lines() -> None:
    told = bulleted([f"`../f{n}.py` leads out of the workspace folder." for n in range(500)]).splitlines()
    assert (len(told), told[0], told[-1]) == (13, "- `../f0.py` leads out of the workspace folder.", "- and 488 problems more")
    assert bulleted(["x" * 100_000]) == "- " + "x" * 1_999 + "…"
    assert bulleted(["same", "same"]) == "- same"


def test_a_reply_that_says_more_does_not_only_ask() -> None:
    assert needs("It is simple.\nNEED a.py") == ("a.py",)
    assert only_needs("It is simple.\nNEED a.py") == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NOTHING", ""),
        ("NOTHING: all is well.", "all is well."),
        ("**NOTHING** - it is\nfine", "it is fine"),
        ("NOTHINGNESS", None),
        ("There is NOTHING to do", None),
    ],
)
def test_a_reply_that_says_there_is_nothing_to_do(text: str, reason: str | None) -> None:
    assert says_nothing(text) == reason


def test_titles_are_one_short_line() -> None:
    assert title(Task("explain", "", Focus(A))) == "Explain src/a.py"
    assert title(Task("tests", "", None, (A, B))) == "Write tests for src/a.py, b.py"
    assert title(Task("edit", "make\nit so")) == "make it so"
    assert title(Task("fix", "", Focus(A), diagnoses=(Diagnosis(A, 3, "Expected\ncomma"),))) == "Fix src/a.py: Expected comma"
    assert len(title(Task("edit", "words " * 40))) <= 60
