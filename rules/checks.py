"""Checks that torch's compilers follow, such as `torch._assert(x.ndim == 3, "...")`: plain assertions elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array
from ..rewriter.rule import Rule

_CHECKS = frozenset(("torch._assert", "torch._assert_async", "torch._check", "torch._check_with"))


@dataclass(frozen=True)
class Check:
    """`message` is text, or a function that gives it."""

    condition: cst.BaseExpression
    message: cst.BaseExpression | None
    api: str


def read(node: cst.SimpleStatementLine, context: FileContext) -> Check | None:
    """`torch._assert(condition, message)` as a statement of its own."""
    small = node.body[0] if len(node.body) == 1 else None
    if not isinstance(small, cst.Expr) or not isinstance(small.value, cst.Call):
        return None
    call = small.value
    path = context.direct_path(call.func) or ""
    if path not in _CHECKS or not 1 <= len(call.args) <= 2 or any(a.keyword or a.star for a in call.args):
        return None
    message = call.args[1].value if len(call.args) == 2 else None
    if isinstance(message, cst.Lambda):
        message = message.body
    return Check(call.args[0].value, message, path)


def write(construct: Check, node: cst.SimpleStatementLine, context: FileContext) -> cst.SimpleStatementLine:
    """`assert condition, message`."""
    call = node.body[0].value  # type: ignore[union-attr,attr-defined]
    if isinstance(context.type_of(construct.condition), Array) and context.target.name == "jax":
        context.review(call, "the value of an array is not there under jax.jit; check it outside", api=construct.api, rule="checks")
    else:
        context.converted(call, op="check", api=construct.api, rule="checks")
    message = context.rewrite(construct.message) if construct.message is not None else None
    return node.with_changes(body=[cst.Assert(context.rewrite(construct.condition), message)])


RULES = (
    Rule("checks", (cst.SimpleStatementLine,), {"torch": read}, dict.fromkeys(("jax", "numpy", "tensorflow"), write), order=30),
)
