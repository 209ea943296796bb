"""Functions that change their callers' arrays: they return the new ones, and the callers take them (given_back.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import parenthesized
from ..rewriter.nodes import walk
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .given_back import GivenBack, given_back
from .places import (
    NoPlace,
    Place,
    aliases_of,
    assignment,
    check_sharing,
    describe,
    find_place,
    surroundings,
    with_update,
)

_RULE = "returned_arrays"


@dataclass(frozen=True)
class ReturnedArrays:
    """The end of a function that returns the arrays that it was given and changed."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class TakenArrays:
    """A call that changes arrays, and the places that these are taken back into."""

    places: tuple[Place, ...]


def _returned(function: Any, context: FileContext) -> ReturnedArrays | None:
    found = given_back(aliases_of(context.inference), function)
    return ReturnedArrays(found.names) if found is not None and not found.itself else None


def read_body(node: cst.IndentedBlock, context: FileContext) -> ReturnedArrays | None:
    """The body of a function that returns nothing."""
    function = context.stack[-2] if len(context.stack) > 1 else None
    return _returned(function, context) if isinstance(function, cst.FunctionDef) and function.body is node else None


def write_body(construct: ReturnedArrays, node: cst.IndentedBlock, context: FileContext) -> Any:
    """The body, with a return at its end unless it leaves there anyway."""
    last = node.body[-1]
    leaves = isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], (cst.Return, cst.Raise))
    if leaves:
        return context.rewrite_children(node)
    end = cst.SimpleStatementLine([cst.Return(_names(construct))])
    return context.rewrite_children(node.with_changes(body=[*node.body, end]))


def _names(construct: ReturnedArrays) -> cst.BaseExpression:
    names = [cst.Name(name) for name in construct.names]
    return names[0] if len(names) == 1 else cst.Tuple([cst.Element(name) for name in names], lpar=[], rpar=[])


def read_return(node: cst.Return, context: FileContext) -> ReturnedArrays | None:
    """`return` in the middle of such a function."""
    return _returned(context.enclosing(cst.FunctionDef), context) if node.value is None else None


def write_return(construct: ReturnedArrays, node: cst.Return, context: FileContext) -> cst.Return:
    """`return x`."""
    return node.with_changes(value=_names(construct), whitespace_after_return=cst.SimpleWhitespace(" "))


def read_annotation(node: cst.Annotation, context: FileContext) -> ReturnedArrays | None:
    """`-> None` of such a function."""
    function = context.stack[-2] if len(context.stack) > 1 else None
    return _returned(function, context) if isinstance(function, cst.FunctionDef) and function.returns is node else None


def write_annotation(construct: ReturnedArrays, node: cst.Annotation, context: FileContext) -> cst.Annotation:
    """`-> jax.Array`."""
    array = "jax.Array"
    many = f"tuple[{', '.join([array] * len(construct.names))}]"
    return node.with_changes(annotation=context.expression(many if len(construct.names) > 1 else array))


def _asked(call: cst.CSTNode, context: FileContext) -> tuple[GivenBack, list[cst.BaseExpression | None]] | None:
    """What a call of such a function changes: the arguments, where they can be told."""
    if not isinstance(call, cst.Call):
        return None
    aliases = aliases_of(context.inference)
    definition = aliases.definition(context.type_of(call.func))
    found = given_back(aliases, definition.node) if definition is not None else None
    if found is None or definition is None:
        return None
    return found, [aliases.argument(call, definition.node, name) for name in found.names]  # type: ignore[arg-type]


def read_call(node: cst.Expr | cst.Assign, context: FileContext) -> TakenArrays | Refusal | None:
    """A call of such a function, as a statement or as what a name is bound to."""
    asked = _asked(node.value, context)
    if asked is None or (isinstance(node, cst.Assign) and not asked[0].itself):
        return None
    found, arguments = asked
    places = []
    for name, argument in zip(found.names, arguments, strict=True):
        place = _place(name, argument, node, context)
        if isinstance(place, Refusal):
            return place
        if place is None or (isinstance(node, cst.Assign) and not _is_read_later(place, node, context)):
            return None
        refusal = _given_twice(argument, node, context) or check_sharing(place, context, node, describe(node))
        if refusal is not None:
            return refusal
        places.append(place)
    if len(places) > 1 and any(place.indices for place in places):
        return Refusal(f"{describe(node)} changes a part of an array; assign what it returns to that part", node)
    return TakenArrays(tuple(places))


def _place(
    name: str, argument: cst.BaseExpression | None, node: cst.CSTNode, context: FileContext
) -> Place | Refusal | None:
    """Where an argument is held; None for an array that nobody holds."""
    if argument is None:
        return Refusal(f"{describe(node)} changes the array that it takes as {name}; pass that by position or name", node)
    try:
        return find_place(argument, context)
    except NoPlace as problem:
        return Refusal(str(problem), node) if str(problem) else None


def _given_twice(argument: cst.BaseExpression | None, node: cst.Expr | cst.Assign, context: FileContext) -> Refusal | None:
    """A refusal where the function sees the changed memory through another of its arguments too."""
    analysis, where = surroundings(context, node)
    assert isinstance(node.value, cst.Call) and argument is not None
    held = analysis.storages(where.statement, argument)
    for other in node.value.args:
        if other.value is not argument and analysis.storages(where.statement, other.value) & held:
            return Refusal(
                f"{describe(other.value)} may be the same memory as {describe(argument)}, which {describe(node)} changes; "
                "copy it first", node)  # fmt: skip
    return None


def _is_read_later(place: Place, node: cst.CSTNode, context: FileContext) -> bool:
    analysis, where = surroundings(context, node)
    return bool(analysis.readers(where.statement, analysis.storages(where.statement, place.node), ""))


def write_call(construct: TakenArrays, node: cst.Expr | cst.Assign, context: FileContext) -> cst.Assign:
    """`x = fill(x)`, `x, y = fill(x, y)`, `z = x = fill(x)`."""
    context.converted(node.value, op="in_place_update", rule=_RULE)
    value = context.rewrite(node.value)
    if len(construct.places) == 1:
        target, value = with_update(construct.places[0], value, context)
    else:
        targets = [with_update(place, value, context)[0] for place in construct.places]
        target = cst.Tuple([cst.Element(parenthesized(one)) for one in targets], lpar=[], rpar=[])
    own = [one.with_changes(target=context.rewrite(one.target)) for one in getattr(node, "targets", ())]
    return assignment(target, value, *own)


def read_inner(node: cst.Call, context: FileContext) -> Refusal | None:
    """A call whose value goes elsewhere: fine where nobody sees the changed array again."""
    asked = _asked(node, context)
    if asked is None:
        return None
    statement = surroundings(context, node)[1].statement
    if isinstance(statement, cst.Expr) and statement.value is node:
        return None
    found, arguments = asked
    what = describe(node)
    if not found.itself:
        return Refusal(f"{what} returns nothing here, but the changed arrays in {context.target.name}", node)
    if isinstance(statement, cst.Assign) and statement.value is node:
        return None
    place = _place(found.names[0], arguments[0], node, context)
    if place is None or isinstance(place, Refusal):
        return place
    if _is_seen_again(place, node, context):
        return Refusal(f"{what} also changes {describe(place.node)}, used later; give it a line of its own", node)
    return check_sharing(place, context, node, what)


def _is_seen_again(place: Place, node: cst.Call, context: FileContext) -> bool:
    """Whether the array may be read after the call, in the same statement or behind it."""
    statement = surroundings(context, node)[1].statement
    loops = [part for part in walk(statement) if isinstance(part, (cst.Lambda, cst.BaseComp))]
    repeated = any(part is node for loop in loops for part in walk(loop))
    if not isinstance(statement, cst.BaseSmallStatement) or repeated or place.kind != "name":
        return True
    around = [part for part in walk(statement) if isinstance(part, cst.Name)]
    within = {part for part in walk(node) if isinstance(part, cst.Name)}
    name = place.node.value  # type: ignore[attr-defined]
    twice = any(part.value == name and part not in within for part in around)
    return twice or _is_read_later(place, node, context)


def _rule(name: str, kinds: tuple[type[cst.CSTNode], ...], read: Any, write: Any) -> Rule:
    return Rule(f"{_RULE}_{name}", kinds, {"torch": read}, {"jax": write}, order=12)


RULES = (
    _rule("body", (cst.IndentedBlock,), read_body, write_body),
    _rule("return", (cst.Return,), read_return, write_return),
    _rule("annotation", (cst.Annotation,), read_annotation, write_annotation),
    _rule("call", (cst.Expr, cst.Assign), read_call, write_call),
    _rule("inner", (cst.Call,), read_inner, lambda *_: None),
)
