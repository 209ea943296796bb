"""Where a layer or array is made, and of which element type: `nn.Linear(3, 4, device=device, dtype=dtype)`.

The two often come together, `factory_kwargs = {"device": device, "dtype": dtype}`, and are handed on as
`**factory_kwargs`. JAX places arrays by itself, and a layer gets its element type behind its construction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import keyword_argument, normal_commas
from ..rewriter.nodes import walk
from ..rewriter.read import BoundOp, Refusal, literal, read_call
from ..rewriter.rule import Rule
from ..rewriter.tables import REFUSE

_DTYPE = "dtype"


@dataclass(frozen=True)
class FactoryCall:
    """A call whose `**` arguments are known one by one; `dtype` is the element type that a layer gets afterwards."""

    op: BoundOp
    dtype: cst.BaseExpression | None


def read(node: cst.Call, context: FileContext) -> FactoryCall | None:
    """A call of the source framework with settings behind `**`, or of one of its layers with an element type."""
    path = context.direct_path(node.func) or ""
    rows = context.source.by_path.get(path, ())
    if not rows:
        return None
    expanded = list(_expanded(node, context))
    arguments = [argument for argument in expanded if argument is not None]
    call, dtype = without_dtype(node.with_changes(args=arguments), path, context)
    if list(call.args) == list(node.args):
        return None
    bound = read_call(context.tables, context.source.name, path, call, context.type_of)
    return FactoryCall(replace(bound, node=node), dtype) if isinstance(bound, BoundOp) and not bound.starred else None


def without_dtype(call: cst.Call, path: str, context: FileContext) -> tuple[cst.Call, cst.BaseExpression | None]:
    """A call that makes a layer without its element type, and that type unless it is None or no layer takes it apart."""
    rows = context.source.by_path.get(path, ())
    if not rows or not context.tables.hub[rows[0].op].is_layer:
        return call, None
    if not any(parameter.name == _DTYPE and parameter.hub == REFUSE for parameter in rows[0].parameters):
        return call, None
    named = [argument for argument in call.args if argument.keyword is not None and argument.keyword.value == _DTYPE]
    if not named:
        return call, None
    dtype = named[0].value if literal(named[0].value) is not None else None
    return call.with_changes(args=normal_commas([a for a in call.args if a not in named])), dtype


def _expanded(node: cst.Call, context: FileContext) -> Iterator[cst.Arg]:
    """The arguments of a call, those behind `**` one by one where the dictionary is known."""
    for argument in node.args:
        entries = _entries(argument.value, context) if argument.star == "**" else None
        if entries is None:
            yield argument
        else:
            yield from (keyword_argument(key, value) for key, value in entries.items())


def _entries(node: cst.BaseExpression, context: FileContext) -> dict[str, cst.BaseExpression] | None:
    """The items of a dictionary that a local name is bound to once and that nothing changes."""
    function = context.enclosing(cst.FunctionDef)
    if not isinstance(node, cst.Name) or function is None:
        return None
    display: cst.BaseExpression | None = None
    reads = 0
    for part in walk(function):
        match part:
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=value) if name == node.value:
                if display is not None:
                    return None
                display = value
            case cst.Arg(star="**", value=cst.Name(value=name)) if name == node.value:
                reads += 1
            case cst.Subscript(value=cst.Name(value=name)) if name == node.value and not _is_target(part, function):
                reads += 1
            case _:
                pass
    mentions = sum(isinstance(part, cst.Name) and part.value == node.value for part in walk(function))
    if display is None or mentions != reads + 1:
        return None
    return _items(display, node, function)


def _is_target(node: cst.CSTNode, function: cst.FunctionDef) -> bool:
    """Whether an item is stored or deleted."""
    return any(
        isinstance(part, (cst.AssignTarget, cst.AugAssign, cst.AnnAssign, cst.Del)) and getattr(part, "target", None) is node
        for part in walk(function)
    )


def _items(
    display: cst.BaseExpression, name: cst.Name, function: cst.FunctionDef
) -> dict[str, cst.BaseExpression] | None:
    """`{"device": device}` and `dict(device=device)` by key; values that may have changed are read from `name`."""
    pairs: list[tuple[object, cst.BaseExpression]] = []
    match display:
        case cst.Dict(elements=elements):
            for element in elements:
                if not isinstance(element, cst.DictElement):
                    return None
                pairs.append((literal(element.key), element.value))
        case cst.Call(func=cst.Name(value="dict"), args=args):
            pairs = [(a.keyword.value if a.keyword is not None else None, a.value) for a in args]
        case _:
            return None
    if not all(isinstance(key, str) and key.isidentifier() for key, _ in pairs):
        return None
    bound = _bound_names(function)
    return {
        str(key): value if _is_fixed(value, bound) else cst.Subscript(
            cst.Name(name.value), [cst.SubscriptElement(cst.Index(cst.SimpleString(f'"{key}"')))]
        )
        for key, value in pairs
    }  # fmt: skip


def _is_fixed(value: cst.BaseExpression, bound: frozenset[str]) -> bool:
    """Whether an expression gives the same wherever it stands in the function."""
    if isinstance(value, cst.Name):
        return value.value not in bound
    return isinstance(value, (cst.Integer, cst.Float, cst.SimpleString))


def _bound_names(function: cst.FunctionDef) -> frozenset[str]:
    """The names that a function binds itself, its parameters left out."""
    targets = [
        part.target for part in walk(function.body)
        if isinstance(part, (cst.AssignTarget, cst.AugAssign, cst.AnnAssign, cst.For, cst.CompFor, cst.NamedExpr))
    ]  # fmt: skip
    return frozenset(part.value for target in targets for part in walk(target) if isinstance(part, cst.Name))


def write(construct: FactoryCall, node: cst.Call, context: FileContext) -> cst.BaseExpression | Refusal:
    """The layer or array, `in_dtype(Linear(3, 4, rngs=rngs), dtype)` where a layer has an element type."""
    made = context.write(construct.op)
    if isinstance(made, Refusal):
        return made
    context.converted(node, op=construct.op.op.name, api=construct.op.api, rule="factory_keywords")
    if construct.dtype is None:
        return made
    result: cst.BaseExpression = context.expression(
        "helpers.in_dtype({layer}, {dtype})", layer=made, dtype=context.rewrite(construct.dtype)
    )
    return result


RULES = (Rule("factory_keywords", (cst.Call,), {"torch": read}, {"jax": write}, order=34),)
