from collections import namedtuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from torch.utils.data import default_collate

from ivy_convert.api_maps.jax.helpers import data

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
    ],
)
def test_collate(items):
    def comparable(value):
        if isinstance(value, torch.Tensor):
            value = value.numpy()
        if isinstance(value, np.ndarray):
            return value.dtype.name, value.tolist()
        if isinstance(value, dict):
            return {k: comparable(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value).__name__, [comparable(v) for v in value]
        return value

    assert comparable(data.collated(items)) == comparable(default_collate(items))


def test_collate_errors():
    with pytest.raises(RuntimeError, match="equal size"):
        data.default_collate([[1], [1, 2]])
    with pytest.raises(TypeError, match="object"):
        data.default_collate([object()])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4, 4, 2]), (True, [4, 4])])
def test_batches(drop_last, sizes, workers):
    loader = data.DataLoader(Squares(10), 4, drop_last=drop_last, num_workers=workers)
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
    loader = data.DataLoader(Squares(3), 2, pin_memory=True, prefetch_factor=2, persistent_workers=True)
    assert len(list(loader)) == 2
    with pytest.raises(TypeError, match="shufle"):
        data.DataLoader(Squares(3), shufle=True)


def test_shuffling_changes_each_round_and_repeats_with_the_generator():
    def rounds(seed):
        loader = data.DataLoader(Squares(20), 5, shuffle=True, generator=nnx.Rngs(seed))
        return [[int(y) for batch in loader for y in batch["y"]] for _ in range(3)]

    first = rounds(0)
    assert all(sorted(order) == [i**2 for i in range(20)] for order in first)
    assert first[0] != first[1] != first[2] and first == rounds(0) and first != rounds(1)


def test_samplers_and_collate_functions():
    dataset = Squares(6)
    assert [b["y"].tolist() for b in data.DataLoader(dataset, 2, sampler=[5, 0, 3])] == [[25, 0], [9]]
    by_batch = data.DataLoader(dataset, batch_sampler=[[0, 1, 2], [5]])
    assert [b["y"].tolist() for b in by_batch] == [[0, 1, 4], [25]] and len(by_batch) == 2
    counted = data.DataLoader(dataset, 4, collate_fn=len)
    assert list(counted) == [4, 2]
    assert [int(item["y"]) for item in data.DataLoader(dataset, None)] == [0, 1, 4, 9, 16, 25]
    with pytest.raises(ValueError, match="mutually exclusive"):
        data.DataLoader(dataset, shuffle=True, sampler=[0])
    assert [b["y"].tolist() for b in data.DataLoader(dataset, 2, sampler=(i for i in (5, 0, 3)))] == [[25, 0], [9]]
    lazily = data.DataLoader(dataset, batch_sampler=([i, i] for i in (5, 0)))
    assert [b["y"].tolist() for b in lazily] == [[25, 25], [0, 0]]
    assert list(data.DataLoader([], 2)) == []


def test_streams():
    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter(range(5))

    assert [b.tolist() for b in data.DataLoader(Stream(), 2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in data.DataLoader(Stream(), 2, drop_last=True)] == [[0, 1], [2, 3]]


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
