"""Building a module whose class is open: `norm_layer: Type[nn.Module]`, one of several classes, a factory passed in.

Some of these take `rngs` after the conversion and some do not, so a helper asks the class when it is called.
"""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import append_argument, keyword_argument
from ..rewriter.read import BoundOp, Refusal
from ..rewriter.rule import Rule
from .evident_modules import is_evident_construction
from .rngs import NAME, may_take_rngs, module_rngs


@dataclass(frozen=True)
class OpenConstruction:
    """A call that builds a module of a class that is not known here."""


def read(node: cst.Call, context: FileContext) -> OpenConstruction | None:
    """`norm_layer(dim)`."""
    if isinstance(context.bound(node), (BoundOp, Refusal)):
        return None
    if any(argument.keyword is not None and argument.keyword.value == NAME for argument in node.args):
        return None
    if is_evident_construction(context.inference, node):
        return OpenConstruction()
    return OpenConstruction() if may_take_rngs(context, context.type_of(node.func)) else None


def write(construct: OpenConstruction, node: cst.Call, context: FileContext) -> cst.Call:
    """`build(norm_layer, dim, rngs=rngs)`."""
    call = context.rewrite_children(node)
    first = cst.Arg(
        call.func,
        comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")) if call.args else cst.MaybeSentinel.DEFAULT,
    )
    if isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace) and call.args:
        first = first.with_changes(comma=cst.Comma(whitespace_after=call.whitespace_before_args))
    made = call.with_changes(func=context.reference("helpers.build"), args=[first, *call.args])
    context.converted(node, op="module_construction", rule="open_constructions")
    return append_argument(made, keyword_argument(NAME, module_rngs(context)))


RULES = (Rule("open_constructions", (cst.Call,), {"torch": read}, {"jax": write}, order=56),)
