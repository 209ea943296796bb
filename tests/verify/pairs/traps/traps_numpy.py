"""A conversion of traps.py with one mistake in every function."""

import math

import numpy as np


def standardise(x):
    centred = x - x.mean(axis=0)
    scale = x.std(axis=0)
    return centred / scale


def attend(x):
    scores = x @ x.T
    weights = np.exp(scores) / np.exp(scores).sum(axis=0, keepdims=True)
    return weights @ x


def frame(image):
    wide = np.pad(image, ((0, 0), (0, 0), (2, 1), (1, 2)))
    return wide * 2


def enlarge(image):
    large = _resize(_resize(image, 9, 2), 11, 3)
    return large - large.mean()


def _resize(image, size, axis):
    """Half-pixel centres, where the original has aligned corners."""
    before = image.shape[axis]
    places = np.clip((np.arange(size) + 0.5) * before / size - 0.5, 0, before - 1)
    low = np.minimum(np.floor(places).astype(int), before - 2)
    part = (places - low).reshape([-1 if at == axis else 1 for at in range(image.ndim)])
    return np.take(image, low, axis) * (1 - part) + np.take(image, low + 1, axis) * part


def flatten(image):
    flat = image.transpose(0, 2, 3, 1).reshape(image.shape[0], -1)
    return np.cumsum(flat, axis=1)


def middle(x):
    level = np.median(x, axis=0)
    return x - level


def narrow(x):
    scaled = (x * 3).astype(np.float16).astype(x.dtype)
    return np.exp(scaled)


def share(x):
    steps = np.round(x * 10)
    whole = steps // 3.0
    return whole / 10


def smooth(x):
    for _ in range(3):
        inner = inside(x)
        x = inner + x
    return x


def inside(x):
    shifted = x - 1
    return 0.5 * shifted * (1 + np.tanh(math.sqrt(2 / math.pi) * (shifted + 0.044715 * shifted**3)))
