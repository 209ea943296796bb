"""Layers and optimizers of torch's own test databases, converted: nothing may be wrong, nothing may crash.

A few each day; all of them in the slow run.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from benchmarks.conformance import modules, optimizers
from benchmarks.conformance.results import Result

from .known_failures import KNOWN_MODULE_FAILURES, KNOWN_OPTIMIZER_FAILURES

MODULES = modules.entries()
OPTIMIZERS = optimizers.entries()
AREAS = sorted({info.module_cls.__module__ for info in MODULES.values()})


def problems(found: Iterable[Result], known: dict[str, str]) -> str:
    """What is not as it should be, a line for each result."""
    lines = []
    for result in found:
        failed = result.status in ("wrong", "crashed")
        if failed and result.name not in known:
            example = next(problem for problem in result.problems if problem.outcome == result.status)
            lines.append(f"{result.name} is {result.status}: {result.reason}\n{example.source}")
        if not failed and result.name in known:
            lines.append(f"{result.name} is {result.status} now: take it off the known failures")
    return "\n".join(lines)


@pytest.mark.parametrize("name", ["nn.Linear", "nn.BatchNorm1d", "nn.CrossEntropyLoss", "nn.PReLU", "nn.AvgPool1d"])
def test_module(name: str) -> None:
    result = modules.measure(name, MODULES[name], 2)
    assert not problems([result], KNOWN_MODULE_FAILURES)
    assert result.outcomes["agree"] >= 3


@pytest.mark.parametrize("name", ["Rprop", "Muon"])
def test_optimizer(name: str) -> None:
    result = optimizers.measure(name, OPTIMIZERS[name], 2)
    assert result.status == "supported", result.reason


@pytest.mark.slow
@pytest.mark.parametrize("area", AREAS)
def test_modules_of_area(area: str) -> None:
    names = [name for name, info in MODULES.items() if info.module_cls.__module__ == area]
    assert problems(modules.measure_modules(names), KNOWN_MODULE_FAILURES) == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_all_forms_of_optimizer(name: str) -> None:
    assert problems([optimizers.measure(name, OPTIMIZERS[name])], KNOWN_OPTIMIZER_FAILURES) == ""


def test_known_failures_are_in_the_databases() -> None:
    assert set(KNOWN_MODULE_FAILURES) <= set(MODULES)
    assert set(KNOWN_OPTIMIZER_FAILURES) <= set(OPTIMIZERS)
