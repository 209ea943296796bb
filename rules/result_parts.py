"""`x.max(1)[0]`, `x.sort().indices`, `_, i = x.topk(3)`: where one part of a result is used, the operation for that part."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.gradient_paths import may_pass
from ..rewriter.lattice import Array
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


@dataclass(frozen=True)
class Part:
    """One part of the result of `op`, or all of them one after the other where `index` is None.

    target: the name that gets the part, where an assignment gives the others to `_`.
    """

    op: BoundOp
    index: int | None
    target: cst.BaseExpression | None = None


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
    """`values, _ = x.max(1)`, where nothing reads `_`."""
    assign = node.body[0]
    if len(node.body) > 1 or not isinstance(assign, cst.Assign):
        return None
    names = _two_names(assign)
    bound = context.bound(assign.value)
    function = context.enclosing(cst.FunctionDef)
    if not names or function is None or not isinstance(bound, BoundOp) or not _has_plain_parts(bound, context):
        return None
    unread = [index for index, name in enumerate(names) if name.value.startswith("_") and not _is_read(name, function)]
    if len(unread) != 1:
        return None
    return Part(bound, 1 - unread[0], names[1 - unread[0]])


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
) -> cst.SimpleStatementLine | None:
    """`values = x.max(axis=1)`."""
    assign = node.body[0]
    assert construct.target is not None and isinstance(assign, cst.Assign)
    written = _part(construct, construct.op.node, context)
    if written is None:
        return None
    context.converted(construct.op.node, op=construct.op.op.name, api=construct.op.api, rule="result_parts")
    target = assign.targets[0].with_changes(target=construct.target)
    return node.with_changes(body=[assign.with_changes(targets=[target], value=written)])


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
    if hub.name in _SPLIT_AMONG_TIES and may_pass(part, context):
        return None
    dropped = set(op.arguments) - set(arguments) - {"stable"}
    if any(_value(op.arguments[name]) is not False for name in dropped):
        return None
    written = context.write(part)
    return None if isinstance(written, Refusal) else written


RULES = (
    Rule("result_parts", (cst.Attribute, cst.Subscript), {"torch": read_part}, {"jax": write_part}, order=40),
    Rule("unpacked_parts", (cst.Call,), {"torch": read_call}, {"jax": write_part}, order=40),
    Rule("unused_parts", (cst.SimpleStatementLine,), {"torch": read_assignment}, {"jax": write_assignment}, order=10),
)
