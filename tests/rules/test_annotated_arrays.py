"""What annotations of element types and axes change: spellings that hold only for integers, or without axes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import ivy_convert

CASES = [
    ("Float[torch.Tensor, '']", "torch.softmax(x, 0)", "jax.nn.softmax(x, axis=())"),
    ("Float[torch.Tensor, 'n']", "torch.softmax(x, 0)", "jax.nn.softmax(x, axis=0)"),
    ("Float[torch.Tensor, '... n']", "torch.softmax(x, -1)", "jax.nn.softmax(x, axis=-1)"),
    ("Float[torch.Tensor, '']", "x.logsumexp(0, keepdim=True)", "jax.nn.logsumexp(x, (), keepdims=True)"),
    ("Float[torch.Tensor, '']", "x.sum(dim=-1)", "x.sum(axis=())"),
    ("Int[torch.Tensor, '']", "x.cumsum(0)", "jnp.sum(x, axis=())"),
    ("Float[torch.Tensor, '']", "x.cumprod(0, dtype=torch.float16)", "jnp.prod(x, axis=(), dtype=jnp.float16)"),
    ("Float[torch.Tensor, '']", "x.transpose(0, -1)", "x"),
    ("Int[torch.Tensor, '2 3']", "torch.sigmoid(x)", "jax.nn.sigmoid(x * 1.0)"),
    ("Float[torch.Tensor, '2 3']", "torch.sigmoid(x)", "jax.nn.sigmoid(x)"),
    ("Bool[torch.Tensor, 'n']", "x.sign()", "jnp.sign(x * 1).astype(x.dtype)"),
    ("Float[torch.Tensor, '']", "torch.meshgrid(x, x[None], indexing='ij')[0]",
     "jnp.meshgrid(*map(jnp.atleast_1d, (x, x[None])), indexing='ij')[0]"),
    ("Float[torch.Tensor, 'n']", "torch.meshgrid(x, x, indexing='ij')[0]", "jnp.meshgrid(x, x, indexing='ij')[0]"),
]  # fmt: skip


def test_axes_of_a_name_for_an_annotation_count_too() -> None:
    code = (
        "import torch\nfrom jaxtyping import Float\n\nImage = Float[torch.Tensor, 'h w']\n\n"
        "def f(x: Float[Image, ''], y: Float[Float[torch.Tensor, 'n'], ''], z: Float[torch.Tensor, '']):\n"
        "    return x.sum(0), y.sum(0), z.sum(0)\n"
    )
    converted = ivy_convert.convert_source(code, "torch", "jax", "annotated.py").code
    assert converted.rstrip().endswith("return x.sum(axis=0), y.sum(axis=0), z.sum(axis=())")


def given(annotation: str) -> np.ndarray:
    """An array that the annotation is true of."""
    shape = {"''": (), "'n'": (3,), "'... n'": (2, 3), "'2 3'": (2, 3)}[annotation[annotation.index("'") : -1]]
    values = np.random.default_rng(0).normal(size=shape) * 3
    dtype = {"F": np.float32, "I": np.int32, "B": np.bool_}[annotation[0]]
    return np.asarray(values.astype(dtype))


@pytest.mark.parametrize(("annotation", "source", "target"), CASES)
def test_spelling_and_numbers(annotation: str, source: str, target: str) -> None:
    code = f"import torch\n\ndef f(x: \"{annotation}\"):\n    return {source}\n"
    converted = ivy_convert.convert_source(code, "torch", "jax", "annotated.py").code
    assert converted.rstrip().endswith(f"return {target}")
    array = given(annotation)
    expected = eval(source, {"torch": torch, "x": torch.from_numpy(array)})
    actual = eval(target, {"jax": jax, "jnp": jnp, "x": jnp.asarray(array)})
    np.testing.assert_allclose(np.asarray(actual), expected.numpy(), rtol=1e-3 if "float16" in source else 1e-5)
