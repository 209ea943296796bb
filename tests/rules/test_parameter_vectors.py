"""Parameters as one vector and back: the same numbers as torch's."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from flax import nnx

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import converted, original, transfer

CODE = """
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 2), nn.Linear(2, 1, bias=False)

    def forward(self, x):
        return self.second(self.first(x))


def halved(net: Net):
    vector = parameters_to_vector(net.parameters())
    vector_to_parameters(vector / 2, net.parameters())
    return vector, parameters_to_vector(net.parameters()), net.first.bias
"""


def test_vectors() -> None:
    theirs, ours = original(CODE), converted(CODE)[0]
    net, copy = theirs["Net"](), ours["Net"](rngs=nnx.Rngs(0))
    transfer(net, copy)
    before = net.first.bias.detach().numpy().copy()
    expected = [part.detach().numpy() for part in theirs["halved"](net)]
    for part, known in zip(ours["halved"](copy), expected, strict=True):
        np.testing.assert_array_equal(np.asarray(part), known)
    np.testing.assert_array_equal(expected[2], before / 2)
