"""Questions to the source framework about itself, such as `torch.jit.is_scripting()`: the answer is known.

A branch that such a question decides is written without the question; the other branch goes, and so does what stands
behind a branch that always leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Reference
from ..rewriter.nodes import walk
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .known_answers import Answer, Answers

_TARGETS = ("jax", "numpy", "tensorflow")


@dataclass(frozen=True)
class Decided:
    """An expression or statement of which the answers leave only `remaining` (None: nothing)."""

    remaining: cst.BaseExpression | cst.BaseSuite | cst.If | None
    answer: Answer


def _answer(node: cst.BaseExpression, context: FileContext) -> Answer | None:
    """What a condition comes to whatever the program does; None if that is open."""
    known: Answers | None = context.state.get("answers")
    if known is None:
        known = context.state["answers"] = Answers(context.inference, context.scope.file, context.target)
    return known.answer(node)


def _note(node: cst.CSTNode, answer: Answer, context: FileContext) -> None:
    if answer.doubt:
        context.review(node, answer.doubt, api=answer.api, rule="compiler_questions")
    else:
        context.converted(node, api=answer.api, rule="compiler_questions")


def read_question(node: cst.Call | cst.Comparison, context: FileContext) -> Answer | None:
    """`torch.jit.is_scripting()` by itself, `torch.__version__ >= "2.0"`; not the repository's own functions."""
    if isinstance(node, cst.Call):
        callee = context.type_of(node.func)
        if isinstance(callee, Reference) and context.inference.repository.resolve(callee.path) is not None:
            return None
    return _answer(node, context)


def read_attribute(node: cst.Attribute, context: FileContext) -> Answer | None:
    """`x.requires_grad` by itself."""
    assigned = len(context.stack) > 1 and isinstance(context.stack[-2], (cst.AssignTarget, cst.Del))
    return None if assigned else _answer(node, context)


def write_question(construct: Answer, node: cst.Attribute | cst.Call | cst.Comparison, context: FileContext) -> cst.Name:
    """`False`."""
    _note(node, construct, context)
    return cst.Name(str(construct.value), lpar=node.lpar, rpar=node.rpar)


def read_condition(node: cst.BooleanOperation, context: FileContext) -> Decided | Answer | None:
    """`not torch.jit.is_scripting() and x.ndim == 3`."""
    whole = _answer(node, context)
    if whole is not None:
        return whole
    for side, other in ((node.left, node.right), (node.right, node.left)):
        answer = _answer(side, context)
        if answer is not None:
            return Decided(other, answer)
    return None


def write_condition(
    construct: Decided | Answer, node: cst.BooleanOperation, context: FileContext
) -> cst.BaseExpression:
    """`x.ndim == 3`."""
    _note(node, construct if isinstance(construct, Answer) else construct.answer, context)
    if isinstance(construct, Answer):
        return cst.Name(str(construct.value), lpar=node.lpar, rpar=node.rpar)
    remaining = context.rewrite(construct.remaining)  # type: ignore[arg-type]
    return remaining if not node.lpar or remaining.lpar else remaining.with_changes(lpar=node.lpar, rpar=node.rpar)  # type: ignore[no-any-return]


def read_choice(node: cst.IfExp, context: FileContext) -> Decided | None:
    """`a if torch.jit.is_scripting() else b`."""
    answer = _answer(node.test, context)
    return None if answer is None else Decided(node.body if answer.value else node.orelse, answer)


def write_choice(construct: Decided, node: cst.IfExp, context: FileContext) -> cst.BaseExpression:
    """`b`, in parentheses where the choice stood in some."""
    _note(node, construct.answer, context)
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
        return Decided(node.body, answer)
    return Decided(node.orelse.body if isinstance(node.orelse, cst.Else) else node.orelse, answer)


def write_branch(construct: Decided, node: cst.If, context: FileContext) -> Any:
    """The statements of the branch that runs, under the comments that stood above the question."""
    _note(node.test, construct.answer, context)
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


def read_block(node: cst.IndentedBlock, context: FileContext) -> int | None:
    """A block in which a branch that is always taken leaves, with statements behind it: how many statements run."""
    for index, statement in enumerate(node.body[:-1]):
        if isinstance(statement, cst.If):
            answer = _answer(statement.test, context)
            if answer is not None:
                taken = statement.body if answer.value else getattr(statement.orelse, "body", None)
                if isinstance(taken, cst.IndentedBlock) and _leaves(taken.body[-1]):
                    return index + 1
    return None


def _leaves(statement: cst.CSTNode) -> bool:
    """Whether a statement is the last that runs of its block."""
    small = statement.body[-1] if isinstance(statement, cst.SimpleStatementLine) else None
    return isinstance(small, (cst.Return, cst.Raise, cst.Continue, cst.Break))


def write_block(construct: int, node: cst.IndentedBlock, context: FileContext) -> Any:
    """The block up to the branch. A generator stays one only by what is dropped, so it is left alone."""
    dropped = [part for statement in node.body[construct:] for part in walk(statement)]
    if any(isinstance(part, cst.Yield) for part in dropped):
        return None
    return context.rewrite(node.with_changes(body=node.body[:construct]))


@dataclass(frozen=True)
class Version:
    """The source framework's version, read as text or (`is_plain` false) to take a part of it."""

    api: str
    is_plain: bool


def read_version(node: cst.Attribute | cst.Name | cst.Call, context: FileContext) -> Version | Refusal | None:
    """`torch.__version__` where it is parsed or printed; comparisons of it are answered where they stand."""
    path = context.source.fact("version", "path", default="")
    found = context.direct_path(node.func if isinstance(node, cst.Call) else node) or ""
    if not path or not (found == path or found.startswith(f"{path}.")):
        return None
    if found != path:
        return Version(path, False)
    above = context.stack[-3:-1]
    printed = any(isinstance(part, cst.FormattedStringExpression) for part in above)
    if printed or isinstance(above[-1], (cst.Attribute, cst.Subscript)) or (above and isinstance(above[0], cst.Call)):
        return Version(path, True)
    return Refusal(f"{path} is no plain text, and {context.target.name} has other versions; drop the check", node, path)


def write_version(construct: Version, node: cst.Attribute | cst.Name | cst.Call, context: FileContext) -> Any:
    """The version whose behaviour the converted program has, as text."""
    if not construct.is_plain:
        return context.rewrite_children(node)
    version = context.source.fact("version", "value")
    reason = f"stands for the version of {context.source.name} that the converted program behaves as"
    context.review(node, reason, api=construct.api, rule="compiler_questions")
    outer = context.enclosing(cst.FormattedString)
    quote = "'" if outer is not None and '"' in outer.start else '"'
    return cst.SimpleString(f"{quote}{version}{quote}")


def _rule(name: str, kind: type[cst.CSTNode], read: Any, write: Any, order: int = 35) -> Rule:
    return Rule(f"compiler_{name}", (kind,), {"torch": read}, dict.fromkeys(_TARGETS, write), order=order)


RULES = (
    _rule("question", cst.Call, read_question, write_question),
    _rule("comparison", cst.Comparison, read_question, write_question),
    _rule("attribute", cst.Attribute, read_attribute, write_question, order=24),
    _rule("version", cst.Attribute, read_version, write_version),
    _rule("version_part", cst.Call, read_version, write_version),
    _rule("version_name", cst.Name, read_version, write_version),
    _rule("condition", cst.BooleanOperation, read_condition, write_condition),
    _rule("choice", cst.IfExp, read_choice, write_choice),
    _rule("branch", cst.If, read_branch, write_branch),
    _rule("block", cst.IndentedBlock, read_block, write_block),
)
