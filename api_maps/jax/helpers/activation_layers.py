"""Activation functions as layers, with torch's class names and defaults; `inplace` is accepted and ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


class ActivationLayer(nnx.Module):
    """An elementwise activation without parameters: subclasses name their function."""

    function: Callable[[jax.Array], jax.Array]

    def __init__(self, inplace: bool = False):
        pass

    def __call__(self, x: jax.Array) -> jax.Array:
        return type(self).function(jnp.asarray(x))


class ReLU(ActivationLayer):
    """max(x, 0)."""

    function = staticmethod(jax.nn.relu)


class SELU(ActivationLayer):
    """Scaled exponential linear unit."""

    function = staticmethod(jax.nn.selu)


class SiLU(ActivationLayer):
    """x * sigmoid(x)."""

    function = staticmethod(jax.nn.silu)


class Mish(ActivationLayer):
    """x * tanh(softplus(x))."""

    function = staticmethod(jax.nn.mish)


class Hardsigmoid(ActivationLayer):
    """relu6(x + 3) / 6, without gradient at the bounds, as in torch."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return limit(x + 3, 0, 6) / 6


class Hardswish(ActivationLayer):
    """x * relu6(x + 3) / 6, without gradient at the lower and with that of x at the upper bound, as in torch."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.where(x <= -3, jnp.zeros_like(x), jnp.where(x < 3, x * (x + 3) / 6, x))


class Sigmoid(ActivationLayer):
    """1 / (1 + exp(-x))."""

    function = staticmethod(jax.nn.sigmoid)


class Tanh(ActivationLayer):
    """Hyperbolic tangent."""

    function = staticmethod(jnp.tanh)


class LogSigmoid(ActivationLayer):
    """log(sigmoid(x))."""

    function = staticmethod(jax.nn.log_sigmoid)


class Softsign(ActivationLayer):
    """x / (1 + |x|)."""

    function = staticmethod(jax.nn.soft_sign)


class Tanhshrink(ActivationLayer):
    """x - tanh(x)."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return x - jnp.tanh(x)


class LeakyReLU(nnx.Module):
    """x where positive, else negative_slope * x."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        self.negative_slope = negative_slope

    def __call__(self, x: jax.Array) -> jax.Array:
        # Torch's gradient at 0 is the negative slope.
        return jnp.where(x > 0, x, x * self.negative_slope)


class PReLU(nnx.Module):
    """x where positive, else weight * x, with one weight or one per element of axis 1."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, rngs: nnx.Rngs | None = None):
        self.num_parameters = num_parameters
        self.init = init
        self.weight = nnx.Param(jnp.full(num_parameters, init, jnp.float32))

    def __call__(self, x: jax.Array) -> jax.Array:
        # One weight serves all elements, also a scalar.
        shape = (1, -1) + (1,) * (x.ndim - 2) if x.ndim > 1 else (self.num_parameters,) * x.ndim
        return jnp.where(x > 0, x, x * self.weight.reshape(shape))


class ELU(nnx.Module):
    """x where positive, else alpha * (exp(x) - 1)."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        self.alpha = alpha

    def __call__(self, x: jax.Array) -> jax.Array:
        return jax.nn.elu(x, self.alpha)


class CELU(nnx.Module):
    """x where positive, else alpha * (exp(x / alpha) - 1)."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        self.alpha = alpha

    def __call__(self, x: jax.Array) -> jax.Array:
        return jax.nn.celu(x, self.alpha)


class GELU(nnx.Module):
    """x * Φ(x); approximate='tanh' takes the tanh form."""

    def __init__(self, approximate: str = "none"):
        if approximate not in ("none", "tanh"):
            raise ValueError(f"approximate must be none or tanh, got {approximate!r}")
        self.approximate = approximate

    def __call__(self, x: jax.Array) -> jax.Array:
        return jax.nn.gelu(x, approximate=self.approximate == "tanh")


class Softmax(nnx.Module):
    """Softmax along `dim`; without it along axis 0 of rank 0, 1 and 3 and axis 1 of others, as in torch."""

    def __init__(self, dim: int | None = None):
        self.dim = dim

    def __call__(self, x: jax.Array) -> jax.Array:
        return along_axis(jax.nn.softmax, x, self.dim)


class LogSoftmax(nnx.Module):
    """log(softmax) along `dim`; the default is that of `Softmax`."""

    def __init__(self, dim: int | None = None):
        self.dim = dim

    def __call__(self, x: jax.Array) -> jax.Array:
        return along_axis(jax.nn.log_softmax, x, self.dim)


class Softmin(nnx.Module):
    """Softmax of -x along `dim`; the default is that of `Softmax`."""

    def __init__(self, dim: int | None = None):
        self.dim = dim

    def __call__(self, x: jax.Array) -> jax.Array:
        return along_axis(jax.nn.softmax, -x, self.dim)


class Softmax2d(nnx.Module):
    """Softmax over the channels of [N, C, H, W] or [C, H, W]."""

    def __call__(self, x: jax.Array) -> jax.Array:
        if jnp.ndim(x) not in (3, 4):
            raise ValueError(f"Softmax2d needs an input of rank 3 or 4, got shape {jnp.shape(x)}")
        return jax.nn.softmax(x, axis=-3)


class Softplus(nnx.Module):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        self.beta = beta
        self.threshold = threshold

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.where(x * self.beta > self.threshold, x, jax.nn.softplus(x * self.beta) / self.beta)


class Softshrink(nnx.Module):
    """x moved towards 0 by lambd, 0 within."""

    def __init__(self, lambd: float = 0.5):
        self.lambd = lambd

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.where(x > self.lambd, x - self.lambd, jnp.where(x < -self.lambd, x + self.lambd, x * 0))


class Hardshrink(nnx.Module):
    """x, but 0 where |x| <= lambd."""

    def __init__(self, lambd: float = 0.5):
        self.lambd = lambd

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.where((x >= -self.lambd) & (x <= self.lambd), 0, x)


class Threshold(nnx.Module):
    """x where x > threshold, else value."""

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        self.threshold = threshold
        self.value = value

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.where(x > self.threshold, x, jnp.asarray(self.value, x.dtype))


class Hardtanh(nnx.Module):
    """x limited to [min_val, max_val]; no gradient at the bounds, as in torch."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False):
        self.min_val = min_val
        self.max_val = max_val

    def __call__(self, x: jax.Array) -> jax.Array:
        return limit(x, self.min_val, self.max_val)


class ReLU6(Hardtanh):
    """x limited to [0, 6]."""

    def __init__(self, inplace: bool = False):
        super().__init__(0.0, 6.0)


def limit(x: jax.Array, low: float, high: float) -> jax.Array:
    """x limited to [low, high]; unlike jnp.clip it has no gradient at the bounds."""
    bounds = jnp.asarray(low, x.dtype), jnp.asarray(high, x.dtype)
    return jnp.where(x <= low, bounds[0], jnp.where(x >= high, bounds[1], x))


class GLU(nnx.Module):
    """a * sigmoid(b) for the two halves a, b of axis `dim`."""

    def __init__(self, dim: int = -1):
        self.dim = dim

    def __call__(self, x: jax.Array) -> jax.Array:
        return jax.nn.glu(x, axis=self.dim)


def along_axis(function: Callable[..., jax.Array], x: jax.Array, dim: int | None) -> jax.Array:
    """function(x, axis=dim); None is axis 0 of rank 0, 1 and 3 and axis 1 of others, and a scalar has one element."""
    x = jnp.asarray(x)
    if dim is None:
        dim = 0 if x.ndim in (0, 1, 3) else 1
    return function(jnp.atleast_1d(x), axis=dim).reshape(x.shape)


def activation_function(activation: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The callable behind the `activation` argument of the Transformer layers: 'relu', 'gelu' or a callable."""
    if callable(activation):
        return activation
    if activation not in ("relu", "gelu"):
        raise ValueError(f"activation should be relu/gelu, not {activation}")
    return ReLU() if activation == "relu" else GELU()
