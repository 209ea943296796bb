"""How fast both sides are: the time of a forward pass and of a training step, after warm-up. Nothing depends on it."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable

WARM_UP, MOST_RUNS, SECONDS = 3, 50, 1.0


def seconds_of(run: Callable[[], object]) -> float:
    """The median duration of a call, after some that do not count."""
    for _ in range(WARM_UP):
        run()
    durations: list[float] = []
    begin = time.perf_counter()
    while len(durations) < 3 or (len(durations) < MOST_RUNS and time.perf_counter() - begin < SECONDS):
        start = time.perf_counter()
        run()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def seconds_between(stamps: list[float]) -> float:
    """The median time between steps, from the moments at which they began and at which the last one ended."""
    steps = [after - before for before, after in itertools.pairwise(stamps)]
    return statistics.median(steps[WARM_UP:] or steps)


def readable(seconds: float) -> str:
    """`0.42 ms`."""
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
