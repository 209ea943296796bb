"""Random programs over torch's functions, converted to NumPy and JAX: the same numbers, an error, or a refusal; never others."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ivy_convert

from .programs import REFUSALS, Program, program, tensors

#: Relative and absolute; programs of ten lines add up rounding.
TOLERANCE = 2e-4
#: Both say so where they want an axis and torch takes a single number for an array of length 1, where their functions do
#: not take an element type, and where a change of what may be no array (a method with an underscore) has stayed.
SAID = re.compile(
    r"\bax[ei]s|dimension|ndim|shape|\d-?[dD]\b|scalar|index|item assignment|mT|read-only|broadcast|array element"
    r"|^ufunc|has no attribute '\w+_'|does not accept dtype|immutable|Indexer|must be integers"
)
_SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)


def leaves(value: Any) -> list[Any]:
    """The parts of a result."""
    return [leaf for part in value for leaf in leaves(part)] if isinstance(value, (list, tuple)) else [value]


def outcome(code: str, arguments: Mapping[str, Any]) -> list[np.ndarray]:
    """Everything that a program returns, and then its arguments, which it may have changed."""
    names: dict[str, Any] = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        exec(compile(code, "program.py", "exec"), names)
        results = leaves(names["run"](**arguments))
    return [np.asarray(leaf) for leaf in (*results, *arguments.values())]


def difference(expected: list[np.ndarray], actual: list[np.ndarray]) -> str:
    """What differs in number, shape, kind of element type or value, or ''."""
    if len(expected) != len(actual):
        return f"{len(expected)} results became {len(actual)}"
    for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
        if one.shape != other.shape:
            return f"result {index}: shape {one.shape} became {other.shape}"
        if one.dtype.kind.replace("u", "i") != other.dtype.kind.replace("u", "i"):
            return f"result {index}: {one.dtype} became {other.dtype}"
        if one.dtype.kind in "fc" and not np.allclose(other, one, TOLERANCE, TOLERANCE, equal_nan=True):
            return f"result {index}: {one} became {other}"
        if one.dtype.kind in "biu" and not (one == other).all():
            return f"result {index}: {one} became {other}"
    return ""


def is_rounding(made: Program, expected: list[np.ndarray]) -> bool:
    """Whether torch itself gives other numbers in double precision: comparisons of what rounding made equal."""
    code = made.code.replace("torch.float32", "torch.float64").replace(".float()", ".double()")
    arrays = {
        name: array.astype(np.float64) if array.dtype.kind == "f" else array for name, array in made.arrays.items()
    }
    torch.set_default_dtype(torch.float64)
    try:
        return bool(difference(expected, outcome(code, tensors(arrays))))
    except REFUSALS:
        return False
    finally:
        torch.set_default_dtype(torch.float32)


def check(made: Program, target: str) -> None:
    """Convert a program and compare; nothing to compare where it is refused."""
    import jax.numpy as jnp

    own = {"numpy": np.array, "jax": jnp.asarray}[target]
    expected = outcome(made.code, tensors(made.arrays))
    result = ivy_convert.convert_source(made.code, source="torch", target=target)
    if result.report.unsupported or result.report.review:
        return
    try:
        actual = outcome(result.code, {name: own(array) for name, array in made.arrays.items()})
    except Exception as error:
        assert SAID.search(str(error)), f"{error!r}\n{made.code}\n{result.code}"
        return
    found = difference(expected, actual)
    if found and not is_rounding(made, expected):
        raise AssertionError(f"{found}\n{made.arrays}\n{made.code}\n{result.code}")


@pytest.mark.parametrize("target", ["numpy", "jax"])
@settings(_SETTINGS, max_examples=60, derandomize=True)
@given(random=st.randoms(use_true_random=True))
def test_random_programs(target: str, random: Random) -> None:
    check(program(random), target)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["numpy", "jax"])
@settings(_SETTINGS, max_examples=5000)
@given(random=st.randoms(use_true_random=True))
def test_many_random_programs(target: str, random: Random) -> None:
    check(program(random), target)
