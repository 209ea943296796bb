"""Overloads by type: refused where inference cannot decide, with the annotation that would settle it; then honoured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import ivy_convert

from .row_running import compare, compare_gradients, run_jax, run_torch

HEADER = "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor\n\n\n"
X = np.asarray(np.random.default_rng(0).standard_normal((3, 4)), np.float32)
Y = np.asarray(np.random.default_rng(1).standard_normal((3, 4)), np.float32)

#: A function whose `d` has no annotation, what the report asks for, and for each annotation a value and what is written.
UNDECIDED: list[tuple[str, str, dict[str, tuple[Any, str]]]] = [
    ("torch.max(x, d)", "annotate it: Tensor or int", {"int": (1, "max_with_indices(x, d)"), "Tensor": (Y, "jnp.maximum(x, d)")}),
    ("x.min(d)", "annotate it: Tensor or int", {"int": (0, "min_with_indices(x, d)"), "Tensor": (Y, "jnp.minimum(x, d)")}),
    ("x.view(d)", "annotate it: dtype or tuple[int, ...]", {
        "tuple[int, ...]": ((4, 3), "x.reshape(d)"), "int": (-1, "x.reshape(d)"), "torch.dtype": (None, "x.view(d)"),
    }),
    ("x.std(d)", "annotate it: int or", {"int": (1, "std(x, d)"), "bool": (False, "std(x, correction=d)")}),
    ("torch.var(x, d)", "annotate it: int or", {"int": (0, "jnp.var(x, axis=d, ddof=1)"), "bool": (False, "ddof=d")}),
]  # fmt: skip

#: What needs no annotation beyond the array's.
DECIDED = {
    "x.size(0), x.size(-1), x.size()": "x.shape[0], x.shape[-1], x.shape",
    "x.repeat(2, 1), x.repeat((2, 1))": "jnp.tile(x, (2, 1)), jnp.tile(x, (2, 1))",
    "torch.max(x, 1).indices, (torch.max(x, 1)[0] > 0)": "jnp.argmax(x, axis=1), (jnp.max(x, axis=1) > 0)",
    "torch.max(x), torch.max(x, x * 2)": "jnp.max(x), jnp.maximum(x, x * 2)",
    "torch.add(x, x, alpha=2), x.sub(x, alpha=3)": "x + 2 * x, x - 3 * x",
    "x.to(torch.float16), x.to('cpu'), x.to(x)": "x.astype(jnp.float16), x, x",
    "x.view(torch.int32), x.view(-1), x.view(4, 3)": "x.view(jnp.int32), x.reshape(-1), x.reshape(4, 3)",
    "x.var(1), x.var(False), x.var(1, False)": "x.var(axis=1, ddof=1), x.var(), x.var(axis=1)",
    "torch.tensor([[x.sum(), 1.0], [2, 3]])": "jnp.array([[x.sum(), 1.0], [2, 3]])",
    "F.pad(x, (1, 1))": "jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(1, 1)])",
}


def convert(source: str) -> Any:
    return ivy_convert.convert_source(source, "torch", "jax", "case.py")


def assert_equal(source: str, code: str, *given: Any) -> None:
    """Both functions of an array agree, with the further arguments that they take."""
    theirs: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    exec(compile(source, "case.py", "exec"), theirs)
    exec(compile(code, "converted.py", "exec"), ours)
    def on_torch(x: Any) -> Any:
        return theirs["f"](x, *(torch.from_numpy(g) if isinstance(g, np.ndarray) else g for g in given))

    def on_jax(x: Any) -> Any:
        return ours["f"](x, *given)

    results, followed, gradients = run_torch(on_torch, {"x": X})
    other, other_gradients = run_jax(on_jax, {"x": X}, followed)
    assert compare(results, other) == ""
    if gradients is not None:
        assert compare_gradients(gradients, other_gradients) == ""


@pytest.mark.parametrize(("call", "asked", "annotations"), UNDECIDED, ids=[case[0] for case in UNDECIDED])
def test_undecided(call: str, asked: str, annotations: dict[str, tuple[Any, str]]) -> None:
    source = HEADER + f"def f(x: Tensor, d):\n    return {call}\n"
    result = convert(source)
    (refused,) = result.report.unsupported
    assert "depending on the type of `d`" in refused.reason and asked in refused.reason
    assert call in result.code
    for annotation, (value, written) in annotations.items():
        source = HEADER + f"def f(x: Tensor, d: {annotation}):\n    return {call}\n"
        result = convert(source)
        assert not [site for site in result.report.unsupported if "depending" in site.reason]
        assert written in result.code
        if value is not None:
            assert_equal(source, result.code, value)


@pytest.mark.parametrize("expression", DECIDED)
def test_decided(expression: str) -> None:
    source = HEADER + f"def f(x: Tensor):\n    return {expression}\n"
    result = convert(source)
    assert not result.report.unsupported
    assert DECIDED[expression] in " ".join(result.code.split())
    assert_equal(source, result.code)


#: Calls of values that nothing tells of, which JAX would answer otherwise than torch if they were arrays.
UNKNOWN_RECEIVERS = ["d['x'].std(0)", "d['x'].var(1)", "d['x'].max(x)", "holder.step.std(0)", "holder.step.max(d)"]


@pytest.mark.parametrize("call", UNKNOWN_RECEIVERS)
def test_calls_of_unknown_values_are_not_left_in_silence(call: str) -> None:
    holder = "class Holder:\n    def __init__(self, name, value):\n        setattr(self, name, value)\n\n\n"
    result = convert(f"{HEADER}{holder}def f(x: Tensor, d, holder: Holder):\n    return {call}\n")
    assert [site.line for site in result.report.unsupported] == [12]
    assert "annotate its type so that it can be converted" in result.report.unsupported[0].reason
    assert f"return {call}" in result.code
