"""Types from annotations, also those written as strings and jaxtyping's `Float[Array, "b n"]`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import libcst as cst

from .lattice import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    STR,
    UNKNOWN,
    Array,
    Callback,
    Instance,
    Mapping,
    Reference,
    Scalar,
    Sequence,
    Tuple,
    Type,
    join,
)
from .names import dotted
from .nodes import walk
from .read import literal

_PLAIN = {"int": INT, "float": FLOAT, "bool": BOOL, "str": STR, "bytes": Scalar("bytes"), "None": NONE,
          "complex": Scalar("complex"), "list": Sequence(UNKNOWN), "dict": Mapping(UNKNOWN),
          "tuple": Sequence(UNKNOWN, "tuple"), "set": Sequence(UNKNOWN, "set")}  # fmt: skip
_SEQUENCES = {"List": "list", "list": "list", "Sequence": "list", "Iterable": "iterator", "Set": "set",
              "set": "set", "Iterator": "iterator", "Collection": "list", "FrozenSet": "set",
              "Generator": "iterator", "MutableSequence": "list", "deque": "list"}  # fmt: skip
_MAPPINGS = frozenset("Dict dict Mapping OrderedDict DefaultDict MutableMapping defaultdict".split())
_ARRAY_TYPING = {"Float": "float", "Int": "int", "Integer": "int", "Bool": "bool", "Complex": "complex",
                 "Shaped": None, "Num": None, "Inexact": None, "Real": None, "UInt": "int"}  # fmt: skip


@dataclass(frozen=True)
class NamesOf:
    """What names mean in annotations.

    path: the dotted path of a global name. instance: the type of an instance of the class at a path.
    is_own: whether the repository itself defines what is at a path.
    """

    path: Callable[[str], str | None]
    instance: Callable[[str], Type]
    is_own: Callable[[str], bool]


def annotation_type(node: cst.BaseExpression, names: NamesOf) -> Type:
    """The type that an annotation declares; UNKNOWN where it says nothing useful."""
    if isinstance(node, (cst.SimpleString, cst.ConcatenatedString)):
        try:
            node = cst.parse_expression(str(node.evaluated_value))
        except (cst.ParserSyntaxError, ValueError):
            return UNKNOWN
    if isinstance(node, cst.Name) and node.value in _PLAIN:
        return _PLAIN[node.value]
    if isinstance(node, (cst.Name, cst.Attribute)):
        text = dotted(node)
        return _named(text, names) if text else UNKNOWN
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.BitOr):
        return _union([annotation_type(side, names) for side in (node.left, node.right)])
    if isinstance(node, cst.Subscript):
        return _generic(node, names)
    return UNKNOWN


def names_several(node: cst.BaseExpression) -> bool:
    """Whether an annotation says that a value may be of one type or of another, None aside."""
    if isinstance(node, (cst.SimpleString, cst.ConcatenatedString)):
        try:
            node = cst.parse_expression(str(node.evaluated_value))
        except (cst.ParserSyntaxError, ValueError):
            return False
    for part in walk(node):
        options: list[cst.BaseSlice | cst.BaseExpression] = []
        if isinstance(part, cst.Subscript) and (dotted(part.value) or "").rpartition(".")[2] == "Union":
            options = [getattr(element.slice, "value", element.slice) for element in part.slice]
        elif isinstance(part, cst.BinaryOperation) and isinstance(part.operator, cst.BitOr):
            options = [part.left, part.right]
        if sum(not (isinstance(option, cst.Name) and option.value == "None") for option in options) > 1:
            return True
    return False


def _path(text: str, names: NamesOf) -> str | None:
    first, _, rest = text.partition(".")
    base = names.path(first)
    return f"{base}.{rest}" if base is not None and rest else base


def _named(text: str, names: NamesOf) -> Type:
    path = _path(text, names)
    if path is None:
        return UNKNOWN
    last = path.rpartition(".")[2]
    if path.startswith(("typing.", "collections.abc.", "collections.")):
        if last in _SEQUENCES:
            return Sequence(UNKNOWN, _SEQUENCES[last])
        return Mapping(UNKNOWN) if last in _MAPPINGS else Callback(UNKNOWN) if last == "Callable" else UNKNOWN
    return names.instance(path)


def _union(types: list[Type]) -> Type:
    """Optional is the type itself; other unions say something only if all agree."""
    informative = [value for value in types if value != NONE]
    if not informative:
        return NONE
    result = informative[0]
    for value in informative[1:]:
        result = join(result, value)
    return result


def _generic(node: cst.Subscript, names: NamesOf) -> Type:
    name = (dotted(node.value) or "").rpartition(".")[2]
    arguments = [element.slice.value for element in node.slice if isinstance(element.slice, cst.Index)]

    def types() -> list[Type]:
        return [annotation_type(argument, names) for argument in arguments]

    if not arguments:
        return UNKNOWN
    if name == "Optional":
        return types()[0]
    if name == "Union":
        return _union(types())
    if name in ("Tuple", "tuple"):
        if isinstance(arguments[-1], cst.Ellipsis):
            return Sequence(types()[0], "tuple")
        return Tuple(tuple(types()))
    if name in _SEQUENCES:
        return Sequence(types()[0], _SEQUENCES[name])
    if name in _MAPPINGS:
        return Mapping(types()[-1])
    if name in ("Type", "type"):
        value = types()[0]
        return Reference(value.path) if isinstance(value, Instance) else UNKNOWN
    if name == "Callable":
        result = types()[-1] if len(arguments) > 1 else UNKNOWN
        return Callback(result)
    if name in ("Final", "ClassVar", "Annotated", "Required", "NotRequired"):
        return types()[0]
    if name in _ARRAY_TYPING and isinstance(types()[0], Array):
        return Array(_ARRAY_TYPING[name], _axis_count(arguments, names))
    return UNKNOWN


def _axis_count(arguments: list[cst.BaseExpression], names: NamesOf) -> int | None:
    """How many axes `Float[Array, "b n"]` has: two, with `""` none; `"... n"` and `"*b n"` do not say.

    jaxtyping puts the axes of a name of the repository's own, such as `Image = Float[Array, "h w"]`, behind these.
    """
    text = literal(arguments[1]) if len(arguments) == 2 else None
    path = _path(dotted(arguments[0]) or "", names)
    if not isinstance(text, str) or path is None or names.is_own(path):
        return None
    axes = text.split()
    return None if any("..." in axis or "*" in axis for axis in axes) else len(axes)


