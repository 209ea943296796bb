"""Tests generated from the tables: `pytest tests/test_rows.py -k topk`. Nobody writes one by hand.

For every row: its signature against the installed library, read-write-read, and numbers: the op called in torch in
each of its spellings, converted, run, compared.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import ivy_convert
from ivy_convert.rewriter.table_loader import load_tables
from ivy_convert.rewriter.tables import HubOp, Spelling

from .row_running import InvalidCall, compare, compare_gradients, run_jax, run_numpy, run_torch
from .row_samples import Draw, Sample, make_sample, sample_texts, spell

TABLES = load_tables()
OPS = [name for name, op in TABLES.hub.items() if not op.is_layer and name in TABLES.frameworks["torch"].by_op]
PLAIN_OPS = [name for name in OPS if not TABLES.hub[name].random]


@dataclass(frozen=True)
class Case:
    """One call in one spelling."""

    name: str
    text: str
    row: Spelling
    sample: Sample

    @property
    def source(self) -> str:
        parameters = ", ".join(f"{name}: Tensor" for name in self.sample.arrays)
        return f"def {self.name}({parameters}):\n    return {self.text}\n"


@functools.cache
def torch_cases(op_name: str) -> tuple[Case, ...]:
    """Every sample of an op in every torch spelling that can express it."""
    op = TABLES.hub[op_name]
    found: dict[tuple[str, str], Case] = {}
    samples = [make_sample(op, text) for text in sample_texts(op)]
    for row in TABLES.frameworks["torch"].by_op[op_name]:
        for sample in samples:
            text = spell(TABLES.frameworks["torch"], op, row, sample)
            if text is not None and (sample.text, text) not in found:
                found[sample.text, text] = Case(f"case_{len(found)}", text, row, sample)
    return tuple(found.values())


@dataclass(frozen=True)
class Converted:
    """The functions before and after, their converted text, and the reasons for those left as they were."""

    before: dict[str, Any]
    after: dict[str, Any]
    texts: dict[str, str]
    refused: dict[str, str]


def convert_cases(cases: tuple[Case, ...], target: str) -> Converted:
    """All cases in one source through the public API."""
    header = "import torch\nfrom torch import Tensor\n\n\n"
    code = header + "\n\n".join(case.source for case in cases)
    result = ivy_convert.convert_source(code, "torch", target, "cases.py")
    first_line = header.count("\n") + 1
    by_line = {first_line + 4 * index + 1: case.name for index, case in enumerate(cases)}
    refused = {by_line[site.line]: site.reason for site in result.report.unsupported if site.line in by_line}
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    exec(compile(code, "cases.py", "exec"), before)
    exec(compile(result.code, "cases_converted.py", "exec"), after)
    bodies = {part.partition("(")[0]: part.partition(":\n")[2] for part in result.code.split("\ndef ")[1:]}
    return Converted(before, after, bodies, refused)


def may_refuse(op: HubOp, target: str) -> bool:
    """Whether the target's rows say honestly that some or all of this op cannot be expressed."""
    rows = TABLES.frameworks[target].by_op.get(op.name, ())
    if target != "jax":
        return True
    return any(row.form == "unsupported" for row in rows)


def check(case: Case, converted: Converted, target: str, known: dict[tuple[str, str], Any]) -> str:
    """What differs between torch and the converted case, or ''. Equal converted code runs once."""
    results, followed, gradients = run_torch(converted.before[case.name], case.sample.arrays)
    function = converted.after[case.name]
    if target == "numpy":
        return compare(results, run_numpy(function, case.sample.arrays))
    if any(row.review for row in TABLES.frameworks["jax"].by_op.get(case.row.op, ())):
        followed = []  # The report has said what may differ.
    key = (case.sample.text, converted.texts[case.name])
    if key not in known:
        known[key] = run_jax(function, case.sample.arrays, followed)
    other, other_gradients = known[key]
    difference = compare(results, other)
    if not difference and gradients is not None and other_gradients is not None:
        difference = compare_gradients(gradients, other_gradients)
    return difference


@pytest.mark.parametrize("target", ["jax", "numpy"])
@pytest.mark.parametrize("op_name", PLAIN_OPS)
def test_numbers(op_name: str, target: str) -> None:
    op = TABLES.hub[op_name]
    cases = torch_cases(op_name)
    if target not in ("jax",) and op_name not in TABLES.frameworks[target].by_op:
        pytest.skip(f"{target} has no row for {op_name}")
    if not cases:
        pytest.skip("no sample of this op is an array expression")
    converted = convert_cases(cases, target)
    failures, valid = [], set()
    known: dict[tuple[str, str], Any] = {}
    for case in cases:
        if case.name in converted.refused:
            if not may_refuse(op, target):
                failures.append(f"{case.text} is refused: {converted.refused[case.name]}")
            valid.add(case.row.location + case.row.path)
            continue
        try:
            difference = check(case, converted, target, known)
        except InvalidCall as invalid:
            # A call that this machine cannot run is not wrong.
            if any(word in str(invalid) for word in ("CUDA", "cuda", "accelerator")):
                valid.add(case.row.location + case.row.path)
            continue
        except Exception as error:
            difference = f"{type(error).__name__}: {error}"
        valid.add(case.row.location + case.row.path)
        if difference:
            failures.append(f"{case.text} [{case.sample.text}] → {converted.texts[case.name].strip()}: {difference}")
    for row in {case.row.location + case.row.path: case.row for case in cases}.values():
        if row.location + row.path not in valid:
            failures.append(f"{row.path}: torch refuses every sample")
    assert not failures, "\n".join(failures)


DECOMPOSITIONS = """
import torch
from torch import Tensor


def by_svd(x: Tensor):
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    return s, (u * s) @ vh


def by_eigh(x: Tensor):
    result = torch.linalg.eigh(x @ x.T)
    return result.eigenvalues, (result.eigenvectors * result.eigenvalues) @ result.eigenvectors.T


def by_eig(x: Tensor):
    values, vectors = torch.linalg.eig(x[:2])
    return (vectors * values) @ torch.linalg.inv(vectors)
"""


@pytest.mark.parametrize("target", ["jax", "numpy"])
@pytest.mark.parametrize("name", ["by_svd", "by_eigh", "by_eig"])
def test_decompositions_recompose(name: str, target: str) -> None:
    """Singular and eigenvectors are unique only up to signs: what they compose is compared."""
    result = ivy_convert.convert_source(DECOMPOSITIONS, "torch", target)
    assert not result.report.unsupported
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    exec(compile(DECOMPOSITIONS, "cases.py", "exec"), before)
    exec(compile(result.code, "cases_converted.py", "exec"), after)
    arrays = {"x": Draw(0).f(3, 2)}
    expected, followed, gradients = run_torch(before[name], arrays)
    if target == "numpy":
        assert not compare(expected, run_numpy(after[name], arrays))
        return
    actual, other_gradients = run_jax(after[name], arrays, followed if name != "by_eig" else [])
    assert not compare(expected, actual)
    if name != "by_eig":
        assert not compare_gradients(gradients, other_gradients)


@pytest.mark.parametrize("op_name", [name for name in OPS if TABLES.hub[name].random])
def test_distributions(op_name: str) -> None:
    """Random draws agree in shape, dtype and moments, and differ from one call to the next."""
    cases = torch_cases(op_name)
    converted = convert_cases(cases, "jax")
    failures = []
    for case in cases:
        if case.name in converted.refused:
            failures.append(f"{case.text} is refused: {converted.refused[case.name]}")
            continue
        try:
            (expected,), _, _ = run_torch(converted.before[case.name], case.sample.arrays)
            (repeated,), _, _ = run_torch(converted.before[case.name], case.sample.arrays)
        except InvalidCall:
            continue
        (actual,), _ = run_jax(converted.after[case.name], case.sample.arrays, [])
        (again,), _ = run_jax(converted.after[case.name], case.sample.arrays, [])
        difference = compare_shapes(expected, actual)
        if not difference and "empty" not in op_name:
            difference = compare_moments(expected, actual)
            # A handful of draws from few values repeats by chance.
            if actual.size > 8 and (actual == again).all() and (expected != repeated).any():
                difference = "the same values twice"
        if difference:
            failures.append(f"{case.text} [{case.sample.text}]: {difference}")
    assert not failures, "\n".join(failures)


def compare_shapes(expected: np.ndarray, actual: np.ndarray) -> str:
    """What differs in shape or dtype, or ''."""
    return compare([np.zeros_like(expected)], [np.zeros_like(actual)])


def compare_moments(expected: np.ndarray, actual: np.ndarray) -> str:
    """What differs in mean or spread beyond five standard errors of this many draws, or ''."""
    error = 5 * (expected.std() + 1e-6) / np.sqrt(expected.size) * np.sqrt(2)
    for name, one, other in (("mean", expected.mean(), actual.mean()), ("deviation", expected.std(), actual.std())):
        if abs(one - other) > error:
            return f"{name} {one:.3f} became {other:.3f}"
    return ""
