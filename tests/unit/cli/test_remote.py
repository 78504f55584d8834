"""`--remote`: a model on another machine from the terminal, through a real sshd."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import sshd
from fakes.openai import FakeOpenAI
from fakes.sshd import Sshd, needs_sshd
from fakes.tty import Shown, without_terminal
from inglenook.app.config import Config
from inglenook.cli import main
from inglenook.cli.run import HOSTS, with_remote
from inglenook.errors import ConfigError

REPLY = "a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sshd]:
    (tmp_path / "sshd").mkdir()
    with sshd.running(tmp_path / "sshd") as started:
        yield started


async def inglenook(box: Sshd, work: Path, *words: str, settings: str = "") -> Shown:
    work.mkdir(exist_ok=True)
    (work / "a.py").write_text("x = 1\n")
    home = work.parent / "home"
    (home / ".config" / "inglenook").mkdir(parents=True, exist_ok=True)
    (home / ".config" / "inglenook" / "settings.toml").write_text(settings)
    env = {**box.environment(), "HOME": str(home), "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "", "XDG_CACHE_HOME": ""}
    return await without_terminal([sys.executable, "-m", "inglenook", *words], cwd=str(work), env=env)


@needs_sshd
@pytest.mark.anyio
async def test_a_task_done_by_the_model_of_the_box(box: Sshd, tmp_path: Path) -> None:
    async with FakeOpenAI([REPLY]) as fake:
        shown = await inglenook(box, tmp_path / "work", "run", "set x to 2", "a.py", "--yes", "--remote", f"box:{fake.port}")
    assert shown.code == 0, shown.stderr
    assert "via ssh box" in shown.stderr
    assert (tmp_path / "work" / "a.py").read_text() == "x = 2\n"


@needs_sshd
@pytest.mark.anyio
async def test_models_of_the_box_by_flag_and_by_settings(box: Sshd, tmp_path: Path) -> None:
    async with FakeOpenAI() as fake:
        flag = await inglenook(box, tmp_path / "work", "models", "--remote", f"box:{fake.port}")
        settings = f'[remote]\nhost = "box"\nport = {fake.port}\n'
        setting = await inglenook(box, tmp_path / "work", "models", settings=settings)
        elsewhere = await inglenook(box, tmp_path / "work", "models", "--endpoint", fake.url, settings='[remote]\nhost = "nowhere"\n')
        assert f"{fake.url} via ssh box" in flag.screen and "→ fake-coder" in flag.screen
    assert flag.screen == setting.screen
    assert elsewhere.code == 0 and "via" not in elsewhere.screen


@needs_sshd
@pytest.mark.anyio
async def test_a_box_that_cannot_be_reached_is_exit_3_with_what_to_do(box: Sshd, tmp_path: Path) -> None:
    box.know("")
    shown = await inglenook(box, tmp_path / "work", "run", "set x to 2", "a.py", "--yes", "--remote", "box:9")
    assert shown.code == 3
    assert box.fingerprint in shown.stderr.replace("\n", "").replace(" ", "") and "ssh box" in shown.stderr
    assert (tmp_path / "work" / "a.py").read_text() == "x = 1\n"


NAMED = [
    ("box", "box", 0),
    ("box:11434", "box", 11434),
    ("me@box:8080", "me@box", 8080),
    ("ssh://me@box:2222", "ssh://me@box:2222", 0),
    ("::1", "::1", 0),
    ("fe80::1:22", "fe80::1:22", 0),
    ("[::1]:8000", "::1", 8000),
    ("me@[fe80::1]:8000", "me@fe80::1", 8000),
    ("[::1]", "::1", 0),
    ("me@box", "me@box", 0),
    ("WORK\\me@box:80", "WORK\\me@box", 80),
    (" box:8080 ", "box", 8080),
]


@pytest.mark.parametrize(("words", "host", "port"), NAMED)
def test_host_and_port(words: str, host: str, port: int) -> None:
    config = with_remote(Config(url="http://127.0.0.1:1", model="m"), words)
    assert (config.remote, config.remote_port, config.url, config.model) == (host, port, "", "")


def test_the_port_of_the_settings_stays_with_their_own_host() -> None:
    mine = Config(remote="box", remote_port=8000)
    assert with_remote(mine, "box").remote_port == 8000
    assert with_remote(mine, "other").remote_port == 0
    with pytest.raises(ConfigError, match="70000 is no port"):
        with_remote(mine, "box:70000")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("box:", "box: ends with a colon and no port."),
        ("me@box:", "me@box: ends with a colon and no port."),
        ("[::1]:", "[::1]: ends with a colon and no port."),
        ("box:eighty", "eighty is no port."),
        ("box:0", "0 is no port."),
        ("box:-1", "-1 is no port."),
        ("box:80a", "80a is no port."),
        ("box:٣٣", "٣٣ is no port."),
        (":8080", "':8080' names no machine."),
        (":", "':' names no machine."),
        ("", "'' names no machine."),
        ("me@:80", "'me@:80' names no machine."),
        ("[]:80", "'[]:80' names no machine."),
        ("http://box:8080", "http://box:8080 is no name of a machine for ssh."),
    ],
)
def test_what_names_no_box_is_refused_with_what_is_allowed(words: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        with_remote(Config(), words)
    assert refused.value.message == said
    assert refused.value.hint.startswith(HOSTS)


@pytest.mark.parametrize("words", ["-oProxyCommand=id", "a b", "box;id:80", "ssh://"])
def test_what_ssh_could_take_for_something_else_is_refused(words: str) -> None:
    with pytest.raises(ConfigError, match=r"is no name of a machine for ssh|names no machine"):
        with_remote(Config(), words)


def test_a_host_with_nothing_behind_its_colon_reaches_no_ssh(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remote", "host:"]) == 2
    assert "host: ends with a colon and no port." in capsys.readouterr().err


def test_two_servers_at_once_are_a_usage_error() -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["run", "x", "--remote", "box", "--endpoint", "http://127.0.0.1:1"])
    assert stopped.value.code == 2


@needs_sshd
@pytest.mark.anyio
async def test_how_it_stands_with_a_box_and_its_key(box: Sshd, tmp_path: Path) -> None:
    box.know("")
    async with FakeOpenAI() as fake:
        where = f"box:{fake.port}"
        unknown = await inglenook(box, tmp_path / "work", "remote", where)
        assert unknown.code == 3 and f"inglenook remote box --accept {box.fingerprint}" in " ".join(unknown.stderr.split())
        wrong = await inglenook(box, tmp_path / "work", "remote", where, "--accept", "SHA256:" + "A" * 43)
        assert wrong.code == 3 and "ANOTHER KEY" in wrong.stderr and box.known_hosts.read_text() == ""
        known = await inglenook(box, tmp_path / "work", "remote", where, "--accept", box.fingerprint)
        assert known.code == 0 and fake.url in known.screen
        assert (await inglenook(box, tmp_path / "work", "remote", where)).code == 0


@needs_sshd
@pytest.mark.anyio
async def test_a_start_command_needs_a_person(box: Sshd, tmp_path: Path) -> None:
    settings = f'[remote]\nstart = "touch {tmp_path}/started"\n'
    shown = await inglenook(box, tmp_path / "work", "remote", f"box:{sshd.free_port()}", "--start", settings=settings)
    assert shown.code == 2 and f"touch {tmp_path}/started" in shown.stderr and "no terminal" in shown.stderr
    assert not (tmp_path / "started").exists()
    missing = await inglenook(box, tmp_path / "work", "remote", f"box:{sshd.free_port()}", "--start")
    assert missing.code == 2 and "No start command is set" in missing.stderr
