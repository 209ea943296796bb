"""Element types compared by identity, and as keys of dictionaries and items of sets.

NumPy and JAX have two kinds of objects for one element type: `jnp.float32`, a class, and the `dtype` of an array. They
are equal, but neither the same object nor of the same hash, so what relies on these takes the one that arrays have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, DType, Mapping, Sequence
from ..rewriter.rule import Rule

_CONSTRUCTORS = {"jax": "jax.numpy.dtype", "numpy": "numpy.dtype"}
_LOOKUPS = frozenset(("get", "pop", "setdefault"))


@dataclass(frozen=True)
class SameType:
    """`x.dtype is torch.float32`: equality, where one type is several objects."""


@dataclass(frozen=True)
class TypeKey:
    """An element type that is looked up by its hash."""

    key: cst.BaseExpression


def _is_type(node: cst.BaseExpression, context: FileContext) -> bool:
    return isinstance(context.type_of(node), DType)


def _is_constant(node: cst.BaseExpression, context: FileContext) -> bool:
    path = context.direct_path(node)
    return path is not None and context.source.hub_name("dtypes", path) is not None


def _needs_hash(node: cst.BaseExpression, context: FileContext) -> bool:
    """Whether an element type may be another object than an array's `dtype`."""
    if not _is_type(node, context):
        return False
    return _is_constant(node, context) or not (isinstance(node, cst.Attribute) and node.attr.value == "dtype")


def read_identity(node: cst.Comparison, context: FileContext) -> SameType | None:
    """`is` and `is not` between element types."""
    if not any(isinstance(part.operator, (cst.Is, cst.IsNot)) for part in node.comparisons):
        return None
    operands = [node.left, *(part.comparator for part in node.comparisons)]
    return SameType() if all(_is_type(operand, context) for operand in operands) else None


def write_identity(construct: SameType, node: cst.Comparison, context: FileContext) -> cst.Comparison:
    """`==` and `!=`."""
    parts = []
    for part in node.comparisons:
        operator = {cst.Is: cst.Equal, cst.IsNot: cst.NotEqual}.get(type(part.operator))
        parts.append(part.with_changes(
            operator=part.operator if operator is None else operator(),
            comparator=context.rewrite(part.comparator),
        ))  # fmt: skip
    context.converted(node, op="equal", rule="dtype_keys")
    return node.with_changes(left=context.rewrite(node.left), comparisons=parts)


def read_key(node: cst.DictElement, context: FileContext) -> TypeKey | None:
    """`{torch.float32: ...}`."""
    return TypeKey(node.key) if _is_constant(node.key, context) else None


def write_key(construct: TypeKey, node: cst.DictElement, context: FileContext) -> cst.DictElement:
    """`{jnp.dtype(jnp.float32): ...}`."""
    return node.with_changes(key=_hashable(construct.key, context), value=context.rewrite(node.value))


def read_item(node: cst.Element, context: FileContext) -> TypeKey | None:
    """`{torch.float16, torch.bfloat16}`."""
    parent = context.stack[-2] if len(context.stack) > 1 else None
    return TypeKey(node.value) if isinstance(parent, cst.Set) and _is_constant(node.value, context) else None


def write_item(construct: TypeKey, node: cst.Element, context: FileContext) -> cst.Element:
    """`{jnp.dtype(jnp.float16), ...}`."""
    return node.with_changes(value=_hashable(construct.key, context))


def read_index(node: cst.Index, context: FileContext) -> TypeKey | None:
    """`sizes[dtype]`."""
    return TypeKey(node.value) if _needs_hash(node.value, context) else None


def write_index(construct: TypeKey, node: cst.Index, context: FileContext) -> cst.Index:
    """`sizes[jnp.dtype(dtype)]`."""
    return node.with_changes(value=_hashable(construct.key, context))


def read_lookup(node: cst.Call, context: FileContext) -> TypeKey | None:
    """`sizes.get(dtype)`."""
    if not isinstance(node.func, cst.Attribute) or node.func.attr.value not in _LOOKUPS or not node.args:
        return None
    if not isinstance(context.type_of(node.func.value), Mapping) or not _needs_hash(node.args[0].value, context):
        return None
    return TypeKey(node.args[0].value)


def write_lookup(construct: TypeKey, node: cst.Call, context: FileContext) -> cst.Call:
    """`sizes.get(jnp.dtype(dtype))`."""
    first, *rest = node.args
    arguments = [first.with_changes(value=_hashable(construct.key, context))]
    arguments += [one.with_changes(value=context.rewrite(one.value)) for one in rest]
    return node.with_changes(func=context.rewrite(node.func), args=arguments)


def read_membership(node: cst.Comparison, context: FileContext) -> TypeKey | None:
    """`dtype in HALF`, where HALF has hashes; a tuple or list is searched by equality."""
    if len(node.comparisons) != 1 or not isinstance(node.comparisons[0].operator, (cst.In, cst.NotIn)):
        return None
    container = context.type_of(node.comparisons[0].comparator)
    by_hash = isinstance(container, Mapping) or container == UNKNOWN
    by_hash = by_hash or (isinstance(container, Sequence) and container.kind == "set")
    return TypeKey(node.left) if by_hash and _needs_hash(node.left, context) else None


def write_membership(construct: TypeKey, node: cst.Comparison, context: FileContext) -> cst.Comparison:
    """`jnp.dtype(dtype) in HALF`."""
    part = node.comparisons[0]
    parts = [part.with_changes(comparator=context.rewrite(part.comparator))]
    return node.with_changes(left=_hashable(construct.key, context), comparisons=parts)


def _hashable(node: cst.BaseExpression, context: FileContext) -> Any:
    context.converted(node, op="dtype", rule="dtype_keys")
    template = f"{_CONSTRUCTORS[context.target.name]}({{dtype}})"
    return context.expression(template, dtype=context.rewrite(node).with_changes(lpar=[], rpar=[]))


def _rule(name: str, kind: type[cst.CSTNode], read: Any, write: Any) -> Rule:
    return Rule(f"dtype_{name}", (kind,), {"torch": read}, dict.fromkeys(_CONSTRUCTORS, write), order=45)


RULES = (
    _rule("identity", cst.Comparison, read_identity, write_identity),
    _rule("key", cst.DictElement, read_key, write_key),
    _rule("item", cst.Element, read_item, write_item),
    _rule("index", cst.Index, read_index, write_index),
    _rule("lookup", cst.Call, read_lookup, write_lookup),
    _rule("membership", cst.Comparison, read_membership, write_membership),
)
