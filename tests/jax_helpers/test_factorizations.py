"""Factorisations that are unique only up to signs or rotations, by what they compose, and Bessel functions by value."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from ivy_convert.api_maps.jax.helpers import airy, bessel, factorizations, linear_algebra

from .comparing import floats

MATRICES = [floats(4, 3), floats(3, 4), floats(2, 3, 3)]


def composed(u, s, v) -> np.ndarray:
    return np.asarray((u * s[..., None, :]) @ jnp.matrix_transpose(v))


@pytest.mark.parametrize("x", MATRICES)
@pytest.mark.parametrize("some", [True, False])
def test_svd_vectors(x, some):
    result = factorizations.svd_vectors(x, some)
    expected = torch.svd(torch.tensor(x), some)
    assert [part.shape for part in result] == [part.shape for part in expected]
    count = min(x.shape[-2:])
    np.testing.assert_allclose(result.S, expected.S, atol=1e-5)
    np.testing.assert_allclose(composed(result.U[..., :count], result.S, result.V[..., :count]), x, atol=1e-5)
    for vectors in (result.U, result.V):
        product = np.swapaxes(vectors, -1, -2) @ np.asarray(vectors)
        np.testing.assert_allclose(product, np.broadcast_to(np.eye(vectors.shape[-1]), product.shape), atol=1e-5)


def test_full_svd_is_differentiable():
    x, weight = floats(3, 3), floats(3, 3, seed=1)

    def procrustes(x):
        u, _, vh = factorizations.full_svd(x)
        return ((u @ vh) * weight).sum()

    tensor = torch.tensor(x, requires_grad=True)
    u, _, vh = torch.linalg.svd(tensor)
    ((u @ vh) * torch.tensor(weight)).sum().backward()
    np.testing.assert_allclose(jax.grad(procrustes)(x), tensor.grad, rtol=1e-3, atol=1e-4)


def test_eig_is_differentiable():
    x = floats(3, 3)
    tensor = torch.tensor(x, requires_grad=True)
    values, vectors = torch.linalg.eig(tensor)
    (values.abs().sum() + (vectors.abs() ** 4).sum()).backward()

    def total(x):
        values, vectors = factorizations.eig(x)
        return jnp.abs(values).sum() + (jnp.abs(vectors) ** 4).sum()

    np.testing.assert_allclose(jax.grad(total)(x), tensor.grad, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 5, 4)])
def test_lowrank_of_full_rank_is_the_svd(shape):
    x = floats(*shape)
    result = factorizations.svd_lowrank(jax.random.key(0), x, q=4)
    np.testing.assert_allclose(result.S, np.linalg.svd(x, compute_uv=False), rtol=1e-4)
    np.testing.assert_allclose(composed(*result), x, atol=1e-4)
    centered = factorizations.pca_lowrank(jax.random.key(0), x, q=4)
    np.testing.assert_allclose(composed(*centered), x - x.mean(-2, keepdims=True), atol=1e-4)


def test_cholesky_ex_of_an_indefinite_matrix():
    x = np.array([[[2, 1, 0], [1, 2, 3], [0, 3, 1]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]], np.float32)
    factor, info = factorizations.cholesky_ex(x)
    assert info.tolist() == torch.linalg.cholesky_ex(torch.tensor(x)).info.tolist()
    assert np.isnan(factor[0]).any() and not np.isnan(factor[1]).any()


def test_lu_round_trip():
    x = floats(2, 4, 3)
    packed, pivots = factorizations.lu_factor(x)
    permutation, lower, upper = factorizations.lu_unpack(packed, pivots)
    np.testing.assert_allclose(permutation @ lower @ upper, x, atol=1e-6)
    assert pivots.tolist() == torch.linalg.lu_factor(torch.tensor(x)).pivots.tolist()


POINTS = np.array([-110, -30.5, -8.4, -2.09, -1, 0, 1e-6, 0.5, 2, 2.09, 5, 8.4, 30.5, 110, np.inf, np.nan], np.float32)


@pytest.mark.parametrize(
    ("module", "name", "other"),
    [
        (airy, "airy_ai", "airy_ai"),
        (bessel, "bessel_j0", "bessel_j0"),
        (bessel, "bessel_j1", "bessel_j1"),
        (bessel, "bessel_y0", "bessel_y0"),
        (bessel, "bessel_y1", "bessel_y1"),
        (bessel, "bessel_k0", "modified_bessel_k0"),
        (bessel, "bessel_k1", "modified_bessel_k1"),
        (bessel, "scaled_bessel_k0", "scaled_modified_bessel_k0"),
        (bessel, "scaled_bessel_k1", "scaled_modified_bessel_k1"),
        (bessel, "spherical_bessel_j0", "spherical_bessel_j0"),
    ],
)
def test_bessel(module, name, other):
    expected = getattr(torch.special, other)(torch.tensor(POINTS)).numpy()
    np.testing.assert_allclose(getattr(module, name)(POINTS), expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("upper", [False, True])
def test_gradients_of_complex_cholesky_solutions(upper):
    half = floats(3, 3) + 1j * floats(3, 3, seed=1)
    factor = np.linalg.cholesky(half @ half.conj().T + np.eye(3)).astype(np.complex64)
    factor = factor.conj().T.copy() if upper else factor
    b, weights = (floats(3, 2, seed=s) + 1j * floats(3, 2, seed=s + 1) for s in (2, 4))
    inputs = [torch.tensor(array.astype(np.complex64), requires_grad=True) for array in (b, factor)]
    (torch.cholesky_solve(*inputs, upper=upper) * torch.tensor(weights)).sum().real.backward()

    def scalar(b, factor):
        return (linear_algebra.cholesky_solve(b, factor, upper) * weights).sum().real

    for want, have in zip(inputs, jax.grad(scalar, (0, 1))(b.astype(np.complex64), factor), strict=True):
        np.testing.assert_allclose(have.conj(), want.grad, rtol=1e-4, atol=1e-4)  # JAX's convention is the conjugate


@pytest.mark.parametrize("shape", [(4, 2), (2, 3), (3, 3)])
def test_gradients_of_least_squares_leave_out_singular_values(shape):
    a = torch.tensor(floats(*shape), requires_grad=True)
    b = floats(shape[0], 2, seed=1)
    result = torch.linalg.lstsq(a, torch.tensor(b), driver="gelsd")
    assert not result.singular_values.requires_grad
    result.solution.square().sum().backward()

    def scalar(a):
        found = linear_algebra.lstsq(a, b, driver="gelsd")
        return (found.solution**2).sum() + found.singular_values.sum()

    np.testing.assert_allclose(jax.grad(scalar)(a.detach().numpy()), a.grad, rtol=1e-4, atol=1e-4)
