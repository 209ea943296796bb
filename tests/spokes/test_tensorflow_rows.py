"""Every TensorFlow row: torch in each of its spellings converted to TensorFlow, and TensorFlow to torch and JAX."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import ivy_convert
from ivy_convert.rewriter.tables import CONTEXT

from ..row_running import InvalidCall, compare, compare_gradients, run_jax, run_torch
from ..row_samples import make_sample, sample_texts, spell
from ..test_rows import TABLES, Case, convert_cases, torch_cases
from .running import run_tensorflow

ROWS = TABLES.frameworks["tensorflow"].by_op
OPS = [name for name in ROWS if not TABLES.hub[name].is_layer and not TABLES.hub[name].random]


def is_mixed(case: Case) -> bool:
    """Whether a case is not all floats: TensorFlow refuses to mix element types, loudly."""
    arrays = list(case.sample.arrays.values())
    return any(array.dtype != np.float32 for array in arrays) or not arrays


@pytest.mark.parametrize("op_name", [name for name in OPS if name in TABLES.frameworks["torch"].by_op])
def test_from_torch(op_name: str) -> None:
    cases = torch_cases(op_name)
    if not cases:
        pytest.skip("no sample of this op is an array expression")
    converted = convert_cases(cases, "tensorflow")
    failures, checked = [], 0
    for case in cases:
        if case.name in converted.refused:
            continue
        try:
            results, followed, gradients = run_torch(converted.before[case.name], case.sample.arrays)
        except InvalidCall:
            continue
        try:
            other, _, other_gradients = run_tensorflow(converted.after[case.name], case.sample.arrays, followed)
            difference = compare(results, other)
            if not difference and gradients is not None and followed:
                difference = compare_gradients(gradients, other_gradients)
        except InvalidCall as error:
            if is_mixed(case) or " @ " in case.text:  # TensorFlow's @ refuses vectors, loudly too.
                continue
            difference = f"TensorFlow refuses: {error}"
        except Exception as error:
            difference = f"{type(error).__name__}: {error}"
        checked += 1
        if difference:
            text = converted.texts[case.name].strip()
            failures.append(f"{case.text} [{case.sample.text}] → {text}: {difference}"[:600])
    assert not failures, "\n".join(failures)


@functools.cache
def tensorflow_cases(op_name: str) -> tuple[Case, ...]:
    """Every sample of an op in every TensorFlow spelling that can express it."""
    own = TABLES.frameworks["tensorflow"]
    op = TABLES.hub[op_name]
    found: dict[tuple[str, str], Case] = {}
    for row in own.by_op[op_name]:
        if row.form not in ("function", "method", "property") or any(p.hub == CONTEXT for p in row.parameters):
            continue
        if row.path.split(".")[0] not in ("tensorflow", "keras", "Tensor"):
            continue
        for sample in (make_sample(op, text) for text in sample_texts(op)):
            text = spell(own, op, row, sample)
            # None as the axis means TensorFlow's default 0 there; tf.shape gives an array where others give a tuple.
            if text is not None and not (
                (row.path.endswith(("argmax", "argmin")) and "None" in text) or "tensorflow.shape(" in text
            ):
                text = text.replace("tensorflow.", "tf.")
                found.setdefault((sample.text, text), Case(f"case_{len(found)}", text, row, sample))
    return tuple(found.values())


def read_cases(cases: tuple[Case, ...], target: str) -> tuple[dict[str, Any], dict[str, Any], set[str], str]:
    """The functions in TensorFlow and after conversion, the names of those refused, and the converted text."""
    header = "import keras\nimport tensorflow as tf\nfrom tensorflow import Tensor\n\n\n"
    code = header + "\n\n".join(case.source for case in cases)
    result = ivy_convert.convert_source(code, "tensorflow", target, "cases.py")
    first_line = header.count("\n") + 1
    by_line = {first_line + 4 * index + 1: case.name for index, case in enumerate(cases)}
    refused = {by_line[site.line] for site in result.report.unsupported if site.line in by_line}
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    exec(compile(code, "cases.py", "exec"), before)
    exec(compile(result.code, "cases_converted.py", "exec"), after)
    return before, after, refused, result.code


@pytest.mark.parametrize("target", ["torch", "jax"])
@pytest.mark.parametrize("op_name", OPS)
def test_to_others(op_name: str, target: str) -> None:
    cases = tensorflow_cases(op_name)
    if not cases:
        pytest.skip("no TensorFlow spelling of its own")
    before, after, refused, text = read_cases(cases, target)
    failures = []
    for case in cases:
        if case.name in refused:
            continue
        try:
            results, followed, gradients = run_tensorflow(before[case.name], case.sample.arrays, None)
        except (InvalidCall, AttributeError):
            continue
        try:
            if target == "torch":
                other, _, other_gradients = run_torch(after[case.name], case.sample.arrays)
            else:
                other, other_gradients = run_jax(after[case.name], case.sample.arrays, followed)
            difference = compare(results, other)
            smooth = all(array.any() for array in case.sample.arrays.values() if array.dtype == np.float32)
            if not difference and followed and other_gradients is not None and smooth:
                difference = compare_gradients(gradients, other_gradients)
        except Exception as error:
            difference = f"{type(error).__name__}: {error}"
        if difference:
            failures.append(f"{case.text} [{case.sample.text}]: {difference}"[:600])
    assert not failures, "\n".join(failures) + "\n" + text
