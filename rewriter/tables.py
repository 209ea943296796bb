"""The tables in memory: hub rows and each framework's spellings, as frozen dataclasses. Loading is in table_loader."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .signature import MISSING, Passing

REFUSE, DROP, CONTEXT = "_", "drop", "context"
#: The root of the paths of helpers, wherever the module that holds them lies.
HELPERS = "helpers"


@dataclass(frozen=True)
class HubParameter:
    """A parameter of a hub op. `kind` is one of docs/tables.md's kinds."""

    name: str
    kind: str
    default: Any
    passing: Passing

    @property
    def required(self) -> bool:
        return self.default is MISSING and self.passing is not Passing.VARIADIC


@dataclass(frozen=True)
class HubOp:
    """An operation or layer of the hub."""

    name: str
    parameters: tuple[HubParameter, ...]
    result: str
    is_layer: bool = False
    means: str = ""
    domain: str = "real"
    dtypes: tuple[str, ...] = ("float", "int", "bool")
    samples: tuple[str, ...] = ()
    random: bool = False

    def parameter(self, name: str) -> HubParameter | None:
        return next((parameter for parameter in self.parameters if parameter.name == name), None)


@dataclass(frozen=True)
class SpellingParameter:
    """A parameter of a spelling. `hub` names the hub's parameter, or is REFUSE, DROP or CONTEXT."""

    name: str
    hub: str
    default: Any
    passing: Passing


@dataclass(frozen=True)
class Weight:
    """A parameter or buffer of a layer: the hub's name and the hub names of its axes, in this framework's order."""

    hub: str
    axes: tuple[str, ...]


@dataclass(frozen=True)
class Spelling:
    """One way in which a framework writes a hub op.

    form: `function`, `method`, `property`, `operator`, `helper`, `means` or `unsupported`.
    path: the qualified name; for methods and properties the array class's short name and the attribute;
    for operators the expression; for helpers the helper's name. ignores: arguments that change nothing where it holds.
    gradients: whether the spelling has the source's gradient; without it, it holds where none can pass.
    """

    op: str
    framework: str
    form: str
    path: str
    parameters: tuple[SpellingParameter, ...] = ()
    results: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    matches: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ranks: Mapping[str, frozenset[int]] = field(default_factory=dict)
    with_axes: tuple[str, ...] = ()
    values: Mapping[str, Mapping[Any, Any]] = field(default_factory=dict)
    weights: Mapping[str, Weight] = field(default_factory=dict)
    ignores: tuple[str, ...] = ()
    gradients: bool = True
    reads: bool = True
    writes: bool = True
    review: str = ""
    since: str = ""
    reason: str = ""
    location: str = ""

    @property
    def attribute(self) -> str:
        return self.path.rpartition(".")[2]

    def parameter_for(self, hub: str) -> SpellingParameter | None:
        return next((parameter for parameter in self.parameters if parameter.hub == hub), None)


@dataclass(frozen=True)
class Framework:
    """The facts of framework.yaml, with the rows of one framework by op and by name."""

    name: str
    facts: Mapping[str, Any]
    by_op: Mapping[str, tuple[Spelling, ...]]
    by_path: Mapping[str, tuple[Spelling, ...]]

    @property
    def array_class(self) -> str:
        """The array class's short name, under which methods are spelled."""
        return self.facts["array_class"]["name"]

    @property
    def roots(self) -> tuple[str, ...]:
        """The top-level packages whose import makes a file one of this framework."""
        return tuple(self.facts["roots"])

    def fact(self, *keys: str, default: Any = None) -> Any:
        """A nested fact, or `default`."""
        value: Any = self.facts
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                return default
            value = value[key]
        return value

    def hub_name(self, table: str, path: str) -> str | None:
        """The hub's name for what this framework spells as `path`, in a table of facts such as `dtypes`."""
        for hub, spellings in self.fact(table, default={}).items():
            if path == spellings or (isinstance(spellings, list) and path in spellings):
                return str(hub)
        return None

    def owns(self, path: str) -> bool:
        """Whether a dotted path lies in this framework, or names one of its helpers."""
        return path.partition(".")[0] in (*self.roots, HELPERS)


@dataclass(frozen=True)
class Tables:
    """Everything the YAML files say."""

    hub: Mapping[str, HubOp]
    frameworks: Mapping[str, Framework]

    def spellings(self, framework: str, path: str) -> tuple[Spelling, ...]:
        """Every row that this framework spells as `path`."""
        return self.frameworks[framework].by_path.get(path, ())

    def writers(self, framework: str, op: str) -> tuple[Spelling, ...]:
        """The spellings with which this framework can write `op`, in order of preference."""
        return tuple(row for row in self.frameworks[framework].by_op.get(op, ()) if row.writes)


def operator_shape(text: str) -> str | None:
    """A key for an operator spelling: `x1 + x2` → `_ + _`, `x[i]` → `_[_]`; None if `text` is not one.

    Operands must be plain names.
    """
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    match node:
        case ast.BinOp(left=ast.Name(), right=ast.Name()):
            return type(node.op).__name__
        case ast.UnaryOp(operand=ast.Name()):
            return type(node.op).__name__
        case ast.Compare(left=ast.Name(), ops=[operator], comparators=[ast.Name()]):
            return type(operator).__name__
    return None


def operator_operands(text: str) -> tuple[str, ...]:
    """The names of an operator spelling's operands, left to right."""
    tree = ast.parse(text, mode="eval")
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return tuple(node.id for node in sorted(names, key=lambda node: node.col_offset))
