"""Finds where two runs of a case part: the submodule, the line, and what the difference looks like."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from .comparison import StageResult
from .line_locating import first_line
from .measure import SINGLE_ROUNDING, TOLERANCES, Leaf, distance, judge, leaves
from .results import Measured, parameter_name
from .trap_relations import Seen
from .trap_updates import gradient_looks_like, update_looks_like
from .traps import looks_like
from .values import ArrayStore, Json

# Weights that hypotheses about a difference may look at.
MOST_WEIGHTS = 60


def by_numbers(result: StageResult) -> bool:
    """Whether a result failed because numbers differ, not because something could not be run."""
    return result.status == "failed" and result.largest_error is not None


def traced(result: StageResult, case: Json) -> bool:
    """Whether lines can tell where the two sides part: outputs, and the training that functions do themselves."""
    return result.name == "forward" or (result.name == "training" and case["kind"] == "function")


def worst_of_each(found: Sequence[tuple[int, StageResult]]) -> dict[int, StageResult]:
    """Of each stage and subject the case with the largest error, by the case's number: only that one is reported."""
    worst: dict[tuple[str, str], tuple[int, StageResult]] = {}
    for index, result in found:
        key = (result.name, result.subject)
        if key not in worst or (result.largest_error or 0.0) > (worst[key][1].largest_error or 0.0):
            worst[key] = (index, result)
    # a case may fail in two stages: the earlier one, which lists come in, tells more
    return dict(reversed(list(worst.values())))


def located(
    wrong: Mapping[int, StageResult], traces: tuple[Path, Path], first: Path, roots: tuple[Path, Path], double: bool
) -> dict[int, StageResult]:
    """The results whose place was found, with the place.

    traces: where both sides' runs with recorded lines are. first: the original's first run, with its weights.
    """
    places: dict[int, StageResult] = {}
    for index, result in wrong.items():
        runs = [Measured.load(folder, index) for folder in traces]
        if runs[0] is None or runs[1] is None:
            continue
        same_precision = double == ("double precision" in result.reason)
        least = TOLERANCES["double" if double else "single"]["forward"]
        tolerance = max(least, result.tolerance or 0.0) if same_precision else max(least, SINGLE_ROUNDING)
        module = first_diverging(runs[0], runs[1], tolerance)
        place = first_line(runs[0], runs[1], roots, tolerance, list(weights_of(first, index)))
        if module or place.text:
            places[index] = replace(
                result, first_diverging=module or result.first_diverging, line=place.text, trap=place.trap
            )
    return places


def guessed(result: StageResult, index: int, folders: Sequence[Path], first: Path) -> StageResult:
    """A result of gradients, of training or of buffers: no line computes those, but the numbers may tell."""
    runs = [Measured.load(folder, index) for folder in folders]
    before = dict(weights_of(first, index))
    kind = {"forward": "weights", "training": "weights", "gradients": "gradient"}.get(result.name, "")
    for path, expected, actual in _differing(runs[0], runs[1], result):
        name = parameter_name(path)
        if kind == "gradient":
            trap = gradient_looks_like(expected, actual) or looks_like(Seen(expected, actual))
        else:
            trap = update_looks_like(before[name], expected, actual) if name in before else ""
        if trap:
            return replace(result, first_diverging=result.first_diverging or name, trap=trap)
    return result


def _differing(
    original: Measured | None, converted: Measured | None, result: StageResult
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """The arrays after or of a stage that differ, by path."""
    stages = {"forward": ("forward in training mode",), "training": ("training", "call"), "gradients": ("gradients",)}
    if original is None or converted is None:
        return
    for stage in stages.get(result.name, ()):
        for key in ("parameters", "inputs") if result.name == "gradients" else ("weights",):
            one, other = original.part(stage, key) or {}, converted.part(stage, key) or {}
            for path, leaf in one.items():
                if path not in other or not leaf.is_float or not other[path].is_float:
                    continue
                error, _ = distance(leaf, other[path], 0.0)
                if np.isfinite(error) and error > (result.tolerance or 0.0):
                    yield path, leaf.value, other[path].value


def weights_of(first: Path, index: int) -> Iterator[tuple[str, np.ndarray]]:
    """The weights that both sides started from, by name."""
    if not (first / f"{index}.json").exists():
        return
    packed = json.loads((first / f"{index}.json").read_text("utf-8"))["weights"]
    store = ArrayStore.load(first / f"{index}.npz")
    names = [(name, reference) for state in packed for name, reference in state["arrays"].items()]
    for name, reference in names[:MOST_WEIGHTS]:
        yield name, store.arrays[reference["key"]]


def first_diverging(original: Measured, converted: Measured, tolerance: float) -> str:
    """The first submodule, in the order in which their calls end, whose outputs differ though its inputs agree.

    Where the inputs of a submodule already differ while all submodules before it agree, the code of its caller is
    to blame. Empty where all submodules agree.
    """
    for stage in ("forward", "forward in training mode"):
        theirs, ours = (run.stages.get(stage, {}).get("calls") for run in (original, converted))
        if theirs is None:
            continue
        found = _search(theirs, original, _numbered(ours or []), converted, tolerance)
        if found:
            return found
    return ""


def _numbered(calls: Json) -> dict[tuple[str, int], Json]:
    counts: Counter[str] = Counter()
    numbered = {}
    for call in calls:
        numbered[call["name"], counts[call["name"]]] = call
        counts[call["name"]] += 1
    return numbered


def _search(
    theirs: Json, original: Measured, ours: dict[tuple[str, int], Json], converted: Measured, tolerance: float
) -> str:
    numbered = list(_numbered(theirs).items())
    for position, (key, call) in enumerate(numbered):
        if key not in ours:
            continue
        outputs = _error(call["outputs"], original, ours[key]["outputs"], converted)
        if outputs <= tolerance:
            continue
        before = _error(call["inputs"], original, ours[key]["inputs"], converted)
        if before <= tolerance:
            return f"{key[0] or 'the model itself'} (error {outputs:.1e})"
        return _blamed_caller(numbered[position:], original, ours, converted, tolerance)
    return ""


def _blamed_caller(
    later: list[tuple[tuple[str, int], Json]],
    original: Measured,
    ours: dict[tuple[str, int], Json],
    converted: Measured,
    tolerance: float,
) -> str:
    """The inputs of the first call already differ: the innermost caller whose own inputs agree made them so."""
    key, call = later[0]
    while True:
        error = _error(call["inputs"], original, ours[key]["inputs"], converted)
        # a caller ends after what it calls, so its call is the next one of its name
        caller = next((item for item in later if item[0][0] == call["caller"] and item[0] != key), None)
        if not key[0] or caller is None or caller[0] not in ours:
            return f"the model itself (before it calls {key[0]}; error {error:.1e})"
        if _error(caller[1]["inputs"], original, ours[caller[0]]["inputs"], converted) <= tolerance:
            return f"{caller[0][0] or 'the model itself'} (before it calls {key[0]}; error {error:.1e})"
        key, call = caller


def _error(expected: Json, original: Measured, actual: Json, converted: Measured) -> float:
    """The distance of the floating-point arrays that both have."""
    one, other = leaves(expected, original.store), leaves(actual, converted.store)
    shared: dict[str, Leaf] = {path: leaf for path, leaf in one.items() if path in other and leaf.is_float}
    if not shared:
        return 0.0
    return judge("forward", shared, {path: other[path] for path in shared}, None, None).error
