"""What the tables say of memory: which operations give views, which layers and functions copy."""

from __future__ import annotations

from dataclasses import dataclass

from .read import BoundOp, Collected
from .tables import Framework, Tables

_PLAIN_RESULTS = frozenset({"shape", "int", "float", "bool", "scalar", "none", "dtype", "device"})


@dataclass(frozen=True)
class AliasFacts:
    """What the framework's facts say: ops whose result may share memory with an argument, layers likewise, functions
    of other libraries that copy, and attributes and methods of arrays that give no array.

    views_of_one: ops that give a view of a single array, but of several a new array.
    disjoint_parts: ops whose results are views that do not overlap.
    numbers_are_copies: a single number picked from an array is no view of it.
    """

    views: frozenset[str]
    layers: frozenset[str]
    copies: frozenset[str]
    plain: frozenset[str]
    numbers_are_copies: bool = False
    views_of_one: frozenset[str] = frozenset()
    disjoint_parts: frozenset[str] = frozenset()

    @staticmethod
    def of(framework: Framework, tables: Tables) -> AliasFacts:
        prefix = f"{framework.array_class}."
        plain = {
            path.removeprefix(prefix)
            for path, rows in framework.by_path.items()
            if path.startswith(prefix) and all(tables.hub[row.op].result in _PLAIN_RESULTS for row in rows)
        }
        keys = ("views", "alias_layers", "copying_functions", "views_of_one", "disjoint_parts")
        views, layers, copies, of_one, parts = (frozenset(framework.fact(key, default=())) for key in keys)
        plain |= {"device", "dtype"}
        return AliasFacts(views, layers, copies, frozenset(plain), views_of_one=of_one, disjoint_parts=parts)


def takes_several(bound: BoundOp) -> bool:
    """Whether a call certainly gives an op several arrays, one by one."""
    collected = [one for given in bound.arguments.values() if isinstance(given, Collected) for one in given.arguments]
    return len(collected) > 1 and not any(argument.star for argument in collected)
