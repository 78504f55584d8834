"""Leases: which endpoint and model a run gets, and what is said when there is none."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import kinds
from fakes.ollama import FakeOllama
from fakes.openai import Call, FakeOpenAI, Request, Turn
from inglenook.endpoints import exam
from inglenook.endpoints.endpoint import At
from inglenook.endpoints.exam import Exam
from inglenook.endpoints.pool import FRESH_SECONDS, Lease, Pool, Wish
from inglenook.endpoints.questions import take
from inglenook.errors import ConfigError, EndpointDown, EndpointError, InputError, ModelMissing, StreamBroken
from inglenook.llm.chat import fold
from inglenook.llm.messages import ChatRequest, User

pytestmark = pytest.mark.anyio
ASK = ChatRequest((User("Do it."),))


async def lent(pool: Pool) -> Lease:
    async with pool.lease() as lease:
        return lease


async def test_a_lease_talks_to_the_wished_endpoint() -> None:
    async with FakeOpenAI(["ok"], key="k") as fake, Pool(Wish(fake.url, key="k")).lease() as lease:
        assert (lease.model, lease.endpoint.kind, lease.profile.window, lease.profile.dialect) == ("fake-coder", "openai", 16_384, "native")
        assert (await fold(lease.chat.stream(ASK))).text == "ok"


async def test_the_users_window_goes_before_the_servers() -> None:
    async with FakeOpenAI() as fake:
        assert (await lent(Pool(Wish(fake.url, window=2048)))).profile.window == 2048


async def test_the_usual_ports_are_looked_at_and_coders_go_first() -> None:
    async with FakeOpenAI(pages=kinds.vllm()) as plain, FakeOpenAI(pages=kinds.lm_studio()) as studio:
        ports = (plain.port, studio.port)
        assert (await lent(Pool(Wish(), ports=ports))).model == "qwen3-coder-30b"
        assert (await lent(Pool(Wish(model="tiny"), ports=ports))).endpoint.kind == "vllm"
        with pytest.raises(ModelMissing, match="does not serve 'gpt-5'"):
            await lent(Pool(Wish(model="gpt-5"), ports=ports))
        assert [e.kind for e in await Pool(Wish(), ports=ports).status()] == ["vllm", "lmstudio"]


async def test_ollama_loads_first_so_that_its_real_window_is_known_and_asked_for() -> None:
    async with FakeOllama(["ok", "ok"]) as fake:
        pool = Pool(Wish(fake.url))
        for _ in range(2):
            async with pool.lease() as lease:
                assert (lease.model, lease.profile.window) == ("qwen2.5-coder:7b", 32_768)
                assert (await fold(lease.chat.stream(ASK))).text == "ok"
        assert fake.loads == [4096, 32_768]  # and never again
        assert [body["options"]["num_ctx"] for body in fake.natives] == [32_768, 32_768]


async def test_a_window_that_was_wished_is_loaded_at_once() -> None:
    async with FakeOllama(["ok"]) as fake, Pool(Wish(fake.url, window=8192)).lease() as lease:
        await fold(lease.chat.stream(ASK))
        assert fake.loads == [8192]


async def test_lm_studio_is_never_given_more_than_it_loaded() -> None:
    async with FakeOpenAI(pages=kinds.lm_studio()) as fake:
        for wish, window in ((None, 8192), (4096, 4096), (65_536, 8192)):
            assert (await lent(Pool(Wish(fake.url, window=wish)))).profile.window == window
        assert not [r for r in fake.seen if r.path.endswith("/load")]
        await lent(Pool(Wish(fake.url, model="gemma")))
        assert [r.body["model"] for r in fake.seen if r.path.endswith("/load")] == ["gemma-3-4b"]


async def test_what_the_exam_found_goes_before_what_the_server_says(tmp_path: Path) -> None:
    async with FakeOpenAI() as fake, Pool(Wish(fake.url), cache_dir=str(tmp_path)).lease() as lease:
        assert lease.info is not None
        assert (lease.profile.dialect, lease.profile.window) == ("native", 16_384)
        found = Exam("openai", lease.model, tools="text", cut=True, usable=4000)
        exam.save(str(tmp_path), lease.endpoint, lease.info, found)
        profile = (await lent(Pool(Wish(fake.url), cache_dir=str(tmp_path)))).profile
        assert (profile.dialect, profile.window, profile.max_output) == ("hermes", 4000, 2000)


async def test_a_lease_can_make_another_chat_with_the_same_server() -> None:
    async with FakeOpenAI(["ok"], key="k") as fake, Pool(Wish(fake.url, key="k")).lease() as lease:
        assert lease.make is not None
        other = lease.make(replace(lease.profile, temperature=0.9))
        assert (await fold(other.stream(ASK))).text == "ok"
        assert fake.requests[0].body["temperature"] == 0.9
        await other.aclose()


async def test_one_run_may_have_another_server_and_the_next_has_the_wished_one() -> None:
    async with FakeOpenAI(["mine"]) as mine, FakeOpenAI(["other"], model="larger", window=8_000) as other:
        pool = Pool(Wish(mine.url, window=2_048))
        async with pool.lease(model="larger", at=At(other.url)) as lease:
            assert (lease.model, lease.endpoint.url, lease.profile.window) == ("larger", other.url, 8_000), "2,048 are not said of that one"
            assert (await fold(lease.chat.stream(ASK))).text == "other"
        async with pool.lease() as lease:
            assert (lease.endpoint.url, lease.profile.window) == (mine.url, 2_048)
        async with pool.lease(at=At(f"{mine.url}/")) as lease:
            assert lease.profile.window == 2_048
        with pytest.raises(ModelMissing, match="does not serve 'gone'"):
            async with pool.lease(model="gone", at=At(other.url)):
                pass
        where = (
            (At("http://127.0.0.1:9/v1"), EndpointDown),
            (At("http://10.1.2.3/v1"), ConfigError),
            (At(mine.url, "ssh box"), ConfigError),
        )
    for at, error in where:
        with pytest.raises(error):
            async with pool.lease(at=at):
                pass


async def test_a_model_in_the_cloud_is_refused_though_it_is_wished() -> None:
    async with FakeOpenAI(pages=kinds.ollama()) as fake:
        with pytest.raises(ConfigError, match="another machine"):
            await lent(Pool(Wish(fake.url, model="qwen3-coder:480b-cloud")))
        assert not [r for r in fake.seen if r.method == "POST"]


async def test_what_a_server_said_is_believed_for_a_while_and_asked_anew_after_a_failure() -> None:
    now = [0.0]
    async with FakeOpenAI([Turn("half of it", fault="cut")]) as fake:
        pool = Pool(Wish(fake.url), clock=lambda: now[0])

        def asked() -> int:
            return sum(r.path == "/v1/models" for r in fake.seen)

        await lent(pool)
        await lent(pool)
        assert asked() == 1
        now[0] += FRESH_SECONDS + 1
        await lent(pool)
        assert asked() == 2
        with pytest.raises(StreamBroken):
            async with pool.lease() as lease:
                await fold(lease.chat.stream(ASK))
        await lent(pool)
        assert asked() == 3


async def test_a_server_that_comes_back_is_found_again() -> None:
    async with FakeOpenAI(["ok"]) as fake:
        port = fake.port
        pool = Pool(Wish(fake.url))
        await lent(pool)
    with pytest.raises(EndpointError):
        async with pool.lease() as lease:
            await fold(lease.chat.stream(ASK))
    with pytest.raises(EndpointDown):
        await lent(pool)
    async with FakeOpenAI(["ok"], port=port, model="another"):
        assert (await lent(pool)).model == "another"


@pytest.mark.parametrize(
    ("wish", "error", "words"),
    [
        (
            Wish("http://models.example.com:1234/v1"),
            ConfigError,
            "models.example.com is another machine.*remote.host` to models.example.com.*remote.port` to 1234",
        ),
        (Wish("https://93.184.216.34/v1"), ConfigError, "another machine"),
        (Wish("http://127.0.0.1.example.com/v1"), ConfigError, "another machine"),
        (Wish("http://0x7f.1/v1"), ConfigError, "another machine"),
        (Wish("localhost:1234"), ConfigError, "no address of a model server"),
        (Wish("ftp://127.0.0.1/"), ConfigError, "no address"),
        (Wish("http://127.0.0.1:9/v1"), EndpointDown, "Nobody answers"),
        (Wish("/no/such/model.gguf"), InputError, "no file /no/such/model.gguf"),
        (Wish("rehearsal:/no/such/recording.json"), ConfigError, "no recording at"),
    ],
)
async def test_wishes_that_cannot_be_met(wish: Wish, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        await lent(Pool(wish))
    assert type(caught.value) is error
    assert caught.value.hint  # type: ignore[attr-defined]


async def test_nobody_on_the_usual_ports() -> None:
    with pytest.raises(EndpointDown, match=r"No model server answers on the usual ports of this machine \(9, 10\)"):
        await lent(Pool(Wish(), ports=(9, 10)))
    assert await Pool(Wish(), ports=(9, 10)).status() == ()


async def test_a_file_that_is_no_gguf(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_text("not a model")
    with pytest.raises(InputError, match="not a GGUF file"):
        await lent(Pool(Wish(str(tmp_path / "model.gguf"))))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "no list of turns"),
        ('{"turns": [{"when": ["x"]}]}', "Turn 1 .* says nothing"),
        ('{"turns": [{"say": "x"}, {"say": "y", "when": "z"}]}', "Turn 2 .* list of texts"),
        ('{"turns": [], "tokens_per_second": "fast"}', "must be a number"),
    ],
)
async def test_recordings_that_are_none(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "recording.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        await lent(Pool(Wish(f"rehearsal:{path}")))


def _pupil(request: Request) -> Turn:
    """Answers the exam's questions over Ollama's wire."""
    told = json.dumps(request.body["messages"])
    if "4711" in told and request.body.get("tools"):
        return Turn(calls=(Call("look_up", {"number": 4711}),))
    word = re.search(r"KESTREL-\d+", told)
    return Turn('{"answer":"yes"}' if request.body.get("format") else word.group() if word else "ready")


async def test_the_exam_over_ollamas_own_wire_stays_within_one_window() -> None:
    async with FakeOllama(_pupil) as fake, Pool(Wish(fake.url, window=8192)).lease() as lease:
        assert lease.info is not None
        assert lease.make is not None
        found = await take(lease.endpoint, lease.info, lease.make, window=lease.info.window, clock=time.monotonic)
        assert (found.tools, found.schema, found.cut, found.window, found.trained) == ("native", True, False, 8192, 32_768)
        assert found.usable is not None
        assert 6_000 < found.usable < 8192
        assert fake.loads == [8192]
