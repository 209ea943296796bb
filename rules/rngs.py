"""Where random keys come from: `rngs` threaded through constructors and factories, `self.rngs` in methods.

torch has one generator for a process; Flax modules are built with an `nnx.Rngs`. A constructor takes it as a
keyword-only argument; methods of a module use the one that the module keeps; a function that seeds torch gets a local
`rngs` with this seed; a function that builds and returns modules takes `rngs` too. Anything else draws from a stream
of the process, as torch does, and the report says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import append_argument, keyword_argument, parenthesized
from ..rewriter.infer import Inference
from ..rewriter.lattice import (
    UNKNOWN,
    Callback,
    Either,
    Instance,
    Mapping,
    Method,
    Partial,
    RandomKey,
    Reference,
    Sequence,
    Tuple,
    Type,
)
from ..rewriter.names import Definition, dotted
from ..rewriter.nodes import walk
from ..rewriter.read import BoundOp, Given, Refusal, literal
from ..rewriter.rule import Rule
from ..rewriter.tables import CONTEXT, SpellingParameter
from ..rewriter.write import is_cheap
from .distribution_draws import is_distribution_draw
from .evident_modules import is_evident_construction, is_evident_maker
from .process_draws import calls_process_draws

NAME = "rngs"
#: Set in the state while a script's block is rewritten that has a stream of this name.
SCRIPT = "script_stream"
#: Bases of other libraries that leave construction to the others.
WITHOUT_CONSTRUCTOR = frozenset(("abc.ABC", "typing.Generic", "typing.Protocol", "object"))
#: Methods that Python itself calls.
_FIXED_METHODS = frozenset("__getitem__ __getattr__ __iter__ __next__ __enter__ __len__ __init__ __new__".split())


@dataclass(frozen=True)
class Construction:
    """A call that builds a module of the repository, or calls a function that does."""

    call: cst.Call


@dataclass(frozen=True)
class Seeding:
    """The seed of the process's generator is set.

    is_local: the draws and modules that follow are in this scope. is_shared: functions that it calls draw too.
    """

    seed: cst.BaseExpression
    is_local: bool
    is_shared: bool = False


def is_seeding(context: FileContext, node: cst.CSTNode) -> bool:
    """Whether a node is a call that seeds the source framework's generator."""
    return isinstance(node, cst.Call) and context.path(node.func) in context.source.fact("seed_functions", default=())


def seeds_here(context: FileContext, body: cst.CSTNode) -> bool:
    """Whether a scope's own statements seed the generator and then use it.

    Seeding on a condition, or behind the first use, does not count: a local generator would not always be there.
    """
    key = ("seeds", id(body))
    known = context.state.get(str(key))
    if known is None:
        seeded = False
        known = False
        for statement in getattr(body, "body", ()):
            if any(isinstance(node, cst.Call) and needs_randomness(context, node) for node in walk(statement)):
                known = seeded
                break
            seeded = seeded or is_seeding_statement(context, statement)
        context.state[str(key)] = known
    return bool(known)


def is_seeding_statement(context: FileContext, node: cst.CSTNode) -> bool:
    """Whether a statement does nothing but seed the source framework's generator."""
    if not isinstance(node, cst.SimpleStatementLine) or len(node.body) != 1 or not isinstance(node.body[0], cst.Expr):
        return False
    return is_seeding(context, node.body[0].value)


def needs_randomness(context: FileContext, call: cst.Call) -> bool:
    """Whether a call draws random numbers, builds a module, or calls a function that takes `rngs`."""
    bound = context.bound(call)
    if isinstance(bound, BoundOp):
        return bound.op.random or _layer_takes_rngs(context, bound.spelling.path)
    if is_distribution_draw(context.inference, context.scope.file, call):
        return True
    if is_evident_construction(context.inference, call) or mapped_maker(context, call) is not None:
        return True
    return takes_rngs(context, context.type_of(call.func))


def mapped_maker(context: FileContext, call: cst.Call) -> cst.BaseExpression | None:
    """What builds modules in `map(layer, widths)`; None for other calls."""
    match call:
        case cst.Call(func=cst.Name(value="map"), args=[cst.Arg(value=maker, star="", keyword=None), _, *_]):
            kind = context.type_of(maker)
            return maker if takes_rngs(context, kind) or may_take_rngs(context, kind) else None
    return None


def _layer_takes_rngs(context: FileContext, path: str) -> bool:
    """Whether the target's spelling of the source layer at `path` has a `rngs` parameter."""
    rows = context.source.by_path.get(path, ())
    if not rows:
        return False
    for target in context.tables.writers(context.target.name, rows[0].op):
        if any(parameter.name == NAME and parameter.hub == CONTEXT for parameter in target.parameters):
            return True
    return False


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
            return _layer_takes_rngs(context, callee.path)
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


def _is_layer_with_rngs(inference: Inference, path: str) -> bool:
    """Whether a layer of the source has a counterpart in JAX, the target with `rngs`, that takes them."""
    rows = inference.tables.frameworks[inference.source].by_path.get(path, ())
    spellings = inference.tables.writers("jax", rows[0].op) if rows else ()
    return any(one.name == NAME and one.hub == CONTEXT for spelling in spellings for one in spelling.parameters)


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


def rngs_source(context: FileContext) -> cst.BaseExpression | None:
    """The expression of the `nnx.Rngs` at hand at the current place; None where only the process's stream is."""
    stack = context.stack
    for index in range(len(stack) - 1, -1, -1):
        node = stack[index]
        if isinstance(node, cst.FunctionDef):
            owner = stack[index - 2] if index >= 2 and isinstance(stack[index - 2], cst.ClassDef) else None
            found = _function_source(context, node, owner)
            if found is not None:
                return found
    return cst.Name(NAME) if module_seeds(context) or context.state.get(SCRIPT) else None


def module_seeds(context: FileContext) -> bool:
    """Whether the file's top level seeds the generator."""
    known = context.state.get("module_seeds")
    if known is None:
        lines = [line for line in context.module.body if isinstance(line, cst.SimpleStatementLine)]
        known = context.state["module_seeds"] = any(
            is_seeding(context, small.value) for line in lines for small in line.body if isinstance(small, cst.Expr)
        )
    return bool(known)


def _function_source(
    context: FileContext, function: cst.FunctionDef, owner: cst.CSTNode | None
) -> cst.BaseExpression | None:
    if isinstance(owner, cst.ClassDef) and is_module_class_node(context, owner):
        names = {getattr(decorator.decorator, "value", "") for decorator in function.decorators}
        if not names & {"staticmethod", "classmethod"}:
            if function.name.value == "__init__":
                return cst.Name(NAME)
            parameters = [*function.params.posonly_params, *function.params.params]
            if parameters:
                keep_rngs(context, owner)
                return cst.Attribute(cst.Name(parameters[0].name.value), cst.Name(NAME))
    if seeds_here(context, function.body):
        return cst.Name(NAME)
    if has_rngs_parameter(context, function):
        return cst.Name(NAME)
    return None


def has_rngs_parameter(context: FileContext, function: cst.FunctionDef) -> bool:
    """Whether a function of this file takes `rngs` after conversion because it builds modules."""
    definition = function_definition(context, function)
    return definition is not None and is_factory(context, definition) and not seeds_here(context, function.body)


def function_definition(context: FileContext, function: cst.FunctionDef) -> Definition | None:
    """The repository's definition for a function node of this file: top level, or static in a class."""
    name = function.name.value
    known = context.scope.definitions.get(name)
    if known is not None and known.node is function:
        return known
    for definition in context.scope.definitions.values():
        if isinstance(definition.node, cst.ClassDef) and function in definition.node.body.body:
            return Definition(f"{definition.path}.{name}", context.scope.file, function, definition.path)
    return None


def is_module_class_node(context: FileContext, node: cst.ClassDef) -> bool:
    """Whether a class statement of this file defines a module of the source framework; also local classes."""
    known = context.scope.definitions.get(node.name.value)
    if known is not None and known.node is node:
        return context.inference.is_module_class(known.path)
    paths = [context.path(base.value) for base in node.bases]
    return any(path is not None and context.inference.is_module_class(path) for path in paths)


def keep_rngs(context: FileContext, owner: cst.ClassDef) -> None:
    """Note that a module class must keep its `rngs` for its methods."""
    context.state.setdefault("keeps_rngs", set()).add(owner)


def draw_key(context: FileContext, node: cst.CSTNode) -> cst.BaseExpression:
    """A fresh random key at the current place."""
    source = rngs_source(context)
    if source is not None:
        return cst.Call(source)
    context.review(
        node, "draws from a stream of the process; under jax.jit it would draw the same numbers at every call",
        rule="rngs")  # fmt: skip
    return context.expression("helpers.next_key()")


def generator_key(context: FileContext, generator: cst.BaseExpression) -> cst.BaseExpression:
    """A fresh key from a generator object of the source; from the process's stream where it may be None."""
    node = context.rewrite(generator)
    if is_surely_generator(context, generator):
        return cst.Call(parenthesized(node))
    return context.expression("helpers.key_from({generator})", generator=node)


def is_surely_generator(context: FileContext, node: cst.BaseExpression) -> bool:
    """Whether an expression is a generator object and never None: it, or all that is assigned to it, makes one."""
    if not isinstance(context.type_of(node), RandomKey):
        return False
    if isinstance(node, cst.Call):
        return True
    name = dotted(node)
    owner = context.enclosing(cst.ClassDef if name and "." in name else cst.FunctionDef)
    scope = owner if owner is not None else context.module
    if name is None or any(isinstance(part, cst.Param) and part.name.value == name for part in walk(scope)):
        return False
    values = [
        part.value for part in walk(scope)
        if isinstance(part, cst.Assign) and any(dotted(target.target) == name for target in part.targets)
    ]  # fmt: skip
    return bool(values) and all(isinstance(value, cst.Call) for value in values)


def module_rngs(context: FileContext) -> cst.BaseExpression:
    """The `rngs` argument for building a module at the current place."""
    source = rngs_source(context)
    if source is not None:
        return source
    if seeds_anywhere(context) or _is_repeated(context):
        return context.expression("flax.nnx.Rngs(helpers.next_key())")
    return context.expression(f"flax.nnx.Rngs({_place_in_scope(context)})")


def _place_in_scope(context: FileContext) -> int:
    """How many modules the same function builds before this one: two of the same shape must not start out equal."""
    scope = next((node for node in reversed(context.stack) if isinstance(node, cst.FunctionDef)), context.module)
    places: dict[cst.CSTNode, int] = context.state.setdefault("seeded_places", {}).setdefault(scope, {})
    return places.setdefault(context.stack[-1], len(places))


def _is_repeated(context: FileContext) -> bool:
    """Whether the current place stands in a loop, each turn of which draws other values."""
    for node in reversed(context.stack):
        if isinstance(node, (cst.For, cst.While, cst.BaseComp)):
            return True
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            return False
    return False


def seeds_anywhere(context: FileContext) -> bool:
    """Whether some code of the repository seeds the generator, also for others."""
    known: bool | None = context.inference.__dict__.get("_seeds_anywhere")
    if known is None:
        functions = context.source.fact("seed_functions", default=())
        values = (value for file in context.inference.files.values() for value in file.types.values())
        known = any(isinstance(value, Reference) and value.path in functions for value in values)
        context.inference.__dict__["_seeds_anywhere"] = known
    return known


def supply(context: FileContext, op: BoundOp, parameter: SpellingParameter) -> cst.BaseExpression | None:
    """Fills the `rngs` and `key` parameters of rows."""
    if context.target.name != "jax":
        return None
    if parameter.name == NAME:
        return module_rngs(context)
    if parameter.name.endswith("key"):
        generator = op.given("generator")
        if generator is not None and not (isinstance(generator, cst.Name) and generator.value == "None"):
            return generator_key(context, generator)
        if _is_zero(op.arguments.get("dropout_p")):
            return None
        return draw_key(context, op.node)
    return None


def _is_zero(argument: Any) -> bool:
    value = literal(argument.node) if isinstance(argument, Given) else getattr(argument, "value", None)
    return value in (0, 0.0) and value is not False


def read_construction(node: cst.Call, context: FileContext) -> Construction | None:
    """A call of a module class or factory of the repository, or of a variable that holds a layer class."""
    if isinstance(context.bound(node), (BoundOp, Refusal)):
        return None
    if any(argument.keyword is not None and argument.keyword.value == NAME for argument in node.args):
        return None
    return Construction(node) if takes_rngs(context, context.type_of(node.func)) else None


def write_construction(construct: Construction, node: cst.Call, context: FileContext) -> cst.Call:
    """The same call with `rngs=`."""
    call = context.rewrite_children(node)
    context.converted(node, op="module_construction", rule="rngs")
    return append_argument(call, keyword_argument(NAME, module_rngs(context)))


def read_seeding(node: cst.SimpleStatementLine, context: FileContext) -> Seeding | None:
    """`torch.manual_seed(s)` as a statement of its own."""
    if not is_seeding_statement(context, node):
        return None
    call = node.body[0].value  # type: ignore[union-attr,attr-defined]
    assert isinstance(call, cst.Call)
    function = context.enclosing(cst.FunctionDef)
    local = seeds_here(context, function.body) if function is not None else True
    body = function.body if function is not None else context.module
    shared = local and calls_process_draws(context, body)
    return Seeding(call.args[0].value if call.args else cst.Integer("0"), local, shared)


def write_seeding(construct: Seeding, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """`rngs = nnx.Rngs(seed)`, or a new seed for the process's stream; CUDA's extra seeds are dropped."""
    expression = node.body[0]
    assert isinstance(expression, cst.Expr) and isinstance(expression.value, cst.Call)
    path = context.path(expression.value.func) or ""
    context.converted(expression.value, op="seed", api=path, rule="rngs")
    if ".cuda" in path or ".mps" in path:
        return cst.RemovalSentinel.REMOVE
    seed = context.rewrite(construct.seed)
    template = "rngs = flax.nnx.Rngs({seed})" if construct.is_local else "helpers.manual_seed({seed})"
    if construct.is_shared:
        once = "{seed}" if is_cheap(construct.seed) else "helpers.initial_seed()"
        template = "helpers.manual_seed({seed})\nrngs = flax.nnx.Rngs(" + once + ")"
    statements = context.statements(template, seed=seed)
    statements[0] = statements[0].with_changes(leading_lines=node.leading_lines)
    statements[-1] = statements[-1].with_changes(trailing_whitespace=node.trailing_whitespace)
    return statements[0] if len(statements) == 1 else cst.FlattenSentinel(statements)


def read_factory(node: cst.FunctionDef, context: FileContext) -> Construction | None:
    """A function that builds and returns modules."""
    if isinstance(context.stack[-3] if len(context.stack) > 2 else None, cst.ClassDef):
        owner = context.stack[-3]
        assert isinstance(owner, cst.ClassDef)
        definition = function_definition(context, node)
        if definition is None or not is_factory(context, definition):
            return None
    return Construction(cst.Call(node.name)) if has_rngs_parameter(context, node) else None


def write_factory(construct: Construction, node: cst.FunctionDef, context: FileContext) -> cst.FunctionDef:
    """The function with a keyword-only `rngs`."""
    function = context.rewrite_children(node)
    context.converted(node.name, op="factory", rule="rngs")
    return add_rngs_parameter(context, function)


def add_rngs_parameter(context: FileContext, function: cst.FunctionDef) -> cst.FunctionDef:
    """A function with a keyword-only parameter `rngs: nnx.Rngs`, behind the others, before `**keywords`."""
    parameters = function.params
    names = [p.name.value for p in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)]
    if NAME in names:
        return function
    parameter = cst.Param(cst.Name(NAME), cst.Annotation(context.reference("flax.nnx.Rngs")), star="")
    last = parameters.kwonly_params[-1:] or parameters.params[-1:]
    layout: dict[str, Any] = {}
    if (
        last
        and isinstance(last[0].comma, cst.Comma)
        and isinstance(last[0].comma.whitespace_after, cst.ParenthesizedWhitespace)
    ):
        layout = _multi_line(parameters)
    star = parameters.star_arg
    if not isinstance(star, (cst.Param, cst.ParamStar)):
        star = cst.ParamStar(comma=layout.get("between", cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))))
    changed = parameters.with_changes(
        star_arg=star, kwonly_params=[*layout.get("kwonly", parameters.kwonly_params), parameter.with_changes(comma=layout.get("comma", cst.MaybeSentinel.DEFAULT))],
        params=layout.get("params", parameters.params))  # fmt: skip
    return function.with_changes(params=changed)


def _multi_line(parameters: cst.Parameters) -> dict[str, Any]:
    """Keep one parameter a line: the last comma's line break moves behind the new parameter."""
    key = "kwonly" if parameters.kwonly_params else "params"
    group = list(parameters.kwonly_params or parameters.params)
    closing = group[-1].comma
    inner = group[-2].comma if len(group) > 1 else None
    assert isinstance(closing, cst.Comma)
    between = inner if isinstance(inner, cst.Comma) else cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    if isinstance(between.whitespace_after, cst.ParenthesizedWhitespace):
        closing_space = closing.whitespace_after
        assert isinstance(closing_space, cst.ParenthesizedWhitespace)
        between = between.with_changes(
            whitespace_after=between.whitespace_after.with_changes(first_line=closing_space.first_line, empty_lines=[])
        )
        closing = closing.with_changes(whitespace_after=closing_space.with_changes(first_line=cst.TrailingWhitespace()))
    group[-1] = group[-1].with_changes(comma=between)
    plain = inner if isinstance(inner, cst.Comma) else between
    if isinstance(plain.whitespace_after, cst.ParenthesizedWhitespace):
        space = plain.whitespace_after.with_changes(first_line=cst.TrailingWhitespace(), empty_lines=[])
        plain = plain.with_changes(whitespace_after=space)
    return {key: group, "comma": closing, "between": plain}


SUPPLIERS = (supply,)

RULES = (
    Rule(
        "seeding",
        (cst.SimpleStatementLine,),
        dict.fromkeys(("torch", "tensorflow"), read_seeding),
        {"jax": write_seeding},
        order=20,
    ),
    Rule(
        "module_construction",
        (cst.Call,),
        dict.fromkeys(("torch", "tensorflow"), read_construction),
        {"jax": write_construction},
        order=60,
    ),
    Rule(
        "factory",
        (cst.FunctionDef,),
        dict.fromkeys(("torch", "tensorflow"), read_factory),
        {"jax": write_factory},
        order=60,
    ),
)
