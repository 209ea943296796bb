"""Classes of layers that draw their own weights: torch calls their method as they are made, what they become does not."""

from __future__ import annotations

from ivy_convert.rewriter.repository import convert_text

CODE = """
from torch import nn


class Unit(nn.{base}):
    def reset_parameters(self):
        nn.init.ones_(self.weight)
"""


def reviewed(base: str) -> list[int]:
    _, report = convert_text(CODE.replace("{base}", base), "torch", "jax", "units.py")
    return [site.line for site in report.review]


def test_a_layer_that_draws_its_own_weights_is_to_be_reviewed() -> None:
    assert reviewed("Linear") == [6]
    assert reviewed("Module") == []
