"""Headers of GGUF files: what they tell, and that hostile ones are refused with a reason and at once."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import gguf as made
from inglenook.endpoints import gguf, sizing
from inglenook.endpoints.amounts import GB
from inglenook.errors import FileMissing, InputError

EXPERTS = ("blk.0.ffn_up_exps.weight", (2048, 1000, 14_000))
DENSE = ("blk.0.attn_q.weight", (2048, 1_000_000))


def test_a_mixture_by_its_own_header(tmp_path: Path) -> None:
    file = made.write(tmp_path / "Qwen3-30B-A3B-Q4_K_M.gguf", made.header(made.QWEN3_MOE, [EXPERTS, DENSE]), 18 * GB)
    header = gguf.read(file)
    assert header.parameters == 2048 * 1000 * 14_000 + 2048 * 1_000_000
    assert header.metadata["qwen3moe.block_count"] == 48
    assert "tokenizer.ggml.tokens" not in header.metadata and "tokenizer.chat_template" not in header.metadata
    model = gguf.model(file)
    assert model.parameters.mixture and model.parameters.active == header.parameters - header.experts * (1 - 8 / 128)
    assert (model.bits.nominal, model.bits.told, model.bytes) == (4, "Q4_K_M", 18 * GB)
    assert (model.shape.layers, model.shape.kv_heads, model.shape.trained, model.shape.typical) == (48, 4, 262_144, False)
    assert model.shape.cache(1024) == 48 * 4 * 256 * 2 * 1024
    assert sizing.need(model, 16_384).headroom == 0


def test_the_digest_is_that_of_the_header_and_the_size(tmp_path: Path) -> None:
    data = made.header(made.QWEN3_MOE, [DENSE])
    one, same = made.write(tmp_path / "a.gguf", data, GB), made.write(tmp_path / "b.gguf", data, GB)
    longer = made.write(tmp_path / "c.gguf", data, GB + 32)
    other = made.write(tmp_path / "d.gguf", made.header({**made.QWEN3_MOE, "general.name": "tuned"}, [DENSE]), GB)
    digests = [gguf.read(file).digest for file in (one, same, longer, other)]
    assert digests[0].startswith("gguf:") and digests[0] == digests[1] and len(set(digests)) == 3


def test_parts_are_counted_together(tmp_path: Path) -> None:
    first = made.write(tmp_path / "m-00001-of-00002.gguf", made.header(made.QWEN3_MOE, [DENSE]), 2 * GB)
    with pytest.raises(FileMissing, match=r"m-00002-of-00002\.gguf is not beside it"):
        gguf.model(first)
    made.write(tmp_path / "m-00002-of-00002.gguf", made.header({"split.no": 1}, [DENSE]), GB)
    assert gguf.model(first).bytes == 3 * GB
    assert gguf.read(first).parameters == 2 * 2048 * 1_000_000


def test_what_is_not_told_is_taken_from_the_size(tmp_path: Path) -> None:
    file = made.write(tmp_path / "x.gguf", made.header({"general.architecture": "new"}, [("w", (1_000_000, 7_600))]), 4 * GB)
    model = gguf.model(file)
    assert model.shape.typical and model.parameters.total == 7.6e9


def huge(kind: int, count: int) -> bytes:
    return made.text("k") + struct.pack("<I", 9) + struct.pack("<IQ", kind, count)


START = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
HOSTILE = {
    "no GGUF file": b"PK\x03\x04" + b"\0" * 100,
    "cut off": made.header(made.QWEN3_MOE)[:60],
    "of version 1": made.header({}, version=1),
    "big-endian or broken": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "claims 18,446,744,073,709,551,615 tensors": b"GGUF" + struct.pack("<IQQ", 3, 2**64 - 1, 0),
    "a name has": START + struct.pack("<Q", 2**63) + b"x" * 100,
    "a list has": START + huge(8, 2**60),
    "of type 77": START + made.text("k") + struct.pack("<I", 77),
    "of type 9": START + made.text("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 5,
    "a tensor has 4,": b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + made.text("t") + struct.pack("<I4Q", 4, *[8192] * 4) + b"\0" * 12,
    "has 4294967295 dimensions": b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + made.text("t") + struct.pack("<I", 2**32 - 1),
    "holds no weights": made.header({}),
}


@pytest.mark.parametrize("words", HOSTILE)
def test_a_file_that_says_what_cannot_be_is_refused(words: str, tmp_path: Path) -> None:
    file = made.write(tmp_path / "bad.gguf", HOSTILE[words])
    with pytest.raises(InputError, match=words):
        gguf.model(file)


def test_a_text_that_would_go_beyond_the_file(tmp_path: Path) -> None:
    file = made.write(tmp_path / "bad.gguf", START + made.text("k") + struct.pack("<IQ", 8, 2**40))
    with pytest.raises(InputError, match="cut off"):
        gguf.read(file)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        gguf.read(tmp_path / "nothing.gguf")
    os.mkfifo(tmp_path / "pipe.gguf")
    for name in ("pipe.gguf", "."):
        with pytest.raises(InputError, match="is no file"):
            gguf.read(tmp_path / name)


@given(st.binary(max_size=400), st.integers(0, 300))
def test_no_bytes_break_the_reader(tail: bytes, cut: int) -> None:
    sound = made.header({"general.architecture": "x", "n": 3, "l": [1, 2]}, [("t", (4, 4))])
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = made.write(Path(folder) / "f.gguf", sound[:cut] + tail)
        try:
            gguf.model(file)
        except InputError:
            pass


@pytest.mark.parametrize(("kind", "size"), [(0, 4 * 4096), (1, 2 * 4096), (8, 34 * 128), (12, 144 * 16), (14, 210 * 16)])
def test_weights_that_go_on_beyond_the_file(tmp_path: Path, kind: int, size: int) -> None:
    data = made.header({"general.architecture": "qwen3"}, [("blk.0.attn_q.weight", (64, 64))], kind=kind)
    begins = -(-len(data) // 32) * 32
    gguf.read(made.write(tmp_path / "whole.gguf", data, begins + size))
    with pytest.raises(
        InputError, match=rf"cut.gguf is cut off: it has {begins + size - 1:,} bytes, and its weights go on to {begins + size:,}"
    ):
        gguf.read(made.write(tmp_path / "cut.gguf", data, begins + size - 1))
