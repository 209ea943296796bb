"""Statements around gradients inside a function: marks, cleared gradients, and where names are bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libcst as cst

from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import literal
from .name_flow import effects
from .optimizer_models import own_nodes


def parts(node: Any) -> list[Any]:
    """The items of a tuple or list as it is written, or the one value."""
    if isinstance(node, (cst.Tuple, cst.List)):
        return [element.value for element in node.elements]
    return [node]


def blocks(line: cst.CSTNode) -> list[Any]:
    """The blocks of a compound statement, not of functions and classes."""
    if isinstance(line, (cst.SimpleStatementLine, cst.FunctionDef, cst.ClassDef)):
        return []
    found: list[Any] = []
    for node in own_nodes(line):
        if isinstance(node, cst.IndentedBlock) and not any(node in walk(other) for other in found):
            found.append(node)
    return found


def last_binding(lines: Sequence[Any], name: str, before: int) -> int:
    """The last statement in front of one that binds a name; -1 if none does."""
    return max((index for index in range(before) if name in effects(lines[index]).binds), default=-1)


def is_mark(line: cst.CSTNode, names: Sequence[str]) -> bool:
    """Whether a statement only says that gradients are wanted: `x.requires_grad_()`, `x.requires_grad = True`, `x.retain_grad()`."""
    match line:
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.Call(func=cst.Attribute(value=owner, attr=attr)))]):
            return attr.value in ("requires_grad_", "retain_grad") and dotted(owner) in names
        case cst.SimpleStatementLine(
            body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Attribute(value=owner, attr=attr))], value=value)]
        ):
            return attr.value == "requires_grad" and dotted(owner) in names and literal(value) is True
    return False


def cleared(line: cst.CSTNode) -> str | None:
    """The name whose gradient `x.grad.zero_()`, `x.grad = None` or `if x.grad is not None: x.grad.zero_()` clears."""
    match line:
        case cst.If(test=cst.Comparison(left=tested), body=cst.IndentedBlock(body=[only]), orelse=None):
            name = cleared(only)
            return name if name is not None and dotted(tested) == f"{name}.grad" else None
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.Call(func=function))]):
            text = dotted(function) or ""
            for ending in (".grad.zero_", ".grad.data.zero_"):
                if text.endswith(ending):
                    return text.removesuffix(ending)
        case cst.SimpleStatementLine(
            body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Attribute(value=owner, attr=cst.Name(value="grad")))], value=value)]
        ):
            return dotted(owner) if literal(value) is None else None
    return None


def clears_module(line: cst.CSTNode) -> bool:
    """`model.zero_grad()`."""
    match line:
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.Call(func=cst.Attribute(attr=cst.Name(value="zero_grad"))))]):
            return True
    return False


def picks_one(line: cst.CSTNode, call: cst.Call) -> bool:
    """Whether a statement takes one item of what a call gives: `f(x)[0]`, `(y,) = f(x)`."""
    for node in own_nodes(line):
        match node:
            case cst.Subscript(value=value):
                if value is call:
                    return True
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Tuple(elements=[_]))], value=value):
                if value is call:
                    return True
    return False


def text(node: cst.CSTNode) -> str:
    """A node as it is written."""
    return cst.Module([]).code_for_node(node)
