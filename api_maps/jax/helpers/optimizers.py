"""torch's optimizers as optax transformations, with torch's argument names and defaults.

Native optax is exact for many arguments and is preferred where it is; these serve the rest and `ParameterGroups`.
Every number may be a traced array; flags are static.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax


def is_zero(number: Any) -> bool:
    """Whether a hyperparameter is the plain number 0 (not an array, whose value may change)."""
    return isinstance(number, (int, float)) and number == 0


def with_weight_decay(weight_decay: Any, maximize: bool, *steps: Any) -> optax.GradientTransformation:
    """Steps after torch's common preparation: negate if maximizing, then add `weight_decay * parameter`."""
    return optax.chain(optax.scale(-1.0 if maximize else 1.0), optax.add_decayed_weights(weight_decay), *steps)


def bias_correction(beta: Any, count: jax.Array) -> jax.Array:
    """`1 - beta ** count`, without the cancellation of the direct formula in float32."""
    if is_zero(beta):
        return jnp.ones(())
    # The logarithm of a Python number in full precision: float32(0.999) is off by 1e-5 of 1 - 0.999.
    return -jnp.expm1(count * (jnp.log(beta) if isinstance(beta, jax.Array) else float(np.log(beta))))


class DampedMomentumState(NamedTuple):
    """Steps taken and the momentum buffer (None without momentum)."""

    step: jax.Array
    momentum_buffer: Any


def damped_momentum(momentum: Any, dampening: Any, nesterov: bool) -> optax.GradientTransformation:
    """torch's momentum: the first gradient enters the buffer whole, later ones times `1 - dampening`."""

    def init(params: Any) -> DampedMomentumState:
        buffer = None if is_zero(momentum) else jax.tree.map(jnp.zeros_like, params)
        return DampedMomentumState(jnp.zeros((), jnp.int32), buffer)

    def update(grads: Any, state: DampedMomentumState, params: Any = None) -> tuple[Any, DampedMomentumState]:
        if state.momentum_buffer is None:
            return grads, DampedMomentumState(state.step + 1, None)
        fresh = jnp.where(state.step == 0, 1.0, 1.0 - dampening)
        buffer = jax.tree.map(lambda b, g: (momentum * b + fresh * g).astype(b.dtype), state.momentum_buffer, grads)
        result = jax.tree.map(lambda g, b: g + momentum * b, grads, buffer) if nesterov else buffer
        # Without momentum torch keeps no buffer, and dampening has no effect.
        result = jax.tree.map(lambda g, r: jnp.where(momentum == 0, g, r), grads, result)
        return result, DampedMomentumState(state.step + 1, buffer)

    return optax.GradientTransformation(init, update)


def sgd(
    lr: Any = 1e-3,
    momentum: Any = 0.0,
    dampening: Any = 0.0,
    weight_decay: Any = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> optax.GradientTransformation:
    """`torch.optim.SGD`."""
    momentum_step = damped_momentum(momentum, dampening, nesterov)
    return with_weight_decay(weight_decay, maximize, momentum_step, optax.scale_by_learning_rate(lr))


class AdamState(NamedTuple):
    """Steps taken, first and second moments, and the largest second moment (amsgrad) or None."""

    step: jax.Array
    exp_avg: Any
    exp_avg_sq: Any
    max_exp_avg_sq: Any


def new_adam_state(params: Any, amsgrad: bool) -> AdamState:
    """Zero moments for `params`."""
    zeros = [jax.tree.map(jnp.zeros_like, params) for _ in range(3)]
    return AdamState(jnp.zeros((), jnp.int32), zeros[0], zeros[1], zeros[2] if amsgrad else None)


def next_moments(grads: Any, state: AdamState, betas: Sequence[Any]) -> AdamState:
    """The state after another gradient."""

    def mix(beta: Any, old: jax.Array, new: jax.Array) -> jax.Array:
        return (beta * old + (1 - beta) * new).astype(old.dtype)

    first = jax.tree.map(lambda m, g: mix(betas[0], m, g), state.exp_avg, grads)
    second = jax.tree.map(lambda v, g: mix(betas[1], v, g * g), state.exp_avg_sq, grads)
    largest = state.max_exp_avg_sq
    if largest is not None:
        largest = jax.tree.map(jnp.maximum, largest, second)
    return AdamState(state.step + 1, first, second, largest)


def adam_direction(betas: Sequence[Any], eps: Any, amsgrad: bool) -> optax.GradientTransformation:
    """Adam's direction; amsgrad takes the largest second moment **before** the bias correction, as torch does."""

    def update(grads: Any, state: AdamState, params: Any = None) -> tuple[Any, AdamState]:
        state = next_moments(grads, state, betas)
        first_correction, second_correction = (bias_correction(beta, state.step) for beta in (betas[0], betas[1]))
        second = state.max_exp_avg_sq if amsgrad else state.exp_avg_sq

        def direction(m: jax.Array, v: jax.Array) -> jax.Array:
            return (m / first_correction / (jnp.sqrt(v / second_correction) + eps)).astype(m.dtype)

        return jax.tree.map(direction, state.exp_avg, second), state

    return optax.GradientTransformation(lambda params: new_adam_state(params, amsgrad), update)


def adam(
    lr: Any = 1e-3,
    betas: Sequence[Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
) -> optax.GradientTransformation:
    """`torch.optim.Adam`; `weight_decay` is an L2 penalty added to the gradient."""
    direction = adam_direction(betas, eps, amsgrad)
    return with_weight_decay(weight_decay, maximize, direction, optax.scale_by_learning_rate(lr))


def adamw(
    lr: Any = 1e-3,
    betas: Sequence[Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 1e-2,
    amsgrad: bool = False,
    maximize: bool = False,
) -> optax.GradientTransformation:
    """`torch.optim.AdamW`; `weight_decay` shrinks the parameters directly."""
    decay = optax.add_decayed_weights(weight_decay)
    direction = adam_direction(betas, eps, amsgrad)
    return optax.chain(optax.scale(-1.0 if maximize else 1.0), direction, decay, optax.scale_by_learning_rate(lr))


def rmsprop(
    lr: Any = 1e-2,
    alpha: Any = 0.99,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    momentum: Any = 0.0,
    centered: bool = False,
    maximize: bool = False,
) -> optax.GradientTransformation:
    """`torch.optim.RMSprop`; momentum gathers the directions before the learning rate scales them."""
    scale = optax.scale_by_stddev if centered else optax.scale_by_rms
    direction = scale(decay=alpha, eps=eps, initial_scale=0.0, eps_in_sqrt=False)
    buffer = damped_momentum(momentum, 0.0, False)
    return with_weight_decay(weight_decay, maximize, direction, buffer, optax.scale_by_learning_rate(lr))


class AdagradState(NamedTuple):
    """Steps taken and the sums of squared gradients."""

    step: jax.Array
    sum: Any


def adagrad(
    lr: Any = 1e-2,
    lr_decay: Any = 0.0,
    weight_decay: Any = 0.0,
    initial_accumulator_value: Any = 0.0,
    eps: Any = 1e-10,
    maximize: bool = False,
) -> optax.GradientTransformation:
    """`torch.optim.Adagrad`."""

    def init(params: Any) -> AdagradState:
        return AdagradState(
            jnp.zeros((), jnp.int32),
            jax.tree.map(lambda p: jnp.full_like(p, initial_accumulator_value), params),
        )

    def update(grads: Any, state: AdagradState, params: Any = None) -> tuple[Any, AdagradState]:
        total = jax.tree.map(lambda s, g: s + g * g, state.sum, grads)
        slowed = 1 + state.step * lr_decay
        result = jax.tree.map(lambda g, s: g / (jnp.sqrt(s) + eps) / slowed, grads, total)
        return result, AdagradState(state.step + 1, total)

    direction = optax.GradientTransformation(init, update)
    return with_weight_decay(weight_decay, maximize, direction, optax.scale_by_learning_rate(lr))


def adadelta(
    lr: Any = 1.0, rho: Any = 0.9, eps: Any = 1e-6, weight_decay: Any = 0.0, maximize: bool = False
) -> optax.GradientTransformation:
    """`torch.optim.Adadelta`."""
    direction = optax.scale_by_adadelta(rho, eps)
    return with_weight_decay(weight_decay, maximize, direction, optax.scale_by_learning_rate(lr))


def adamax(
    lr: Any = 2e-3,
    betas: Sequence[Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    maximize: bool = False,
) -> optax.GradientTransformation:
    """`torch.optim.Adamax`."""
    direction = optax.scale_by_adamax(betas[0], betas[1], eps)
    return with_weight_decay(weight_decay, maximize, direction, optax.scale_by_learning_rate(lr))


class NadamState(NamedTuple):
    """Adam's state and the product of the momentum factors so far."""

    adam: AdamState
    mu_product: jax.Array


def nadam(
    lr: Any = 2e-3,
    betas: Sequence[Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    momentum_decay: Any = 4e-3,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> optax.GradientTransformation:
    """`torch.optim.NAdam`, whose momentum factor grows over the steps; optax's `nadam` has a constant one."""

    def init(params: Any) -> NadamState:
        return NadamState(new_adam_state(params, False), jnp.ones(()))

    def update(grads: Any, state: NadamState, params: Any = None) -> tuple[Any, NadamState]:
        moments = next_moments(grads, state.adam, betas)
        mu, mu_next = (betas[0] * (1 - 0.5 * 0.96 ** ((moments.step + i) * momentum_decay)) for i in (0, 1))
        product = state.mu_product * mu
        correction = bias_correction(betas[1], moments.step)

        def direction(g: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
            ahead = (1 - mu) / (1 - product) * g + mu_next / (1 - product * mu_next) * m
            return (ahead / (jnp.sqrt(v / correction) + eps)).astype(m.dtype)

        return jax.tree.map(direction, grads, moments.exp_avg, moments.exp_avg_sq), NadamState(moments, product)

    return adam_variant(optax.GradientTransformation(init, update), lr, weight_decay, decoupled_weight_decay, maximize)


def radam(
    lr: Any = 1e-3,
    betas: Sequence[Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> optax.GradientTransformation:
    """`torch.optim.RAdam`, which adds `eps` before the bias correction."""

    def update(grads: Any, state: AdamState, params: Any = None) -> tuple[Any, AdamState]:
        state = next_moments(grads, state, betas)
        first_correction, second_correction = (bias_correction(beta, state.step) for beta in (betas[0], betas[1]))
        longest = 2 / (1 - betas[1]) - 1
        length = longest - 2 * state.step * (1 - second_correction) / second_correction
        safe = jnp.where(length > 5, length, 6.0)
        ratio = (safe - 4) * (safe - 2) * longest / ((longest - 4) * (longest - 2) * safe)
        rectified = jnp.sqrt(ratio * second_correction)

        def direction(m: jax.Array, v: jax.Array) -> jax.Array:
            scale = jnp.where(length > 5, rectified / (jnp.sqrt(v) + eps), 1.0)
            return (m / first_correction * scale).astype(m.dtype)

        return jax.tree.map(direction, state.exp_avg, state.exp_avg_sq), state

    direction = optax.GradientTransformation(lambda params: new_adam_state(params, False), update)
    return adam_variant(direction, lr, weight_decay, decoupled_weight_decay, maximize)


def adam_variant(
    direction: optax.GradientTransformation, lr: Any, weight_decay: Any, decoupled: bool, maximize: bool
) -> optax.GradientTransformation:
    """A direction with its learning rate and either kind of weight decay."""
    step = optax.scale_by_learning_rate(lr)
    if not decoupled:
        return with_weight_decay(weight_decay, maximize, direction, step)
    return optax.chain(optax.scale(-1.0 if maximize else 1.0), direction, optax.add_decayed_weights(weight_decay), step)
