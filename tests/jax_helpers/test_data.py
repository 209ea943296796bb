import subprocess
import sys
from collections import OrderedDict, UserList, namedtuple
from collections.abc import Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from torch.utils import data as torch_data

from ivy_convert.api_maps.jax.helpers import data, data_loader, samplers

Pair = namedtuple("Pair", "x y")


class Squares(data.Dataset):
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return {"x": np.full(3, index, np.float32), "y": index**2, "name": f"n{index}"}


@pytest.mark.parametrize(
    "items",
    [
        [1, 2, 3],
        [1.5, 2.5],
        [True, False],
        [np.float32(1), np.float32(2)],
        [np.ones((2, 3)), np.zeros((2, 3))],
        [(np.ones(2), 1), (np.zeros(2), 0)],
        [{"a": 1, "b": [1, 2]}, {"a": 2, "b": [3, 4]}],
        ["a", "b"],
        [Pair(1, np.ones(2)), Pair(2, np.zeros(2))],
        [{"z": 1, "a": 2.5}, {"z": 3, "a": 4.5}],
        [OrderedDict(z=1, a=2), OrderedDict(z=3, a=4)],
        [MappingProxyType({"z": 1}), MappingProxyType({"z": 2})],
        [UserList([1, 2]), UserList([3, 4])],
    ],
)
def test_collate(items):
    assert comparable(data.default_collate(items)) == comparable(torch_data.default_collate(items))


class Words(UserList):
    """A sequence that is no list."""


@pytest.mark.parametrize(
    "item",
    [
        {"b": np.ones(2), "a": (1, "x")},
        (np.ones(2), np.float32(3), 5, None),
        Pair(np.ones(1), "y"),
        OrderedDict(z=np.zeros(1), y=2),
        [np.array(["text"]), b"bytes"],
        Words([np.ones(2), 3]),
    ],
)
def test_convert(item):
    assert comparable(data.default_convert(item)) == comparable(torch_data.default_convert(item))


def comparable(value):
    """Arrays of either library by kind and entries, with the order and the classes of what holds them."""
    if isinstance(value, (torch.Tensor, jax.Array)):
        array = np.asarray(value)
        return array.dtype.kind, array.tolist()
    if isinstance(value, Mapping):
        return type(value).__name__, [(k, comparable(v)) for k, v in value.items()]
    if isinstance(value, (list, tuple, UserList)):
        return type(value).__name__, [comparable(v) for v in value]
    return value


def test_collate_errors():
    with pytest.raises(RuntimeError, match="equal size"):
        data.default_collate([[1], [1, 2]])
    with pytest.raises(TypeError, match="object"):
        data.default_collate([object()])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4, 4, 2]), (True, [4, 4])])
def test_batches(drop_last, sizes, workers):
    loader = data_loader.DataLoader(Squares(10), 4, drop_last=drop_last, num_workers=workers)
    batches = list(loader)
    assert [len(batch["y"]) for batch in batches] == sizes and len(loader) == len(sizes)
    assert isinstance(batches[0]["x"], jax.Array) and batches[0]["x"].shape == (4, 3)
    assert batches[1]["y"].tolist() == [16, 25, 36, 49] and batches[0]["name"] == ["n0", "n1", "n2", "n3"]


def test_default_collate_gives_jax_arrays():
    batch = data.default_collate([(1.5, 2, np.ones(2)), (2.5, 3, np.zeros(2))])
    assert [part.dtype.name for part in batch] == ["float32", "int32", "float32"] and batch[2].shape == (2, 2)
    assert all(isinstance(part, jax.Array) for part in batch)
    with pytest.raises(OverflowError, match="x64"):
        data.default_collate([2**40, 1])


def test_arguments_about_worker_processes_are_accepted():
    loader = data_loader.DataLoader(Squares(3), 2, pin_memory=True, prefetch_factor=2, persistent_workers=True)
    assert len(list(loader)) == 2
    with pytest.raises(TypeError, match="shufle"):
        data_loader.DataLoader(Squares(3), shufle=True)


def test_shuffling_changes_each_round_and_repeats_with_the_generator():
    def rounds(seed):
        loader = data_loader.DataLoader(Squares(20), 5, shuffle=True, generator=nnx.Rngs(seed))
        return [[int(y) for batch in loader for y in batch["y"]] for _ in range(3)]

    first = rounds(0)
    assert all(sorted(order) == [i**2 for i in range(20)] for order in first)
    assert first[0] != first[1] != first[2] and first == rounds(0) and first != rounds(1)


def test_samplers_and_collate_functions():
    dataset = Squares(6)
    assert [b["y"].tolist() for b in data_loader.DataLoader(dataset, 2, sampler=[5, 0, 3])] == [[25, 0], [9]]
    by_batch = data_loader.DataLoader(dataset, batch_sampler=[[0, 1, 2], [5]])
    assert [b["y"].tolist() for b in by_batch] == [[0, 1, 4], [25]] and len(by_batch) == 2
    counted = data_loader.DataLoader(dataset, 4, collate_fn=len)
    assert list(counted) == [4, 2]
    assert [int(item["y"]) for item in data_loader.DataLoader(dataset, None)] == [0, 1, 4, 9, 16, 25]
    with pytest.raises(ValueError, match="mutually exclusive"):
        data_loader.DataLoader(dataset, shuffle=True, sampler=[0])
    assert [b["y"].tolist() for b in data_loader.DataLoader(dataset, 2, sampler=(i for i in (5, 0, 3)))] == [[25, 0], [9]]
    lazily = data_loader.DataLoader(dataset, batch_sampler=([i, i] for i in (5, 0)))
    assert [b["y"].tolist() for b in lazily] == [[25, 25], [0, 0]]
    assert list(data_loader.DataLoader([], 2)) == []


def test_streams():
    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter(range(5))

    assert [b.tolist() for b in data_loader.DataLoader(Stream(), 2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in data_loader.DataLoader(Stream(), 2, drop_last=True)] == [[0, 1], [2, 3]]


def test_datasets():
    pairs = data.TensorDataset(jnp.arange(5), np.arange(5) * 2)
    assert len(pairs) == 5 and [int(v) for v in pairs[3]] == [3, 6]
    with pytest.raises(ValueError, match="Size mismatch"):
        data.TensorDataset(np.ones(2), np.ones(3))
    both = data.ConcatDataset([Squares(3), Squares(4)])
    assert len(both) == 7 and both[3]["y"] == 0 and both[-1]["y"] == 9 and len(Squares(2) + Squares(1)) == 3
    assert list(data.ChainDataset([range(2), range(3)])) == [0, 1, 0, 1, 2] and data.Dataset[int] is data.Dataset
    parts = data.random_split(Squares(10), [0.75, 0.25], nnx.Rngs(1))
    assert [len(part) for part in parts] == [8, 2]
    assert sorted(part[i]["y"] for part in parts for i in range(len(part))) == [i**2 for i in range(10)]
    with pytest.raises(ValueError, match="Sum of input lengths"):
        data.random_split(Squares(10), [5, 4])


@pytest.mark.parametrize("workers", [0, 3])
def test_what_a_loader_says_of_itself(workers):
    loader = data_loader.DataLoader(Squares(10), 4, shuffle=True, num_workers=workers)
    assert len(loader.sampler) == 10 and loader.batch_size == 4 and len(loader.batch_sampler) == 3
    assert isinstance(loader.sampler, samplers.RandomSampler) and loader.num_workers == workers
    assert isinstance(data_loader.DataLoader(Squares(10)).sampler, samplers.SequentialSampler)
    assert data_loader.DataLoader(Squares(4), batch_sampler=[[0]]).batch_size is None


@pytest.mark.parametrize(
    "options",
    [
        {"batch_sampler": [[0]], "batch_size": 2},
        {"batch_sampler": [[0]], "drop_last": True},
        {"batch_size": None, "drop_last": True},
        {"num_workers": -1},
        {"sampler": [0], "shuffle": True},
    ],
)
def test_options_that_exclude_each_other(options):
    for module, dataset in ((data_loader, Squares(3)), (torch_data, [1, 2, 3])):
        with pytest.raises(ValueError, match=r"exclusive|non-negative"):
            module.DataLoader(dataset, **options)


@pytest.mark.parametrize("base", [data, torch_data])
def test_a_stream_takes_no_order(base):
    class Stream(base.IterableDataset):
        def __iter__(self):
            return iter(range(5))

    for options in ({"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}):
        with pytest.raises(ValueError, match="IterableDataset"):
            (data_loader if base is data else torch_data).DataLoader(Stream(), **options)


STREAMS = """
class Stream(IterableDataset):
    def __init__(self, count, splits):
        self.count, self.splits = count, splits

    def __iter__(self):
        info = get_worker_info()
        step, first = (info.num_workers, info.id) if self.splits and info is not None else (1, 0)
        return iter(range(first, self.count, step))


def batches():
    cases = [(10, 2, False), (11, 3, False), (11, 3, True), (7, None, False)]
    loaders = [
        DataLoader(Stream(count, splits), batch_size=size, num_workers=3, drop_last=drop_last)
        for count, size, drop_last in cases for splits in (True, False)
    ]
    return [[getattr(batch, "tolist", lambda: batch)() for batch in loader] for loader in loaders]
"""


def test_workers_go_through_streams_as_in_torch():
    # In a process of its own, since torch forks its workers and JAX has threads.
    code = f"from torch.utils.data import *\n{STREAMS}\nprint(batches())"
    theirs = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    space = {**vars(data), **vars(data_loader)}
    exec(STREAMS, space)
    assert str(space["batches"]()) == theirs.stdout.strip() and len(theirs.stdout) > 400
    assert data_loader.get_worker_info() is None


def test_workers_have_datasets_of_their_own():
    class Lazy(data.Dataset):
        opened = None

        def __len__(self):
            return 40

        def __getitem__(self, index):
            info = data_loader.get_worker_info()
            if self.opened is None:
                self.opened = info.id
            return index, self.opened, info.id, info.num_workers, int(info.dataset.dataset is self)

    started = []
    dataset = data.Subset(Lazy(), range(40))
    loader = data_loader.DataLoader(dataset, 2, num_workers=3, worker_init_fn=started.append)
    for _ in range(2):
        rows = np.concatenate([np.stack(batch, 1) for batch in loader])
        assert rows[:, 0].tolist() == list(range(40))
        assert (rows[:, 1] == rows[:, 2]).all() and (rows[:, 3:] == [3, 1]).all()
    assert dataset.dataset.opened is None and set(started) <= {0, 1, 2} and data_loader.get_worker_info() is None


def test_copies_for_workers():
    class Slotted(data.Dataset):
        __slots__ = ("a",)

    class Handing(data.Dataset):
        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

    slotted, handing = Slotted(), Handing(Squares(3))
    assert data_loader.own_copy(slotted) is slotted
    copied = data_loader.own_copy(handing)
    assert copied is not handing and copied.inner is not handing.inner and copied.length == 3


def test_batches_at_once():
    class Many(Squares):
        def __getitems__(self, numbers):
            return [-number for number in numbers]

    assert [b.tolist() for b in data_loader.DataLoader(Many(3), 2)] == [[0, -1], [-2]]
    x, y = jnp.arange(12.0).reshape(6, 2), np.arange(6) * 10
    dataset = data.Subset(data.TensorDataset(x, y), [4, 1, 5])
    for made in (dataset, data.Subset(dataset, [2, 0])):
        (batch,) = data_loader.DataLoader(made, 8)
        one_by_one = data.default_collate([made[number] for number in range(len(made))])
        assert comparable(batch) == comparable(one_by_one)
        assert [b.dtype for b in batch] == [b.dtype for b in one_by_one]


def test_stacked_datasets():
    for library in (data, torch_data):
        both = library.StackDataset([1, 2], [3, 4])
        named = library.StackDataset(a=[1, 2], b=[3, 4])
        assert both[1] == (2, 4) and named[0] == {"a": 1, "b": 3} and len(both) == len(named) == 2
        with pytest.raises(ValueError, match="Size mismatch"):
            library.StackDataset([1], [1, 2])
        with pytest.raises(ValueError):
            library.StackDataset()
