"""`x.max(1)[0]`, `x.sort().indices`, `_, i = x.topk(3)`: where one part of a result is used, the operation for that part."""

from __future__ import annotations

from dataclasses import dataclass, replace

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.gradient_paths import may_pass
from ..rewriter.lattice import Array
from ..rewriter.lifting import is_cheap, named_value
from ..rewriter.local_values import parents_in
from ..rewriter.nodes import walk
from ..rewriter.read import Argument, BoundOp, Constant, Given, Refusal, literal
from ..rewriter.rule import Rule

#: Hub operations with the operation that gives each of their parts alone.
PARTS = {
    "max_with_indices": ("max", "argmax"),
    "min_with_indices": ("min", "argmin"),
    "sort": ("sorted_values", "argsort"),
}
#: Parts with another gradient where several entries are the largest.
_SPLIT_AMONG_TIES = frozenset(("max", "min"))
#: Results of which the values follow from the array and the indices.
_PAIRS = frozenset(("max_with_indices", "min_with_indices", "sort"))


@dataclass(frozen=True)
class Part:
    """One part of the result of `op`, or all of them one after the other where `index` is None.

    targets: the names that an assignment gives the parts to; with an `index`, only that of its part is read.
    """

    op: BoundOp
    index: int | None
    targets: tuple[cst.Name, ...] = ()


def read_part(node: cst.Attribute | cst.Subscript, context: FileContext) -> Part | None:
    """`x.max(1).values` and `x.max(1)[0]`."""
    bound = context.bound(node.value)
    if not isinstance(bound, BoundOp) or not _has_plain_parts(bound, context):
        return None
    if isinstance(node, cst.Attribute):
        names = bound.spelling.results
        return Part(bound, names.index(node.attr.value)) if node.attr.value in names else None
    index = node.slice[0].slice
    place = literal(index.value) if len(node.slice) == 1 and isinstance(index, cst.Index) else None
    return Part(bound, place % 2) if isinstance(place, int) and -2 <= place < 2 else None


def read_assignment(node: cst.SimpleStatementLine, context: FileContext) -> Part | None:
    """`values, _ = x.max(1)`, where nothing reads `_`; `values, indices = x.max(1)`."""
    assign = node.body[0]
    if len(node.body) > 1 or not isinstance(assign, cst.Assign):
        return None
    names = _two_names(assign)
    bound = context.bound(assign.value)
    function = context.enclosing(cst.FunctionDef)
    if not names or function is None or not isinstance(bound, BoundOp) or not _has_plain_parts(bound, context):
        return None
    unread = [index for index, name in enumerate(names) if name.value.startswith("_") and not _is_read(name, function)]
    if len(unread) == 1:
        return Part(bound, 1 - unread[0], tuple(names))
    both = not unread and bound.op.name in _PAIRS and names[0].value != names[1].value
    return Part(bound, None, tuple(names)) if both else None


def _two_names(node: cst.Assign) -> list[cst.Name]:
    target = node.targets[0].target if len(node.targets) == 1 else None
    names = [element.value for element in getattr(target, "elements", ())]
    return names if len(names) == 2 and all(isinstance(name, cst.Name) for name in names) else []


def _is_read(name: cst.Name, function: cst.FunctionDef) -> bool:
    """Whether a function mentions a name other than where it unpacks something into it."""
    targets = {
        id(element.value)
        for node in walk(function)
        if isinstance(node, cst.AssignTarget) and isinstance(node.target, cst.Tuple)
        for element in node.target.elements
    }
    return any(
        isinstance(node, cst.Name) and node.value == name.value and id(node) not in targets for node in walk(function)
    )


def read_call(node: cst.Call, context: FileContext) -> Part | None:
    """`values, indices = x.topk(3)`."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.name != "topk" or not _has_plain_parts(bound, context):
        return None
    outer = parents_in(context).get(node)
    return Part(bound, None) if isinstance(outer, cst.Assign) and len(_two_names(outer)) == 2 else None


def _has_plain_parts(op: BoundOp, context: FileContext) -> bool:
    """Whether the target has operations for the parts of this result; none of them takes an array without axes."""
    array = op.given("x")
    type_ = context.type_of(array) if array is not None else None
    if op.starred or not isinstance(type_, Array) or type_.rank == 0:
        return False
    if op.op.name != "topk":
        return op.op.name in PARTS
    if _value(op.arguments.get("largest")) is not True:
        return False
    axis = _value(op.arguments.get("axis"))
    if type_.storage:
        return False  # functions of jax.lax take no variables
    return axis == -1 or (type_.rank is not None and axis == type_.rank - 1)


def _value(argument: Argument | None) -> object:
    """The literal value of an argument."""
    if isinstance(argument, Given):
        return literal(argument.node)
    return argument.value if isinstance(argument, Constant) else None


def write_part(
    construct: Part, node: cst.Attribute | cst.Subscript | cst.Call, context: FileContext
) -> cst.BaseExpression | None:
    """`x.max(axis=1)`, `jnp.argsort(x)`, `jax.lax.top_k(x, 3)[1]`."""
    written = _part(construct, node, context)
    if written is not None:
        context.converted(construct.op.node, op=construct.op.op.name, api=construct.op.api, rule="result_parts")
    return written


def write_assignment(
    construct: Part, node: cst.SimpleStatementLine, context: FileContext
) -> cst.SimpleStatementLine | cst.FlattenSentinel[cst.SimpleStatementLine] | None:
    """`values = x.max(axis=1)`, or a line for each part."""
    if construct.index is None:
        return _both(construct, node, context)
    written = _part(construct, construct.op.node, context)
    if written is None:
        return None
    context.converted(construct.op.node, op=construct.op.op.name, api=construct.op.api, rule="result_parts")
    return _line(node, construct.targets[construct.index], written)


def _line(node: cst.SimpleStatementLine, target: cst.Name, value: cst.BaseExpression) -> cst.SimpleStatementLine:
    """The statement with one target."""
    assign = node.body[0]
    assert isinstance(assign, cst.Assign)
    return node.with_changes(body=[assign.with_changes(targets=[assign.targets[0].with_changes(target=target)], value=value)])


def _both(
    construct: Part, node: cst.SimpleStatementLine, context: FileContext
) -> cst.FlattenSentinel[cst.SimpleStatementLine] | None:
    """`indices = jnp.argmax(x, axis=1)` and, in the next line, the values."""
    op, (values, indices) = construct.op, construct.targets
    array = op.given("x")
    if array is None or (is_cheap(array) and context.mentions(array, indices.value)):
        return None  # the first line would change what the second reads
    if _places(op) is None:
        return None
    entries = named_value(array, op.node, "entries", context)
    if entries is None:
        return None
    largest = context.tables.hub[PARTS[op.op.name][0]]
    places, axis, kept = _places(op)  # type: ignore[misc]
    if op.op.name == "sort" or kept:
        template = f"jax.numpy.take_along_axis({{x}}, {{index}}, axis={axis})"
    elif may_pass(replace(op, op=largest), context):
        template = f"jax.numpy.take_along_axis({{x}}, jax.numpy.expand_dims({{index}}, {axis}), axis={axis})"
        template += f".squeeze(axis={axis})"
    else:
        template = f"jax.numpy.{largest.name}({{x}}, axis={axis})"
    parts = {"x": entries, "index": indices}
    context.converted(op.node, op=op.op.name, api=op.api, rule="result_parts")
    first = _line(node, indices, context.expression(places, **parts))
    second = _line(node, values, context.expression(template, **parts)).with_changes(leading_lines=[])
    return cst.FlattenSentinel([first.with_changes(trailing_whitespace=cst.TrailingWhitespace()), second])


def _places(op: BoundOp, keepdims: bool = False) -> tuple[str, int, bool] | None:
    """A template for the indices of a result over `{x}`, the axis, and whether it is kept; None if they are not numbers.

    keepdims: the axis is kept in any case.
    """
    name, axis = PARTS[op.op.name][1], _value(op.arguments.get("axis"))
    kept, descending = (_value(op.arguments.get(flag, Constant(False))) for flag in ("keepdims", "descending"))
    axis = -1 if "axis" not in op.arguments else axis
    if not isinstance(axis, int) or not isinstance(kept, bool) or not isinstance(descending, bool):
        return None
    options = ", keepdims=True" if kept or (keepdims and op.op.name != "sort") else ", descending=True" if descending else ""
    return f"jax.numpy.{name}({{x}}, axis={axis}{options})", axis, kept


def _part(construct: Part, node: cst.BaseExpression, context: FileContext) -> cst.BaseExpression | None:
    """The part alone; None where its gradient would be another one."""
    op = construct.op
    if op.op.name == "topk":
        array, count = op.given("x"), op.given("k")
        assert array is not None and count is not None
        parts = {"x": context.rewrite(array), "k": context.rewrite(count)}
        index = "" if construct.index is None else f"[{construct.index}]"
        return context.expression("jax.lax.top_k({x}, {k})" + index, **parts)  # type: ignore[no-any-return]
    assert construct.index is not None
    hub = context.tables.hub[PARTS[op.op.name][construct.index]]
    arguments = {name: argument for name, argument in op.arguments.items() if hub.parameter(name) is not None}
    part = BoundOp(hub, op.spelling, arguments, node, op.api)
    descends = hub.name == "sorted_values" and _value(op.arguments.get("descending")) is True
    if descends or (hub.name in _SPLIT_AMONG_TIES and may_pass(part, context)):
        return _taken(op, context)
    dropped = set(op.arguments) - set(arguments) - {"stable"}
    if any(_value(op.arguments[name]) is not False for name in dropped):
        return None
    written = context.write(part)
    return None if isinstance(written, Refusal) else written


def _taken(op: BoundOp, context: FileContext) -> cst.BaseExpression | None:
    """The values at their indices: of equal entries only the one that the index names has the gradient."""
    array, places = op.given("x"), _places(op, keepdims=True)
    entries = named_value(array, op.node, "entries", context) if array is not None and places is not None else None
    if entries is None or places is None:
        return None
    template, axis, kept = places
    template = f"jax.numpy.take_along_axis({{x}}, {template}, axis={axis})"
    template += "" if kept or op.op.name == "sort" else f".squeeze(axis={axis})"
    return context.expression(template, x=entries)  # type: ignore[no-any-return]


RULES = (
    Rule("result_parts", (cst.Attribute, cst.Subscript), {"torch": read_part}, {"jax": write_part}, order=40),
    Rule("unpacked_parts", (cst.Call,), {"torch": read_call}, {"jax": write_part}, order=40),
    Rule("unused_parts", (cst.SimpleStatementLine,), {"torch": read_assignment}, {"jax": write_assignment}, order=10),
)
