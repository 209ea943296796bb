"""Annotations written as strings, `x: "torch.Tensor"`: what they name follows, and the quotes stay."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.generate import code_of
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.rule import Rule

#: What stands between these brackets are values, or names of axes.
_NO_ANNOTATIONS = frozenset("Annotated Literal Float Int Integer Bool Complex Shaped Num Inexact Real UInt".split())


@dataclass(frozen=True)
class QuotedAnnotation:
    """The expression that an annotation's text stands for."""

    expression: cst.BaseExpression


def read(node: cst.SimpleString, context: FileContext) -> QuotedAnnotation | None:
    """A string within an annotation that names something of the source framework."""
    if context.enclosing(cst.Annotation) is None or node.prefix:
        return None
    for outer in reversed(context.stack):
        if isinstance(outer, (cst.Annotation, cst.Call)):
            break
        if isinstance(outer, cst.Subscript) and (dotted(outer.value) or "").rpartition(".")[2] in _NO_ANNOTATIONS:
            return None
    try:
        expression = cst.parse_expression(str(node.evaluated_value))
    except cst.ParserSyntaxError:
        return None
    paths = (context.path(part) for part in walk(expression) if isinstance(part, cst.Name))
    return QuotedAnnotation(expression) if any(path and context.source.owns(path) for path in paths) else None


def write(construct: QuotedAnnotation, node: cst.SimpleString, context: FileContext) -> cst.SimpleString | None:
    """The same text with the target's names."""
    made = context.rewrite(construct.expression)
    if made is construct.expression:
        return None
    return cst.SimpleString(f"{node.quote}{code_of(made, context.module)}{node.quote}")


RULES = (
    Rule(
        "quoted_annotations",
        (cst.SimpleString,),
        dict.fromkeys(("torch", "jax", "tensorflow", "numpy"), read),
        dict.fromkeys(("torch", "jax", "tensorflow", "numpy"), write),
    ),
)
