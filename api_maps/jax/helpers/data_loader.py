"""A loader with torch's interface; Grain's threads read ahead where it has workers."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, NamedTuple

from .data import Dataset, IterableDataset, default_collate, default_convert, stacked_rows
from .generators import numpy_random
from .samplers import BatchSampler, RandomSampler, SequentialSampler


class WorkerInfo(NamedTuple):
    """Which worker of a loader runs, of how many, with its own number for random draws and its own dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


#: What this thread works for.
working = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """The worker that asks; None outside of workers."""
    return getattr(working, "info", None)


class DataLoader:
    """Batches of a dataset, in a new order each time through if `shuffle`.

    `collate_fn` makes a batch of a list of items; without it `default_collate` does. `batch_size=None` gives the
    items themselves. Each round draws its order from `generator`. With `num_workers` that many threads read ahead,
    in the order of the sampler. As with torch's processes each has a copy of the dataset, on which attributes can be
    set (an open file, for instance); what the attributes hold is shared. A dataset that can only be gone through is
    gone through by every worker, one batch of each in turn. Accepted and not needed: what is `unused`.
    """

    unused = frozenset(
        "timeout multiprocessing_context prefetch_factor persistent_workers pin_memory_device in_order".split()
    )

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable | None = None,
        batch_sampler: Iterable | None = None,
        num_workers: int = 0,
        collate_fn: Callable | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        worker_init_fn: Callable[[int], Any] | None = None,
        generator: Any = None,
        **options: Any,
    ):
        if not options.keys() <= self.unused:
            raise TypeError(f"DataLoader: unknown arguments {sorted(options.keys() - self.unused)}")
        if num_workers < 0:
            raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable it")
        self.is_stream = isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__")
        if self.is_stream and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("DataLoader with an IterableDataset expects neither shuffle nor a sampler")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError("batch_sampler is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
        if batch_sampler is None and batch_size is None and drop_last:
            raise ValueError("batch_size=None disables auto-batching and is mutually exclusive with drop_last")
        self.dataset, self.num_workers, self.generator = dataset, num_workers, generator
        self.pin_memory, self.worker_init_fn = pin_memory, worker_init_fn
        if sampler is None and not self.is_stream:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None and not self.is_stream:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)  # type: ignore[arg-type]
        self.batch_size, self.drop_last = batch_size, drop_last
        self.sampler, self.batch_sampler = sampler, batch_sampler
        is_batched = batch_size is not None or batch_sampler is not None
        self.collate_fn = collate_fn or (default_collate if is_batched else default_convert)

    def __class_getitem__(cls, item: Any) -> type:
        return cls

    def __len__(self) -> int:
        if not self.is_stream:
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]
        count = len(self.dataset)
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        if self.is_stream:
            return self.streams() if self.num_workers else self.stream(self.dataset)
        chosen = self.sampler if self.batch_sampler is None else self.batch_sampler
        if self.num_workers and isinstance(chosen, Sized):
            return self.read_ahead(list(chosen))  # type: ignore[call-overload]
        return (self.fetch(self.dataset, numbers) for numbers in chosen)  # type: ignore[union-attr]

    def fetch(self, dataset: Any, numbers: Any) -> Any:
        """One batch, or one item where there is no batching."""
        if self.batch_sampler is None:
            return self.collate_fn(dataset[numbers])
        numbers = list(numbers)
        rows = stacked_rows(dataset, numbers) if self.collate_fn is default_collate else None
        if rows is not None:
            return rows
        if hasattr(dataset, "__getitems__"):
            return self.collate_fn(dataset.__getitems__(numbers))
        return self.collate_fn([dataset[number] for number in numbers])

    def read_ahead(self, chosen: list) -> Iterator[Any]:
        """One round over a dataset with numbered items, read by Grain's threads."""
        import grain

        if not chosen:
            return iter(())
        workers, seed = itertools.count(), self.worker_seed()
        infos = threading.local()

        def batch(numbers: Any) -> Any:
            if not hasattr(infos, "own"):
                infos.own = self.new_worker(next(workers), seed)
            working.info = infos.own
            try:
                return self.fetch(infos.own.dataset, numbers)
            finally:
                working.info = None

        ahead = grain.ReadOptions(num_threads=self.num_workers, prefetch_buffer_size=2 * self.num_workers)
        return iter(grain.MapDataset.source(chosen).map(batch).to_iter_dataset(ahead))

    def worker_seed(self) -> int:
        """A number that differs from round to round, for what workers draw."""
        return int(numpy_random(self.generator).integers(2**31))

    def new_worker(self, number: int, seed: int) -> WorkerInfo:
        """A worker with its own copy of the dataset, for which `worker_init_fn` has been called."""
        number %= self.num_workers  # A thread that ends is replaced by another.
        info = WorkerInfo(number, self.num_workers, seed + number, own_copy(self.dataset))
        if self.worker_init_fn is not None:
            before, working.info = get_worker_info(), info
            try:
                self.worker_init_fn(number)
            finally:
                working.info = before
        return info

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

    def streams(self) -> Iterator[Any]:
        """One round in which every worker goes through its copy of the dataset: a batch of each in turn."""
        seed = self.worker_seed()
        infos = [self.new_worker(number, seed) for number in range(self.num_workers)]
        running = [(info, self.stream(on_first_use(info.dataset))) for info in infos]
        while running:
            for worker in list(running):
                info, batches = worker
                before, working.info = get_worker_info(), info
                try:
                    batch = next(batches)
                except StopIteration:
                    running.remove(worker)
                    continue
                finally:
                    working.info = before
                yield batch


def on_first_use(dataset: Iterable) -> Iterator[Any]:
    """The items of a dataset, whose iterator is made when the first is asked for, by the worker that asks."""
    yield from dataset


def own_copy(dataset: Any) -> Any:
    """A copy on which attributes can be set, also of the datasets inside; what other attributes hold is shared."""
    kind = type(dataset)
    if not hasattr(dataset, "__dict__") or any("__slots__" in vars(base) for base in kind.__mro__):
        return dataset
    try:
        result = object.__new__(kind)  # Not copy.copy, which asks objects that hand on unknown attributes.
    except TypeError:
        return dataset
    for name, value in vars(dataset).items():
        if isinstance(value, Dataset):
            value = own_copy(value)
        elif type(value) in (list, tuple) and value and all(isinstance(entry, Dataset) for entry in value):
            value = type(value)(own_copy(entry) for entry in value)
        vars(result)[name] = value
    return result
