"""TensorFlow as target: stores into tensors, values for Python, data, checkpoints and generators.

Tensors never change: a store becomes a new tensor. What helpers of the same names do is written as for JAX.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import operand
from ..rewriter.lattice import UNKNOWN
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from . import augmented_assignments, checkpoints, data_loading, generators, mutating_calls, subscript_stores
from .generators import NewGenerator, Reseeding, SeededBelow
from .mutating_calls import InPlaceUpdate
from .places import Place, assignment, index_elements
from .subscript_stores import OPERATORS, Store


@dataclass(frozen=True)
class HostValue:
    """`.item()` or `.tolist()` of something whose type is not known."""

    value: cst.BaseExpression
    name: str


def read_host_value(node: cst.Call, context: FileContext) -> HostValue | None:
    """`x.item()` where nothing is known of x."""
    function = node.func
    if not isinstance(function, cst.Attribute) or function.attr.value not in ("item", "tolist") or node.args:
        return None
    if context.type_of(function.value) != UNKNOWN or context.inference.defines_method(function.attr.value, node):
        return None
    return HostValue(function.value, function.attr.value)


def write_host_value(construct: HostValue, node: cst.Call, context: FileContext) -> Any:
    """The helper, which takes tensors and NumPy arrays."""
    context.converted(node, op=construct.name, rule="host_values")
    return context.expression(f"helpers.{construct.name}({{value}})", value=context.rewrite(construct.value))


def write_store(construct: Store, node: cst.Assign | cst.AugAssign, context: FileContext) -> Any:
    """`x = store(x, index, value)`, or `w.assign(value)` for a variable."""
    place = construct.place
    if len(place.indices) > 1:
        return Refusal("a store through several indices; index once", node)
    target, value = context.rewrite(place.node), context.rewrite(construct.value)
    old: Any = target
    if place.indices:
        index = _index(place, context)
        old = cst.Subscript(operand(target), list(index_elements(place.indices[0], context)))
    if construct.operator is not None:
        value = cst.BinaryOperation(operand(old), OPERATORS[type(construct.operator)], operand(value))
    if place.indices:
        value = context.expression("helpers.store({x}, {index}, {value})", x=target, index=index, value=value)
    context.converted(node, op="store", api="[]=", rule="subscript_stores")
    if place.kind == "variable":
        return cst.Expr(context.expression("{x}.assign({value})", x=target, value=value))
    return assignment(target, value)


def _index(place: Place, context: FileContext) -> cst.BaseExpression:
    """The index as a value: slices as `slice(...)`."""
    parts: list[Any] = []
    for element in place.indices[0].slice:
        if isinstance(element.slice, cst.Slice):
            bounds = (element.slice.lower, element.slice.upper, element.slice.step)
            written = [cst.Name("None") if bound is None else context.rewrite(bound) for bound in bounds]
            used = written if bounds[2] is not None else written[:2]
            parts.append(cst.Call(cst.Name("slice"), [cst.Arg(bound) for bound in used]))
        else:
            parts.append(context.rewrite(element.slice.value))  # type: ignore[attr-defined]
    return parts[0] if len(parts) == 1 else cst.Tuple([cst.Element(part) for part in parts])


def write_update(construct: InPlaceUpdate, node: Any, context: FileContext) -> Any:
    """As for JAX where a whole array changes; parts of arrays and variables are refused."""
    if construct.place.indices or construct.place.kind == "variable":
        return Refusal("an in-place method on a part of an array; assign to the part instead", node)
    return mutating_calls.write_statement(construct, node, context)


def write_generator(construct: Any, node: cst.Call, context: FileContext) -> Any:
    """`tf.random.Generator.from_seed(seed)`."""
    if isinstance(construct, NewGenerator):
        context.converted(node, op="NewGenerator", rule="generators")
        return _generator(construct.seed, context)
    if isinstance(construct, Reseeding) and construct.generator is None:
        return None
    return Refusal("reseeding a generator or reading its state; make a new tf.random.Generator", node)


def _generator(seed: cst.BaseExpression | None, context: FileContext) -> Any:
    given = cst.Integer("0") if seed is None else context.rewrite(seed)
    return context.expression("tensorflow.random.Generator.from_seed({seed})", seed=given)


def write_generator_line(
    construct: SeededBelow | NewGenerator, node: cst.SimpleStatementLine, context: FileContext
) -> Any:
    """`g = tf.random.Generator.from_seed(seed)`; nothing for the seeding below it."""
    if isinstance(construct, NewGenerator):
        return cst.RemovalSentinel.REMOVE
    assign = node.body[0]
    assert isinstance(assign, cst.Assign)
    context.converted(assign.value, op="NewGenerator", rule="generators")
    return node.with_changes(body=[assign.with_changes(value=_generator(construct.seed, context))])


def write_data_call(construct: Any, node: cst.Call, context: FileContext) -> Any:
    """The helper of the same name, where there is one."""
    try:
        return data_loading.write_call(construct, node, context)
    except KeyError as error:
        return Refusal(f"{error.args[0]} yet", node)


def write_data_name(construct: Any, node: cst.CSTNode, context: FileContext) -> Any:
    """The helper of the same name, where there is one."""
    try:
        return data_loading.write_name(construct, node, context)
    except KeyError as error:
        return Refusal(f"{error.args[0]} yet", node)


_CALL = (cst.Call,)
RULES = (
    Rule("host_values", _CALL, {"torch": read_host_value}, {"tensorflow": write_host_value}, order=25),
    Rule("tensor_store", (cst.Assign,), {"torch": subscript_stores.read_assignment}, {"tensorflow": write_store}, order=20),
    Rule("tensor_augmented", (cst.AugAssign,), {"torch": subscript_stores.read_augmented}, {"tensorflow": write_store}, order=20),
    Rule("tensor_augmented_name", (cst.AugAssign,), {"torch": augmented_assignments.read},
         {"tensorflow": augmented_assignments.write}, order=22),
    Rule("tensor_update", mutating_calls.STATEMENTS, {"torch": mutating_calls.read_statement}, {"tensorflow": write_update}, order=20),
    Rule("tensor_mutation", _CALL, {"torch": mutating_calls.read_call}, {"tensorflow": mutating_calls.write_call}, order=20),
    Rule("tensor_generator", _CALL, {"torch": generators.read_call}, {"tensorflow": write_generator}, order=25),
    Rule("tensor_generator_line", (cst.SimpleStatementLine,), {"torch": generators.read_statement},
         {"tensorflow": write_generator_line}, order=25),
    Rule("tensor_data", _CALL, {"torch": data_loading.read_call}, {"tensorflow": write_data_call}, order=25),
    Rule("tensor_data_class", (cst.Attribute, cst.Name), {"torch": data_loading.read_name}, {"tensorflow": write_data_name}, order=25),
    Rule("tensor_checkpoint", _CALL, {"torch": checkpoints.read_checkpoint}, {"tensorflow": checkpoints.write_checkpoint}, order=25),
)  # fmt: skip
