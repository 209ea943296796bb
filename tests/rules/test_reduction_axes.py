"""An empty list of axes: torch reduces over all axes where NumPy and JAX reduce over none."""

import numpy as np
import pytest
import torch

import ivy_convert

CODE = """
import torch


def listed(x: torch.Tensor):
    return x.REDUCE(dim=list(range(2, x.ndim)))


def given(x: torch.Tensor, axes: tuple[int, ...]):
    return torch.REDUCE(x, dim=axes)


def literal(x: torch.Tensor):
    return x.REDUCE(dim=())


def collected(x: torch.Tensor, *axes):
    return x.REDUCE(axes)
"""


@pytest.mark.parametrize("reduce", ["sum", "mean", "amax", "std", "any"])
@pytest.mark.parametrize("target", ["jax", "numpy"])
def test_empty_axes(reduce: str, target: str) -> None:
    code = CODE.replace("REDUCE", reduce)
    original: dict = {}
    exec(code, original)
    converted: dict = {}
    exec(ivy_convert.convert_source(code, source="torch", target=target, filename="axes.py").code, converted)
    rng = np.random.default_rng(0)
    for shape in [(2, 3), (2, 3, 4), (2, 3, 4, 2)]:
        x = rng.normal(size=shape).astype("float32")
        if target == "jax":
            import jax.numpy as jnp

            y = jnp.asarray(x)
        else:
            y = x
        more = tuple(range(2, x.ndim))
        for name, rest in [("listed", ()), ("given", (more,)), ("literal", ()), ("collected", more)]:
            expected = original[name](torch.from_numpy(x), *rest).numpy()
            np.testing.assert_allclose(converted[name](y, *rest), expected, rtol=1e-5, err_msg=f"{name} {shape}")
