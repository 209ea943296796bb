"""Finds the submodule where two runs of a model part."""

from __future__ import annotations

from collections import Counter

from .measure import Leaf, judge, leaves
from .results import Measured
from .values import Json


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
    for (name, number), call in _numbered(theirs).items():
        counterpart = ours.get((name, number))
        if counterpart is None:
            continue
        inputs = _error(call["inputs"], original, counterpart["inputs"], converted)
        if inputs > tolerance:
            return f"{call['caller'] or 'the model itself'} (before it calls {name}; error {inputs:.1e})"
        outputs = _error(call["outputs"], original, counterpart["outputs"], converted)
        if outputs > tolerance:
            return f"{name or 'the model itself'} (error {outputs:.1e})"
    return ""


def _error(expected: Json, original: Measured, actual: Json, converted: Measured) -> float:
    """The distance of the floating-point arrays that both have."""
    one, other = leaves(expected, original.store), leaves(actual, converted.store)
    shared: dict[str, Leaf] = {path: leaf for path, leaf in one.items() if path in other and leaf.is_float}
    if not shared:
        return 0.0
    return judge("forward", shared, {path: other[path] for path in shared}, None, None).error
