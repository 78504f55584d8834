"""`inglenook fit` and `doctor` for another machine, through a real sshd: its memory, its model server, and no answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import sshd
from fakes.shelf import Ollama
from fakes.sshd import Sshd, needs_sshd
from fakes.tty import Shown, without_terminal

pytestmark = [pytest.mark.anyio, needs_sshd]
CARD = "#!/bin/sh\necho 'NVIDIA RTX A6000, 49140, 48000'\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A machine with a card of 48 GiB."""
    folder = tmp_path_factory.mktemp("sshd")
    there = folder / "there" / "nvidia-smi"
    there.parent.mkdir()
    there.write_text(CARD)
    there.chmod(0o755)
    with sshd.running(folder, f"SetEnv PATH={there.parent}:/usr/bin:/bin") as started:
        yield started


async def inglenook(box: Sshd, tmp_path: Path, *words: str) -> Shown:
    folders = {f"XDG_{name.upper()}_HOME": str(tmp_path / name) for name in ("config", "cache", "state")}
    env = {**box.environment(), "HOME": str(tmp_path), **folders}
    return await without_terminal([sys.executable, "-m", "inglenook", *words], cwd=str(tmp_path), env=env)


async def test_a_size_is_held_against_the_card_of_the_box(box: Sshd, tmp_path: Path) -> None:
    box.know()
    shown = await inglenook(box, tmp_path, "fit", "70B", "--remote", "box", "--json")
    told = json.loads(shown.screen)
    assert (told["fits"], told["device"]["name"], told["machine"]["where"]) == (True, "NVIDIA RTX A6000", "box")
    assert told["device_gb"] == round(49_140 * 1024 * 1024 / 1e9, 3)
    assert (await inglenook(box, tmp_path, "fit", "235B", "--remote", "box")).screen.startswith("✗")


async def test_a_model_of_the_box_by_what_its_server_tells_and_the_doctors_page(box: Sshd, tmp_path: Path) -> None:
    box.know()
    async with Ollama({"coder:7b": {"loaded": True, "window": 32_768}}) as fake:
        shown = await inglenook(box, tmp_path, "fit", "coder:7b", "--remote", f"box:{fake.port}", "--json")
        page = await inglenook(box, tmp_path, "doctor", "--remote", f"box:{fake.port}", "--json")
    told = json.loads(shown.screen)
    assert (told["fits"], told["shape"]["layers"], told["window_tokens"]) == (True, 28, 16_384)
    found = {f["about"]: f for f in json.loads(page.screen)["findings"]}
    assert "via ssh box" in found["server"]["words"] and "NVIDIA RTX A6000" in found["machine"]["words"]
    assert found["fit"]["facts"]["fits"] is True


async def test_a_box_that_cannot_be_reached_is_exit_3_with_what_to_do(box: Sshd, tmp_path: Path) -> None:
    box.know("")
    shown = await inglenook(box, tmp_path, "fit", "7B", "--remote", "box", "--json")
    told = json.loads(shown.screen)
    assert (shown.code, told["exit"], told["state"]) == (3, 3, "failed")
    assert box.fingerprint in told["words"]
    page = await inglenook(box, tmp_path, "doctor", "--remote", "box")
    assert page.code == 3 and "host key of box is not known" in page.screen
