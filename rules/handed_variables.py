"""A module's arrays handed to functions of the repository that hand them on to what takes plain arrays only.

einops and some functions of the target ask for the array itself, and comparisons do; a function in between passes on
what it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.infer import Inference
from ..rewriter.lattice import UNKNOWN, Array, Callback, Instance, Method, Reference, Type
from ..rewriter.names import Definition
from ..rewriter.nodes import walk
from ..rewriter.rule import Rule
from .einops_layers import takes_any_arrays
from .variable_reads import is_strict

_FUNCTIONS = (cst.FunctionDef, cst.Lambda)
#: Comparisons that NNX variables do not know.
_ORDERINGS = (cst.LessThan, cst.LessThanEqual, cst.GreaterThan, cst.GreaterThanEqual, cst.NotEqual)


@dataclass(frozen=True)
class HandedVariables:
    """A call of a function of the repository with arrays that a module owns and that it has to be given plainly."""

    owned: tuple[cst.Arg, ...]


def read_call(node: cst.Call, context: FileContext) -> HandedVariables | None:
    """`normalized(self.weight)`, where `normalized` calls einops with its argument."""
    owned = [argument for argument in node.args if _is_owned(context.type_of(argument.value)) and not argument.star]
    if not owned:
        return None
    given = _applied_beforehand(node, context)
    function = context.type_of(given.func)
    definition = called_definition(function, context.inference)
    if definition is None and isinstance(function, Callback) and isinstance(function.origin, _FUNCTIONS):
        definition = Definition("", context.scope.file, function.origin)
    if definition is None:
        return None
    strict = tuple(
        argument
        for name, argument in _matched(definition, given)
        if argument in owned and _needs_array(definition, name, context, frozenset())
    )
    return HandedVariables(strict) if strict else None


def _applied_beforehand(node: cst.Call, context: FileContext) -> cst.Call:
    """`f(a)` for `functools.partial(f, a)`, any other call as it is."""
    if context.path(node.func) != "functools.partial" or not node.args or node.args[0].star:
        return node
    return node.with_changes(func=node.args[0].value, args=node.args[1:])


def _is_owned(value: Type) -> bool:
    return isinstance(value, Array) and bool(value.storage)


def called_definition(function: Type, inference: Inference) -> Definition | None:
    """The function or method of the repository that a call runs."""
    if isinstance(function, Reference):
        definition = inference.repository.resolve(function.path)
        return definition if definition is not None and isinstance(definition.node, cst.FunctionDef) else None
    if isinstance(function, Method) and isinstance(function.receiver, Instance):
        found = inference.method(function.receiver.path, function.name)
        return found[1] if found is not None else None
    return None


def _matched(definition: Definition, call: cst.Call) -> Iterator[tuple[str, cst.Arg]]:
    """Parameter names with the arguments of a call, up to a starred one."""
    assert isinstance(definition.node, _FUNCTIONS)
    parameters = definition.node.params
    positional = [*parameters.posonly_params, *parameters.params][bool(definition.owner) :]
    for index, argument in enumerate(call.args):
        if argument.star:
            return
        if argument.keyword is not None:
            yield argument.keyword.value, argument
        elif index < len(positional):
            yield positional[index].name.value, argument


def _needs_array(definition: Definition, name: str, context: FileContext, running: frozenset[tuple[cst.CSTNode, str]]) -> bool:
    """Whether a function hands the parameter on to what takes plain arrays only."""
    key = (definition.node, name)
    known: dict[tuple[cst.CSTNode, str], bool] = context.inference.__dict__.setdefault("_needs_array", {})
    if key in running:
        return False
    if key not in known:
        assert isinstance(definition.node, _FUNCTIONS)
        known[key] = any(
            _is_handed_on(node, name, definition, context, running | {key})
            if isinstance(node, cst.Call)
            else isinstance(node, cst.Comparison) and _is_compared(node, name)
            for node in walk(definition.node.body)
        )
    return known[key]


def _is_compared(node: cst.Comparison, name: str) -> bool:
    operands = [node.left, *(part.comparator for part in node.comparisons)]
    ordered = any(isinstance(part.operator, _ORDERINGS) for part in node.comparisons)
    return ordered and any(name in _names(operand) for operand in operands)


def _is_handed_on(
    call: cst.Call, name: str, definition: Definition, context: FileContext, running: frozenset[tuple[cst.CSTNode, str]]
) -> bool:
    found = context.inference.files[definition.file]
    receiver = [cst.Arg(call.func.value)] if isinstance(call.func, cst.Attribute) and call in found.bound else []
    given = [argument for argument in (*receiver, *call.args) if name in _names(argument.value)]
    if not given:
        return False
    callee = found.types.get(call.func, UNKNOWN)
    if isinstance(callee, Reference) and takes_any_arrays(callee.path, context):
        return True
    if is_strict(found.bound.get(call), context):
        return True
    inner = called_definition(callee, context.inference)
    return inner is not None and any(
        argument in given and _needs_array(inner, parameter, context, running)
        for parameter, argument in _matched(inner, call)
    )


def _names(node: cst.BaseExpression) -> set[str]:
    """The name that an argument is, or those that a list or tuple of names holds."""
    if isinstance(node, cst.Name):
        return {node.value}
    if isinstance(node, (cst.List, cst.Tuple)):
        return {name for element in node.elements for name in _names(element.value)}
    return set()


def write_call(construct: HandedVariables, node: cst.Call, context: FileContext) -> cst.Call:
    """`normalized(self.weight[...])`."""
    context.converted(node, op="variable", rule="handed_variables")
    arguments = []
    for argument in node.args:
        value = context.rewrite(argument.value)
        if argument in construct.owned:
            value = context.expression("{value}[...]", value=value)
        arguments.append(argument.with_changes(value=value))
    return node.with_changes(func=context.rewrite(node.func), args=arguments)


RULES = (Rule("handed_variables", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=60),)
