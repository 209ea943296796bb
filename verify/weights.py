"""Converts a checkpoint file: the arrays stay, under the same names, in a file without the original's framework."""

from __future__ import annotations

import argparse
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoints import INDEX, Checkpoint, found_checkpoint, read_checkpoint
from .problems import VerifyError
from .safetensors import NUMPY_TYPES, Stored, stored_array, write_file

TORCH_SUFFIXES = (".pt", ".pth", ".bin")
#: What a folder gets, by the target.
_ENDINGS = {"torch": ".pt", "jax": ".safetensors"}


def destination(checkpoint: Path, target: str, out: Path) -> Path:
    """The file to write: `out` itself where its name ends as a checkpoint's, else a file in the folder `out`.

    Raises VerifyError where the target could not read what `out` names.
    """
    if out.suffix in TORCH_SUFFIXES and not out.is_dir():
        if target != "torch":
            raise VerifyError(f"{out}: only PyTorch reads {out.suffix} files; end its name in .npz or .safetensors")
        return out
    if out.suffix in (".npz", ".safetensors") and not out.is_dir():
        return out
    stem = Path(checkpoint.name.removesuffix(INDEX)).stem if checkpoint.name.endswith(INDEX) else checkpoint.stem
    return out / (stem + _ENDINGS.get(target, ".npz"))


def convert_checkpoint(path: str | Path, target: str, out: str | Path) -> Path:
    """Write a checkpoint as `.safetensors`, `.npz` or, for PyTorch, `.pt`: by the name of `out`.

    path: a torch checkpoint (.pt, .pth, .bin, read with weights_only=True: nothing in it is run), a .safetensors or
        .npz file, the .index.json of a checkpoint in several files, or a folder with one of these. The names of
        arrays in nested dicts, as in {"model": state_dict, "epoch": 3}, are joined by dots. A .safetensors file
        keeps the nesting and what is no array in its metadata; in a .npz file numbers become 0-d arrays, and what is
        neither is left out.
    target: `jax`, `numpy`, `torch` or `tensorflow`. Converted layers keep the original's names and layouts, so the
        arrays are the same for all of them; the converted code's `load` gives the nested dicts, and its optimizers
        and schedules take over what torch's held.
    out: the file to write, or a folder, which gets one of the checkpoint's name.

    Arrays pass through in pieces, except on the way into a `.pt` file. Returns the file written, which is complete
    or not there. Raises VerifyError naming the file where it cannot be read or holds no arrays.
    """
    if target not in ("jax", "numpy", "torch", "tensorflow"):
        raise VerifyError(f"weights --to {target}: known targets are jax, numpy, torch and tensorflow")
    source = found_checkpoint(Path(path))
    place = destination(source, target, Path(out))
    write_checkpoint(read_checkpoint(source), place)
    return place


def write_checkpoint(checkpoint: Checkpoint, place: Path) -> None:
    """Write a checkpoint that was read; VerifyError, and no file, where that fails."""
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.stem}.part{place.suffix}")
    try:
        if place.suffix == ".safetensors":
            structure = {} if checkpoint.structure is None else {"structure": json.dumps(checkpoint.structure)}
            write_file(temporary, checkpoint.arrays, structure)
        elif place.suffix in TORCH_SUFFIXES:
            _write_torch(temporary, checkpoint)
        else:
            _write_npz(temporary, checkpoint)
        temporary.replace(place)
    except (ValueError, ImportError, OSError) as error:
        raise VerifyError(f"{place}: cannot be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _write_npz(path: Path, checkpoint: Checkpoint) -> None:
    """NumPy's archive of arrays, one member after the other."""
    numbers = {name: value for name, value in checkpoint.others.items() if isinstance(value, (bool, int, float))}
    texts = [f"{name} (text)" for name, value in checkpoint.others.items() if isinstance(value, str)]
    checkpoint.left_out.extend(texts)
    arrays = {name: stored_array(np.array(value), name) for name, value in numbers.items()} | checkpoint.arrays
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            # NumPy has no bfloat16; single precision holds every such number exactly
            kind = "F32" if array.kind == "BF16" else array.kind
            if kind not in NUMPY_TYPES:
                raise ValueError(f"{name}: NumPy has no type {kind}; write .safetensors")
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                header = {"descr": NUMPY_TYPES[kind], "fortran_order": False, "shape": array.shape}
                np.lib.format.write_array_header_2_0(file, header)
                for piece in _widened(array) if array.kind == "BF16" else array.pieces():
                    file.write(piece)


def _widened(array: Stored) -> Iterator[bytes]:
    """bfloat16 as single precision."""
    for piece in array.pieces():
        yield (np.frombuffer(piece, "<u2").astype("<u4") << 16).tobytes()


def _write_torch(path: Path, checkpoint: Checkpoint) -> None:
    """A file of `torch.save`, for which all arrays are read at once."""
    import torch

    names = {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "BF16": "bfloat16"}
    names |= {kind: np.dtype(text).name for kind, text in NUMPY_TYPES.items()}
    tensors = {}
    for name, array in checkpoint.arrays.items():
        dtype = getattr(torch, names[array.kind])
        data = bytearray(b"".join(array.pieces()))
        flat = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        tensors[name] = flat.reshape(array.shape)
    torch.save(tensors if checkpoint.structure is None else _decoded(checkpoint.structure, tensors), path)


def _decoded(structure: Any, arrays: Mapping[str, Any]) -> Any:
    """The nesting of a checkpoint with its arrays in place."""
    match structure:
        case {"dict": pairs}:
            return {_decoded(key, arrays): _decoded(value, arrays) for key, value in pairs}
        case {"list": entries}:
            return [_decoded(entry, arrays) for entry in entries]
        case {"tuple": entries}:
            return tuple(_decoded(entry, arrays) for entry in entries)
        case {"set": entries}:
            return {_decoded(entry, arrays) for entry in entries}
        case {"namespace": entries}:
            return argparse.Namespace(**_decoded(entries, arrays))
        case {"path": text}:
            return Path(text)
        case {"array": name}:
            if "dtype" in structure or "key" in structure:
                raise ValueError(f"{name} is of a type that torch does not have")
            return arrays[name]
    return structure
