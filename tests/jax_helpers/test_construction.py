"""Building layers of a class that the caller chose."""

from functools import partial
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from ivy_convert.api_maps.jax.helpers import (
    activation_layers,
    convolution_layers,
    embedding,
    linear,
    normalization,
    recurrent,
    recurrent_cells,
)
from ivy_convert.api_maps.jax.helpers.activation_layers import ReLU
from ivy_convert.api_maps.jax.helpers.casts import to
from ivy_convert.api_maps.jax.helpers.construction import buffer, build, in_dtype, layer_options, reset_parameters
from ivy_convert.api_maps.jax.helpers.process_stream import is_training, set_training
from ivy_convert.api_maps.jax.helpers.shape import ntuple

_FILES = (activation_layers, convolution_layers, embedding, linear, normalization, recurrent, recurrent_cells)
nn_helpers = SimpleNamespace(**{name: value for file in _FILES for name, value in vars(file).items()})


def _doubled(features: int, *, rngs: nnx.Rngs) -> nnx.Linear:
    return nnx.Linear(features, 2 * features, rngs=rngs)


@pytest.mark.parametrize(
    ("make", "arguments", "outputs"),
    [
        (nnx.Linear, (3, 4), 4),
        (partial(nnx.Linear, 3), (5,), 5),
        (_doubled, (3,), 6),
        (partial(partial(_doubled), 3), (), 6),
    ],
)
def test_what_takes_rngs_gets_it(make, arguments, outputs) -> None:
    assert build(make, *arguments, rngs=nnx.Rngs(0)).out_features == outputs


@pytest.mark.parametrize("make", [ReLU, partial(ReLU), lambda: ReLU(), lambda *_: ReLU()])
def test_what_does_not_take_rngs_is_called_without(make) -> None:
    assert isinstance(build(make, rngs=nnx.Rngs(0)), ReLU)


def test_settings_that_a_layer_does_not_take() -> None:
    layer = build(nn_helpers.Linear, 3, 4, device="cuda", dtype=jnp.float16, rngs=nnx.Rngs(0))
    assert layer.weight.dtype == layer.bias.dtype == jnp.float16
    assert build(nn_helpers.Linear, 3, 4, device=None, dtype=None, rngs=nnx.Rngs(0)).weight.dtype == jnp.float32


@pytest.mark.parametrize(
    "make",
    [
        lambda rngs: nn_helpers.Linear(3, 4, bias=False, rngs=rngs),
        lambda rngs: nn_helpers.Conv2d(2, 4, (3, 1), stride=2, padding="valid", groups=2, rngs=rngs),
        lambda rngs: nn_helpers.ConvTranspose1d(2, 4, 3, output_padding=1, stride=2, rngs=rngs),
        lambda rngs: nn_helpers.LSTM(3, 4, num_layers=2, bidirectional=True, dropout=0.5, rngs=rngs),
        lambda rngs: nn_helpers.GRUCell(3, 4, bias=False, rngs=rngs),
        lambda rngs: nn_helpers.Embedding(5, 4, padding_idx=0, rngs=rngs),
        lambda rngs: in_dtype(nn_helpers.Bilinear(3, 4, 5, rngs=rngs), jnp.bfloat16),
        lambda rngs: nn_helpers.GroupNorm(2, 4, rngs=rngs),
        lambda rngs: nn_helpers.BatchNorm2d(4, rngs=rngs),
        lambda rngs: nn_helpers.PReLU(3, 0.1, rngs=rngs),
    ],
)
def test_a_layer_is_reset_to_new_initial_values(make) -> None:
    """The same values as those of a new layer from the same stream, whatever they were changed to."""
    layer, fresh = make(nnx.Rngs(0)), make(nnx.Rngs(1))
    for variable in _variables(layer):
        variable.set_value(variable[...] + 7)
    reset_parameters(layer, rngs=nnx.Rngs(1))
    for changed, new in zip(_variables(layer), _variables(fresh), strict=True):
        assert changed.dtype == new.dtype
        np.testing.assert_array_equal(np.asarray(changed[...], np.float32), np.asarray(new[...], np.float32))


def _variables(layer: nnx.Module) -> list[nnx.Variable]:
    """The arrays of a layer by name, without its random streams."""
    found = sorted(vars(layer).items())
    return [value for _, value in found if isinstance(value, nnx.Variable) and not isinstance(value, nnx.RngState)]


@pytest.mark.parametrize(
    ("arguments", "dtype"),
    [(("cuda",), jnp.int32), ((jnp.float16,), jnp.float16), ((jnp.zeros(2),), jnp.float32), ((None, np.dtype("int8")), jnp.int8)],
)
def test_casts_to_what_the_program_gives(arguments, dtype) -> None:
    x = jnp.arange(3)
    assert to(x, *arguments, copy=True).dtype == dtype
    assert to(x, device=None, dtype=jnp.float32, non_blocking=True).dtype == jnp.float32


@pytest.mark.parametrize(("value", "count"), [(3, 2), (0.5, 3), ((1, 2), 2), ([4], 1), (None, 2)])
def test_tuples_of_a_length(value, count) -> None:
    assert ntuple(value, count) == torch.nn.modules.utils._ntuple(count)(value)


def test_the_mode_of_a_module_is_its_own_or_that_of_its_parts() -> None:
    layer = nn_helpers.Linear(3, 4, rngs=nnx.Rngs(0))
    assert is_training(layer)
    normalised = nnx.List([layer, nn_helpers.BatchNorm1d(4, rngs=nnx.Rngs(0))])
    assert is_training(normalised)
    normalised.eval()
    assert not is_training(normalised)
    assert not is_training(normalised[1])
    set_training(normalised)
    assert is_training(normalised)


def test_options_of_layers() -> None:
    assert layer_options({"eps": 1e-3, "device": "cuda", "dtype": None}) == {"eps": 1e-3}
    with pytest.raises(ValueError, match="in_dtype"):
        layer_options({"dtype": jnp.bfloat16})


def test_buffers_that_may_be_none() -> None:
    assert buffer(None) is not None  # Marked as data for NNX, which keeps None as the attribute.
    holder = nnx.Module()
    holder.mask = buffer(None)
    assert holder.mask is None
    holder.mask = buffer(jnp.ones(2), persistent=False)
    assert isinstance(holder.mask, nnx.Variable) and holder.mask.persistent is False
