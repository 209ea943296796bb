"""Parameters and buffers for torch and Keras, and as JAX and TensorFlow code writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array, Instance, NoneType
from ..rewriter.read import Refusal, literal
from ..rewriter.rule import Rule
from . import parameters
from .parameters import (
    NewParameter,
    PlainAttribute,
    Registration,
    read_attribute,
    read_parameter,
    read_registration,
)

_PARAMETERS = {"flax.nnx.Param": True, "helpers.FrozenParam": False, "keras.Variable": True}
_BUFFERS = frozenset(("flax.nnx.Variable", "flax.nnx.BatchStat"))


def write_parameter(construct: NewParameter, node: cst.Call, context: FileContext) -> Any:
    """`torch.nn.Parameter(value)` or `keras.Variable(value)`; frozen ones say so."""
    context.converted(node, op="parameter", rule="parameters")
    is_torch = context.target.name == "torch"
    if construct.value is None:
        empty = {"torch": "torch.empty(0)", "tensorflow": "tensorflow.zeros((0,))"}[context.target.name]
        value: Any = context.expression(empty)
    else:
        value = context.rewrite(construct.value)
    keyword = "requires_grad" if is_torch else "trainable"
    function = "torch.nn.Parameter" if is_torch else "keras.Variable"
    if isinstance(construct.trainable, cst.BaseExpression):
        flag = context.rewrite(construct.trainable)
        return context.expression(f"{function}({{value}}, {keyword}={{flag}})", value=value, flag=flag)
    frozen = "" if construct.trainable else f", {keyword}=False"
    return context.expression(f"{function}({{value}}{frozen})", value=value)


def read_variable(node: cst.Call, context: FileContext) -> NewParameter | Refusal | None:
    """`nnx.Param(value)`, `keras.Variable(value, trainable=...)`."""
    path = context.direct_path(node.func) or ""
    if path not in _PARAMETERS:
        return None
    if not node.args or node.args[0].keyword is not None or node.args[0].star:
        return Refusal(f"{path} with arguments that cannot be read", node, path)
    trainable = _PARAMETERS[path]
    for argument in node.args[1:]:
        name = argument.keyword.value if argument.keyword is not None else ""
        if name == "trainable" and isinstance(literal(argument.value), bool):
            trainable = literal(argument.value)
        elif name not in ("name", "dtype") or context.source.name == "jax":
            return Refusal(f"{path} with arguments that cannot be read", node, path)
    return NewParameter(node.args[0].value, trainable)


def write_registration(construct: Registration, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """`self.register_buffer("name", value)`, the helper of this name, or an assignment."""
    expression = node.body[0]
    context.converted(expression, op=construct.kind, rule="parameters")
    parts = {"owner": context.rewrite(construct.owner), "name": context.rewrite(construct.name),
             "value": context.rewrite(construct.value)}  # fmt: skip
    if construct.kind == "buffer":
        if context.target.name == "torch" and construct.persistent is not None:
            parts["persistent"] = context.rewrite(construct.persistent)
            call = context.expression("{owner}.register_buffer({name}, {value}, persistent={persistent})", **parts)
        elif context.target.name == "torch":
            call = context.expression("{owner}.register_buffer({name}, {value})", **parts)
        else:
            call = context.expression("helpers.register_buffer({owner}, {name}, {value})", **parts)
        return node.with_changes(body=[cst.Expr(call)])
    name = literal(construct.name)
    if isinstance(name, str) and name.isidentifier():
        target = cst.Attribute(parts["owner"], cst.Name(name))
        return node.with_changes(body=[cst.Assign([cst.AssignTarget(target)], parts["value"])])
    return node.with_changes(body=[cst.Expr(context.expression("setattr({owner}, {name}, {value})", **parts))])


def read_buffer(node: cst.SimpleStatementLine, context: FileContext) -> Registration | Refusal | None:
    """`self.scale = nnx.Variable(value)` and `register_buffer(self, "scale", value)`."""
    if len(node.body) != 1:
        return None
    small = node.body[0]
    if isinstance(small, cst.Expr) and isinstance(small.value, cst.Call):
        call = small.value
        if context.direct_path(call.func) != "helpers.register_buffer" or len(call.args) != 3:
            return None
        owner, name, value = (argument.value for argument in call.args)
        return Registration(owner, name, value, "buffer")
    if not isinstance(small, cst.Assign) or len(small.targets) != 1 or not isinstance(small.value, cst.Call):
        return None
    target = small.targets[0].target
    if context.direct_path(small.value.func) not in _BUFFERS or not isinstance(target, cst.Attribute):
        return None
    owner_type = context.type_of(target.value)
    if not isinstance(owner_type, Instance) or not context.inference.is_module(owner_type):
        return None
    if not small.value.args:
        return None
    first, *options = small.value.args
    keywords = [option.keyword.value if option.keyword is not None else "" for option in options]
    if first.keyword is not None or keywords not in ([], ["persistent"]):
        return Refusal("a variable with options that cannot be read", small.value)
    name = cst.SimpleString(f'"{target.attr.value}"')
    return Registration(target.value, name, first.value, "buffer", options[0].value if options else None)


def write_attribute(construct: PlainAttribute, node: cst.Assign, context: FileContext) -> None:
    """As it is; Keras finds modules in plain lists, which torch does not."""
    if context.target.name == "tensorflow" and context.source.name == "torch" and construct.wrapper == "list":
        context.review(
            node, "torch does not see modules in a plain list; Keras does: their parameters are found and trained",
            rule="parameters")  # fmt: skip


class Wrapped:
    """A value that NNX must be told of; torch and Keras take it as it is."""

    def __init__(self, value: cst.BaseExpression) -> None:
        self.value = value


def read_wrapper(node: cst.Call, context: FileContext) -> Wrapped | None:
    """`nnx.data(value)`."""
    if context.direct_path(node.func) != "flax.nnx.data" or len(node.args) != 1:
        return None
    return Wrapped(node.args[0].value)


def write_wrapper(construct: Wrapped, node: cst.Call, context: FileContext) -> Any:
    """The value."""
    if isinstance(context.type_of(construct.value), NoneType):
        return cst.Name("None")
    return context.rewrite(construct.value)


def read_whole(node: cst.Subscript, context: FileContext) -> Wrapped | None:
    """`self.weight[...]`: the array in a variable."""
    value = context.type_of(node.value)
    parent = context.stack[-2] if len(context.stack) > 1 else None
    if not isinstance(value, Array) or not value.storage or isinstance(parent, (cst.AssignTarget, cst.AugAssign)):
        return None
    only = node.slice[0].slice if len(node.slice) == 1 else None
    return Wrapped(node.value) if isinstance(only, cst.Index) and isinstance(only.value, cst.Ellipsis) else None


def write_whole(construct: Wrapped, node: cst.Subscript, context: FileContext) -> Any:
    """The variable, which stands for its array."""
    return context.rewrite(construct.value)


_Writer = Callable[[Any, Any, FileContext], Any]
_CALL, _LINE = (cst.Call,), (cst.SimpleStatementLine,)


def _both(writer: _Writer) -> dict[str, _Writer]:
    return {"tensorflow": writer, "torch": writer}


_VARIABLES = {"torch": read_parameter, "jax": read_variable, "tensorflow": read_variable}
RULES = (
    Rule("plain_parameter", _CALL, _VARIABLES, _both(write_parameter), order=30),
    Rule("keras_parameter", _CALL, {"tensorflow": read_variable}, {"jax": parameters.write_parameter}, order=30),
    Rule("keras_buffer", _LINE, {"tensorflow": read_buffer}, {"jax": parameters.write_registration}, order=30),
    Rule("plain_buffer", _LINE, {"torch": read_registration, "jax": read_buffer, "tensorflow": read_buffer},
         _both(write_registration), order=30),
    Rule("plain_attribute", (cst.Assign,), {"torch": read_attribute}, {"tensorflow": write_attribute}, order=45),
    Rule("wrapped", _CALL, {"jax": read_wrapper}, _both(write_wrapper), order=30),
    Rule("whole_variable", (cst.Subscript,), {"jax": read_whole}, _both(write_whole), order=30),
)  # fmt: skip
