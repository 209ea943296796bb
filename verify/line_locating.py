"""Finds the first line at which two recorded runs part, and what the difference looks like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .measure import Leaf, distance
from .results import Measured
from .trap_relations import Seen
from .traps import looks_like
from .values import ArrayStore, Json

STAGES = ("forward", "forward in training mode", "call")
LONGEST_SOURCE = 100


@dataclass(frozen=True)
class Place:
    """Where two runs part: a line on each side, in words, and what the difference looks like."""

    text: str = ""
    trap: str = ""


def first_line(
    original: Measured,
    converted: Measured,
    roots: tuple[Path, Path],
    tolerance: float,
    weights: Sequence[tuple[str, np.ndarray]] = (),
) -> Place:
    """The first line whose value differs, in the order in which the original computed them.

    roots: what the two sides' files are named relative to. weights: names and values that both sides started from.
    """
    for stage in STAGES:
        theirs, ours = (run.stages.get(stage, {}).get("lines") for run in (original, converted))
        if not theirs or not ours:
            continue
        found = _search(theirs, original.store, dict(_numbered(ours)), converted.store, tolerance)
        if found is not None:
            return _place(*found, roots, weights)
    return Place()


@dataclass(frozen=True)
class _Parting:
    """The first event that differs, with the agreeing values before it, nearest first."""

    event: Json
    other: Json
    occurrence: int
    error: float
    expected: np.ndarray
    actual: np.ndarray


def _numbered(events: Json) -> Iterator[tuple[tuple[str, str, int], Json]]:
    counts: Counter[tuple[str, str]] = Counter()
    for event in events:
        key = (event["frame"], event["name"])
        counts[key] += 1
        yield (*key, counts[key]), event


def _search(
    theirs: Json, store: ArrayStore, ours: dict[tuple[str, str, int], Json], other_store: ArrayStore, tolerance: float
) -> tuple[_Parting, list[tuple[str, np.ndarray]]] | None:
    agreed: list[tuple[str, np.ndarray]] = []
    for key, event in _numbered(theirs):
        other = ours.get(key)
        if other is None:
            continue
        one, two = _arrays(event, store), _arrays(other, other_store)
        if len(one) != len(two):
            continue
        for expected, actual in zip(one, two):
            error = _error(expected, actual, tolerance)
            if error:
                return _Parting(event, other, key[2], error, expected, actual), agreed[::-1]
        agreed += [(_label(event), array) for array in one]
    return None


def _arrays(event: Json, store: ArrayStore) -> list[np.ndarray]:
    return [store.arrays[item["key"]] for item in event["arrays"]["items"]]


def _error(expected: np.ndarray, actual: np.ndarray, tolerance: float) -> float:
    """The relative error where it is more than the tolerance, infinite for other shapes, else 0."""
    kinds = {"f": 1, "c": 1}
    if kinds.get(expected.dtype.kind) != kinds.get(actual.dtype.kind):
        expected, actual = expected.astype(np.float64), actual.astype(np.float64)
    if expected.dtype.kind == "b" or actual.dtype.kind == "b":
        expected, actual = expected.astype(bool), actual.astype(bool)
    error, _ = distance(Leaf(expected), Leaf(actual), 0.0)
    return error if error > tolerance else 0.0


def _label(event: Json) -> str:
    if event["name"] in ("input", "output"):
        return f"the {event['name']} of {event['frame'].rpartition(' #')[0].removeprefix('submodule ') or 'the model'}"
    if event["name"] == "return":
        return f"the result of {event['frame'].rpartition(' #')[0].partition(':')[2]}"
    return str(event["name"]).removeprefix("argument ")


def _place(parting: _Parting, agreed: list[tuple[str, np.ndarray]], roots: tuple[Path, Path], weights: Any) -> Place:
    lines = [
        f"{_relative(event['file'], root)}:{event['line']} `{_source(event['file'], event['line'])}`"
        for event, root in zip((parting.event, parting.other), roots)
    ]
    error = "another shape or kind" if np.isinf(parting.error) else f"error {parting.error:.1e}"
    times = f", the {_ordinal(parting.occurrence)} time" if parting.occurrence > 1 else ""
    seen = Seen(parting.expected, parting.actual, (*_distinct(agreed), *weights))
    return Place(f"{lines[0]} → {lines[1]} ({_label(parting.event)}{times}: {error})", looks_like(seen))


def _distinct(agreed: list[tuple[str, np.ndarray]]) -> Iterator[tuple[str, np.ndarray]]:
    """Without repetitions: an output is also what a name is bound to."""
    kept: list[np.ndarray] = []
    for name, array in agreed:
        if array.size > 1 and not any(one.shape == array.shape and np.array_equal(one, array) for one in kept):
            kept.append(array)
            yield name, array
        if len(kept) == 16:
            return


def _relative(file: str, root: Path) -> str:
    path = Path(file)
    folder = root if root.is_dir() else root.parent
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _source(file: str, line: int) -> str:
    lines = Path(file).read_text("utf-8", "replace").splitlines()
    text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return text if len(text) <= LONGEST_SOURCE else text[: LONGEST_SOURCE - 1] + "…"


def _ordinal(count: int) -> str:
    ending = "th" if 10 <= count % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"
