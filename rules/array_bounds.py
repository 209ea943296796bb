"""`x.clamp(0, 1)` where a gradient passes: torch's is 1 at a bound, that of `jnp.clip` 1/2, so what is within stays."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.gradient_paths import is_constant, may_pass
from ..rewriter.lattice import Array, Scalar
from ..rewriter.lifting import is_pure_number, named_value
from ..rewriter.local_values import bindings
from ..rewriter.nodes import walk
from ..rewriter.read import Argument, BoundOp, Given, literal
from ..rewriter.rule import Rule


@dataclass(frozen=True)
class Bounds:
    """An array and its limits, of which each may be missing, but not both."""

    array: cst.BaseExpression
    low: cst.BaseExpression | None
    high: cst.BaseExpression | None
    named: bool
    api: str


def read_call(node: cst.Call, context: FileContext) -> Bounds | None:
    """The bounds are numbers, or arrays of which no two ask for gradients."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.name != "clip" or bound.starred:
        return None
    if isinstance(node.func, cst.Attribute) and node.func.attr.value.endswith("_"):
        return None
    array = bound.given("x")
    type_ = context.type_of(array) if array is not None else None
    if array is None or not isinstance(type_, Array) or type_.storage:
        return None
    low, high = (_given(bound.arguments.get(name)) for name in ("min", "max"))
    bounds = [one for one in (low, high) if one is not None]
    if len(bounds) == 2 and any(_may_be_none(one, context) for one in bounds):
        return None
    if not bounds or not all(_is_bound(one, len(bounds), context) for one in bounds) or not may_pass(bound, context):
        return None
    named = all(one.keyword is not None for one in node.args if one.value in bounds)
    return Bounds(array, low, high, named or low is None or high is None, bound.api)


def _given(argument: Argument | None) -> cst.BaseExpression | None:
    """The expression of a bound, unless it is None."""
    return argument.node if isinstance(argument, Given) and literal(argument.node) is not None else None


def _is_bound(node: cst.BaseExpression, count: int, context: FileContext) -> bool:
    """Whether a bound can be written twice and is a number, the only bound, or without a gradient of its own."""
    type_ = context.type_of(node)
    if not is_pure_number(node, context):
        return False
    if isinstance(type_, Scalar):
        return type_.kind in ("int", "float")
    return isinstance(type_, Array) and not type_.storage and (count == 1 or is_constant(node, context))


def _may_be_none(node: cst.BaseExpression, context: FileContext) -> bool:
    """Whether a bound may be missing after all: an attribute, or a parameter that says so."""
    if isinstance(node, cst.Attribute):
        return not isinstance(context.bound(node), BoundOp)
    found = bindings(node.value, context) if isinstance(node, cst.Name) else ()
    if not isinstance(found, cst.Param):
        return found is None or any(one.part is None and (one.value is None or literal(one.value) is None) for one in found)
    declared = found.annotation is not None and any(
        isinstance(part, cst.Name) and part.value in ("None", "Optional") for part in walk(found.annotation)
    )
    return declared or (found.default is not None and literal(found.default) is None)


def write_call(construct: Bounds, node: cst.Call, context: FileContext) -> cst.BaseExpression | None:
    """`jnp.where((x >= 0) & (x <= 1), x, jnp.clip(x, 0, 1))`: also right for NaN and for bounds that cross."""
    array = named_value(construct.array, node, "value", context)
    if array is None:
        return None
    context.converted(node, op="clip", api=construct.api, rule="array_bounds")
    parts, tests, arguments = {"x": array}, [], []
    for name, sign, bound in (("min", ">=", construct.low), ("max", "<=", construct.high)):
        if bound is None:
            continue
        parts[name] = context.rewrite(bound)
        tests.append(f"{{x}} {sign} {{{name}}}")
        arguments.append(f"{name}={{{name}}}" if construct.named else f"{{{name}}}")
    test = tests[0] if len(tests) == 1 else " & ".join(f"({one})" for one in tests)
    return context.expression(  # type: ignore[no-any-return]
        f"jax.numpy.where({test}, {{x}}, jax.numpy.clip({{x}}, {', '.join(arguments)}))", **parts
    )


RULES = (Rule("array_bounds", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=60),)
