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
