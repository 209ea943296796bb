"""`torch.utils.checkpoint`: values computed again in the backward pass, by `jax.checkpoint` or, with modules, NNX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import closed_like, parenthesized
from ..rewriter.lattice import Array, Reference
from ..rewriter.read import BoundOp, Refusal, literal
from ..rewriter.rule import Rule

_CALL = "torch.utils.checkpoint.checkpoint"
_SEQUENTIAL = "torch.utils.checkpoint.checkpoint_sequential"
#: How torch finds the values again, and what it checks: no number depends on these.
_DROPPED = frozenset("use_reentrant preserve_rng_state determinism_check debug early_stop".split())


@dataclass(frozen=True)
class Rematerialized:
    """A call whose intermediate values are computed again. `is_pure`: a function of arrays that knows no modules."""

    function: cst.Arg
    arguments: tuple[cst.Arg, ...]
    is_pure: bool
    api: str


def read_call(node: cst.Call, context: FileContext) -> Rematerialized | Refusal | None:
    """`checkpoint(function, *args, use_reentrant=False)` and `checkpoint_sequential(functions, segments, input)`."""
    path = context.direct_path(node.func)
    if path not in (_CALL, _SEQUENTIAL):
        return None
    kept = [a for a in node.args if a.keyword is None or a.keyword.value not in _DROPPED]
    for argument in kept:
        if argument.keyword is not None and argument.keyword.value == "context_fn":
            return Refusal("context_fn chooses what is kept; give jax.checkpoint a policy instead", node, path)
    named = [a for a in kept if a.keyword is not None and a.keyword.value in ("function", "functions")]
    function = named[0] if named else kept[0] if kept and not kept[0].star else None
    if function is None:
        return Refusal("the arguments behind * cannot be read; write the function out", node, path)
    rest = tuple(argument for argument in kept if argument is not function)
    if path == _SEQUENTIAL:
        rest = tuple(a for a in rest if literal(a.value) not in (True, False) or a.keyword is not None)
        return Rematerialized(function, rest, False, path)
    arrays = all(
        a.keyword is None and not a.star and isinstance(context.type_of(a.value), Array) for a in rest
    )
    return Rematerialized(function, rest, arrays and _is_function_of_arrays(function.value, context), path)


def _is_function_of_arrays(node: cst.BaseExpression, context: FileContext) -> bool:
    """Whether an expression names a function at the top level of a file: such a function captured no module."""
    value = context.type_of(node)
    if not isinstance(value, Reference):
        return False
    definition = context.inference.repository.resolve(value.path)
    return definition is not None and isinstance(definition.node, cst.FunctionDef) and not definition.owner


def _has_statistics(context: FileContext) -> bool:
    """Whether any file of the repository builds layers with running statistics."""
    known: bool | None = context.inference.__dict__.get("_has_statistics")
    if known is None:
        ops = (op for file in context.inference.files.values() for op in file.bound.values())
        known = any(isinstance(op, BoundOp) and op.op.is_layer and "batch_norm" in op.op.name for op in ops)
        context.inference.__dict__["_has_statistics"] = known
    return known


def write_call(construct: Rematerialized, node: cst.Call, context: FileContext) -> Any:
    """`jax.checkpoint(function)(x)`, or the helper that also takes modules along."""
    context.converted(node, op="checkpoint", api=construct.api, rule="rematerialization")
    function = context.rewrite(construct.function.value)
    rest = [context.rewrite(argument) for argument in construct.arguments]
    if construct.is_pure:
        wrapped = context.expression("jax.checkpoint({function})", function=parenthesized(function))
        return node.with_changes(func=wrapped, args=closed_like(node, rest))
    if _has_statistics(context):
        reason = "running statistics change once here; torch changes them again as it computes the values a second time"
        context.review(node, reason, op="checkpoint", api=construct.api, rule="rematerialization")
    first = construct.function.with_changes(value=function)
    name = construct.api.rpartition(".")[2]
    return node.with_changes(func=context.helper(name), args=closed_like(node, [first, *rest]))


RULES = (Rule("rematerialization", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=40),)
