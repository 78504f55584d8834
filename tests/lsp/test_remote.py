"""A model on another machine as an editor lives it: a lost connection, a host key that nobody knows."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import sshd
from fakes.openai import FakeOpenAI, Turn
from fakes.sshd import Sshd, needs_sshd
from lsp.editor import Editor
from lsp.words import RENAME, TASK

pytestmark = [pytest.mark.anyio, needs_sshd]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sshd]:
    (tmp_path / "sshd").mkdir()
    with sshd.running(tmp_path / "sshd") as started:
        yield started


def editor(folder: Path, box: Sshd, port: int, *, plain: bool = False) -> Editor:
    """An editor whose server finds the ssh of the test."""
    argv = ["env", f"PATH={box.environment()['PATH']}", sys.executable, "-m", "inglenook", "lsp"]
    return Editor(folder, settings={"remote": {"host": "box", "port": port}, "checks": {"run": "never"}}, argv=argv, plain=plain)


async def test_a_run_outlives_a_lost_connection_and_the_person_sees_it(folder: Path, box: Sshd) -> None:
    turns = [Turn(RENAME, fault="stall"), RENAME]
    async with FakeOpenAI(turns, strict=False) as fake, editor(folder, box, fake.port) as here:
        run_id = await here.start("refactor", TASK, path="calc.py")
        await here.event("runText", runId=run_id)
        box.signal_sessions(signal.SIGKILL)
        assert (await here.ended(run_id))["state"] == "done"
        assert fake.requests[0].raw == fake.requests[1].raw
        notes = [e["words"] for e in here.events if e["type"] == "runNote"]
        assert notes == ["The ssh connection to box was lost. Asking again."]
        told = [e["status"] for e in here.events if e["type"] == "statusChanged"]
        lost = [status for status in told if status["state"] == "searching"]
        assert "box closed the ssh connection" in lost[0]["words"] and lost[0]["words"].endswith("Trying again.")
        assert 0 < lost[0]["retryIn"] < 5
        assert (told[-1]["state"], told[-1]["words"], told[-1]["retryIn"]) == ("ready", "", None)
        assert told[-1]["endpoint"] == f"{fake.url} via ssh box"
        proposal = await here.proposal()
        assert {file["path"] for file in proposal["files"]} == {"calc.py", "main.py"}


async def test_what_only_a_person_can_mend_reaches_the_status(folder: Path, box: Sshd) -> None:
    box.know("")
    async with FakeOpenAI() as fake, editor(folder, box, fake.port) as here:
        ended = await here.ended(await here.start("refactor", TASK, path="calc.py"))
        assert (ended["state"], ended["code"]) == ("failed", "endpoint_down")
        assert box.fingerprint in ended["words"] and "`ssh box`" in ended["hint"]
        status = await here.command("endpoint.refresh")
        assert (status["state"], status["endpoint"]) == ("down", "ssh box")
        assert box.fingerprint in status["words"] and "`ssh box`" in status["words"]
        box.know()
        status = await here.command("endpoint.refresh")
        assert (status["state"], status["words"], status["model"]) == ("ready", "", "fake-coder")
        box.stop()
        gone = await here.until(
            lambda: [e for e in here.events[-1:] if e["type"] == "statusChanged" and e["status"]["state"] == "searching"]
        )
        assert "Trying again." in gone[0]["status"]["words"]
        box.start()
        await here.until(lambda: here.events[-1]["type"] == "statusChanged" and here.events[-1]["status"]["state"] == "ready")


async def test_connecting_by_command_accepting_the_key_and_disconnecting(folder: Path, box: Sshd) -> None:
    box.know("")
    argv = ["env", f"PATH={box.environment()['PATH']}", sys.executable, "-m", "inglenook", "lsp"]
    async with FakeOpenAI([RENAME]) as fake, Editor(folder, settings={"checks": {"run": "never"}}, argv=argv) as here:
        state = await here.command("remote.connect", host="box", port=fake.port)
        assert (state["host"], state["connected"], state["fingerprint"]) == ("box", False, box.fingerprint)
        state = await here.command("remote.accept", fingerprint=state["fingerprint"])
        assert state["connected"] and f"{fake.url} via ssh box" in state["words"]
        assert (await here.ended(await here.start("refactor", TASK, path="calc.py")))["state"] == "done"
        state = await here.command("remote.disconnect")
        assert (state["host"], state["connected"]) == ("box", False)
        with pytest.raises(Exception, match="No remote box is set"):
            await here.command("remote.state")


async def test_a_host_that_is_an_option_is_refused_by_command(folder: Path, box: Sshd) -> None:
    async with editor(folder, box, 9) as here:
        with pytest.raises(Exception, match="no name of a machine"):
            await here.command("remote.connect", host="-oProxyCommand=touch here")
