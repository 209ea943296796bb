"""Reads checkpoints of any format: the arrays, which stay in their files until they are written, and their nesting."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import pathlib
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .problems import VerifyError
from .safetensors import KINDS, PIECE, Stored, read_file

INDEX = ".index.json"
_TORCH_KINDS = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2", "complex64": "C64", "complex128": "C128", "int64": "I64", "int32": "I32",
    "int16": "I16", "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip


@dataclass
class Checkpoint:
    """What a file holds.

    arrays: by their dotted names. structure: the nesting as the converted code's `load` reads it, with the arrays by
    name; None where the content is nothing but arrays by name. others: numbers, texts and None by their dotted names.
    left_out: what none of these can hold, with its type.
    """

    arrays: dict[str, Stored] = field(default_factory=dict)
    structure: Any = None
    others: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def found_checkpoint(path: Path) -> Path:
    """The checkpoint that a path names: itself, or the only one in a folder."""
    if not path.exists():
        raise VerifyError(f"{path}: no such file")
    if path.is_file():
        return path
    for pattern in (f"*{INDEX}", "*.safetensors", "*.bin", "*.pt", "*.pth"):
        found = sorted(path.glob(pattern))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(one.name for one in found[:3])
            raise VerifyError(f"{path}: holds several checkpoints ({names}, ...); name one of them")
    raise VerifyError(f"{path}: a folder without a checkpoint")


def read_checkpoint(path: Path) -> Checkpoint:
    """The content of a checkpoint; the arrays are read when they are written.

    Raises VerifyError naming the file where it cannot be read or holds no arrays.
    """
    try:
        if path.name.endswith(INDEX):
            checkpoint = _read_shards(path)
        elif path.suffix == ".npz":
            checkpoint = Checkpoint(_read_npz(path))
        elif path.suffix == ".safetensors":
            checkpoint = _read_safetensors(path)
        else:
            checkpoint = _read_torch(path)
    except VerifyError:
        raise
    except ImportError as error:
        raise VerifyError(f"{path}: reading it needs {error.name}, which is not installed") from error
    except Exception as error:
        raise VerifyError(f"{path}: cannot be read as a checkpoint of weights: {_reason(path, error)}") from error
    if not checkpoint.arrays:
        raise VerifyError(f"{path}: holds no arrays")
    return checkpoint


def _reason(path: Path, error: Exception) -> str:
    """Why a file could not be read, in one line."""
    text = str(error).strip()
    pickled = re.search(r"Unsupported (?:global|class|operand|operation)?.*?GLOBAL ([\w.]+)", text)
    if pickled:
        return f"it holds objects ({pickled.group(1)}), not only arrays; save the module's state_dict() and convert that"
    if path.suffix not in (".npz", ".safetensors") and not path.name.endswith(INDEX):
        return "PyTorch does not know its format"
    return text.splitlines()[0] if text else type(error).__name__


def _read_safetensors(path: Path) -> Checkpoint:
    arrays, metadata = read_file(path)
    structure = json.loads(metadata["structure"]) if "structure" in metadata else None
    return Checkpoint(arrays, structure, dict(_plain_leaves(structure, "")))


def _plain_leaves(structure: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The numbers, texts and None of a structure by their dotted names."""
    match structure:
        case {"dict": pairs}:
            for key, value in pairs:
                yield from _plain_leaves(value, _joined(name, key))
        case {"list": entries} | {"tuple": entries} | {"set": entries}:
            for index, value in enumerate(entries):
                yield from _plain_leaves(value, _joined(name, index))
        case {"namespace": inner}:
            yield from _plain_leaves(inner, name)
        case str() | int() | float() | None if name:
            yield name, structure


def _read_shards(path: Path) -> Checkpoint:
    """`model.safetensors.index.json`: which file beside it holds which array."""
    places = json.loads(path.read_text())["weight_map"]
    shards: dict[str, dict[str, Stored]] = {}
    for file in dict.fromkeys(places.values()):
        shard = path.parent / file
        if not shard.is_file():
            raise VerifyError(f"{shard}: no such file, though {path.name} names it")
        shards[file] = read_checkpoint(shard).arrays
    missing = [name for name, file in places.items() if name not in shards[file]]
    if missing:
        raise VerifyError(f"{path.parent / places[missing[0]]}: has no array {missing[0]}, though {path.name} says so")
    return Checkpoint({name: shards[file][name] for name, file in places.items()})


def _read_npz(path: Path) -> dict[str, Stored]:
    with zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy"): _npz_entry(path, archive, name) for name in archive.namelist()}


def _npz_entry(path: Path, archive: zipfile.ZipFile, name: str) -> Stored:
    """One member of an archive, of which only the header is read."""
    with archive.open(name) as file:
        shape, is_turned, dtype = _npy_header(file)
    kind = KINDS.get(dtype.newbyteorder("<"))
    if kind is None:
        raise ValueError(f"{name.removesuffix('.npy')}: arrays of type {dtype} are no numbers")

    def pieces() -> Iterator[bytes]:
        with zipfile.ZipFile(path) as again, again.open(name) as file:
            if is_turned or dtype.byteorder == ">":
                array = np.lib.format.read_array(file, allow_pickle=False)
                yield np.ascontiguousarray(array, dtype.newbyteorder("<")).tobytes()
                return
            _npy_header(file)
            while data := file.read(PIECE):
                yield data

    return Stored(kind, shape, pieces)


def _npy_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def _read_torch(path: Path) -> Checkpoint:
    """A file of `torch.save`, mapped into memory where its format allows; nothing in it is run."""
    import torch

    allowed = getattr(torch.serialization, "safe_globals", None)
    with allowed(_harmless()) if allowed is not None else contextlib.nullcontext():
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    checkpoint = Checkpoint()
    structure = _encoded(content, "", checkpoint)
    is_flat = isinstance(content, Mapping) and list(content) == list(checkpoint.arrays)
    checkpoint.structure = None if is_flat or structure is _LEFT_OUT else structure
    return checkpoint


def _harmless() -> list[Any]:
    """Types beside arrays that checkpoints often hold, and whose making runs no code of the file."""
    numbers = [np.dtype, *(type(np.dtype(code)) for code in np.typecodes["AllInteger"] + np.typecodes["Float"] + "?")]
    scalar = np.float64(1).__reduce__()[0]
    return [argparse.Namespace, pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePosixPath, scalar, *numbers]


_LEFT_OUT = object()


def _encoded(value: Any, name: str, checkpoint: Checkpoint) -> Any:
    """`value` in the words of the converted code's `load`; arrays go into the checkpoint."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (str, bool, int, float)):
        checkpoint.others[name] = value
        return value
    if hasattr(value, "detach"):
        unique = name or "obj"
        while unique in checkpoint.arrays:  # {"a": {"b": x}, "a.b": y}
            unique += "_"
        checkpoint.arrays[unique] = _stored_tensor(value, unique)
        return {"array": unique, "jax": True}
    if isinstance(value, Mapping):
        entries = [[_key(key), _encoded(entry, _joined(name, key), checkpoint)] for key, entry in value.items()]
        return {"dict": [pair for pair in entries if pair[1] is not _LEFT_OUT]}
    if isinstance(value, (list, tuple, set, frozenset)):
        kind = "tuple" if isinstance(value, tuple) else "list" if isinstance(value, list) else "set"
        items = [_encoded(entry, _joined(name, index), checkpoint) for index, entry in enumerate(value)]
        return {kind: [None if item is _LEFT_OUT else item for item in items]}
    if isinstance(value, argparse.Namespace):
        return {"namespace": _encoded(vars(value), name, checkpoint)}
    if isinstance(value, os.PathLike):
        return {"path": os.fspath(value)}
    checkpoint.left_out.append(f"{name} ({type(value).__module__}.{type(value).__name__})")
    return _LEFT_OUT


def _joined(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)


def _key(key: Any) -> Any:
    """A key of a dictionary."""
    return {"tuple": [_key(part) for part in key]} if isinstance(key, tuple) else key


def _stored_tensor(value: Any, name: str) -> Stored:
    """A tensor, which may lie in a file that is mapped into memory."""
    import torch

    kind = _TORCH_KINDS.get(str(value.dtype).removeprefix("torch."))
    if kind is None or value.layout != torch.strided or value.is_quantized:
        raise VerifyError(f"{name} is a {value.layout} tensor of {value.dtype}, which has no equal elsewhere")

    def pieces() -> Iterator[bytes]:
        tensor = value.detach().resolve_conj().resolve_neg()
        flat = (torch.view_as_real(tensor) if tensor.is_complex() else tensor).contiguous().reshape(-1)
        step = PIECE // flat.element_size()
        for start in range(0, math.prod(flat.shape), step):
            yield flat[start : start + step].view(torch.uint8).numpy().tobytes()

    return Stored(kind, tuple(value.shape), pieces)
