"""Functions that update some of their arguments: running statistics have to be variables for that, not plain arrays."""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, Array
from ..rewriter.read import BoundOp, Constant, Refusal, literal
from ..rewriter.rule import Rule


def read(node: cst.Call, context: FileContext) -> Refusal | None:
    """A call that would change an array which no module owns; all others go the way of the tables."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp):
        return None
    updates = context.source.fact("updates_arguments", bound.api)
    if updates is None or _is_off(bound, updates["when"]):
        return None
    for name in updates["arguments"]:
        given = bound.given(name)
        if given is not None and _is_plain(given, context):
            return Refusal(
                f"{bound.api} updates {name}, which no module is known to own: make it a buffer of a module",
                node,
                bound.api,
            )
    return None


def _is_plain(node: cst.BaseExpression, context: FileContext) -> bool:
    """Whether a value is an array but no buffer, or a name of which nothing is known."""
    found = context.type_of(node)
    return (isinstance(found, Array) and not found.storage) or (isinstance(node, cst.Name) and found is UNKNOWN)


def _is_off(bound: BoundOp, flag: str) -> bool:
    argument = bound.arguments.get(flag)
    value = argument.value if isinstance(argument, Constant) else None
    given = bound.given(flag)
    return (literal(given) if given is not None else value) is False


RULES = (Rule("running_statistics", (cst.Call,), {"torch": read}, {"jax": lambda *_: None}, order=40),)
