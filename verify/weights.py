"""Converts a checkpoint file: the arrays stay, under the same names, in a file without the original's framework."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .problems import VerifyError


def convert_checkpoint(path: str | Path, target: str, out: str | Path) -> Path:
    """Write the arrays of a checkpoint as `.npz`, or as `.safetensors` where `out` names one.

    path: a torch checkpoint (.pt, .pth, .bin, read with weights_only=True: nothing in it is run), a .safetensors
        or a .npz file. Nested dicts, as in {"model": state_dict, "epoch": 3}, give dotted names; numbers become
        0-d arrays; what is neither is left out.
    target: `jax`, `numpy`, `torch` or `tensorflow`. Converted layers keep the original's names and layouts, so the
        arrays are the same for all of them.
    out: the file to write, or a folder, which gets one of the checkpoint's name.

    Returns the file written. Raises VerifyError naming the file where it cannot be read or holds no arrays.
    """
    if target not in ("jax", "numpy", "torch", "tensorflow"):
        raise VerifyError(f"weights --to {target}: known targets are jax, numpy, torch and tensorflow")
    source, place = Path(path), Path(out)
    if not source.is_file():
        raise VerifyError(f"{source}: no such file")
    arrays = _read(source)
    if not arrays:
        raise VerifyError(f"{source}: holds no arrays")
    if place.suffix not in (".npz", ".safetensors"):
        place = place / (source.stem + ".npz")
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.stem}.part{place.suffix}")
    try:
        _write(temporary, arrays)
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)
    return place


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        if path.suffix == ".safetensors":
            return dict(_safetensors().load_file(path))
        import torch

        content = torch.load(path, map_location="cpu", weights_only=True)
    except ImportError as error:
        raise VerifyError(f"{path}: reading it needs {error.name}, which is not installed") from error
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise VerifyError(f"{path}: cannot be read as a checkpoint of weights: {reason}") from error
    return dict(_flat(content, ""))


def _flat(value: Any, name: str) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _flat(item, f"{name}.{index}" if name else str(index))
    elif hasattr(value, "detach"):
        tensor = value.detach().cpu()
        # NumPy has no bfloat16; single precision holds every such number exactly
        yield name, (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    elif isinstance(value, (bool, int, float)):
        yield name, np.array(value)


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    if path.suffix == ".safetensors":
        _safetensors().save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    else:
        np.savez(path, **arrays)  # type: ignore[arg-type]


def _safetensors() -> Any:
    try:
        import safetensors.numpy  # type: ignore[import-not-found]
    except ImportError as error:
        raise VerifyError(".safetensors files need the package safetensors: pip install safetensors") from error
    return safetensors.numpy
