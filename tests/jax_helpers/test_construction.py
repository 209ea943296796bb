"""Building layers of a class that the caller chose."""

from functools import partial

import pytest
from flax import nnx

from ivy_convert.api_maps.jax.helpers.activation_layers import ReLU
from ivy_convert.api_maps.jax.helpers.construction import build


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
