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


def frame_positions(count: int, hop_length: int, n_fft: int) -> jax.Array:
    """Where the samples of each frame stand in the signal: `[count, n_fft]`."""
    return jnp.arange(count)[:, None] * hop_length + jnp.arange(n_fft)


def centered_window(window, win_length: int, n_fft: int) -> jax.Array:
    """The window (None: ones) between zeros, to the length of a frame: `[n_fft]`."""
    window = jnp.ones(win_length) if window is None else jnp.asarray(window)
    before = (n_fft - win_length) // 2
    return jnp.pad(window, (before, n_fft - win_length - before))


def stft(
    x,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window=None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
) -> jax.Array:
    """Spectra of overlapping frames: `[..., samples]` → `[..., frequencies, frames]`, complex.

    Without `return_complex` real and imaginary parts stand along a last axis of length 2. With `center` the signal is
    padded so that frame t is centered at sample `t * hop_length`.
    """
    x = jnp.asarray(x)
    hop_length = n_fft // 4 if hop_length is None else hop_length
    shape = centered_window(window, n_fft if win_length is None else win_length, n_fft)
    if center:
        mode = {"replicate": "edge", "circular": "wrap"}.get(pad_mode, pad_mode)
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(n_fft // 2, n_fft // 2)], mode=mode)
    count = 1 + (x.shape[-1] - n_fft) // hop_length
    frames = x[..., frame_positions(count, hop_length, n_fft)] * shape
    is_real = not jnp.iscomplexobj(frames)
    transform = jnp.fft.rfft if is_real and onesided is not False else jnp.fft.fft
    spectra = jnp.swapaxes(transform(frames, norm="ortho" if normalized else None), -1, -2)
    if return_complex or not is_real:
        return spectra
    return jnp.stack([spectra.real, spectra.imag], -1)


def istft(
    x,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window=None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> jax.Array:
    """The signal with these spectra, by overlap and add: `[..., frequencies, frames]` → `[..., samples]`.

    What the windows covered more than once is divided by the sum of their squares.
    """
    x = jnp.swapaxes(jnp.asarray(x), -1, -2)
    hop_length = n_fft // 4 if hop_length is None else hop_length
    shape = centered_window(window, n_fft if win_length is None else win_length, n_fft)
    onesided = x.shape[-1] != n_fft if onesided is None else onesided
    norm = "ortho" if normalized else None
    # A real signal is taken from the lower half of a full spectrum, whatever the upper half holds.
    half = x if onesided else x[..., : n_fft // 2 + 1]
    frames = jnp.fft.ifft(x, norm=norm) if return_complex else jnp.fft.irfft(half, n_fft, norm=norm)
    count = x.shape[-2]
    total = n_fft + hop_length * (count - 1)
    positions = frame_positions(count, hop_length, n_fft)
    frames = frames * shape
    signal = jnp.zeros((*frames.shape[:-2], total), frames.dtype).at[..., positions].add(frames)
    cover = jnp.zeros(total, shape.dtype).at[positions].add(jnp.broadcast_to(shape**2, positions.shape))
    start = n_fft // 2 if center else 0
    end = total - start if length is None else start + length
    result = signal[..., start:end] / cover[start:end]
    missing = 0 if length is None else length - result.shape[-1]
    return jnp.pad(result, [(0, 0)] * (result.ndim - 1) + [(0, missing)])
