"""Connectionist temporal classification: the loss over all alignments of a target with a longer input."""

from collections.abc import Sequence

import numpy as np

from .losses import reduce_loss


def ctc_targets(targets: np.ndarray, lengths: np.ndarray, batch: int) -> np.ndarray:
    """Targets [N, S], or all targets in one row [sum of lengths], as [N, S]; behind the lengths lies anything."""
    if targets.ndim == 2:
        return targets
    start = np.cumsum(lengths) - lengths
    positions = start[:, None] + np.arange(max(targets.shape[0], 1))
    return np.take(targets, positions, mode="clip").reshape(batch, -1)


def ctc_log_likelihood(
    log_probs: np.ndarray, targets: np.ndarray, input_lengths: np.ndarray, target_lengths: np.ndarray, blank: int
) -> np.ndarray:
    """log p(target | input) [N] by the forward recursion over states blank, t1, blank, t2, ..., blank.

    The recursion runs over time, for all samples and states at once.
    """
    steps, batch, _ = log_probs.shape
    states = 2 * targets.shape[1] + 1
    extended = np.full((batch, states), blank, targets.dtype)
    extended[:, 1::2] = targets
    before = np.concatenate([np.full((batch, 2), blank, targets.dtype), extended[:, :-2]], axis=1)
    may_skip = (extended != blank) & (extended != before[:, :states])
    emissions = np.take_along_axis(log_probs, np.broadcast_to(extended, (steps, batch, states)), axis=2)
    impossible = np.full((batch, 2), -np.inf, log_probs.dtype)
    alpha = np.where(np.arange(states) < 2, emissions[0], -np.inf)
    for time in range(1, steps):
        shifted = np.concatenate([impossible, alpha], axis=1)
        skipped = np.where(may_skip, shifted[:, :-2], -np.inf)
        following = np.logaddexp(np.logaddexp(alpha, shifted[:, 1:-1]), skipped) + emissions[time]
        alpha = np.where((time < input_lengths)[:, None], following, alpha)
    last = 2 * target_lengths[:, None]
    ends = np.take_along_axis(alpha, np.concatenate([last, np.maximum(last - 1, 0)], axis=1), axis=1)
    # An empty target has one final state only.
    ends = np.where((np.arange(2) == 1) & (last == 0), -np.inf, ends)
    return np.logaddexp(ends[:, 0], ends[:, 1])


def ctc_loss(
    log_probs,
    targets,
    input_lengths: np.ndarray | Sequence[int],
    target_lengths: np.ndarray | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> np.ndarray:
    """-log p(target | input) for log-probabilities [T, N, C] or [T, C] and targets [N, S], [S] or concatenated.

    The mean divides each loss by its target length first. A target that cannot be aligned has loss inf, or
    zero with `zero_infinity`.
    """
    log_probs, targets = np.asarray(log_probs), np.asarray(targets)
    batched = log_probs.ndim == 3
    if not batched:
        log_probs, targets = log_probs[:, None], targets[None]
    inputs, lengths = (np.asarray(n).reshape(-1) for n in (input_lengths, target_lengths))
    table = ctc_targets(targets, lengths, log_probs.shape[1])
    loss = -ctc_log_likelihood(log_probs, table, inputs, lengths, blank)
    if zero_infinity:
        loss = np.where(np.isinf(loss), 0, loss)
    if reduction == "mean":
        return np.mean(loss / np.maximum(lengths, 1).astype(loss.dtype))
    return reduce_loss(loss if batched else loss[0], reduction)
