"""Inputs given as a live dict, written as a file of inputs for the original's process."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .problems import VerifyError

_READER = """import pickle
from pathlib import Path

inputs = pickle.loads(Path(__file__).with_suffix(".pickle").read_bytes())
"""


def write_inputs(inputs: Any, folder: Path) -> Path | None:
    """The path of the file of inputs: the one that was named, or one made from a dict; None for None."""
    if inputs is None:
        return None
    if isinstance(inputs, (str, os.PathLike)):
        path = Path(inputs).resolve()
        if not path.is_file():
            raise VerifyError(f"--inputs {inputs}: no such file")
        return path
    if not isinstance(inputs, Mapping):
        raise VerifyError("inputs: a path or a dict of name -> case is expected")
    # only for the way to our own process: nothing that came from outside is unpickled
    (folder / "inputs.pickle").write_bytes(pickle.dumps({name: _plain(case) for name, case in inputs.items()}))
    path = folder / "inputs.py"
    path.write_text(_READER, "utf-8")
    return path


def _plain(value: Any) -> Any:
    """Arrays of any framework as NumPy arrays."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_plain(item) for item in value)
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.asarray(value) if hasattr(value, "__array__") else value
