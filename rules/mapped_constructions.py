"""Modules built by `map`: `map(norm_layer, widths)` calls a class or factory that takes `rngs` after the conversion."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Partial, Type
from ..rewriter.rule import Rule
from .rngs import module_rngs
from .rngs_takers import mapped_maker, may_take_rngs


@dataclass(frozen=True)
class MappedConstruction:
    """A `map` over what builds modules. is_open: some of the classes take `rngs` and some do not."""

    maker: cst.BaseExpression
    is_open: bool


def read(node: cst.Call, context: FileContext) -> MappedConstruction | None:
    """`map(layer, ...)`, where `layer` is a class, a factory or a partial of one."""
    maker = mapped_maker(context, node)
    if maker is None:
        return None
    return MappedConstruction(maker, may_take_rngs(context, _innermost(context.type_of(maker))))


def _innermost(maker: Type) -> Type:
    return _innermost(maker.function) if isinstance(maker, Partial) else maker


def write(construct: MappedConstruction, node: cst.Call, context: FileContext) -> cst.Call:
    """`map(functools.partial(layer, rngs=rngs), ...)`."""
    context.converted(node, op="module_construction", rule="mapped_constructions")
    template = "functools.partial(helpers.build, {maker}, rngs={rngs})" if construct.is_open else (
        "functools.partial({maker}, rngs={rngs})"
    )  # fmt: skip
    maker = context.expression(template, maker=context.rewrite(construct.maker), rngs=module_rngs(context))
    first, *rest = node.args
    return node.with_changes(
        func=context.rewrite(node.func),
        args=[first.with_changes(value=maker), *(context.rewrite(argument) for argument in rest)],
    )


RULES = (Rule("mapped_constructions", (cst.Call,), {"torch": read}, {"jax": write}, order=55),)
