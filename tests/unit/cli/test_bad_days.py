"""The terminal on a bad day: closed and full streams, odd words, folders that may not be written, Ctrl-C too late."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from fakes.openai import FakeOpenAI, Request, Scripted
from fakes.tty import at_terminal
from inglenook.cli import _options, checks, main, streams
from inglenook.cli.keeping import keep
from inglenook.cli.run import uninterrupted
from inglenook.errors import InputError
from inglenook.terminal import console, stopping_at_signals

pytestmark = pytest.mark.anyio

CALC = "def add_numbers(a, b):\n    return a + b\n"
ADD = "def add(a, b):\n    return a + b\n"
TASK = "Rename add_numbers to add"
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def block(path: str) -> str:
    return f"{path}\n```\n<<<<<<< SEARCH\ndef add_numbers(a, b):\n=======\ndef add(a, b):\n>>>>>>> REPLACE\n```\n"


@dataclass(frozen=True)
class Came:
    code: int
    out: str
    err: str


async def inglenook(
    folder: Path,
    *words: str,
    turns: Sequence[Scripted] | Callable[[Request], Scripted] = (),
    shell: str = '"$@"',
    cwd: Path | None = None,
) -> Came:
    """One `inglenook run` through a shell line, in which "$@" is the command."""
    home = {f"XDG_{name}_HOME": str(folder.parent / "home") for name in ("CONFIG", "CACHE", "STATE")}
    env = {"HOME": str(folder.parent), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **home}
    async with FakeOpenAI(turns) as fake:
        argv = [sys.executable, "-P", "-m", "inglenook", "run", "--endpoint", fake.url, *words]
        child = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", shell, "sh", *argv, cwd=cwd or folder, env=env, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            out, err = await child.communicate()
    assert child.returncode is not None
    return Came(child.returncode, out.decode(), err.decode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "calc.py").write_text(CALC)
    return tmp_path / "work"


def text(folder: Path, name: str = "calc.py") -> str:
    return (folder / name).read_text()


@pytest.mark.parametrize("shell", ['"$@" <&-', '"$@" >&-', '"$@" 2>&-', '"$@" <&- >&- 2>&-'])
async def test_a_closed_stream_stops_no_job(folder: Path, shell: str) -> None:
    came = await inglenook(folder, TASK, "--yes", turns=[block("calc.py")], shell=shell)
    assert (came.code, text(folder)) == (0, ADD), came


@needs_full
@pytest.mark.parametrize("more", [(), ("--json",)])
async def test_a_full_disk_under_the_output_is_told_and_stops_no_job(folder: Path, more: Sequence[str]) -> None:
    came = await inglenook(folder, TASK, "--yes", *more, turns=[block("calc.py")], shell='"$@" >/dev/full')
    assert (came.code, text(folder)) == (0, ADD), came
    assert "The output is not whole: No space left on device." in came.err
    assert "Traceback" not in came.err
    assert "Exception" not in came.err


@pytest.mark.parametrize("more", [(), ("--json",)])
async def test_a_reader_who_leaves_early_changes_neither_the_work_nor_the_code(folder: Path, more: Sequence[str]) -> None:
    many = "".join(f"new/f{n}.py\n```\n<<<<<<< SEARCH\n=======\n{'name' * 1_100}\n>>>>>>> REPLACE\n```\n" for n in range(60))
    came = await inglenook(
        folder, "Make new/f0.py", "--yes", *more, turns=[many], shell='{ "$@"; echo "code $?" >&2; } | head -c 1 >/dev/null'
    )
    assert "code 0" in came.err, came
    assert len(list((folder / "new").iterdir())) == 60


@pytest.mark.parametrize("words", ["--help", "run --help", "--version"])
def test_a_reader_who_leaves_before_the_help_is_not_told_of_it(words: str) -> None:
    line = f'{{ "$0" -m inglenook {words}; echo "code $?" >&2; }} | true'
    done = subprocess.run(["/bin/sh", "-c", line, sys.executable], capture_output=True, text=True, check=False)
    assert done.stderr == "code 0\n"


async def test_a_reader_who_leaves_early_does_not_make_a_refusal_a_success(folder: Path) -> None:
    came = await inglenook(folder, TASK, turns=[block("calc.py")], shell='{ "$@"; echo "code $?" >&2; } | true')
    assert "code 5" in came.err, came
    assert text(folder) == CALC


async def test_a_file_that_begins_with_a_dash_after_two_dashes(folder: Path) -> None:
    (folder / "-x.py").write_text(CALC)
    came = await inglenook(folder, TASK, "--yes", "--", "-x.py", turns=[block("-x.py")])
    assert (came.code, text(folder, "-x.py")) == (0, ADD), came


@pytest.mark.parametrize(
    ("words", "task", "paths"),
    [
        (["run", "--yes", "--", "-t", "-x.py"], "-t", ["-x.py"]),
        (["run", "t", "a.py", "--yes", "--", "-x.py", "--yes", "--"], "t", ["a.py", "-x.py", "--yes", "--"]),
        (["run", "t", "--yes", "a.py", "b.py"], "t", ["a.py", "b.py"]),
        (["run", "--", "t"], "t", []),
    ],
)
def test_words_after_two_dashes_are_no_options(words: list[str], task: str, paths: list[str]) -> None:
    options = _options(words)
    assert (options.task, options.paths) == (task, paths)


def test_words_after_two_dashes_are_what_they_are_for_every_command() -> None:
    assert _options(["fit", "--window", "8k", "--", "30b"]).model == "30b"
    assert _options(["rollback", "--", "a1"]).id == "a1"


@pytest.mark.parametrize("words", [["--minutes", "0"], ["--minutes", "nan"], ["--minutes=-3"], ["--minutes", "inf"], ["--up-to", "0"]])
def test_no_time_and_no_tokens_are_refused_before_anything_is_measured(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        _options(["measure", *words])
    assert exit_.value.code == 2
    assert f"argument {words[0].partition('=')[0]}: invalid" in capsys.readouterr().err


async def test_a_link_out_of_the_folder_is_named_as_one(folder: Path) -> None:
    (folder / "out.py").symlink_to("/etc/passwd")
    came = await inglenook(folder, TASK, "out.py", turns=[])
    assert came.code == 2 and "out.py is a link out of the folder" in came.err, came


async def test_a_path_as_we_show_it_is_found_from_another_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "calc.py").write_text(CALC)
    (tmp_path / "else").mkdir()
    came = await inglenook(
        folder, TASK, "sub/calc.py", "--yes", "--folder", str(folder), turns=[block("sub/calc.py")], cwd=tmp_path / "else"
    )
    assert (came.code, text(folder, "sub/calc.py")) == (0, ADD), came


async def test_a_file_that_is_marked_read_only_is_left_and_the_proposal_is_not_lost(folder: Path) -> None:
    (folder / "calc.py").chmod(0o444)
    came = await inglenook(folder, TASK, "--yes", "--json", turns=[block("calc.py")])
    told = json.loads(came.out)
    assert (came.code, told["exit"], text(folder)) == (2, 2, CALC)
    assert told["words"] == "Nothing was written. `calc.py` is marked read-only; it was left as it is. Make it writable first."
    assert told["applied"] == []
    assert "+def add(a, b):" in told["proposal"]["diff"]


async def test_what_is_stale_is_named_once(folder: Path) -> None:
    def gone(_: Request) -> Scripted:
        (folder / "calc.py").unlink()
        return block("calc.py")

    came = await inglenook(folder, TASK, "calc.py", "--yes", turns=gone)
    assert came.code == 5, came
    assert "! calc.py is not there any more." in came.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_while_files_are_written_comes_too_late(number: int) -> None:
    before = signal.getsignal(number)
    reached = False
    with uninterrupted():
        os.kill(os.getpid(), number)
        reached = True
    assert reached
    assert signal.getsignal(number) is before


@needs_full
async def test_a_log_on_a_full_disk_is_silent(folder: Path) -> None:
    state = folder.parent / "home" / "inglenook"
    state.mkdir(parents=True)
    (state / "run.log").symlink_to("/dev/full")
    (state / "ledger").write_text("in the way: what happens cannot be written down, and the log is told so")
    came = await inglenook(folder, TASK, "--yes", turns=[block("calc.py")])
    assert (came.code, text(folder)) == (5, CALC)
    assert "Nothing was written: what undoes it could not be kept." in came.err
    assert "Traceback" not in came.err and "Logging error" not in came.err


def test_a_result_that_cannot_be_kept_is_shown_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    def save() -> Path:
        raise OSError(30, "Read-only file system", "/cache/x")

    keep(save, console(sys.stderr))
    assert "This could not be kept for later runs: Read-only file system (/cache/x)." in capsys.readouterr().err


def test_what_the_system_refuses_is_said_in_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(options: object) -> int:
        async def inside() -> int:
            async with stopping_at_signals():
                raise PermissionError(13, "Permission denied", "/x")

        return anyio.run(inside)

    monkeypatch.setattr(checks, "command", refused)
    assert main(["checks"]) == 2
    assert "The system refused: Permission denied (/x)." in capsys.readouterr().err


async def test_an_error_leaves_the_block_that_hears_signals_as_it_is() -> None:
    with pytest.raises(InputError):
        async with stopping_at_signals():
            raise InputError("x")
    with pytest.raises(KeyboardInterrupt):
        async with stopping_at_signals():
            await anyio.wait_all_tasks_blocked()  # it listens
            os.kill(os.getpid(), signal.SIGTERM)
            await anyio.sleep(60)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
async def test_json_stays_json_in_any_encoding(folder: Path, encoding: str) -> None:
    (folder / "calc.py").write_text(CALC + "# über 🔥 … done\n", "utf-8")
    came = await inglenook(
        folder, "Rename it … 🔥", "--dry-run", "--json", turns=[block("calc.py")], shell=f'PYTHONIOENCODING={encoding} "$@"'
    )
    told = json.loads(came.out)
    assert (came.code, told["proposal"]["title"]) == (0, "Rename it … 🔥")
    assert " # über 🔥 … done\n" in told["proposal"]["diff"]


async def test_marks_are_plain_where_the_encoding_has_none_of_them(folder: Path) -> None:
    came = await inglenook(folder, TASK, "--dry-run", turns=[block("calc.py")], shell='PYTHONIOENCODING=ascii "$@"')
    assert came.code == 0 and "+1 -1" in came.out and "+ A dry run: nothing was written." in came.err
    assert "\\u" not in came.out + came.err
    assert "Ren\xe4me".encode("ascii", "backslashreplace").decode() == "Ren" + streams.plainly(_lost("ä"))[0] + "me"


def _lost(text: str) -> UnicodeEncodeError:
    return UnicodeEncodeError("ascii", text, 0, len(text), "none")


@pytest.mark.parametrize("words", ["fit 7B --device 24GB", "sandbox", "report"])
async def test_a_narrow_terminal_breaks_no_word_and_no_column(folder: Path, words: str) -> None:
    home = {f"XDG_{name}_HOME": str(folder.parent / "home") for name in ("CONFIG", "CACHE", "STATE")}
    env = {"HOME": str(folder.parent), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **home}
    if words == "report":
        await inglenook(folder, TASK, "--dry-run", turns=[block("calc.py")])
    shown = await at_terminal([sys.executable, "-m", "inglenook", *words.split()], [], cwd=str(folder), env=env, columns=44)
    lines = shown.screen.splitlines()
    assert shown.code == 0 and all(len(line) <= 44 for line in lines), shown.screen
    assert not any("…" in line for line in lines), shown.screen
    if words.startswith("fit"):
        assert " " * 22 + "typical of its size" in [line.rstrip() for line in lines], shown.screen


def test_a_stream_that_fails_is_silent_from_then_on() -> None:
    class Broken:
        asked = 0

        def write(self, text: str) -> int:
            self.asked += 1
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise AssertionError("not asked again")

        def fileno(self) -> int:
            raise OSError("none")

    broken = Broken()
    lasting = streams.Lasting(broken)  # type: ignore[arg-type]
    assert lasting.write("one") == 3
    lasting.write("two")
    lasting.flush()
    assert (broken.asked, lasting.lost) == (1, "No space left on device")
