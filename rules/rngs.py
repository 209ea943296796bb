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
from ..rewriter.lattice import RandomKey
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import BoundOp, Given, Refusal, literal
from ..rewriter.rule import Rule
from ..rewriter.tables import SpellingParameter
from .definition_nodes import function_definition, is_module_class_node
from .rngs_takers import NAME, is_factory, takes_rngs
from .seeding import module_seeds, seeds_anywhere, seeds_here

#: Set in the state while a script's block is rewritten that has a stream of this name.
SCRIPT = "script_stream"


@dataclass(frozen=True)
class Construction:
    """A call that builds a module of the repository, or calls a function that does."""

    call: cst.Call


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
