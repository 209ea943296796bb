"""A module's forward method otherwise than called: as a value, by the string of its name, and as something replaced.

Only the class decides what a call of a JAX module runs: Python looks `__call__` up there, not on the object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, Instance, Reference
from ..rewriter.names import dotted
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .definition_nodes import is_module_class_node
from .module_class import is_super, others_forward

_NAMES = {"jax": "__call__", "tensorflow": "call"}
_BY_NAME = frozenset(("getattr", "hasattr", "setattr", "delattr", "inspect.getattr_static"))
_CHANGING = frozenset(("setattr", "delattr"))
_TABLES = frozenset(("__dict__", "vars", "dir"))


@dataclass(frozen=True)
class ForwardValue:
    """The forward method of a module or of a module class, as a value or a place."""

    owner: cst.BaseExpression


@dataclass(frozen=True)
class ForwardName:
    """A string that names the forward method."""

    text: cst.SimpleString


def _owner_kind(node: cst.BaseExpression, context: FileContext) -> str:
    """`module`, `class` or nothing: what an expression is whose forward method is spoken of."""
    value = context.type_of(node)
    inference = context.inference
    enclosing = context.enclosing(cst.ClassDef)
    in_module = enclosing is not None and is_module_class_node(context, enclosing)
    if in_module and (dotted(node) in ("cls", "self.__class__") or _is_type_of_self(node)):
        return "class"
    if isinstance(value, Instance) and inference.is_module_class(value.path):
        return "module"
    if isinstance(value, Reference) and inference.is_module_class(value.path):
        return "class"
    if in_module and (is_super(node) or dotted(node) == "self"):
        return "module"
    return "module" if value == UNKNOWN and not is_super(node) and not others_forward(context) else ""


def _is_type_of_self(node: cst.BaseExpression) -> bool:
    return (
        isinstance(node, cst.Call)
        and dotted(node.func) == "type"
        and len(node.args) == 1
        and dotted(node.args[0].value) == "self"
    )


def _replaced(target: str) -> str:
    return (
        f"a forward method stored on an object: {target} runs the method of its class; choose inside forward, or write a "
        "subclass"
    )


def read_attribute(node: cst.Attribute, context: FileContext) -> ForwardValue | Refusal | None:
    """`model.forward` that is not called, `Model.forward = function`."""
    if node.attr.value not in context.inference.framework.forward_methods:
        return None
    parent = context.stack[-2] if len(context.stack) > 1 else None
    if isinstance(parent, cst.Call) and parent.func is node:
        return None
    kind = _owner_kind(node.value, context)
    if not kind:
        return None
    is_place = isinstance(parent, (cst.AssignTarget, cst.AnnAssign, cst.Del)) and getattr(parent, "value", None) is not node
    if is_place and kind == "module":
        return Refusal(_replaced(context.target.name), node, "torch.nn.Module.forward")
    return ForwardValue(node.value)


def write_attribute(construct: ForwardValue, node: cst.Attribute, context: FileContext) -> cst.Attribute:
    """`model.__call__`."""
    context.converted(node, op="forward", rule="forward_values")
    return node.with_changes(value=context.rewrite(construct.owner), attr=cst.Name(_NAMES[context.target.name]))


def _is_name(node: cst.BaseExpression, context: FileContext) -> bool:
    return isinstance(node, cst.SimpleString) and node.evaluated_value in context.inference.framework.forward_methods


def read_by_name(node: cst.Call, context: FileContext) -> ForwardName | Refusal | None:
    """`getattr(model, "forward")` and its like."""
    function = context.path(node.func) or dotted(node.func)
    if function not in _BY_NAME or len(node.args) < 2 or not _is_name(node.args[1].value, context):
        return None
    kind = _owner_kind(node.args[0].value, context)
    if not kind:
        return None
    if function in _CHANGING and kind == "module":
        return Refusal(_replaced(context.target.name), node, "torch.nn.Module.forward")
    text = node.args[1].value
    assert isinstance(text, cst.SimpleString)
    return ForwardName(text)


def write_by_name(construct: ForwardName, node: cst.Call, context: FileContext) -> cst.Call:
    """`getattr(model, "__call__")`."""
    first, second, *rest = node.args
    context.converted(node, op="forward", rule="forward_values")
    return node.with_changes(
        func=context.rewrite(node.func),
        args=[
            first.with_changes(value=context.rewrite(first.value)),
            second.with_changes(value=_renamed(construct, context)),
            *(argument.with_changes(value=context.rewrite(argument.value)) for argument in rest),
        ],
    )


def read_membership(node: cst.Comparison, context: FileContext) -> ForwardName | None:
    """`"forward" in cls.__dict__`."""
    if not _is_name(node.left, context) or len(node.comparisons) != 1:
        return None
    part = node.comparisons[0]
    if not isinstance(part.operator, (cst.In, cst.NotIn)):
        return None
    owner = _table_owner(part.comparator)
    assert isinstance(node.left, cst.SimpleString)
    return ForwardName(node.left) if owner is not None and _owner_kind(owner, context) else None


def write_membership(construct: ForwardName, node: cst.Comparison, context: FileContext) -> cst.Comparison:
    """`"__call__" in cls.__dict__`."""
    context.converted(node, op="forward", rule="forward_values")
    part = node.comparisons[0]
    return node.with_changes(
        left=_renamed(construct, context),
        comparisons=[part.with_changes(comparator=context.rewrite(part.comparator))],
    )


def _table_owner(node: cst.BaseExpression) -> cst.BaseExpression | None:
    """What `x.__dict__`, `vars(x)` and `dir(x)` tell the names of."""
    if isinstance(node, cst.Attribute) and node.attr.value in _TABLES:
        return node.value
    if isinstance(node, cst.Call) and dotted(node.func) in _TABLES and len(node.args) == 1:
        return node.args[0].value
    return None


def _renamed(construct: ForwardName, context: FileContext) -> cst.SimpleString:
    quote = construct.text.quote
    return construct.text.with_changes(value=f"{quote}{_NAMES[context.target.name]}{quote}")


def _rule(name: str, kind: type[cst.CSTNode], read: Any, write: Any) -> Rule:
    return Rule(f"forward_{name}", (kind,), {"torch": read}, dict.fromkeys(_NAMES, write), order=41)


RULES = (
    _rule("value", cst.Attribute, read_attribute, write_attribute),
    _rule("by_name", cst.Call, read_by_name, write_by_name),
    _rule("membership", cst.Comparison, read_membership, write_membership),
)
