"""Stores into arrays: `x[i] = v`, `x[i] += v`, `x[mask] = 0`, and `w.data = v`."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import operand
from ..rewriter.lattice import Array, Scalar, Sequence, Tuple, Unknown
from ..rewriter.read import BoundOp, Refusal
from ..rewriter.rule import Rule
from .places import (
    Node,
    NoPlace,
    Place,
    assignment,
    check_sharing,
    describe,
    find_place,
    index_kind,
    read_place,
    stable_index,
    with_update,
    without_wrappers,
)

_METHODS: dict[type[cst.BaseAugOp], str] = {
    cst.AddAssign: "add", cst.SubtractAssign: "subtract", cst.MultiplyAssign: "multiply", cst.DivideAssign: "divide",
    cst.PowerAssign: "power",
}  # fmt: skip
OPERATORS: dict[type[cst.BaseAugOp], cst.BaseBinaryOp] = {
    cst.AddAssign: cst.Add(), cst.SubtractAssign: cst.Subtract(), cst.MultiplyAssign: cst.Multiply(),
    cst.DivideAssign: cst.Divide(), cst.PowerAssign: cst.Power(), cst.FloorDivideAssign: cst.FloorDivide(),
    cst.ModuloAssign: cst.Modulo(), cst.MatrixMultiplyAssign: cst.MatrixMultiply(), cst.BitAndAssign: cst.BitAnd(),
    cst.BitOrAssign: cst.BitOr(), cst.BitXorAssign: cst.BitXor(), cst.LeftShiftAssign: cst.LeftShift(),
    cst.RightShiftAssign: cst.RightShift(),
}  # fmt: skip


#: Hub operations that ask something of every element.
_QUESTIONS = frozenset("isnan isinf isfinite isposinf isneginf logical_not".split())


@dataclass(frozen=True)
class Store:
    """A value put into part of an array, or into all of it where the place has no indices.

    operator: the augmented assignment's, or None for a plain store. mask: the boolean index, if it is the only one.
    """

    place: Place
    value: Node
    operator: cst.BaseAugOp | None
    mask: Node | None = None


def read_assignment(node: cst.Assign, context: FileContext) -> Store | Refusal | None:
    """`x[i] = v`, where x is an array; `w.data = v`."""
    targets = [target.target for target in node.targets]
    found = [part for target in targets for part in _array_targets(target, context)]
    if not found:
        return _read_unknown(targets[0], node, context) if len(targets) == 1 else None
    if len(targets) > 1 or found[0] is not targets[0]:
        return Refusal(f"{describe(found[0])} is stored together with other targets; give it a line of its own", node)
    return _read_store(found[0], node.value, None, node, context)


def read_augmented(node: cst.AugAssign, context: FileContext) -> Store | Refusal | None:
    """`x[i] += v`, where x is an array."""
    if not any(target is node.target for target in _array_targets(node.target, context)):
        return None
    return _read_store(node.target, node.value, node.operator, node, context)


def _array_targets(target: Node, context: FileContext) -> list[Node]:
    """The parts of a target that store into an array."""
    if isinstance(target, (cst.Tuple, cst.List)):
        return [part for element in target.elements for part in _array_targets(element.value, context)]
    if isinstance(target, cst.Subscript) and isinstance(context.type_of(target.value), Array):
        return [target]
    if isinstance(target, cst.Attribute) and without_wrappers(target, context) is not target:
        return [target]
    return []


def _read_store(
    target: Node, value: Node, operator: cst.BaseAugOp | None, node: cst.CSTNode, context: FileContext
) -> Store | Refusal | None:
    what = f"the store to {describe(target)}"
    try:
        place = find_place(target, context)
    except NoPlace as problem:
        return Refusal(str(problem) or f"{what} changes an array that nothing holds", node)
    if place.kind == "temporary":
        return Refusal(
            f"{what} changes an array through the result of a call, and JAX has no views; store into it directly",
            node,
        )
    for subscript in place.indices[:-1]:
        if index_kind(subscript, context) != "basic":
            return Refusal(f"{what} may change a copy, for {describe(subscript)} is no view; index once", node)
    if len(place.indices) > 1 and not all(stable_index(index, context) for index in place.indices):
        return Refusal(f"{what} would evaluate an index twice; give it a name first", node)
    refusal = check_sharing(place, context, node, what)
    if refusal is not None:
        return refusal
    mask = None
    if len(place.indices) == 1 and index_kind(place.indices[0], context) == "mask":
        mask = place.indices[0].slice[0].slice.value  # type: ignore[attr-defined]
    return Store(place, value, operator, mask)


def _read_unknown(target: Node, node: cst.Assign, context: FileContext) -> Refusal | None:
    """A store into something of unknown type that looks like an array's is pointed out; JAX itself raises at it."""
    if not isinstance(target, cst.Subscript) or not isinstance(context.type_of(target.value), Unknown):
        return None
    kind = index_kind(target, context)
    parts = [element.slice for element in target.slice]
    several = len(parts) > 1 and any(isinstance(part, cst.Slice) for part in parts)
    if kind in ("mask", "gather") or several or _is_numbered_store(target, node, context):
        return Refusal(
            f"the type of {describe(target.value)} is not known; if it is an array, JAX cannot store to it: annotate",
            node,
        )
    return None


def _is_numbered_store(target: cst.Subscript, node: cst.Assign, context: FileContext) -> bool:
    index = target.slice[0].slice
    numbered = isinstance(index, cst.Slice) or context.type_of(index.value) == Scalar("int")  # type: ignore[attr-defined]
    return numbered and isinstance(context.type_of(node.value), Array)


# Writing.


def write_store(
    construct: Store, node: cst.Assign | cst.AugAssign, context: FileContext
) -> cst.CSTNode | Refusal | None:
    """`x = x.at[i].set(v)`, `x = jnp.where(mask, v, x)`, or `w[i] = v` for a parameter or buffer."""
    place = construct.place
    if construct.mask is not None and not (place.kind == "variable" and construct.operator is not None):
        masked = _masked(construct, context)
        if masked is not None:
            return _done(assignment(*with_update(Place(place.node, place.kind), masked, context)), node, context)
    if place.kind == "variable" and len(place.indices) <= 1 and construct.operator is not None:
        target = with_update(place, cst.Name("_"), context)[0]
        assert isinstance(node, cst.AugAssign)
        value = context.rewrite(construct.value)
        return _done(node.with_changes(target=target, value=value), node, context)
    return _write_at(construct, node, context)


def _done(result: cst.CSTNode, node: cst.CSTNode, context: FileContext) -> cst.CSTNode:
    context.converted(node, op="store", api="[]=", rule="subscript_stores")
    return result


def _write_at(construct: Store, node: cst.Assign | cst.AugAssign, context: FileContext) -> cst.CSTNode | Refusal:
    place, operator = construct.place, construct.operator
    value = _value(construct.value, context)
    if operator is None:
        return _done(assignment(*with_update(place, value, context)), node, context)
    if not place.indices:
        return _done(
            assignment(*with_update(place, _operation(place, operator, value, context), context)), node, context
        )
    method = _METHODS.get(type(operator))
    if method is not None and (construct.mask is not None or index_kind(place.indices[-1], context) == "basic"):
        return _done(assignment(*with_update(place, value, context, method)), node, context)
    if not all(stable_index(index, context) for index in place.indices):
        return Refusal(
            f"the index of {describe(place.indices[-1])} would be evaluated twice; give it a name first", node
        )
    return _done(assignment(*with_update(place, _operation(place, operator, value, context), context)), node, context)


def _value(node: Node, context: FileContext) -> Node:
    """The rewritten value; a list of numbers becomes an array."""
    rewritten: Node = context.rewrite(node)
    if isinstance(context.type_of(node), (Sequence, Tuple)):
        return context.expression("jax.numpy.asarray({value})", value=rewritten)  # type: ignore[no-any-return]
    return rewritten


def _operation(place: Place, operator: cst.BaseAugOp, value: Node, context: FileContext) -> Node:
    return cst.BinaryOperation(operand(read_place(place, context)), OPERATORS[type(operator)], operand(value))


def _masked(construct: Store, context: FileContext) -> Node | None:
    """The whole array after a store under a mask; None where only `.at[mask]`, which needs concrete values, will do."""
    place, mask, value = construct.place, construct.mask, construct.value
    assert mask is not None
    new: Node | None = None
    if isinstance(context.type_of(value), Scalar) or _is_negative_number(value):
        new = context.rewrite(value)
        if construct.operator is not None:
            whole = Place(place.node, place.kind)
            new = _operation(whole, construct.operator, new, context)
    elif construct.operator is None and _is_masked_array(value, place.indices[0], context):
        new = context.rewrite(value.value)  # type: ignore[attr-defined]
    if new is None:
        return None
    arguments = {"mask": context.rewrite(mask), "value": new, "x": context.rewrite(place.node)}
    if construct.operator is None and _covers(mask, place, context):
        cast = "" if _keeps_type(place, value, context) else ".astype({x}.dtype)"
        return context.expression("jax.numpy.where({mask}, {value}, {x})" + cast, **arguments)  # type: ignore[no-any-return]
    return context.expression("helpers.store_where({x}, {mask}, {value})", **arguments)  # type: ignore[no-any-return]


def _is_negative_number(value: Node) -> bool:
    return isinstance(value, cst.UnaryOperation) and isinstance(value.expression, (cst.Integer, cst.Float))


def _is_masked_array(value: Node, mask: cst.Subscript, context: FileContext) -> bool:
    """`other[mask]`, under the mask of the store."""
    if not (isinstance(value, cst.Subscript) and _same_index(value, mask)):
        return False
    return isinstance(context.type_of(value.value), Array) and stable_index(value, context)


def _same_index(first: cst.Subscript, second: cst.Subscript) -> bool:
    return len(first.slice) == len(second.slice) and all(
        a.slice.deep_equals(b.slice) for a, b in zip(first.slice, second.slice, strict=True)
    )


def _covers(mask: Node, place: Place, context: FileContext) -> bool:
    """Whether the mask certainly has the array's shape: equal ranks, or it was computed from the whole array.

    Such a mask has at least the array's axes, and more than those no mask may have.
    """
    of_mask, of_array = context.type_of(mask), context.type_of(place.node)
    if isinstance(of_mask, Array) and isinstance(of_array, Array) and of_mask.rank and of_mask.rank == of_array.rank:
        return True
    return _compares(mask, place.node, context)


def _compares(mask: Node, array: Node, context: FileContext) -> bool:
    """Whether an expression asks something of every element of an array."""
    match mask:
        case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=right)]):
            elementwise = not isinstance(operator, (cst.Is, cst.IsNot, cst.In, cst.NotIn))
            return elementwise and (left.deep_equals(array) or right.deep_equals(array))
        case cst.BinaryOperation(left=left, operator=cst.BitAnd() | cst.BitOr() | cst.BitXor(), right=right):
            return _compares(left, array, context) or _compares(right, array, context)
        case cst.UnaryOperation(operator=cst.BitInvert(), expression=inner):
            return _compares(inner, array, context)
    bound = context.bound(mask)
    given = bound.given("x") if isinstance(bound, BoundOp) and bound.op.name in _QUESTIONS else None
    return given is not None and given.deep_equals(array)


def _keeps_type(place: Place, value: Node, context: FileContext) -> bool:
    """Whether a Python number certainly fits the array's element type, so that `where` does not widen it."""
    array, number = context.type_of(place.node), context.type_of(value)
    if not (isinstance(array, Array) and isinstance(number, Scalar)):
        return False
    order = ["bool", "int", "float", "complex"]
    return array.dtype in order and number.kind in order and order.index(number.kind) <= order.index(array.dtype)


RULES = (
    Rule(
        name="subscript_stores",
        nodes=(cst.Assign,),
        read={"torch": read_assignment},
        write={"jax": write_store},
        order=21,
    ),
    Rule(
        name="subscript_updates",
        nodes=(cst.AugAssign,),
        read={"torch": read_augmented},
        write={"jax": write_store},
        order=21,
    ),
)
