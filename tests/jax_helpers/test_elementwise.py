import jax.numpy as jnp
import numpy as np
import pytest
import torch

from ivy_convert.api_maps.jax.helpers import elementwise

from .comparing import floats, integers, same

KINKS = np.array([[-3, -1, -0.5, 0], [0.5, 1, 3, np.nan]], np.float32)


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (None, 0.5), (0, None), (2, -2)])
def test_clamp(low, high):
    same(lambda x: torch.clamp(x, low, high), lambda x: elementwise.clamp(x, low, high), KINKS, gradients=False)
    for x in (KINKS.ravel()[:-1], floats(), floats(0, 3)):
        same(lambda x: torch.clamp(x, low, high), lambda x: elementwise.clamp(x, low, high), x)
    same(lambda x: torch.clamp(x, low, high), lambda x: elementwise.clamp(x, low, high), integers(3, high=5) - 2)


def test_clamp_between_arrays():
    same(
        lambda x, a, b: torch.clamp(x, a, b),
        lambda x, a, b: elementwise.clamp(x, a, b),
        floats(4, 3),
        -np.ones(3, np.float32),
        np.array([[1], [0.5], [-2], [0]], np.float32),
    )


def test_absolute():
    same(torch.abs, elementwise.absolute, KINKS, gradients=False)
    same(torch.abs, elementwise.absolute, KINKS.ravel()[:-1])
    same(torch.abs, elementwise.absolute, integers(3, high=5) - 2)
    same(torch.abs, elementwise.absolute, floats())


def test_power_of_zero():
    same(torch.pow, elementwise.power, np.array([0, 2, 3], np.float32), np.array([2, 2, 3], np.float32))
    same(lambda x: x**0.0, lambda x: elementwise.power(x, 0.0), KINKS)


def test_integer_power():
    base, exponent = np.array([[1, -1, 2, 0, 3, -3]]), np.array([[-8], [-3], [-1], [0], [3]])
    same(torch.pow, elementwise.integer_power, base, exponent)
    same(torch.pow, elementwise.integer_power, base, np.array(-8))


def test_atan2():
    same(torch.atan2, elementwise.atan2, np.array([0, 0, 1, -1], np.float32), np.array([0, -1, 0, 2], np.float32))


@pytest.mark.parametrize("rounding_mode", [None, "trunc", "floor"])
def test_div_rounding(rounding_mode):
    def of(function):
        return lambda a, b: function(a, b, rounding_mode=rounding_mode)

    same(
        of(torch.div),
        of(elementwise.div_rounding),
        floats(3, 4) * 5,
        floats(4, seed=1),
        gradients=rounding_mode is None,
    )
    same(of(torch.div), of(elementwise.div_rounding), integers(2, 5, high=19) - 9, integers(5, high=3) - 4)


def test_div_rounding_refuses_other_modes():
    with pytest.raises(ValueError, match="'ceil'"):
        elementwise.div_rounding(jnp.ones(2), 2, "ceil")


def test_lerp():
    for weight in (0.3, 1.0, 0.0, 0.7):
        same(
            lambda a, b, w=weight: torch.lerp(a, b, w),
            lambda a, b, w=weight: elementwise.lerp(a, b, w),
            floats(3, 4),
            floats(4, seed=1),
        )
    same(torch.lerp, elementwise.lerp, floats(3), floats(3, seed=1), floats(3, seed=2))
