"""Questions to compilers and exporters of the source framework, such as `torch.jit.is_scripting()`: the answer is no.

A branch that such a question decides is written without the question; the other branch goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.rule import Rule

_TARGETS = ("jax", "numpy", "tensorflow")


@dataclass(frozen=True)
class Decided:
    """An expression or statement of which the answers leave only `remaining` (None: nothing)."""

    remaining: cst.BaseExpression | cst.BaseSuite | cst.If | None
    api: str


@dataclass(frozen=True)
class Answer:
    """The value of a question, or of a condition made of them."""

    value: bool
    api: str


def _answer(node: cst.BaseExpression, context: FileContext) -> Answer | None:
    """What a condition comes to whatever the program does; None if that is open."""
    if isinstance(node, cst.Call):
        path = context.direct_path(node.func) or ""
        return Answer(False, path) if path in context.source.fact("always_false", default=()) else None
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not):
        inner = _answer(node.expression, context)
        return Answer(not inner.value, inner.api) if inner is not None else None
    if isinstance(node, cst.BooleanOperation):
        decisive = isinstance(node.operator, cst.Or)
        sides = [_answer(side, context) for side in (node.left, node.right)]
        for side in sides:
            if side is not None and side.value == decisive:
                return side
        return sides[0] if None not in sides else None
    return None


def read_question(node: cst.Call, context: FileContext) -> Answer | None:
    """`torch.jit.is_scripting()` by itself."""
    return _answer(node, context)


def write_question(construct: Answer, node: cst.Call, context: FileContext) -> cst.Name:
    """`False`."""
    context.converted(node, api=construct.api, rule="compiler_questions")
    return cst.Name(str(construct.value), lpar=node.lpar, rpar=node.rpar)


def read_condition(node: cst.BooleanOperation, context: FileContext) -> Decided | Answer | None:
    """`not torch.jit.is_scripting() and x.ndim == 3`."""
    whole = _answer(node, context)
    if whole is not None:
        return whole
    for side, other in ((node.left, node.right), (node.right, node.left)):
        answer = _answer(side, context)
        if answer is not None:
            return Decided(other, answer.api)
    return None


def write_condition(
    construct: Decided | Answer, node: cst.BooleanOperation, context: FileContext
) -> cst.BaseExpression:
    """`x.ndim == 3`."""
    context.converted(node, api=construct.api, rule="compiler_questions")
    if isinstance(construct, Answer):
        return cst.Name(str(construct.value), lpar=node.lpar, rpar=node.rpar)
    remaining = context.rewrite(construct.remaining)  # type: ignore[arg-type]
    return remaining if not node.lpar or remaining.lpar else remaining.with_changes(lpar=node.lpar, rpar=node.rpar)  # type: ignore[no-any-return]


def read_choice(node: cst.IfExp, context: FileContext) -> Decided | None:
    """`a if torch.jit.is_scripting() else b`."""
    answer = _answer(node.test, context)
    return None if answer is None else Decided(node.body if answer.value else node.orelse, answer.api)


def write_choice(construct: Decided, node: cst.IfExp, context: FileContext) -> cst.BaseExpression:
    """`b`, in parentheses where the choice stood in some."""
    context.converted(node, api=construct.api, rule="compiler_questions")
    remaining = context.rewrite(construct.remaining)  # type: ignore[arg-type]
    return remaining if not node.lpar or remaining.lpar else remaining.with_changes(lpar=node.lpar, rpar=node.rpar)  # type: ignore[no-any-return]


def read_branch(node: cst.If, context: FileContext) -> Decided | None:
    """`if torch.jit.is_scripting(): ... else: ...`; an `elif` keeps its place and gets `False` as its test."""
    parent = context.stack[-2] if len(context.stack) > 1 else None
    if isinstance(parent, cst.If) and parent.orelse is node:
        return None
    answer = _answer(node.test, context)
    if answer is None:
        return None
    if answer.value:
        return Decided(node.body, answer.api)
    return Decided(node.orelse.body if isinstance(node.orelse, cst.Else) else node.orelse, answer.api)


def write_branch(construct: Decided, node: cst.If, context: FileContext) -> Any:
    """The statements of the branch that runs, under the comments that stood above the question."""
    context.converted(node.test, api=construct.api, rule="compiler_questions")
    remaining = construct.remaining
    if remaining is None:
        return cst.RemovalSentinel.REMOVE
    if isinstance(remaining, cst.If):
        remaining = remaining.with_changes(leading_lines=node.leading_lines)
        return context.rewrite(remaining)
    if not isinstance(remaining, cst.IndentedBlock):
        return None
    statements = list(context.rewrite(remaining).body)
    first = statements[0]
    statements[0] = first.with_changes(leading_lines=[*node.leading_lines, *first.leading_lines])
    return cst.FlattenSentinel(statements)


def _rule(name: str, kind: type[cst.CSTNode], read: Any, write: Any, order: int = 35) -> Rule:
    return Rule(f"compiler_{name}", (kind,), {"torch": read}, dict.fromkeys(_TARGETS, write), order=order)


RULES = (
    _rule("question", cst.Call, read_question, write_question),
    _rule("condition", cst.BooleanOperation, read_condition, write_condition),
    _rule("choice", cst.IfExp, read_choice, write_choice),
    _rule("branch", cst.If, read_branch, write_branch),
)
