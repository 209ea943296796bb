"""Invertible functions of random variables, and their distributions, as in torch.distributions.transforms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .distributions import Distribution
from .joint_distributions import Independent


class Transform:
    """A function and its inverse. The last argument is remembered, so that its value can be inverted exactly."""

    event_dim = 0

    def forward(self, x: jax.Array) -> jax.Array:
        raise NotImplementedError

    def inverse(self, y: jax.Array) -> jax.Array:
        raise NotImplementedError

    def __call__(self, x: jax.Array) -> jax.Array:
        y = self.forward(x)
        self.last = (x, y)
        return y

    def inv(self, y: jax.Array) -> jax.Array:
        """The argument that gives `y`."""
        x, last = vars(self).get("last", (None, None))
        return x if y is last and y is not None else self.inverse(y)

    def log_abs_det_jacobian(self, x: jax.Array, y: jax.Array) -> jax.Array:
        """`log |dy / dx|`, summed over the last `event_dim` axes."""
        raise NotImplementedError


class AffineTransform(Transform):
    """`loc + scale * x`."""

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0):
        self.loc, self.scale, self.event_dim = loc, scale, event_dim

    def forward(self, x: jax.Array) -> jax.Array:
        return self.loc + self.scale * x

    def inverse(self, y: jax.Array) -> jax.Array:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: jax.Array, y: jax.Array) -> jax.Array:
        each = jnp.broadcast_to(jnp.log(jnp.abs(self.scale)), x.shape)
        return each.sum(range(x.ndim - self.event_dim, x.ndim))


class ExpTransform(Transform):
    """`exp(x)`."""

    def forward(self, x: jax.Array) -> jax.Array:
        return jnp.exp(x)

    def inverse(self, y: jax.Array) -> jax.Array:
        return jnp.log(y)

    def log_abs_det_jacobian(self, x: jax.Array, y: jax.Array) -> jax.Array:
        return x


class SigmoidTransform(Transform):
    """`1 / (1 + exp(-x))`, kept away from 0 and 1."""

    def bounded(self, y: jax.Array) -> jax.Array:
        limits = jnp.finfo(y.dtype)
        return jnp.clip(y, limits.tiny, 1 - limits.eps)

    def forward(self, x: jax.Array) -> jax.Array:
        return self.bounded(jax.nn.sigmoid(x))

    def inverse(self, y: jax.Array) -> jax.Array:
        y = self.bounded(y)
        return jnp.log(y) - jnp.log1p(-y)

    def log_abs_det_jacobian(self, x: jax.Array, y: jax.Array) -> jax.Array:
        return -jax.nn.softplus(-x) - jax.nn.softplus(x)


class TanhTransform(Transform):
    """`tanh(x)`."""

    def forward(self, x: jax.Array) -> jax.Array:
        return jnp.tanh(x)

    def inverse(self, y: jax.Array) -> jax.Array:
        return jnp.arctanh(y)

    def log_abs_det_jacobian(self, x: jax.Array, y: jax.Array) -> jax.Array:
        return 2 * (math.log(2) - x - jax.nn.softplus(-2 * x))


class TransformedDistribution(Distribution):
    """The distribution of `transforms` applied one after the other to a variable of `base_distribution`."""

    def __init__(self, base_distribution: Distribution, transforms: Transform | Sequence[Transform]):
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        wanted = max((transform.event_dim for transform in self.transforms), default=0)
        missing = wanted - len(base_distribution.event_shape)
        self.base_dist = Independent(base_distribution, missing) if missing > 0 else base_distribution
        super().__init__(self.base_dist.batch_shape, self.base_dist.event_shape)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_rsample

    def transformed(self, x: jax.Array) -> jax.Array:
        """All transforms of `x`."""
        for transform in self.transforms:
            x = transform(x)
        return x

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return self.transformed(self.base_dist.draw(key, shape))

    def sample(self, sample_shape: Any = (), *, key: jax.Array) -> jax.Array:
        drawn = self.base_dist.sample(sample_shape, key=key)
        return self.transformed(drawn)

    def log_prob(self, value: jax.Array) -> jax.Array:
        total = jnp.zeros(())
        for transform in reversed(self.transforms):
            x = transform.inv(value)
            change = transform.log_abs_det_jacobian(x, value)
            count = len(self.event_shape) - transform.event_dim
            total = total - change.sum(range(change.ndim - count, change.ndim))
            value = x
        return total + self.base_dist.log_prob(value)
