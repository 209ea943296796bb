"""Datasets and a loader with torch's interface, over Grain's `MapDataset`."""

import bisect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


class Dataset:
    """Base of datasets: `len(dataset)` items by number. Any sequence will do as well."""

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def __add__(self, other: Any) -> "ConcatDataset":
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


def random_split(dataset: Any, lengths: Sequence[int | float], *, seed: int = 0) -> list[Subset]:
    """`dataset` divided at random into parts of the given lengths, or fractions that add up to 1."""
    total = len(dataset)
    sizes = [int(length) for length in lengths]
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        sizes = [math.floor(total * fraction) for fraction in lengths]
        for extra in range(total - sum(sizes)):
            sizes[extra % len(sizes)] += 1
    if sum(sizes) != total:
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    order = np.random.default_rng(seed).permutation(total).tolist()
    ends = np.cumsum(sizes).tolist()
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


class WeightedRandomSampler:
    """`num_samples` indices a round, drawn with probabilities proportional to `weights`."""

    def __init__(self, weights: Sequence[float], num_samples: int, replacement: bool = True, *, seed: int = 0):
        self.weights = np.asarray(weights, float)
        self.num_samples, self.replacement = num_samples, replacement
        self.random = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[int]:
        shares = self.weights / self.weights.sum()
        return iter(self.random.choice(len(shares), self.num_samples, self.replacement, shares).tolist())

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler:
    """The given indices in a new random order each round."""

    def __init__(self, indices: Sequence[int], *, seed: int = 0):
        self.indices = list(indices)
        self.random = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[int]:
        return iter(self.random.permutation(self.indices).tolist())

    def __len__(self) -> int:
        return len(self.indices)


def default_collate(batch: Sequence[Any]) -> Any:
    """Items as one batch: arrays stacked, numbers made an array, dicts and tuples collated entry by entry.

    Strings stay a list. Tuples become lists, as in torch. Arrays are numpy's, and stay in the items' dtype.
    """
    first = batch[0]
    if isinstance(first, (np.ndarray, np.generic, jax.Array, bool, int, float)):
        return np.stack([np.asarray(item) for item in batch])
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, Mapping):
        return {key: default_collate([item[key] for item in batch]) for key in first}
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(entries) for entries in zip(*batch, strict=True)))
    if isinstance(first, Sequence):
        if any(len(item) != len(first) for item in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        return [default_collate(entries) for entries in zip(*batch, strict=True)]
    raise TypeError(
        f"default_collate: batch must contain arrays, numbers, dicts or lists; found {type(first).__name__}"
    )


def on_device(batch: Any) -> Any:
    """A batch with its numpy arrays as JAX arrays."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, batch)


class DataLoader:
    """Batches of a dataset, in a new order each time through if `shuffle`.

    `num_workers` threads read ahead (0: read when asked). `collate_fn` makes a batch of a list of items; without it
    `default_collate` does, and arrays become JAX arrays. `batch_size=None` gives the items themselves. The order of
    round n follows from `seed` and n.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool = False,
        sampler: Iterable | None = None,
        batch_sampler: Iterable | None = None,
        num_workers: int = 0,
        collate_fn: Callable | None = None,
        drop_last: bool = False,
        *,
        seed: int = 0,
    ):
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, bool(shuffle)
        self.sampler, self.batch_sampler, self.num_workers = sampler, batch_sampler, num_workers
        self.collate_fn, self.drop_last, self.seed = collate_fn, drop_last, seed
        self.rounds = 0

    def collate(self, items: Sequence[Any]) -> Any:
        """A list of items as a batch."""
        return self.collate_fn(items) if self.collate_fn is not None else on_device(default_collate(items))

    def __len__(self) -> int:
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        count = len(self.sampler if self.sampler is not None else self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset) or not hasattr(self.dataset, "__getitem__"):
            return self.stream()
        self.rounds += 1
        return self.ordered()

    def ordered(self) -> Iterator[Any]:
        """One round over a dataset with numbered items, read by Grain."""
        import grain

        chosen = self.batch_sampler if self.batch_sampler is not None else self.sampler
        indices = list(range(len(self.dataset)) if chosen is None else chosen)
        if not indices:
            return
        source = grain.MapDataset.source(indices)
        if self.shuffle:
            source = source.shuffle(seed=(self.seed * 1_000_003 + self.rounds) % 2**32)
        if self.batch_sampler is not None:
            batches = source.map(lambda numbers: self.collate([self.dataset[number] for number in numbers]))
        else:
            batches = source.map(lambda number: self.dataset[int(number)])
            if self.batch_size is not None:
                batches = batches.batch(self.batch_size, drop_remainder=self.drop_last, batch_fn=self.collate)
            else:
                batches = batches.map(self.collate_fn or on_device)
        ahead = grain.ReadOptions(num_threads=self.num_workers, prefetch_buffer_size=2 * self.num_workers)
        yield from batches.to_iter_dataset(ahead)

    def stream(self) -> Iterator[Any]:
        """One round over a dataset that can only be gone through."""
        items: list[Any] = []
        for item in self.dataset:
            if self.batch_size is None:
                yield (self.collate_fn or on_device)(item)
                continue
            items.append(item)
            if len(items) == self.batch_size:
                yield self.collate(items)
                items = []
        if items and not self.drop_last:
            yield self.collate(items)
