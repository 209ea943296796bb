"""The element type of new arrays, written out where the target would take another than the source: NumPy and floats."""

from __future__ import annotations

from dataclasses import dataclass, replace

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array
from ..rewriter.read import BoundOp, Constant, Refusal
from ..rewriter.rule import Rule


@dataclass(frozen=True)
class NewArray:
    """A call that makes an array of the source's default element type; `op` has it as its argument `dtype`."""

    op: BoundOp


def default_dtype(op: BoundOp, context: FileContext, fact: str) -> str | None:
    """The source's default element type of a new array, where the target's, in a fact of its, is another."""
    given = op.arguments.get("dtype")
    if op.op.result != "array[dtype]" or not isinstance(given, Constant) or given.value is not None:
        return None
    value = context.type_of(op.node)
    kind = (value.dtype if isinstance(value, Array) else None) or ""
    from_array = isinstance(context.type_of(op.given(op.op.parameters[0].name) or op.node), Array) and op.given("data")
    own, theirs = context.source.fact("default_dtypes", kind), context.target.fact(fact, kind)
    return own if own and theirs and own != theirs and not from_array else None


def read(node: cst.Call, context: FileContext) -> NewArray | None:
    """`torch.tensor([1.0, 2.0])`, `torch.full(shape, 0.5)`, `torch.arange(0.0, 1.0, 0.1)`."""
    op = context.bound(node)
    if not isinstance(op, BoundOp) or not op.op.parameters or op.starred:
        return None
    wanted = default_dtype(op, context, "implied_dtypes") if context.target.fact("implied_dtypes") else None
    return NewArray(replace(op, arguments={**op.arguments, "dtype": Constant(wanted)})) if wanted else None


def write(construct: NewArray, node: cst.Call, context: FileContext) -> cst.BaseExpression | Refusal:
    """The op's own expression with the element type."""
    context.converted(node, op=construct.op.op.name, api=construct.op.api, rule="default_dtypes")
    return context.write(construct.op)


RULES = (
    Rule("default_dtypes", (cst.Call,), dict.fromkeys(("torch", "jax", "tensorflow"), read), {"numpy": write}, order=70),
)
