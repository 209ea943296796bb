"""Linear, Bilinear, Identity and Embedding against torch."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from ivy_convert.api_maps.jax.helpers import embedding, linear

from .transfer import assert_same_start, compare_calls, compare_modules, to_jax, transfer


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5), (0, 5)])
def test_linear(shape: tuple[int, ...], bias: bool) -> None:
    ours = linear.Linear(5, 4, bias=bias, rngs=nnx.Rngs(0))
    compare_modules(torch.nn.Linear(5, 4, bias=bias), ours, torch.randn(shape))


@pytest.mark.parametrize("bias", [True, False])
def test_bilinear(bias: bool) -> None:
    ours = linear.Bilinear(3, 4, 5, bias=bias, rngs=nnx.Rngs(0))
    compare_modules(torch.nn.Bilinear(3, 4, 5, bias=bias), ours, torch.randn(2, 6, 3), torch.randn(2, 6, 4))


def test_initial_values() -> None:
    assert_same_start(lambda: torch.nn.Linear(64, 48), lambda r: linear.Linear(64, 48, rngs=r))
    assert_same_start(lambda: torch.nn.Bilinear(9, 16, 8), lambda r: linear.Bilinear(9, 16, 8, rngs=r))
    assert_same_start(
        lambda: torch.nn.Embedding(90, 16, padding_idx=3), lambda r: embedding.Embedding(90, 16, 3, rngs=r)
    )


def test_late_bias_and_identity() -> None:
    layer = linear.Linear(2, 2, bias=False, rngs=nnx.Rngs(0))
    layer.bias = nnx.Param(jnp.ones(2))
    np.testing.assert_allclose(layer(jnp.zeros((1, 2))), 1.0)
    assert linear.Identity(3, unused=4)("x") == "x"


@pytest.mark.parametrize("padding_idx", [None, 0, -1])
def test_embedding(padding_idx: int | None) -> None:
    theirs = torch.nn.Embedding(7, 3, padding_idx=padding_idx)
    ours = embedding.Embedding(7, 3, padding_idx=padding_idx, rngs=nnx.Rngs(0))
    assert ours.padding_idx == theirs.padding_idx
    compare_modules(theirs, ours, torch.tensor([[0, 6, 2], [2, 2, 0]]))


def test_embedding_outside_the_table_is_not_silent() -> None:
    layer = embedding.Embedding(3, 2, rngs=nnx.Rngs(0))
    assert np.isnan(layer(jnp.array([3, -1]))).all()


def test_embedding_from_pretrained() -> None:
    frozen = embedding.embedding_from_pretrained(jnp.eye(3))
    assert not isinstance(frozen.weight, nnx.Param)
    np.testing.assert_array_equal(frozen(jnp.array([2])), [[0, 0, 1]])
    assert isinstance(embedding.embedding_from_pretrained(jnp.eye(3), freeze=False).weight, nnx.Param)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 2])
def test_embedding_bag(mode: str, padding_idx: int | None) -> None:
    theirs = torch.nn.EmbeddingBag(9, 3, mode=mode, padding_idx=padding_idx)
    ours = embedding.EmbeddingBag(9, 3, mode=mode, padding_idx=padding_idx, rngs=nnx.Rngs(0))
    compare_modules(theirs, ours, torch.tensor([[0, 8, 2], [2, 2, 1]]))
    flat, offsets = torch.tensor([4, 1, 2, 2, 5, 4]), torch.tensor([0, 2, 2, 4])
    compare_modules(theirs, ours, flat, offsets)


def test_embedding_bag_weights_and_last_offset() -> None:
    theirs = torch.nn.EmbeddingBag(9, 3, mode="sum", include_last_offset=True)
    ours = embedding.EmbeddingBag(9, 3, mode="sum", include_last_offset=True, rngs=nnx.Rngs(0))
    transfer(theirs, ours)
    flat, offsets, weights = torch.tensor([4, 1, 2, 2, 5]), torch.tensor([0, 2, 5]), torch.randn(5)
    expected = theirs(flat, offsets, weights).detach().numpy()
    np.testing.assert_allclose(ours(*map(to_jax, (flat, offsets, weights))), expected, atol=1e-6)


def test_functions() -> None:
    compare_calls(
        torch.nn.functional.bilinear, linear.bilinear, torch.randn(4, 2), torch.randn(4, 3), torch.randn(5, 2, 3)
    )
    weight = torch.randn(6, 2)
    compare_calls(torch.nn.functional.embedding, embedding.embedding, torch.tensor([1, 5]), weight, padding_idx=1)
