"""Datasets and a loader with torch's interface, over Grain's `MapDataset`.

`generator` is an `nnx.Rngs`; without one random orders come from the process's stream.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .generators import key_from, numpy_random


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


def collated(batch: Sequence[Any]) -> Any:
    """Items as one batch: arrays stacked, numbers made an array, dicts and tuples collated entry by entry.

    Strings stay a list. Tuples become lists, as in torch. Arrays are numpy's, and stay in the items' dtype.
    """
    first = batch[0]
    if isinstance(first, (np.ndarray, np.generic, jax.Array, bool, int, float)):
        return np.stack([np.asarray(item) for item in batch])
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, Mapping):
        return {key: collated([item[key] for item in batch]) for key in first}
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(collated(entries) for entries in zip(*batch, strict=True)))
    if isinstance(first, Sequence):
        if any(len(item) != len(first) for item in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        return [collated(entries) for entries in zip(*batch, strict=True)]
    raise TypeError(
        f"default_collate: batch must contain arrays, numbers, dicts or lists; found {type(first).__name__}"
    )


def on_device(batch: Any) -> Any:
    """A batch with its numpy arrays as JAX arrays, in JAX's 32 bits unless jax_enable_x64 is set.

    OverflowError for integers that 32 bits cannot hold.
    """
    return jax.tree.map(lambda leaf: device_array(leaf) if isinstance(leaf, np.ndarray) else leaf, batch)


def device_array(array: np.ndarray) -> jax.Array:
    """A numpy array as a JAX array of the same values."""
    result = jnp.asarray(array)
    if array.dtype.kind in "iu" and array.dtype.itemsize > result.dtype.itemsize and array.size:
        limits = np.iinfo(result.dtype)
        if array.min() < limits.min or array.max() > limits.max:
            raise OverflowError(f"integers of a batch do not fit {result.dtype}; set jax_enable_x64")
    return result


def default_collate(batch: Sequence[Any]) -> Any:
    """A list of items as a batch of JAX arrays: what a `DataLoader` does without `collate_fn`."""
    return on_device(collated(batch))


class DataLoader:
    """Batches of a dataset, in a new order each time through if `shuffle`.

    `num_workers` threads read ahead (0: read when asked). `collate_fn` makes a batch of a list of items; without it
    `default_collate` does. `batch_size=None` gives the items themselves. Each round draws its order from `generator`.
    Accepted and not needed: `pin_memory` and those in `unused`, which are about torch's worker processes.
    """

    unused = frozenset(
        "timeout worker_init_fn multiprocessing_context prefetch_factor persistent_workers pin_memory_device "
        "in_order".split()
    )

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = False,
        sampler: Iterable | None = None,
        batch_sampler: Iterable | None = None,
        num_workers: int = 0,
        collate_fn: Callable | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Any = None,
        **options: Any,
    ):
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if not options.keys() <= self.unused:
            raise TypeError(f"DataLoader: unknown arguments {sorted(options.keys() - self.unused)}")
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, bool(shuffle)
        self.sampler, self.batch_sampler, self.num_workers = sampler, batch_sampler, num_workers
        self.drop_last, self.generator = drop_last, generator
        is_batched = batch_size is not None or batch_sampler is not None
        self.collate_fn = collate_fn or (default_collate if is_batched else on_device)

    def __class_getitem__(cls, item: Any) -> type:
        return cls

    def __len__(self) -> int:
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        count = len(self.sampler if self.sampler is not None else self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset) or not hasattr(self.dataset, "__getitem__"):
            return self.stream(self.dataset)
        chosen = self.batch_sampler if self.batch_sampler is not None else self.sampler
        if chosen is None or isinstance(chosen, Sized):
            return self.ordered(list(range(len(self.dataset)) if chosen is None else chosen))
        if self.batch_sampler is not None:
            return (self.collate_fn([self.dataset[number] for number in numbers]) for numbers in chosen)
        return self.stream(self.dataset[number] for number in chosen)

    def ordered(self, indices: list) -> Iterator[Any]:
        """One round over a dataset with numbered items, read by Grain."""
        import grain

        if not indices:
            return iter(())
        if self.shuffle:
            order = jax.random.permutation(key_from(self.generator), len(indices))
            indices = [indices[place] for place in np.asarray(order)]
        source = grain.MapDataset.source(indices)
        if self.batch_sampler is not None:
            batches = source.map(lambda numbers: self.collate_fn([self.dataset[number] for number in numbers]))
        else:
            batches = source.map(lambda number: self.dataset[number])
            if self.batch_size is not None:
                batches = batches.batch(self.batch_size, drop_remainder=self.drop_last, batch_fn=self.collate_fn)
            else:
                batches = batches.map(self.collate_fn)
        ahead = grain.ReadOptions(num_threads=self.num_workers, prefetch_buffer_size=2 * self.num_workers)
        return iter(batches.to_iter_dataset(ahead))

    def stream(self, source: Iterable) -> Iterator[Any]:
        """One round over items that come one after the other."""
        items: list[Any] = []
        for item in source:
            if self.batch_size is None:
                yield self.collate_fn(item)
                continue
            items.append(item)
            if len(items) == self.batch_size:
                yield self.collate_fn(items)
                items = []
        if items and not self.drop_last:
            yield self.collate_fn(items)
