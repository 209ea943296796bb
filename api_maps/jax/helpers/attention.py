"""Torch's MultiheadAttention."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from flax import nnx

from .dropout import dropout
from .linear import Linear, uniform_parameter


def safe_softmax(scores: jax.Array) -> jax.Array:
    """Softmax over the last axis; a row of -inf gives zeros, without NaN in the gradient."""
    blocked = jnp.max(scores, axis=-1, keepdims=True) == -jnp.inf
    return jnp.where(blocked, 0, jax.nn.softmax(jnp.where(blocked, 0, scores), axis=-1))


def additive_mask(mask: jax.Array | None, dtype: jnp.dtype) -> jax.Array | None:
    """MultiheadAttention's mask as a float to add: -inf where a boolean mask is True (blocked)."""
    if mask is None:
        return None
    mask = jnp.asarray(mask)
    return jnp.where(mask, -jnp.inf, 0).astype(dtype) if mask.dtype == bool else mask.astype(dtype)


def with_position(x: jax.Array, last: jax.Array) -> jax.Array:
    """x [N, length, E] with `last` [1, 1, E] behind each sequence."""
    return jnp.concatenate([x, jnp.broadcast_to(last, (x.shape[0], 1, x.shape[-1]))], axis=1)


class MultiheadAttention(nnx.Module):
    """Attention with projections: query [L, N, E], key [S, N, kdim], value [S, N, vdim] to [L, N, E].

    With batch_first N is the first axis; N may be absent. Weights are torch's: in_proj_weight [3E, E], or
    q_proj_weight, k_proj_weight and v_proj_weight where kdim or vdim differ from E; in_proj_bias; out_proj; bias_k and
    bias_v [1, 1, E], a learned key and value behind the given ones. `add_zero_attn` adds zeros behind these.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        rngs: nnx.Rngs,
    ):
        if embed_dim <= 0 or num_heads <= 0 or embed_dim % num_heads:
            raise ValueError(f"embed_dim {embed_dim} must be divisible by num_heads {num_heads}")
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.batch_first = batch_first
        self.add_zero_attn = add_zero_attn
        self.deterministic = False
        self.rngs = rngs.dropout.fork()
        if self.kdim == self.vdim == embed_dim:
            bound = math.sqrt(6 / (4 * embed_dim))
            self.in_proj_weight = uniform_parameter(rngs, (3 * embed_dim, embed_dim), bound)
            self.q_proj_weight = self.k_proj_weight = self.v_proj_weight = nnx.data(None)
        else:
            self.in_proj_weight = nnx.data(None)
            for name, width in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
                bound = math.sqrt(6 / (embed_dim + width))
                setattr(self, f"{name}_proj_weight", uniform_parameter(rngs, (embed_dim, width), bound))
        self.in_proj_bias = nnx.Param(jnp.zeros(3 * embed_dim, jnp.float32)) if bias else nnx.data(None)
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, rngs=rngs)
        if bias:
            self.out_proj.bias[...] = jnp.zeros(embed_dim, jnp.float32)
        self.bias_k = self.bias_v = nnx.data(None)
        if add_bias_kv:
            for name in ("bias_k", "bias_v"):
                drawn = jax.random.normal(rngs.params(), (1, 1, embed_dim)) / math.sqrt(embed_dim)
                setattr(self, name, nnx.Param(drawn))

    def project(self, inputs: tuple[jax.Array, jax.Array, jax.Array]) -> list[jax.Array]:
        """Query, key and value [N, length, ...] projected and split into heads [N, heads, length, head_dim]."""
        if self.in_proj_weight is None:
            parts = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
            weights = [weight[...] for weight in parts]
        else:
            weights = jnp.split(self.in_proj_weight[...], 3)
        projected = [jnp.matmul(x, weight.T) for x, weight in zip(inputs, weights, strict=True)]
        if self.in_proj_bias is not None:
            biases = jnp.split(self.in_proj_bias[...], 3)
            projected = [x + bias for x, bias in zip(projected, biases, strict=True)]
        if self.bias_k is not None:
            extra = (self.bias_k[...], self.bias_v[...])
            projected[1:] = [with_position(x, one) for x, one in zip(projected[1:], extra, strict=True)]
        if self.add_zero_attn:
            projected[1:] = [with_position(x, jnp.zeros((1, 1, self.embed_dim), x.dtype)) for x in projected[1:]]
        heads = [x.reshape(*x.shape[:2], self.num_heads, self.head_dim) for x in projected]
        return [jnp.swapaxes(x, 1, 2) for x in heads]

    def combined_mask(
        self, attn_mask: jax.Array | None, key_padding_mask: jax.Array | None, dtype: jnp.dtype, batch: int
    ) -> jax.Array | None:
        """Both masks as one float array that broadcasts to [N, heads, L, S], or None."""
        mask, padding = additive_mask(attn_mask, dtype), additive_mask(key_padding_mask, dtype)
        added = int(self.bias_k is not None) + int(self.add_zero_attn)
        if added:
            # The keys that the layer adds are never blocked.
            mask, padding = (
                m if m is None else jnp.pad(m, [(0, 0)] * (m.ndim - 1) + [(0, added)]) for m in (mask, padding)
            )
        if mask is not None and mask.ndim == 3:
            mask = mask.reshape(batch, self.num_heads, *mask.shape[1:])
        if padding is None:
            return mask
        padding = padding.reshape(batch, 1, 1, -1)
        return padding if mask is None else mask + padding

    def __call__(
        self,
        query: jax.Array,
        key: jax.Array,
        value: jax.Array,
        key_padding_mask: jax.Array | None = None,
        need_weights: bool = True,
        attn_mask: jax.Array | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[jax.Array, jax.Array | None]:
        """The output and the attention weights [N, L, S] ([N, heads, L, S] if not averaged), or None.

        key_padding_mask [N, S] and attn_mask [L, S] or [N * heads, L, S] block where True, or are added.
        `is_causal` is torch's hint that attn_mask is causal; it needs attn_mask.
        """
        if is_causal and attn_mask is None:
            raise ValueError("need attn_mask if specifying the is_causal hint")
        unbatched = jnp.ndim(query) == 2
        axis = 0 if unbatched or self.batch_first else 1
        if unbatched:
            inputs = tuple(jnp.asarray(x)[None] for x in (query, key, value))
        else:
            inputs = tuple(jnp.moveaxis(jnp.asarray(x), axis, 0) for x in (query, key, value))
        q, k, v = self.project(inputs)
        batch = q.shape[0]
        scores = jnp.matmul(q / math.sqrt(self.head_dim), jnp.swapaxes(k, -2, -1))
        mask = self.combined_mask(attn_mask, key_padding_mask, scores.dtype, batch)
        scores = scores if mask is None else scores + mask
        # Torch's path without weights gives zeros for a row that is masked altogether, the other one NaN.
        weights = jax.nn.softmax(scores, axis=-1) if need_weights else safe_softmax(scores)
        if self.dropout and not self.deterministic:
            weights = dropout(weights, self.dropout, key=self.rngs())
        y = jnp.swapaxes(jnp.matmul(weights, v), 1, 2)
        y = self.out_proj(y.reshape(*y.shape[:2], self.embed_dim))
        y = y[0] if unbatched else jnp.moveaxis(y, 0, axis)
        if not need_weights:
            return y, None
        weights = jnp.mean(weights, axis=1) if average_attn_weights else weights
        return y, weights[0] if unbatched else weights
