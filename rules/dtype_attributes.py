"""Questions that element types answer as attributes: `x.dtype.is_floating_point`, `dtype.is_complex`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, DType
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule

#: Attribute -> target -> the question; `{dtype}` may be an element type in any of its forms.
_QUESTIONS = {
    "is_floating_point": {
        "jax": "jax.numpy.issubdtype({dtype}, jax.numpy.floating)",
        "numpy": "numpy.issubdtype({dtype}, numpy.floating)",
        "tensorflow": "{dtype}.is_floating",
    },
    "is_complex": {
        "jax": "jax.numpy.issubdtype({dtype}, jax.numpy.complexfloating)",
        "numpy": "numpy.issubdtype({dtype}, numpy.complexfloating)",
        "tensorflow": "{dtype}.is_complex",
    },
    "itemsize": {
        "jax": "jax.numpy.dtype({dtype}).itemsize",
        "numpy": "numpy.dtype({dtype}).itemsize",
        "tensorflow": "{dtype}.size",
    },
}
_REFUSED = {
    "is_signed": "write the element types that are meant: {name}.issubdtype(dtype, ...) has no question for a sign",
    "to_complex": "write the complex type that is meant",
    "to_real": "write the real type that is meant",
}
#: Names that torch alone gives to something that is not called, so that they tell an element type.
_TELLING = frozenset(("is_floating_point", "is_complex"))


@dataclass(frozen=True)
class DtypeQuestion:
    """An attribute of an element type."""

    dtype: cst.BaseExpression
    name: str


def read_attribute(node: cst.Attribute, context: FileContext) -> DtypeQuestion | Refusal | None:
    """An attribute of an element type that the target spells otherwise."""
    name = node.attr.value
    if name not in _QUESTIONS and name not in _REFUSED:
        return None
    value = context.type_of(node.value)
    parent = context.stack[-2] if len(context.stack) > 1 else None
    if isinstance(parent, cst.Call) and parent.func is node and name in _TELLING:
        return None
    is_dtype = isinstance(value, DType) or (isinstance(node.value, cst.Attribute) and node.value.attr.value == "dtype")
    if not is_dtype and not (value == UNKNOWN and name in _TELLING):
        return None
    if name in _REFUSED:
        return Refusal(f"dtype.{name}: {_REFUSED[name].format(name=context.target.name)}", node, f"torch.dtype.{name}")
    return DtypeQuestion(node.value, name)


def write_attribute(construct: DtypeQuestion, node: cst.Attribute, context: FileContext) -> Any:
    """`jnp.issubdtype(x.dtype, jnp.floating)`."""
    context.converted(node, op=construct.name, api=f"torch.dtype.{construct.name}", rule="dtype_attributes")
    dtype = context.rewrite(construct.dtype)
    return context.expression(_QUESTIONS[construct.name][context.target.name], dtype=dtype)


RULES = (
    Rule(
        "dtype_attributes",
        (cst.Attribute,),
        {"torch": read_attribute},
        dict.fromkeys(("jax", "numpy", "tensorflow"), write_attribute),
        order=45,
    ),
)
