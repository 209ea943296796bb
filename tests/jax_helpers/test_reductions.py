import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ivy_convert.api_maps.jax.helpers import reductions

from .comparing import floats, integers, same

TIES = np.array([[1, 3, 3, 0], [2, 2, 2, 2], [np.nan, 1, 5, np.nan]], np.float32)
WITH_INDICES = [
    (floats(3, 5), -1),
    (floats(2, 4, 3), 1),
    (floats(), 0),
    (TIES, 1),
    (integers(4, 3, high=5), 0),
    (floats(0, 3), 1),
]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("x", "axis"), WITH_INDICES)
def test_max_and_min_with_indices(x, axis, keepdims):
    same(lambda x: torch.max(x, axis, keepdims), lambda x: reductions.max_with_indices(x, axis, keepdims), x)
    same(lambda x: torch.min(x, axis, keepdims), lambda x: reductions.min_with_indices(x, axis, keepdims), x)


@pytest.mark.parametrize("name", ["median", "nanmedian", "kthvalue", "mode"])
@pytest.mark.parametrize(("x", "axis"), [(floats(3, 5), -1), (floats(2, 4, 3), 1), (floats(), 0), (floats(0, 3), 1)])
def test_selections(name, x, axis):
    first = (2,) if name == "kthvalue" and x.ndim else (1,) if name == "kthvalue" else ()
    for keepdims in (False, True):
        same(
            lambda x, k=keepdims: getattr(torch, name)(x, *first, axis, k),
            lambda x, k=keepdims: getattr(reductions, name)(x, *first, axis, k),
            x,
        )


def test_median_values_of_ties_and_missing():
    for name in ("median", "nanmedian"):
        same(getattr(torch, name), getattr(reductions, name), floats(4, 3))
        same(getattr(torch, name), getattr(reductions, name), TIES)
        same(getattr(torch, name), getattr(reductions, name), TIES[:2])
        same(getattr(torch, name), getattr(reductions, name), floats(0))
        same(getattr(torch, name), getattr(reductions, name), integers(4, high=9))
        same(
            lambda x, n=name: getattr(torch, n)(x, 1)[0],
            lambda x, n=name: getattr(reductions, n)(x, 1)[0],
            TIES,
            gradients=False,
        )


def test_mode_of_integers():
    same(lambda x: torch.mode(x, 1), lambda x: reductions.mode(x, 1), integers(5, 9, high=3))
    same(lambda x: torch.mode(x, 0), lambda x: reductions.mode(x, 0), integers(7, 4, high=4))


@pytest.mark.parametrize("largest", [True, False])
def test_topk(largest):
    for x, k, axis in ((floats(3, 6), 2, -1), (floats(4, 3), 4, 0), (floats(), 1, 0), (floats(3, 2), 0, 1)):
        same(
            lambda x, k=k, a=axis: torch.topk(x, k, a, largest),
            lambda x, k=k, a=axis: reductions.topk(x, k, a, largest),
            x,
        )
    same(
        lambda x: torch.topk(x, 3, largest=largest)[0],
        lambda x: reductions.topk(x, 3, largest=largest)[0],
        TIES,
        gradients=False,
    )
    same(
        lambda x: torch.topk(x, 3, largest=largest)[0],
        lambda x: reductions.topk(x, 3, largest=largest)[0],
        integers(4, 7, high=90),
    )


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(("x", "axis"), [*WITH_INDICES, (np.array([True, False, True]), 0)])
def test_sort(x, axis, descending):
    same(
        lambda x: torch.sort(x, dim=axis, descending=descending, stable=True),
        lambda x: reductions.sort(x, axis, descending, True),
        x,
    )
    same(
        lambda x: torch.argsort(x, dim=axis, descending=descending, stable=True),
        lambda x: reductions.argsort(x, axis, descending, True),
        x,
        gradients=False,
    )


@pytest.mark.parametrize(("x", "axis"), [*WITH_INDICES, (floats(3, 0), 1), (np.round(floats(3, 30)), 1)])
def test_running_extremes(x, axis):
    same(lambda x: torch.cummax(x, axis), lambda x: reductions.cummax(x, axis), x)
    same(lambda x: torch.cummin(x, axis), lambda x: reductions.cummin(x, axis), x)


def test_logcumsumexp():
    for x, axis in ((floats(3, 5), -1), (floats(4, 2) * 50, 0), (floats(), 0)):
        same(lambda x, a=axis: torch.logcumsumexp(x, a), lambda x, a=axis: reductions.logcumsumexp(x, a), x)


@pytest.mark.parametrize("axis", [None, 1, (0, -1)])
def test_variance_and_deviation(axis):
    x = floats(3, 4, 2)
    flat = np.concatenate([x, np.ones_like(x)], 2)
    for correction in (1, 0, 2):
        for name in ("var", "std", "var_mean", "std_mean"):
            for array in (x, np.ones_like(x), flat):
                same(
                    lambda x, n=name, c=correction: getattr(torch, n)(x, axis, correction=c, keepdim=True),
                    lambda x, n=name, c=correction: getattr(reductions, n)(x, axis, c, True),
                    array,
                    jit=False,
                )


def test_aminmax():
    for x, axis in ((floats(3, 4), None), (floats(3, 4), -1), (TIES[:2], 1), (integers(5, high=9), 0), (floats(), 0)):
        same(lambda x, a=axis: torch.aminmax(x, dim=a), lambda x, a=axis: reductions.aminmax(x, a), x)


@pytest.mark.parametrize("axis", [None, -1, (0, 1)])
@pytest.mark.parametrize("p", ["fro", 1, 2, 3, 1.5, float("inf"), -float("inf"), 0])
def test_norm(p, axis):
    for x in (floats(3, 4, 2), np.round(floats(3, 4, 2)) * 2, np.zeros((3, 4, 2), np.float32)):
        same(lambda x: torch.norm(x, p, axis), lambda x: reductions.norm(x, p, axis), x)
        same(lambda x: torch.norm(x, p, axis, True), lambda x: reductions.norm(x, p, axis, True), x)


def test_norm_of_a_scalar_and_of_nothing():
    same(torch.norm, reductions.norm, floats())
    same(torch.norm, reductions.norm, floats(0))
    same(lambda x: torch.norm(x, 1.0, 1), lambda x: reductions.norm(x, 1.0, 1), floats(2, 0))


@pytest.mark.parametrize(("p", "axis"), [(2.0, 1), (1.0, 0), (2.0, -1), (3.0, 1)])
def test_normalize(p, axis):
    x = floats(3, 4)
    x[1] = 0
    same(lambda x: F.normalize(x, p, axis), lambda x: reductions.normalize(x, p, axis), x)
    same(lambda x: F.normalize(x, p, axis, 2.0), lambda x: reductions.normalize(x, p, axis, 2.0), x)


def test_similarity_and_distances():
    a, b = floats(3, 4), floats(3, 4, seed=1)
    same(F.cosine_similarity, reductions.cosine_similarity, a, b)
    same(
        lambda a, b: F.cosine_similarity(a, b, -1, 3.0), lambda a, b: reductions.cosine_similarity(a, b, -1, 3.0), a, b
    )
    same(
        lambda a, b: F.cosine_similarity(a[:, None], b[None], -1),
        lambda a, b: reductions.cosine_similarity(a[:, None], b[None], -1),
        a,
        b,
    )
    same(F.cosine_similarity, reductions.cosine_similarity, a * np.array([[1], [0], [1]], np.float32), b)
    for p in (1.0, 2.0, 3.0):
        same(
            lambda a, b, p=p: F.pairwise_distance(a, b, p),
            lambda a, b, p=p: reductions.pairwise_distance(a, b, p),
            a,
            b,
        )
        same(lambda a, b, p=p: torch.cdist(a, b, p), lambda a, b, p=p: reductions.cdist(a, b, p), a, floats(2, 5, 4))
        same(lambda a, p=p: torch.cdist(a, a, p), lambda a, p=p: reductions.cdist(a, a, p), a, atol=1e-5)


def test_kthvalue_refuses_a_k_outside():
    with pytest.raises(ValueError, match="k is 4"):
        reductions.kthvalue(jnp.ones(3), 4)


@pytest.mark.parametrize("scale", [300, 1e-4])
def test_norms_and_deviations_of_half_precision_neither_overflow_nor_vanish(scale):
    x = (scale * floats(4, 8)).astype(np.float16)
    for want, have in (
        (lambda x: torch.norm(x, dim=-1), lambda x: reductions.norm(x, axis=-1)),
        (lambda x: torch.linalg.vector_norm(x, 3), lambda x: reductions.norm(x, 3)),
        (lambda x: x.std(-1), lambda x: reductions.std(x, -1)),
        (lambda x: torch.nn.functional.cosine_similarity(x, x.flip(0)), lambda x: reductions.cosine_similarity(x, x[::-1])),
    ):
        same(want, have, x, rtol=2e-3, atol=1e-6, gradients=False)
