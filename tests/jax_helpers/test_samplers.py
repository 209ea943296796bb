import numpy as np
import pytest
import torch.utils.data as torch_data
from flax import nnx
from torch.utils.data.distributed import DistributedSampler

from ivy_convert.api_maps.jax.helpers import samplers


@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_of_a_sampler(drop_last):
    ours = samplers.BatchSampler(samplers.SequentialSampler(range(7)), 3, drop_last)
    theirs = torch_data.BatchSampler(torch_data.SequentialSampler(range(7)), 3, drop_last)
    assert list(ours) == list(theirs) and len(ours) == len(theirs)


@pytest.mark.parametrize(("replacement", "count"), [(False, None), (False, 12), (True, 30)])
def test_random_sampler(replacement, count):
    sampler = samplers.RandomSampler(range(5), replacement, count, nnx.Rngs(0))
    first, second = list(sampler), list(sampler)
    assert len(first) == len(sampler) == (count or 5) and first != second and set(first) == set(range(5))
    assert replacement or sorted(first[:5]) == list(range(5))


def test_weights_and_subsets():
    drawn = list(samplers.WeightedRandomSampler([0, 1, 3], 4000, generator=nnx.Rngs(0)))
    assert 0 not in drawn and abs(drawn.count(2) / 4000 - 0.75) < 0.03
    sampler = samplers.SubsetRandomSampler(np.array([4, 2, 9]))
    assert sorted(sampler) == [2, 4, 9] and len(sampler) == 3


@pytest.mark.parametrize("drop_last", [False, True])
def test_shares_of_processes(drop_last):
    for rank in range(3):
        ours = samplers.DistributedSampler(range(10), 3, rank, shuffle=False, drop_last=drop_last)
        theirs = DistributedSampler(range(10), 3, rank, shuffle=False, drop_last=drop_last)
        assert list(ours) == list(theirs) and len(ours) == len(theirs)
    sampler = samplers.DistributedSampler(range(10), 1, 0)
    first = list(sampler)
    sampler.set_epoch(1)
    assert sorted(first) == list(range(10)) and list(sampler) != first
