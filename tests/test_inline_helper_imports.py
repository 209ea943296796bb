"""What pasted helpers import stands at the top of the file, also where a function of the file imports the same."""

from __future__ import annotations

from typing import Any

import numpy as np

import ivy_convert

CODE = """
import torch
import torch.nn as nn


def f(x: torch.Tensor):
    from collections import OrderedDict
    import math

    model = nn.Sequential(OrderedDict([("first", nn.Linear(4, 3, bias=False)), ("last", nn.ReLU())]))
    nn.init.kaiming_uniform_(model.first.weight, a=math.sqrt(5))
    nn.init.constant_(model.first.weight, 0.5)
    return model(x)
"""


def test_imports_inside_functions_are_not_enough() -> None:
    code = ivy_convert.convert_source(CODE, source="torch", target="jax").code
    names: dict[str, Any] = {}
    exec(compile(code, "converted.py", "exec"), names)
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_allclose(names["f"](names["jnp"].asarray(x)), np.repeat(x.sum(1, keepdims=True) / 2, 3, 1))
