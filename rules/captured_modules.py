"""Functions that a module keeps and that look into the module itself: NNX does not see what they captured."""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Instance, Method
from ..rewriter.nodes import walk
from ..rewriter.rule import Rule

_REASON = (
    "the function keeps the module it was made in; nnx.grad, nnx.jit and nnx.merge call it on a copy of the module, "
    "whose weights it does not see: no gradient passes, and updates are missed. Make it a method"
)


def read_assignment(node: cst.Assign, context: FileContext) -> None:
    """Notes `self.head = lambda x: x @ self.embedding.weight.T` and bound methods kept as attributes."""
    owner = _owner(node, context)
    if owner is None:
        return
    for value in _values(node.value):
        if _captures(value, owner, context):
            context.review(node, _REASON, op="captured_module", rule="captured_modules")
            return


def _owner(node: cst.Assign, context: FileContext) -> str | None:
    """The name of the module whose attribute is set."""
    target = node.targets[0].target
    if len(node.targets) != 1 or not isinstance(target, cst.Attribute) or not isinstance(target.value, cst.Name):
        return None
    value = context.type_of(target.value)
    known = isinstance(value, Instance) and context.inference.is_module_class(value.path)
    return target.value.value if known else None


def _values(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    """The values of a choice, and the function inside `partial(...)`."""
    match node:
        case cst.IfExp(body=body, orelse=orelse):
            return [*_values(body), *_values(orelse)]
        case cst.BooleanOperation(left=left, right=right):
            return [*_values(left), *_values(right)]
        case cst.Call(args=[first, *_]) if isinstance(node.func, cst.Name) and node.func.value == "partial":
            return _values(first.value)
    return [node]


def _captures(node: cst.BaseExpression, owner: str, context: FileContext) -> bool:
    if isinstance(node, cst.Lambda):
        return any(isinstance(part, cst.Name) and part.value == owner for part in walk(node.body))
    if isinstance(node, cst.Name):
        function = context.enclosing(cst.FunctionDef)
        nodes = context.inference.nodes(context.scope.file)
        named = [each for each in nodes.of(cst.FunctionDef) if each.name.value == node.value]
        if function is None or not named:
            return False
        local = {part for part in walk(function.body) if type(part) is cst.FunctionDef}
        return any(
            type(part) is cst.Name and part.value == owner
            for inner in named if inner in local
            for part in walk(inner.body)
        )  # fmt: skip
    bound = isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and node.value.value == owner
    return bound and isinstance(context.type_of(node), Method)


def write_assignment(construct: object, node: cst.Assign, context: FileContext) -> None:
    """Nothing: the assignment is rewritten as any other."""


RULES = (
    Rule("captured_modules", (cst.Assign,), {"torch": read_assignment}, {"jax": write_assignment}, order=5),
)
