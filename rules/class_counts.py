"""`F.one_hot(x, n)`: a number of classes that is certainly no -1, which would ask the data for it."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.read import BoundOp
from ..rewriter.rule import Rule
from .sizes import is_size


@dataclass(frozen=True)
class Classes:
    """Whole numbers as rows of 0 and 1, as many as there are classes."""

    array: cst.BaseExpression
    count: cst.BaseExpression
    api: str


def read_call(node: cst.Call, context: FileContext) -> Classes | None:
    """The number of classes is given and not negative."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.name != "one_hot" or bound.starred:
        return None
    array, count = bound.given("x"), bound.given("num_classes")
    if array is None or count is None or not is_size(count, context):
        return None
    return Classes(array, count, bound.api)


def write_call(construct: Classes, node: cst.Call, context: FileContext) -> cst.BaseExpression:
    """`jax.nn.one_hot(x, n, dtype=int)`."""
    context.converted(node, op="one_hot", api=construct.api, rule="class_counts")
    parts = {"array": context.rewrite(construct.array), "count": context.rewrite(construct.count)}
    return context.expression("jax.nn.one_hot({array}, {count}, dtype=int)", **parts)  # type: ignore[no-any-return]


RULES = (Rule("class_counts", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=60),)
