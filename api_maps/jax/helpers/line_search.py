"""The line search of `torch.optim.LBFGS`: a step that meets the strong Wolfe conditions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class LineTrial(NamedTuple):
    """One point on the line: how far along it, the loss, the gradient `[parameters]`, and the loss's slope there."""

    position: Any
    loss: float
    gradient: Any
    slope: Any


def cubic_minimum(first: LineTrial, second: LineTrial, bounds: tuple[Any, Any] | None = None) -> Any:
    """Where the cubic through two trials is lowest, within bounds (by default between them)."""
    left, right = (first, second) if first.position <= second.position else (second, first)
    low, high = bounds if bounds is not None else (left.position, right.position)
    chord = first.slope + second.slope - 3 * (first.loss - second.loss) / (first.position - second.position)
    squared = chord**2 - first.slope * second.slope
    if not squared >= 0:
        return (low + high) / 2.0
    root = np.sqrt(squared)
    width = right.position - left.position
    lowest = right.position - width * ((right.slope + root - chord) / (right.slope - left.slope + 2 * root))
    return min(max(lowest, low), high)


class WolfeSearch:
    """A search under way. `along(position)` gives loss, gradient and slope; `start` is the trial at 0."""

    def __init__(self, along: Callable[[Any], tuple[float, Any, Any]], start: LineTrial, most_evaluations: int):
        self.along, self.start, self.most_evaluations = along, start, most_evaluations
        self.sufficient_decrease, self.curvature = 1e-4, 0.9
        self.evaluations = 0

    def trial(self, position: Any) -> LineTrial:
        """Evaluate a position."""
        self.evaluations += 1
        return LineTrial(position, *self.along(position))

    def is_too_high(self, trial: LineTrial) -> bool:
        """Whether the loss did not fall enough for the step."""
        return bool(trial.loss > self.start.loss + self.sufficient_decrease * trial.position * self.start.slope)

    def is_flat(self, trial: LineTrial) -> bool:
        """Whether the slope is small enough to stop."""
        return bool(abs(trial.slope) <= -self.curvature * self.start.slope)

    def bracket(self, position: Any) -> tuple[list[LineTrial], bool]:
        """One trial with which the search is done, or two between which there is one."""
        previous, trial = self.start, self.trial(position)
        for iteration in range(self.most_evaluations):
            if self.is_too_high(trial) or (iteration > 1 and trial.loss >= previous.loss):
                return [previous, trial], False
            if self.is_flat(trial):
                return [trial], True
            if trial.slope >= 0:
                return [previous, trial], False
            bounds = trial.position + 0.01 * (trial.position - previous.position), trial.position * 10
            position = cubic_minimum(previous, trial, bounds)
            previous, trial = trial, self.trial(position)
        return [self.start, trial], False

    def zoom(self, ends: list[LineTrial], width_scale: Any, tolerance: float) -> LineTrial:
        """Narrow a bracket; the trial with the lowest loss."""
        low = 0 if ends[0].loss <= ends[1].loss else 1
        stalled = False
        while self.evaluations - 1 < self.most_evaluations:
            if abs(ends[1].position - ends[0].position) * width_scale < tolerance:
                break
            position, stalled = self.away_from_ends(cubic_minimum(*ends), ends, stalled)
            trial = self.trial(position)
            if self.is_too_high(trial) or trial.loss >= ends[low].loss:
                ends[1 - low] = trial
                low = 0 if ends[0].loss <= ends[1].loss else 1
                continue
            done = self.is_flat(trial)
            if not done and trial.slope * (ends[1 - low].position - ends[low].position) >= 0:
                ends[1 - low] = ends[low]
            ends[low] = trial
            if done:
                break
        return ends[low]

    def away_from_ends(self, position: Any, ends: list[LineTrial], stalled: bool) -> tuple[Any, bool]:
        """A position that makes progress: a second one close to an end is moved a tenth of the width away from it."""
        first, last = sorted(end.position for end in ends)
        margin = 0.1 * (last - first)
        if not min(last - position, position - first) < margin:
            return position, False
        if not (stalled or position >= last or position <= first):
            return position, True
        nearer_last = abs(position - last) < abs(position - first)
        return (last - margin if nearer_last else first + margin), False


def strong_wolfe(
    along: Callable[[Any], tuple[float, Any, Any]],
    position: Any,
    width_scale: Any,
    start: tuple[float, Any, Any],
    most_evaluations: int,
    tolerance: float = 1e-9,
) -> tuple[float, Any, Any, int]:
    """Loss, gradient and position of a step that meets the strong Wolfe conditions, and the evaluations it took.

    `along(position)` gives loss, gradient and slope, `start` is that at 0; `position` is tried first. The search ends
    where the bracket's width times `width_scale` is below `tolerance`.
    """
    search = WolfeSearch(along, LineTrial(0, *start), most_evaluations)
    ends, done = search.bracket(position)
    best = ends[0] if done else search.zoom(ends, width_scale, tolerance)
    return best.loss, best.gradient, best.position, search.evaluations
