"""Calls of a base class's constructor from a module class, in every style."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import append_argument, keyword_argument
from ..rewriter.read import BoundOp, Refusal, read_call
from ..rewriter.rule import Rule
from .definition_nodes import is_module_class_node
from .factory_keywords import without_dtype
from .module_class import is_super
from .rngs_takers import NAME, class_takes_rngs


@dataclass(frozen=True)
class BaseConstructor:
    """`super().__init__(...)` in any of its spellings. `base` is the class whose constructor runs, where known."""

    call: cst.Call
    base: str
    trivial: bool


def read_statement(node: cst.SimpleStatementLine, context: FileContext) -> BaseConstructor | None:
    """`super().__init__()`, `super(A, self).__init__()`, `nn.Module.__init__(self)`, `Base.__init__(self, x)`."""
    if len(node.body) != 1 or not isinstance(node.body[0], cst.Expr):
        return None
    call = node.body[0].value
    if (
        not isinstance(call, cst.Call)
        or not isinstance(call.func, cst.Attribute)
        or call.func.attr.value != "__init__"
    ):
        return None
    owner = context.enclosing(cst.ClassDef)
    if owner is None or not is_module_class_node(context, owner):
        return None
    bases = [path for base in owner.bases if (path := context.path(base.value)) is not None]
    plain = context.inference.framework.plain_module_bases
    if is_super(call.func.value):
        base = next((path for path in bases if context.inference.is_module_class(path)), "")
        trivial = not call.args and len(bases) == len(owner.bases) and all(path in plain for path in bases)
        return BaseConstructor(call, base, trivial)
    path = context.path(call.func.value)
    if path is None or path not in bases:
        return None
    return BaseConstructor(call, path, path in plain)


def write_statement(construct: BaseConstructor, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """Nothing for the plain base; otherwise the call with `rngs` where the base's constructor takes it."""
    call, dtype = construct.call, None
    context.converted(call, op="base_constructor", rule="super_init")
    if construct.trivial:
        return cst.RemovalSentinel.REMOVE
    if _is_layer(construct.base, context):
        call, dtype = without_dtype(call, construct.base, context)
    updated = _written_call(construct, call, context)
    if isinstance(updated, Refusal):
        return updated
    line = node.with_changes(body=[cst.Expr(updated)])
    if dtype is None:
        return line
    cast = context.expression("helpers.in_dtype(self, {dtype})", dtype=context.rewrite(dtype))
    return cst.FlattenSentinel([line, cst.SimpleStatementLine([cst.Expr(cast)])])


def _written_call(construct: BaseConstructor, call: cst.Call, context: FileContext) -> cst.Call | Refusal:
    inference = context.inference
    if _is_layer(construct.base, context):
        return _layer_constructor(construct, call, context)
    updated = call.with_changes(
        func=context.rewrite_children(call.func) if not is_super(call.func.value) else call.func,  # type: ignore[attr-defined]
        args=[context.rewrite(argument) for argument in call.args],
    )
    if construct.base and class_takes_rngs(inference, construct.base) and inference.repository.resolve(construct.base):
        updated = append_argument(updated, keyword_argument(NAME, cst.Name(NAME)))
    return updated


def _is_layer(base: str, context: FileContext) -> bool:
    """Whether a base class is a layer of the framework."""
    inference = context.inference
    if not base or inference.repository.resolve(base) is not None or not context.source.owns(base):
        return False
    return base not in inference.framework.plain_module_bases


def layer_base_arguments(construct: BaseConstructor, call: cst.Call, context: FileContext) -> Any:
    """The arguments for the constructor of a layer of the framework as base; None where the base is no such layer."""
    if not _is_layer(construct.base, context):
        return None
    written = _layer_constructor(construct, call, context)
    return written if isinstance(written, Refusal) else written.args


def _layer_constructor(construct: BaseConstructor, call: cst.Call, context: FileContext) -> cst.Call | Refusal:
    """A subclass of a layer such as nn.Linear: the arguments are those of the target's layer."""
    arguments = call.args if is_super(call.func.value) else call.args[1:]  # type: ignore[attr-defined]
    as_layer = cst.Call(cst.Name("layer"), arguments)
    bound = read_call(context.tables, context.source.name, construct.base, as_layer, context.type_of)
    if bound is None:
        return Refusal(f"{construct.base} as a base class is not in the tables", call, construct.base)
    if isinstance(bound, Refusal):
        return Refusal(bound.reason, call, construct.base)
    assert isinstance(bound, BoundOp)
    engine: Any = context.engine
    written = engine.writer.write(bound)
    if isinstance(written, Refusal):
        return Refusal(written.reason, call, construct.base)
    prefix = () if is_super(call.func.value) else (call.args[0],)  # type: ignore[attr-defined]
    function = call.func if is_super(call.func.value) else context.rewrite(call.func)  # type: ignore[attr-defined]
    return call.with_changes(func=function, args=[*prefix, *(_for_layers(one, context) for one in written.args)])


def _for_layers(argument: cst.Arg, context: FileContext) -> cst.Arg:
    """`**kwargs` without a device and an element type, which the layers of the source take and these do not."""
    if argument.star != "**":
        return argument
    return argument.with_changes(value=context.expression("helpers.layer_options({value})", value=argument.value))


RULES = (
    Rule(
        "super_init",
        (cst.SimpleStatementLine,),
        dict.fromkeys(("torch", "tensorflow"), read_statement),
        {"jax": write_statement},
        order=40,
    ),
)
