"""`x.shape.numel()`: the number of elements of a shape, which is a plain tuple elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Shape
from ..rewriter.rule import Rule


@dataclass(frozen=True)
class ShapeProduct:
    """The product of the lengths of a shape."""

    shape: cst.BaseExpression


def read(node: cst.Call, context: FileContext) -> ShapeProduct | None:
    """`x.shape[1:].numel()`."""
    function = node.func
    if node.args or not isinstance(function, cst.Attribute) or function.attr.value != "numel":
        return None
    return ShapeProduct(function.value) if isinstance(context.type_of(function.value), Shape) else None


def write(construct: ShapeProduct, node: cst.Call, context: FileContext) -> cst.BaseExpression:
    """`math.prod(x.shape[1:])`."""
    context.converted(node, api="torch.Size.numel", rule="shape_products")
    made: cst.BaseExpression = context.expression("math.prod({shape})", shape=context.rewrite(construct.shape))
    return made


RULES = (
    Rule("shape_products", (cst.Call,), {"torch": read}, dict.fromkeys(("jax", "numpy", "tensorflow"), write)),
)
