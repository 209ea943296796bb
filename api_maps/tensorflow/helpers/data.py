"""Datasets and loaders as torch has them: items by index, batches stacked into tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf


class Dataset:
    """Items by index: subclasses define `__getitem__` and `__len__`."""

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError


class TensorDataset(Dataset):
    """The rows of several tensors of the same length."""

    def __init__(self, *tensors: tf.Tensor):
        self.tensors = tensors

    def __getitem__(self, index: int) -> tuple[tf.Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset):
    """Some items of another dataset."""

    def __init__(self, dataset: Any, indices: Iterable[int]):
        self.dataset, self.indices = dataset, list(indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_order(length: int, generator: tf.random.Generator | None = None) -> list[int]:
    """The numbers below `length` in a random order."""
    if generator is None:
        return [int(index) for index in tf.random.shuffle(tf.range(length)).numpy()]
    return [int(index) for index in np.argsort(generator.uniform([length]).numpy(), kind="stable")]


def random_split(dataset: Any, lengths: Iterable[int], generator: tf.random.Generator | None = None) -> list[Subset]:
    """Random disjoint subsets of the given lengths."""
    lengths = list(lengths)
    order = random_order(sum(lengths), generator)
    ends = np.cumsum(lengths)
    return [Subset(dataset, order[end - length : end]) for length, end in zip(lengths, ends, strict=True)]


def default_collate(items: list[Any]) -> Any:
    """Items stacked into a batch: tensors and numbers into tensors, tuples and dicts by part."""
    first = items[0]
    if isinstance(first, dict):
        return {key: default_collate([item[key] for item in items]) for key in first}
    if isinstance(first, (tuple, list)):
        return [default_collate(list(part)) for part in zip(*items, strict=True)]
    if isinstance(first, str):
        return items
    if isinstance(first, (bool, int)):
        return tf.constant(items, tf.bool if isinstance(first, bool) else tf.int64)
    return tf.constant(items, tf.float64) if isinstance(first, float) else tf.stack(items)


class DataLoader:
    """Batches of a dataset, in order or shuffled anew for every pass; items are read in this process."""

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = False, sampler: Any = None,
        batch_sampler: Any = None, num_workers: int = 0, collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False, drop_last: bool = False, *, generator: tf.random.Generator | None = None,
    ):  # fmt: skip
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self.sampler, self.batch_sampler, self.drop_last = sampler, batch_sampler, drop_last
        self.num_workers, self.generator = num_workers, generator
        self.collate_fn = default_collate if collate_fn is None else collate_fn

    def __len__(self) -> int:
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        count = len(self.dataset if self.sampler is None else self.sampler)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def groups(self) -> Iterator[list[int]]:
        """The indices of each batch."""
        if self.batch_sampler is not None:
            yield from self.batch_sampler
            return
        if self.sampler is not None:
            order = list(self.sampler)
        else:
            count = len(self.dataset)
            order = random_order(count, self.generator) if self.shuffle else list(range(count))
        for start in range(0, len(order), self.batch_size):
            group = order[start : start + self.batch_size]
            if len(group) == self.batch_size or not self.drop_last:
                yield group

    def __iter__(self) -> Iterator[Any]:
        for group in self.groups():
            yield self.collate_fn([self.dataset[index] for index in group])
