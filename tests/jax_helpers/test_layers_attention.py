"""MultiheadAttention and the Transformer layers against torch."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from ivy_convert.api_maps.jax.helpers import attention, transformer

from .transfer import assert_same_start, compare_modules


def mask_of(kind: str, rows: int, columns: int) -> torch.Tensor:
    blocked = torch.triu(torch.ones(rows, columns, dtype=torch.bool), 1)
    return blocked if kind == "bool" else torch.zeros(rows, columns).masked_fill(blocked, -torch.inf)


@pytest.mark.parametrize(
    "options",
    [{}, {"batch_first": True}, {"bias": False}, {"kdim": 3, "vdim": 5, "batch_first": True}],
    ids=str,
)
@pytest.mark.parametrize("need_weights", [True, False])
def test_attention(options: dict[str, Any], need_weights: bool) -> None:
    theirs = torch.nn.MultiheadAttention(8, 2, **options)
    ours = attention.MultiheadAttention(8, 2, **options, rngs=nnx.Rngs(0))
    lead = (lambda n: (3, n)) if options.get("batch_first") else (lambda n: (n, 3))
    query = torch.randn(*lead(4), 8)
    key, value = torch.randn(*lead(6), options.get("kdim", 8)), torch.randn(*lead(6), options.get("vdim", 8))
    compare_modules(theirs, ours, query, key, value, need_weights=need_weights)
    padding = torch.zeros(3, 6, dtype=torch.bool)
    padding[1, 4:] = True
    for kind in ("bool", "float"):
        compare_modules(
            theirs,
            ours,
            query,
            key,
            value,
            need_weights=need_weights,
            attn_mask=mask_of(kind, 4, 6),
            key_padding_mask=padding if kind == "bool" else torch.zeros(3, 6).masked_fill(padding, -torch.inf),
        )


def test_attention_masks_per_head_unbatched_and_every_head() -> None:
    theirs = torch.nn.MultiheadAttention(8, 2)
    ours = attention.MultiheadAttention(8, 2, rngs=nnx.Rngs(0))
    x = torch.randn(4, 3, 8)
    compare_modules(theirs, ours, x, x, x, attn_mask=torch.randn(6, 4, 4), average_attn_weights=False)
    single = torch.randn(4, 8)
    compare_modules(theirs, ours, single, single, single, attn_mask=mask_of("bool", 4, 4))
    compare_modules(theirs, ours, single, single, single, attn_mask=mask_of("bool", 4, 4), is_causal=True)
    with pytest.raises(ValueError, match="is_causal"):
        ours(jnp.ones((4, 8)), jnp.ones((4, 8)), jnp.ones((4, 8)), is_causal=True)


def test_attention_with_a_row_that_sees_nothing() -> None:
    theirs = torch.nn.MultiheadAttention(8, 2)
    ours = attention.MultiheadAttention(8, 2, rngs=nnx.Rngs(0))
    x, mask = torch.randn(4, 3, 8), torch.zeros(4, 4, dtype=torch.bool)
    mask[2] = True
    compare_modules(theirs, ours, x, x, x, attn_mask=mask, need_weights=False)


def test_initial_values() -> None:
    assert_same_start(lambda: torch.nn.MultiheadAttention(48, 4), lambda r: attention.MultiheadAttention(48, 4, rngs=r))
    assert_same_start(
        lambda: torch.nn.MultiheadAttention(48, 4, kdim=20, vdim=30),
        lambda r: attention.MultiheadAttention(48, 4, kdim=20, vdim=30, rngs=r),
    )
    assert_same_start(
        lambda: torch.nn.Transformer(32, 4, 1, 1, 64),
        lambda r: transformer.Transformer(32, 4, 1, 1, 64, rngs=r),
    )


OPTIONS: list[dict[str, Any]] = [
    {},
    {"norm_first": True, "batch_first": True},
    {"activation": "gelu", "bias": False, "layer_norm_eps": 1e-3},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_encoder_layer(options: dict[str, Any]) -> None:
    theirs = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, **options)
    ours = transformer.TransformerEncoderLayer(8, 2, 16, dropout=0.0, **options, rngs=nnx.Rngs(0))
    batch = 4 if options.get("batch_first") else 3
    padding = torch.zeros(batch, 12 // batch, dtype=torch.bool)
    padding[0, -1] = True
    x = torch.randn(4, 3, 8)
    length = 3 if options.get("batch_first") else 4
    compare_modules(theirs, ours, x)
    compare_modules(theirs, ours, x, src_mask=mask_of("bool", length, length), src_key_padding_mask=padding)
    compare_modules(theirs, ours, x, training=False)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_decoder_layer(options: dict[str, Any]) -> None:
    theirs = torch.nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, **options)
    ours = transformer.TransformerDecoderLayer(8, 2, 16, dropout=0.0, **options, rngs=nnx.Rngs(0))
    x, memory = torch.randn(4, 4, 8), torch.randn(4, 4, 8)
    mask = mask_of("float", 4, 4)
    compare_modules(theirs, ours, x, memory, tgt_mask=mask, memory_mask=mask.T)


def test_activation_may_be_a_function() -> None:
    theirs = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation=torch.tanh)
    ours = transformer.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation=jnp.tanh, rngs=nnx.Rngs(0))
    compare_modules(theirs, ours, torch.randn(4, 3, 8))


def test_stacks() -> None:
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0)
    mine = transformer.TransformerEncoderLayer(8, 2, 16, dropout=0.0, rngs=nnx.Rngs(0))
    theirs = torch.nn.TransformerEncoder(layer, 2, torch.nn.LayerNorm(8), enable_nested_tensor=False)
    ours = transformer.TransformerEncoder(mine, 2, transformer.LayerNorm(8))
    compare_modules(theirs, ours, torch.randn(4, 3, 8), mask=mask_of("bool", 4, 4))


def test_transformer() -> None:
    theirs = torch.nn.Transformer(8, 2, 2, 1, 16, dropout=0.0, batch_first=True)
    ours = transformer.Transformer(8, 2, 2, 1, 16, dropout=0.0, batch_first=True, rngs=nnx.Rngs(0))
    mask = ours.generate_square_subsequent_mask(5)
    np.testing.assert_array_equal(mask, theirs.generate_square_subsequent_mask(5))
    compare_modules(
        theirs,
        ours,
        torch.randn(3, 4, 8),
        torch.randn(3, 5, 8),
        tgt_mask=theirs.generate_square_subsequent_mask(5),
        src_key_padding_mask=torch.tensor([[False] * 4, [False, False, True, True], [False] * 4]),
        tolerance=3e-5,
    )


def test_copies_share_weights_but_not_random_streams() -> None:
    layer = transformer.TransformerEncoderLayer(8, 2, 16, dropout=0.5, rngs=nnx.Rngs(0))
    first, second = transformer.TransformerEncoder(layer, 2).layers
    np.testing.assert_array_equal(first.linear1.weight, second.linear1.weight)
    x = jax.random.normal(jax.random.key(0), (4, 3, 8))
    assert not np.allclose(first(x), second(x))
    assert not np.allclose(first(x), first(x))
