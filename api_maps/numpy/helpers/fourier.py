"""Fourier transforms of overlapping frames, with torch's arguments."""

import numpy as np


def frame_positions(count: int, hop_length: int, n_fft: int) -> np.ndarray:
    """Where the samples of each frame stand in the signal: `[count, n_fft]`."""
    return np.arange(count)[:, None] * hop_length + np.arange(n_fft)


def centered_window(window, win_length: int, n_fft: int) -> np.ndarray:
    """The window (None: ones) between zeros, to the length of a frame: `[n_fft]`."""
    window = np.ones(win_length, np.float32) if window is None else np.asarray(window)
    before = (n_fft - win_length) // 2
    return np.pad(window, (before, n_fft - win_length - before))


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
) -> np.ndarray:
    """Spectra of overlapping frames: `[..., samples]` → `[..., frequencies, frames]`, complex.

    Without `return_complex` real and imaginary parts stand along a last axis of length 2. With `center` the signal is
    padded so that frame t is centered at sample `t * hop_length`.
    """
    x = np.asarray(x)
    hop_length = n_fft // 4 if hop_length is None else hop_length
    shape = centered_window(window, n_fft if win_length is None else win_length, n_fft)
    if center:
        mode = {"replicate": "edge", "circular": "wrap"}.get(pad_mode, pad_mode)
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(n_fft // 2, n_fft // 2)], mode=mode)
    count = 1 + (x.shape[-1] - n_fft) // hop_length
    frames = x[..., frame_positions(count, hop_length, n_fft)] * shape
    is_real = not np.iscomplexobj(frames)
    transform = np.fft.rfft if is_real and onesided is not False else np.fft.fft
    spectra = np.swapaxes(transform(frames, norm="ortho" if normalized else None), -1, -2)
    if return_complex or not is_real:
        return spectra
    return np.stack([spectra.real, spectra.imag], -1)


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
) -> np.ndarray:
    """The signal with these spectra, by overlap and add: `[..., frequencies, frames]` → `[..., samples]`.

    What the windows covered more than once is divided by the sum of their squares.
    """
    x = np.swapaxes(np.asarray(x), -1, -2)
    hop_length = n_fft // 4 if hop_length is None else hop_length
    shape = centered_window(window, n_fft if win_length is None else win_length, n_fft)
    onesided = x.shape[-1] != n_fft if onesided is None else onesided
    norm = "ortho" if normalized else None
    # A real signal is taken from the lower half of a full spectrum, whatever the upper half holds.
    half = x if onesided else x[..., : n_fft // 2 + 1]
    frames = (np.fft.ifft(x, norm=norm) if return_complex else np.fft.irfft(half, n_fft, norm=norm)) * shape
    count = x.shape[-2]
    total = n_fft + hop_length * (count - 1)
    positions = frame_positions(count, hop_length, n_fft)
    signal = np.zeros((*frames.shape[:-2], total), frames.dtype)
    np.add.at(signal, (..., positions), frames)
    cover = np.zeros(total, shape.dtype)
    np.add.at(cover, positions, np.broadcast_to(shape**2, positions.shape))
    start = n_fft // 2 if center else 0
    end = total - start if length is None else start + length
    with np.errstate(divide="ignore", invalid="ignore"):
        result = signal[..., start:end] / cover[start:end]
    missing = 0 if length is None else length - result.shape[-1]
    return np.pad(result, [(0, 0)] * (result.ndim - 1) + [(0, missing)])
