import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from ivy_convert.api_maps.jax.helpers import gradients

from .comparing import floats


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.0, float("inf")])
@pytest.mark.parametrize("max_norm", [0.1, 1.0, 1e6])
def test_clip_grad_norm(max_norm, norm_type):
    arrays = {"a": floats(3, 4), "b": floats(5, seed=1), "c": floats()}
    parameters = [torch.nn.Parameter(torch.zeros(a.shape)) for a in arrays.values()]
    for parameter, array in zip(parameters, arrays.values(), strict=True):
        parameter.grad = torch.tensor(array)
    expected = torch.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type)
    clipped, norm = jax.jit(lambda g: gradients.clip_grad_norm(g, max_norm, norm_type))(arrays)
    np.testing.assert_allclose(norm, expected.numpy(), rtol=1e-6)
    for parameter, have in zip(parameters, clipped.values(), strict=True):
        np.testing.assert_allclose(have, parameter.grad.numpy(), rtol=1e-6)


def test_clip_grad_norm_at_the_edges():
    clipped, norm = gradients.clip_grad_norm({"a": jnp.zeros(3)}, 1.0)
    assert float(norm) == 0 and (clipped["a"] == 0).all()
    assert float(gradients.clip_grad_norm({}, 1.0)[1]) == 0
    with pytest.raises(RuntimeError, match="non-finite"):
        gradients.clip_grad_norm({"a": jnp.array([jnp.inf])}, 1.0, error_if_nonfinite=True)


def test_clip_value_and_accumulate():
    grads = {"a": jnp.array([-3.0, 0.5, 3.0])}
    np.testing.assert_array_equal(gradients.clip_grad_value(grads, 1.0)["a"], [-1, 0.5, 1])
    total = gradients.add_gradients(gradients.add_gradients(None, grads), grads)
    np.testing.assert_array_equal(total["a"], [-6, 1, 6])
    assert (gradients.zero_gradients(grads)["a"] == 0).all()
