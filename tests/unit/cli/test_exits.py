"""Exit codes are one table, which the documentation, the help and the commands hold; what fails under --json has one shape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.openai import FakeOpenAI, Turn
from fakes.tty import without_terminal
from inglenook import errors
from inglenook.cli import exits, main, words
from unit.cli.test_scenarios import unused_port

DOCS = Path(__file__).parents[3] / "docs" / "terminal.md"
SHAPE = ["format", "exit", "state", "words", "hint", "code"]
NAMES = sorted(exits.TABLE)


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, and a home of its own."""
    for name in ("CONFIG", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home" / name.lower()))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def settings(text: str) -> None:
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "inglenook"
    folder.mkdir(parents=True)
    (folder / "settings.toml").write_text(text)


def nobody() -> str:
    return f"http://127.0.0.1:{unused_port()}/v1"


def staged() -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    Path("a.py").write_text("x = 1\n")
    subprocess.run(["git", "add", "a.py"], check=True)


def failing_check(command: str = "false") -> None:
    Path(".inglenook").mkdir()
    Path(".inglenook/checks.toml").write_text(f'[[check]]\nname = "c"\ncommand = ["{command}"]\n')


def nothing() -> None:
    pass


def test_the_documentation_says_what_the_table_says() -> None:
    assert f"## Exit codes\n\n{exits.in_markdown()}\n## JSON" in DOCS.read_text("utf-8")


def test_every_command_stands_in_the_table_and_tells_its_codes(capsys: pytest.CaptureFixture[str]) -> None:
    for name in NAMES:
        with pytest.raises(SystemExit) as end:
            main([name, "--help"])
        assert end.value.code == 0
        shown = " ".join(capsys.readouterr().out.split())
        for code, meant in {**exits.TABLE[name], **exits.EVERY}.items():
            assert f"{code} {meant.replace('`', '')}" in shown, name
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ") and line[4:5].strip()}
    assert listed == set(NAMES)


@pytest.mark.parametrize(
    ("line", "before", "code"),
    [
        ("checks", nothing, 0),
        ("checks --adopt", nothing, 1),
        ("checks --run", nothing, 1),
        ("checks --run", failing_check, 4),
        ("checks --run none", failing_check, 2),
        ("rollback", nothing, 1),
        ("rollback --list", nothing, 1),
        ("rollback --yes", nothing, 1),
        ("rollback a00", nothing, 2),
        ("audit verify", nothing, 1),
        ("report", nothing, 1),
        ("report --since soon", nothing, 2),
        ("forget", nothing, 1),
        ("forget --folder none", nothing, 2),
        ("commit-message", nothing, 2),
        ("commit-message --trailers", nothing, 2),
        ("commit-message --trailers", staged, 1),
        ("commit-message --endpoint NOBODY", staged, 3),
        ("models --unpin", nothing, 1),
        ("models --endpoint NOBODY", nothing, 3),
        ("models --use a --endpoint NOBODY", nothing, 3),
        ("fit 30B --device 24GB", nothing, 0),
        ("fit 30B --device lots", nothing, 2),
        ("remote", nothing, 2),
        ("exam --endpoint NOBODY", nothing, 3),
        ("measure --endpoint NOBODY", nothing, 3),
        ("doctor --endpoint NOBODY", nothing, 3),
        ("doctor --endpoint NOBODY", lambda: settings('outline = "maybe"\n'), 2),
        ("run x --endpoint NOBODY", nothing, 3),
        ("run x none.py --endpoint NOBODY", nothing, 2),
        ("sandbox --kind podman", nothing, 5),
        *((f"{name} --no-such-option", nothing, 2) for name in NAMES),
        *((f"{name} --folder none", nothing, 2) for name in ("checks", "rollback", "audit verify", "report", "doctor", "commit-message")),
    ],
)
def test_each_end_has_its_code(line: str, before: Callable[[], None], code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before()
    if "podman" in line:
        monkeypatch.setenv("PATH", "/nowhere")
    given = [nobody() if word == "NOBODY" else word for word in line.split()]
    try:
        came = main(given)
    except SystemExit as end:  # as argparse ends
        came = int(end.code or 0)
    assert came == code
    assert came in {**exits.TABLE[given[0]], **exits.EVERY}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.NothingToDo("x"), 1),
        (errors.ConfigError("x"), 2),
        (errors.OutsideWorkspace("x"), 2),
        (errors.ProcessError("x"), 2),
        (errors.EndpointDown("x"), 3),
        (errors.LedgerError("x"), 5),
        (errors.StaleError("x"), 5),
        (errors.SandboxUnavailable("x"), 5),
    ],
)
def test_each_family_of_errors_has_its_code(error: errors.InglenookError, code: int) -> None:
    assert exits.of_error(error) == code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("run x --endpoint NOBODY", 3),
        ("run x none.py --endpoint NOBODY", 2),
        ("models --pull a --endpoint NOBODY", 3),
        ("models --unpin", 1),
        ("doctor --folder none", 2),
        ("fit 30B --device lots", 2),
        ("exam --endpoint NOBODY", 3),
        ("exam --model none.gguf", 2),
        ("measure --endpoint NOBODY", 3),
        ("report --since soon", 2),
        ("report --folder none", 2),
    ],
)
def test_what_fails_under_json_has_one_shape(line: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*(nobody() if word == "NOBODY" else word for word in line.split()), "--json"]) == code
    came = capsys.readouterr()
    told = json.loads(came.out)
    assert list(told)[: len(SHAPE)] == SHAPE
    assert (told["format"], told["exit"], told["state"]) == (1, code, "failed")
    assert told["words"] and told["code"]
    assert told["words"] not in came.err, "said twice"
    if not line.startswith("run"):
        assert list(told) == SHAPE


def test_every_command_that_takes_json_is_among_these() -> None:
    parser = words.parser()
    taking = {name for name in NAMES if name not in ("lsp", "audit") and "--json" in parser_of(parser, name)}
    assert taking == {"run", "models", "doctor", "fit", "exam", "measure", "report"}
    told = DOCS.read_text("utf-8").split("## JSON", 1)[1].split("take `--json`")[0]
    assert {name for name in NAMES if f"`{name}`" in told} == taking


def parser_of(parser: object, name: str) -> str:
    (commands,) = (action for action in parser._actions if action.dest == "command")  # type: ignore[attr-defined]
    return str(commands.choices[name].format_usage())


def test_what_was_done_is_told_as_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".inglenook").mkdir()
    Path(".inglenook/models.toml").write_text('name = "a"\ndigest = "b"\nserver = "c"\n')
    assert main(["models", "--unpin", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (list(told), told["state"], told["words"]) == (SHAPE, "done", "No model is pinned any more.")


@pytest.mark.anyio
async def test_an_interrupted_exam_is_told_as_json(anyio_backend: str) -> None:
    async with FakeOpenAI([Turn("words", fault="stall")]) as fake:
        argv = [sys.executable, "-m", "inglenook", "exam", "--json", "--endpoint", fake.url]
        shown = await without_terminal(argv, cwd=".", env=dict(os.environ), stop_at="about a minute")
    assert shown.code == 130
    told = json.loads(shown.screen)
    assert (list(told), told["state"], told["exit"]) == (SHAPE, "cancelled", 130)


def test_git_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    staged()
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["commit-message"]) == 2
    assert "git is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(("before", "said"), [(nothing, "There is no git repository at the top of `work`."), (None, "Nothing is staged")])
def test_a_message_for_nothing_is_said(before: Callable[[], None] | None, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    if before is None:
        subprocess.run(["git", "init", "-q"], check=True)
    assert main(["commit-message"]) == (1 if before is None else 2)
    assert said in capsys.readouterr().err


def test_a_warning_of_ours_never_reaches_the_screen_raw(capfd: pytest.CaptureFixture[str]) -> None:
    said = "import logging, sys; from inglenook.cli import main; code = main(['checks']); logging.getLogger('inglenook.x').warning('raw')"
    subprocess.run([sys.executable, "-c", said], check=True)
    assert "raw" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["runn", "x"], "there is no command 'runn'; did you mean run?"),
        (["xyzzy"], "there is no command 'xyzzy'; inglenook --help lists them all"),
        (["rename a to b"], 'a task is said like this: inglenook run "rename a to b"'),
        ([], "commit-message"),
    ],
)
def test_what_is_no_command_is_told_what_was_meant(given: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(given)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_an_audit_alone_verifies() -> None:
    assert main(["audit"]) == 1


@pytest.mark.parametrize(
    ("given", "option"),
    [
        (["run", "x", "--only", ""], "--only"),
        (["run", "x", "--only="], "--only"),
        (["run", "x", "--remote", "", "a.py"], "--remote"),
        (["run", "x", "--command", ""], "--command"),
        (["models", "--endpoint", ""], "--endpoint"),
        (["checks", "--folder", ""], "--folder"),
        (["fit", "7B", "--device="], "--device"),
    ],
)
def test_an_option_whose_variable_was_not_set_is_not_as_good_as_none(
    given: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--only "$UNSET"` would else grant the whole folder, and `--remote "$UNSET"` ask another model."""
    with pytest.raises(SystemExit) as end:
        main(given)
    assert end.value.code == 2
    assert f"argument {option}: its value is empty" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["rollback", ""], ["fit", ""], ["remote", ""], ["measure", "", "--json"]])
def test_an_empty_word_is_not_as_good_as_none(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(given)
    assert end.value.code == 2 and "one of the words is empty" in capsys.readouterr().err


def test_an_empty_path_is_not_the_whole_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "x", "", "--endpoint", nobody()]) == 2
    assert "A path is empty." in capsys.readouterr().err


def test_a_folder_that_is_gone_is_said(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work.rmdir()
    assert main(["checks"]) == 2
    assert "The folder that you are in is not there any more." in capsys.readouterr().err


def test_what_python_thinks_of_a_text_that_it_parses_is_not_told(capfd: pytest.CaptureFixture[str]) -> None:
    """From 3.12 on it would say so on stderr, of a model's reply or a file with an odd escape."""
    said = "import warnings; from inglenook.cli import main; main(['checks']); warnings.warn('odd escape', SyntaxWarning)"
    subprocess.run([sys.executable, "-c", said], check=True)
    assert "odd escape" not in capfd.readouterr().err


def test_a_path_that_is_too_long_is_not_told_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "x", "a" * 9_000, "--endpoint", nobody()]) == 2
    said = capsys.readouterr().err
    assert "The system refused: File name too long (aaa" in said and len(said) < 300


def test_a_task_behind_its_path_is_told_the_order(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.py").write_text("x = 1\n")
    assert main(["run", "a.py", "rename x to y", "--endpoint", nobody()]) == 2
    assert 'The task is said first: inglenook run "rename x to y" PATH' in capsys.readouterr().err


def test_settings_that_are_no_utf8_are_said_to_be_so(capsys: pytest.CaptureFixture[str]) -> None:
    settings("")
    (Path(os.environ["XDG_CONFIG_HOME"]) / "inglenook" / "settings.toml").write_bytes(b'outline = "never"\n# f\xfcr\n')
    assert main(["checks"]) == 2
    assert "settings.toml is not UTF-8 text (line 2)." in capsys.readouterr().err
