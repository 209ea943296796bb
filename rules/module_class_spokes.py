"""Module classes for torch and Keras: the writing halves that need no random streams, and JAX's reading halves.

torch and Keras agree but for names: the base's constructor runs first, `training` is an attribute, and calling a
module runs its `forward` or `call`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Instance
from ..rewriter.nodes import walk
from ..rewriter.read import Refusal
from ..rewriter.rule import Reader, Rule
from .module_class import (
    ForwardCall,
    ModuleClass,
    ModuleMethod,
    TrainingFlag,
    is_super,
    read_class,
    read_flag,
    read_forward_call,
    read_method,
)
from .super_init import BaseConstructor, layer_base_arguments, read_statement

FORWARD = {"tensorflow": "call", "torch": "forward"}
_BARE = (cst.Arg, cst.If, cst.Assign, cst.Return, cst.BooleanOperation, cst.IfExp, cst.While)


def write_class(construct: ModuleClass, node: cst.ClassDef, context: FileContext) -> Any:
    """The class with the target's base, whose constructor runs before anything is assigned."""
    updated = context.rewrite_children(node)
    context.converted(node.name, op="module_class", rule="module_class")
    if not construct.direct or not isinstance(updated.body, cst.IndentedBlock):
        return updated
    body = []
    for original, statement in zip(node.body.body, updated.body.body, strict=False):
        if isinstance(statement, cst.FunctionDef) and statement.name.value == "__init__" and not _runs_base(original):
            statement = _with_first(statement, context.statements("super().__init__()"))
        body.append(statement)
    rest = updated.body.body[len(body) :]
    return updated.with_changes(body=updated.body.with_changes(body=[*body, *rest]))


def _runs_base(function: cst.CSTNode) -> bool:
    return any(isinstance(node, cst.Attribute) and node.attr.value == "__init__" for node in walk(function))


def _with_first(function: cst.FunctionDef, statements: list[cst.BaseStatement]) -> cst.FunctionDef:
    """Statements at the start of a function, behind its docstring; a lone `pass` goes."""
    body: Any = function.body
    if not isinstance(body, cst.IndentedBlock):
        lines = [cst.SimpleStatementLine([small]) for small in body.body if not isinstance(small, cst.Pass)]
        return function.with_changes(body=cst.IndentedBlock([*statements, *lines]))
    inner = [line for line in function.body.body if not line.deep_equals(cst.parse_statement("pass"))]
    at = 1 if function.get_docstring() is not None else 0
    return function.with_changes(body=function.body.with_changes(body=[*inner[:at], *statements, *inner[at:]]))


def write_method(construct: ModuleMethod, node: cst.FunctionDef, context: FileContext) -> Any:
    """The constructor, and the method that calling the module runs under the target's name."""
    function = without_streams(context, node, context.rewrite_children(node))
    context.converted(node.name, op=construct.kind, rule="module_class")
    return (
        function.with_changes(name=cst.Name(FORWARD[context.target.name])) if construct.kind == "forward" else function
    )


def write_flag(construct: TrainingFlag, node: cst.BaseExpression, context: FileContext) -> Any:
    """`self.training`."""
    context.converted(node, op="training_mode", rule="module_class")
    flag: Any = cst.Attribute(context.rewrite(construct.module), cst.Name("training"))
    if not construct.negated:
        return flag
    parent = context.stack[-2] if len(context.stack) > 1 else None
    opposite = cst.UnaryOperation(cst.Not(), flag)
    if isinstance(parent, _BARE):
        return opposite.with_changes(lpar=node.lpar, rpar=node.rpar)
    return opposite.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def write_forward_call(construct: ForwardCall, node: cst.Call, context: FileContext) -> Any:
    """A plain call of the module; through `super()` its method."""
    module = context.rewrite(construct.module)
    context.converted(node, op="forward_call", rule="module_class")
    name = cst.Name(FORWARD[context.target.name])
    function = cst.Attribute(module, name) if is_super(construct.module) else module
    return node.with_changes(func=function, args=[context.rewrite(argument) for argument in node.args])


def write_constructor(construct: BaseConstructor, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """The same call; a layer as base gets the arguments of the target's layer."""
    call = construct.call
    arguments = layer_base_arguments(construct, call, context)
    if isinstance(arguments, Refusal):
        return arguments
    context.converted(call, op="base_constructor", rule="super_init")
    if arguments is None:
        updated = context.rewrite_children(call)
    else:
        assert isinstance(call.func, cst.Attribute)
        function = call.func if is_super(call.func.value) else context.rewrite(call.func)
        updated = call.with_changes(func=function, args=arguments)
    return node.with_changes(body=[cst.Expr(without_argument(updated, "rngs"))])


# JAX as the source: random streams and the mode flag.


def read_jax_flag(node: cst.CSTNode, context: FileContext) -> TrainingFlag | None:
    """`self.deterministic` is the opposite of training, `not self.deterministic` is training."""
    negated = isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not)
    attribute = node.expression if negated else node  # type: ignore[attr-defined]
    if not isinstance(attribute, cst.Attribute) or attribute.attr.value not in (
        "deterministic",
        "use_running_average",
    ):
        return None
    owner = context.type_of(attribute.value)
    if not isinstance(owner, Instance) or not context.inference.is_module_class(owner.path):
        return None
    parent = context.stack[-2] if len(context.stack) > 1 else None
    return None if isinstance(parent, cst.AssignTarget) else TrainingFlag(attribute.value, not negated)


def without_argument(call: cst.Call, name: str) -> cst.Call:
    """A call without a keyword argument."""
    kept = [argument for argument in call.args if argument.keyword is None or argument.keyword.value != name]
    if len(kept) == len(call.args):
        return call
    if kept and isinstance(kept[-1].comma, cst.Comma) and not isinstance(call.args[-1].comma, cst.Comma):
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return call.with_changes(args=kept)


def without_streams(context: FileContext, node: cst.FunctionDef, function: Any) -> Any:
    """A function of JAX code without its parameter for random streams."""
    parameters = function.params
    streams = {
        p.name.value for p in (*node.params.params, *node.params.kwonly_params)
        if p.annotation is not None and context.path(p.annotation.annotation) == "flax.nnx.Rngs"
    }  # fmt: skip
    if not streams:
        return function
    kept = {key: _kept(getattr(parameters, key), streams) for key in ("params", "kwonly_params")}
    star = parameters.star_arg
    if isinstance(star, cst.ParamStar) and not kept["kwonly_params"]:
        star = cst.MaybeSentinel.DEFAULT
        if kept["params"] and parameters.star_kwarg is None:
            kept["params"][-1] = kept["params"][-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return function.with_changes(params=parameters.with_changes(star_arg=star, **kept))


def _kept(parameters: Any, streams: set[str]) -> list[Any]:
    kept = [parameter for parameter in parameters if parameter.name.value not in streams]
    if kept and len(kept) < len(parameters):
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return kept


class StreamUse:
    """Something that only handles random streams. kind: `argument`, `statement`, `parameter`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


def is_stream(context: FileContext, node: cst.CSTNode) -> bool:
    """Whether an expression is a stream of random keys: `rngs`, `self.rngs`, `nnx.Rngs(0)`."""
    if isinstance(node, cst.Call):
        return context.path(node.func) == "flax.nnx.Rngs"
    value = context.type_of(node)
    return isinstance(value, Instance) and value.path == "flax.nnx.Rngs"


def read_stream_call(node: cst.Call, context: FileContext) -> StreamUse | None:
    """A call that hands on a stream: `Block(dim, rngs=rngs)`."""
    if context.bound(node) is not None:
        return None
    passed = any(a.keyword is not None and a.keyword.value == "rngs" for a in node.args)
    return StreamUse("argument") if passed else None


def write_stream_call(construct: StreamUse, node: cst.Call, context: FileContext) -> Any:
    """The call without the stream."""
    context.converted(node, op="random_stream", rule="module_class")
    kept = without_argument(node, "rngs")
    function = context.rewrite(node.func)
    return kept.with_changes(func=function, args=[context.rewrite(argument) for argument in kept.args])


def read_stream_statement(node: cst.SimpleStatementLine, context: FileContext) -> StreamUse | None:
    """`self.rngs = rngs`, `self.deterministic = False`: what torch and Keras keep themselves."""
    if len(node.body) != 1 or not isinstance(node.body[0], cst.Assign) or len(node.body[0].targets) != 1:
        return None
    small = node.body[0]
    target = small.targets[0].target
    if isinstance(target, cst.Attribute) and context.enclosing(cst.ClassDef) is not None:
        if is_stream(context, small.value) and not isinstance(small.value, cst.Call):
            return StreamUse("statement")
        if target.attr.value in ("deterministic", "use_running_average"):
            return StreamUse("statement")
    return None


def write_stream_statement(construct: StreamUse, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """Nothing."""
    context.converted(node.body[0], op="random_stream", rule="module_class")
    return cst.RemovalSentinel.REMOVE


def read_stream_function(node: cst.FunctionDef, context: FileContext) -> StreamUse | None:
    """A factory that takes a stream."""
    return StreamUse("parameter") if without_streams(context, node, node) is not node else None


def write_stream_function(construct: StreamUse, node: cst.FunctionDef, context: FileContext) -> Any:
    """The function without the stream."""
    context.converted(node.name, op="random_stream", rule="module_class")
    return without_streams(context, node, context.rewrite_children(node))


def _everywhere(reader: Reader, **others: Reader) -> Mapping[str, Reader]:
    return {**dict.fromkeys(("torch", "tensorflow", "jax"), reader), **others}


def _both(writer: Any) -> Mapping[str, Any]:
    return {"tensorflow": writer, "torch": writer}


_LINE, _FLAG = (cst.SimpleStatementLine,), (cst.Attribute, cst.UnaryOperation)
RULES = (
    Rule("plain_class", (cst.ClassDef,), _everywhere(read_class), _both(write_class), order=40),
    Rule("plain_method", (cst.FunctionDef,), _everywhere(read_method), _both(write_method), order=40),
    Rule("plain_flag", _FLAG, _everywhere(read_flag, jax=read_jax_flag), _both(write_flag), order=40),
    Rule("plain_forward", (cst.Call,), _everywhere(read_forward_call), _both(write_forward_call), order=40),
    Rule("plain_super", _LINE, _everywhere(read_statement), _both(write_constructor), order=40),
    Rule("stream_call", (cst.Call,), {"jax": read_stream_call}, _both(write_stream_call), order=90),
    Rule("stream_statement", _LINE, {"jax": read_stream_statement}, _both(write_stream_statement), order=30),
    Rule("stream_function", (cst.FunctionDef,), {"jax": read_stream_function}, _both(write_stream_function), order=60),
)
