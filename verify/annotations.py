"""Inputs made up from annotations, for what neither tests nor an entry point call.

Only shapes that are written down count: jaxtyping's `Float[Tensor, "batch time 8"]` and `Int[...]`. Named axes get
a size each, the same wherever the name stands.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from typing import Any

import numpy as np

from .adapters.base import Adapter
from .recorder import Recorder
from .sources import is_test
from .values import Encoder, Json

_SHAPED = re.compile(r"(Float|Float32|Int|Int64|Int32|Bool)\[[^,\]]*,\s*['\"]([^'\"]*)['\"]\]")
# Sizes for named axes, in order of appearance: different, so that a mixed-up axis shows.
_SIZES = (2, 5, 8, 3, 7, 4, 6)


def annotated_cases(adapter: Adapter, recorder: Recorder, modules: list[str], have: set[str]) -> list[Json]:
    """One case for every public function whose required parameters are all annotated with shapes."""
    cases: list[Json] = []
    for module in modules:
        if is_test(module) or not _annotated(module):
            continue
        for name, value in vars(importlib.import_module(module)).items():
            subject = f"{module}:{name}"
            own = getattr(value, "__module__", None) == module and not name.startswith("_")
            if not own or subject in have or not inspect.isfunction(value):
                continue
            arrays = _arrays(value)
            if arrays is not None:
                encode = Encoder(adapter, recorder.store)
                args = [encode(array) for array in arrays]
                case = {"kind": "function", "module": module, "qualname": name, "method": None}
                cases.append(case | {"subject": subject, "args": args, "kwargs": {}})
    return cases


def _annotated(module: str) -> bool:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return False
    with open(spec.origin, encoding="utf-8", errors="replace") as file:
        return _SHAPED.search(file.read()) is not None


def _arrays(function: Any) -> list[np.ndarray] | None:
    sizes: dict[str, int] = {}
    arrays: list[np.ndarray] = []
    source = {name: str(note) for name, note in _annotations(function).items()}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is not parameter.empty or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            continue
        match = _SHAPED.search(source.get(parameter.name, ""))
        shape = None if match is None else _shape(match.group(2), sizes)
        if match is None or shape is None:
            return None
        arrays.append(_draw(match.group(1), shape, len(arrays)))
    return arrays or None


def _annotations(function: Any) -> dict[str, Any]:
    """As written: under `from __future__ import annotations` strings, otherwise read from the source."""
    import ast
    import textwrap

    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if not isinstance(tree, ast.FunctionDef):
        return {}
    given = [*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs]
    return {item.arg: ast.unparse(item.annotation) for item in given if item.annotation is not None}


def _shape(text: str, sizes: dict[str, int]) -> tuple[int, ...] | None:
    shape = []
    for axis in text.split():
        if axis.isdigit():
            shape.append(int(axis))
        elif axis.isidentifier():
            shape.append(sizes.setdefault(axis, _SIZES[len(sizes) % len(_SIZES)]))
        else:
            return None
    return tuple(shape)


def _draw(kind: str, shape: tuple[int, ...], index: int) -> np.ndarray:
    rng = np.random.default_rng(index)
    if kind.startswith("Int"):
        return rng.integers(0, 2, shape)
    if kind == "Bool":
        return rng.random(shape) < 0.5
    return rng.standard_normal(shape).astype(np.float32)
