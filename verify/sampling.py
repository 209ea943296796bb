"""Programs that draw, compared by the distribution of what they give: many draws on each side, and one level of doubt.

With randomness off, or drawn from one stream (`noise`), both sides are compared number by number. That says nothing of
the frameworks' own generators and of the rates that layers hand to them; this does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .comparison import StageResult
from .noise import fixed_normal
from .values import Json

DRAWS = 64
# The chance that a right conversion fails, over all comparisons of one subject together.
SIGNIFICANCE = 1e-3
ELEMENTS, PROJECTIONS = 16, 8
# Values this close, relative to their spread, count as equal: frameworks round differently.
SLACK = 1e-3


def features(output: np.ndarray) -> dict[str, float]:
    """What is compared of one draw: some elements, projections, and statistics of the whole flattened output [n]."""
    flat = output.astype(np.float64).ravel()
    if not flat.size:
        return {}
    places = np.random.default_rng(flat.size).permutation(flat.size)[:ELEMENTS]
    found = {"fraction of zeros": float(np.mean(flat == 0)), "mean": float(flat.mean()), "spread": float(flat.std())}
    found |= {f"element {place}": float(flat[place]) for place in sorted(places)}
    for index in range(PROJECTIONS if flat.size > 1 else 0):
        weights = fixed_normal(index, (flat.size,), seed=2)
        found[f"projection {index}"] = float(flat @ weights / math.sqrt(flat.size))
    return found


def distance_of(one: np.ndarray, other: np.ndarray) -> float:
    """Kolmogorov and Smirnov's statistic of two samples, blind to differences within the slack."""
    spread = max(float(np.ptp(np.concatenate([one, other]))), float(np.abs(one).max()), 1e-30)
    slack = SLACK * spread
    first, second = np.sort(one), np.sort(other)

    def ahead(sample: np.ndarray, behind: np.ndarray) -> float:
        below = np.searchsorted(sample, sample, "right") / len(sample)
        return float(np.max(below - np.searchsorted(behind, sample + slack, "right") / len(behind)))

    return max(ahead(first, second), ahead(second, first), 0.0)


def probability(distance: float, one: int, other: int) -> float:
    """How often two samples of one distribution, of these sizes, are at least that far apart."""
    root = math.sqrt(one * other / (one + other))
    x = (root + 0.12 + 0.11 / root) * distance
    if x < 0.2:
        return 1.0
    return min(1.0, max(0.0, 2 * sum((-1) ** (j - 1) * math.exp(-2 * j * j * x * x) for j in range(1, 101))))


@dataclass(frozen=True)
class Compared:
    """One feature: its probability under equal distributions, and its mean on both sides."""

    feature: str
    probability: float
    means: tuple[float, float]


def compared(original: Mapping[str, np.ndarray], converted: Mapping[str, np.ndarray]) -> Iterator[Compared]:
    """Every feature that varies, from its values over the draws of each side."""
    for name, theirs in original.items():
        ours = converted.get(name)
        if ours is None or not (np.isfinite(theirs).all() and np.isfinite(ours).all()):
            continue
        if np.ptp(theirs) or np.ptp(ours):
            chance = probability(distance_of(theirs, ours), len(theirs), len(ours))
            yield Compared(name, chance, (float(theirs.mean()), float(ours.mean())))


def result_of(subject: str, original: Mapping[str, np.ndarray], converted: Mapping[str, np.ndarray]) -> StageResult:
    """Failed where a feature is less probable than the significance, shared out among all features."""
    found = list(compared(original, converted))
    if not found:
        return StageResult("random", subject, "skipped", reason="every draw gives the same numbers")
    worst = min(found, key=lambda one: one.probability)
    draws = len(next(iter(original.values())))
    text = f"{draws} draws on each side, {len(found)} statistics, least probability {worst.probability:.1g}"
    if worst.probability * len(found) >= SIGNIFICANCE:
        return StageResult(
            "random", subject, "passed", reason=f"{text}; significance {SIGNIFICANCE:g} for all together"
        )
    reason = f"{worst.feature}: {worst.means[0]:.4g} on average, converted {worst.means[1]:.4g}; {text}"
    return StageResult("random", subject, "failed", reason=reason)


def result_of_draws(subject: str, theirs: Json, ours: Json) -> StageResult:
    """The result of what `repeated.draws` gave on both sides."""
    if "error" in theirs:
        return StageResult("random", subject, "skipped", reason=f"the original ends with {theirs['error']}")
    if "error" in ours:
        return StageResult("random", subject, "failed", reason=f"with randomness on: {ours['error']}")
    one, other = ({name: np.array(values) for name, values in side.items()} for side in (theirs, ours))
    return result_of(subject, one, other)


def draw_subjects(cases: list[Json], folders: Sequence[Path]) -> list[int]:
    """The first case of every subject that draws and that both sides run, those with the most weights first."""
    return _largest(cases, folders, lambda one: bool(one["random"]) and not _steps(one))


def timed_subjects(cases: list[Json], folders: Sequence[Path]) -> list[int]:
    """The first case of every module that both sides run, those with the most weights first."""
    return _largest(cases, folders, lambda one: "forward" in one["stages"])


def _steps(measured: Json) -> int:
    return int(measured["stages"].get("call", {}).get("steps", 0))


def _largest(cases: list[Json], folders: Sequence[Path], wanted: Callable[[Json], bool]) -> list[int]:
    first, sizes = dict[str, int](), dict[int, int]()
    for index, case in enumerate(cases):
        files = [folder / f"{index}.json" for folder in folders[:2]]
        if case["subject"] in first or case["method"] is not None or not all(file.exists() for file in files):
            continue
        sides = [json.loads(file.read_text("utf-8")) for file in files]
        if any("error" in stage for side in sides for stage in side["stages"].values()) or not wanted(sides[0]):
            continue
        first[case["subject"]] = index
        sizes[index] = sum(len(state["arrays"]) for state in sides[0]["weights"])
    return sorted(sizes, key=lambda index: -sizes[index])
