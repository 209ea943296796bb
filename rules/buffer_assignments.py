"""`self.mean = 0.9 * self.mean`: a buffer that gets another array stays the variable that the module registered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.infer import Inference
from ..rewriter.lattice import Array, Instance, Type
from ..rewriter.nodes import walk
from ..rewriter.read import Refusal, literal
from ..rewriter.rule import Rule

_CHOICES = (cst.IfExp, cst.BooleanOperation, cst.Name)


@dataclass(frozen=True)
class BufferAssignment:
    """A new array for a buffer. is_variable: the value is a module's array itself."""

    target: cst.Attribute
    is_variable: bool


def read(node: cst.Assign, context: FileContext) -> BufferAssignment | Refusal | None:
    """`self.mean = value`, where a buffer of this name is registered with an array."""
    targets = [target.target for target in node.targets]
    parts = [part for target in targets for part in _parts(target)]
    buffers = [part for part in parts if isinstance(part, cst.Attribute) and _is_buffer(part, context)]
    if not buffers:
        return None
    value = context.type_of(node.value)
    if targets != buffers or len(targets) > 1:
        name = buffers[0].attr.value
        return Refusal(f"the buffer {name} is assigned together with others; give it a line of its own", node)
    if not isinstance(value, Array) or (value.storage and isinstance(node.value, cst.Call)):
        return None
    return BufferAssignment(buffers[0], bool(value.storage))


def _parts(target: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    if isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _parts(element.value)
    else:
        yield target


def _is_buffer(node: cst.Attribute, context: FileContext) -> bool:
    owner = context.type_of(node.value)
    if not isinstance(owner, Instance):
        return False
    inference = context.inference
    return any(node.attr.value in _registered(inference, path) for path in inference.ancestors(owner.path))


def _registered(inference: Inference, path: str) -> frozenset[str]:
    """The buffers that a class registers with something that is certainly an array."""
    known: dict[str, frozenset[str]] = inference.__dict__.setdefault("_registered_buffers", {})
    if path not in known:
        definition = inference.class_definition(path)
        node = definition.node if definition is not None else None
        found: dict[str, bool] = {}
        if definition is not None and isinstance(node, cst.ClassDef):
            types = inference.files[definition.file].types
            for method in node.body.body:
                if isinstance(method, cst.FunctionDef):
                    for name, value in _registrations(method):
                        found[name] = found.get(name, True) and _is_array(value, method, types)
        known[path] = frozenset(name for name, sure in found.items() if sure)
    return known[path]


def _registrations(method: cst.FunctionDef) -> Iterator[tuple[str, cst.BaseExpression]]:
    """The names and values of `self.register_buffer("name", value)`."""
    for node in walk(method.body):
        match node:
            case cst.Call(
                func=cst.Attribute(value=cst.Name(value="self"), attr=cst.Name(value="register_buffer")),
                args=[cst.Arg(value=name), cst.Arg(value=value, star=""), *_],
            ):
                text = literal(name)
                if isinstance(text, str):
                    yield text, value


def _is_array(value: cst.BaseExpression, method: cst.FunctionDef, types: Mapping[cst.CSTNode, Type]) -> bool:
    """Whether a registered value is no None: an array that is computed where it is registered, or just before."""
    if not isinstance(types.get(value), Array):
        return False
    if not isinstance(value, _CHOICES):
        return True
    bound = [
        node.value for node in walk(method.body) if isinstance(node, cst.Assign)
        and any(target.target.deep_equals(value) for target in node.targets)
    ]  # fmt: skip
    sure = [isinstance(types.get(one), Array) and not isinstance(one, _CHOICES) for one in bound]
    return isinstance(value, cst.Name) and bool(sure) and all(sure)


def write(construct: BufferAssignment, node: cst.Assign, context: FileContext) -> cst.Expr:
    """`self.mean.set_value(0.9 * self.mean)`."""
    context.converted(node, op="buffer", rule="buffer_assignments")
    template = "{target}.set_value({value}[...])" if construct.is_variable else "{target}.set_value({value})"
    value = context.rewrite(node.value)
    call: cst.Call = context.expression(template, target=context.rewrite(construct.target), value=value)
    return cst.Expr(call)


RULES = (Rule("buffer_assignments", (cst.Assign,), {"torch": read}, {"jax": write}, order=19),)
