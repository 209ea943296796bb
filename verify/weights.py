"""Converts a checkpoint file: the arrays stay, under the same names, in a file without the original's framework."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .problems import VerifyError
from .safetensors import load_file, save_file

TORCH_SUFFIXES = (".pt", ".pth", ".bin")


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
    return out / (checkpoint.stem + (".pt" if target == "torch" else ".npz"))


def convert_checkpoint(path: str | Path, target: str, out: str | Path) -> Path:
    """Write the arrays of a checkpoint as `.npz`, `.safetensors` or, for PyTorch, `.pt`: by the name of `out`.

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
    source = Path(path)
    if not source.is_file():
        raise VerifyError(f"{source}: no such file")
    place = destination(source, target, Path(out))
    arrays = _read(source)
    if not arrays:
        raise VerifyError(f"{source}: holds no arrays")
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.stem}.part{place.suffix}")
    try:
        _write(temporary, arrays)
        temporary.replace(place)
    except (ValueError, ImportError) as error:
        raise VerifyError(f"{place}: cannot be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return place


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        if path.suffix == ".safetensors":
            return load_file(path)
        import torch

        content = torch.load(path, map_location="cpu", weights_only=True)
    except ImportError as error:
        raise VerifyError(f"{path}: reading it needs {error.name}, which is not installed") from error
    except Exception as error:
        raise VerifyError(f"{path}: cannot be read as a checkpoint of weights: {_reason(path, error)}") from error
    return dict(_flat(content, ""))


def _reason(path: Path, error: Exception) -> str:
    """Why a file could not be read, in one line."""
    text = str(error).strip()
    pickled = re.search(r"Unsupported (?:global|class|operand|operation)?.*?GLOBAL ([\w.]+)", text)
    if pickled:
        return f"it holds objects ({pickled.group(1)}), not only arrays; save the module's state_dict() and convert that"
    if path.suffix not in (".npz", ".safetensors"):
        return "PyTorch does not know its format"
    return text.splitlines()[0] if text else type(error).__name__


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
        save_file(arrays, path)
    elif path.suffix in TORCH_SUFFIXES:
        import torch

        torch.save({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}, path)
    else:
        np.savez(path, **arrays)  # type: ignore[arg-type]
