"""Saving nested dictionaries, lists, arrays and plain values in one file, as people use `torch.save`.

The file is numpy's `.npz` (a zip of arrays) with the nesting as JSON beside the arrays. Nothing in it is executed
when it is read, unlike a pickle. Reading needs numpy and this module only.
"""

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

STRUCTURE = "structure"


def save(obj: Any, path: Any) -> None:
    """Write `obj` to a path or a binary file.

    It may hold dicts, lists, tuples, numbers, strings, None, arrays, random keys and Variables; TypeError names
    what it may not hold. A path is replaced only when the file is complete.
    """
    arrays: dict[str, np.ndarray] = {}
    structure = json.dumps(encoded(obj, arrays, "obj"))
    content = {STRUCTURE: np.array(structure), **arrays}
    if hasattr(path, "write"):
        np.savez(path, **content)
        return
    target = Path(path)
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with open(partial, "wb") as file:
            np.savez(file, **content)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Any) -> Any:
    """What `save` wrote to a path or a binary file; ValueError if something else did."""
    problem = f"{path} was not written by save(); convert checkpoints of torch with `ivy-convert weights`"
    try:
        content = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:  # ValueError: a pickle, as torch wrote before 1.6.
        raise ValueError(problem) from error
    if not isinstance(content, np.lib.npyio.NpzFile) or STRUCTURE not in content:
        raise ValueError(problem)
    with content:
        return decoded(json.loads(str(content[STRUCTURE])), content)


def encoded(value: Any, arrays: dict[str, np.ndarray], where: str) -> Any:
    """`value` as JSON; arrays go into `arrays` and leave their number behind."""
    if isinstance(value, nnx.Variable):
        value = value.get_value()
    if value is None or isinstance(value, (bool, str)) or type(value) in (int, float):
        return value
    if isinstance(value, (nnx.State, Mapping)):
        pairs = [[encoded(k, arrays, where), encoded(v, arrays, f"{where}[{k!r}]")] for k, v in value.items()]
        return {"dict": pairs}
    if isinstance(value, (list, tuple)):
        entries = [encoded(entry, arrays, f"{where}[{i}]") for i, entry in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": entries}
    if isinstance(value, (jax.Array, np.ndarray, np.generic)):
        return encoded_array(value, arrays)
    raise TypeError(
        f"save: {where} is a {type(value).__name__}; save dicts, lists, arrays, numbers and strings "
        "(for a configuration object: vars(config) or dataclasses.asdict(config))"
    )


def encoded_array(value: Any, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """An array by its number, with what a plain numpy file does not keep: JAX or numpy, random key, bfloat16."""
    note: dict[str, Any] = {"array": str(len(arrays)), "jax": isinstance(value, jax.Array)}
    if note["jax"] and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        note["key"] = str(jax.random.key_impl(value))
        value = jax.random.key_data(value)
    array = np.asarray(value)
    if array.dtype.kind == "V" or array.dtype.name not in np.sctypeDict:
        note["dtype"] = array.dtype.name
        array = array.view(np.dtype(f"u{array.dtype.itemsize}"))
    if array.dtype == object:
        raise TypeError("save: an array of Python objects cannot be saved")
    arrays[note["array"]] = array
    return note


def decoded(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The inverse of `encoded`."""
    if not isinstance(value, dict):
        return value
    if "dict" in value:
        return {decoded(k, arrays): decoded(v, arrays) for k, v in value["dict"]}
    if "list" in value:
        return [decoded(entry, arrays) for entry in value["list"]]
    if "tuple" in value:
        return tuple(decoded(entry, arrays) for entry in value["tuple"])
    array = arrays[value["array"]]
    if "dtype" in value:
        array = array.view(jnp.dtype(value["dtype"]))
    if "key" in value:
        return jax.random.wrap_key_data(array, impl=value["key"])
    return jnp.asarray(array) if value["jax"] else array
