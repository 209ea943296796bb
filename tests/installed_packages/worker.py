"""Runs cases on one side, in a process of its own: `python worker.py torch|jax PACKAGES CASES FOLDER [REFUSED]`.

PACKAGES is the folder that the package is imported from, CASES the JSON list of cases to run, FOLDER where the
results go: for each case an .npz file of weights, inputs, outputs and gradients from the torch side, of outputs
and gradients from the JAX side, or a .txt file with the traceback. REFUSED are packages that cannot be imported.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import traceback
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

STUBBED = ("torchvision", "torchvision.transforms")


class Refused:
    """An import hook for packages that the side must do without."""

    def __init__(self, *packages: str) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """ModuleNotFoundError for the refused packages, as if they were not installed."""
        if name.partition(".")[0] in self.packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main(side: str, packages: str, cases: str, folder: str, refused: str = "") -> None:
    """Run the cases one after the other; a failure is that case's result."""
    if refused:
        sys.meta_path.insert(0, Refused(*refused.split(",")))  # type: ignore[arg-type]
    sys.path.insert(0, packages)
    for name in STUBBED:
        sys.modules[name] = types.ModuleType(name)
    sys.modules[STUBBED[0]].transforms = sys.modules[STUBBED[1]]  # type: ignore[attr-defined]
    load_adapter = importlib.import_module("ivy_convert.verify.adapters").load_adapter
    adapter = load_adapter(side)
    adapter.start("cpu", False)
    for case in json.loads(cases):
        file = Path(folder) / f"{case['name']}.{side}"
        try:
            np.savez(f"{file}.npz", **run(adapter, case, Path(folder)))
        except Exception:
            Path(f"{file}.txt").write_text(traceback.format_exc())


def run(adapter: Any, case: Mapping[str, Any], folder: Path) -> dict[str, np.ndarray]:
    """Outputs and gradients of one case; on the torch side with the weights that the other side takes."""
    if adapter.name == "torch":
        adapter.manual_seed(0)
    noise = importlib.import_module("ivy_convert.verify.noise")
    module = build(case["model"], adapter)
    result: dict[str, np.ndarray] = {}
    if adapter.name == "torch":
        state = disturbed(adapter.export_state(module).arrays)
        adapter.assign(module, state)
        result.update({f"weight {name}": array for name, array in state.items()})
        result["parameters"] = np.array([name for name, p in module.named_parameters() if p.requires_grad])
        result["all parameters"] = np.array([name for name, _ in module.named_parameters()])
    else:
        take_weights(adapter, module, folder / f"{case['name']}.torch.npz")
    adapter.set_training(module, case["training"])
    adapter.disable_dropout(module)
    arrays = [input_array(spec, index) for index, spec in enumerate(case["inputs"])]
    floats = [index for index, array in enumerate(arrays) if array.dtype == np.float32]
    stream = noise.NoiseStream()
    outputs: list[np.ndarray] = []

    def program(live: Any, given: Sequence[Any]) -> list[Any]:
        values = [adapter.from_numpy(array) for array in arrays]
        for index, value in zip(floats, given, strict=True):
            values[index] = value
        stream.restart()
        target = functools.reduce(getattr, filter(None, case["method"].split(".")), live)
        named = {spec["keyword"]: value for spec, value in zip(case["inputs"], values) if "keyword" in spec}
        given = [value for spec, value in zip(case["inputs"], values) if "keyword" not in spec]
        with adapter.noise(stream):
            result = target(*given, **named, **case["keywords"])
        return [leaf for leaf in leaves(result) if adapter.is_float(leaf)]

    def weights(index: int, shape: tuple[int, ...]) -> np.ndarray:
        return noise.fixed_normal(index, shape).astype(np.float32)

    given = [adapter.from_numpy(arrays[index]) for index in floats]
    outputs, found, inputs = evaluate(adapter, program, module, given, weights, case["compiled"])
    result.update({f"output {index}": output for index, output in enumerate(outputs)})
    result.update({f"gradient {name}": array for name, array in found.items()})
    result.update({f"input gradient {index}": array for index, array in enumerate(inputs)})
    return result


def evaluate(
    adapter: Any, program: Any, module: Any, given: list[Any], weights: Any, compiled: bool
) -> tuple[list[np.ndarray], dict[str, np.ndarray], list[np.ndarray]]:
    """Outputs, gradients by parameter and gradients of the inputs. On JAX by one compiled function if asked for."""
    if adapter.name == "torch" or not compiled:
        found = adapter.gradients(program, module, given, weights)
        if adapter.name == "torch":
            import torch

            with torch.no_grad():
                outputs = program(module, [value.clone() for value in given])
        else:
            outputs = program(module, given)
        return [np.array(adapter.to_numpy(output)) for output in outputs], *(found or ({}, []))
    import jax
    import jax.numpy as jnp
    from flax import nnx

    graph, parameters, rest = nnx.split(module, nnx.Param, ...)

    @jax.jit
    def compute(parameters: Any, rest: Any, inputs: list[Any]) -> Any:
        def objective(parameters: Any, inputs: list[Any]) -> Any:
            outputs = program(nnx.merge(graph, parameters, rest, copy=True), inputs)
            return sum(jnp.sum(out * weights(index, out.shape)) for index, out in enumerate(outputs)), outputs

        gradients, outputs = jax.grad(objective, argnums=(0, 1), has_aux=True)(parameters, inputs)
        return *gradients, outputs

    found, inputs, outputs = compute(parameters, rest, given)
    nnx.update(module, found)
    state = adapter.export_state(module)
    gradients = {name: state.arrays[name] for name in state.parameters}
    return [np.asarray(value) for value in outputs], gradients, [np.asarray(value) for value in inputs]


def build(spec: Any, adapter: Any) -> Any:
    """An object from `{"$": "package.module.Class", argument: value}`; arguments may be objects again."""
    if isinstance(spec, list):
        return [build(item, adapter) for item in spec]
    if not isinstance(spec, dict) or "$" not in spec:
        return spec
    path, _, name = spec["$"].rpartition(".")
    made = getattr(importlib.import_module(path), name)
    arguments = {key: build(value, adapter) for key, value in spec.items() if key != "$"}
    arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
    return adapter.construct(made, (), arguments)


def disturbed(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights moved a little, so that no branch hides behind a weight that starts at zero or one."""
    moved = {}
    for name, array in arrays.items():
        noise = np.random.default_rng([3, *name.encode()]).uniform(0.02, 0.1, array.shape)
        moved[name] = (array + noise).astype(array.dtype) if array.dtype == np.float32 else array
    return moved


def take_weights(adapter: Any, module: Any, file: Path) -> None:
    """The other side's weights, by the same routes as `transfer_weights` with both modules at hand."""
    transfer = importlib.import_module("ivy_convert.verify.transfer")
    if not file.exists():
        raise FileNotFoundError(f"the torch side of {file.stem} failed")
    with np.load(file) as stored:
        arrays = {name.removeprefix("weight "): stored[name] for name in stored.files if name.startswith("weight ")}
    own = adapter.export_state(module)
    routes = transfer.route(transfer.State(arrays, optional=frozenset(arrays) - set(own.arrays)), own)
    adapter.assign(module, {route.target: route.forward(arrays[route.source]) for route in routes})


def input_array(spec: Mapping[str, Any], index: int) -> np.ndarray:
    """`{"shape": [...], "high": 10}`: floats, or integers below `high`, or booleans for `high` 1."""
    generator = np.random.default_rng([7, index])
    high = spec.get("high")
    if high is None:
        return generator.standard_normal(spec["shape"]).astype(np.float32)
    if high == 1:
        mask = generator.uniform(size=spec["shape"]) < 0.7
        mask[..., 0] = True
        return mask
    return generator.integers(0, high, spec["shape"])


def leaves(value: Any) -> list[Any]:
    """The arrays of a result, in order."""
    if isinstance(value, Mapping):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value[...] if hasattr(value, "__jax_array__") else value]


if __name__ == "__main__":
    main(*sys.argv[1:])
