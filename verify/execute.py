"""Runs one case on one side: builds it, gives it weights, and measures forward, gradients and training."""

from __future__ import annotations

import contextlib
import functools
import importlib
import random
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .adapters.base import Adapter, replaced
from .lines import recorded
from .noise import NoiseStream, fixed_normal
from .problems import WeightMismatch
from .timing import time_limit
from .transfer import State, WeightRoute, route
from .values import ArrayStore, Decoder, Encoder, Json, array_leaves, map_arrays

TRAINING_STEPS = 10
LEARNING_RATES = (1e-2, 1e-3, 1e-4)


class _EnoughSteps(BaseException):
    """Ends a training function of the converted side after the steps that are compared."""


@dataclass
class Weights:
    """The weights of the modules that a case makes, in the order in which they are finished.

    given: the original's weights; None on the side that draws them. The others take them over.
    """

    adapter: Adapter
    given: Sequence[State] | None
    states: list[State] = field(default_factory=list)
    modules: list[Any] = field(default_factory=list)
    routes: list[list[WeightRoute]] = field(default_factory=list)

    def restart(self) -> None:
        """Before a case is built anew."""
        self.modules.clear()
        self.routes.clear()

    def finished(self, module: Any, disturb: bool) -> None:
        """A module has been made: give it its weights."""
        index = len(self.modules)
        self.modules.append(module)
        own = self.adapter.export_state(module)
        if self.given is None and index == len(self.states):
            self.states.append(disturbed(own, index) if disturb else own)
        known = self.states if self.given is None else self.given
        if index >= len(known):
            raise WeightMismatch(f"the original makes {len(known)} modules here, this side makes more")
        routes = route(known[index], own)
        self.routes.append(routes)
        arrays = {item.target: item.forward(np.asarray(known[index].arrays[item.source])) for item in routes}
        self.adapter.assign(module, arrays)

    def of(self, module: Any) -> dict[str, np.ndarray] | None:
        """The weights of one module that was made here."""
        for index, known in enumerate(self.modules):
            if known is module:
                return self.current()[index]
        return None

    def current(self) -> list[dict[str, np.ndarray]]:
        """The weights as they are now, under the original's names and in its layout."""
        found = []
        for module, routes in zip(self.modules, self.routes):
            arrays = self.adapter.export_state(module).arrays
            found.append({item.source: item.backward(np.asarray(arrays[item.target])) for item in routes})
        return found


def disturbed(state: State, seed: int) -> State:
    """Weights moved a little, so that those that start at 0 or 1 count in the comparison."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {}
    for name, array in state.arrays.items():
        first = state.tied.get(name)
        arrays[name] = arrays[first] if first is not None else _moved(name, array, state, rng)
    return State(arrays, state.parameters, state.tied, state.optional, state.layers)


def _moved(name: str, array: np.ndarray, state: State, rng: np.random.Generator) -> np.ndarray:
    if not np.issubdtype(array.dtype, np.floating):
        return array
    short = name.rpartition(".")[2]
    first, second = rng.standard_normal(array.shape), rng.standard_normal(array.shape)
    if name in state.parameters:
        size = float(np.sqrt(np.mean(np.square(array)))) if array.size else 0.0
        moved = array * (1 + 0.1 * first) + 0.05 * second * (size or 1.0)
    elif short in ("running_mean", "moving_mean"):
        moved = array + 0.1 * first
    elif short in ("running_var", "moving_variance"):
        moved = array * (1 + 0.2 * np.abs(first))
    elif array.size and (array == array.flat[0]).all():
        # a scale that starts at 1; tables and masks are not constant and must stay what they are
        moved = array * (1 + 0.1 * first)
    else:
        return array
    return np.asarray(moved).astype(array.dtype)


@dataclass
class Case:
    """A recorded call, ready to be built on this side as often as needed."""

    description: Json
    adapter: Adapter
    store: ArrayStore
    weights: Weights
    find: Callable[[str], Any]
    stream: NoiseStream
    # how many steps of training are compared
    steps: int = TRAINING_STEPS
    # whether modules are being made for the arguments of the call, not by the code under test
    building: bool = False
    # dropout stays on, and generators begin with this seed, where distributions are compared
    keeps_randomness: bool = False
    seed: int = 0
    # how many layers of the module would drop something
    dropouts: int = 0
    _unfinished: list[Any] = field(default_factory=list)

    def build(self, training: bool) -> tuple[Any, Callable[..., Any], list[Any], dict[str, Any]]:
        """The module (None for a function), what to call, and its arguments; everything seeded anew."""
        self._seed()
        self.weights.restart()
        decode = Decoder(
            self.store,
            self.find,
            self.adapter.from_numpy,
            self.adapter.dtype,
            self.adapter.device,
            self._construct,
        )
        module, self.building = None, True
        if self.description["kind"] == "module":
            module = decode(self.description["construct"])
            self.adapter.set_training(module, training)
            if not self.keeps_randomness:
                self.dropouts = self.adapter.disable_dropout(module)
            method = self.description["method"]
            function = module if method is None else getattr(module, method)
        else:
            function = self.find(f"{self.description['module']}:{self.description['qualname']}")
        args = [decode(item) for item in self.description["args"]]
        kwargs = decode.keywords(self.description["kwargs"])
        if self.description["kind"] == "function":
            kwargs |= {k: v for k, v in self.adapter.extra_arguments(function).items() if k not in kwargs}
        self._finish(function, args, kwargs)
        self.building = False
        self._seed()
        return module, function, args, kwargs

    def _seed(self) -> None:
        random.seed(self.seed)
        np.random.seed(self.seed)
        self.adapter.manual_seed(self.seed)
        self.stream.restart()

    def _construct(self, cls: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        made = self.adapter.construct(cls, args, kwargs)
        if not self.adapter.is_module(made) or any(module is made for module in self.weights.modules):
            return made
        if self.adapter.needs_a_call(made):
            self._unfinished.append(made)
        else:
            self.weights.finished(made, disturb=True)
        return made

    def _finish(self, function: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Give weights to modules that have none before a call."""
        if self._unfinished and self.description["kind"] == "module":
            self.adapter.invoke(function, args, kwargs)
        for module in self._unfinished:
            self.weights.finished(module, disturb=True)
        self._unfinished.clear()

    def repository_classes(self, modules: Sequence[str]) -> list[type]:
        """The module classes that the repository defines and that are imported by now."""
        self.find(f"{self.description['module']}:{self.description['qualname'].partition('.')[0]}")
        return [
            value
            for name in modules
            for value in vars(sys.modules.get(name, object)).values()
            if self.adapter.is_module_class(value) and value.__module__ == name
        ]

    @contextlib.contextmanager
    def giving_weights(self, classes: Sequence[type]) -> Iterator[None]:
        """While code runs: every module of the repository that is made gets its weights when it is finished."""
        depth: list[int] = []

        def wrapped(original: Any) -> Any:
            @functools.wraps(original)
            def init(module: Any, *args: Any, **kwargs: Any) -> None:
                # what a constructor draws is replaced anyway and must not count as drawn by the program
                drawn = self.stream.counts.copy()
                depth.append(1)
                try:
                    original(module, *args, **kwargs)
                finally:
                    depth.pop()
                if not depth:
                    self.stream.counts.clear()
                    self.stream.counts.update(drawn)
                    self.weights.finished(module, disturb=self.building)

            return init

        patches = [(cls, "__init__", wrapped(vars(cls)["__init__"])) for cls in classes if "__init__" in vars(cls)]
        with replaced(patches):
            yield


def measure(
    case: Case, modules: Sequence[str], seconds: float, rate: float | None, files: Mapping[str, str] | None
) -> Json:
    """All stages of a case: stage -> {"result": ...} or {"error": ...}, plus the arrays in `case.store`'s results.

    rate: the learning rate the original found; None on the original's side. files: None, or the files whose lines are
    recorded, with their modules' names; then only the stages run whose values are looked at.
    """
    results = ArrayStore()
    measured: Json = {"stages": {}, "differentiable": case.adapter.has_gradients}

    def stage(name: str, run: Callable[[], Json]) -> None:
        try:
            with time_limit(seconds), case.adapter.noise(case.stream):
                outcome = run()
            if outcome is not None:
                measured["stages"][name] = outcome | {"draws": case.stream.log}
        except Exception as problem:
            measured["stages"][name] = {"error": described(problem), "kind": type(problem).__name__}

    encode = Encoder(case.adapter, results, results=True, weights=case.weights.of)
    if case.description["kind"] == "function":
        stage("call", lambda: _call(case, encode, modules, rate is not None, files))
        if files is None and measured["stages"].get("call", {}).get("steps", 1) == 0 and case.adapter.has_gradients:
            stage("gradients", lambda: _gradients(case, encode))
    else:
        stage("forward", lambda: _forward(case, encode, training=False, files=files))
        stage("forward in training mode", lambda: _forward(case, encode, training=True, files=files))
        if case.description["method"] is None and case.adapter.has_gradients and files is None:
            stage("gradients", lambda: _gradients(case, encode))
            if case.description["train"]:
                stage("training", lambda: _train(case, encode, rate))
    drawn = any(outcome.get("draws") for outcome in measured["stages"].values())
    return measured | {"arrays": results, "random": bool(drawn or case.dropouts)}


def described(problem: Exception) -> str:
    """The error in one line, with the place in the code under test."""
    here = [entry for entry in traceback.extract_tb(problem.__traceback__) if "/verify/" not in entry.filename]
    place = f" ({here[-1].filename.rpartition('/')[2]}:{here[-1].lineno})" if here else ""
    lines = [line for line in str(problem).strip().splitlines() if line.strip()]
    return f"{type(problem).__name__}: {lines[0] if lines else ''}{place}"[:400]


def _call(case: Case, encode: Encoder, modules: Sequence[str], cut: bool, files: Mapping[str, str] | None) -> Json:
    steps: list[int] = []
    snapshot: list[Any] = []

    class Counter(list):  # type: ignore[type-arg]
        """Notices the last step that is compared."""

        def append(self, item: Any) -> None:
            steps.append(item)
            if len(steps) == case.steps:
                snapshot.extend(case.weights.current())
            if len(steps) > case.steps and cut:
                raise _EnoughSteps

    with case.giving_weights(case.repository_classes(modules)):
        _, function, args, kwargs = case.build(training=True)
        before = [np.array(case.adapter.to_numpy(leaf)) for leaf in _arrays(case, (args, kwargs))]
        given = _arrays(case, (args, kwargs))
        outcome: Json = {}
        try:
            with case.adapter.optimizer_steps(Counter()), recorded(case.adapter, None, files, encode, outcome):
                outcome["result"] = encode(function(*args, **kwargs))
        except _EnoughSteps:
            outcome["cut"] = True
    after = [np.array(case.adapter.to_numpy(leaf)) for leaf in given]
    pairs = enumerate(zip(before, after))
    changed = [index for index, (old, new) in pairs if not np.array_equal(old, new, equal_nan=_float(old))]
    final = snapshot or case.weights.current()
    outcome |= {"steps": len(steps), "limit": case.steps, "changed": changed, "weights": encode(final)}
    outcome["changed_values"] = [encode(after[index]) for index in changed]
    return outcome


def _float(array: np.ndarray) -> bool:
    return bool(np.issubdtype(array.dtype, np.inexact))


def _arrays(case: Case, tree: Any) -> list[Any]:
    found: list[Any] = []
    map_arrays(tree, case.adapter.is_array, lambda leaf: found.append(leaf) or leaf)  # type: ignore[func-returns-value]
    return found


def _forward(case: Case, encode: Encoder, training: bool, files: Mapping[str, str] | None) -> Json:
    module, function, args, kwargs = case.build(training)
    outcome: Json = {}
    with recorded(case.adapter, module, files, encode, outcome):
        result = case.adapter.invoke(function, args, kwargs)
    outcome["result"] = encode(result)
    if training:
        outcome["weights"] = encode(case.weights.current()[-1:])
    return outcome


def program_of(case: Case, function: Any, module: Any, args: Any, kwargs: Any) -> Callable[[Any, Sequence[Any]], Any]:
    """The case as a function of its module and its float inputs, with its float outputs in order."""

    def program(live: Any, inputs: Sequence[Any]) -> list[Any]:
        following = iter(inputs)
        new_args, new_kwargs = map_arrays((list(args), dict(kwargs)), case.adapter.is_float, lambda _: next(following))
        called = function if module is None else live
        outputs = array_leaves(case.adapter.invoke(called, new_args, new_kwargs), case.adapter.is_array)
        return [leaf for leaf in outputs if case.adapter.is_float(leaf)]

    return program


def float_inputs(case: Case, args: Any, kwargs: Any) -> list[Any]:
    """The arrays of real numbers among the arguments, in order."""
    return [leaf for leaf in _arrays(case, (list(args), dict(kwargs))) if case.adapter.is_float(leaf)]


def _gradients(case: Case, encode: Encoder) -> Json:
    module, function, args, kwargs = case.build(training=True)
    inputs = float_inputs(case, args, kwargs)
    program = program_of(case, function, module, args, kwargs)
    found = case.adapter.gradients(program, module, inputs, fixed_normal)
    if found is None:
        return {"none": True}
    by_name, by_input = found
    if module is not None:
        back = {item.target: item for item in case.weights.routes[-1]}
        by_name = {back[n].source: back[n].backward(g) for n, g in by_name.items() if n in back}
    return {"parameters": encode(by_name), "inputs": encode(by_input)}


def _train(case: Case, encode: Encoder, rate: float | None) -> Json:
    """The original tries smaller learning rates until the loss does not grow; the other side takes that one."""

    def targets(index: int, shape: tuple[int, ...]) -> np.ndarray:
        return fixed_normal(index, shape, seed=1)

    losses: list[float] = []
    for attempt in LEARNING_RATES if rate is None else (rate,):
        module, function, args, kwargs = case.build(training=True)
        inputs = float_inputs(case, args, kwargs)
        program = program_of(case, function, module, args, kwargs)
        restart = case.stream.restart
        losses = case.adapter.train(program, module, inputs, targets, case.steps, attempt, restart)
        rate = attempt
        if np.isfinite(losses).all() and losses[-1] <= 2 * losses[0]:
            break
    return {"losses": encode(np.array(losses)), "rate": rate, "weights": encode(case.weights.current()[-1:])}


def finder(adapter: Adapter, known: Mapping[str, str], foreign: Sequence[str]) -> Callable[[str], Any]:
    """A function from an import path to this side's class or function.

    known: names of the original's modules -> names of this side's. foreign: packages of the original's
    framework, whose classes are looked up by name among this side's.
    """

    @functools.cache
    def find(qualified: str) -> Any:
        module, _, qualname = qualified.partition(":")
        if module.partition(".")[0] in foreign and module.partition(".")[0] not in adapter.packages:
            return adapter.foreign(qualified)
        value: Any = importlib.import_module(known.get(module, module))
        for part in qualname.split("."):
            value = getattr(value, part)
        return value

    return find
