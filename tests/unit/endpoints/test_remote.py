"""The remote box as a run meets it: a pool over a real sshd, with a model server behind it."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from fakes import kinds, sshd
from fakes.openai import FakeOpenAI, Turn
from fakes.sshd import Sshd, needs_sshd
from inglenook.endpoints.endpoint import At
from inglenook.endpoints.pool import Pool, Wish
from inglenook.endpoints.tunnel import Backoff, Fatal, Ready, State
from inglenook.errors import ConfigError, EndpointDenied, EndpointDown, StreamBroken
from inglenook.llm.chat import fold
from inglenook.llm.messages import ChatRequest, TextDelta, User

pytestmark = [pytest.mark.anyio, needs_sshd]
ASK = ChatRequest((User("Do it."),))


@asynccontextmanager
async def pool(box: Sshd, port: int = 0, **more: object) -> AsyncIterator[Pool]:
    """A pool whose `ssh` is the system's with the configuration of the test."""
    wish = Wish(remote="box", remote_port=port, key=str(more.pop("key", "")), url=str(more.pop("url", "")))
    made = Pool(wish, env=box.environment(), **more)  # type: ignore[arg-type]
    try:
        with anyio.fail_after(30):
            yield made
    finally:
        await made.aclose()


async def test_a_lease_reaches_the_model_server_of_the_box(box: Sshd) -> None:
    async with FakeOpenAI(["ok"], key="k") as fake, pool(box, fake.port, key="k") as made, made.lease() as lease:
        assert (await fold(lease.chat.stream(ASK))).text == "ok"
        assert (lease.model, lease.profile.window) == ("fake-coder", 16_384)
        assert lease.endpoint.place == f"http://127.0.0.1:{fake.port}/v1 via ssh box"
        assert "via ssh box" in lease.endpoint.words
        assert {r.headers["host"] for r in fake.seen} == {f"127.0.0.1:{fake.port}"}


async def test_without_a_port_the_usual_ones_of_the_box_are_looked_at(box: Sshd) -> None:
    async with (
        FakeOpenAI(pages=kinds.vllm()) as plain,
        FakeOpenAI(pages=kinds.lm_studio()) as studio,
        pool(box, ports=(plain.port, sshd.free_port(), studio.port)) as made,
    ):
        assert [e.kind for e in await made.status()] == ["vllm", "lmstudio"]
        async with made.lease() as lease:
            assert lease.model == "qwen3-coder-30b"


async def test_one_run_may_have_a_certain_server_of_the_box_or_one_of_this_machine(box: Sshd) -> None:
    async with (
        FakeOpenAI(pages=kinds.vllm()) as plain,
        FakeOpenAI(pages=kinds.lm_studio()) as studio,
        FakeOpenAI(["here"], model="mine") as mine,
        pool(box, ports=(plain.port, studio.port)) as made,
    ):
        async with made.lease(at=At(plain.url, "ssh box")) as lease:
            assert (lease.endpoint.kind, lease.endpoint.via) == ("vllm", "ssh box")
        async with made.lease(at=At(mine.url)) as lease:
            assert (lease.endpoint.via, (await fold(lease.chat.stream(ASK))).text) == ("", "here")
        with pytest.raises(EndpointDown, match="via ssh box any more"):
            async with made.lease(at=At(mine.url, "ssh box")):
                pass


async def test_ollama_on_the_box_loads_first(box: Sshd) -> None:
    async with FakeOpenAI(pages=kinds.ollama()) as fake, pool(box, fake.port) as made:
        async with made.lease():
            pass
        assert {r.body["model"] for r in fake.seen if r.path == "/api/generate"} == {"qwen2.5-coder:7b"}


async def test_a_server_that_is_down_is_told_from_a_tunnel_that_is(box: Sshd) -> None:
    port = sshd.free_port()
    async with pool(box, port) as made:
        with pytest.raises(EndpointDown, match=rf"ssh connection to box is up, but no model server answers there on port {port} "):
            await made.status()
        async with FakeOpenAI(port=port):
            assert len(await made.status()) == 1
    async with pool(box, ports=(port,)) as made:
        box.know("")
        with pytest.raises(EndpointDown, match="host key of box is not known"):
            await made.status()


async def test_a_box_that_forbids_forwarding(tmp_path: Path) -> None:
    with sshd.running(tmp_path, "AllowTcpForwarding no") as strict:
        async with pool(strict, 9) as made:
            with pytest.raises(EndpointDown, match="forbids forwarding") as caught:
                await made.status()
    assert "AllowTcpForwarding" in caught.value.hint


async def test_a_server_that_wants_a_key_says_so_through_the_tunnel(box: Sshd) -> None:
    async with FakeOpenAI(key="k") as fake, pool(box, fake.port) as made:
        with pytest.raises(EndpointDenied):
            await made.status()


async def test_a_reply_lost_with_the_tunnel_is_asked_for_again_whole(box: Sshd) -> None:
    states: list[State] = []
    turns = [Turn("one two three four five six", fault="stall"), Turn("all of it")]
    async with FakeOpenAI(turns, strict=False) as fake, pool(box, fake.port, tell=states.append) as made, made.lease() as lease:
        begun = False
        with pytest.raises(StreamBroken, match="ssh connection to box was lost"):
            async for delta in lease.chat.stream(ASK):
                if isinstance(delta, TextDelta) and not begun:
                    begun = True
                    box.signal_sessions(signal.SIGKILL)
        assert (await fold(lease.chat.stream(ASK))).text == "all of it"
        first, second = fake.requests
        assert first.raw == second.raw
    kinds_of = [type(state) for state in states]
    assert kinds_of.count(Ready) == 2 and kinds_of.count(Backoff) >= 1


async def test_a_tunnel_lost_before_the_reply_began_is_asked_again_too(box: Sshd) -> None:
    async with FakeOpenAI([Turn("late", hold="never"), "ok"]) as fake, pool(box, fake.port) as made, made.lease() as lease:

        async def cut() -> None:
            await fake.asked(1)
            box.signal_sessions(signal.SIGKILL)

        async with anyio.create_task_group() as group:
            group.start_soon(cut)
            with pytest.raises(StreamBroken, match="was lost"):
                await fold(lease.chat.stream(ASK))
        assert (await fold(lease.chat.stream(ASK))).text == "ok"


async def test_a_server_that_dies_mid_stream_is_not_blamed_on_the_tunnel(box: Sshd) -> None:
    async with FakeOpenAI([Turn("one two three four", fault="cut")]) as fake, pool(box, fake.port) as made, made.lease() as lease:
        with pytest.raises(StreamBroken) as caught:
            await fold(lease.chat.stream(ASK))
    assert "ssh" not in caught.value.message


async def test_a_person_mends_it_and_the_next_lease_works(box: Sshd) -> None:
    states: list[State] = []
    async with FakeOpenAI() as fake, pool(box, fake.port, tell=states.append) as made:
        box.configure(key="other_key")
        with pytest.raises(EndpointDown, match="Permission denied"):
            await made.status()
        assert isinstance(states[-1], Fatal)
        box.configure()
        assert len(await made.status()) == 1


async def test_two_wishes_at_once_are_no_guess(box: Sshd) -> None:
    async with pool(box, url="http://127.0.0.1:1234") as made:
        with pytest.raises(ConfigError, match="Both a server"):
            await made.status()


async def test_a_host_that_is_an_option_starts_nothing(tmp_path: Path) -> None:
    made = Pool(Wish(remote=f"-oProxyCommand=touch {tmp_path}/here"), env=dict(os.environ))
    with pytest.raises(ConfigError, match="no name of a machine"):
        await made.status()
    assert not list(tmp_path.iterdir())


async def test_closing_the_pool_leaves_no_ssh(box: Sshd) -> None:
    async with FakeOpenAI() as fake, pool(box, fake.port) as made:
        await made.status()
        assert made._remote is not None
        pid = made._remote.tunnel.pid
        await made.aclose()
    assert pid is not None and not Path(f"/proc/{pid}").exists()
