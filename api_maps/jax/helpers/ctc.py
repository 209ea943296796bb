"""Connectionist temporal classification: the loss over all alignments of a target with a longer input."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from .losses import reduce_loss

# Stands for log 0: finite, so that gradients through it are zero and not NaN.
LOG_ZERO = -1e30


def ctc_targets(targets: jax.Array, lengths: jax.Array, batch: int) -> jax.Array:
    """Targets [N, S], or all targets in one row [sum of lengths], as [N, S]; behind the lengths lies anything."""
    if targets.ndim == 2:
        return targets
    start = jnp.cumsum(lengths) - lengths
    positions = start[:, None] + jnp.arange(max(targets.shape[0], 1))
    return jnp.take(targets, positions, mode="clip").reshape(batch, -1)


def ctc_log_likelihood(
    log_probs: jax.Array, targets: jax.Array, input_lengths: jax.Array, target_lengths: jax.Array, blank: int
) -> jax.Array:
    """log p(target | input) [N] by the forward recursion over states blank, t1, blank, t2, ..., blank."""
    steps, batch, _ = log_probs.shape
    states = 2 * targets.shape[1] + 1
    extended = jnp.full((batch, states), blank, targets.dtype).at[:, 1::2].set(targets)
    before = jnp.concatenate([jnp.full((batch, 2), blank, targets.dtype), extended[:, :-2]], axis=1)
    may_skip = (extended != blank) & (extended != before)
    emissions = jnp.take_along_axis(log_probs, jnp.broadcast_to(extended, (steps, batch, states)), axis=2)
    emissions = jnp.maximum(emissions, LOG_ZERO)
    impossible = jnp.full((batch, 2), LOG_ZERO, log_probs.dtype)
    start = jnp.where(jnp.arange(states) < 2, emissions[0], LOG_ZERO)

    def step(alpha: jax.Array, item: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        time, emission = item
        shifted = jnp.concatenate([impossible, alpha], axis=1)
        skipped = jnp.where(may_skip, shifted[:, :-2], LOG_ZERO)
        reached = jax.nn.logsumexp(jnp.stack([alpha, shifted[:, 1:-1], skipped]), axis=0)
        following = jnp.maximum(reached + emission, LOG_ZERO)
        return jnp.where((time < input_lengths)[:, None], following, alpha), None

    alpha, _ = jax.lax.scan(step, start, (jnp.arange(1, steps), emissions[1:]))
    last = 2 * target_lengths[:, None]
    ends = jnp.take_along_axis(alpha, jnp.concatenate([last, jnp.maximum(last - 1, 0)], axis=1), axis=1)
    # An empty target has one final state only.
    ends = jnp.where((jnp.arange(2) == 1) & (last == 0), LOG_ZERO, ends)
    return jax.nn.logsumexp(ends, axis=1)


def ctc_loss(
    log_probs: jax.Array,
    targets: jax.Array,
    input_lengths: jax.Array | Sequence[int],
    target_lengths: jax.Array | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> jax.Array:
    """-log p(target | input) for log-probabilities [T, N, C] or [T, C] and targets [N, S], [S] or concatenated.

    The mean divides each loss by its target length first. A target that cannot be aligned has loss inf, or
    zero with `zero_infinity`. As in torch the gradient is that of the logits behind `log_softmax`.
    """
    log_probs, targets = jnp.asarray(log_probs), jnp.asarray(targets)
    batched = log_probs.ndim == 3
    if not batched:
        log_probs, targets = log_probs[:, None], targets[None]
    batch = log_probs.shape[1]
    inputs, lengths = (jnp.asarray(n).reshape(-1) for n in (input_lengths, target_lengths))
    table = ctc_targets(targets, lengths, batch)
    loss = -ctc_log_likelihood(log_probs, table, inputs, lengths, blank)
    # Adds nothing to the value; its gradient is the softmax term that torch's backward includes.
    within = (jnp.arange(log_probs.shape[0])[:, None] < inputs)[..., None]
    mass = jnp.sum(jnp.where(within, jnp.exp(log_probs), 0), axis=(0, 2))
    loss = loss + mass - jax.lax.stop_gradient(mass)
    impossible = loss > -LOG_ZERO / 2
    loss = jnp.where(impossible, 0.0 if zero_infinity else jnp.inf, loss)
    if reduction == "mean":
        return jnp.mean(loss / jnp.maximum(lengths, 1))
    loss = loss if batched else loss[0]
    return reduce_loss(loss, reduction)
