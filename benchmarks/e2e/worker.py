"""Runs programs on one side, in a process of its own: `python -m ivy_convert.benchmarks.e2e.worker torch|jax JOB.json`.

The job names the folder that the programs are imported from, one with further packages, the cases and the folder of
results: for each case an .npz file of weights, outputs, gradients, losses and trained weights, or a .json file with
the exception and the lines that it passed through.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import json
import sys
import traceback
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ivy_convert.verify.adapters import load_adapter
from ivy_convert.verify.noise import NoiseStream, fixed_normal
from ivy_convert.verify.transfer import State, route

STEPS = 3


class _Stub(type):
    """A class that is never used; its attributes are such classes too."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Stub(name, (), {})


class _StubModule(types.ModuleType):
    """A module that has every name."""

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return "0.28.0"
        if name.startswith("__"):
            raise AttributeError(name)
        return _Stub(name, (), {})


class StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """torchvision has no build for this torch: the packages import it for what the programs never call."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """A module for torchvision and everything below it."""
        if name.partition(".")[0] == "torchvision":
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> Any:
        """An empty module that has every name."""
        return _StubModule(spec.name)

    def exec_module(self, module: Any) -> None:
        """Nothing to run."""


def main(side: str, job: str) -> None:
    """Run the cases one after the other; a failure is that case's result."""
    given = json.loads(Path(job).read_text())
    sys.meta_path.insert(0, StubFinder())
    sys.path[:0] = [given["folder"]]
    sys.path.append(given["dependencies"])
    adapter = load_adapter(side)
    adapter.start("cpu", given["double"])
    results = Path(given["results"])
    for case in given["cases"]:
        file = results / f"{case['name']}.{side}"
        try:
            np.savez(f"{file}.npz", **run(adapter, case, results))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            passed = [[frame.filename, frame.lineno] for frame in traceback.extract_tb(error.__traceback__)]
            Path(f"{file}.json").write_text(
                json.dumps({"error": f"{type(error).__name__}: {error}", "passed": passed, "text": traceback.format_exc()})
            )


def run(adapter: Any, case: Mapping[str, Any], results: Path) -> dict[str, np.ndarray]:
    """Outputs and gradients in one mode, then losses and weights of the training steps."""
    adapter.manual_seed(0)
    program = importlib.import_module(case["module"])
    model = adapter.construct(program.build, (), {})
    weights = initial_weights(adapter, model, results / f"{case['name']}.torch.npz")
    adapter.disable_dropout(model)
    result = {f"weight {name}": array for name, array in weights.items()} if adapter.name == "torch" else {}
    adapter.set_training(model, case["training"])
    result.update(forward_and_gradients(adapter, program, model, case))
    adapter.assign(model, weights)
    adapter.set_training(model, True)
    stream = NoiseStream()
    batches = [tuple(adapter.from_numpy(array) for array in arrays(case, step)) for step in range(STEPS)]
    with adapter.noise(stream):
        losses = program.train(model, batches, **adapter.extra_arguments(program.train))
    result["losses"] = np.array([float(loss) for loss in losses])
    state = adapter.export_state(model)
    result.update({f"trained {name}": array for name, array in state.arrays.items()})
    return result


def initial_weights(adapter: Any, model: Any, file: Path) -> dict[str, np.ndarray]:
    """On the torch side the model's own, moved a little; on the other side these, by the verifier's routes."""
    own = adapter.export_state(model)
    if adapter.name == "torch":
        moved = disturbed(own.arrays)
        adapter.assign(model, moved)
        return moved
    if not file.exists():
        raise FileNotFoundError(f"the torch side of {file.stem} failed")
    with np.load(file) as stored:
        given = {name.removeprefix("weight "): stored[name] for name in stored.files if name.startswith("weight ")}
    routes = route(State(given, optional=frozenset(given) - set(own.arrays)), own)
    weights = {one.target: one.forward(given[one.source]) for one in routes}
    adapter.assign(model, weights)
    return weights


def disturbed(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights moved a little, so that no branch hides behind a weight that starts at zero or one."""
    moved = {}
    for name, array in weights.items():
        generator = np.random.default_rng([3, *name.encode()])
        noise = generator.uniform(0.01, 0.05, array.shape) * generator.choice((-1, 1), array.shape)
        # What is nowhere negative may have to stay so: variances, counts.
        noise = np.abs(noise) if array.min(initial=1) >= 0 else noise
        moved[name] = (array + noise).astype(array.dtype) if np.issubdtype(array.dtype, np.floating) else array
    return moved


def forward_and_gradients(adapter: Any, program: Any, model: Any, case: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Outputs, and the gradients of a weighted sum of them by weight and by input."""
    values = arrays(case, 0)
    floats = [index for index, array in enumerate(values) if np.issubdtype(array.dtype, np.floating)]
    stream = NoiseStream()

    def call(live: Any, inputs: Sequence[Any]) -> list[Any]:
        given = [adapter.from_numpy(array) for array in values]
        for index, value in zip(floats, inputs, strict=True):
            given[index] = value
        stream.restart()
        with adapter.noise(stream):
            result = program.forward(live, *given, **adapter.extra_arguments(program.forward))
        return [leaf for leaf in leaves(result) if adapter.is_float(leaf)]

    def weigh(index: int, shape: tuple[int, ...]) -> np.ndarray:
        return fixed_normal(index, shape).astype(np.float64 if adapter.double else np.float32)

    inputs = [adapter.from_numpy(values[index]) for index in floats]
    found = adapter.gradients(call, model, inputs, weigh)
    outputs = [np.array(adapter.to_numpy(output)) for output in call(model, inputs)]
    by_weight, by_input = found or ({}, [])
    return {
        **{f"output {index}": output for index, output in enumerate(outputs)},
        **{f"gradient {name}": array for name, array in by_weight.items()},
        **{f"input gradient {index}": array for index, array in enumerate(by_input)},
    }


def arrays(case: Mapping[str, Any], step: int) -> list[np.ndarray]:
    """The inputs of one step."""
    return [input_array(spec, [7, index, step]) for index, spec in enumerate(case["inputs"].values())]


def input_array(spec: Mapping[str, Any], seed: list[int]) -> np.ndarray:
    """Numbers as `programs.floats`, `unit_floats`, `integers` and `booleans` describe them."""
    generator = np.random.default_rng(seed)
    shape, high = spec["shape"], spec.get("high")
    if spec.get("unit"):
        return generator.uniform(0.05, 0.95, shape).astype(np.float32)
    if high is None:
        return generator.standard_normal(shape).astype(np.float32)
    if high == 1:
        mask = generator.uniform(size=shape) < 0.7
        mask[..., 0] = True
        return mask
    return generator.integers(0, high, shape)


def leaves(value: Any) -> list[Any]:
    """The arrays of a result, in order."""
    if isinstance(value, Mapping):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value[...] if hasattr(value, "__jax_array__") else value]


if __name__ == "__main__":
    main(*sys.argv[1:])
