"""Saving nested dictionaries, lists, arrays and plain values in one file, as people use `torch.save`.

The file is a `.safetensors` file: a JSON header with names, types and places, then the arrays' bytes. Arrays have
dotted names, `model.fc.weight`; the nesting and everything that is no array stand as JSON in the header's metadata.
Nothing in it is executed when it is read, unlike a pickle, and other programs read its arrays.
"""

import argparse
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

STRUCTURE = "structure"
#: The format's names of element types.
ELEMENT_TYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "complex64": "C64",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "int64": "I64", "int32": "I32", "int16": "I16",
    "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip


def save(obj: Any, path: Any) -> None:
    """Write `obj` to a path or a binary file.

    It may hold dicts, lists, tuples, sets, namespaces, paths, numbers, strings, None, arrays, random keys and
    Variables; TypeError names what it may not hold. A path is replaced only when the file is complete.
    """
    arrays: dict[str, np.ndarray] = {}
    structure = encoded(obj, arrays, "")
    if hasattr(path, "write"):
        write_arrays(path, arrays, structure)
        return
    target = Path(path)
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with open(partial, "wb") as file:
            write_arrays(file, arrays, structure)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Any) -> Any:
    """What `save` wrote to a path or a binary file; of other `.safetensors` and `.npz` files a dict of arrays.

    ValueError if it is none of these.
    """
    if hasattr(path, "read"):
        return read_arrays(path)
    with open(path, "rb") as file:
        return read_arrays(file)


def write_arrays(file: BinaryIO, arrays: Mapping[str, np.ndarray], structure: Any) -> None:
    """The header, then one array after the other."""
    header: dict[str, Any] = {"__metadata__": {STRUCTURE: json.dumps(structure)}}
    place = 0
    for name, array in arrays.items():
        kind = ELEMENT_TYPES[array.dtype.name]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [place, place + array.nbytes]}
        place += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for array in arrays.values():
        file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def read_arrays(file: BinaryIO) -> Any:
    """The content of a `.safetensors` or `.npz` file, which is told from its first bytes."""
    problem = f"{getattr(file, 'name', 'the file')} is no checkpoint: convert one of torch with `ivy-convert weights`"
    first = file.read(8)
    if first[:2] == b"PK":
        file.seek(-len(first), os.SEEK_CUR)
        try:
            with np.load(file, allow_pickle=False) as content:
                if all(name.endswith(".npy") for name in content.zip.namelist()):
                    return {name: array_for_jax(content[name]) for name in content.files}
        except (ValueError, zipfile.BadZipFile) as error:
            raise ValueError(problem) from error
        raise ValueError(problem)  # torch's own files are such archives too, of something else.
    size = int.from_bytes(first, "little")
    if len(first) < 8 or not 2 <= size <= 100_000_000:
        raise ValueError(problem)
    text = file.read(size)
    try:
        header = json.loads(text) if text[:1] == b"{" else None
    except ValueError as error:
        raise ValueError(problem) from error
    if not isinstance(header, dict):
        raise ValueError(problem)
    structure = header.pop("__metadata__", {}).get(STRUCTURE)
    dtypes = {kind: jnp.dtype(name) for name, kind in ELEMENT_TYPES.items()}
    arrays: dict[str, np.ndarray] = {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, end = entry["data_offsets"]
        data = file.read(end - start)
        if len(data) < end - start:
            raise ValueError(f"{getattr(file, 'name', 'the file')} is cut short: {name} is not whole")
        arrays[name] = np.frombuffer(data, dtypes[entry["dtype"]]).reshape(entry["shape"])
    if structure is None:
        return {name: array_for_jax(arrays[name]) for name in header}
    return decoded(json.loads(structure), arrays)


def encoded(value: Any, arrays: dict[str, np.ndarray], where: str) -> Any:
    """`value` as JSON; arrays go into `arrays` and leave their name behind, which is made of the keys to them."""
    if isinstance(value, nnx.Variable):
        value = value.get_value()
    if value is None or isinstance(value, (bool, str)) or type(value) in (int, float):
        return value
    if isinstance(value, (nnx.State, Mapping)):
        pairs = [[encoded(k, arrays, where), encoded(v, arrays, joined(where, k))] for k, v in value.items()]
        return {"dict": pairs}
    if isinstance(value, (list, tuple, set, frozenset)):
        kind = "tuple" if isinstance(value, tuple) else "list" if isinstance(value, list) else "set"
        return {kind: [encoded(entry, arrays, joined(where, i)) for i, entry in enumerate(value)]}
    if isinstance(value, argparse.Namespace):
        return {"namespace": encoded(vars(value), arrays, where)}
    if isinstance(value, os.PathLike):
        return {"path": os.fspath(value)}
    if isinstance(value, (jax.Array, np.ndarray, np.generic)):
        return encoded_array(value, arrays, where)
    raise TypeError(
        f"save: {joined('obj', where) if where else 'obj'} is a {type(value).__name__}; save dicts, lists, arrays, numbers and strings "
        "(for a configuration object: vars(config) or dataclasses.asdict(config))"
    )


def joined(where: str, key: Any) -> str:
    """The dotted name of an entry."""
    return f"{where}.{key}" if where else str(key)


def encoded_array(value: Any, arrays: dict[str, np.ndarray], where: str) -> dict[str, Any]:
    """An array by its name, with what the file does not keep: JAX or numpy, random keys, numpy's further types."""
    name = where or "obj"
    while name in arrays or name == "__metadata__":  # {"a": {"b": x}, "a.b": y}
        name += "_"
    note: dict[str, Any] = {"array": name, "jax": isinstance(value, jax.Array)}
    if note["jax"] and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        note["key"] = str(jax.random.key_impl(value))
        value = jax.random.key_data(value)
    array = np.asarray(value)
    if array.dtype.hasobject or array.dtype.fields:
        raise TypeError(f"save: {name} is an array of {array.dtype}; save arrays of numbers and texts")
    if array.dtype.name not in ELEMENT_TYPES:
        is_numpys = array.dtype.kind != "V"  # JAX's small types know themselves by name only.
        note |= {"dtype": array.dtype.str if is_numpys else array.dtype.name, "shape": list(array.shape)}
        array = np.frombuffer(array.tobytes(), np.uint8)
    arrays[name] = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    return note


def decoded(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The inverse of `encoded`."""
    match value:
        case {"dict": pairs}:
            return {decoded(k, arrays): decoded(v, arrays) for k, v in pairs}
        case {"list": entries}:
            return [decoded(entry, arrays) for entry in entries]
        case {"tuple": entries}:
            return tuple(decoded(entry, arrays) for entry in entries)
        case {"set": entries}:
            return {decoded(entry, arrays) for entry in entries}
        case {"namespace": entries}:
            return argparse.Namespace(**decoded(entries, arrays))
        case {"path": text}:
            return Path(text)
        case {"array": name}:
            return decoded_array(value, arrays[name])
    return value


def decoded_array(note: Mapping[str, Any], array: np.ndarray) -> Any:
    """The array that `encoded_array` made a note of."""
    if "dtype" in note:
        array = np.frombuffer(array.tobytes(), jnp.dtype(note["dtype"])).reshape(note["shape"])
    if "key" in note:
        return jax.random.wrap_key_data(array, impl=note["key"])
    return array_for_jax(array) if note["jax"] else array.copy()  # What was read is not writable.


def array_for_jax(array: np.ndarray) -> Any:
    """An array for JAX, in its 32 bits unless jax_enable_x64 is set; integers that do not fit stay numpy's."""
    if array.dtype.kind not in "fiubc" and array.dtype.name not in ELEMENT_TYPES:
        return array
    result = jnp.asarray(array)
    fits = array.dtype.kind not in "iu" or array.dtype.itemsize <= result.dtype.itemsize
    return result if fits or np.array_equal(np.asarray(result), array) else array.copy()
