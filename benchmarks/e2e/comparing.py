"""What became of a case: equal, refused with a reason, wrong, or crashed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .programs import Case

#: How a converted file marks what was left, in the lines in front of it.
MARK = "# ivy-convert:"
#: Gradients that are zero but for rounding (a bias in front of a norm) are measured by the largest ones.
SMALLEST_SHARE = 0.01
#: The relative tolerance of double precision.
DOUBLE = 1e-6


@dataclass(frozen=True)
class Outcome:
    """status: equal, refused, wrong, crashed, or unusable where the original itself does not run."""

    name: str
    status: str
    why: str = ""
    largest: float = 0.0


def outcome(case: Case, results: Path, converted: Path) -> Outcome:
    """Compare both sides' results of a case."""
    original = results / f"{case.name}.torch.npz"
    if not original.exists():
        return Outcome(case.name, "unusable", _error(results / f"{case.name}.torch.json"))
    failure = results / f"{case.name}.jax.json"
    if failure.exists():
        reason = refusal(json.loads(failure.read_text())["passed"], converted)
        return Outcome(case.name, "refused", reason) if reason else Outcome(case.name, "crashed", _error(failure))
    with np.load(original) as expected, np.load(results / f"{case.name}.jax.npz") as actual:
        return _compared(case, _numbers(expected), _numbers(actual))


def decided_in_double(case: Case, single: Outcome, results: Path, converted: Path) -> Outcome:
    """What double precision says of a case that differs in single precision: rounding, or something else."""
    double = outcome(replace(case, forward=DOUBLE, backward=DOUBLE), results, converted)
    if double.status != "equal":
        return single
    return replace(double, why=f"{double.largest:.1e} in double precision; in single precision {single.why}")


def refusal(passed: list[tuple[str, int]], converted: Path) -> str:
    """The reason beside the innermost line of the converted code, if that line was left as it was."""
    for name, line in reversed(passed):
        if not Path(name).is_relative_to(converted):
            continue
        lines = Path(name).read_text(encoding="utf-8").splitlines()
        above = [number for number in range(line - 1, max(line - 12, -1), -1) if MARK in lines[number]]
        return lines[above[0]].partition(MARK)[2].strip() if above else ""
    return ""


def _numbers(stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays by name; masks among the buffers as zeros and ones."""
    return {name: array.astype(np.int8) if array.dtype == bool else array for name, array in stored.items()}


def _error(file: Path) -> str:
    return " ".join(json.loads(file.read_text())["error"].split())[:300] if file.exists() else "the process died"


def _compared(case: Case, expected: dict[str, np.ndarray], actual: dict[str, np.ndarray]) -> Outcome:
    names = [name for name in expected if not name.startswith("weight ")]
    kinds = {name: name.split(" ")[0] for name in names}
    scale = dict.fromkeys(kinds.values(), 1e-6)
    for name in names:
        scale[kinds[name]] = max(scale[kinds[name]], float(np.abs(expected[name]).max(initial=0)))
    largest = 0.0
    for name in names:
        if name not in actual:
            return Outcome(case.name, "wrong", f"{name} is missing")
        if actual[name].shape != expected[name].shape:
            return Outcome(case.name, "wrong", f"{name} has the shape {actual[name].shape}, not {expected[name].shape}")
        magnitude = max(float(np.abs(expected[name]).max(initial=0)), SMALLEST_SHARE * scale[kinds[name]])
        error = float(np.abs(actual[name] - expected[name]).max(initial=0)) / magnitude
        bound = case.forward if kinds[name] == "output" else case.backward
        if not error <= bound and not np.array_equal(actual[name], expected[name], equal_nan=True):
            return Outcome(case.name, "wrong", f"{name} differs by {error:.1e} of its size", error)
        largest = max(largest, 0.0 if np.isnan(error) else error)
    return Outcome(case.name, "equal", "", largest)
