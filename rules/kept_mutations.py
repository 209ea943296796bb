"""Changes in place for a target whose arrays change in place as well: stores and `x += y` stay, methods become them.

A change that one of two names would see in the source and not in the target, or the other way round, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import parenthesized
from ..rewriter.lattice import Array
from ..rewriter.nodes import children, walk
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from . import inplace_arguments, inplace_methods, out_arguments
from .inplace_methods import MutatingCall, Node
from .memory_sharing import analysis_of, check, has_axes, sharing
from .places import describe, index_kind, surroundings, without_wrappers
from .subscript_stores import OPERATORS

_ASSIGNED = {type(operator): augmented for augmented, operator in OPERATORS.items()}
_STATEMENTS = (cst.Expr, cst.Assign, cst.AnnAssign, cst.Return, cst.AugAssign)


# Stores and augmented assignments: they stay.


def read_store(node: cst.Assign | cst.AugAssign, context: FileContext) -> Refusal | None:
    """`x[i] = v`, `x[i] += v`, `x += v`: a refusal, or nothing, which keeps the statement."""
    targets = [target.target for target in node.targets] if isinstance(node, cst.Assign) else [node.target]
    for target in (part for whole in targets for part in _parts(whole)):
        inner = target
        while isinstance(inner, cst.Subscript) and isinstance(context.type_of(inner.value), Array):
            inner = inner.value
        stripped = without_wrappers(inner, context)
        if inner is target and (isinstance(node, cst.Assign) or not isinstance(context.type_of(inner), Array)):
            if stripped is not inner and isinstance(node, cst.Assign):
                return Refusal(f"{describe(target)} = ... gives {describe(stripped)} other memory; "
                               f"write {describe(stripped)}[...] = ...", node)  # fmt: skip
            continue
        found = check(stripped, node, f"{describe(target)} = ...", context)
        if found is not None:
            return found
    return None


def _parts(target: Node) -> Iterator[Node]:
    if isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _parts(element.value)
    else:
        yield target


# Calls that change an array: statements of their own.


@dataclass(frozen=True)
class Changes:
    """A line of code with calls that change arrays, innermost and leftmost first.

    plain: calls of which only the value counts, because nobody reads the array again.
    """

    statement: cst.BaseSmallStatement
    calls: tuple[MutatingCall, ...]
    plain: frozenset[cst.CSTNode]


@dataclass(frozen=True)
class Changed:
    """A call whose change stands in a line above, or whose value is all that counts."""

    call: MutatingCall
    plain: bool


def recognize(node: cst.CSTNode, context: FileContext) -> MutatingCall | None:
    """The mutating call that a node is, if it is one."""
    if not isinstance(node, cst.Call):
        return None
    for module in (out_arguments, inplace_arguments, inplace_methods):
        found = module.recognize(node, context)
        if found is not None:
            return found
    return None


def _calls(node: cst.CSTNode, context: FileContext) -> Iterator[MutatingCall]:
    """The mutating calls below a node in the order in which they run."""
    for child in children(node):
        yield from _calls(child, context)
    found = recognize(node, context)
    if found is not None:
        yield found


def root(call: MutatingCall, context: FileContext) -> Node:
    """The array that a chain of mutating calls changes."""
    array = without_wrappers(call.array, context)
    inner = recognize(array, context)
    return array if inner is None else root(inner, context)


def read_line(node: cst.SimpleStatementLine, context: FileContext) -> Changes | Refusal | None:
    """A line whose statement changes arrays by calls."""
    found = [(statement, tuple(_calls(statement, context))) for statement in node.body]
    if not any(calls for _, calls in found):
        return None
    statement, calls = found[0]
    if len(found) > 1 or not isinstance(statement, _STATEMENTS):
        return Refusal(f"{describe(calls[0].node if calls else node)} changes an array; give it a line of its own", node)
    plain: set[cst.CSTNode] = set()
    for call in calls:
        array = root(call, context)
        if _is_new(array, call, context) or _is_last_use(array, call, statement, context):
            plain.add(call.node)
            continue
        refusal = _check_call(call, array, statement, context)
        if refusal is not None:
            return refusal
    return Changes(statement, calls, frozenset(plain))


def _is_new(array: Node, call: MutatingCall, context: FileContext) -> bool:
    """Whether an expression makes an array that nothing else holds."""
    if isinstance(array, (cst.Name, cst.Attribute, cst.Subscript)):
        return False
    shared = sharing(array, call.node, context)
    return not shared.readers and not shared.kept and not shared.differing


def _is_last_use(array: Node, call: MutatingCall, statement: cst.CSTNode, context: FileContext) -> bool:
    """Whether a local name is not read again, so that the changed array is only the call's value."""
    if not isinstance(array, cst.Name) or isinstance(statement, cst.Expr):
        return False
    shared = sharing(array, call.node, context)
    if shared.readers or shared.kept or shared.differing or _kind(call, context) == "shape":
        return False
    analysis, where = surroundings(context, call.node)
    bound = {name for target in getattr(statement, "targets", ()) for name in _names(target)}
    live = array.value in analysis.live.after.get(statement, frozenset()) and array.value not in bound
    return not live and not where.conditional and _uses(array.value, statement, call.node) <= int(array.value in bound)


def _names(node: cst.CSTNode) -> Iterable[str]:
    return (part.value for part in walk(node) if isinstance(part, cst.Name))


def _uses(name: str, statement: cst.CSTNode, call: cst.CSTNode) -> int:
    inside = set(walk(call))
    return sum(isinstance(part, cst.Name) and part.value == name and part not in inside for part in walk(statement))


def _kind(call: MutatingCall, context: FileContext) -> str:
    """`shape` for methods such as `t_` and `squeeze_`, which change how an array is seen and none of its elements."""
    rows = context.source.by_path.get(call.api.removesuffix("_"), ())
    views = context.source.fact("views", default=())
    return "shape" if call.api.endswith("_") and rows and all(row.op in views for row in rows) else "elements"


def _check_call(
    call: MutatingCall, array: Node, statement: cst.BaseSmallStatement, context: FileContext
) -> Refusal | None:
    what = describe(call.node)
    own_line = "give it a line of its own"
    if surroundings(context, call.node)[1].conditional:
        return Refusal(f"{what} changes an array within a conditional expression; {own_line}", call.node, call.api)
    if isinstance(array, (cst.Tuple, cst.List)):
        return Refusal(f"{what} changes several arrays; assign its results instead", call.node, call.api)
    if not isinstance(array, (cst.Name, cst.Attribute, cst.Subscript, cst.Call)):
        return Refusal(f"it is not certain which array {what} changes; {own_line}", call.node, call.api)
    inner: Node = array
    while isinstance(inner, cst.Subscript) and isinstance(context.type_of(inner.value), Array):
        kind = index_kind(inner, context)
        if kind != "basic":
            reason = "changes a copy, not the array" if kind in ("mask", "gather") else "changes the array or a copy"
            return Refusal(f"{what} {reason}: store with {describe(array)} = ... instead", call.node, call.api)
        inner = without_wrappers(inner.value, context)
    refusal = check(inner, call.node, what, context)
    if refusal is not None:
        return replace(refusal, api=call.api)
    shared = sharing(inner, call.node, context)
    if _kind(call, context) == "shape" and (not isinstance(array, cst.Name) or shared.kept or shared.readers):
        return Refusal(f"{what} changes the shape under which others see the array; assign a view", call.node, call.api)
    reader = _other_reader(inner, call, statement, context)
    if reader is not None:
        return Refusal(f"{what} changes an array that {reader} reads in the same line; {own_line}", call.node, call.api)
    return None


def _other_reader(
    array: Node, call: MutatingCall, statement: cst.BaseSmallStatement, context: FileContext
) -> str | None:
    """What else in the statement reads the array's memory: the change, moved above, would come too early for it."""
    analysis = analysis_of(context, call.node, False)
    found = analysis.storages(statement, array)
    outermost = _outermost(call, statement, context)
    inside = set(walk(outermost))
    targets = {part for target in getattr(statement, "targets", ()) for part in walk(target)}
    for part in walk(statement):
        if part in inside or part in targets or not isinstance(part, (cst.Name, cst.Attribute)):
            continue
        if isinstance(part, cst.Attribute) and outermost in set(walk(part)):
            continue  # an attribute of the changed array
        if analysis.storages(statement, part) & found:
            return describe(part)
    return None


def _outermost(call: MutatingCall, statement: cst.CSTNode, context: FileContext) -> cst.CSTNode:
    """The last call of the chain that a mutating call belongs to."""
    chains = [other for other in _calls(statement, context) if root(other, context) is root(call, context)]
    return chains[-1].node if chains else call.node


def write_line(construct: Changes, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """`x += y`, `x[...] = value`, `x = value`, then the rest of the line with the array in the calls' place."""
    state: dict[cst.CSTNode, Changed] = context.state.setdefault("kept_mutations", {})
    for call in construct.calls:
        state[call.node] = Changed(call, call.node in construct.plain)
    above: list[cst.BaseSmallStatement] = []
    for call in construct.calls:
        if call.node in construct.plain:
            continue
        written = _change(call, construct.statement, context)
        if isinstance(written, Refusal):
            return written
        context.converted(call.node, op="in_place_update", api=call.api, rule=call.rule)
        above.append(written)
    rest = _rest(construct, context)
    if isinstance(rest, Refusal):
        return rest
    statements = [*above, *rest]
    lines: list[cst.SimpleStatementLine] = [cst.SimpleStatementLine([statement]) for statement in statements]
    lines[0] = lines[0].with_changes(leading_lines=node.leading_lines)
    lines[-1] = lines[-1].with_changes(trailing_whitespace=node.trailing_whitespace)
    return lines[0] if len(lines) == 1 else cst.FlattenSentinel(lines)


def _rest(construct: Changes, context: FileContext) -> list[cst.BaseSmallStatement] | Refusal:
    """What is left of the statement once the changes stand above it."""
    statement = construct.statement
    last = construct.calls[-1]
    value = getattr(statement, "value", None)
    whole = value is not None and without_wrappers(value, context) is last.node
    if isinstance(statement, cst.Expr) and whole and last.node not in construct.plain:
        return []
    made = context.rewrite_children(statement)
    refused = context.state.get("kept_mutations_refused")
    if refused is not None:
        return context.state.pop("kept_mutations_refused")  # type: ignore[no-any-return]
    array = root(last, context)
    target = statement.targets[0].target if isinstance(statement, cst.Assign) and len(statement.targets) == 1 else None
    if whole and target is not None and last.node not in construct.plain and target.deep_equals(array):
        return []  # `x = x.add_(y)`
    if whole and isinstance(made.value, cst.BinaryOperation):
        made = made.with_changes(value=made.value.with_changes(lpar=[], rpar=[]))
    return [made]


def _change(
    call: MutatingCall, statement: cst.BaseSmallStatement, context: FileContext
) -> cst.BaseSmallStatement | Refusal:
    """The statement that leaves the call's value in the array."""
    array = root(call, context)
    place: Node = context.rewrite(array)
    shared = sharing(array, call.node, context)
    local = isinstance(array, cst.Name) and not shared.readers and not shared.kept
    stored = call.written(context)
    if stored is not None:
        return _assign(place if isinstance(array, cst.Subscript) else _whole(place), stored)
    value = call.value(context)
    if isinstance(value, Refusal):
        return value
    shape = _kind(call, context) == "shape"
    if isinstance(value, cst.BinaryOperation) and type(value.operator) in _ASSIGNED and not shape:
        if value.left.with_changes(lpar=[], rpar=[]).deep_equals(place.with_changes(lpar=[], rpar=[])):
            plain = local or isinstance(array, cst.Subscript) or has_axes(array, context)
            target = place if plain else _whole(place)
            right = value.right.with_changes(lpar=[], rpar=[]) if value.right.lpar else value.right
            return cst.AugAssign(target, _ASSIGNED[type(value.operator)](), right)  # type: ignore[arg-type]
    if local or shape:
        return _assign(place, value)
    return _assign(place if isinstance(array, cst.Subscript) else _whole(place), value)


def _whole(place: Node) -> cst.Subscript:
    return cst.Subscript(parenthesized(place), [cst.SubscriptElement(cst.Index(cst.Ellipsis()))])


def _assign(target: Node, value: Node) -> cst.Assign:
    operation = isinstance(value, (cst.BinaryOperation, cst.UnaryOperation))
    bare = value.with_changes(lpar=[], rpar=[]) if operation else value
    return cst.Assign([cst.AssignTarget(target)], bare)  # type: ignore[arg-type]


# The calls themselves, inside what is left of their lines.


def read_call(node: cst.Call, context: FileContext) -> Changed | Refusal | None:
    """A mutating call whose line has been taken care of; elsewhere it is refused."""
    known: dict[cst.CSTNode, Changed] = context.state.get("kept_mutations", {})
    if node in known:
        return known[node]
    found = recognize(node, context)
    if found is None:
        return None
    return Refusal(f"{describe(node)} changes an array where no line can stand above it; give it a line of its own",
                   node, found.api)  # fmt: skip


def write_call(construct: Changed, node: cst.Call, context: FileContext) -> Any:
    """The array, or the value that the call would have left in it."""
    if not construct.plain:
        return context.rewrite(construct.call.array)
    value = construct.call.value(context)
    if isinstance(value, Refusal):
        context.state["kept_mutations_refused"] = value
        return value
    context.converted(node, op="in_place_update", api=construct.call.api, rule=construct.call.rule)
    return value


def _nothing(*_: Any) -> None:
    return None


RULES = (
    Rule("kept_stores", (cst.Assign, cst.AugAssign), {"torch": read_store}, {"numpy": _nothing}, order=21),
    Rule("kept_changes", (cst.SimpleStatementLine,), {"torch": read_line}, {"numpy": write_line}, order=20),
    Rule("kept_calls", (cst.Call,), {"torch": read_call}, {"numpy": write_call}, order=20),
)
