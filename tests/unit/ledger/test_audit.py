"""The audit: what is written stays as it was, whoever writes at once and wherever a process ends; and every change is named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.ledger import chain
from inglenook.ledger.audit import HEAD, Audit, segments
from inglenook.ledger.disk import folder_for
from inglenook.ledger.facts import (
    KINDS,
    CheckMark,
    EditBegun,
    EditMade,
    Escalated,
    Fact,
    FileMark,
    GrantRevoked,
    HunksDecided,
    HunksRefitted,
    ModelLeased,
    OutlineAnswered,
    ProposalEdited,
    ProposalMade,
    Repaired,
    ReplyCame,
    RequestSent,
    RolledBack,
    RunEnded,
    TaskAsked,
    TextSent,
    ToolCalled,
    VerdictGiven,
    fact_of,
    kind_of,
    plain,
)
from inglenook.ledger.verify import verify

MARK = FileMark("/home/u/proj", "a.py", "", "0" * 64, "1" * 64, ("h1", "h2"))
FACTS: tuple[Fact, ...] = (
    TaskAsked("r1", "refactor", "rename it — überall", ("a.py:3-7",), ("src/",)),
    GrantRevoked("r1", "src/"),
    ModelLeased("r1", "127.0.0.1:8080", "qwen", 8192, "d" * 64, "ollama 0.12.6"),
    Escalated("r1", "https://api.example.com/v1", "big", "asked for", ("a.py",), 4000, 900, 1, "person"),
    TextSent("r1", 1, "2" * 64, "the whole\nrequest"),
    OutlineAnswered("r1", 3, "approved"),
    RequestSent("r1", 1, 2345, 600, "2" * 64),
    ReplyCame("r1", "qwen", 600, 80, -1),
    ToolCalled("r1", "read", "/home/u/proj/a.py", True, "12 lines"),
    ProposalMade("r1", "p1", "Rename it", (MARK,), ""),
    VerdictGiven("p1", "passed", "2 checks passed", (CheckMark("tests", "passed", 1200),)),
    HunksDecided("p1", ("h1",), "accepted", "person"),
    EditBegun("a1", "p1", ("h1",), "person", (MARK,)),
    EditMade("a1", "p1", ("h1",), True),
    ProposalEdited("p1", "/home/me/proj", "a.py", ("12-14", "3-2")),
    HunksRefitted("p1", "/home/me/proj", "a.py", ("h2", "h3"), ("h4",)),
    RolledBack("a1", "a2", "p2", ("h1",)),
    RunEnded("r1", "done", "", "p1"),
    Repaired("words", 3, "3" * 64, 0),
)


def audit(folder: Path, **more: object) -> Audit:
    return Audit(folder, now=lambda: "2026-01-02T03:04:05Z", by="test", **more)  # type: ignore[arg-type]


def written(folder: Path, count: int = 6, **more: object) -> Path:
    for fact in (FACTS * count)[:count]:
        audit(folder, **more).append(fact)
    return folder


def lines(folder: Path) -> list[bytes]:
    return [line for file in segments(folder) for line in file.read_bytes().splitlines(keepends=True)]


def test_every_fact_comes_back_as_it_was(tmp_path: Path) -> None:
    assert {kind_of(fact) for fact in FACTS} == set(KINDS)
    for fact in FACTS:
        assert fact_of(kind_of(fact), json.loads(json.dumps(plain(fact)))) == fact
    audit(tmp_path).append(*FACTS, durable=True)
    found = list(audit(tmp_path).records())
    assert [record.fact for record in found] == list(FACTS)
    assert [record.n for record in found] == list(range(1, len(FACTS) + 1))
    assert found[0].prev == chain.GENESIS
    assert all(later.prev == before.hash for before, later in pairwise(found))
    assert verify(tmp_path).finding is None


def test_the_ledger_is_for_the_user_alone_and_outside_the_workspace(tmp_path: Path) -> None:
    root = tmp_path / "my project ü"
    root.mkdir()
    link = tmp_path / "link"
    link.symlink_to(root)
    folder = folder_for(tmp_path / "state", root)
    assert folder == folder_for(tmp_path / "state", link)
    assert folder.name.endswith("-my_project__") and folder.parent == tmp_path / "state" / "ledger"
    before = os.umask(0)
    try:
        written(folder)
    finally:
        os.umask(before)
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in folder.iterdir())
    assert [each.stat().st_mode & 0o777 for each in (folder, folder.parent, folder.parent.parent)] == [0o700] * 3


def test_looking_makes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    audit(folder).start()
    assert list(audit(folder).records()) == []
    report = verify(folder)
    assert (report.records, report.finding, report.notes) == (0, None, ())
    assert not folder.exists()


def test_rotation_keeps_the_chain(tmp_path: Path) -> None:
    written(tmp_path, 40, segment_bytes=1500)
    assert len(segments(tmp_path)) > 5
    assert all(file.stat().st_size <= 1500 for file in segments(tmp_path))
    report = verify(tmp_path)
    assert (report.records, report.files, report.finding) == (40, len(segments(tmp_path)), None)
    segments(tmp_path)[2].unlink()
    finding = verify(tmp_path).finding
    assert finding is not None and finding.kind == "dropped"


def test_a_decision_is_on_the_disk_before_anything_goes_on(tmp_path: Path) -> None:
    synced: list[int] = []
    kept = audit(tmp_path, sync=lambda fd: synced.append(os.fstat(fd).st_size))
    kept.append(FACTS[0])
    assert synced == []
    kept.append(FACTS[8], durable=True)
    assert segments(tmp_path)[0].stat().st_size in synced


# ---- torn lines


def test_a_line_torn_at_any_byte_is_taken_off_with_a_note(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", 3)
    last = lines(whole)[-1]
    for kept in range(len(last)):
        folder = tmp_path / "torn"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        file = segments(folder)[0]
        os.truncate(file, file.stat().st_size - len(last) + kept)
        _mark_before_the_last(folder)
        looked = verify(folder)
        assert looked.finding is None and looked.records == 2
        assert bool(looked.notes) == bool(kept)
        audit(folder).start()
        after = list(audit(folder).records())
        assert [record.n for record in after] == ([1, 2, 3] if kept else [1, 2])
        if kept:
            note = after[-1].fact
            assert isinstance(note, Repaired) and note.torn == kept and not note.missing
        audit(folder).append(FACTS[3])
        assert verify(folder).finding is None
        assert list(audit(folder).records())[-1].fact == FACTS[3]


def _mark_before_the_last(folder: Path) -> None:
    """`head` as it is when a process ends in the middle of a record: it names the one before."""
    two = lines(folder)[:2]
    link = chain.link(two[-1])
    from inglenook.ledger.audit import Tip

    (folder / HEAD).write_bytes(Tip(1, sum(map(len, two)), link.n, link.hash).words())


def test_a_process_that_ends_before_the_mark_loses_nothing(tmp_path: Path) -> None:
    written(tmp_path, 3)
    _mark_before_the_last(tmp_path)
    assert verify(tmp_path).finding is None
    audit(tmp_path).append(FACTS[3])
    assert [record.n for record in audit(tmp_path).records()] == [1, 2, 3, 4]
    assert verify(tmp_path).finding is None and not verify(tmp_path).notes


def test_a_process_that_ends_before_the_mark_of_a_new_file_loses_nothing(tmp_path: Path) -> None:
    written(tmp_path, 3, segment_bytes=1)
    _mark_at(tmp_path, 2)
    audit(tmp_path, segment_bytes=1).append(FACTS[3])
    assert [record.n for record in audit(tmp_path).records()] == [1, 2, 3, 4]
    assert verify(tmp_path).finding is None and not verify(tmp_path).notes


def _mark_at(folder: Path, segment: int) -> None:
    from inglenook.ledger.audit import Tip

    data = segments(folder)[segment - 1].read_bytes()
    link = chain.link(data)
    (folder / HEAD).write_bytes(Tip(segment, len(data), link.n, link.hash).words())


def test_records_that_are_gone_at_the_end_stay_missed_for_ever(tmp_path: Path) -> None:
    written(tmp_path, 5)
    file = segments(tmp_path)[0]
    os.truncate(file, sum(map(len, lines(tmp_path)[:3])) + 10)
    finding = verify(tmp_path).finding
    assert finding is not None and (finding.kind, finding.record) == ("dropped", 4)
    audit(tmp_path).start()
    audit(tmp_path).append(FACTS[0])
    report = verify(tmp_path)
    assert report.finding is not None and (report.finding.kind, report.finding.record) == ("dropped", 4)
    assert any("Records 4 to 5 are missing" in note for note in report.notes)
    assert [record.n for record in audit(tmp_path).records()] == [1, 2, 3, 6, 7]


@pytest.mark.parametrize(
    "mark", [b"", b"rubbish", b"000001 000000000009 000000000002 nothash\n", b"000001 000000000009 000000000002 " + b"a" * 64 + b"\n"]
)
def test_a_mark_that_is_gone_is_told(tmp_path: Path, mark: bytes) -> None:
    written(tmp_path, 3)
    (tmp_path / HEAD).write_bytes(mark)
    finding = verify(tmp_path).finding
    assert finding is not None and finding.kind in ("unmarked", "changed")
    audit(tmp_path).append(FACTS[3])
    notes = [record.fact for record in audit(tmp_path).records() if isinstance(record.fact, Repaired)]
    assert len(notes) == 1
    assert [record.n for record in audit(tmp_path).records()] == [1, 2, 3, 4, 5]


# ---- tampering


def _with(line: bytes, key: str, value: object, *, honest: bool) -> bytes:
    row = json.loads(line)
    row[key] = value
    if honest:  # a liar who knows the scheme
        import hashlib

        own = row.pop("hash")
        row["hash"] = value if key == "hash" else hashlib.sha256(chain.canonical(row)).hexdigest()
        assert own
    return chain.canonical(row) + b"\n"


OTHER: dict[str, object] = {
    "v": 2,
    "n": 77,
    "at": "2027",
    "by": "me",
    "kind": "run_ended",
    "fact": {"run": "other"},
    "prev": "a" * 64,
    "hash": "b" * 64,
}


@pytest.mark.parametrize("honest", [False, True])
@pytest.mark.parametrize("key", sorted(OTHER))
@pytest.mark.parametrize("place", range(6))
def test_a_changed_field_is_found_in_its_record(tmp_path: Path, place: int, key: str, honest: bool) -> None:
    written(tmp_path, 6)
    some = lines(tmp_path)
    some[place] = _with(some[place], key, OTHER[key], honest=honest)
    segments(tmp_path)[0].write_bytes(b"".join(some))
    finding = verify(tmp_path).finding
    assert finding is not None and (finding.kind, finding.record) == ("changed", place + 1)


@pytest.mark.parametrize("place", range(6))
def test_every_byte_of_a_record_counts(tmp_path: Path, place: int) -> None:
    written(tmp_path, 6)
    some = lines(tmp_path)
    for at in range(0, len(some[place]), 7):
        line = bytearray(some[place])
        line[at] ^= 1
        segments(tmp_path)[0].write_bytes(b"".join([*some[:place], bytes(line), *some[place + 1 :]]))
        finding = verify(tmp_path).finding
        assert finding is not None and finding.record == place + 1


@pytest.mark.parametrize("place", range(6))
def test_a_dropped_record_is_found(tmp_path: Path, place: int) -> None:
    written(tmp_path, 6)
    some = lines(tmp_path)
    segments(tmp_path)[0].write_bytes(b"".join(some[:place] + some[place + 1 :]))
    finding = verify(tmp_path).finding
    assert finding is not None and (finding.kind, finding.record) == ("dropped", place + 1)


@pytest.mark.parametrize(("place", "to"), [(place, to) for place in range(6) for to in range(6) if place != to])
def test_a_record_out_of_place_is_found(tmp_path: Path, place: int, to: int) -> None:
    written(tmp_path, 6)
    some = lines(tmp_path)
    moved = some[:]
    moved.insert(to, moved.pop(place))
    segments(tmp_path)[0].write_bytes(b"".join(moved))
    finding = verify(tmp_path).finding
    assert finding is not None and (finding.kind, finding.record) == ("reordered", min(place, to) + 1)


@pytest.mark.parametrize("place", range(5))
def test_a_copied_record_is_found(tmp_path: Path, place: int) -> None:
    written(tmp_path, 6)
    some = lines(tmp_path)
    segments(tmp_path)[0].write_bytes(b"".join([*some[:5], some[place], *some[5:]]))
    finding = verify(tmp_path).finding
    assert finding is not None
    assert (finding.kind, finding.record) == ("added", place + 1)


@given(st.lists(st.integers(0, len(FACTS) - 1), min_size=1, max_size=12), st.data())
def test_no_change_of_the_bytes_passes(tmp_path_factory: pytest.TempPathFactory, which: list[int], data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("audit")
    audit(folder).append(*(FACTS[i] for i in which))
    whole = segments(folder)[0].read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != whole[at]))
    segments(folder)[0].write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
    assert verify(folder).finding is not None


# ---- several at once, and many

WRITER = """
import os, sys
from pathlib import Path
from inglenook.ledger.audit import Audit
from inglenook.ledger.facts import RunEnded
audit = Audit(Path(sys.argv[1]), now=lambda: "now", by=sys.argv[2], segment_bytes=20_000)
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
for number in range(int(sys.argv[3])):
    audit.append(RunEnded(f"{sys.argv[2]}{number}", "done", "x" * (number % 97), ""), durable=number % 50 == 0)
"""


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    import inglenook

    env = {"PYTHONPATH": str(Path(inglenook.__file__).parent.parent)}
    count = 400
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), name, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        )
        for name in "ab"
    ]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    report = verify(tmp_path)
    assert (report.records, report.finding, report.notes) == (2 * count, None, ())
    found = [record.fact.run for record in audit(tmp_path).records() if isinstance(record.fact, RunEnded)]
    for name in "ab":
        assert [run for run in found if run[0] == name] == [f"{name}{number}" for number in range(count)]


def test_a_killed_writer_leaves_a_ledger_that_opens(tmp_path: Path) -> None:
    import inglenook

    env = {"PYTHONPATH": str(Path(inglenook.__file__).parent.parent)}
    for _ in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), "k", "100000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        )
        assert writer.stdin is not None and writer.stdout is not None
        writer.stdout.readline()
        before = len(lines(tmp_path))
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
        while len(lines(tmp_path)) <= before + 20:
            pass
        writer.kill()
        writer.communicate()
        audit(tmp_path).start()
        assert verify(tmp_path).finding is None


def test_a_hundred_thousand_records(tmp_path: Path) -> None:
    kept = audit(tmp_path)
    began = time.perf_counter()
    for start in range(0, 100_000, 500):
        kept.append(*(RunEnded(f"r{number}", "done", "", "") for number in range(start, start + 500)))
    wrote = time.perf_counter()
    report = verify(tmp_path)
    print(f"\nwritten in {wrote - began:.1f} s, verified in {time.perf_counter() - wrote:.1f} s")
    assert (report.records, report.finding) == (100_000, None)
    assert report.files > 1
    kept.append(FACTS[0])
    file = segments(tmp_path)[1]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    finding = verify(tmp_path).finding
    assert finding is not None and finding.kind == "changed" and finding.record > 30_000


def test_a_record_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    old = {"run": "r1", "endpoint": "127.0.0.1:8080", "model": "qwen", "window": 8192}
    assert fact_of("model_leased", old) == ModelLeased("r1", "127.0.0.1:8080", "qwen", 8192, "", "")
