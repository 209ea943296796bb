"""One stream of random numbers for both sides, so that programs that draw can be compared number by number.

While a program runs, each side's random functions are replaced by draws from here. A draw depends only on its
kind, its shape and how many draws of that kind and shape came before, not on the framework's generator. Both
sides then see the same numbers as long as they draw the same things in the same order of each shape.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np


class NoiseStream:
    """Draws in double precision; `log` lists what was drawn, for the remark that two sides drew differently.

    jitter: the relative size of a further disturbance of every real number drawn, which shows how a program amplifies
    rounding.
    """

    def __init__(self, seed: int = 0, jitter: float = 0.0):
        self.seed, self.jitter = seed, jitter
        self.counts: Counter[tuple[str, tuple[int, ...]]] = Counter()

    def restart(self) -> None:
        """Begin again from the first draw."""
        self.counts.clear()

    @property
    def log(self) -> dict[str, int]:
        """Number of draws by kind and shape, for instance `normal[4, 8]`."""
        return {f"{kind}{list(shape)}": count for (kind, shape), count in sorted(self.counts.items())}

    def _generator(self, kind: str, shape: Sequence[int]) -> np.random.Generator:
        key = (kind, tuple(int(size) for size in shape))
        self.counts[key] += 1
        return np.random.default_rng([self.seed, zlib.crc32(kind.encode()), self.counts[key], *key[1]])

    def uniform(self, shape: Sequence[int]) -> np.ndarray:
        """Numbers in [0, 1)."""
        # 24 bits, so that rounding to single precision never gives 1
        bits = self._generator("uniform", shape).integers(0, 2**24, tuple(shape))
        return np.minimum(self._disturbed(np.asarray((bits + 0.5) / 2**24)), 1 - 2**-25)

    def normal(self, shape: Sequence[int]) -> np.ndarray:
        """Standard normal numbers."""
        return self._disturbed(np.asarray(self._generator("normal", shape).standard_normal(tuple(shape))))

    def _disturbed(self, drawn: np.ndarray) -> np.ndarray:
        if not self.jitter:
            return drawn
        signs = np.random.default_rng([self.seed + 1, sum(self.counts.values())]).choice((-1.0, 1.0), drawn.shape)
        return np.asarray(drawn * (1 + self.jitter * signs))

    def exponential(self, shape: Sequence[int]) -> np.ndarray:
        """Exponentially distributed numbers of rate 1."""
        return -np.log1p(-self.uniform(shape))

    def integers(self, low: int, high: int, shape: Sequence[int]) -> np.ndarray:
        """Integers in [low, high)."""
        return np.asarray(self._generator("integers", shape).integers(low, high, tuple(shape)))

    def permutation(self, count: int) -> np.ndarray:
        """The numbers 0 to count - 1 in random order."""
        return self._generator("permutation", (count,)).permutation(count)

    def categorical(self, log_probabilities: np.ndarray, samples: int, replacement: bool) -> np.ndarray:
        """Indices along the last axis, `samples` of them for each row: [..., samples]."""
        shape = log_probabilities.shape
        if not replacement or samples == 1:
            noisy = log_probabilities - np.log(self.exponential(shape))
            return np.argsort(-noisy, axis=-1)[..., :samples]
        draws = [log_probabilities - np.log(self.exponential(shape)) for _ in range(samples)]
        return np.stack([noisy.argmax(axis=-1) for noisy in draws], axis=-1)


def fixed_normal(index: int, shape: Sequence[int], seed: int = 0) -> np.ndarray:
    """Numbers that both sides agree on without talking: output weights, training targets."""
    return np.asarray(np.random.default_rng([seed, index, *shape]).standard_normal(tuple(shape)))
