"""Runs one case many times on one side: draws for the comparison of distributions, and timings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .execute import Case, float_inputs, program_of
from .noise import fixed_normal
from .sampling import DRAWS, features
from .speed import MOST_RUNS, WARM_UP, seconds_between, seconds_of
from .values import Json, array_leaves, map_arrays

# Draws stop here; what was drawn by then is compared.
SECONDS_OF_DRAWS = 60.0
STEPS_OF_TIMING = WARM_UP + 10


def draws(case: Case, modules: Sequence[str]) -> Json:
    """feature -> its value in each draw, with dropout on and the framework's own generator."""
    case.keeps_randomness = True
    rows: list[dict[str, float]] = []
    begin = time.monotonic()
    with case.giving_weights(case.repository_classes(modules)):
        run: Callable[[], Any] | None = None
        while len(rows) < DRAWS and time.monotonic() - begin < SECONDS_OF_DRAWS:
            case.seed = len(rows)
            if case.description["kind"] == "function":
                _, function, args, kwargs = case.build(training=True)
                outputs = array_leaves(function(*args, **kwargs), case.adapter.is_array)
            else:
                run = run or _forward(case, training=True)
                outputs = run()
            arrays = [case.adapter.to_numpy(leaf) for leaf in outputs]
            flat = [array.astype(np.float64).ravel() for array in arrays if array is not None]
            rows.append(features(np.concatenate(flat)) if flat else {})
    return {name: [row[name] for row in rows] for name in rows[0] if all(name in row for row in rows)}


def timings(case: Case, rate: float) -> Json:
    """Seconds of a forward pass and of a training step; `step` is None where the module cannot be trained."""
    run = _forward(case, training=False)
    found: Json = {"forward": seconds_of(lambda: case.adapter.wait(run())), "step": None}
    if case.description["train"]:
        module, function, args, kwargs = case.build(training=True)
        stamps: list[float] = []
        count = STEPS_OF_TIMING if found["forward"] < 0.5 else WARM_UP + 2
        case.adapter.train(
            program_of(case, function, module, args, kwargs),
            module,
            float_inputs(case, args, kwargs),
            lambda index, shape: fixed_normal(index, shape, seed=1),
            min(count, MOST_RUNS),
            rate,
            lambda: stamps.append(time.perf_counter()),
        )
        stamps.append(time.perf_counter())
        found["step"] = seconds_between(stamps)
    return found


def _forward(case: Case, training: bool) -> Callable[[], Any]:
    """The arrays that a call of the module gives, compiled where the framework compiles and the module can be."""
    module, _, args, kwargs = case.build(training)
    adapter = case.adapter
    given = array_leaves((list(args), dict(kwargs)), adapter.is_array)

    def run(live: Any, arrays: Sequence[Any]) -> list[Any]:
        following = iter(arrays)
        new_args, new_kwargs = map_arrays((list(args), dict(kwargs)), adapter.is_array, lambda _: next(following))
        return array_leaves(adapter.invoke(live, new_args, new_kwargs), adapter.is_array)

    compiled = adapter.compiled(run, module)
    return lambda: compiled(given)
