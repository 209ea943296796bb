"""The proof of the hub: the classifier from torch to TensorFlow, on to JAX, and back to torch.

At every stop the network gives the same outputs, gradients and running statistics, and its own training function
takes the same steps, from the same weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from flax import nnx

from ivy_convert.verify.adapters import load_adapter

from .running import tf
from .trees import converted, load, read, write

CLASSIFIER = Path(__file__).resolve().parents[2] / "fixtures" / "repositories" / "classifier"
STOPS = (("tensorflow", "torch"), ("jax", "tensorflow"), ("torch", "jax"))
HYPERPARAMETERS = {"momentum": 0.9, "nesterov": True}
MAKE = {"torch": torch.from_numpy, "tensorflow": tf.convert_to_tensor, "jax": jnp.asarray}


@pytest.fixture(scope="module")
def stops(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Path]]:
    """The repository as it is, and after each conversion: framework and folder."""
    files = read(CLASSIFIER)
    found = [("torch", write(files, tmp_path_factory.mktemp("original")))]
    for target, source in STOPS:
        files = converted(files, source, target, frozenset(("tests/test_model.py",)))
        found.append((target, write(files, tmp_path_factory.mktemp(target))))
    return found


def network(framework: str, folder: Path) -> tuple[Any, Any, Any]:
    """A network with weights that depend on their names only, its adapter and the module of the training function."""
    resnet, engine = load(folder, "resnet", "resnet.engine")
    adapter = load_adapter(framework)
    model = resnet.resnet_tiny(num_classes=4, **({"rngs": nnx.Rngs(0)} if framework == "jax" else {}))
    arrays = {}
    for name, array in adapter.export_state(model).arrays.items():
        if np.issubdtype(array.dtype, np.floating):
            draw = np.random.default_rng(sum(name.encode())).standard_normal(array.shape)
            arrays[name] = (0.2 * draw + (name.endswith(("running_var", "weight")) and array.ndim == 1)).astype(np.float32)
            arrays[name] = np.abs(arrays[name]) if name.endswith("running_var") else arrays[name]
    adapter.assign(model, arrays)
    return model, adapter, engine


def batches(framework: str, count: int) -> list[tuple[Any, Any]]:
    """Images and labels."""
    draw = np.random.default_rng(7)
    make = MAKE[framework]
    return [
        (make(draw.standard_normal((8, 3, 16, 16)).astype(np.float32)), make(draw.integers(0, 4, 8)))
        for _ in range(count)
    ]


def outputs(framework: str, folder: Path) -> dict[str, np.ndarray]:
    """Outputs in both modes, gradients and the running statistics afterwards."""
    model, adapter, _ = network(framework, folder)
    ((images, _),) = batches(framework, 1)
    adapter.set_training(model, False)
    found = {"evaluation": adapter.to_numpy(model(images))}
    adapter.set_training(model, True)
    adapter.disable_dropout(model)
    shape = lambda index, size: np.random.default_rng(index).standard_normal(size).astype(np.float32)  # noqa: E731
    by_name, inputs = adapter.gradients(lambda module, arrays: [module(arrays[0])], model, [images], shape)
    found |= {f"gradient {name}": gradient for name, gradient in by_name.items()} | {"input": inputs[0]}
    found["training"] = adapter.to_numpy(model(images))
    return found


def optimizer(framework: str, folder: Path, model: Any) -> Any:
    """Gradient descent with momentum and weight decay, as the repository's training script builds it."""
    if framework == "torch":
        return torch.optim.SGD(model.parameters(), lr=0.05, weight_decay=5e-4, **HYPERPARAMETERS)
    if framework == "tensorflow":
        (script,) = load(folder, "train")
        return script.SGD(model.trainable_variables, lr=0.05, weight_decay=5e-4, **HYPERPARAMETERS)
    steps = optax.chain(optax.add_decayed_weights(5e-4), optax.sgd(0.05, **HYPERPARAMETERS))
    return nnx.Optimizer(model, steps, wrt=nnx.Param)


def training(framework: str, folder: Path) -> tuple[list[float], dict[str, np.ndarray]]:
    """Losses and weights of the repository's own training function over 6 batches."""
    model, adapter, engine = network(framework, folder)
    adapter.disable_dropout(model)
    losses = {
        "torch": lambda: torch.nn.CrossEntropyLoss(label_smoothing=0.05),
        "tensorflow": lambda: adapter.foreign("torch.nn:CrossEntropyLoss")(label_smoothing=0.05),
        "jax": lambda: adapter.foreign("torch.nn:CrossEntropyLoss")(label_smoothing=0.05),
    }
    steps = optimizer(framework, folder, model)
    history = engine.train_one_epoch(model, batches(framework, 6), losses[framework](), steps, adapter.device("cpu"))
    return [float(loss) for loss in history], dict(adapter.export_state(model).arrays)


@pytest.mark.parametrize("stop", [1, 2, 3], ids=["tensorflow", "tensorflow-jax", "tensorflow-jax-torch"])
def test_same_outputs_and_gradients(stops: list[tuple[str, Path]], stop: int) -> None:
    expected, actual = outputs(*stops[0]), outputs(*stops[stop])
    assert expected.keys() == actual.keys()
    for name, array in expected.items():
        scale = max(1.0, float(np.abs(array).max()))
        np.testing.assert_allclose(actual[name] / scale, array / scale, rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("stop", [1, 2, 3], ids=["tensorflow", "tensorflow-jax", "tensorflow-jax-torch"])
def test_same_training(stops: list[tuple[str, Path]], stop: int) -> None:
    losses, weights = training(*stops[0])
    other_losses, other_weights = training(*stops[stop])
    np.testing.assert_allclose(other_losses, losses, rtol=1e-4)
    for name, array in weights.items():
        np.testing.assert_allclose(other_weights[name], array, rtol=1e-3, atol=1e-4, err_msg=name)
