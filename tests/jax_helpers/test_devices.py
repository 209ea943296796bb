import types

import jax
import jax.numpy as jnp
from flax import nnx

from ivy_convert.api_maps.jax.helpers.devices import device_of


def test_the_device_of_arrays_traced_ones_and_others() -> None:
    device = jax.devices()[0]
    assert device_of(jnp.zeros(2)) == device
    assert jax.jit(lambda x: device_of(nnx.Param(x)) == device and x)(jnp.ones(())) == 1
    jax.jit(lambda x: x if device_of(x) == device else 1 / 0)(jnp.zeros(2))
    assert device_of(types.SimpleNamespace(device="here")) == "here"
