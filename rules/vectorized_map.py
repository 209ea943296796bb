"""`torch.vmap`: as in JAX, except that JAX also maps over keyword arguments, which torch hands on as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.nodes import children, walk
from ..rewriter.read import BoundOp
from ..rewriter.rule import Rule

_TRANSFORMS = frozenset(
    """vectorized_map function_gradient function_gradients gradient_and_value reverse_jacobian reverse_jacobians
    forward_jacobian forward_jacobians function_hessian function_hessians""".split()
)


@dataclass(frozen=True)
class KeywordMap:
    """A function over batches that may be called with keyword arguments."""

    op: BoundOp


def read_call(node: cst.Call, context: FileContext) -> KeywordMap | None:
    """A mapped function, unless all of its calls are known and pass nothing by keyword."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.name != "vectorized_map":
        return None
    return None if _gets_no_keywords(node, context) else KeywordMap(bound)


def _gets_no_keywords(node: cst.CSTNode, context: FileContext) -> bool:
    """Whether the function that a node makes is surely called without keywords."""
    statement = context.enclosing((cst.SimpleStatementLine, cst.BaseCompoundStatement))
    parents = {child: part for part in walk(statement) for child in children(part)} if statement is not None else {}
    while isinstance(parents.get(node), (cst.Call, cst.Arg)):
        node, child = parents[node], node
        if isinstance(node, cst.Call):
            if node.func is child:
                return _is_plain(node)
            outer = context.bound(node)
            if not isinstance(outer, BoundOp) or outer.op.name not in _TRANSFORMS:
                return False
    match parents.get(node):
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))]):
            function = context.enclosing(cst.FunctionDef)
            return function is not None and _only_called(function, name)
    return False


def _only_called(function: cst.FunctionDef, name: str) -> bool:
    """Whether each use of a local name is a call without keywords."""
    uses = {node for node in walk(function.body) if isinstance(node, cst.Name) and node.value == name}
    for node in walk(function.body):
        if isinstance(node, cst.Call) and _is_plain(node):
            uses.discard(node.func)
        elif isinstance(node, cst.AssignTarget):
            uses.discard(node.target)
    return not uses


def _is_plain(call: cst.Call) -> bool:
    return all(argument.keyword is None and argument.star != "**" for argument in call.args)


def write_call(construct: KeywordMap, node: cst.Call, context: FileContext) -> Any:
    """The helper of the same signature, which maps over positional arguments only."""
    written: Any = context.write(construct.op)
    if isinstance(written, cst.Call):
        context.converted(node, op="vectorized_map", api=construct.op.api, rule="vectorized_map")
        return written.with_changes(func=context.helper("vmap"))
    return written


RULES = (Rule("vectorized_map", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=40),)
