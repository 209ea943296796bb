"""Datasets with torch's interface, and batches of their items.

`generator` is an `nnx.Rngs`; without one random orders come from the process's stream.
"""

from __future__ import annotations

import bisect
import copy
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .generators import numpy_random


class Dataset:
    """Base of datasets: `len(dataset)` items by number. Any sequence will do as well."""

    def __class_getitem__(cls, item: Any) -> type:
        return cls

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Base of datasets that can only be gone through."""

    def __iter__(self) -> Iterator:
        raise NotImplementedError


class TensorDataset(Dataset):
    """Items are tuples of the arrays' entries along their first axis, which must be equally long."""

    def __init__(self, *tensors: Any):
        if any(len(tensor) != len(tensors[0]) for tensor in tensors):
            raise ValueError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: int) -> tuple:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset):
    """The items of `dataset` at `indices`."""

    def __init__(self, dataset: Any, indices: Sequence[int]):
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset):
    """The items of several datasets, one after the other."""

    def __init__(self, datasets: Iterable):
        self.datasets = list(datasets)
        self.cumulative_sizes = [int(total) for total in np.cumsum([len(dataset) for dataset in self.datasets])]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError("dataset index out of range")
        number = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[number][index - (self.cumulative_sizes[number - 1] if number else 0)]


class StackDataset(Dataset):
    """Items are tuples, or by keywords dicts, of the items of several equally long datasets."""

    def __init__(self, *args: Any, **kwargs: Any):
        if bool(args) == bool(kwargs):
            raise ValueError("StackDataset takes either datasets or datasets by name")
        self.datasets: Any = kwargs or args
        lengths = {len(dataset) for dataset in (kwargs.values() if kwargs else args)}
        if len(lengths) > 1:
            raise ValueError("Size mismatch between datasets")
        self.length = lengths.pop()

    def __getitem__(self, index: int) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __len__(self) -> int:
        return self.length


class ChainDataset(IterableDataset):
    """Datasets that can only be gone through, one after the other."""

    def __init__(self, datasets: Iterable):
        self.datasets = datasets

    def __iter__(self) -> Iterator:
        return itertools.chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self.datasets)


def random_split(dataset: Any, lengths: Sequence[int | float], generator: Any = None) -> list[Subset]:
    """`dataset` divided at random into parts of the given lengths, or fractions that add up to 1."""
    total = len(dataset)
    sizes = [int(length) for length in lengths]
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        sizes = [math.floor(total * fraction) for fraction in lengths]
        for extra in range(total - sum(sizes)):
            sizes[extra % len(sizes)] += 1
    if sum(sizes) != total:
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    order = numpy_random(generator).permutation(total).tolist()
    ends = np.cumsum(sizes).tolist()
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def default_collate(batch: Sequence[Any]) -> Any:
    """A list of items as a batch of JAX arrays: what a `DataLoader` does without `collate_fn`.

    Arrays are stacked, numbers become an array, mappings and sequences are collated entry by entry and keep their
    class and order; tuples become lists, as in torch. Strings stay a list.
    """
    first = batch[0]
    if isinstance(first, (np.ndarray, np.generic, jax.Array, bool, int, float)):
        return device_array(np.stack([np.asarray(item) for item in batch]))
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, Mapping):
        return like_mapping(first, {key: default_collate([item[key] for item in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(entries) for entries in zip(*batch, strict=True)))
    if isinstance(first, Sequence):
        if any(len(item) != len(first) for item in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        return like_sequence(first, [default_collate(entries) for entries in zip(*batch, strict=True)])
    raise TypeError(
        f"default_collate: batch must contain arrays, numbers, dicts or lists; found {type(first).__name__}"
    )


def default_convert(data: Any) -> Any:
    """An item with its numpy arrays as JAX arrays: what a `DataLoader` does to items with `batch_size=None`."""
    if isinstance(data, (np.ndarray, np.generic)):
        return data if data.dtype.kind in "SU" else device_array(np.asarray(data))
    if isinstance(data, Mapping):
        return like_mapping(data, {key: default_convert(entry) for key, entry in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(entry) for entry in data))
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return like_sequence(data, [default_convert(entry) for entry in data])
    return data


def like_mapping(original: Mapping, entries: dict) -> Any:
    """New entries in a mapping of the class of `original`, or in a dict where that cannot be made."""
    try:
        if isinstance(original, MutableMapping):
            result = copy.copy(original)
            result.update(entries)
            return result
        return type(original)(entries)  # type: ignore[call-arg]
    except TypeError:
        return entries


def like_sequence(original: Sequence, entries: list) -> Any:
    """New entries in a sequence of the class of `original`; a list for tuples and where that cannot be made."""
    if isinstance(original, (tuple, list)) and type(original) in (tuple, list):
        return entries
    try:
        if isinstance(original, MutableSequence):
            result = copy.copy(original)
            for place, entry in enumerate(entries):
                result[place] = entry
            return result
        return entries if isinstance(original, tuple) else type(original)(entries)  # type: ignore[call-arg]
    except TypeError:
        return entries


def device_array(array: np.ndarray) -> jax.Array:
    """A numpy array as a JAX array of the same values, in JAX's 32 bits unless jax_enable_x64 is set.

    OverflowError for integers that 32 bits cannot hold.
    """
    result = jnp.asarray(array)
    if array.dtype.kind in "iu" and array.dtype.itemsize > result.dtype.itemsize and array.size:
        limits = np.iinfo(result.dtype)
        if array.min() < limits.min or array.max() > limits.max:
            raise OverflowError(f"integers of a batch do not fit {result.dtype}; set jax_enable_x64")
    return result


def stacked_rows(dataset: Any, numbers: list[int]) -> list[jax.Array] | None:
    """The batch that `default_collate` makes of a `TensorDataset`'s items, at once; None for other datasets."""
    while type(dataset) is Subset:
        numbers, dataset = [dataset.indices[number] for number in numbers], dataset.dataset
    if type(dataset) is not TensorDataset or not all(isinstance(t, (np.ndarray, jax.Array)) for t in dataset.tensors):
        return None
    chosen = np.asarray(numbers)
    return [device_array(np.asarray(tensor)[chosen]) for tensor in dataset.tensors]
