import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch.nn.functional as F

from ivy_convert.api_maps.jax.helpers import activations

from .comparing import floats, integers, same

KINKS = np.array([[-21, -3, -1, -0.5, 0], [0.5, 1, 3, 20.5, np.nan]], np.float32)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("leaky_relu", (0.2,)),
        ("hardtanh", ()),
        ("hardtanh", (-0.5, 3.0)),
        ("hardshrink", ()),
        ("softshrink", ()),
        ("softshrink", (1.0,)),
        ("tanhshrink", ()),
        ("threshold", (0.5, 20.0)),
        ("softplus", ()),
        ("softplus", (2.0, 1.0)),
    ],
)
def test_activation(name, arguments):
    same(
        lambda x: getattr(F, name)(x, *arguments),
        lambda x: getattr(activations, name)(x, *arguments),
        KINKS,
        gradients=False,
    )
    for x in (KINKS.ravel()[:-1], floats(), floats(0, 2), floats(2, 3, 1)):
        same(lambda x: getattr(F, name)(x, *arguments), lambda x: getattr(activations, name)(x, *arguments), x)


def test_prelu():
    for shape, channels in (((2, 3, 4), 3), ((2, 3), 1), ((5,), 1), ((2, 3), 3)):
        same(F.prelu, activations.prelu, floats(*shape), floats(channels, seed=1))


def test_rrelu():
    same(lambda x: F.rrelu(x), lambda x: activations.rrelu(x), KINKS)
    drawn = activations.rrelu(-jnp.ones(4000), 0.1, 0.3, True, key=jax.random.key(0))
    assert -0.3 <= float(drawn.min()) < -0.29 and -0.11 < float(drawn.max()) <= -0.1
    assert abs(float(drawn.mean()) + 0.2) < 0.005


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_glu_and_softmin(axis):
    same(lambda x: F.glu(x, axis), lambda x: activations.glu(x, axis), floats(4, 6))
    same(lambda x: F.softmin(x, axis), lambda x: activations.softmin(x, axis), floats(4, 6))


@pytest.mark.parametrize("hard", [False, True])
def test_gumbel_softmax(hard):
    logits = jnp.log(jnp.array([0.2, 0.3, 0.5]))
    drawn = activations.gumbel_softmax(jnp.tile(logits, (20000, 1)), 0.5, hard, key=jax.random.key(0))
    np.testing.assert_allclose(drawn.sum(-1), 1, atol=1e-5)
    shares = jax.nn.one_hot(drawn.argmax(-1), 3).mean(0)
    np.testing.assert_allclose(shares, [0.2, 0.3, 0.5], atol=0.01)
    if hard:
        assert set(np.unique(np.round(np.asarray(drawn), 5))) == {0, 1}
    gradient = jax.grad(lambda x: activations.gumbel_softmax(x, 0.5, hard, key=jax.random.key(1))[0])(logits)
    assert float(jnp.abs(gradient).sum()) > 0


def attend(**options):
    def pair(q, k, v, *mask):
        return F.scaled_dot_product_attention(q, k, v, *mask, **options)

    def jax_pair(q, k, v, *mask):
        return activations.scaled_dot_product_attention(q, k, v, *mask, **options)

    return pair, jax_pair


@pytest.mark.parametrize(("leading", "length", "source"), [((2, 3), 4, 4), ((2,), 3, 5), ((), 5, 2)])
def test_attention(leading, length, source):
    arrays = (floats(*leading, length, 6), floats(*leading, source, 6, seed=1), floats(*leading, source, 7, seed=2))
    same(*attend(), *arrays)
    same(*attend(is_causal=True), *arrays)
    same(*attend(scale=0.3), *arrays)
    allowed = integers(length, source, high=2, seed=3).astype(bool)
    allowed[0] = False
    same(*attend(), *arrays, allowed)
    same(*attend(), *arrays, np.where(allowed, 0.5, -np.inf).astype(np.float32), gradients=False)
    same(*attend(), *arrays, floats(length, source, seed=4))


def test_attention_with_shared_heads():
    same(*attend(enable_gqa=True), floats(2, 6, 4, 8), floats(2, 3, 5, 8, seed=1), floats(2, 3, 5, 8, seed=2))


def test_attention_dropout_needs_a_key():
    q = jnp.ones((1, 2, 3, 4))
    with pytest.raises(ValueError, match="key"):
        activations.scaled_dot_product_attention(q, q, q, dropout_p=0.5)
    out = activations.scaled_dot_product_attention(q, q, q, dropout_p=0.5, dropout_key=jax.random.key(0))
    assert out.shape == q.shape and not np.allclose(out, 1)
