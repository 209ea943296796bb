"""`q, k, v = x.chunk(3, dim)`: as many names as parts, so the parts are equal ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.nodes import walk
from ..rewriter.read import BoundOp, Constant, Given, literal
from ..rewriter.rule import Rule


@dataclass(frozen=True)
class EqualParts:
    """An array cut into `count` equal parts along an axis, each of which gets a name."""

    array: cst.BaseExpression
    count: cst.BaseExpression
    axis: cst.BaseExpression | None
    api: str


def read_call(node: cst.Call, context: FileContext) -> EqualParts | None:
    """The number of parts is a literal, and the parts are taken apart into as many names."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.name != "chunk" or bound.starred:
        return None
    count, array, axis = bound.given("chunks"), bound.given("x"), bound.arguments.get("axis")
    if count is None or array is None or not isinstance(axis, (Given, Constant)):
        return None
    parts = literal(count)
    if not isinstance(parts, int) or not _gets_names(node, parts, context):
        return None
    return EqualParts(array, count, axis.node if isinstance(axis, Given) else None, bound.api)


def _gets_names(node: cst.Call, parts: int, context: FileContext) -> bool:
    """Whether the result goes, also among others or through `map`, to as many names as it has parts.

    It may have a name of its own first, from which the same function takes the parts.
    """
    outer = [n for n in context.stack[:-1] if not isinstance(n, (cst.Arg, cst.BaseElement, cst.AssignTarget))][::-1]
    value: cst.CSTNode = node
    total = parts
    if outer and isinstance(outer[0], (cst.Tuple, cst.List)):
        stars = [element for element in outer[0].elements if isinstance(element, cst.StarredElement)]
        if len(stars) != 1 or stars[0].value is not node:
            return False
        total += len(outer[0].elements) - 1
        value, outer = outer[0], outer[1:]
    elif outer and isinstance(outer[0], cst.Call) and _mapped(outer[0]) is node:
        value, outer = outer[0], outer[1:]
    target = _target(outer[0], value) if outer else None
    if target is None:
        return False
    if isinstance(target, cst.Name):
        function = context.enclosing(cst.FunctionDef)
        return function is not None and total in _names_for(target.value, function)
    return _names(target) == total


def _target(line: cst.CSTNode, value: cst.CSTNode) -> cst.BaseExpression | None:
    """What a line assigns `value` to, where that is one target."""
    for statement in line.body if isinstance(line, cst.SimpleStatementLine) else ():
        if isinstance(statement, cst.Assign) and statement.value is value and len(statement.targets) == 1:
            return statement.targets[0].target
    return None


def _names(target: cst.BaseExpression) -> int:
    """How many names a target takes a sequence apart into; 0 where it does not, or that is not known."""
    if not isinstance(target, (cst.Tuple, cst.List)):
        return 0
    return 0 if any(isinstance(element, cst.StarredElement) for element in target.elements) else len(target.elements)


def _mapped(value: cst.BaseExpression) -> cst.BaseExpression | None:
    """What `map(f, parts)` or `(f(part) for part in parts)` goes through once."""
    match value:
        case cst.Call(func=cst.Name(value="map"), args=[_, cst.Arg(value=parts, star="")]):
            return parts
        case cst.GeneratorExp(for_in=cst.CompFor(iter=parts, ifs=[], inner_for_in=None)):
            return parts
    return None


def _names_for(name: str, function: cst.FunctionDef) -> Iterator[int]:
    """The numbers of names that a function takes the sequence `name` apart into."""
    for node in walk(function.body):
        if isinstance(node, cst.Assign) and len(node.targets) == 1:
            value = _mapped(node.value) or node.value
            if isinstance(value, cst.Name) and value.value == name:
                yield _names(node.targets[0].target)


def write_call(construct: EqualParts, node: cst.Call, context: FileContext) -> cst.BaseExpression:
    """`jnp.split(x, 3, axis)`, which says so where the parts would not be equal."""
    context.converted(node, op="chunk", api=construct.api, rule="equal_parts")
    array = context.rewrite(construct.array)
    if isinstance(array, (cst.BinaryOperation, cst.UnaryOperation)):
        array = array.with_changes(lpar=[], rpar=[])
    parts = {"array": array, "count": context.rewrite(construct.count)}
    if construct.axis is None:
        return context.expression("jax.numpy.split({array}, {count})", **parts)  # type: ignore[no-any-return]
    return context.expression(  # type: ignore[no-any-return]
        "jax.numpy.split({array}, {count}, axis={axis})", axis=context.rewrite(construct.axis), **parts)  # fmt: skip


RULES = (Rule("equal_parts", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=60),)
