"""Values that a spelling needs twice: bound to a local name in a line of their own, where that changes nothing.

`y = (a - b).clamp(0)` becomes `y = a - b` and a line in which `y` stands more than once. A value moves only out of simple
statements of a function, only if it is computed whenever the statement runs, and only if nothing that could have an
effect is computed before it in the statement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import libcst as cst

from .context import FileContext
from .expressions import is_atom
from .lattice import Array, Scalar, Shape
from .local_values import parents_in
from .nodes import children, walk
from .read import BoundOp, literal
from .signature import MISSING

_STATEMENTS = (cst.Assign, cst.AnnAssign, cst.AugAssign, cst.Return, cst.Expr)
#: Python's own functions of numbers and shapes.
_PURE_BUILTINS = frozenset("abs bool float int len list max min range round sum tuple".split())
#: What may run later, not at all, or more than once.
_OWN_SCOPES = (cst.Lambda, cst.BaseComp, cst.CompFor)


@dataclass(frozen=True)
class Lifted:
    """The line `name = value` above a statement."""

    name: str
    line: cst.SimpleStatementLine


def named_value(
    value: cst.BaseExpression, use: cst.BaseExpression, wanted: str, context: FileContext
) -> cst.BaseExpression | None:
    """The rewritten `value`, part of the expression `use` that is being rewritten, so that it can be written twice.

    That is a name, an attribute, or a new name of which `wanted` is the first choice. None if it cannot have one.
    """
    if is_cheap(value):
        written: cst.BaseExpression = context.rewrite(value)
        return written if is_atom(written) else None
    if not can_be_named(value, context):
        return None
    name = _target(use, value, context) or _free_name(wanted, context)
    written = context.rewrite(value)
    line = cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(cst.Name(name))], written.with_changes(lpar=[], rpar=[]))])
    context.lifted.append(Lifted(name, line))
    return cst.Name(name)


def is_cheap(node: cst.BaseExpression) -> bool:
    """Whether evaluating an expression twice costs and changes nothing: names, attributes, literals."""
    while isinstance(node, cst.Attribute):
        node = node.value
    return isinstance(node, cst.Name) or literal(node) is not MISSING


def can_be_named(value: cst.BaseExpression, context: FileContext) -> bool:
    """Whether a value may be computed in a line of its own above the statement that it stands in."""
    parents = parents_in(context)
    path: list[cst.CSTNode] = [value]
    while not isinstance(path[-1], cst.SimpleStatementLine):
        parent = parents.get(path[-1])
        if parent is None:
            return False
        path.append(parent)
    line = path[-1]
    assert isinstance(line, cst.SimpleStatementLine)
    if len(line.body) != 1 or not isinstance(line.body[0], _STATEMENTS) or not _is_visited_in_order(line, context):
        return False
    if any(isinstance(node, (cst.NamedExpr, cst.Await, cst.Yield)) for node in walk(line)):
        return False
    pairs = list(zip(path[1:], path, strict=False))
    if not all(_is_computed_always(parent, child) for parent, child in pairs):
        return False
    return _is_settled(value, context) or not any(
        _has_effect(node, context) for parent, child in pairs for node in _before(parent, child)
    )


def _is_settled(value: cst.BaseExpression, context: FileContext) -> bool:
    """Whether a value is made of local names and arrays only, which no call can change."""
    return not _has_effect(value, context) and all(
        isinstance(context.type_of(part.value), (Array, Scalar, Shape)) or context.path(part) is not None
        for part in walk(value)
        if isinstance(part, cst.Attribute)
    )


def _is_visited_in_order(line: cst.SimpleStatementLine, context: FileContext) -> bool:
    """Whether the statement is being rewritten where it stands in a function, and not as a part of a construct."""
    parents = parents_in(context)
    if line not in context.stack:
        return False
    node: cst.CSTNode = line
    for ancestor in reversed(context.stack[: context.stack.index(line)]):
        if parents.get(node) is not ancestor:
            return False
        if isinstance(ancestor, cst.FunctionDef):
            return True
        if isinstance(ancestor, cst.ClassDef):
            return False
        node = ancestor
    return False


def _is_computed_always(parent: cst.CSTNode, child: cst.CSTNode) -> bool:
    """Whether a part of an expression or statement is computed once whenever the whole is."""
    match parent:
        case cst.IfExp(test=test):
            return child is test
        case cst.BooleanOperation(left=left):
            return child is left
        case cst.Comparison(comparisons=[first, *_]):
            return child is parent.left or child is first
        case cst.Assign() | cst.AnnAssign() | cst.AugAssign():
            return child is parent.value
        case cst.Lambda() | cst.BaseComp() | cst.CompFor():
            return False
    return True


def _before(parent: cst.CSTNode, child: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The parts of an expression or statement that are computed before one of them."""
    if isinstance(parent, (cst.Assign, cst.AnnAssign)):
        return
    for part in children(parent):
        if part is child:
            return
        yield part


def _has_effect(node: cst.CSTNode, context: FileContext) -> bool:
    """Whether computing something may change what is computed behind it."""
    return any(isinstance(part, cst.Call) and not _is_pure(part, context) for part in walk(node))


def _is_pure(node: cst.Call, context: FileContext) -> bool:
    bound = context.bound(node)
    if isinstance(bound, BoundOp):
        in_place = isinstance(node.func, cst.Attribute) and node.func.attr.value.endswith("_")
        out = any(argument.keyword is not None and argument.keyword.value == "out" for argument in node.args)
        return not (bound.op.random or bound.op.is_layer or in_place or out or bound.starred)
    return isinstance(node.func, cst.Name) and node.func.value in _PURE_BUILTINS


def is_pure_number(node: cst.BaseExpression, context: FileContext) -> bool:
    """Whether computing a number or a small array twice costs little and changes nothing: `w - 1`, `x.shape[-1] / 2`."""
    return not _has_effect(node, context) and not any(
        isinstance(part, (*_OWN_SCOPES, cst.NamedExpr, cst.Await, cst.Yield)) for part in walk(node)
    )


def _target(use: cst.BaseExpression, value: cst.BaseExpression, context: FileContext) -> str | None:
    """The name that the statement gives to the whole result, where that can also hold the value on the way."""
    parent = parents_in(context).get(use)
    if not isinstance(parent, cst.Assign) or parent.value is not use or len(parent.targets) != 1:
        return None
    target = parent.targets[0].target
    if not isinstance(target, cst.Name) or _count(use, target.value) != _count(value, target.value):
        return None
    function = context.enclosing(cst.FunctionDef)
    shared = (
        item.name.value for node in walk(function) if isinstance(node, (cst.Global, cst.Nonlocal)) for item in node.names
    )
    return None if target.value in shared else target.value


def _count(node: cst.CSTNode, name: str) -> int:
    return sum(isinstance(part, cst.Name) and part.value == name for part in walk(node))


def _free_name(wanted: str, context: FileContext) -> str:
    """`wanted`, or with a number behind it where the file or an earlier value of the same statement has that name."""
    taken = {one.name for one in context.lifted}
    own: set[str] = context.state.setdefault("lifted_names", set())
    number, name = 1, wanted
    while name in taken or name in context.imports.introduced or (name not in own and context.imports.is_taken(name)):
        number += 1
        name = f"{wanted}_{number}"
    own.add(name)
    context.imports.reserve(name)
    return name


def with_lifted(result: cst.CSTNode, lifted: list[Lifted]) -> cst.FlattenSentinel[cst.CSTNode]:
    """The statements, the lines of their values first; comments and blank lines stay on top."""
    nodes: list[Any] = list(result.nodes) if isinstance(result, cst.FlattenSentinel) else [result]
    first = nodes[0]
    lines = [one.line for one in lifted]
    lines[0] = lines[0].with_changes(leading_lines=first.leading_lines)
    return cst.FlattenSentinel([*lines, first.with_changes(leading_lines=[]), *nodes[1:]])
