"""Asking an object for its class: `type(x) is torch.Tensor`, and array classes that stand for an element type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lifting import is_cheap
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule

_ALL = {"jax": "jax.Array", "numpy": "numpy.ndarray", "tensorflow": "tensorflow.Tensor"}


@dataclass(frozen=True)
class ExactClass:
    """`type(x) == C` or `type(x) in (C, ...)` with the array class among them: the target has subclasses of its own."""

    value: cst.BaseExpression
    classes: cst.BaseExpression
    negated: bool


@dataclass(frozen=True)
class ElementClass:
    """`isinstance(x, C)` where classes among C say what element type an array has."""

    value: cst.BaseExpression
    others: tuple[cst.BaseExpression, ...]
    dtypes: tuple[str, ...]


def _asked_object(node: cst.BaseExpression) -> cst.BaseExpression | None:
    """x of `type(x)` and of `x.__class__`."""
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "type":
        return node.args[0].value if len(node.args) == 1 and not node.args[0].star else None
    if isinstance(node, cst.Attribute) and node.attr.value == "__class__":
        return node.value
    return None


def _options(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    if isinstance(node, (cst.Tuple, cst.List, cst.Set)):
        return [element.value for element in node.elements]
    return [node]


def _is_array_class(node: cst.BaseExpression, context: FileContext) -> bool:
    path = context.direct_path(node)
    return path is not None and context.source.hub_name("objects", path) == "array"


@dataclass(frozen=True)
class LayerFamily:
    """A base class that all batch norms or all convolutions share, asked for by `isinstance`."""

    hub: str
    api: str


def read_family(node: cst.Attribute | cst.Name, context: FileContext) -> LayerFamily | Refusal | None:
    """`isinstance(m, nn.modules.batchnorm._BatchNorm)`; such a class as a base is another matter."""
    path = context.direct_path(node)
    hub = context.source.hub_name("layer_families", path) if path is not None else None
    if hub is None or path is None:
        return None
    call = next((above for above in reversed(context.stack[:-1]) if not isinstance(above, _TUPLES)), None)
    asked = isinstance(call, cst.Call) and isinstance(call.func, cst.Name) and call.func.value in ("isinstance", "issubclass")
    if not asked:
        return Refusal(f"{path} is private to {context.source.name}; use the public class of the layer, or Module", node, path)
    return LayerFamily(hub, path)


_TUPLES = (cst.Arg, cst.Element, cst.Tuple)


def write_family(construct: LayerFamily, node: cst.CSTNode, context: FileContext) -> cst.BaseExpression:
    """The helpers' class that the layers derive from."""
    context.converted(node, op=construct.hub, api=construct.api, rule="type_tests")
    return context.reference(context.target.fact("layer_families", construct.hub))


def read_comparison(node: cst.Comparison, context: FileContext) -> ExactClass | None:
    """`type(x) == torch.Tensor`, with `is`, `!=`, `in` and their opposites too."""
    if len(node.comparisons) != 1:
        return None
    part = node.comparisons[0]
    negated = isinstance(part.operator, (cst.NotEqual, cst.IsNot, cst.NotIn))
    if isinstance(part.operator, (cst.In, cst.NotIn)):
        sides = [(node.left, part.comparator)]
        if not isinstance(part.comparator, (cst.Tuple, cst.List, cst.Set)):
            return None
    elif negated or isinstance(part.operator, (cst.Equal, cst.Is)):
        sides = [(node.left, part.comparator), (part.comparator, node.left)]
    else:
        return None
    for asked, classes in sides:
        value = _asked_object(asked)
        if value is not None and any(_is_array_class(option, context) for option in _options(classes)):
            return ExactClass(value, classes, negated)
    return None


def write_comparison(construct: ExactClass, node: cst.Comparison, context: FileContext) -> cst.BaseExpression:
    """`isinstance(x, jax.Array)`."""
    classes = context.rewrite(construct.classes)
    if isinstance(classes, (cst.List, cst.Set)):
        elements = [element.with_changes(comma=cst.MaybeSentinel.DEFAULT) for element in classes.elements]
        classes = cst.Tuple(elements) if len(elements) > 1 else elements[0].value
    template = "not isinstance({x}, {classes})" if construct.negated else "isinstance({x}, {classes})"
    context.converted(node, op="isinstance", rule="type_tests")
    made = context.expression(template, x=context.rewrite(construct.value), classes=classes)
    return made.with_changes(lpar=node.lpar, rpar=node.rpar)  # type: ignore[no-any-return]


def read_isinstance(node: cst.Call, context: FileContext) -> ElementClass | Refusal | None:
    """`isinstance(x, (int, torch.LongTensor))`."""
    if not isinstance(node.func, cst.Name) or node.func.value != "isinstance" or len(node.args) != 2:
        return None
    known = context.source.fact("array_class_dtypes", default={})
    others: list[cst.BaseExpression] = []
    dtypes: list[str] = []
    for option in _options(node.args[1].value):
        dtype = known.get(context.direct_path(option))
        if dtype is None:
            others.append(option)
        elif dtype not in dtypes:
            dtypes.append(dtype)
    if not dtypes:
        return None
    if not is_cheap(node.args[0].value):
        return Refusal("the class tells an element type, which JAX arrays have in .dtype; ask for that", node)
    return ElementClass(node.args[0].value, tuple(others), tuple(dtypes))


def write_isinstance(construct: ElementClass, node: cst.Call, context: FileContext) -> cst.BaseExpression:
    """`isinstance(x, int) or (isinstance(x, jax.Array) and x.dtype == jnp.int32)`."""
    x = context.rewrite(construct.value)
    spellings: dict[str, None] = {}
    for dtype in construct.dtypes:
        spelling = context.target.fact("dtypes", dtype)
        spellings[spelling[0] if isinstance(spelling, list) else spelling] = None
    same = " or ".join(f"{{x}}.dtype == {spelling}" for spelling in spellings)
    same = f"({same})" if len(spellings) > 1 else same
    parts: dict[str, Any] = {"x": x}
    template = f"(isinstance({{x}}, {_ALL[context.target.name]}) and {same})"
    if construct.others:
        classes = [context.rewrite(one) for one in construct.others]
        parts["classes"] = classes[0] if len(classes) == 1 else cst.Tuple([cst.Element(one) for one in classes])
        template = f"(isinstance({{x}}, {{classes}}) or {template})"
    context.converted(node, op="isinstance", rule="type_tests")
    made = context.expression(template, **parts)
    parent = context.stack[-2] if len(context.stack) > 1 else None
    alone = isinstance(parent, (cst.If, cst.While, cst.Return, cst.Assign, cst.Assert, cst.Arg))
    return made.with_changes(lpar=[], rpar=[]) if alone else made  # type: ignore[no-any-return]


RULES = (
    Rule("layer_families", (cst.Attribute, cst.Name), {"torch": read_family}, {"jax": write_family}, order=30),
    Rule("exact_class", (cst.Comparison,), {"torch": read_comparison}, dict.fromkeys(_ALL, write_comparison), order=40),
    Rule("element_class", (cst.Call,), {"torch": read_isinstance}, dict.fromkeys(_ALL, write_isinstance), order=40),
)
