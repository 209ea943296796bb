"""The types that inference knows. A type it cannot tell is `UNKNOWN`, and stays so: nothing is guessed from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce

#: Larger dictionaries are tables, of which all values are alike.
MOST_ENTRIES = 40


@dataclass(frozen=True, slots=True)
class Type:
    """Base of all types; also used bare for the two that carry nothing."""


@dataclass(frozen=True, slots=True)
class Unknown(Type):
    """Anything."""


@dataclass(frozen=True, slots=True)
class Nothing(Type):
    """What an empty list or dictionary holds: whatever is put into it later."""


@dataclass(frozen=True, slots=True)
class NoneType(Type):
    """The value None."""


@dataclass(frozen=True, slots=True)
class Array(Type):
    """An array of the source framework.

    dtype: `float`, `int`, `bool`, `complex` or None when not known; rank likewise.
    storage: `parameter` or `buffer` for arrays that a module owns, else ''.
    """

    dtype: str | None = None
    rank: int | None = None
    storage: str = ""


@dataclass(frozen=True, slots=True)
class Scalar(Type):
    """A Python number, string or other plain value: `int`, `float`, `bool`, `str`, `bytes`, `complex`."""

    kind: str


@dataclass(frozen=True, slots=True)
class Shape(Type):
    """The shape of an array: a tuple of ints."""

    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Tuple(Type):
    """A tuple whose items are known one by one; `names` are those of a named result."""

    items: tuple[Type, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sequence(Type):
    """A list, tuple or other iterable of equal items. kind: `list`, `tuple`, `set`, `iterator`, `modules`."""

    item: Type
    kind: str = "list"


@dataclass(frozen=True, slots=True)
class Mapping(Type):
    """A dictionary. kind: `dict` or `modules`; `entries` are the values of keys that are known one by one."""

    value: Type
    kind: str = "dict"
    entries: tuple[tuple[str, Type], ...] = ()

    def entry(self, key: object) -> Type:
        """What the dictionary holds under a key."""
        return dict(self.entries).get(key, self.value)  # type: ignore[call-overload,no-any-return]

    def with_entry(self, key: object, value: Type) -> Mapping:
        """The dictionary once a value has been stored; a key that is not known may be any of those that are."""
        known = dict(self.entries)
        if isinstance(key, str):
            known[key] = value
        else:
            known = {name: kept for name, kept in known.items() if kept == value}
        entries = tuple(known.items()) if len(known) <= MOST_ENTRIES else ()
        return Mapping(join(self.value, value), self.kind, entries)


@dataclass(frozen=True, slots=True)
class Instance(Type):
    """An object of the class at a dotted path, of the repository or of a framework."""

    path: str


@dataclass(frozen=True, slots=True)
class Reference(Type):
    """The object that a dotted path names: a module, class, function or constant."""

    path: str


@dataclass(frozen=True, slots=True)
class Method(Type):
    """An attribute of a value, not yet called."""

    receiver: Type
    name: str


@dataclass(frozen=True, slots=True)
class Partial(Type):
    """A callable made from another: `functools.partial(f, ...)`, a lambda that calls f."""

    function: Type


@dataclass(frozen=True, slots=True)
class Callback(Type):
    """A callable of which only the result is known. origin: its node, for a function or lambda inside a function."""

    result: Type
    origin: object = None


@dataclass(frozen=True, slots=True)
class LikeArgument(Type):
    """The result of a `Callback` that gives what its first argument is: a derivative for each of its arrays."""


@dataclass(frozen=True, slots=True)
class LikeResult(Type):
    """The result of a `Callback` that gives what a function gives, with more or fewer axes."""


@dataclass(frozen=True, slots=True)
class Either(Type):
    """One of several classes, functions or objects: an entry of a registry, a choice between layers."""

    options: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class DType(Type):
    """An element type; kind as in `Array.dtype`."""

    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Device(Type):
    """Where an array lives."""


@dataclass(frozen=True, slots=True)
class RandomKey(Type):
    """A generator or key of random numbers."""


@dataclass(frozen=True, slots=True)
class Foreign(Type):
    """Certainly not an array of the source framework: an object of another library."""

    path: str


UNKNOWN = Unknown()
NOTHING = Nothing()
NONE = NoneType()
INT = Scalar("int")
FLOAT = Scalar("float")
BOOL = Scalar("bool")
STR = Scalar("str")
ARRAY = Array()

_DTYPE_ORDER = ("bool", "int", "float", "complex")


def join(first: Type, second: Type) -> Type:
    """The least type that holds both. None joins as an optional value, that is as the other type."""
    if first == second or isinstance(second, (NoneType, Nothing)):
        return first
    if isinstance(first, (NoneType, Nothing)):
        return second
    if isinstance(first, Array) and isinstance(second, Array):
        return Array(
            first.dtype if first.dtype == second.dtype else None,
            first.rank if first.rank == second.rank else None,
            first.storage or second.storage,
        )
    if isinstance(first, DType) and isinstance(second, DType):
        return DType()
    if isinstance(first, Scalar) and isinstance(second, Scalar):
        kinds = {first.kind, second.kind}
        return FLOAT if kinds == {"int", "float"} else INT if kinds == {"int", "bool"} else UNKNOWN
    if isinstance(first, (Shape, Tuple)) and isinstance(second, (Shape, Tuple)):
        return _join_tuples(first, second)
    if isinstance(first, (Sequence, Tuple)) and isinstance(second, (Sequence, Tuple)):
        kind = first.kind if isinstance(first, Sequence) else second.kind if isinstance(second, Sequence) else ""
        return Sequence(join(_held(first), _held(second)), kind)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        keys = dict.fromkeys(key for mapping in (first, second) for key, _ in mapping.entries)
        entries = tuple((key, join(first.entry(key), second.entry(key))) for key in keys)
        return Mapping(join(first.value, second.value), first.kind, entries)
    if isinstance(first, Callback) and isinstance(second, Callback) and first.result == second.result:
        return Callback(first.result)
    return _join_choices(first, second)


def _held(container: Sequence | Tuple) -> Type:
    """The items of a sequence; nothing for an empty one."""
    if isinstance(container, Sequence):
        return container.item
    return item_type(container) if container.items else NOTHING


_CHOICES = (Instance, Reference, Partial, Callback)
_MOST_OPTIONS = 12


def _join_choices(first: Type, second: Type) -> Type:
    """Objects, classes and functions stay apart, up to a number; anything else is not known."""
    options: list[Type] = []
    for value in (first, second):
        for option in value.options if isinstance(value, Either) else (value,):
            if not isinstance(option, _CHOICES):
                return UNKNOWN
            if option not in options:
                options.append(option)
    return Either(tuple(options)) if len(options) <= _MOST_OPTIONS else UNKNOWN


def _join_tuples(first: Shape | Tuple, second: Shape | Tuple) -> Type:
    if isinstance(first, Tuple) and isinstance(second, Tuple):
        if len(first.items) == len(second.items):
            return Tuple(tuple(map(join, first.items, second.items)), first.names)
        return Sequence(join(item_type(first), item_type(second)), "tuple")
    if item_type(first) == item_type(second) == INT:
        return Shape()
    return UNKNOWN


def join_all(types: Iterable[Type]) -> Type:
    """`join` over any number of types; none at all is UNKNOWN."""
    collected = list(types)
    return reduce(join, collected) if collected else UNKNOWN


def item_type(container: Type) -> Type:
    """What iterating over a value gives."""
    match container:
        case Sequence(item=item):
            return UNKNOWN if item == NOTHING else item
        case Shape():
            return INT
        case Tuple(items=items):
            return join_all(items)
        case Array(dtype=dtype, rank=rank):
            return Array(dtype, rank - 1 if rank else None)
        case Scalar(kind="str"):
            return STR
    return UNKNOWN


def promote(first: Type, second: Type) -> Type:
    """The result of arithmetic on two values of which at least one is an array, or on two scalars."""
    if isinstance(first, Array) and isinstance(second, Array):
        return Array(_wider(first.dtype, second.dtype), _broadcast_rank(first.rank, second.rank))
    if isinstance(first, Array):
        kind = second.kind if isinstance(second, Scalar) else None
        return Array(_wider(first.dtype, kind), first.rank if isinstance(second, Scalar) else None)
    if isinstance(second, Array):
        return promote(second, first)
    if isinstance(first, Scalar) and isinstance(second, Scalar):
        return first if first == second else join(first, second)
    return UNKNOWN


def _wider(first: str | None, second: str | None) -> str | None:
    if first in _DTYPE_ORDER and second in _DTYPE_ORDER:
        return max(first, second, key=_DTYPE_ORDER.index)
    return "float" if "float" in (first, second) and "complex" not in (first, second) else None


def _broadcast_rank(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else max(first, second)


def without_storage(value: Type) -> Type:
    """An array computed from a module's array is no longer the module's."""
    return replace(value, storage="") if isinstance(value, Array) and value.storage else value


def without_rank(value: Type) -> Type:
    """A value like another one, of which the number of axes is not known."""
    match value:
        case Array(dtype=dtype):
            return Array(dtype)
        case Mapping(value=item, kind="dict"):
            return Mapping(without_rank(item))
        case Sequence(item=item, kind=kind) if kind != "modules":
            return Sequence(without_rank(item), kind)
        case Tuple(items=items):
            return Tuple(tuple(without_rank(item) for item in items))
    return UNKNOWN


def is_known(value: Type) -> bool:
    """Whether inference said anything at all."""
    return not isinstance(value, Unknown)
