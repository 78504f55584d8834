"""Reads the header of a GGUF file: its metadata and the sizes of its tensors, without a library and without its weights.

The format: "GGUF", version (u32), number of tensors and of metadata entries (u64 each); an entry is a name (u64 length, UTF-8), a
type (u32) and a value; a tensor a name, its number of dimensions (u32), the dimensions (u64 each), a type (u32), an offset (u64).
All little-endian. Long lists (the vocabulary) are stepped over. A file that says what cannot be is refused with a reason.
"""

from __future__ import annotations

import hashlib
import re
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from inglenook.endpoints.amounts import Bits, Parameters, bits_of_name
from inglenook.endpoints.shapes import Shape, from_metadata, parameters_from_metadata, typical
from inglenook.endpoints.sizing import Model
from inglenook.errors import FileMissing, InputError

HEADER_BYTES: Final = 256 * 1024 * 1024
ENTRIES: Final = 10_000
TENSORS: Final = 200_000
ELEMENTS: Final = 20_000_000
NAME_BYTES: Final = 65_535
KEPT_TEXT: Final = 4_096  # bytes of a text that is kept; a chat template is longer and not needed
KEPT_LIST: Final = 4_096  # numbers of a list that is kept: one for each layer
SHARDS: Final = 1_000

_NUMBERS: Final = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _LIST = 8, 9
_BLOCKS: Final = {
    **{0: (1, 4), 1: (1, 2), 30: (1, 2), 24: (1, 1), 25: (1, 2), 26: (1, 4)},  # F32, F16, BF16, I8, I16, I32
    **{2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34)},  # Q4_0, Q4_1, Q5_0, Q5_1, Q8_0
    **{10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210)},  # Q2_K to Q6_K
}
"""Type of a tensor → how many numbers stand in a block, and the bytes of one. Of other types only where they begin is known."""
_PART: Final = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of itself. metadata: numbers, short texts and short lists, by name. parameters: elements of all
    tensors; experts: of those that belong to experts. size: bytes of the file, all its parts together. digest: "gguf:" and the
    SHA-256 over the header and the size: another file, another digest, without reading the weights."""

    metadata: dict[str, Any] = field(repr=False)
    parameters: int
    experts: int
    size: int
    digest: str


def read(path: str | Path) -> Header:
    """The header of a file, and of the other parts if it is the first of several. FileMissing, InputError."""
    first = Path(path)
    headers = [_read_one(first)]
    for part in _other_parts(first):
        headers.append(_read_one(part))
    digest = hashlib.sha256("".join(h.digest for h in headers).encode()).hexdigest() if len(headers) > 1 else headers[0].digest
    return Header(
        headers[0].metadata,
        sum(h.parameters for h in headers),
        sum(h.experts for h in headers),
        sum(h.size for h in headers),
        f"gguf:{digest}",
    )


def digest_or_none(path: str | Path) -> str:
    """What tells this file from another build of the model; "" if it cannot be read."""
    try:
        return read(path).digest
    except (FileMissing, InputError):
        return ""


def model(path: str | Path) -> Model:
    """A file as a model to be placed. FileMissing, InputError."""
    header, name = read(path), Path(path).name
    values, kind = header.metadata, header.metadata.get("general.architecture")
    size = _parameters(header)
    if size is None:
        raise InputError(f"{name} holds no weights.", hint="Name a GGUF file of a model (of several parts the first).")
    shape = from_metadata(values, f"{name} ({kind})") or _guessed(size, values)
    real = header.size * 8 / size.total
    told = bits_of_name(name) or Bits(round(real), real)
    return Model(name, size, Bits(told.nominal, real, told.told), shape, header.size, "the file itself")


def _parameters(header: Header) -> Parameters | None:
    """Counted from the tensors, so that of a mixture too it is known how many are active."""
    found = parameters_from_metadata(header.metadata, header.parameters or None)
    kind = header.metadata.get("general.architecture")
    experts, used = header.metadata.get(f"{kind}.expert_count"), header.metadata.get(f"{kind}.expert_used_count")
    if found is None or not header.experts or not isinstance(experts, int) or not isinstance(used, int) or not 0 < used < experts:
        return found
    return Parameters(found.total, found.total - header.experts * (1 - used / experts), mixture=True)


def _guessed(size: Parameters, values: dict[str, Any]) -> Shape:
    from dataclasses import replace

    trained = values.get(f"{values.get('general.architecture')}.context_length")
    return replace(typical(size), trained=trained if isinstance(trained, int) and trained > 0 else None)


def _other_parts(first: Path) -> list[Path]:
    """The parts after the first, by name: `…-00001-of-00003.gguf`. FileMissing if one is not there."""
    found = _PART.search(first.name)
    if not found or int(found[1]) != 1 or not 1 < int(found[2]) <= SHARDS:
        return []
    stem, count = first.name[: found.start()], int(found[2])
    parts = [first.with_name(f"{stem}-{number:05d}-of-{count:05d}.gguf") for number in range(2, count + 1)]
    for part in parts:
        if not part.is_file():
            raise FileMissing(f"{first.name} is one of {count} parts, and {part.name} is not beside it.")
    return parts


def _read_one(path: Path) -> Header:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path.name} is no file.", hint="Name the path of a .gguf file.")
        with path.open("rb") as file:
            return _Reader(file, status.st_size, path.name).header()
    except FileNotFoundError as error:
        raise FileMissing(f"There is no file {path}.", hint="Name the path of a .gguf file.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


class _Reader:
    """Steps through a header and never beyond the file or a bound of ours."""

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self._file, self._size, self._name = file, size, name
        self._bound = min(size, HEADER_BYTES)

    def header(self) -> Header:
        if self._bytes(4) != b"GGUF":
            raise InputError(
                f"{self._name} is no GGUF file.", hint="Weights in other formats (safetensors, MLX) are asked of their server."
            )
        version = self._number(4)
        if version not in (2, 3):
            why = "big-endian or broken" if version > 0xFFFF else f"of version {version}, which is not known here"
            raise InputError(f"{self._name} is {why}.", hint="Convert it again with a current llama.cpp.")
        tensors, entries = self._long(), self._long()
        if tensors > TENSORS or entries > ENTRIES:
            raise self._broken(f"it claims {tensors:,} tensors and {entries:,} entries")
        metadata: dict[str, Any] = {}
        for _ in range(entries):
            key = self._text(NAME_BYTES)
            value = self._value(self._number(4))
            if value is not None:
                metadata[key] = value
        parameters, experts, weights = self._tensors(tensors)
        end = self._file.tell()
        self._whole(end, weights, metadata.get("general.alignment"))
        self._file.seek(0)
        told = hashlib.sha256(self._size.to_bytes(8, "little"))
        while (left := end - self._file.tell()) > 0:
            told.update(self._bytes(min(left, 1 << 20)))
        return Header(metadata, parameters, experts, self._size, told.hexdigest())

    def _whole(self, end: int, weights: int, alignment: Any) -> None:
        """InputError if the weights, which begin at the next multiple of the alignment, go on beyond the file."""
        step = alignment if isinstance(alignment, int) and 0 < alignment <= 1 << 20 else 32
        needed = -(-end // step) * step + weights
        if weights and needed > self._size:
            words = f"{self._name} is cut off: it has {self._size:,} bytes, and its weights go on to {needed:,}."
            raise InputError(words, hint="Was the download finished?")

    def _tensors(self, count: int) -> tuple[int, int, int]:
        """Elements of all tensors, and of those of experts (`blk.3.ffn_up_exps.weight`); bytes that the weights take at least."""
        everything = experts = weights = 0
        for _ in range(count):
            name = self._text(NAME_BYTES)
            dimensions = self._number(4)
            if dimensions > 8:
                raise self._broken(f"a tensor has {dimensions} dimensions")
            elements = 1
            for _ in range(dimensions):
                elements *= self._long()
            if elements > 1 << 50:
                raise self._broken(f"a tensor has {elements:,} numbers")
            kind, offset = self._number(4), self._long()
            per, size = _BLOCKS.get(kind, (1, 0))
            weights = max(weights, offset + elements // per * size)
            everything += elements
            experts += elements if "_exps." in name else 0
        return everything, experts, weights

    def _value(self, kind: int, depth: int = 0) -> Any:
        """A value; None for one that was stepped over."""
        if kind in _NUMBERS:
            layout = _NUMBERS[kind]
            return struct.unpack(layout, self._bytes(struct.calcsize(layout)))[0]
        if kind == _TEXT:
            length = self._long()
            if length > KEPT_TEXT:
                return self._step(length)
            return self._bytes(length).decode("utf-8", "replace")
        if kind != _LIST or depth > 2:
            raise self._broken(f"a value is of type {kind}, which there is not")
        inner, count = self._number(4), self._long()
        if count > ELEMENTS:
            raise self._broken(f"a list has {count:,} elements")
        if inner in _NUMBERS:
            layout = _NUMBERS[inner]
            if count > KEPT_LIST:
                return self._step(count * struct.calcsize(layout))
            return [struct.unpack(layout, self._bytes(struct.calcsize(layout)))[0] for _ in range(count)]
        for _ in range(count):
            if inner == _TEXT:
                self._step(self._long())
            else:
                self._value(inner, depth + 1)
        return None

    def _text(self, most: int) -> str:
        length = self._long()
        if length > most:
            raise self._broken(f"a name has {length:,} bytes")
        return self._bytes(length).decode("utf-8", "replace")

    def _number(self, size: int) -> int:
        return int.from_bytes(self._bytes(size), "little")

    def _long(self) -> int:
        return self._number(8)

    def _bytes(self, count: int) -> bytes:
        if self._file.tell() + count > self._bound:
            raise self._short()
        found = self._file.read(count)
        if len(found) < count:
            raise self._short()
        return found

    def _step(self, count: int) -> None:
        if self._file.tell() + count > self._bound:
            raise self._short()
        self._file.seek(count, 1)

    def _short(self) -> InputError:
        if self._bound < self._size:
            return self._broken(f"its header is longer than {HEADER_BYTES // 1024 // 1024} MiB")
        return InputError(f"{self._name} is cut off: its header goes on beyond its end.", hint="Was the download finished?")

    def _broken(self, why: str) -> InputError:
        return InputError(f"{self._name} is no sound GGUF file: {why}.", hint="Download it again, from a source you trust.")
