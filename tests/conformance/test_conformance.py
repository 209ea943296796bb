"""Operations of torch's own test database, converted in every form: nothing may be wrong, nothing may crash.

A few each day; all of them, area by area, in the slow run. `make conformance` prints and writes the whole table.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.testing._internal.opinfo.core import SampleInput

from benchmarks.conformance.coverage import totals_text
from benchmarks.conformance.database import entries
from benchmarks.conformance.forms import Form, detailed
from benchmarks.conformance.measuring import measure
from benchmarks.conformance.processes import measure_all
from benchmarks.conformance.results import Result

from .known_failures import KNOWN_FAILURES

ENTRIES = {entry.name: entry for entry in entries()}
TARGETS = ("jax", "numpy")
AREAS = sorted({entry.area for entry in ENTRIES.values()})
#: One or two of each kind: forms, dtypes, several results, random draws, indexing, gradients.
EVERYDAY = (
    "add", "abs", "clamp", "sum", "var", "gather", "where", "topk", "transpose", "stack", "matmul", "__rsub__",
    "softmax", "nn.functional.gelu", "nn.functional.dropout", "linalg.inv", "full_like",
)  # fmt: skip


def check(result: dict[str, Any], target: str) -> str:
    """What is not as it should be with one result, or ''."""
    failed = result["status"] in ("wrong", "crashed")
    known = KNOWN_FAILURES[target].get(result["name"])
    if failed and known is None:
        examples = [problem for problem in result["problems"] if problem["outcome"] == result["status"]]
        example = examples[0] if examples else {"source": "", "converted": ""}
        return (
            f"{result['name']} is {result['status']}: {result['reason']}\n{example['source']}\n→ {example['converted']}"
        )
    if known is not None and not failed:
        return f"{result['name']} is {result['status']} now: take it off the known failures"
    return ""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", EVERYDAY)
def test_operation(name: str, target: str) -> None:
    result = measure(ENTRIES[name], target, 2).to_dict()
    assert result["status"] != "out of scope"
    assert not check(result, target)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("area", AREAS)
def test_area(area: str, target: str) -> None:
    names = [name for name, entry in ENTRIES.items() if entry.area == area]
    found = list(measure_all(names, target, 5))
    print(totals_text(target, found))
    assert "\n".join(filter(None, (check(result, target) for result in found))) == ""


def test_samples_that_only_annotations_tell_apart_are_taken_again() -> None:
    """Whole numbers raise where nothing says that they are some: that is no failure, but it is told."""
    result = measure(ENTRIES["sigmoid"], "jax", 2)
    assert result.status == "supported"
    assert result.remark.startswith("annotated; else TypeError")


def test_annotations_say_what_a_sample_is() -> None:
    form = Form("function", ("return torch.add(x, y)",), ("x", "y"), ("x", "y"))
    sample = SampleInput(torch.zeros(2, 3), args=(torch.tensor(1),))
    assert detailed(form, sample).source("f") == (
        "def f(x: \"Float[torch.Tensor, '2 3']\", y: \"Int[torch.Tensor, '']\"):\n    return torch.add(x, y)\n"
    )


def test_gradients_that_torch_itself_gets_wrong() -> None:
    assert ENTRIES["as_strided_scatter"].has_doubtful_gradient
    assert not ENTRIES["scatter"].has_doubtful_gradient


def test_known_failures_are_operations() -> None:
    assert {name for failures in KNOWN_FAILURES.values() for name in failures} <= set(ENTRIES)


def result_of(*outcomes: str) -> Result:
    result = Result("add", "elementwise")
    result.outcomes.update(outcomes)
    return result


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        (["agree", "agree"], "supported"),
        (["agree", "refused"], "partial"),
        (["refused"], "refused"),
        (["agree", "refused", "wrong", "crashed"], "wrong"),
        (["agree", "crashed"], "crashed"),
    ],
)
def test_the_worst_outcome_decides(outcomes: list[str], status: str) -> None:
    assert result_of(*outcomes).status == status
