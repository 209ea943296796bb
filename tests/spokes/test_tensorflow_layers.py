"""The TensorFlow layers against torch's: outputs, gradients and statistics with the same weights, and optimizers' steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ivy_convert.api_maps.tensorflow.helpers import optimizers as tensorflow_optimizers
from ivy_convert.verify.adapters import load_adapter

from .running import tf

LAYERS: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "linear": ("Linear", {"in_features": 4, "out_features": 3}, (2, 5, 4)),
    "convolution": ("Conv2d", {"in_channels": 4, "out_channels": 6, "kernel_size": (3, 2), "padding": 1}, (2, 4, 8, 7)),
    "strided groups": ("Conv2d", {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "stride": 2, "groups": 2,
                                  "bias": False}, (2, 4, 8, 7)),
    "dilated": ("Conv2d", {"in_channels": 4, "out_channels": 2, "kernel_size": 3, "dilation": 2, "padding": "same"}, (2, 4, 9, 8)),
    "reflecting": ("Conv2d", {"in_channels": 1, "out_channels": 2, "kernel_size": 3, "padding": 1,
                              "padding_mode": "reflect"}, (2, 1, 5, 5)),
    "batch norm 1d": ("BatchNorm1d", {"num_features": 4}, (6, 4)),
    "batch norm 2d": ("BatchNorm2d", {"num_features": 4, "momentum": 0.3}, (3, 4, 5, 2)),
    "cumulative norm": ("BatchNorm2d", {"num_features": 4, "momentum": None}, (3, 4, 5, 2)),
    "layer norm": ("LayerNorm", {"normalized_shape": (3, 4)}, (2, 3, 4)),
    "group norm": ("GroupNorm", {"num_groups": 2, "num_channels": 4}, (2, 4, 3)),
    "max pool": ("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}, (2, 3, 8, 7)),
    "average pool": ("AvgPool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}, (2, 3, 8, 7)),
    "adaptive pool": ("AdaptiveAvgPool2d", {"output_size": (3, 2)}, (2, 3, 8, 7)),
    "flatten": ("Flatten", {}, (2, 3, 4)),
    "gelu": ("GELU", {"approximate": "tanh"}, (2, 3)),
    "elu": ("ELU", {"alpha": 0.7}, (2, 3)),
}  # fmt: skip


def weights(index: int, shape: tuple[int, ...]) -> np.ndarray:
    """What outputs are multiplied with before gradients are taken."""
    return np.random.default_rng(index + 9).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str) -> None:
    kind, arguments, shape = LAYERS[name]
    theirs, ours = load_adapter("torch"), load_adapter("tensorflow")
    first = getattr(torch.nn, kind)(**arguments)
    second = ours.foreign(f"torch.nn:{kind}")(**arguments)
    state = theirs.export_state(first)
    assert state.arrays.keys() == ours.export_state(second).arrays.keys()
    assert state.parameters == ours.export_state(second).parameters
    ours.assign(second, state.arrays)
    for training in (True, True, False):
        theirs.set_training(first, training)
        ours.set_training(second, training)
        x = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
        given = (first, [torch.tensor(x)]), (second, [tf.constant(x)])
        expected, actual = (
            adapter.gradients(lambda module, arrays: [module(arrays[0])], *pair, weights)
            for adapter, pair in zip((theirs, ours), given, strict=True)
        )
        np.testing.assert_allclose(second(tf.constant(x)), first(torch.tensor(x)).detach(), 1e-4, 1e-5)
        for key, gradient in expected[0].items():
            np.testing.assert_allclose(actual[0][key], gradient, 1e-4, 1e-4, err_msg=key)
        np.testing.assert_allclose(actual[1][0], expected[1][0], 1e-4, 1e-4)
    for key, array in theirs.export_state(first).arrays.items():
        np.testing.assert_allclose(ours.export_state(second).arrays[key], array, 1e-5, 1e-6, err_msg=key)


OPTIMIZERS = [
    ("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}), ("Adam", {"lr": 0.01, "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "betas": (0.8, 0.9)}), ("AdamW", {"lr": 0.01, "weight_decay": 0.2}),
]  # fmt: skip
SCHEDULES = [("StepLR", {"step_size": 3}), ("MultiStepLR", {"milestones": [2, 5]}), ("CosineAnnealingLR", {"T_max": 4})]


@pytest.mark.parametrize("schedule", range(3))
@pytest.mark.parametrize("case", range(len(OPTIMIZERS)))
def test_optimizer_steps(case: int, schedule: int) -> None:
    """The same weights after each of 12 steps whose learning rate changes."""
    import keras

    kind, arguments = OPTIMIZERS[case]
    start = np.array([0.3, -1.0, 2.0], np.float32)
    parameter, variable = torch.nn.Parameter(torch.tensor(start)), keras.Variable(start)
    theirs = getattr(torch.optim, kind)([parameter], **arguments)
    ours = getattr(tensorflow_optimizers, kind)([variable], **arguments)
    name, options = SCHEDULES[schedule]
    rates = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    our_rates = getattr(tensorflow_optimizers, name)(ours, **options)
    for step in range(12):
        gradient = np.random.default_rng(step).standard_normal(3).astype(np.float32)
        parameter.grad = torch.tensor(gradient)
        theirs.step()
        ours.apply_gradients([(tf.constant(gradient), variable)])
        rates.step()
        our_rates.step()
        np.testing.assert_allclose(our_rates.get_last_lr(), rates.get_last_lr(), 1e-6)
        np.testing.assert_allclose(variable.numpy(), parameter.detach().numpy(), 1e-5, 1e-6)
