"""Helpers of an earlier conversion that stand for something of torch's by name: read back from JAX and TensorFlow code.

For torch they become what they came from; for another framework its helpers of the same names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array, RandomKey
from ..rewriter.read import BoundOp, Constant, Given, Refusal
from ..rewriter.rule import Rule
from ..rewriter.tables import HELPERS
from .generators import NewGenerator
from .module_class_spokes import is_stream, without_argument
from .places import assignment

_DATA = "torch.utils.data."
_NAMES = {
    **{name: f"{_DATA}{name}" for name in "Dataset TensorDataset Subset ConcatDataset random_split DataLoader".split()},
    "save": "torch.save", "load": "torch.load", "default_collate": f"{_DATA}default_collate",
}  # fmt: skip
_DRAWS = {"uniform": "random_uniform", "normal": "random_normal"}
_GENERATOR = {"torch": "torch.Generator().manual_seed({seed})", "jax": "flax.nnx.Rngs({seed})",
              "tensorflow": "tensorflow.random.Generator.from_seed({seed})"}  # fmt: skip


@dataclass(frozen=True)
class CopiedHelper:
    """A helper by its name, mentioned or called."""

    name: str


@dataclass(frozen=True)
class Stopped:
    """A value, or a container of values, as constants."""

    value: cst.BaseExpression


@dataclass(frozen=True)
class Stored:
    """`target` is `array` with `value` at `index`, put together by `method` (`set`, `add`, ...)."""

    target: cst.BaseExpression
    array: cst.BaseExpression
    index: cst.BaseExpression
    value: cst.BaseExpression


@dataclass(frozen=True)
class Asked:
    """Whether a parameter is trained."""

    parameter: cst.BaseExpression


def _helper(context: FileContext, node: cst.BaseExpression) -> str:
    path = context.direct_path(node) or ""
    return path.removeprefix(f"{HELPERS}.") if path.startswith(f"{HELPERS}.") else ""


def read_name(node: cst.Attribute | cst.Name, context: FileContext) -> CopiedHelper | None:
    """`class Corpus(Dataset)`, `save`."""
    name = _helper(context, node)
    return CopiedHelper(name) if name in _NAMES else None


def read_call(node: cst.Call, context: FileContext) -> CopiedHelper | Asked | None:
    """`DataLoader(...)`, `save(state, path)`, `requires_grad(p)`."""
    name = _helper(context, node.func)
    if name == "requires_grad" and len(node.args) == 1:
        return Asked(node.args[0].value)
    return CopiedHelper(name) if name in _NAMES else None


def write_name(construct: CopiedHelper, node: cst.CSTNode, context: FileContext) -> Any:
    """torch's own, or the helper of the same name."""
    context.converted(node, op=construct.name, rule="copied_helpers")
    if context.target.name == "torch":
        return context.expression(_NAMES[construct.name])
    try:
        return context.helper(construct.name)
    except KeyError as error:
        return Refusal(f"{error.args[0]} yet", node)


def write_call(construct: CopiedHelper | Asked, node: cst.Call, context: FileContext) -> Any:
    """The call of it; JAX's random orders come from their own argument."""
    if isinstance(construct, Asked):
        parameter = context.rewrite(construct.parameter)
        context.converted(node, op="requires_grad", rule="copied_helpers")
        if context.target.name == "torch":
            return cst.Attribute(parameter, cst.Name("requires_grad"))
        return context.expression("helpers.requires_grad({parameter})", parameter=parameter)
    function = write_name(construct, node, context)
    if isinstance(function, Refusal):
        return function
    call = without_argument(node, "generator") if _is_stream_argument(node, context) else node
    return call.with_changes(func=function, args=[context.rewrite(argument) for argument in call.args])


def _is_stream_argument(node: cst.Call, context: FileContext) -> bool:
    """Whether `generator=rngs` hands on the stream that stands for the process's generator."""
    return any(
        a.keyword is not None and a.keyword.value == "generator" and is_stream(context, a.value) for a in node.args
    )


def read_stop(node: cst.Call, context: FileContext) -> Stopped | None:
    """`jax.lax.stop_gradient(values)`, `tf.nest.map_structure(tf.stop_gradient, values)`, of anything but one array."""
    path = context.direct_path(node.func)
    if path == "jax.lax.stop_gradient" and len(node.args) == 1:
        return None if isinstance(context.type_of(node.args[0].value), Array) else Stopped(node.args[0].value)
    if path == "tensorflow.nest.map_structure" and len(node.args) == 2:
        stops = context.direct_path(node.args[0].value) == "tensorflow.stop_gradient"
        return Stopped(node.args[1].value) if stops else None
    return None


def write_stop(construct: Stopped, node: cst.Call, context: FileContext) -> Any:
    """Every array in the value as a constant."""
    context.converted(node, op="stop_gradient", rule="copied_helpers")
    value = context.rewrite(construct.value)
    template = {
        "torch": "helpers.detached({value})", "jax": "jax.lax.stop_gradient({value})",
        "tensorflow": "tensorflow.nest.map_structure(tensorflow.stop_gradient, {value})",
    }[context.target.name]  # fmt: skip
    return context.expression(template, value=value)


def read_store(node: cst.Assign, context: FileContext) -> Stored | None:
    """`x = store(x, index, value)`, `x = x.at[index].set(value)`."""
    if len(node.targets) != 1 or not isinstance(node.value, cst.Call):
        return None
    call, target = node.value, node.targets[0].target
    if _helper(context, call.func) == "store" and len(call.args) == 3:
        array, index, value = (argument.value for argument in call.args)
        return Stored(target, array, index, value)
    match call:
        case cst.Call(
            func=cst.Attribute(value=cst.Subscript(value=cst.Attribute(value=array, attr=cst.Name("at"))) as place,
                               attr=cst.Name(method)),
            args=[only],
        ) if context.source.name == "jax":  # fmt: skip
            index = cst.Subscript(array, place.slice)
            stored = _combined(index, method, only.value)
            return Stored(target, array, index, stored) if stored is not None else None
    return None


def _combined(old: cst.BaseExpression, method: str, value: cst.BaseExpression) -> cst.BaseExpression | None:
    """What `.at[i].add(v)` stores: `x[i] + v`. Only single places: JAX adds up repeated indices."""
    if method == "set":
        return value
    operators = {"multiply": cst.Multiply(), "divide": cst.Divide()}
    operator = operators.get(method)
    if operator is None:
        return None
    closed = value if isinstance(value, (cst.Name, cst.Float, cst.Integer, cst.Call, cst.Attribute)) else None
    return cst.BinaryOperation(old, operator, closed) if closed is not None else None


def write_store(construct: Stored, node: cst.Assign, context: FileContext) -> Any:
    """A new array with the value in place."""
    context.converted(node, op="store", rule="copied_helpers")
    array, value = context.rewrite(construct.array), context.rewrite(construct.value)
    index = construct.index
    if isinstance(index, cst.Subscript):
        parts = [_as_value(element.slice, context) for element in index.slice]
        written = parts[0] if len(parts) == 1 else cst.Tuple([cst.Element(part) for part in parts])
    else:
        written = context.rewrite(index)
    if context.target.name == "jax":
        made = context.expression("{array}.at[{index}].set({value})", array=array, index=_bare(written), value=value)
    else:
        made = context.expression("helpers.store({array}, {index}, {value})", array=array, index=written, value=value)
    return assignment(context.rewrite(construct.target), made)


def _as_value(element: cst.BaseSlice, context: FileContext) -> Any:
    if isinstance(element, cst.Index):
        return context.rewrite(element.value)
    assert isinstance(element, cst.Slice)
    bounds = [
        cst.Name("None") if b is None else context.rewrite(b) for b in (element.lower, element.upper, element.step)
    ]
    return cst.Call(cst.Name("slice"), [cst.Arg(bound) for bound in bounds])


def _bare(node: Any) -> Any:
    return node.with_changes(lpar=[], rpar=[]) if isinstance(node, cst.Tuple) else node


def read_generator(node: cst.Call, context: FileContext) -> NewGenerator | BoundOp | None:
    """`tf.random.Generator.from_seed(seed)` and the draws of such a generator."""
    if context.direct_path(node.func) == "tensorflow.random.Generator.from_seed" and len(node.args) == 1:
        return NewGenerator(node.args[0].value)
    if not isinstance(node.func, cst.Attribute) or not isinstance(context.type_of(node.func.value), RandomKey):
        return None
    name = _DRAWS.get(node.func.attr.value)
    given = {a.keyword.value: a.value for a in node.args if a.keyword is not None}
    plain = [a.value for a in node.args if a.keyword is None]
    if name == "random_uniform" and len(plain) == 3 and set(given) <= {"dtype"}:
        return _draw("random_integers", {"shape": plain[0], "low": plain[1], "high": plain[2]}, node, context)
    return _draw(name, {"shape": plain[0]}, node, context) if name and len(plain) == 1 and not given else None


def _draw(op: str, given: dict[str, Any], node: cst.Call, context: FileContext) -> BoundOp:
    hub = context.tables.hub[op]
    assert isinstance(node.func, cst.Attribute)
    arguments: dict[str, Any] = {name: Given(value) for name, value in given.items()}
    arguments["generator"] = Given(node.func.value)
    for parameter in hub.parameters:
        arguments.setdefault(parameter.name, Constant(parameter.default))
    return BoundOp(hub, context.source.by_op[op][0], arguments, node, f"tf.random.Generator.{node.func.attr.value}")


def write_generator(construct: NewGenerator | BoundOp, node: cst.Call, context: FileContext) -> Any:
    """The target's generator, or its draw."""
    context.converted(node, op="generator", rule="copied_helpers")
    if isinstance(construct, BoundOp):
        return context.write(construct)
    seed = cst.Integer("0") if construct.seed is None else context.rewrite(construct.seed)
    return context.expression(_GENERATOR[context.target.name], seed=seed)


def _all(writer: Any) -> dict[str, Any]:
    return dict.fromkeys(("torch", "jax", "tensorflow"), writer)


_SPOKES = ("jax", "tensorflow")
_NAME = (cst.Attribute, cst.Name)
RULES = (
    Rule("copied_name", _NAME, dict.fromkeys(_SPOKES, read_name), _all(write_name), order=25),
    Rule("copied_call", (cst.Call,), dict.fromkeys(_SPOKES, read_call), _all(write_call), order=25),
    Rule("stopped", (cst.Call,), dict.fromkeys(_SPOKES, read_stop), _all(write_stop), order=25),
    Rule("stored", (cst.Assign,), dict.fromkeys(_SPOKES, read_store), _all(write_store), order=25),
    Rule("copied_generator", (cst.Call,), {"tensorflow": read_generator}, _all(write_generator), order=25),
)
