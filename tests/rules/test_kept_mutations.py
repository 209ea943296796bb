"""Changes in place for NumPy: results and changed arguments of the fixture's functions, in torch and converted."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ivy_convert

FOLDER = Path(__file__).resolve().parent.parent.parent / "fixtures" / "rules" / "kept_mutations"
MARK = "# What follows is refused"


SOURCE = (FOLDER / "in.py").read_text()


def functions(text: str) -> dict[str, Any]:
    """The functions that a text defines."""
    found: dict[str, Any] = {}
    exec(compile(text, "module.py", "exec"), found)
    return {name: value for name, value in found.items() if inspect.isfunction(value)}


BEFORE, AFTER = functions(SOURCE), functions(ivy_convert.convert_source(SOURCE, "torch", "numpy").code)
CONVERTED, REFUSED = ([name for name in BEFORE if f"def {name}(" in part] for part in SOURCE.split(MARK))


def arguments(function: Any) -> list[Any]:
    """An array `[3, 4]` for each array parameter."""
    draw = np.random.default_rng(0)
    hints = inspect.signature(function).parameters.values()
    return [
        0.5 if hint.annotation is float else draw.standard_normal((3, 4)).astype(np.float32) for hint in hints
    ]


def leaves(value: Any) -> list[Any]:
    return [leaf for part in value for leaf in leaves(part)] if isinstance(value, (tuple, list)) else [value]


@pytest.mark.parametrize("name", CONVERTED)
def test_same_results_and_arguments(name: str) -> None:
    given = arguments(BEFORE[name])
    ours = [torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value for value in given]
    theirs = [value.copy() if isinstance(value, np.ndarray) else value for value in given]
    expected, actual = leaves(BEFORE[name](*ours)), leaves(AFTER[name](*theirs))
    assert len(expected) == len(actual)
    for one, other in zip([*expected, *ours], [*actual, *theirs], strict=True):
        if one is None:
            assert other is None
            continue
        np.testing.assert_allclose(np.asarray(other), np.asarray(one), 1e-6, 1e-6, err_msg=name)
        if isinstance(one, torch.Tensor):
            assert np.asarray(other).dtype == one.numpy().dtype


@pytest.mark.parametrize("name", REFUSED)
def test_refused_functions_say_why(name: str) -> None:
    text = (FOLDER / "out.numpy.py").read_text()
    body = text[text.index(f"def {name}(") :].split("\n\n\n")[0]
    assert "# ivy-convert: " in body
