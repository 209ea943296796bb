"""`F.conv2d(x, weight)` of an array that certainly has a batch axis: JAX's own convolution, with pairs of paddings."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import as_tuple
from ..rewriter.lattice import INT, Array
from ..rewriter.lifting import is_pure_number
from ..rewriter.read import Argument, BoundOp, Constant, Given, literal
from ..rewriter.rule import Rule

_DIMENSIONS = {"conv1d": 1, "conv2d": 2, "conv3d": 3}
Numbers = tuple[cst.BaseExpression, ...]


@dataclass(frozen=True)
class Convolution:
    """A convolution of `array` [N, C, *spatial] without a bias; stride, padding and dilation for each spatial axis.

    groups: None where there is one.
    """

    op: BoundOp
    stride: Numbers
    padding: Numbers
    dilation: Numbers
    groups: cst.BaseExpression | None


def read_call(node: cst.Call, context: FileContext) -> Convolution | None:
    """All amounts are integers that are written out, and the array has as many axes as the weight."""
    bound = context.bound(node)
    dimensions = _DIMENSIONS.get(bound.op.name) if isinstance(bound, BoundOp) and not bound.starred else None
    if dimensions is None or not isinstance(bound, BoundOp):
        return None
    types = [context.type_of(given) if given is not None else None for given in map(bound.given, ("x", "weight"))]
    if not all(isinstance(type_, Array) and not type_.storage for type_ in types):
        return None
    if types[0].rank != dimensions + 2:  # type: ignore[union-attr]
        return None
    bias, groups = bound.arguments.get("bias"), bound.given("groups")
    if bias is not None and not _is(bias, None):
        return None
    if groups is not None and not (context.type_of(groups) == INT and is_pure_number(groups, context)):
        return None
    defaults = {"stride": "1", "padding": "0", "dilation": "1"}
    stride, padding, dilation = (
        _amounts(bound.arguments.get(name), default, dimensions, context) for name, default in defaults.items()
    )
    if stride is None or padding is None or dilation is None:
        return None
    return Convolution(bound, stride, padding, dilation, None if groups is None or literal(groups) == 1 else groups)


def _is(argument: Argument, value: object) -> bool:
    found = literal(argument.node) if isinstance(argument, Given) else getattr(argument, "value", "")
    return found is value


def _amounts(argument: Argument | None, default: str, count: int, context: FileContext) -> Numbers | None:
    """One integer for each spatial axis; None where that is not certain."""
    if argument is None or isinstance(argument, Constant):
        return (cst.Integer(default),) * count
    node = argument.node if isinstance(argument, Given) else None
    if isinstance(node, (cst.Tuple, cst.List)):
        each = tuple(element.value for element in node.elements if isinstance(element, cst.Element))
        each = each * count if len(each) == len(node.elements) == 1 else each
    else:
        each = () if node is None else (node,) * count
    known = all(context.type_of(one) == INT and is_pure_number(one, context) for one in each)
    return each if known and len(each) == count else None


def write_call(construct: Convolution, node: cst.Call, context: FileContext) -> cst.BaseExpression:
    """`jax.lax.conv(x, weight, (1, 1), "VALID")`, or `jax.lax.conv_general_dilated` with what else there is."""
    op = construct.op
    context.converted(node, op=op.op.name, api=op.api, rule="convolutions")
    parts = {name: context.rewrite(op.given(name)) for name in ("x", "weight")}  # type: ignore[arg-type]
    parts["stride"] = as_tuple([context.rewrite(one) for one in construct.stride])
    dilated = any(literal(one) != 1 for one in construct.dilation)
    padded = any(literal(one) != 0 for one in construct.padding)
    if not (dilated or padded or construct.groups is not None):
        return context.expression('jax.lax.conv({x}, {weight}, {stride}, "VALID")', **parts)  # type: ignore[no-any-return]
    template = "jax.lax.conv_general_dilated({x}, {weight}, {stride}, {padding}"
    pairs = [as_tuple([context.rewrite(one), context.rewrite(one)]) for one in construct.padding]
    parts["padding"] = cst.List([cst.Element(pair) for pair in pairs])
    if dilated:
        parts["dilation"] = as_tuple([context.rewrite(one) for one in construct.dilation])
        template += ", rhs_dilation={dilation}"
    if construct.groups is not None:
        parts["groups"] = context.rewrite(construct.groups)
        template += ", feature_group_count={groups}"
    return context.expression(template + ")", **parts)  # type: ignore[no-any-return]


RULES = (Rule("convolutions", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=60),)
