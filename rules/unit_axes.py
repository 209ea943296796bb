"""`x.squeeze(axis)`: torch keeps an axis whose length is not 1. Unless the length is evident, it is asked.

Evidence may be wrong without harm: the target's own function raises for an axis that is longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import operand
from ..rewriter.lattice import Array, Scalar
from ..rewriter.lifting import named_value
from ..rewriter.nodes import walk
from ..rewriter.read import BoundOp, Given, literal
from ..rewriter.rule import Rule
from ..rewriter.signature import MISSING

#: Hub ops after which every axis has the length it had; layers likewise.
_ELEMENTWISE = frozenset(
    "abs astype clip contiguous copy dropout elu exp gelu leaky_relu log log_sigmoid log_softmax log1p negative relu "
    "relu6 sigmoid silu softmax softplus sqrt square stop_gradient tanh to_device identity".split()
)
#: Layers by the argument that is the length of one axis of what they give.
_WIDTHS = {"linear_layer": ("out_features", -1)} | {
    f"conv{kind}{count}d_layer": ("out_channels", 1) for kind in ("", "_transpose") for count in (1, 2, 3)
}


@dataclass(frozen=True)
class UnitAxis:
    """An axis that is taken away if its length is 1.

    position: the axis as a number. is_evident: its length is 1. has_axes: the array is certainly no single number.
    """

    array: cst.BaseExpression
    axis: cst.BaseExpression
    position: int
    is_evident: bool
    has_axes: bool
    is_method: bool
    api: str


def read_call(node: cst.Call, context: FileContext) -> UnitAxis | None:
    """`x.squeeze(-1)` and `torch.squeeze(x, dim=1)`."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.name != "squeeze" or bound.starred:
        return None
    array, axis = bound.given("x"), bound.given("axis")
    if array is None or axis is None:
        return None
    position = literal(axis)
    if not isinstance(position, int) or (isinstance(node.func, cst.Attribute) and node.func.attr.value.endswith("_")):
        return None
    is_evident = _Lengths(context, node).is_one(array, position)
    type_ = context.type_of(array)
    if not is_evident and (not isinstance(type_, Array) or type_.storage or type_.rank == 0):
        return None
    has_axes = position not in (0, -1) or (isinstance(type_, Array) and bool(type_.rank))
    is_method = bound.spelling.form == "method"
    return UnitAxis(array, axis, position, is_evident, has_axes, is_method, bound.api)


def write_call(construct: UnitAxis, node: cst.Call, context: FileContext) -> cst.BaseExpression | None:
    """`x.squeeze(axis=-1)`, as method or function as the source has it, if need be with `if x.shape[-1] == 1 else x`."""
    template = "{array}.squeeze(axis={axis})" if construct.is_method else "jax.numpy.squeeze({array}, axis={axis})"
    parts = {"axis": context.rewrite(construct.axis)}
    if construct.is_evident:
        parts["array"] = context.rewrite(construct.array)
    else:
        array = named_value(construct.array, node, "value", context)
        if array is None:
            return None
        parts["array"] = array
        # A slice of the shape also asks a single number, which has no axis to take away.
        slices = {0: "[:1] == (1,)", -1: "[-1:] == (1,)"}
        test = "[{axis}] == 1" if construct.has_axes else slices[construct.position]
        template += " if {array}.shape" + test + " else {array}"
    context.converted(node, op="squeeze", api=construct.api, rule="unit_axes")
    made: cst.BaseExpression = context.expression(template, **parts)
    return made if construct.is_evident or context.stands_alone(node) else operand(made)


class _Lengths:
    """What expressions up to `place` say of the lengths of axes."""

    def __init__(self, context: FileContext, place: cst.CSTNode) -> None:
        self.context, self.place = context, place

    def is_one(self, node: cst.BaseExpression, axis: int) -> bool:
        """Whether an axis of an array has evidently the length 1."""
        match node:
            case cst.Name(value=name):
                given = self._last_assignment(name)
                return given is not None and _Lengths(self.context, given).is_one(given.value, axis)
            case cst.BinaryOperation(operator=cst.MatrixMultiply(), left=left, right=right):
                return self._of_product(left, right, axis)
            case cst.BinaryOperation(left=left, right=right):
                arrays = [side for side in (left, right) if not isinstance(self.context.type_of(side), Scalar)]
                aligned = axis < 0 or len(arrays) == 1  # Arrays of fewer axes meet the last ones.
                return aligned and bool(arrays) and all(self.is_one(side, axis) for side in arrays)
            case cst.Subscript():
                return _is_made_by_index(node, axis) or self._keeps_axis(node.value, axis)
            case cst.Attribute(value=value):
                return self._keeps_axis(value, axis)
            case cst.Call():
                return self._of_call(node, axis)
        return False

    def _of_call(self, node: cst.Call, axis: int) -> bool:
        bound = self.context.bound(node)
        if not isinstance(bound, BoundOp):
            return self._of_layer(node.func, axis)
        given = [bound.given(parameter.name) for parameter in bound.op.parameters[:2]]
        index = bound.given("index") or bound.given("indices")
        match bound.op.name:
            case "expand_dims":
                return _argument(bound, "axis") == axis
            case "gather" | "take_along_axis" if index is not None:
                return self.is_one(index, axis)
            case "matmul" if len(given) == 2 and given[0] is not None and given[1] is not None:
                return self._of_product(given[0], given[1], axis)
            case name if name in _ELEMENTWISE and given[0] is not None:
                return self.is_one(given[0], axis)
        return self._keeps_axis(node, axis)

    def _of_product(self, left: cst.BaseExpression, right: cst.BaseExpression, axis: int) -> bool:
        side = {-1: right, -2: left}.get(axis)
        return side is not None and self.is_one(side, axis)

    def _keeps_axis(self, node: cst.BaseExpression, axis: int) -> bool:
        """Whether a reduction leaves an axis of length 1: `x.sum(-1, keepdim=True)`, `x.max(-1, True)[0]`."""
        bound = self.context.bound(node)
        if not isinstance(bound, BoundOp) or _argument(bound, "keepdims") is not True:
            return False
        reduced = _argument(bound, "axis")
        return axis in reduced if isinstance(reduced, (tuple, list)) else reduced == axis

    def _of_layer(self, function: cst.BaseExpression, axis: int) -> bool:
        """Whether a module's layer gives one feature or channel: `self.head = nn.Linear(width, 1)`."""
        owner = self.context.enclosing(cst.ClassDef)
        if owner is None or not isinstance(function, cst.Attribute):
            return False
        made = [
            statement.value
            for statement in walk(owner.body)
            if isinstance(statement, cst.Assign) and statement.targets[0].target.deep_equals(function)
        ]
        return bool(made) and all(self._is_narrow(value, axis) for value in made)

    def _is_narrow(self, layer: cst.BaseExpression, axis: int) -> bool:
        bound = self.context.bound(layer)
        if not isinstance(bound, BoundOp) or not isinstance(layer, cst.Call):
            return False
        if bound.op.name in _WIDTHS:
            name, position = _WIDTHS[bound.op.name]
            return position == axis and _argument(bound, name) == 1
        if bound.op.name != "sequential_layer":
            return False
        for argument in reversed(layer.args):
            last = self.context.bound(argument.value)
            if not isinstance(last, BoundOp) or last.op.name.removesuffix("_layer") not in _ELEMENTWISE:
                return self._is_narrow(argument.value, axis)
        return False

    def _last_assignment(self, name: str) -> cst.Assign | None:
        """Where a local name is given a value last before the place."""
        function = self.context.enclosing(cst.FunctionDef)
        found = None
        for node in walk(function.body) if function is not None else ():
            if node is self.place:
                break
            if not isinstance(node, cst.Assign) or node in self.context.stack:
                continue  # A statement around the place gives its names their values behind it.
            if any(isinstance(one.target, cst.Name) and one.target.value == name for one in node.targets):
                found = node
        return found


def _argument(bound: BoundOp, name: str) -> Any:
    argument = bound.arguments.get(name)
    return literal(argument.node) if isinstance(argument, Given) else getattr(argument, "value", MISSING)


def _is_made_by_index(node: cst.Subscript, axis: int) -> bool:
    """Whether `x[:, None]` or `x[..., :1]` gives this axis the length 1."""
    elements = [element.slice for element in node.slice]
    if axis < 0:
        elements = elements[::-1]
        if not any(isinstance(one, cst.Index) and isinstance(one.value, cst.Ellipsis) for one in elements):
            return False
    position = axis if axis >= 0 else -axis - 1
    for element in elements:
        is_new = isinstance(element, cst.Index) and isinstance(element.value, cst.Name) and element.value.value == "None"
        if not is_new and not isinstance(element, cst.Slice):
            return False
        if position == 0:
            return is_new or _is_single(element)
        position -= 1
    return False


def _is_single(element: cst.BaseSlice) -> bool:
    """Whether a slice is `:1`, `-1:` or one between neighbouring numbers."""
    if not isinstance(element, cst.Slice) or element.step is not None:
        return False
    lower, upper = (None if bound is None else literal(bound) for bound in (element.lower, element.upper))
    if upper is None:
        return bool(lower == -1)
    return isinstance(upper, int) and isinstance(lower or 0, int) and upper - (lower or 0) == 1


RULES = (Rule("unit_axes", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=60),)
