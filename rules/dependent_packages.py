"""Packages that are built on the source framework, such as timm: code that uses them stays on that framework."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.imports import used_names
from ..rewriter.names import dotted
from ..rewriter.rule import Rule
from ..rewriter.source import SKIP

_TARGETS = ("jax", "tensorflow", "numpy")


def note_imports(context: FileContext, module: cst.Module) -> cst.Module:
    """One site for each import of such a package, unless the repository has a package of that name itself."""
    remedies = context.source.fact("dependent_packages", default={})
    removable = tuple(context.source.fact("removable_imports", default=()))
    used: frozenset[str] | None = None
    for line in context.inference.nodes(context.scope.file).of(cst.SimpleStatementLine):
        comment = line.trailing_whitespace.comment
        if comment is not None and comment.value.startswith(SKIP):
            continue
        for statement in line.body:
            package = next((name for name in _packages(statement) if name in remedies), None)
            if package is not None and any(path.startswith(removable) for path, _ in _bindings(statement)):
                if used is None:
                    helpers = frozenset(context.used_helpers.values())
                    used = frozenset(used_names(module)) - helpers - context.imports.introduced
                if all(path.startswith(removable) and name not in used for path, name in _bindings(statement)):
                    continue  # All that it was imported for has been converted.
            if package is not None and context.inference.repository.module_for(package, context.scope) is None:
                reason = f"{package} works on {context.source.name}'s arrays and modules only: {remedies[package]}"
                context.review(statement, reason, api=package, rule="dependent_packages")
    return module


def _bindings(statement: cst.BaseSmallStatement) -> list[tuple[str, str]]:
    """What a statement imports: dotted paths, and the names that they get; `*` is one."""
    if not isinstance(statement, (cst.Import, cst.ImportFrom)) or isinstance(statement.names, cst.ImportStar):
        return [("*", "*")]
    module = f"{dotted(statement.module)}." if isinstance(statement, cst.ImportFrom) and statement.module else ""
    found = []
    for alias in statement.names:
        path = dotted(alias.name) or ""
        local = dotted(alias.asname.name) if alias.asname is not None else path.partition(".")[0]  # type: ignore[arg-type]
        found.append((module + path, local or ""))
    return found


def _packages(statement: cst.BaseSmallStatement) -> Iterator[str]:
    """The top-level packages that a statement imports."""
    if isinstance(statement, cst.Import):
        for alias in statement.names:
            yield (dotted(alias.name) or "").partition(".")[0]
    elif isinstance(statement, cst.ImportFrom) and not statement.relative and statement.module is not None:
        yield (dotted(statement.module) or "").partition(".")[0]


RULES = (
    Rule("dependent_packages", (), {"torch": lambda node, context: None}, {}, finish=dict.fromkeys(_TARGETS, note_imports)),
)
