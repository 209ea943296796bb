"""Weights from one framework's module to another's, by name, permuted by the axis names of the layer rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .problems import WeightMismatch

# Counters that one framework keeps and another has no use for.
IGNORED_NAMES = ("num_batches_tracked",)


@dataclass(frozen=True)
class LayerWeights:
    """The weights of one layer: framework name -> (name in the hub, names of the axes in the framework's order)."""

    layer: str
    weights: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class State:
    """Parameters and buffers of a module by dotted name, in its own framework's layout.

    tied: names that are another name's very array: name -> the first name of that array.
    optional: names that the other side may lack (buffers that are not saved).
    layers: path of a submodule -> the rows that describe its layer, where the tables know it.
    """

    arrays: Mapping[str, np.ndarray]
    parameters: frozenset[str] = frozenset()
    tied: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    layers: Mapping[str, tuple[LayerWeights, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class WeightRoute:
    """Where an array goes: from `source` to `target`, transposed by `permutation` (None: as it is)."""

    source: str
    target: str
    permutation: tuple[int, ...] | None = None

    def forward(self, array: np.ndarray) -> np.ndarray:
        """The source's array in the target's layout."""
        return array if self.permutation is None else array.transpose(self.permutation)

    def backward(self, array: np.ndarray) -> np.ndarray:
        """The target's array in the source's layout."""
        if self.permutation is None:
            return array
        return array.transpose(tuple(np.argsort(self.permutation)))


def axis_permutation(source_axes: str, target_axes: str) -> tuple[int, ...]:
    """The transposition from one order of named axes to another.

    `axis_permutation("out in kh kw", "kh kw in out")` is (2, 3, 1, 0). WeightMismatch where the names differ.
    """
    source, target = source_axes.split(), target_axes.split()
    if sorted(source) != sorted(target) or len(set(source)) != len(source):
        raise WeightMismatch(f"axes [{source_axes}] cannot be reordered to [{target_axes}]")
    return tuple(source.index(axis) for axis in target)


def route(source: State, target: State) -> list[WeightRoute]:
    """For every array of the target, the array of the source that fills it.

    Raises:
        WeightMismatch: names every array that is missing, left over or of another shape.
    """
    routes: list[WeightRoute] = []
    missing: list[str] = []
    for name in target.arrays:
        found = _source_of(name, source, target)
        if found is not None:
            routes.append(found)
        elif not _ignored(name, target):
            missing.append(name)
    routes, missing = _through_ties(routes, missing, source, target)
    used = {item.source for item in routes}
    used |= {name for name, first in source.tied.items() if first in used}
    used |= {source.tied[name] for name in used if name in source.tied}
    left_over = [name for name in source.arrays if name not in used and not _ignored(name, source)]
    _complain(missing, left_over, routes, source, target)
    return routes


def _ignored(name: str, state: State) -> bool:
    return name in state.optional or name.rpartition(".")[2] in IGNORED_NAMES


def _source_of(name: str, source: State, target: State) -> WeightRoute | None:
    path, _, short = name.rpartition(".")
    shape = target.arrays[name].shape
    for ours in target.layers.get(path, ()):
        for theirs in source.layers.get(path, ()):
            if ours.layer != theirs.layer or short not in ours.weights:
                continue
            hub_name, axes = ours.weights[short]
            for source_short, (source_hub_name, source_axes) in theirs.weights.items():
                source_name = f"{path}.{source_short}" if path else source_short
                if source_hub_name == hub_name and source_name in source.arrays and len(axes.split()) == len(shape):
                    return WeightRoute(source_name, name, axis_permutation(source_axes, axes))
    return WeightRoute(name, name) if name in source.arrays else None


def _through_ties(
    routes: list[WeightRoute], missing: list[str], source: State, target: State
) -> tuple[list[WeightRoute], list[str]]:
    """A tied array is filled as soon as one of its names is."""
    filled = {target.tied.get(item.target, item.target) for item in routes}
    return routes, [name for name in missing if target.tied.get(name, name) not in filled]


def _complain(
    missing: list[str], left_over: list[str], routes: list[WeightRoute], source: State, target: State
) -> None:
    problems = []
    if missing:
        problems.append("missing in the source: " + ", ".join(missing))
    if left_over:
        problems.append("not expected by the target: " + ", ".join(left_over))
    for item in routes:
        shape = item.forward(source.arrays[item.source]).shape
        expected = target.arrays[item.target].shape
        if shape != expected:
            problems.append(f"{item.target}: shape {list(shape)} of {item.source}, expected {list(expected)}")
    if problems:
        raise WeightMismatch("; ".join(problems))
