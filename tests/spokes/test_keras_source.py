"""Keras code as people write it, read: to torch it converts, to JAX what needs its input's size is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import ivy_convert

from .running import tf

SOURCE = '''
import tensorflow as tf
from tensorflow import keras


class Net(keras.Model):
    """A small perceptron."""

    def __init__(self, width, classes):
        super().__init__()
        self.flatten = keras.layers.Flatten()
        self.hidden = keras.layers.Dense(width)
        self.head = keras.layers.Dense(classes, use_bias=False)

    def call(self, x):
        x = tf.nn.relu(self.hidden(self.flatten(x)))
        return self.head(x)


def loss_of(model, x, y):
    with tf.GradientTape() as tape:
        logits = model(x)
        loss = tf.reduce_mean(tf.square(logits - y))
    grads = tape.gradient(loss, model.trainable_variables)
    return loss


def train_step(model, optimizer, x, y):
    with tf.GradientTape() as tape:
        # the squared error
        logits = model(x)
        loss = tf.reduce_mean(tf.square(logits - y))
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables))
    return loss
'''


def run(code: str) -> dict[str, Any]:
    """The names that the code defines."""
    scope: dict[str, Any] = {}
    exec(compile(code, "net.py", "exec"), scope)
    return scope


def test_forward_and_training_in_torch() -> None:
    result = ivy_convert.convert_source(SOURCE, "tensorflow", "torch", "net.py")
    before, after = run(SOURCE), run(result.code)
    x = np.random.default_rng(0).standard_normal((6, 2, 3)).astype(np.float32)
    y = np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32)
    ours, theirs = before["Net"](5, 4), after["Net"](5, 4)
    ours(tf.constant(x)), theirs(torch.tensor(x))
    with torch.no_grad():
        theirs.hidden.weight.copy_(torch.tensor(ours.hidden.kernel.numpy().T))
        theirs.hidden.bias.copy_(torch.tensor(ours.hidden.bias.numpy()))
        theirs.head.weight.copy_(torch.tensor(ours.head.kernel.numpy().T))
    step = torch.optim.SGD(theirs.parameters(), lr=0.1)

    class Plain:
        """Gradient descent without anything else."""

        def apply_gradients(self, pairs: Any) -> None:
            for gradient, variable in pairs:
                variable.assign_sub(0.1 * gradient)

    expected = [float(before["train_step"](ours, Plain(), tf.constant(x), tf.constant(y))) for _ in range(5)]
    actual = [float(after["train_step"](theirs, step, torch.tensor(x), torch.tensor(y))) for _ in range(5)]
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    assert expected[-1] < expected[0]


def test_gradients_that_no_optimizer_takes_are_refused() -> None:
    for target in ("torch", "jax"):
        report = ivy_convert.convert_source(SOURCE, "tensorflow", target, "net.py").report
        assert any("no optimizer takes" in site.reason for site in report.unsupported)


def test_layers_without_their_input_size_are_refused_for_jax() -> None:
    report = ivy_convert.convert_source(SOURCE, "tensorflow", "jax", "net.py").report
    assert sum("number of its inputs" in site.reason for site in report.unsupported) == 2
