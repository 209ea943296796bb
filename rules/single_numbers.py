"""`int(x)` and `float(x)` of arrays with axes: torch takes any array of one element, JAX only those without axes."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array
from ..rewriter.rule import Rule


@dataclass(frozen=True)
class SingleNumber:
    """A Python number made of an array that has axes, and so exactly one element."""

    array: cst.BaseExpression


def read(node: cst.Call, context: FileContext) -> SingleNumber | None:
    """`int(self.pointer)` with `self.pointer = torch.zeros(1)`."""
    if not isinstance(node.func, cst.Name) or node.func.value not in ("int", "float", "complex") or len(node.args) != 1:
        return None
    value = context.type_of(node.args[0].value)
    return SingleNumber(node.args[0].value) if isinstance(value, Array) and value.rank else None


def write(construct: SingleNumber, node: cst.Call, context: FileContext) -> cst.Call:
    """`int(self.pointer.item())`."""
    context.converted(node, op="item", rule="single_numbers")
    item = context.expression("{array}.item()", array=context.rewrite(construct.array))
    return node.with_changes(args=[node.args[0].with_changes(value=item)])


RULES = (Rule("single_numbers", (cst.Call,), {"torch": read}, {"jax": write}, order=45),)
