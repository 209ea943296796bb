"""Initial values in place, with the distributions of torch.nn.init; each fills a Variable and returns it.

Fans are counted on torch's layout: weight [out, in, *kernel].
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from .process_stream import next_key


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Fan in and fan out of a weight [out, in, *kernel]; ValueError below two axes."""
    if len(shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    receptive_field = math.prod(shape[2:])
    return shape[1] * receptive_field, shape[0] * receptive_field


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The recommended gain of a nonlinearity: √2 for relu, 5/3 for tanh, √(2/(1+slope²)) for leaky_relu, 3/4 for selu."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    gains = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
    linear = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid")
    if nonlinearity in linear:
        return 1.0
    if nonlinearity not in gains:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return gains[nonlinearity]


def filled(tensor: nnx.Variable, value: jax.Array) -> nnx.Variable:
    """The Variable after its array was replaced by `value` in its own dtype."""
    tensor[...] = jnp.asarray(value, tensor.dtype)
    return tensor


def uniform_(tensor: nnx.Variable, a: float = 0.0, b: float = 1.0, *, key: jax.Array) -> nnx.Variable:
    """Uniform on [a, b)."""
    return filled(tensor, jax.random.uniform(key, tensor.shape, minval=a, maxval=b))


def normal_(tensor: nnx.Variable, mean: float = 0.0, std: float = 1.0, *, key: jax.Array) -> nnx.Variable:
    """Normal with this mean and standard deviation."""
    return filled(tensor, mean + std * jax.random.normal(key, tensor.shape))


def trunc_normal_(
    tensor: nnx.Variable, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, *, key: jax.Array
) -> nnx.Variable:
    """Normal, drawn again outside [a, b] (values, not standard deviations)."""
    lower, upper = (a - mean) / std, (b - mean) / std
    return filled(tensor, mean + std * jax.random.truncated_normal(key, lower, upper, tensor.shape))


def constant_(tensor: nnx.Variable, val: float) -> nnx.Variable:
    """Every element `val`."""
    return filled(tensor, jnp.full(tensor.shape, val))


def zeros_(tensor: nnx.Variable) -> nnx.Variable:
    """Zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: nnx.Variable) -> nnx.Variable:
    """Ones."""
    return constant_(tensor, 1.0)


def eye_(tensor: nnx.Variable) -> nnx.Variable:
    """The identity, for a matrix."""
    return filled(tensor, jnp.eye(*tensor.shape))


def dirac_(tensor: nnx.Variable, groups: int = 1) -> nnx.Variable:
    """A convolution weight [out, in, *kernel] that passes its input through."""
    shape = tensor.shape
    per_group = shape[0] // groups
    count = min(per_group, shape[1])
    middle = tuple(size // 2 for size in shape[2:])
    value = jnp.zeros(shape)
    for group in range(groups):
        rows = group * per_group + jnp.arange(count)
        value = value.at[(rows, jnp.arange(count), *middle)].set(1.0)
    return filled(tensor, value)


def xavier_uniform_(tensor: nnx.Variable, gain: float = 1.0, *, key: jax.Array) -> nnx.Variable:
    """Uniform in ±gain √(6 / (fan in + fan out)) (Glorot and Bengio 2010)."""
    bound = gain * math.sqrt(6 / sum(fans(tensor.shape)))
    return uniform_(tensor, -bound, bound, key=key)


def xavier_normal_(tensor: nnx.Variable, gain: float = 1.0, *, key: jax.Array) -> nnx.Variable:
    """Normal with standard deviation gain √(2 / (fan in + fan out)) (Glorot and Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor.shape))), key=key)


def kaiming_std(shape: tuple[int, ...], a: float, mode: str, nonlinearity: str) -> float:
    """gain / √fan (He et al. 2015)."""
    fan_in, fan_out = fans(shape)
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return calculate_gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out)


def kaiming_uniform_(
    tensor: nnx.Variable, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *, key: jax.Array
) -> nnx.Variable:
    """Uniform in ±√3 gain / √fan (He et al. 2015)."""
    bound = math.sqrt(3) * kaiming_std(tensor.shape, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, key=key)


def kaiming_normal_(
    tensor: nnx.Variable, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *, key: jax.Array
) -> nnx.Variable:
    """Normal with standard deviation gain / √fan (He et al. 2015)."""
    return normal_(tensor, 0.0, kaiming_std(tensor.shape, a, mode, nonlinearity), key=key)


def orthogonal_(tensor: nnx.Variable, gain: float = 1.0, *, key: jax.Array) -> nnx.Variable:
    """A random (semi-)orthogonal matrix [rows, everything else] times gain (Saxe et al. 2013)."""
    if len(tensor.shape) < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    normal = jax.random.normal(key, (rows, columns))
    q, r = jnp.linalg.qr(normal if rows >= columns else normal.T)
    q = q * jnp.sign(jnp.diagonal(r))  # uniform over all orthogonal matrices (Mezzadri 2007)
    return filled(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def sparse_(tensor: nnx.Variable, sparsity: float, std: float = 0.01, *, key: jax.Array) -> nnx.Variable:
    """Normal, with the fraction `sparsity` of each column set to zero (Martens 2010)."""
    rows, columns = tensor.shape
    draw, choose = jax.random.split(key)
    ranks = jnp.argsort(jnp.argsort(jax.random.uniform(choose, (rows, columns)), axis=0), axis=0)
    value = std * jax.random.normal(draw, (rows, columns))
    return filled(tensor, jnp.where(ranks < math.ceil(sparsity * rows), 0.0, value))


def keyed(initializer: Callable[..., nnx.Variable]) -> Callable[..., nnx.Variable]:
    """The initializer for callers that have no key: each call draws one from the process's stream."""

    @functools.wraps(initializer)
    def fill(tensor: nnx.Variable, *args: Any, **kwargs: Any) -> nnx.Variable:
        return initializer(tensor, *args, key=next_key(), **kwargs)

    return fill
