"""Writes GGUF headers by hand, sound ones and broken ones; the weights are a hole in the file."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

QWEN3_MOE: Mapping[str, Any] = {
    "general.architecture": "qwen3moe",
    "qwen3moe.block_count": 48,
    "qwen3moe.embedding_length": 2048,
    "qwen3moe.attention.head_count": 32,
    "qwen3moe.attention.head_count_kv": 4,
    "qwen3moe.attention.key_length": 128,
    "qwen3moe.attention.value_length": 128,
    "qwen3moe.context_length": 262144,
    "qwen3moe.expert_count": 128,
    "qwen3moe.expert_used_count": 8,
    "tokenizer.ggml.tokens": ["a"] * 5000,
    "tokenizer.chat_template": "x" * 9000,
}


def text(words: str) -> bytes:
    data = words.encode()
    return struct.pack("<Q", len(data)) + data


def value(thing: Any) -> bytes:
    if isinstance(thing, bool):
        return struct.pack("<I?", 7, thing)
    if isinstance(thing, int):
        return struct.pack("<IQ", 10, thing)
    if isinstance(thing, float):
        return struct.pack("<If", 6, thing)
    if isinstance(thing, str):
        return struct.pack("<I", 8) + text(thing)
    inner = b"".join(value(item)[4:] for item in thing)
    kind = value(thing[0])[:4] if thing else struct.pack("<I", 4)
    return struct.pack("<I", 9) + kind + struct.pack("<Q", len(thing)) + inner


def header(metadata: Mapping[str, Any], tensors: Sequence[tuple[str, tuple[int, ...]]] = (), *, version: int = 3, kind: int = 23) -> bytes:
    """kind: the type of all tensors, IQ4_XS unless another is named; each begins where the weights do."""
    entries = b"".join(text(key) + value(thing) for key, thing in metadata.items())
    infos = b"".join(
        text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape) + struct.pack("<IQ", kind, 0) for name, shape in tensors
    )
    return b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata)) + entries + infos


def write(path: Path, data: bytes, size: int = 0) -> Path:
    """The header, and a hole behind it up to `size` bytes."""
    path.write_bytes(data)
    if size > len(data):
        with path.open("r+b") as file:
            file.truncate(size)
    return path
