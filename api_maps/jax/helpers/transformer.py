"""Torch's Transformer layers. In evaluation torch's fused path zeroes padded positions; these layers do not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from .activation_layers import activation_function
from .attention import MultiheadAttention
from .dropout import Dropout
from .linear import Linear
from .normalization import LayerNorm

Mask = jax.Array | None


def layer_copies(layer: nnx.Module, count: int) -> nnx.List:
    """`count` copies of a layer with equal weights and different random streams."""
    copies = []
    for index in range(count):
        copy = nnx.clone(layer)
        keys = nnx.state(copy, nnx.RngKey)
        nnx.update(copy, jax.tree.map(lambda key, index=index: jax.random.fold_in(key, index), keys))
        copies.append(copy)
    return nnx.List(copies)


def causal_mask(size: int) -> jax.Array:
    """[size, size]: 0 on and below the diagonal, -inf above."""
    return jnp.triu(jnp.full((size, size), -jnp.inf, jnp.float32), 1)


class TransformerLayer(nnx.Module):
    """The feed-forward half that encoder and decoder layers share."""

    def add_feed_forward(
        self,
        d_model: int,
        dim_feedforward: int,
        dropout: float,
        activation: str | Callable[[Any], Any],
        bias: bool,
        rngs: nnx.Rngs,
    ) -> None:
        """Create linear1, dropout, linear2 and the activation."""
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, rngs=rngs)
        self.dropout = Dropout(dropout, rngs=rngs)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, rngs=rngs)
        self.activation = activation_function(activation)

    def feed_forward(self, x: jax.Array) -> jax.Array:
        """linear2(dropout(activation(linear1(x))))."""
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(TransformerLayer):
    """Self-attention and feed-forward with residual connections; src [S, N, E], or [N, S, E] if batch_first."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Any], Any] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        rngs: nnx.Rngs,
    ):
        self.norm_first = norm_first
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, rngs=rngs
        )
        self.add_feed_forward(d_model, dim_feedforward, dropout, activation, bias, rngs)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.dropout1 = Dropout(dropout, rngs=rngs)
        self.dropout2 = Dropout(dropout, rngs=rngs)

    def attend(self, x: jax.Array, mask: Mask, padding: Mask) -> jax.Array:
        """The self-attention block."""
        y, _ = self.self_attn(x, x, x, key_padding_mask=padding, attn_mask=mask, need_weights=False)
        return self.dropout1(y)

    def __call__(
        self,
        src: jax.Array,
        src_mask: Mask = None,
        src_key_padding_mask: Mask = None,
        is_causal: bool = False,
    ) -> jax.Array:
        if self.norm_first:
            src = src + self.attend(self.norm1(src), src_mask, src_key_padding_mask)
            return src + self.dropout2(self.feed_forward(self.norm2(src)))
        src = self.norm1(src + self.attend(src, src_mask, src_key_padding_mask))
        return self.norm2(src + self.dropout2(self.feed_forward(src)))


class TransformerDecoderLayer(TransformerLayer):
    """Self-attention, attention to the memory, and feed-forward, with residual connections."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Any], Any] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        rngs: nnx.Rngs,
    ):
        self.norm_first = norm_first
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, rngs=rngs
        )
        self.multihead_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, rngs=rngs
        )
        self.add_feed_forward(d_model, dim_feedforward, dropout, activation, bias, rngs)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.dropout1 = Dropout(dropout, rngs=rngs)
        self.dropout2 = Dropout(dropout, rngs=rngs)
        self.dropout3 = Dropout(dropout, rngs=rngs)

    def attend(self, x: jax.Array, mask: Mask, padding: Mask) -> jax.Array:
        """The self-attention block."""
        y, _ = self.self_attn(x, x, x, key_padding_mask=padding, attn_mask=mask, need_weights=False)
        return self.dropout1(y)

    def attend_to(self, x: jax.Array, memory: jax.Array, mask: Mask, padding: Mask) -> jax.Array:
        """The block of attention to the memory."""
        y, _ = self.multihead_attn(
            x, memory, memory, key_padding_mask=padding, attn_mask=mask, need_weights=False
        )
        return self.dropout2(y)

    def __call__(
        self,
        tgt: jax.Array,
        memory: jax.Array,
        tgt_mask: Mask = None,
        memory_mask: Mask = None,
        tgt_key_padding_mask: Mask = None,
        memory_key_padding_mask: Mask = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> jax.Array:
        if self.norm_first:
            tgt = tgt + self.attend(self.norm1(tgt), tgt_mask, tgt_key_padding_mask)
            tgt = tgt + self.attend_to(self.norm2(tgt), memory, memory_mask, memory_key_padding_mask)
            return tgt + self.dropout3(self.feed_forward(self.norm3(tgt)))
        tgt = self.norm1(tgt + self.attend(tgt, tgt_mask, tgt_key_padding_mask))
        tgt = self.norm2(tgt + self.attend_to(tgt, memory, memory_mask, memory_key_padding_mask))
        return self.norm3(tgt + self.dropout3(self.feed_forward(tgt)))


class TransformerEncoder(nnx.Module):
    """`num_layers` copies of a layer, and a norm."""

    def __init__(self, encoder_layer: nnx.Module, num_layers: int, norm: nnx.Module | None = None):
        self.layers = layer_copies(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = nnx.data(None) if norm is None else norm

    def __call__(
        self,
        src: jax.Array,
        mask: Mask = None,
        src_key_padding_mask: Mask = None,
        is_causal: bool | None = None,
    ) -> jax.Array:
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(nnx.Module):
    """`num_layers` copies of a layer, and a norm."""

    def __init__(self, decoder_layer: nnx.Module, num_layers: int, norm: nnx.Module | None = None):
        self.layers = layer_copies(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = nnx.data(None) if norm is None else norm

    def __call__(
        self,
        tgt: jax.Array,
        memory: jax.Array,
        tgt_mask: Mask = None,
        memory_mask: Mask = None,
        tgt_key_padding_mask: Mask = None,
        memory_key_padding_mask: Mask = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> jax.Array:
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
            )
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(nnx.Module):
    """Encoder and decoder; weight matrices start as Glorot-uniform."""

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Any], Any] = "relu",
        custom_encoder: nnx.Module | None = None,
        custom_decoder: nnx.Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        rngs: nnx.Rngs,
    ):
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first
        options = (dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        if custom_encoder is None:
            encoder_layer = TransformerEncoderLayer(d_model, nhead, *options, rngs=rngs)
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias)
            custom_encoder = TransformerEncoder(encoder_layer, num_encoder_layers, norm)
        if custom_decoder is None:
            decoder_layer = TransformerDecoderLayer(d_model, nhead, *options, rngs=rngs)
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias)
            custom_decoder = TransformerDecoder(decoder_layer, num_decoder_layers, norm)
        self.encoder = custom_encoder
        self.decoder = custom_decoder
        for _, parameter in nnx.to_flat_state(nnx.state(self, nnx.Param)):
            if parameter.ndim > 1:
                bound = math.sqrt(6 / (parameter.shape[0] + parameter.shape[1]))
                parameter[...] = jax.random.uniform(
                    rngs.params(), parameter.shape, jnp.float32, -bound, bound
                )

    @staticmethod
    def generate_square_subsequent_mask(size: int) -> jax.Array:
        """[size, size]: 0 on and below the diagonal, -inf above."""
        return causal_mask(size)

    def __call__(
        self,
        src: jax.Array,
        tgt: jax.Array,
        src_mask: Mask = None,
        tgt_mask: Mask = None,
        memory_mask: Mask = None,
        src_key_padding_mask: Mask = None,
        tgt_key_padding_mask: Mask = None,
        memory_key_padding_mask: Mask = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> jax.Array:
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask)
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
        )
