"""Reads and writes .safetensors files: a JSON header with names, types and places, then the arrays' bytes.

Arrays pass through in pieces, so that a file of any size needs the memory of one piece.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: The format's types: how many bytes an element has, and NumPy's name of it where it has one.
ELEMENT_SIZES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "C64": 8, "I64": 8, "I32": 4, "I16": 2,
    "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip
NUMPY_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "C64": "<c8", "C128": "<c16", "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
KINDS = {np.dtype(text): kind for kind, text in NUMPY_TYPES.items()}
PIECE = 1 << 20
_LARGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class Stored:
    """An array that has not been read yet.

    kind: its type by the format's name. pieces: gives its bytes from the first, little-endian, in C order.
    """

    kind: str
    shape: tuple[int, ...]
    pieces: Callable[[], Iterator[bytes]]

    @property
    def size(self) -> int:
        """The number of bytes."""
        return math.prod(self.shape) * ELEMENT_SIZES.get(self.kind, 16)


def stored_array(array: np.ndarray, name: str) -> Stored:
    """An array in memory; raises ValueError for types that are no numbers."""
    kind = KINDS.get(array.dtype.newbyteorder("<"))
    if kind is None:
        raise ValueError(f"{name}: arrays of type {array.dtype} are no numbers")
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return Stored(kind, array.shape, lambda: iter((little.tobytes(),)))


def read_file(path: Path) -> tuple[dict[str, Stored], dict[str, Any]]:
    """The arrays by name, and the file's metadata; only the header is read.

    Raises ValueError with the reason where the file is not whole or holds types that are not known.
    """
    length = path.stat().st_size
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if length < 8 or size > min(length - 8, _LARGEST_HEADER):
            raise ValueError("the file is cut short, or is no .safetensors file")
        try:
            header = json.loads(file.read(size))
        except ValueError as error:
            raise ValueError("the file is no .safetensors file") from error
    metadata = header.pop("__metadata__", {})
    return {name: _entry(path, name, entry, 8 + size, length) for name, entry in header.items()}, metadata


def _entry(path: Path, name: str, entry: Mapping[str, Any], begin: int, length: int) -> Stored:
    """One array of the header; its bytes stand at `begin` and its offset."""
    kind, shape, (start, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    if kind not in ELEMENT_SIZES:
        raise ValueError(f"arrays of type {kind} cannot be read ({name})")
    if not 0 <= start <= end <= length - begin:
        raise ValueError(f"the file is cut short: {name} is not whole")
    stored = Stored(kind, shape, lambda: _slice(path, begin + start, end - start))
    if stored.size != end - start:
        raise ValueError(f"the header is wrong: {name} of shape {list(shape)} has {end - start} bytes")
    return stored


def _slice(path: Path, place: int, count: int) -> Iterator[bytes]:
    """`count` bytes of a file from `place` on."""
    with open(path, "rb") as file:
        file.seek(place)
        while count:
            data = file.read(min(PIECE, count))
            if not data:
                raise ValueError("the file became shorter while it was read")
            count -= len(data)
            yield data


def write_file(path: Path, arrays: Mapping[str, Stored], metadata: Mapping[str, str]) -> None:
    """Write arrays one after the other; raises ValueError for a type that the format does not know."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    place = 0
    for name, array in arrays.items():
        if array.kind not in ELEMENT_SIZES:
            raise ValueError(f"{name}: .safetensors files have no complex numbers of 128 bits; write .npz")
        offsets = [place, place + array.size]
        header[name] = {"dtype": array.kind, "shape": list(array.shape), "data_offsets": offsets}
        place += array.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.writelines(array.pieces())
