"""Reads and writes .safetensors files: a JSON header with names, types and places, then the arrays' bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "C64": "<c8", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
_NAMES = {np.dtype(text): name for name, text in _TYPES.items()}


def load_file(path: Path) -> dict[str, np.ndarray]:
    """The arrays by name; bfloat16 comes as single precision, which holds every such number exactly.

    Raises ValueError with the reason where the file is not whole or holds a type that NumPy has no equal of.
    """
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 + size:
        raise ValueError("the file is cut short, or is no .safetensors file")
    header, data = json.loads(content[8 : 8 + size]), memoryview(content)[8 + size :]
    arrays = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            if not 0 <= start <= end <= len(data):
                raise ValueError(f"the file is cut short: {name} is not whole")
            arrays[name] = _array(entry["dtype"], data[start:end]).reshape(entry["shape"])
    return arrays


def _array(kind: str, data: memoryview) -> np.ndarray:
    if kind == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    if kind not in _TYPES:
        raise ValueError(f"arrays of type {kind} cannot be read")
    return np.frombuffer(data, _TYPES[kind])


def save_file(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write arrays of any shape; raises ValueError for a type that the format does not know."""
    header: dict[str, object] = {}
    parts: list[bytes] = []
    place = 0
    for name, array in arrays.items():
        kind = _NAMES.get(array.dtype.newbyteorder("<"))
        if kind is None:
            raise ValueError(f"{name}: arrays of type {array.dtype} cannot be written as .safetensors")
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [place, place + len(data)]}
        parts.append(data)
        place += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))
