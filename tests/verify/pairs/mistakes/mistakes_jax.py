# ruff: noqa: B023
"""A conversion of mistakes.py with one mistake in every class and function."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx


class Epsilon(nnx.Module):
    def __init__(self, dim, *, rngs: nnx.Rngs):
        self.fc = nnx.Linear(dim, dim, rngs=rngs)
        self.norm = nnx.LayerNorm(dim, epsilon=1e-6, use_fast_variance=False, rngs=rngs)

    def __call__(self, x):
        return self.norm(self.fc(x))


class TanhGelu(nnx.Module):
    def __init__(self, dim, *, rngs: nnx.Rngs):
        self.fc = nnx.Linear(dim, dim, rngs=rngs)

    def __call__(self, x):
        return jax.nn.gelu(self.fc(x))


class TransposedWeight(nnx.Module):
    def __init__(self, dim):
        self.weight = nnx.Param(jnp.eye(dim))

    def __call__(self, x):
        return x @ self.weight.T


class Inner(nnx.Module):
    def __init__(self, dim, *, rngs: nnx.Rngs):
        self.fc = nnx.Linear(dim, dim, rngs=rngs)

    def __call__(self, x):
        return self.fc(jax.nn.softmax(x, axis=-2))


class Axis(nnx.Module):
    def __init__(self, dim, *, rngs: nnx.Rngs):
        self.first = nnx.Linear(dim, dim, rngs=rngs)
        self.layers = nnx.List([Inner(dim, rngs=rngs), Inner(dim, rngs=rngs)])

    def __call__(self, x):
        x = self.first(x)
        for layer in self.layers:
            x = layer(x)
        return x


class ForgottenScale(nnx.Module):
    def __init__(self):
        self.scale = nnx.Variable(jnp.ones(1))

    def __call__(self, x):
        return x


class Momentum(nnx.Module):
    def __init__(self, dim, *, rngs: nnx.Rngs):
        self.norm = nnx.BatchNorm(dim, momentum=0.1, epsilon=1e-5, rngs=rngs)

    def __call__(self, x):
        return self.norm(x.reshape(-1, x.shape[-1]))


class Detached(nnx.Module):
    def __init__(self, dim, *, rngs: nnx.Rngs):
        self.first = nnx.Linear(dim, dim, rngs=rngs)
        self.second = nnx.Linear(dim, dim, rngs=rngs)

    def __call__(self, x):
        return self.second(jax.lax.stop_gradient(jnp.tanh(self.first(x))))


class MissingBias(nnx.Module):
    def __init__(self, dim, *, rngs: nnx.Rngs):
        self.fc = nnx.Linear(dim, dim, use_bias=False, rngs=rngs)

    def __call__(self, x):
        return self.fc(x)


def clamp_gradient(x):
    return jnp.clip(x, 0.0).sum()


def normalise_(x):
    """Divides by the largest value, in place."""
    x = x / jnp.abs(x).max()


def noisy(x):
    return x + jax.random.uniform(jax.random.key(0), x.shape)


def counts(labels):
    return jnp.bincount(labels, length=3)


class Trained(nnx.Module):
    def __init__(self, dim, *, rngs: nnx.Rngs):
        self.first = nnx.Linear(dim, dim, rngs=rngs)
        self.second = nnx.Linear(dim, dim, rngs=rngs)

    def __call__(self, x):
        return self.second(jnp.tanh(self.first(x)))


def _train(transformation):
    rngs = nnx.Rngs(0)
    model = Trained(4, rngs=rngs)
    optimizer = nnx.Optimizer(model, transformation, wrt=nnx.Param)
    losses = []
    for _ in range(5):
        x = jax.random.normal(rngs(), (2, 3, 4))

        def loss_fn(model):
            return jnp.square(model(x)).mean()

        loss, grads = nnx.value_and_grad(loss_fn)(model)
        optimizer.update(model, grads)
        losses.append(loss.item())
    return losses


def train_with_weight_decay():
    # optax's default weight decay, a hundredth of torch's
    return _train(optax.adamw(1e-2))


def train_with_clipping():
    return _train(optax.adamw(1e-2, weight_decay=0.0))
