"""Element types for TensorFlow, which never mixes them: casts where the types are known, source defaults written out.

Where they are not known nothing is cast: TensorFlow raises at a mixture, it never computes something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import operand
from ..rewriter.lattice import Array, Scalar, Type
from ..rewriter.read import BoundOp, Constant, Given
from ..rewriter.rule import Rule
from .default_dtypes import default_dtype

_ORDER = ("bool", "int", "float", "complex")
_ARITHMETIC = (
    cst.Add, cst.Subtract, cst.Multiply, cst.Divide, cst.Power, cst.FloorDivide, cst.Modulo, cst.MatrixMultiply,
)  # fmt: skip
_COMPARISONS = (cst.Equal, cst.NotEqual, cst.LessThan, cst.LessThanEqual, cst.GreaterThan, cst.GreaterThanEqual)
#: Ops whose result is a float whatever the argument; TensorFlow refuses integers or truncates.
_FLOAT_OPS = frozenset(
    """exp expm1 log log1p log2 log10 sqrt rsqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf
    sigmoid softmax log_softmax mean std var logsumexp reciprocal""".split()
)
_COUNTING_OPS = frozenset(("sum", "prod", "cumulative_sum", "cumulative_prod"))


@dataclass(frozen=True)
class MixedTypes:
    """An operator between arrays or numbers of different kinds; each operand with the kind that it must be cast to."""

    left: cst.BaseExpression
    right: cst.BaseExpression
    casts: tuple[str | None, str | None]


@dataclass(frozen=True)
class TypedOp:
    """A call of an op with an argument to cast, or with the element type that the source gives by default."""

    op: BoundOp
    cast: str | None


def _kind(value: Type) -> str | None:
    kind = value.dtype if isinstance(value, Array) else value.kind if isinstance(value, Scalar) else None
    return kind if kind in _ORDER else None


def _casts(left: Type, right: Type, division: bool) -> tuple[str | None, str | None]:
    """What each operand has to become; Python numbers follow the array on the other side."""
    kinds = (_kind(left), _kind(right))
    if None in kinds or not (isinstance(left, Array) or isinstance(right, Array)):
        return None, None
    common = max((kind for kind in kinds if kind is not None), key=_ORDER.index)
    if division and common in ("bool", "int"):
        common = "float"
    if common == "bool" or common == "complex":
        return None, None
    first, second = (
        common if isinstance(value, Array) and kind != common else None
        for value, kind in zip((left, right), kinds, strict=True)
    )
    return first, second


def read_operator(node: cst.BinaryOperation, context: FileContext) -> MixedTypes | None:
    """`indices * 0.5`, `mask * x`, `count / 2`."""
    if not isinstance(node.operator, _ARITHMETIC):
        return None
    division = isinstance(node.operator, cst.Divide)
    return _mixed(node.left, node.right, context, division)


def read_comparison(node: cst.Comparison, context: FileContext) -> MixedTypes | None:
    """`indices > 0.5`."""
    if len(node.comparisons) != 1 or not isinstance(node.comparisons[0].operator, _COMPARISONS):
        return None
    return _mixed(node.left, node.comparisons[0].comparator, context, False)


def _mixed(left: Any, right: Any, context: FileContext, division: bool) -> MixedTypes | None:
    casts = _casts(context.type_of(left), context.type_of(right), division)
    return MixedTypes(left, right, casts) if any(casts) else None


def cast_to(context: FileContext, node: Any, kind: str) -> Any:
    """`tf.cast(x, tf.float32)`."""
    name = {"float": "float32", "int": "int64" if default_integer(context) == "int64" else "int32"}[kind]
    return context.expression(f"tensorflow.cast({{x}}, tensorflow.{name})", x=node.with_changes(lpar=[], rpar=[]))


def default_integer(context: FileContext) -> str:
    """The source's type of integers in new arrays."""
    return str(context.source.fact("default_dtypes", "int", default="int64"))


def _operands(construct: MixedTypes, context: FileContext) -> list[Any]:
    parts = []
    for node, kind in zip((construct.left, construct.right), construct.casts, strict=True):
        written = context.rewrite(node)
        parts.append(written if kind is None else cast_to(context, written, kind))
    return parts


def write_operator(construct: MixedTypes, node: cst.BinaryOperation, context: FileContext) -> Any:
    """The operator between operands of one type."""
    context.converted(node, op="astype", rule="tensorflow_dtypes")
    left, right = _operands(construct, context)
    return node.with_changes(left=operand(left), right=operand(right))


def write_comparison(construct: MixedTypes, node: cst.Comparison, context: FileContext) -> Any:
    """The comparison between operands of one type."""
    context.converted(node, op="astype", rule="tensorflow_dtypes")
    left, right = _operands(construct, context)
    return node.with_changes(left=left, comparisons=[node.comparisons[0].with_changes(comparator=right)])


@dataclass(frozen=True)
class PlusSign:
    """`+x` of an array, which tensors do not have."""

    array: cst.BaseExpression


def read_sign(node: cst.UnaryOperation, context: FileContext) -> PlusSign | None:
    """`+x`."""
    is_array = isinstance(node.operator, cst.Plus) and isinstance(context.type_of(node.expression), Array)
    return PlusSign(node.expression) if is_array else None


def write_sign(construct: PlusSign, node: cst.UnaryOperation, context: FileContext) -> Any:
    """The array."""
    context.converted(node, op="positive", rule="tensorflow_dtypes")
    return context.rewrite(construct.array)


def read_op(node: cst.Call, context: FileContext) -> TypedOp | None:
    """`torch.exp(count)`, `mask.sum()`, `torch.arange(n)`."""
    op = context.bound(node)
    if not isinstance(op, BoundOp) or not op.op.parameters or op.starred:
        return None
    first = op.given(op.op.parameters[0].name)
    kind = _kind(context.type_of(first)) if first is not None and isinstance(context.type_of(first), Array) else None
    if op.op.name in _FLOAT_OPS and kind in ("int", "bool"):
        return TypedOp(op, "float")
    if op.op.name in _COUNTING_OPS and kind == "bool":
        return TypedOp(op, "int")
    wanted = default_dtype(op, context, "default_dtypes")
    return TypedOp(replace(op, arguments={**op.arguments, "dtype": Constant(wanted)}), None) if wanted else None


def write_op(construct: TypedOp, node: cst.Call, context: FileContext) -> Any:
    """The op's own expression with the argument cast or the element type written out."""
    op = construct.op
    if construct.cast is not None:
        name = op.op.parameters[0].name
        first = op.given(name)
        assert first is not None and context.engine is not None
        made = cast_to(context, context.rewrite(first), construct.cast)
        context.engine.memo[made] = made  # type: ignore[attr-defined]
        op = replace(op, arguments={**op.arguments, name: Given(made)})
    context.converted(node, op=op.op.name, api=op.api, rule="tensorflow_dtypes")
    return context.write(op)


_ALL: Sequence[str] = ("torch", "jax", "numpy")
RULES = (
    Rule(
        "mixed_types",
        (cst.BinaryOperation,),
        dict.fromkeys(_ALL, read_operator),
        {"tensorflow": write_operator},
        order=60,
    ),
    Rule(
        "mixed_comparison",
        (cst.Comparison,),
        dict.fromkeys(_ALL, read_comparison),
        {"tensorflow": write_comparison},
        order=65,
    ),
    Rule("plus_sign", (cst.UnaryOperation,), dict.fromkeys(_ALL, read_sign), {"tensorflow": write_sign}, order=60),
    Rule("typed_ops", (cst.Call,), dict.fromkeys(_ALL, read_op), {"tensorflow": write_op}, order=70),
)
