"""Building a module whose class is open: `norm_layer: Type[nn.Module]`, one of several classes, a factory passed in.

Some of these take `rngs` after the conversion and some do not, so a helper asks the class when it is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from ..rewriter.aliases import bound_names
from ..rewriter.context import FileContext
from ..rewriter.expressions import append_argument, keyword_argument
from ..rewriter.lattice import UNKNOWN, Either, Partial, Reference, Type
from ..rewriter.nodes import walk
from ..rewriter.read import BoundOp, Refusal
from ..rewriter.rule import Rule
from .evident_modules import is_evident_construction
from .rngs import module_rngs
from .rngs_takers import NAME, inherits_layer, may_take_rngs, takes_rngs

_DICTIONARIES = frozenset(("dict", "collections.OrderedDict", "collections.UserDict", "collections.defaultdict"))


@dataclass(frozen=True)
class OpenConstruction:
    """A call that builds a module of a class that is not known here."""


def read(node: cst.Call, context: FileContext) -> OpenConstruction | None:
    """`norm_layer(dim)`."""
    if isinstance(context.bound(node), (BoundOp, Refusal)):
        return None
    if any(argument.keyword is not None and argument.keyword.value == NAME for argument in node.args):
        return None
    if is_evident_construction(context.inference, node) or _has_settings_for_layers(node, context):
        return OpenConstruction()
    if context.type_of(node.func) == UNKNOWN and _is_in_registry(context) and _is_local(node.func, context):
        return OpenConstruction()
    return OpenConstruction() if may_take_rngs(context, context.type_of(node.func)) else None


def _has_settings_for_layers(node: cst.Call, context: FileContext) -> bool:
    """`layer(dim, **settings)` for a variable that holds a layer class: it may not take all settings that torch's takes."""
    settings = any(
        argument.star == "**" or (argument.keyword is not None and argument.keyword.value in ("device", "dtype"))
        for argument in node.args
    )
    if not settings:
        return False
    callee = context.type_of(node.func)
    if isinstance(callee, Reference) and inherits_layer(context.inference, callee.path):
        return True
    if context.direct_path(node.func) is not None:
        return False
    return takes_rngs(context, callee) and any(context.source.owns(path) for path in _classes(callee))


def _classes(callee: Type) -> Iterator[str]:
    """The paths of the classes that a value may be."""
    match callee:
        case Either(options=options):
            for option in options:
                yield from _classes(option)
        case Partial(function=function):
            yield from _classes(function)
        case Reference(path=path):
            yield path


def _is_local(node: cst.BaseExpression, context: FileContext) -> bool:
    """Whether an expression is a name that the function around it binds."""
    function = context.enclosing(cst.FunctionDef)
    return isinstance(node, cst.Name) and function is not None and node.value in bound_names(function.body.body)


def _is_in_registry(context: FileContext) -> bool:
    """Whether the current place is in a class of dictionaries that some code fills with module classes."""
    owner = context.enclosing(cst.ClassDef)
    definition = context.scope.definitions.get(owner.name.value) if owner is not None else None
    if owner is None or definition is None or definition.node is not owner:
        return False
    known: dict[str, bool] = context.inference.__dict__.setdefault("_registries", {})
    if definition.path not in known:
        bases = context.inference.ancestors(definition.path)[1:]
        known[definition.path] = any(base in _DICTIONARIES for base in bases) and any(
            isinstance(value, Reference) and takes_rngs(context, value)
            for value in _given_values(definition.path, context)
        )
    return known[definition.path]


def _given_values(path: str, context: FileContext) -> Iterator[Type]:
    """The types of what stands in the dictionaries that the class at `path` is called with."""
    inference = context.inference
    for file, found in inference.files.items():
        for call in inference.nodes(file).of(cst.Call):
            if found.types.get(call.func) != Reference(path):
                continue
            for argument in call.args:
                value: cst.CSTNode = argument.value
                if isinstance(value, cst.Name) and value.value in inference.repository.scopes[file].definitions:
                    value = inference.repository.scopes[file].definitions[value.value].node
                yield from (found.types.get(node, UNKNOWN) for node in walk(value))


def write(construct: OpenConstruction, node: cst.Call, context: FileContext) -> cst.Call:
    """`build(norm_layer, dim, rngs=rngs)`."""
    call = context.rewrite_children(node)
    first = cst.Arg(
        call.func,
        comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")) if call.args else cst.MaybeSentinel.DEFAULT,
    )
    if isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace) and call.args:
        first = first.with_changes(comma=cst.Comma(whitespace_after=call.whitespace_before_args))
    made = call.with_changes(func=context.reference("helpers.build"), args=[first, *call.args])
    context.converted(node, op="module_construction", rule="open_constructions")
    return append_argument(made, keyword_argument(NAME, module_rngs(context)))


RULES = (Rule("open_constructions", (cst.Call,), {"torch": read}, {"jax": write}, order=56),)
