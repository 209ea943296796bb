"""Keras' own layers, converted to PyTorch: outputs, gradients and statistics with the same weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ivy_convert
from ivy_convert.verify import transfer_weights

from .running import tf

SOURCE = """
import keras


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.layer = {layer}

    def call(self, x, training=False):
        return self.layer({call})
"""

LAYERS: dict[str, tuple[str, tuple[int, ...]]] = {
    "dense": ("keras.layers.Dense(3)", (2, 5, 4)),
    "dense relu": ("keras.layers.Dense(3, activation='relu', use_bias=False)", (6, 4)),
    "dense softmax": ("keras.layers.Dense(3, activation='softmax')", (2, 5, 4)),
    "dense leaky": ("keras.layers.Dense(3, activation='leaky_relu')", (2, 5, 4)),
    "convolution": ("keras.layers.Conv2D(6, (3, 2), activation='gelu')", (2, 8, 7, 4)),
    "strided same": ("keras.layers.Conv2D(6, 3, strides=2, padding='same', groups=2)", (2, 8, 7, 4)),
    "strided same, odd": (
        "keras.layers.Conv2D(6, (2, 3), strides=(3, 1), padding='SAME', use_bias=False)",
        (2, 9, 6, 4),
    ),
    "dilated": ("keras.layers.Conv2D(6, 3, padding='same', dilation_rate=(2, 1))", (2, 9, 8, 4)),
    "convolution 1d": ("keras.layers.Conv1D(6, 3, strides=2)", (2, 9, 4)),
    "causal": ("keras.layers.Conv1D(6, 3, padding='causal', dilation_rate=2, activation='tanh')", (2, 9, 4)),
    "max pool": ("keras.layers.MaxPooling2D()", (2, 8, 7, 3)),
    "max pool same": ("keras.layers.MaxPool2D(pool_size=3, strides=2, padding='same')", (2, 8, 7, 3)),
    "average pool": ("keras.layers.AveragePooling2D((3, 2), strides=1)", (2, 8, 7, 3)),
    "average pool same": ("keras.layers.AvgPool2D(3, padding='same')", (2, 8, 7, 3)),
    "global average": ("keras.layers.GlobalAveragePooling2D(keepdims=True)", (2, 8, 7, 3)),
    "layer norm": ("keras.layers.LayerNormalization(epsilon=1e-2, center=False)", (2, 5, 4)),
    "batch norm": ("keras.layers.BatchNormalization(momentum=0.7)", (6, 5, 4)),
    "batch norm without weights": ("keras.layers.BatchNormalization(scale=False, center=False)", (6, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str) -> None:
    layer, shape = LAYERS[name]
    has_mode = "BatchNormalization" in layer
    code = SOURCE.format(layer=layer, call="x, training=training" if has_mode else "x")
    result = ivy_convert.convert_source(code, "tensorflow", "torch", "net.py")
    assert not result.report.unsupported and bool([s for s in result.report.review if "mode" in s.reason]) == has_mode
    scopes: list[dict[str, type]] = [{}, {}]
    for text, scope in zip((code, result.code), scopes, strict=True):
        exec(compile(text, "net.py", "exec"), scope)
    source, target = scopes[0]["Net"](), scopes[1]["Net"]()
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    source(tf.constant(x)), target(torch.tensor(x))
    for variable in source.variables:
        variable.assign(np.random.default_rng(len(variable.path)).uniform(0.5, 1.5, variable.shape))
    transfer_weights(source, target)
    for training in (True, True, False):
        given, taken = tf.constant(x), torch.tensor(x, requires_grad=True)
        with tf.GradientTape() as tape:
            tape.watch(given)
            expected = source(given, training=training)
            total = tf.reduce_sum(
                expected * tf.sin(tf.range(tf.size(expected), dtype=tf.float32)).numpy().reshape(expected.shape)
            )
        gradients = tape.gradient(total, [given, *source.trainable_variables])
        actual = target.train(training)(taken)
        target.zero_grad()
        (actual * torch.sin(torch.arange(actual.numel(), dtype=torch.float32)).reshape(actual.shape)).sum().backward()
        np.testing.assert_allclose(actual.detach().numpy(), expected.numpy(), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(taken.grad.numpy(), gradients[0].numpy(), rtol=1e-4, atol=1e-5)
        theirs = [parameter.grad.numpy() for parameter in target.parameters()]
        for ours in gradients[1:]:
            found = [grad.T if name == "dense" and grad.ndim == 2 else grad for grad in theirs]
            assert any(g.shape == ours.shape and np.allclose(g, ours, rtol=1e-4, atol=1e-4) for g in found)
        for buffer in target.buffers():
            values = [variable.numpy() for variable in source.non_trainable_variables]
            assert any(np.allclose(buffer.numpy(), value, rtol=1e-5, atol=1e-6) for value in values)


def test_initial_values() -> None:
    """Glorot uniform, as Keras draws: same bounds and spread."""
    torch.manual_seed(0)
    code = SOURCE.format(layer="keras.layers.Conv2D(64, 3)", call="x")
    scope: dict[str, type] = {}
    exec(ivy_convert.convert_source(code, "tensorflow", "torch", "net.py").code, scope)
    net = scope["Net"]()
    net(torch.zeros(1, 5, 5, 32))
    limit = (6 / (9 * (32 + 64))) ** 0.5
    kernel = net.layer.kernel.detach()
    assert 0.99 * limit < kernel.abs().max() <= limit and abs(kernel.std() - limit / 3**0.5) < 0.01 * limit
    assert not net.layer.bias.any()
