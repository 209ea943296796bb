"""What a rule is: a construct with a reading half per source framework and a writing half per target."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import libcst as cst

#: `read(node, context)` gives the construct's dataclass, a `Refusal`, or None when the node is no such construct.
Reader = Callable[[Any, Any], Any]
#: `write(construct, updated, context)` gives the new node, `cst.RemovalSentinel`, `cst.FlattenSentinel` or a `Refusal`.
Writer = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True, eq=False)
class Rule:
    """One construct. `nodes` are the LibCST classes at which it can begin; lower `order` is tried first."""

    name: str
    nodes: tuple[type[cst.CSTNode], ...]
    read: Mapping[str, Reader]
    write: Mapping[str, Writer]
    order: int = 50
    finish: Mapping[str, Callable[[Any, Any], Any]] = field(default_factory=dict)


def discover(package: ModuleType) -> tuple[Rule, ...]:
    """All `RULES` of the modules in a package, by order and name."""
    found: list[Rule] = []
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        found.extend(getattr(module, "RULES", ()))
    return tuple(sorted(found, key=lambda rule: (rule.order, rule.name)))


@functools.cache
def rules_for(rules: tuple[Rule, ...], source: str, target: str) -> dict[type[cst.CSTNode], tuple[Rule, ...]]:
    """The rules that apply between two frameworks, by the class of node at which they begin."""
    result: dict[type[cst.CSTNode], list[Rule]] = {}
    for rule in rules:
        if source in rule.read and target in rule.write:
            for node in rule.nodes:
                result.setdefault(node, []).append(rule)
    return {node: tuple(found) for node, found in result.items()}
