"""Models that servers keep: pulled with progress, failures in words, two of them on one GPU."""

from __future__ import annotations

import anyio
import pytest

from fakes import kinds
from fakes.openai import FakeOpenAI
from fakes.shelf import CUT, HANG, LmStudio, Ollama, Router, Shelf
from inglenook.endpoints import swapping
from inglenook.endpoints.endpoint import Endpoint, ModelInfo
from inglenook.endpoints.library import Progress, details, placed, pull, speculates
from inglenook.endpoints.pool import Pool, Wish
from inglenook.endpoints.probe import describe
from inglenook.endpoints.swapping import Shelf as Swapper
from inglenook.errors import ConfigError, EndpointDenied, EndpointDown, InputError, ModelMissing, ServerFault, StreamBroken

pytestmark = pytest.mark.anyio
GB = 1_000_000_000
DONE = [{"status": "verifying sha256 digest"}, {"status": "writing manifest"}, {"status": "success"}]


def layer(done: int, digest: str = "sha256:a", total: int = 4 * GB) -> dict[str, object]:
    return {"status": f"pulling {digest[7:]}", "digest": digest, "total": total, "completed": done}


async def pulled(fake: Shelf, name: str, told: list[Progress] | None = None, key: str = "") -> str:
    return await pull(await describe(fake.url, key), name, (told if told is not None else []).append, key, every=0)


async def test_ollama_downloads_and_tells_how_far_it_is() -> None:
    async with Ollama({}) as fake:
        fake.downloads["coder:7b"] = [
            [{"status": "pulling manifest"}, layer(0), layer(GB), layer(GB, "sha256:b", GB), layer(4 * GB), *DONE],
        ]
        told: list[Progress] = []
        assert await pulled(fake, "coder:7b", told) == "coder:7b is there. Ollama downloaded it (5.00 GB)."
    assert told[0] == Progress("pulling manifest") and told[0].share is None
    assert [p.share for p in told[1:5]] == [0, 0.25, 0.4, 1.0]


async def test_a_download_that_stops_goes_on_where_it_was() -> None:
    async with Ollama({}) as fake:
        fake.downloads["coder:7b"] = [
            [layer(GB), CUT],
            [layer(2 * GB), {"error": "max retries exceeded: unexpected EOF"}],
            [layer(3 * GB)],
            [layer(4 * GB), *DONE],
        ]
        told: list[Progress] = []
        assert "is there" in await pulled(fake, "coder:7b", told)
        assert fake.calls == [("pull", "coder:7b")] * 4
    again = [p for p in told if "asking again" in p.words]
    assert [p.done for p in again] == [GB, 2 * GB, 3 * GB]


async def test_a_download_that_stops_again_and_again_is_given_up() -> None:
    async with Ollama({}) as fake:
        fake.downloads["coder:7b"] = [[layer(GB), CUT]]
        with pytest.raises(StreamBroken, match="stopped 6 times") as caught:
            await pulled(fake, "coder:7b")
    assert "what is there stays" in caught.value.hint


REFUSED = [
    ("pull model manifest: file does not exist", ModelMissing, "finds no model coder:7b", "ollama.com/library"),
    ("write /var/ollama/blobs/sha256-a-partial: no space left on device", ServerFault, "no room on its disk", "Make room"),
    ('pull model manifest: Get "https://x/v2/": dial tcp: lookup x: no such host', ServerFault, "cannot reach the place", "internet"),
    ("pull model manifest: 412: The model you are pulling requires a newer version of Ollama.", ServerFault, "too old", "Update Ollama"),
    ("something odd", ServerFault, "something odd", "Try again"),
]


@pytest.mark.parametrize(("words", "kind", "said", "hint"), REFUSED)
async def test_what_ollama_refuses_is_told_in_words(words: str, kind: type[Exception], said: str, hint: str) -> None:
    async with Ollama({}) as fake:
        fake.downloads["coder:7b"] = [[{"status": "pulling manifest"}, {"error": words}]]
        with pytest.raises(kind, match=said) as caught:
            await pulled(fake, "coder:7b")
        assert len(fake.calls) == 1
    assert hint in getattr(caught.value, "hint", "")


async def test_a_cancelled_download_closes_the_connection() -> None:
    async with Ollama({}) as fake:
        fake.downloads["coder:7b"] = [[layer(GB), HANG]]
        async with anyio.create_task_group() as group:
            group.start_soon(pulled, fake, "coder:7b")
            await fake.hanging.wait()
            group.cancel_scope.cancel()
        asked = next(r for r in fake.seen if r.path == "/api/pull")
        with anyio.fail_after(10):
            await asked.dropped.wait()


async def test_lm_studio_is_asked_until_it_is_done() -> None:
    states = [
        {"status": "downloading", "downloaded_bytes": GB, "total_size_bytes": 4 * GB},
        CUT,
        {"status": "completed", "total_size_bytes": 4 * GB},
    ]
    async with LmStudio({"there": {}}) as fake:
        fake.downloads["coder"] = [states]
        told: list[Progress] = []
        assert await pulled(fake, "coder", told) == "coder is there. LM Studio downloaded it (4.00 GB)."
        assert [p.share for p in told] == [0, 0.25, 0.25]
        assert "asking again" in told[-1].words
        assert await pulled(fake, "there") == "there was there already."
        with pytest.raises(ModelMissing, match="LM Studio finds no model nothing"):
            await pulled(fake, "nothing")
        fake.downloads["bad"] = [[{"status": "failed", "error": "Not enough disk space"}]]
        with pytest.raises(ServerFault, match="no room on its disk"):
            await pulled(fake, "bad")


async def test_only_ollama_and_lm_studio_get_models_and_only_near_ones() -> None:
    async with FakeOpenAI(pages=kinds.vllm()) as fake:
        with pytest.raises(InputError, match="cannot get models"):
            await pull(await describe(fake.url), "coder", lambda progress: None)
    far = Endpoint("http://192.0.2.1:11434/v1", "ollama")
    with pytest.raises(ConfigError, match="another machine"):
        await pull(far, "coder", lambda progress: None)
    with pytest.raises(InputError, match="no name of a model"):
        await pull(Endpoint("http://127.0.0.1:9/v1", "ollama"), "../../x y", lambda progress: None)
    with pytest.raises(EndpointDown, match="Nobody answers"):
        await pull(Endpoint("http://127.0.0.1:9/v1", "ollama"), "coder", lambda progress: None)


async def test_a_key_is_sent_and_its_refusal_told() -> None:
    async with LmStudio({"there": {}}, key="k") as fake:
        assert "already" in await pulled(fake, "there", key="k")
        with pytest.raises(EndpointDenied):
            await pull(await describe(fake.url, "k"), "there", lambda progress: None, "wrong")


# ---- what is known of one


async def test_a_model_of_ollama_is_placed_by_its_own_facts() -> None:
    async with Ollama({"coder:7b": {"loaded": True, "size_vram": 2 * GB}}) as fake:
        endpoint = await describe(fake.url)
        info = endpoint.models[0]
        assert (info.digest, info.size) == ("sha256-of-coder:7b", 4_683_075_271)
        assert info.on_gpu is not None and round(info.on_gpu, 2) == 0.43
        model = await placed(endpoint, info)
        assert model is not None and not model.shape.typical
        assert (model.shape.layers, model.shape.trained, model.bytes, model.bits.nominal) == (28, 32_768, 4_683_075_271, 4)
        assert round(model.parameters.total / 1e9, 2) == 7.62


async def test_a_model_of_another_server_is_placed_by_what_it_tells_or_its_name() -> None:
    async with LmStudio({"qwen/qwen3-coder-30b": {"parameters": "30B", "size": 18 * GB}}) as fake:
        endpoint = await describe(fake.url)
        model = await placed(endpoint, endpoint.models[0])
        assert model is not None and model.parameters.mixture and model.bytes == 18 * GB
        assert await details(endpoint, "x") == {}
    nameless = Endpoint("http://127.0.0.1:9/v1", "openai")
    assert await placed(nameless, ModelInfo("some-model")) is None
    guessed = await placed(nameless, ModelInfo("qwen2.5-coder-7b-q8_0"))
    assert guessed is not None and guessed.bits.real == 8.5


async def test_whether_a_server_drafts_ahead() -> None:
    slots = {**kinds.llama_cpp(), "/slots": [{"id": 0, "speculative": False}]}
    async with FakeOpenAI(pages=slots) as fake:
        assert await speculates(await describe(fake.url)) is False
    async with FakeOpenAI(pages={**slots, "/slots": [{"id": 0, "speculative": True}]}) as fake:
        assert await speculates(await describe(fake.url)) is True
    async with FakeOpenAI(pages={**kinds.llama_cpp(), "/slots": (501, {})}) as fake:
        assert await speculates(await describe(fake.url)) is None
    for text, drafts in (("vllm:num_requests_running 0\n", False), ("vllm:spec_decode_num_drafts_total 3\nvllm:x 1\n", True)):
        async with FakeOpenAI(pages={**kinds.vllm(), "/metrics": text}) as fake:
            assert await speculates(await describe(fake.url)) is drafts


# ---- two models, one GPU


@pytest.mark.parametrize("kind", [Ollama, LmStudio, Router])
async def test_one_makes_room_for_the_other_and_comes_back(kind: type[Shelf]) -> None:
    async with kind({"coder-7b": {"loaded": True}, "chat-8b": {}}) as fake:
        endpoint, said, swapper = await describe(fake.url), [], Swapper()
        assert await swapper.only(endpoint, "chat-8b", said.append) == ("coder-7b",)
        assert fake.loaded == ["chat-8b"]
        assert await swapper.only(endpoint, "coder-7b") == ("chat-8b",)
        assert fake.loaded == ["coder-7b"]
    assert fake.calls == [("unload", "coder-7b"), ("load", "chat-8b"), ("unload", "chat-8b"), ("load", "coder-7b")]
    assert said[:2] == ["coder-7b makes room for chat-8b", "Loading chat-8b"]


async def test_models_that_only_embed_stay_and_what_is_loaded_is_left_alone() -> None:
    async with LmStudio({"coder": {"loaded": True}, "nomic-embed-text": {"loaded": True}}) as fake:
        assert await Swapper().only(await describe(fake.url), "coder") == ()
        assert fake.calls == []


async def test_changes_come_one_after_the_other() -> None:
    async with Ollama({"a:7b": {"loaded": True}, "b:7b": {}, "c:7b": {}}) as fake:
        endpoint, swapper = await describe(fake.url), Swapper()
        async with anyio.create_task_group() as group:
            for name in ("b:7b", "c:7b", "b:7b"):
                group.start_soon(swapper.only, endpoint, name)
        assert len(fake.loaded) == 1
        assert fake.at_once == 1
        loads = [name for verb, name in fake.calls if verb == "load"]
        assert len(loads) == len([1 for verb, _ in fake.calls if verb == "unload"])


async def test_a_model_that_cannot_be_loaded_or_is_not_there() -> None:
    async with Router({"big": {"fails": True}, "small": {}}) as fake:
        with pytest.raises(ServerFault, match="could not load big"):
            await Swapper().only(await describe(fake.url), "big")
        with pytest.raises(ModelMissing, match="does not serve 'none'"):
            await Swapper().only(await describe(fake.url), "none")
    async with FakeOpenAI(pages=kinds.llama_cpp()) as fake_one:
        endpoint = await describe(fake_one.url)
        for change in (swapping.load, swapping.unload):
            with pytest.raises(InputError, match="one model that it was started with"):
                await change(endpoint, "tiny.gguf")


async def test_a_run_that_waits_for_a_model_to_be_loaded_is_told_so() -> None:
    said: list[str] = []
    async with Ollama({"coder:7b": {"loaded": True}, "chat:8b": {}}) as fake:
        pool = Pool(Wish(fake.url))
        async with pool.lease(model="chat:8b", tell=said.append):
            pass
        async with Pool(Wish(fake.url)).lease(model="coder:7b", tell=said.append):
            pass
    assert said == ["Ollama loads chat:8b; coder:7b may have to make room."]
