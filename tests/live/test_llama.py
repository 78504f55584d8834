"""Our client on the real llama.cpp server, with a tiny model of random weights."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from inglenook import process
from inglenook.endpoints import embedded, tiny
from inglenook.endpoints.probe import describe
from inglenook.endpoints.rehearsal import grammar
from inglenook.errors import ContextExceeded, EmptyReply, EndpointDenied, InputError, ServerFault, StreamBroken
from inglenook.llm.chat import HttpChat, fold
from inglenook.llm.constraints import grammar_of_replies
from inglenook.llm.messages import (
    Assistant,
    ChatRequest,
    Delta,
    Message,
    PrefillDelta,
    SpeedDelta,
    System,
    TextDelta,
    ToolResult,
    ToolSpec,
    User,
)
from inglenook.llm.profiles import Profile, profile_for

pytestmark = pytest.mark.anyio

READ = ToolSpec(
    "read",
    "Read a file.",
    {
        "type": "object",
        "properties": {"path": {"type": "string", "enum": ["src/prices.py"]}},
        "required": ["path"],
        "additionalProperties": False,
    },
)
WORDS = "A line of text that is long enough to be worth something.\n" * 40


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that answers what a grammar says, and one that calls the tool it is told of."""
    folder = tmp_path_factory.mktemp("models")
    tiny.write(folder / "tiny.gguf")
    tiny.write(folder / "caller.gguf", tiny.CALLS_A_TOOL)
    return folder


@asynccontextmanager
async def served(
    model: Path, *, window: int = 8192, slots: int = 2, profile: Profile | None = None
) -> AsyncIterator[tuple[HttpChat, embedded.Embedded]]:
    """The real server and a chat with it."""
    server = await embedded.start(model, window=window, slots=slots, threads=2, seconds=60)
    chat = HttpChat(server.url, server.model, profile or profile_for(server.model, window=window), kind="llama.cpp", key=server.key)
    try:
        yield chat, server
    finally:
        await chat.aclose()
        await server.stop()


def forced(text: str, *messages: Message, **options: Any) -> ChatRequest:
    return ChatRequest(messages or (System("You code."), User(WORDS)), extra={"grammar": grammar(text)}, **options)


async def busy(server: embedded.Embedded) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{server.url.removesuffix('/v1')}/slots", headers={"Authorization": f"Bearer {server.key}"})
        return any(slot["is_processing"] for slot in answer.json())


async def test_a_forced_reply_streams_and_is_measured_by_the_server(models: Path) -> None:
    text = 'Two lines — with "quotes", a \\ and ünïcode 😀:\n\tdef f(x):\n        return x\n'
    seen: list[Delta] = []
    async with served(models / "tiny.gguf") as (chat, _):
        reply = await fold(chat.stream(forced(text)), seen.append)
    assert reply.text == text
    assert sum(isinstance(d, TextDelta) for d in seen) > 10
    assert [(d.processed, d.total) for d in seen if isinstance(d, PrefillDelta)][-1] == (reply.usage.prompt, reply.usage.prompt)
    usage = reply.usage
    assert (usage.estimated, usage.cached) == (False, 0)
    assert usage.output > 10
    assert usage.tokens_per_second > 1
    assert 0 < usage.first_token < 60
    assert reply.finish == "stop"


async def test_the_second_request_reads_only_what_is_new(models: Path) -> None:
    talk: list[Message] = [System("You code."), User(WORDS)]
    async with served(models / "tiny.gguf") as (chat, _):
        first = await fold(chat.stream(forced("All right.\n", *talk)))
        talk += [Assistant(first.text), User("And now the next thing.")]
        second = await fold(chat.stream(forced("Done.", *talk)))
    assert second.usage.cached is not None
    assert second.usage.cached >= first.usage.prompt - 1
    assert second.usage.prompt > first.usage.prompt


async def test_closing_the_stream_frees_the_slot(models: Path) -> None:
    async with served(models / "tiny.gguf") as (chat, server):
        async with aclosing(chat.stream(forced("word " * 4000))) as stream:
            async for delta in stream:
                if isinstance(delta, TextDelta):
                    assert await busy(server)
                    break
        with anyio.fail_after(5):
            while await busy(server):  # noqa: ASYNC110 - another program has no event to wait for
                await anyio.sleep(0.02)
        assert (await fold(chat.stream(forced("still there")))).text == "still there"


async def test_a_prompt_that_does_not_fit_is_told_with_numbers(models: Path) -> None:
    async with served(models / "tiny.gguf", window=1024) as (chat, _):
        with pytest.raises(ContextExceeded, match=r"tokens\) exceeds the available context size \(1024 tokens\)") as caught:
            await fold(chat.stream(forced("x", User(WORDS * 20))))
        assert "--ctx-size" in caught.value.hint


async def test_a_native_call_and_its_result(models: Path) -> None:
    async with served(models / "caller.gguf", profile=Profile("caller", window=8192, temperature=1.0)) as (chat, _):
        talk: list[Message] = [System("You code."), User("Read the prices.")]
        reply = await fold(chat.stream(ChatRequest(tuple(talk), (READ,), max_tokens=400, extra={"seed": 1})))
        assert [(c.name, c.problem) for c in reply.calls] == [("read", "")]
        assert '"src/prices.py"' in reply.calls[0].arguments
        assert reply.finish == "tool_calls"
        talk += [Assistant(reply.text, reply.calls), ToolResult(reply.calls[0].id, "read", "price = 1")]
        again = await fold(chat.stream(ChatRequest(tuple(talk), (READ,), max_tokens=400, extra={"seed": 1})))
        assert again.usage.prompt > reply.usage.prompt


async def test_a_call_in_text_goes_back_byte_for_byte(models: Path) -> None:
    said = 'Reading.\n<tool_call>\n{"name": "read", "arguments": {"path": "src/prices.py"}}\n</tool_call>'
    async with served(models / "tiny.gguf", profile=Profile("tiny", window=8192, dialect="hermes")) as (chat, _):
        talk: list[Message] = [System("You code."), User(WORDS)]
        request = forced(said, *talk)
        reply = await fold(chat.stream(ChatRequest(request.messages, (READ,), extra=request.extra)))
        assert (reply.text, [c.name for c in reply.calls]) == ("Reading.", ["read"])
        talk += [Assistant(reply.text, reply.calls), ToolResult(reply.calls[0].id, "read", "price = 1")]
        request = forced("Done.", *talk)
        again = await fold(chat.stream(ChatRequest(request.messages, (READ,), extra=request.extra)))
    assert again.usage.cached is not None
    assert again.usage.cached >= reply.usage.prompt - 1


async def test_the_server_is_described_and_keeps_strangers_out(models: Path) -> None:
    async with served(models / "tiny.gguf", window=4096) as (chat, server):
        endpoint = await describe(server.url, server.key)
        assert endpoint.kind == "llama.cpp"
        assert [(m.name, m.window, m.trained, m.tools) for m in endpoint.models] == [("tiny", 4096, 32768, True)]
        with pytest.raises(EndpointDenied):
            await describe(server.url)
        stranger = HttpChat(server.url, "tiny", chat.profile)
        with pytest.raises(EndpointDenied, match="Invalid API Key"):
            await fold(stranger.stream(forced("x")))
        await stranger.aclose()


async def test_a_bad_grammar_and_a_bad_schema_are_told_in_the_servers_words(models: Path) -> None:
    async with served(models / "tiny.gguf") as (chat, _):
        with pytest.raises(ServerFault, match="grammar"):
            await fold(chat.stream(ChatRequest((User("x"),), extra={"grammar": "root ::= ("})))
        broken = ToolSpec("read", "Read.", {"type": "wat"})
        with pytest.raises(ServerFault, match="wat"):
            await fold(chat.stream(ChatRequest((User("x"),), (broken,))))


async def test_the_window_cuts_a_reply_and_says_so(models: Path) -> None:
    async with served(models / "tiny.gguf") as (chat, _):
        reply = await fold(chat.stream(forced("word " * 400, max_tokens=20)))
    assert reply.finish == "length"
    assert reply.usage.output == 20


async def test_a_server_that_dies_in_the_middle(models: Path) -> None:
    async with served(models / "tiny.gguf") as (chat, server):
        with pytest.raises(StreamBroken, match="broke in the middle"):
            async for delta in chat.stream(forced("word " * 8000)):
                if isinstance(delta, TextDelta) and server.running:
                    server.child.kill()
                    await server.child.wait()
        assert not server.running


async def test_speed_is_told_while_it_writes(models: Path) -> None:
    seen: list[Delta] = []
    async with served(models / "tiny.gguf") as (chat, _):
        await fold(chat.stream(forced("word " * 1000, max_tokens=800)), seen.append)
    speeds = [d for d in seen if isinstance(d, SpeedDelta)]
    assert speeds
    assert all(s.tokens_per_second > 0 for s in speeds)
    assert [s.output for s in speeds] == sorted(s.output for s in speeds)


async def test_a_file_that_is_broken(tmp_path: Path, models: Path) -> None:
    broken, whole = tmp_path / "broken.gguf", (models / "tiny.gguf").read_bytes()
    for size in (100_000, len(whole) - 1_000):
        broken.write_bytes(whole[:size])
        with pytest.raises(InputError, match=rf"broken\.gguf is cut off.*{size:,} bytes|header goes on beyond its end"):
            await embedded.start(broken, window=512)
    with pytest.raises(InputError, match="no file"):
        await embedded.start(tmp_path / "none.gguf")


@pytest.mark.parametrize(
    ("was", "now", "why"),
    [(b"qwen2", b"qwen9", "knows no models of the kind qwen9"), (b"token_embd.weight", b"token_embd.weighs", "weights are missing in it")],
)
async def test_what_llama_cpp_says_goes_into_the_log_alone(
    tmp_path: Path, models: Path, caplog: pytest.LogCaptureFixture, was: bytes, now: bytes, why: str
) -> None:
    odd = tmp_path / "odd.gguf"
    odd.write_bytes((models / "tiny.gguf").read_bytes().replace(was, now))
    with anyio.fail_after(60), pytest.raises(ServerFault) as refused:
        await embedded.start(odd, window=512)
    assert refused.value.message == f"odd.gguf could not be loaded: {'the built-in llama.cpp ' if 'kind' in why else ''}{why}."
    assert "load_model" not in str(refused.value) and "log of Inglenook" in refused.value.hint
    assert "error loading model" in caplog.text


async def test_nothing_is_imported_from_the_folder_that_we_are_in(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a stranger's repository, with modules of our names in it."""
    for name in ("xllamacpp", "argparse", "inglenook"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit('{name} of the workspace was run')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))  # as `python -m inglenook` does
    async with served(models / "tiny.gguf", window=512) as (_, server):
        assert server.running
    assert not (tmp_path / "ran").exists()


async def test_the_server_dies_with_its_parent(models: Path) -> None:
    """Even when the parent is killed and can say nothing to anybody."""
    program = (
        "import anyio, sys\nfrom pathlib import Path\nfrom inglenook.endpoints import embedded\n"
        "async def main():\n"
        "    server = await embedded.start(Path(sys.argv[1]), window=512)\n"
        "    print(server.child.pid, flush=True)\n"
        "    await anyio.sleep_forever()\n"
        "anyio.run(main)\n"
    )
    parent = await process.start([sys.executable, "-c", program, str(models / "tiny.gguf")], cwd=None, env=dict(os.environ))
    with anyio.fail_after(60):
        line = await parent.read_line()
        assert line is not None, parent.tail()
        os.kill(parent.pid, signal.SIGKILL)
        await parent.wait()
        while Path(f"/proc/{line}").exists():  # noqa: ASYNC110 - as above
            await anyio.sleep(0.02)


def test_the_same_model_twice_is_the_same_bytes(tmp_path: Path) -> None:
    files = [tiny.write(tmp_path / name) for name in ("a.gguf", "b.gguf")]
    digests = {hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
    assert len(digests) == 1
    assert files[0].stat().st_size < 4_000_000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.gguf", "b.gguf"]
    other = tiny.write(tmp_path / "c.gguf", tiny.Shape(seed=1))
    assert hashlib.sha256(other.read_bytes()).hexdigest() not in digests


async def test_the_server_counts_as_it_reads(models: Path) -> None:
    async with served(models / "tiny.gguf") as (chat, _):
        empty = (await fold(chat.stream(forced("x", System("You code."), User(""))))).usage.prompt
        whole = (await fold(chat.stream(forced("x", System("You code."), User(WORDS))))).usage.prompt
        counted = await chat.tokens(WORDS)
    assert counted is not None
    assert abs(counted - (whole - empty)) <= 3


async def test_calls_in_text_are_held_to_a_grammar(models: Path) -> None:
    """A model of random weights can write nothing but a call that fits, once it calls; words stay free."""
    free = grammar_of_replies([READ])
    profile = Profile("tiny", 8192, "hermes", constrained=True)
    async with served(models / "tiny.gguf", profile=profile) as (chat, _):
        bound = {"grammar": free.replace("root ::= words (call words)*", "root ::= call")}
        reply = await fold(chat.stream(ChatRequest((System("You code."), User(WORDS)), tools=(READ,), extra=bound)))
        assert [(c.name, c.arguments, c.problem) for c in reply.calls] == [("read", '{"path":"src/prices.py"}', "")]
        seen = []
        with suppress(EmptyReply):
            await fold(chat.stream(ChatRequest((System("You code."), User(WORDS)), tools=(READ,), max_tokens=24)), seen.append)
        assert seen
