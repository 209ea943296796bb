"""Histograms with torch's arguments and names of results."""

from typing import NamedTuple

import numpy as np


class Histogram(NamedTuple):
    """Counts, or weights, or densities, and the edges of the bins."""

    hist: np.ndarray
    bin_edges: np.ndarray


def histogram(x, bins, range=None, weight=None, density: bool = False) -> Histogram:
    """How many entries of `x` lie in each of `bins` equal parts of `range` (None: from smallest to largest).

    `bins` may also be the edges themselves. The last bin includes its upper end. The counts have the dtype of `x`.
    """
    x = np.asarray(x)
    counts, edges = np.histogram(x, bins, range, density, weight)
    return Histogram(counts.astype(x.dtype), edges.astype(x.dtype))


class HistogramOfPoints(NamedTuple):
    """Counts, or weights, or densities, and the edges of the bins along each coordinate."""

    hist: np.ndarray
    bin_edges: tuple[np.ndarray, ...]


def histogramdd(x, bins, range=None, weight=None, density: bool = False) -> HistogramOfPoints:
    """How many of the points `[..., d]` lie in each cell of a grid.

    `bins` gives the number of bins along each coordinate, or one for all, or their edges; `range` lists lower and
    upper ends in turn.
    """
    x = np.asarray(x)
    points = x.reshape(-1, x.shape[-1])
    bins = list(bins) if isinstance(bins, tuple) else bins
    ends = None if range is None else list(zip(range[::2], range[1::2], strict=True))
    weights = None if weight is None else np.ravel(weight)
    counts, edges = np.histogramdd(points, bins, ends, density, weights)
    return HistogramOfPoints(counts.astype(x.dtype), tuple(edge.astype(x.dtype) for edge in edges))
