"""Who takes `rngs`: module classes, layers of the framework, and functions that build modules and return them."""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.infer import Inference
from ..rewriter.lattice import (
    UNKNOWN,
    Callback,
    Either,
    Instance,
    Mapping,
    Method,
    Partial,
    Reference,
    Sequence,
    Tuple,
    Type,
)
from ..rewriter.names import Definition
from ..rewriter.nodes import walk
from ..rewriter.tables import CONTEXT
from .evident_modules import is_evident_construction, is_evident_maker

NAME = "rngs"
#: Bases of other libraries that leave construction to the others.
WITHOUT_CONSTRUCTOR = frozenset(("abc.ABC", "typing.Generic", "typing.Protocol", "object"))
#: Methods that Python itself calls.
_FIXED_METHODS = frozenset("__getitem__ __getattr__ __iter__ __next__ __enter__ __len__ __init__ __new__".split())


def takes_rngs(context: FileContext, callee: Type) -> bool:
    """Whether calling a value of this type needs `rngs=`: a module class, or a function that builds modules."""
    if isinstance(callee, Partial):
        return takes_rngs(context, callee.function)
    if isinstance(callee, Either):
        return all(takes_rngs(context, option) for option in callee.options)
    inference = context.inference
    if isinstance(callee, Method) and isinstance(callee.receiver, Instance):
        found = inference.method(callee.receiver.path, callee.name)
        return found is not None and is_factory(context, found[1])
    if isinstance(callee, Instance) and not inference.is_module(callee):
        found = inference.method(callee.path, "__call__")
        return found is not None and is_factory(context, found[1])
    if not isinstance(callee, Reference):
        return False
    definition = inference.repository.resolve(callee.path)
    if definition is None:
        if context.source.owns(callee.path):
            return layer_takes_rngs(context, callee.path)
        owner, _, name = callee.path.rpartition(".")
        found = inference.method(owner, name) if inference.class_definition(owner) else None
        return found is not None and is_factory(context, found[1])
    if isinstance(definition.node, cst.ClassDef):
        return class_takes_rngs(inference, definition.path)
    return is_factory(context, definition)


def may_take_rngs(context: FileContext, callee: Type) -> bool:
    """Whether a value builds modules of a class that is open here, or of several of which only some take `rngs`."""
    options = callee.options if isinstance(callee, Either) else (callee,)
    built = [_built_class(option) for option in options]
    if not all(path is not None and context.inference.is_module_class(path) for path in built):
        return False
    open_classes = context.inference.framework.plain_module_bases
    return not takes_rngs(context, callee) and any(
        path in open_classes or takes_rngs(context, option) for path, option in zip(built, options, strict=True)
    )


def mapped_maker(context: FileContext, call: cst.Call) -> cst.BaseExpression | None:
    """What builds modules in `map(layer, widths)`; None for other calls."""
    match call:
        case cst.Call(func=cst.Name(value="map"), args=[cst.Arg(value=maker, star="", keyword=None), _, *_]):
            kind = context.type_of(maker)
            return maker if takes_rngs(context, kind) or may_take_rngs(context, kind) else None
    return None


def _built_class(maker: Type) -> str | None:
    """The class that a class or a function builds; the base class of modules stands for all of them."""
    if isinstance(maker, Partial):
        return _built_class(maker.function)
    if isinstance(maker, Callback) and isinstance(maker.result, Instance):
        return maker.result.path
    return maker.path if isinstance(maker, Reference) else None


def class_takes_rngs(inference: Inference, path: str) -> bool:
    """Whether a converted class has a constructor with `rngs`: every module class that does not inherit a plain one."""
    if not inference.is_module_class(path):
        return False
    for owner in inference.ancestors(path):
        definition = inference.class_definition(owner)
        if definition is None and owner not in WITHOUT_CONSTRUCTOR:
            return owner in inference.framework.plain_module_bases or _is_layer_with_rngs(inference, owner)
        constructor = inference.method(owner, "__init__")
        if constructor is None or constructor[0] != owner:
            continue
        node = constructor[1].node
        # A plain class among the bases that takes any keywords hands them on to the module class behind it.
        if inference.is_module_class(owner) or not (isinstance(node, cst.FunctionDef) and node.params.star_kwarg):
            return inference.is_module_class(owner)
    return False


def inherits_layer(inference: Inference, path: str) -> bool:
    """Whether a class of the repository has no constructor but that of a layer of the framework."""
    if inference.class_definition(path) is None:
        return False
    for owner in inference.ancestors(path):
        if inference.class_definition(owner) is None:
            return owner not in inference.framework.plain_module_bases and owner not in WITHOUT_CONSTRUCTOR
        found = inference.method(owner, "__init__")
        if found is not None and found[0] == owner:
            return False
    return False


def layer_takes_rngs(context: FileContext, path: str) -> bool:
    """Whether the target's spelling of the source layer at `path` has a `rngs` parameter."""
    rows = context.source.by_path.get(path, ())
    if not rows:
        return False
    for target in context.tables.writers(context.target.name, rows[0].op):
        if any(parameter.name == NAME and parameter.hub == CONTEXT for parameter in target.parameters):
            return True
    return False


def _is_layer_with_rngs(inference: Inference, path: str) -> bool:
    """Whether a layer of the source has a counterpart in JAX, the target with `rngs`, that takes them."""
    rows = inference.tables.frameworks[inference.source].by_path.get(path, ())
    spellings = inference.tables.writers("jax", rows[0].op) if rows else ()
    return any(one.name == NAME and one.hub == CONTEXT for spelling in spellings for one in spelling.parameters)


def is_factory(context: FileContext, definition: Definition) -> bool:
    """Whether a function builds modules and returns them."""
    cache: dict[str, bool] = context.inference.__dict__.setdefault("_factories", {})
    if definition.path in cache:
        return cache[definition.path]
    cache[definition.path] = False
    node = definition.node
    if not isinstance(node, cst.FunctionDef) or _needs_no_parameter(context, definition):
        return False
    result = context.inference.results.get(definition.path, UNKNOWN)
    if _holds_module(context.inference, result) or is_evident_maker(context.inference, definition.path):
        types = context.inference.files[definition.file].types
        calls = [part for part in walk(node.body) if isinstance(part, cst.Call)]
        callees = [types.get(call.func, Callback(result)) for call in calls]
        seeds = context.source.fact("seed_functions", default=())
        # A function that seeds the generator itself builds its modules from that seed.
        if not any(isinstance(callee, Reference) and callee.path in seeds for callee in callees):
            cache[definition.path] = any(
                takes_rngs(context, callee) or may_take_rngs(context, callee) for callee in callees
            ) or any(is_evident_construction(context.inference, call) for call in calls)
    return cache[definition.path]


def _needs_no_parameter(context: FileContext, definition: Definition) -> bool:
    """Methods of modules have `self.rngs`, static and class methods have not; some methods cannot take it."""
    if not definition.owner:
        return False
    node = definition.node
    assert isinstance(node, cst.FunctionDef)
    names = {getattr(decorator.decorator, "value", "") for decorator in node.decorators}
    if names & {"property", "cached_property"} or node.name.value in _FIXED_METHODS:
        return True  # called by Python itself, which passes no other arguments
    return not names & {"staticmethod", "classmethod"} and context.inference.is_module_class(definition.owner)


def _holds_module(inference: Inference, value: Type) -> bool:
    match value:
        case Instance() | Either():
            return inference.is_module(value)
        case Sequence(item=item):
            return _holds_module(inference, item)
        case Mapping(value=item):
            return _holds_module(inference, item)
        case Tuple(items=items):
            return any(_holds_module(inference, item) for item in items)
    return False
