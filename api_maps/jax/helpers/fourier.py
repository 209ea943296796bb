"""Fourier transforms that `jax.numpy.fft` lacks."""

import jax
import jax.numpy as jnp

# The transform in the other direction is the same sum, divided by another number.
OTHER_NORM = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def hfftn(x, s=None, axes=None, norm: str | None = None) -> jax.Array:
    """The real transform of a signal of which `x` is the half that its Hermitian symmetry leaves, over `axes`.

    The last of the axes is the halved one; `s` gives the lengths of the result along them.
    """
    axes = (axes,) if isinstance(axes, int) else axes
    return jnp.fft.irfftn(jnp.conj(x), s, axes, OTHER_NORM[norm])


def ihfftn(x, s=None, axes=None, norm: str | None = None) -> jax.Array:
    """The inverse of `hfftn`: half of the inverse transform of the real `x` over `axes`."""
    axes = (axes,) if isinstance(axes, int) else axes
    return jnp.conj(jnp.fft.rfftn(x, s, axes, OTHER_NORM[norm]))
