"""Where a changed array is kept, how a new value is put there, and who else would have seen the change."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import libcst as cst

from ..rewriter.aliases import FunctionAliases
from ..rewriter.context import FileContext
from ..rewriter.expressions import parenthesized
from ..rewriter.infer import Inference
from ..rewriter.lattice import Array, Either, Instance, Method, Reference, Scalar, Sequence, Unknown
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import BoundOp, Refusal, literal
from ..rewriter.sharing import Aliases, Where
from ..rewriter.signature import MISSING
from ..rewriter.storage import Storage, root_name
from .forward_changes import keeps_gradient
from .given_back import given_back

Node = cst.BaseExpression


@dataclass(frozen=True)
class Place:
    """A name, attribute or container item that holds an array, and the indices that lead from it to what changes.

    kind: `name`, `attribute`, `item`, `variable` for a module's parameter or buffer, which changes in place, or
    `temporary` for the result of a call that may be a view of something else.
    """

    node: Node
    kind: str
    indices: tuple[cst.Subscript, ...] = ()


class NoPlace(Exception):
    """The array cannot be written back; the text says why. An empty text: nobody holds it."""


def find_place(node: Node, context: FileContext) -> Place:
    """The place of an array expression.

    Raises NoPlace for temporary arrays and for views that cannot be written through.
    """
    node = without_wrappers(node, context)
    found = context.type_of(node)
    if isinstance(node, cst.Name):
        return Place(node, "variable" if _is_variable(node, context) else "name")
    if isinstance(node, cst.Attribute):
        if isinstance(context.type_of(node.value), Array):
            raise NoPlace(_through(node, f".{node.attr.value}"))
        owner = context.type_of(node.value)
        computed = isinstance(owner, Instance) and context.inference.method(owner.path, node.attr.value) is not None
        if computed and not _is_variable(node, context):
            raise NoPlace(_through(node, f"the property {node.attr.value}"))
        if dotted(node) is None and not _is_stable(node, context):
            raise NoPlace(f"{_text(node)} would be evaluated twice; give its owner a name first")
        return Place(
            node, "variable" if _is_variable(node, context) or _may_be_variable(node, context) else "attribute"
        )
    if isinstance(node, cst.Subscript):
        if isinstance(context.type_of(node.value), Array):
            inner = find_place(node.value, context)
            return Place(inner.node, inner.kind, (*inner.indices, node))
        if not _is_stable(node, context):
            raise NoPlace(f"{_text(node)} would be evaluated twice; give its parts names first")
        return Place(node, "item")
    if isinstance(node, cst.Call):
        if _makes_new(node, context):
            raise NoPlace("")
        return Place(node, "temporary")
    if isinstance(node, (cst.IfExp, cst.BooleanOperation, cst.NamedExpr)) or not isinstance(found, Array):
        raise NoPlace(f"it is not certain which array {_text(node)} is; give it a line of its own")
    raise NoPlace("")


def _through(node: Node, what: str) -> str:
    return (
        f"{_text(node)} changes an array through {what}, and JAX arrays have no views; "
        "write to the array itself or build the new one"
    )


def without_wrappers(node: Node, context: FileContext) -> Node:
    """`x` for `x.data` and `x.detach()`: the same memory under the same shape."""
    same = context.source.fact("same_memory", default=())
    while True:
        inner = node.func if isinstance(node, cst.Call) and not node.args else node
        if not (isinstance(inner, cst.Attribute) and inner.attr.value in same):
            return node
        if not (isinstance(context.type_of(inner.value), Array) or _is_taken_for_array(inner, context)):
            return node
        node = inner.value


def _is_taken_for_array(node: cst.Attribute, context: FileContext) -> bool:
    """`m.weight.data`, of which nothing is known but that it is used as only an array can be."""
    return is_unknown(node.value, context) and isinstance(context.type_of(node), Array)


def _is_variable(node: Node, context: FileContext) -> bool:
    found = context.type_of(node)
    return isinstance(found, Array) and bool(found.storage)


def _may_be_variable(node: cst.Attribute, context: FileContext) -> bool:
    """An attribute of an object that inference does not know, or of a framework's module. What is written to a
    variable with `[...]` raises on a plain array, so this is never silently wrong."""
    owner = context.type_of(node.value)
    if isinstance(owner, Instance):
        known = context.inference.attribute(owner, node.attr.value)
        return context.source.owns(owner.path) or not isinstance(known, Array)
    if isinstance(owner, Either):
        return context.inference.is_module(owner)
    return is_unknown(node.value, context)


def _makes_new(node: cst.Call, context: FileContext) -> bool:
    """Whether a call's result is certainly memory that nothing else knows."""
    analysis, where = surroundings(context, node)
    statement = where.statement
    return all(
        storage.kind == "fresh" and not analysis.readers(statement, frozenset({storage}), "")
        for storage in analysis.storages(statement, node)
    )


def _is_stable(node: cst.CSTNode, context: FileContext) -> bool:
    """Whether evaluating an expression twice gives the same object: names, attributes, literals, subscripts."""
    if isinstance(node, cst.Name) or (isinstance(node, cst.BaseExpression) and literal(node) is not MISSING):
        return True
    if isinstance(node, cst.Attribute):
        return _is_stable(node.value, context)
    if isinstance(node, cst.Subscript):
        return _is_stable(node.value, context) and stable_index(node, context)
    return False


def stable_index(node: cst.Subscript, context: FileContext) -> bool:
    """Whether evaluating an index twice gives the same: nothing in it calls more than the framework's operations."""
    return all(_is_repeatable(part, context) for element in node.slice for part in walk(element))


def _is_repeatable(node: cst.CSTNode, context: FileContext) -> bool:
    if isinstance(node, cst.Call):
        bound = context.bound(node)
        return isinstance(bound, BoundOp) and not bound.op.random
    return not isinstance(node, (cst.Yield, cst.Await, cst.NamedExpr))


def _text(node: cst.CSTNode) -> str:
    text = cst.Module([]).code_for_node(node)
    return text if len(text) < 40 else text[:37] + "..."


# Indices.


def index_kind(node: cst.Subscript, context: FileContext) -> str:
    """`basic` (a view), `mask` (one boolean array), `gather` (other arrays or lists), or `unknown`."""
    kinds = {_part_kind(element.slice, context) for element in node.slice}
    if (
        len(node.slice) == 1
        and isinstance(node.slice[0].slice, cst.Index)
        and isinstance(node.slice[0].slice.value, cst.Tuple)
    ):
        parts = node.slice[0].slice.value.elements
        kinds = {_part_kind(cst.Index(part.value), context) for part in parts}
        return _joined_kind(kinds, len(parts))
    return _joined_kind(kinds, len(node.slice))


def _joined_kind(kinds: set[str], count: int) -> str:
    if kinds == {"mask"} and count == 1:
        return "mask"
    if kinds & {"mask", "gather"}:
        return "gather"
    return "unknown" if "unknown" in kinds else "basic"


def _part_kind(part: cst.BaseSlice, context: FileContext) -> str:
    if isinstance(part, cst.Slice):
        return "basic"
    assert isinstance(part, cst.Index)
    value, found = part.value, context.type_of(part.value)
    if isinstance(value, cst.Ellipsis) or (isinstance(value, cst.Name) and value.value == "None"):
        return "basic"
    if isinstance(found, Scalar) and found.kind == "int":
        return "basic"
    if isinstance(found, Reference) and found.path.endswith(".newaxis"):
        return "basic"
    if isinstance(found, Array):
        return "mask" if found.dtype == "bool" else "gather"
    return "gather" if isinstance(found, Sequence) and found.kind == "list" else "unknown"


def index_elements(node: cst.Subscript, context: FileContext) -> list[cst.SubscriptElement]:
    """The rewritten index; lists become arrays, which JAX asks for."""
    return [
        (
            element.with_changes(slice=element.slice.with_changes(value=_index_value(element.slice.value, context)))
            if isinstance(element.slice, cst.Index)
            else context.rewrite(element)
        )
        for element in node.slice
    ]


def _index_value(node: Node, context: FileContext) -> Node:
    if isinstance(node, cst.Tuple):
        return node.with_changes(
            elements=[element.with_changes(value=_index_value(element.value, context)) for element in node.elements]
        )
    found = context.type_of(node)
    rewritten: Node = context.rewrite(node)
    if isinstance(found, Sequence) and found.kind == "list":
        return context.expression("jax.numpy.array({index})", index=rewritten)  # type: ignore[no-any-return]
    return rewritten


# Writing.


def read_place(place: Place, context: FileContext, depth: int | None = None) -> Node:
    """The array as the target reads it, through the first `depth` indices."""
    node: Node = context.rewrite(place.node)
    for subscript in place.indices[:depth]:
        node = cst.Subscript(parenthesized(node), index_elements(subscript, context))
    return node


def with_update(place: Place, value: Node, context: FileContext, method: str = "set") -> tuple[Node, Node]:
    """The target and the value of the assignment that puts a new value there: `x` and `x.at[i].set(value)`."""
    target: Node = context.rewrite(place.node)
    kept = place.kind == "variable" and keeps_gradient(place.node, context)
    if not place.indices:
        return _kept(target, value, context) if kept else (_whole(target) if place.kind == "variable" else target, value)
    groups = _merged(place.indices, context)
    for depth in range(len(groups) - 1, -1, -1):
        if depth == 0 and place.kind == "variable" and method == "set" and not kept:
            return cst.Subscript(parenthesized(context.rewrite(place.node)), groups[0]), value
        array: Node = context.rewrite(place.node)
        for elements in groups[:depth]:
            array = cst.Subscript(parenthesized(array), elements)
        at = cst.Subscript(cst.Attribute(parenthesized(array), cst.Name("at")), groups[depth])
        value = cst.Call(
            cst.Attribute(at, cst.Name(method)),
            [cst.Arg(value.with_changes(lpar=[], rpar=[]) if _bare(value) else value)],
        )
        method = "set"
    return _kept(target, value, context) if kept else (_whole(target) if place.kind == "variable" else target, value)


def _kept(target: Node, value: Node, context: FileContext) -> tuple[Node, Node]:
    """A parameter's new value, of which the gradient still is the parameter's."""
    old = cst.Subscript(parenthesized(target), [cst.SubscriptElement(cst.Index(cst.Ellipsis()))])
    new = value.with_changes(lpar=[], rpar=[]) if _bare(value) else value
    return _whole(target), context.expression("helpers.with_gradient_of({old}, {new})", old=old, new=new)


def _bare(value: Node) -> bool:
    """Parentheses that an argument or a right-hand side does not need."""
    return bool(value.lpar) and not isinstance(value, (cst.Tuple, cst.GeneratorExp, cst.NamedExpr, cst.Yield))


def _whole(variable: Node) -> Node:
    return cst.Subscript(parenthesized(variable), [cst.SubscriptElement(cst.Index(cst.Ellipsis()))])


def _merged(indices: tuple[cst.Subscript, ...], context: FileContext) -> list[list[cst.SubscriptElement]]:
    """`x[0][1:]` is `x[0, 1:]`: what follows whole numbers joins them."""
    groups: list[list[cst.SubscriptElement]] = []
    open_group = False
    for subscript in indices:
        elements = index_elements(subscript, context)
        if open_group:
            elements = [*(e.with_changes(comma=cst.MaybeSentinel.DEFAULT) for e in groups.pop()), *elements]
        groups.append(elements)
        open_group = all(
            isinstance(element.slice, cst.Index) and context.type_of(element.slice.value) == Scalar("int")
            for element in subscript.slice
        )
    return groups


def assignment(target: Node, value: Node, *more: cst.AssignTarget) -> cst.Assign:
    """`target = value`, behind other targets if there are any."""
    plain = value.with_changes(lpar=[], rpar=[]) if _bare(value) and not _several_lines(value) else value
    return cst.Assign([*more, cst.AssignTarget(target)], plain)  # type: ignore[arg-type]


def _several_lines(value: Node) -> bool:
    return "\n" in cst.Module([]).code_for_node(value)


# Who else sees the change.


@functools.lru_cache(maxsize=2)
def aliases_of(inference: Inference) -> Aliases:
    """The alias analysis of a conversion, made once."""
    return Aliases(inference)


def surroundings(context: FileContext, node: cst.CSTNode) -> tuple[FunctionAliases, Where]:
    """The analysis of the function that a call or statement belongs to, and where it stands there."""
    aliases, file = aliases_of(context.inference), context.scope.file
    where = aliases.places(file)[node]
    return aliases.function(where.function, file), where


def check_sharing(place: Place, context: FileContext, node: cst.CSTNode, what: str) -> Refusal | None:
    """A refusal if something read later would have seen the change; what a caller misses is noted for review."""
    analysis, where = surroundings(context, node)
    statement = where.statement
    found = analysis.storages(statement, place.node)
    if place.kind == "temporary" and all(storage == Storage("fresh", place.node) for storage in found):
        return None  # Made here and now: what an earlier round of a loop made and kept is other memory.
    name = "" if place.kind == "temporary" else dotted(place.node) or root_name(place.node) or ""
    base = place.node.value if isinstance(place.node, cst.Subscript) else place.node
    own = {name, root_name(base) or "", dotted(base) or ""} if place.kind == "item" else {name}
    readers = [reader for reader in analysis.readers(statement, found, name) if reader not in own]
    if place.kind in ("variable", "attribute"):
        owners = {name[:index] for index, letter in enumerate(name) if letter == "."}
        readers = [reader for reader in readers if reader not in owners]
    if place.kind == "variable":
        readers = [reader for reader in readers if reader in analysis.derived]
    if readers:
        return Refusal(
            f"{what} also changes {' and '.join(sorted(readers)[:2])}, used later and perhaps the same memory; "
            "copy it first or use the new array in its place", node)  # fmt: skip
    if place.kind == "variable":
        return None
    if place.kind == "item":  # The container's own items are written back into it.
        found = frozenset(one for one in found if one.kind == "parameter" and one.site != root_name(place.node))
    for storage in sorted(found, key=lambda storage: (storage.kind, str(storage.site))):
        if storage.kind == "outer":
            return Refusal(f"{storage.site} belongs to an enclosing scope, where {what} would not be seen; "
                           "pass it in and return it", node)  # fmt: skip
        if storage.kind == "attribute" and storage.site != name:
            return Refusal(
                f"{what} also changes {storage.site}, which a JAX array would not; write to {storage.site}", node
            )
        if storage.kind == "parameter":
            refusal = _check_caller(str(storage.site), where.function, analysis, context, node, what, name)
            if refusal is not None:
                return refusal
    return None


def reads_shared(place: Place, parts: Iterable[cst.CSTNode], node: cst.CSTNode, context: FileContext) -> str | None:
    """A name below `parts` that may share memory with the place, as the statement of `node` begins."""
    analysis, where = surroundings(context, node)
    found = analysis.storages(where.statement, place.node)
    for part in parts:
        for inner in walk(part):
            if isinstance(inner, (cst.Name, cst.Attribute)) and analysis.storages(where.statement, inner) & found:
                return describe(inner)
    return None


def _check_caller(
    parameter: str,
    function: cst.CSTNode,
    analysis: FunctionAliases,
    context: FileContext,
    node: cst.CSTNode,
    what: str,
    name: str,
) -> Refusal | None:
    aliases = aliases_of(context.inference)
    if aliases.callers_lose_nothing(function, parameter):
        return None
    returned = given_back(aliases, function)
    is_returned = returned is not None and parameter in returned.names and name == parameter
    if is_returned and returned is not None and returned.is_seen:
        return None
    seen = (
        f"{what} changes the caller's {parameter} in place in {context.source.name}, but not in {context.target.name}"
    )
    if not analysis.returns_value and not is_returned:
        return Refusal(f"{seen}; return the new array and use it in the caller", node)
    context.review(node, f"{seen}; use the returned array in the caller", rule="mutation")
    return None


def describe(node: cst.CSTNode) -> str:
    """A short quotation of the source for a reason."""
    return _text(node)


def is_unknown(node: Node, context: FileContext) -> bool:
    """Whether inference does not know what an expression is."""
    return isinstance(context.type_of(node), (Unknown, Method))
