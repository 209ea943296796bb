"""Parameters and buffers of modules, and attributes that hold arrays or modules in a way that NNX must be told of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.evidence import all_parameters
from ..rewriter.lattice import UNKNOWN, Array, Either, Instance, Mapping, NoneType, Sequence, Tuple, Type
from ..rewriter.nodes import walk
from ..rewriter.read import Refusal, literal
from ..rewriter.rule import Rule
from .handed_variables import called_definition


@dataclass(frozen=True)
class NewParameter:
    """A parameter made from an array; whether it is trained may be an expression."""

    value: cst.BaseExpression | None
    trainable: bool | cst.BaseExpression


@dataclass(frozen=True)
class NewBuffer:
    """An array that a module keeps but does not train; `persistent` where state dictionaries may leave it out."""

    value: cst.BaseExpression
    persistent: cst.BaseExpression | None


@dataclass(frozen=True)
class Registration:
    """A named array or module given to its owner by a call. kind: `parameter`, `buffer` or `module`.

    persistent: whether state dictionaries hold a buffer, where that is not plainly so.
    """

    owner: cst.BaseExpression
    name: cst.BaseExpression
    value: cst.BaseExpression
    kind: str
    persistent: cst.BaseExpression | None = None


@dataclass(frozen=True)
class PlainAttribute:
    """An attribute of a module assigned a value that NNX would take for a static one. wrapper: `data`, `list`, `dict`."""

    value: cst.BaseExpression
    wrapper: str


def read_parameter(node: cst.Call, context: FileContext) -> NewParameter | Refusal | None:
    """`nn.Parameter(data, requires_grad=True)`."""
    path = context.direct_path(node.func)
    if path is None or path not in context.source.fact("objects", "parameter", default=()):
        return None
    value: cst.BaseExpression | None = None
    trainable: Any = True
    for index, argument in enumerate(node.args):
        name = argument.keyword.value if argument.keyword is not None else ("data", "requires_grad")[min(index, 1)]
        if argument.star or name not in ("data", "requires_grad"):
            return Refusal("nn.Parameter with arguments that cannot be read", node, path)
        if name == "data":
            value = argument.value
        else:
            trainable = literal(argument.value)
            trainable = trainable if isinstance(trainable, bool) else argument.value
    return NewParameter(value, trainable)


def write_parameter(construct: NewParameter, node: cst.Call, context: FileContext) -> Any:
    """`nnx.Param(value)`; a frozen parameter is a variable that no optimizer sees."""
    context.converted(node, op="parameter", api="torch.nn.Parameter", rule="parameters")
    if construct.value is None:
        value: Any = context.expression("jax.numpy.zeros(0)")
    else:
        value = context.rewrite(construct.value)
    if isinstance(construct.trainable, cst.BaseExpression):
        flag = context.rewrite(construct.trainable)
        made = context.expression("(flax.nnx.Param if {flag} else helpers.FrozenParam)({value})", flag=flag, value=value)
    else:
        made = context.expression(
            "flax.nnx.Param({value})" if construct.trainable else "helpers.FrozenParam({value})", value=value
        )
    return made.with_changes(whitespace_before_args=node.whitespace_before_args) if len(node.args) == 1 else made


def read_buffer(node: cst.Call, context: FileContext) -> NewBuffer | Refusal | None:
    """`nn.Buffer(data, persistent=False)`."""
    path = context.direct_path(node.func)
    if path is None or path not in context.source.fact("objects", "buffer", default=()):
        return None
    values: dict[str, cst.BaseExpression] = {}
    for index, argument in enumerate(node.args):
        name = argument.keyword.value if argument.keyword is not None else "data" if index == 0 else "*"
        if argument.star or name not in ("data", "persistent"):
            return Refusal("nn.Buffer with arguments that cannot be read", node, path)
        values[name] = argument.value
    if "data" not in values:
        return Refusal("nn.Buffer without an array", node, path)
    persistent = values.get("persistent")
    return NewBuffer(values["data"], None if persistent is None or literal(persistent) is True else persistent)


def write_buffer(construct: NewBuffer, node: cst.Call, context: FileContext) -> Any:
    """`nnx.Variable(value)`; one that state dictionaries do not hold says so."""
    context.converted(node, op="buffer", api="torch.nn.Buffer", rule="parameters")
    value = context.rewrite(construct.value)
    if construct.persistent is None:
        return context.expression("flax.nnx.Variable({value})", value=value)
    persistent = context.rewrite(construct.persistent)
    return context.expression("flax.nnx.Variable({value}, persistent={p})", value=value, p=persistent)


def read_registration(node: cst.SimpleStatementLine, context: FileContext) -> Registration | Refusal | None:
    """`self.register_buffer("name", value)`, `register_parameter`, `add_module`, `register_module`."""
    if len(node.body) != 1 or not isinstance(node.body[0], cst.Expr):
        return None
    value = node.body[0].value
    if isinstance(value, cst.Tuple) and len(value.elements) == 1 and not value.lpar:
        value = value.elements[0].value  # `self.add_module("norm", norm),`, with a comma left behind
    return _registration(value, context)


def read_lambda(node: cst.Lambda, context: FileContext) -> Registration | Refusal | None:
    """`lambda name, value: self.register_buffer(name, value)`."""
    return _registration(node.body, context)


def _registration(call: cst.BaseExpression, context: FileContext) -> Registration | Refusal | None:
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
        return None
    kinds = {
        "register_buffer": "buffer",
        "register_parameter": "parameter",
        "add_module": "module",
        "register_module": "module",
    }
    kind = kinds.get(call.func.attr.value)
    owner = context.type_of(call.func.value)
    if kind is None or not context.inference.is_module(owner):
        return None
    if kind == "module" and len(call.args) == 1 and call.args[0].star == "*":
        return Registration(call.func.value, cst.Name("_"), call.args[0].value, "modules")
    values: dict[str, cst.BaseExpression] = {}
    for index, argument in enumerate(call.args):
        key = (
            argument.keyword.value if argument.keyword is not None else ("name", "value", "persistent")[min(index, 2)]
        )
        if argument.star:
            return Refusal(f"{call.func.attr.value} with starred arguments", call)
        values["value" if key in ("tensor", "param", "module") else key] = argument.value
    if "name" not in values or "value" not in values:
        return Refusal(f"{call.func.attr.value} without a name and a value", call)
    persistent = values.get("persistent")
    if persistent is not None and literal(persistent) is True:
        persistent = None
    return Registration(call.func.value, values["name"], values["value"], kind, persistent)


def write_registration(construct: Registration, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """`self.name = nnx.Variable(value)`, or `setattr` for a name that is computed."""
    expression = node.body[0]
    assert isinstance(expression, cst.Expr)
    context.converted(expression.value, op=construct.kind, rule="parameters")
    if construct.kind == "modules":
        parts = {"owner": context.rewrite(construct.owner), "named": context.rewrite(construct.value)}
        return node.with_changes(body=[cst.Expr(context.expression("setattr({owner}, *{named})", **parts))])
    value = _registered(construct, context)
    name = literal(construct.name)
    if isinstance(name, str) and name.isidentifier():
        target = cst.Attribute(context.rewrite(construct.owner), cst.Name(name))
        return node.with_changes(body=[cst.Assign([cst.AssignTarget(target)], value)])
    return node.with_changes(body=[cst.Expr(_set_by_name(construct, value, context))])


def write_lambda(construct: Registration, node: cst.Lambda, context: FileContext) -> cst.Lambda:
    """`lambda name, value: setattr(self, name, nnx.Variable(value))`."""
    context.converted(node.body, op=construct.kind, rule="parameters")
    body = _set_by_name(construct, _registered(construct, context), context)
    return node.with_changes(params=context.rewrite(node.params), body=body)


def _set_by_name(construct: Registration, value: Any, context: FileContext) -> cst.Call:
    owner, name = context.rewrite(construct.owner), context.rewrite(construct.name)
    call: cst.Call = context.expression("setattr({owner}, {name}, {value})", owner=owner, name=name, value=value)
    return call


def _registered(construct: Registration, context: FileContext) -> Any:
    """The variable that holds the value."""
    value: Any = context.rewrite(construct.value)
    kind = context.type_of(construct.value)
    if isinstance(kind, NoneType):
        value = context.expression("flax.nnx.data(None)")
    elif construct.kind == "buffer":
        # What is not known to be an array may be None, which a variable must not hold: `is None` would be false.
        certain = isinstance(kind, Array) and not _can_be_none(construct.value, context)
        function = "flax.nnx.Variable" if certain else "helpers.buffer"
        if construct.persistent is None:
            return context.expression(f"{function}({{value}})", value=value)
        persistent = context.rewrite(construct.persistent)
        value = context.expression(f"{function}({{value}}, persistent={{p}})", value=value, p=persistent)
    return value


def _can_be_none(node: cst.BaseExpression, context: FileContext, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a value of which the other cases are arrays may be None: it is bound to None, or given by a function."""
    match node:
        case cst.Name(value="None"):
            return True
        case cst.IfExp(body=body, orelse=orelse):
            return _can_be_none(body, context, seen) or _can_be_none(orelse, context, seen)
        case cst.Name(value=name) if name not in seen:
            function = context.enclosing(cst.FunctionDef)
            return function is not None and any(
                _can_be_none(part.value, context, seen | {name})
                for part in walk(function.body)
                if isinstance(part, cst.Assign)
                and any(isinstance(target.target, cst.Name) and target.target.value == name for target in part.targets)
            )
        case cst.Call():
            definition = called_definition(context.type_of(node.func), context.inference)
            return definition is not None and _gives_none(definition.node)
    return False


def _gives_none(function: cst.CSTNode) -> bool:
    """Whether a function returns None somewhere, or a name that is bound to None somewhere."""
    parts = list(walk(function))
    names = {"None"} | {
        target.target.value
        for part in parts
        if isinstance(part, cst.Assign) and isinstance(part.value, cst.Name) and part.value.value == "None"
        for target in part.targets
        if isinstance(target.target, cst.Name)
    }
    return any(
        isinstance(part, cst.Return) and isinstance(part.value, cst.Name) and part.value.value in names for part in parts
    )


def read_attribute(node: cst.Assign, context: FileContext) -> PlainAttribute | None:
    """`self.x = None` that is set to an array later; `self.x = [arrays or modules]`."""
    if len(node.targets) != 1 or not isinstance(node.targets[0].target, cst.Attribute):
        return None
    target = node.targets[0].target
    owner = context.type_of(target.value)
    if not isinstance(owner, Instance) or not context.inference.is_module_class(owner.path):
        return None
    value = context.type_of(node.value)
    if isinstance(value, NoneType) or _may_be_none(node.value, context):
        joined = context.inference.attribute(owner, target.attr.value)
        later = _assigned_elsewhere(context, node, target.attr.value)
        holds = any(_holds_data(context, known) for known in (joined, *map(context.type_of, later)))
        return PlainAttribute(node.value, "data") if later and holds else None
    if not _is_plain_container(context, value):
        return None
    if isinstance(value, Sequence) and value.kind == "list":
        return PlainAttribute(node.value, "list")
    return PlainAttribute(node.value, "dict" if isinstance(value, Mapping) else "data")


def _may_be_none(node: cst.BaseExpression, context: FileContext) -> bool:
    """Whether a value is a parameter that may be None, and nothing more is known of it."""
    function = context.enclosing(cst.FunctionDef)
    if not isinstance(node, cst.Name) or function is None or context.type_of(node) != UNKNOWN:
        return False
    return any(
        parameter.name.value == node.value and isinstance(parameter.default, cst.Name) and parameter.default.value == "None"
        for parameter in all_parameters(function.params)
    )


def _holds_data(context: FileContext, value: Type) -> bool:
    match value:
        case Array():
            return True
        case Instance():
            return context.inference.is_module(value)
        case Either(options=options):
            return any(_holds_data(context, option) for option in options)
        case Sequence(item=item):
            return value.kind == "modules" or _holds_data(context, item)
        case Mapping(value=item):
            return value.kind == "modules" or _holds_data(context, item)
        case Tuple(items=items):
            return any(_holds_data(context, item) for item in items)
    return False


def _is_plain_container(context: FileContext, value: Type) -> bool:
    if isinstance(value, (Sequence, Mapping)) and value.kind == "modules":
        return False
    return isinstance(value, (Sequence, Mapping, Tuple)) and _holds_data(context, value)


def _assigned_elsewhere(context: FileContext, node: cst.Assign, name: str) -> list[cst.BaseExpression]:
    """The other values that the attribute gets: in another method, or in this one but for another branch."""
    owner = context.enclosing(cst.ClassDef)
    function = context.enclosing(cst.FunctionDef)
    if owner is None or function is None:
        return []
    nested = any(isinstance(part, (cst.If, cst.Else)) for part in context.stack[context.stack.index(function) :])
    return [
        part.value
        for method in owner.body.body
        if isinstance(method, cst.FunctionDef) and not (method is function and nested)
        for part in context.within(method.body, cst.Assign)
        if part is not node and _assigns(part, name)
    ]


def _assigns(node: cst.Assign, name: str) -> bool:
    return any(
        isinstance(target.target, cst.Attribute) and target.target.attr.value == name and
        isinstance(target.target.value, cst.Name)
        for target in node.targets
    )  # fmt: skip


def write_attribute(construct: PlainAttribute, node: cst.Assign, context: FileContext) -> cst.Assign:
    """`nnx.data(...)`, `nnx.List(...)` or `nnx.Dict(...)` around the value."""
    context.converted(node.targets[0].target, op="module_attribute", rule="parameters")
    value = context.rewrite(construct.value)
    template = {"data": "flax.nnx.data({value})", "list": "flax.nnx.List({value})", "dict": "flax.nnx.Dict({value})"}
    if construct.wrapper == "list" and _has_modules(context, context.type_of(construct.value)):
        context.review(
            node, "torch does not see modules in a plain list; as nnx.List their parameters are found and trained",
            rule="parameters")  # fmt: skip
    return node.with_changes(
        targets=[context.rewrite(target) for target in node.targets],
        value=context.expression(template[construct.wrapper], value=value),
    )


def _has_modules(context: FileContext, value: Type) -> bool:
    return isinstance(value, Sequence) and context.inference.is_module(value.item)


RULES = (
    Rule("buffer", (cst.Call,), {"torch": read_buffer}, {"jax": write_buffer}, order=40),
    Rule("parameter", (cst.Call,), {"torch": read_parameter}, {"jax": write_parameter}, order=30),
    Rule(
        "registration", (cst.SimpleStatementLine,), {"torch": read_registration}, {"jax": write_registration}, order=30
    ),
    Rule("registration_lambda", (cst.Lambda,), {"torch": read_lambda}, {"jax": write_lambda}, order=30),
    Rule(
        "module_attribute",
        (cst.Assign,),
        dict.fromkeys(("torch", "tensorflow"), read_attribute),
        {"jax": write_attribute},
        order=45,
    ),
)
