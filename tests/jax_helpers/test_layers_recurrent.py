"""Recurrent layers, cells and packed sequences against torch."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from ivy_convert.api_maps.jax.helpers import packed_sequence, recurrent, recurrent_cells

from .transfer import assert_same_start, compare_modules, to_jax, transfer, variable_at

CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "bias": False, "batch_first": True},
    {"bidirectional": True, "batch_first": True},
]


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)
def test_layers(name: str, options: dict[str, Any]) -> None:
    theirs = getattr(torch.nn, name)(3, 4, **options)
    ours = getattr(recurrent, name)(3, 4, **options, rngs=nnx.Rngs(0))
    compare_modules(theirs, ours, torch.randn(5, 2, 3))
    count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    batch = 5 if options.get("batch_first") else 2
    state: Any = torch.randn(count, batch, 4)
    compare_modules(theirs, ours, torch.randn(5, 2, 3), (state, state.flip(0)) if name == "LSTM" else state)
    state = torch.randn(count, 4)
    compare_modules(theirs, ours, torch.randn(5, 3))
    compare_modules(theirs, ours, torch.randn(5, 3), (state, state.flip(0)) if name == "LSTM" else state)
    assert ours.flatten_parameters() is None


def test_relu_and_projection() -> None:
    compare_modules(
        torch.nn.RNN(3, 4, nonlinearity="relu"),
        recurrent.RNN(3, 4, nonlinearity="relu", rngs=nnx.Rngs(0)),
        torch.randn(5, 2, 3),
    )
    options: dict[str, Any] = {"proj_size": 2, "num_layers": 2, "bidirectional": True}
    ours = recurrent.LSTM(3, 4, **options, rngs=nnx.Rngs(0))
    compare_modules(torch.nn.LSTM(3, 4, **options), ours, torch.randn(5, 2, 3))


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("bias", [True, False])
def test_cells(name: str, bias: bool) -> None:
    theirs = getattr(torch.nn, name)(3, 4, bias=bias)
    ours = getattr(recurrent_cells, name)(3, 4, bias=bias, rngs=nnx.Rngs(0))
    h: Any = torch.randn(2, 4)
    compare_modules(theirs, ours, torch.randn(2, 3))
    compare_modules(theirs, ours, torch.randn(2, 3), (h, h.flip(0)) if name == "LSTMCell" else h)
    compare_modules(theirs, ours, torch.randn(3))


def test_initial_values() -> None:
    assert_same_start(lambda: torch.nn.LSTM(20, 30), lambda r: recurrent.LSTM(20, 30, rngs=r))
    assert_same_start(lambda: torch.nn.GRUCell(20, 30), lambda r: recurrent_cells.GRUCell(20, 30, rngs=r))


def test_dropout_between_layers() -> None:
    ours = recurrent.GRU(3, 4, num_layers=2, dropout=0.5, rngs=nnx.Rngs(0))
    x = jnp.ones((5, 2, 3))
    assert not np.allclose(ours(x)[0], ours(x)[0])
    compare_modules(torch.nn.GRU(3, 4, num_layers=2, dropout=0.5), ours, torch.randn(5, 2, 3), training=False)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [(5, 3, 2), (2, 4, 3)])
def test_packed_sequences(name: str, batch_first: bool, lengths: tuple[int, ...]) -> None:
    options: dict[str, Any] = {"num_layers": 2, "bidirectional": True, "batch_first": batch_first}
    theirs = getattr(torch.nn, name)(3, 4, **options)
    ours = getattr(recurrent, name)(3, 4, **options, rngs=nnx.Rngs(0))
    transfer(theirs, ours)
    x = torch.randn(3, 6, 3) if batch_first else torch.randn(6, 3, 3)
    utilities = torch.nn.utils.rnn
    packed = utilities.pack_padded_sequence(x, torch.tensor(lengths), batch_first, enforce_sorted=False)
    y, state = theirs(packed)
    expected, sizes = utilities.pad_packed_sequence(y, batch_first, padding_value=-1.0)
    mine = packed_sequence.pack_padded_sequence(to_jax(x), lengths, batch_first, enforce_sorted=False)
    y, last = ours(mine)
    actual, actual_sizes = packed_sequence.pad_packed_sequence(y, batch_first, padding_value=-1.0)
    np.testing.assert_allclose(actual, expected.detach(), atol=1e-6)
    np.testing.assert_array_equal(actual_sizes, sizes)
    if name == "LSTM":
        np.testing.assert_allclose(last[1], state[1].detach(), atol=1e-6)
        last, state = last[0], state[0]
    np.testing.assert_allclose(last, state.detach(), atol=1e-6)
    longer = packed_sequence.pad_packed_sequence(y, batch_first, total_length=9)[0]
    assert longer.shape[1 if batch_first else 0] == 9


def test_names_are_torch_names() -> None:
    ours = recurrent.LSTM(3, 4, num_layers=2, bidirectional=True, rngs=nnx.Rngs(0))
    assert variable_at(ours, "weight_ih_l1_reverse").shape == (16, 8)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["left", "right"])
def test_pad_sequence(batch_first: bool, side: str) -> None:
    arrays = [torch.randn(n, 2) for n in (3, 1, 4)]
    options: dict[str, Any] = {"batch_first": batch_first, "padding_value": -2.0, "padding_side": side}
    expected = torch.nn.utils.rnn.pad_sequence(arrays, **options)
    np.testing.assert_array_equal(packed_sequence.pad_sequence(to_jax(arrays), **options), expected)


def test_pack_sequence() -> None:
    arrays = [torch.randn(4, 2), torch.randn(3, 2), torch.randn(1, 2)]
    expected, sizes = torch.nn.utils.rnn.pad_packed_sequence(torch.nn.utils.rnn.pack_sequence(arrays))
    padded, lengths = packed_sequence.pad_packed_sequence(packed_sequence.pack_sequence(to_jax(arrays)))
    np.testing.assert_array_equal(padded, expected)
    np.testing.assert_array_equal(lengths, sizes)
