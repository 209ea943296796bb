"""Qualified names: what each file imports and defines, and where a dotted path leads within the repository."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import libcst as cst

#: The name of the module that carries a converted repository's helpers.
HELPER_MODULE = "ivy_helpers"


@dataclass(frozen=True)
class Definition:
    """A class, function or variable at the top level of a file, or a method of a class."""

    path: str
    file: str
    node: cst.ClassDef | cst.FunctionDef | cst.BaseExpression
    owner: str = ""


@dataclass
class FileScope:
    """The names at the top level of one file.

    `imports` maps a local name to a dotted path; `import_names` are those bound by an import anywhere in the file.
    """

    file: str
    module: str
    is_package: bool
    imports: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    definitions: dict[str, Definition] = field(default_factory=dict)
    import_names: set[str] = field(default_factory=set)


def dotted(node: cst.CSTNode) -> str | None:
    """`a.b.c` for a name or a chain of attributes of names."""
    parts: list[str] = []
    while type(node) is cst.Attribute:
        parts.append(node.attr.value)
        node = node.value
    if type(node) is not cst.Name:
        return None
    parts.append(node.value)
    return ".".join(reversed(parts))


def statements(body: cst.BaseSuite | cst.Module) -> Iterator[cst.CSTNode]:
    """All statements that run in the same scope: through if, try, with and loops, not into functions or classes."""
    for statement in body.body:
        if isinstance(statement, cst.SimpleStatementLine):
            yield from statement.body
        elif isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
            yield statement
        elif isinstance(statement, cst.CSTNode):
            if isinstance(body, cst.SimpleStatementSuite):
                yield statement
            else:
                yield statement
                for part in _suites(statement):
                    yield from statements(part)


def _suites(statement: cst.CSTNode) -> Iterator[cst.BaseSuite]:
    for name in ("body", "orelse", "finalbody"):
        child = getattr(statement, name, None)
        if isinstance(child, cst.BaseSuite):
            yield child
        elif isinstance(child, cst.If):
            yield from _suites(child)
        elif isinstance(child, (cst.Else, cst.Finally)):
            yield child.body
    for handler in getattr(statement, "handlers", ()):
        yield handler.body
    for case in getattr(statement, "cases", ()):
        yield case.body


class Repository:
    """The files of one conversion and the paths that lead to their definitions."""

    def __init__(
        self, modules: Mapping[str, cst.Module], files: Iterable[str] = (), foreign: Iterable[str] = ()
    ) -> None:
        """files: all files of the repository, those that are not read among them.

        foreign: packages that an import means, whatever files of the repository have the same name.
        """
        self.scopes: dict[str, FileScope] = {}
        self.by_module: dict[str, FileScope] = {}
        self._file_names = frozenset(modules).union(files)
        self._foreign = sys.stdlib_module_names.union(foreign)
        self._by_last_part: dict[str, list[str]] = {}
        for path in sorted(modules):
            name = module_name(path)
            scope = FileScope(path, name, path.endswith("__init__.py"))
            self.scopes[path] = scope
            self.by_module[name] = scope
            self._by_last_part.setdefault(name.rpartition(".")[2], []).append(name)
        self._resolved: dict[str, Definition | None] = {}
        for path, module in modules.items():
            collect_names(self, self.scopes[path], module)
        self._resolved.clear()  # answers from before all names were known

    def module_for(self, target: str, importer: FileScope) -> str | None:
        """The repository's own module that an absolute import in `importer` means, or None.

        Looked for beside the importing file, then in each folder above it, then below a package of that name.
        A name of the standard library or of a framework is the repository's only where Python would look there first:
        `import random` in a package with a `random.py` is not that file.
        """
        top, _, rest = target.partition(".")
        is_foreign = top in self._foreign
        folder = importer.module.split(".") if importer.is_package else importer.module.split(".")[:-1]
        for length in range(len(folder), -1, -1):
            candidate = ".".join([*folder[:length], target])
            if candidate in self.by_module and candidate != importer.module:
                if not is_foreign or "/".join([*folder[:length], "__init__.py"]) not in self._file_names:
                    return candidate
        if is_foreign:
            return None
        if rest and "__init__.py" in self._file_names and rest in self.by_module:
            return rest
        suffix = "." + target
        matches = [name for name in self._by_last_part.get(target.rpartition(".")[2], ()) if name.endswith(suffix)]
        return matches[0] if len(matches) == 1 else None

    def absolute(self, target: str, importer: FileScope) -> str:
        """A dotted import, with the repository's own modules under their place in the repository."""
        parts = target.split(".")
        for length in range(len(parts), 0, -1):
            module = self.module_for(".".join(parts[:length]), importer)
            if module is not None:
                return ".".join([module, *parts[length:]])
        return target

    def resolve(self, path: str, _depth: int = 0) -> Definition | None:
        """The definition that a dotted path leads to, through imports and re-exports; None outside the repository."""
        if _depth > 20:
            return None
        if _depth > 0:
            return self._resolve(path, _depth)
        if path not in self._resolved:
            self._resolved[path] = self._resolve(path, _depth)
        return self._resolved[path]

    def _resolve(self, path: str, depth: int) -> Definition | None:
        parts = path.split(".")
        for length in range(len(parts) - 1, 0, -1):
            scope = self.by_module.get(".".join(parts[:length]))
            if scope is None:
                continue
            if length < len(parts) - 1:
                imported = self.lookup(scope, parts[length])
                if imported and imported != path:
                    return self.resolve(".".join([imported, *parts[length + 1 :]]), depth + 1)
                return None
            definition = scope.definitions.get(parts[-1])
            if definition is not None:
                return definition
            imported = self.lookup(scope, parts[-1])
            return self.resolve(imported, depth + 1) if imported and imported != path else None
        return None

    def canonical(self, path: str, _depth: int = 0) -> str:
        """Follow re-exports within the repository until the path leaves it or reaches a definition."""
        definition = self.resolve(path)
        if definition is not None:
            return definition.path
        parts = path.split(".")
        for length in range(len(parts) - 1, 0, -1):
            scope = self.by_module.get(".".join(parts[:length]))
            if scope is not None and _depth < 20:
                imported = self.lookup(scope, parts[length])
                if imported:
                    return self.canonical(".".join([imported, *parts[length + 1 :]]), _depth + 1)
                return path
        return path

    def lookup(self, scope: FileScope, name: str, _seen: frozenset[str] = frozenset()) -> str | None:
        """The dotted path of a name at the top level of a file, or None."""
        if name in scope.imports:
            return scope.imports[name]
        if name in scope.definitions:
            return f"{scope.module}.{name}"
        for star in scope.stars:
            target = self.by_module.get(star)
            if target is None:
                continue
            if target.module not in _seen and not name.startswith("_"):
                found = self.lookup(target, name, _seen | {scope.module})
                if found:
                    return found
        if scope.is_package and f"{scope.module}.{name}".lstrip(".") in self.by_module:
            return f"{scope.module}.{name}".lstrip(".")
        return None

    def foreign_stars(self, scope: FileScope) -> Iterable[str]:
        """Modules outside the repository of which a file imports every name."""
        return [star for star in scope.stars if star not in self.by_module]


def module_name(path: str) -> str:
    """`pkg/mod.py` → `pkg.mod`; a package is named by its folder, the root package by `__init__`."""
    parts = path.removesuffix(".py").split("/")
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def _all_imports(body: cst.BaseSuite | cst.Module) -> Iterator[cst.Import | cst.ImportFrom]:
    """Every import statement of a file, also inside functions and classes."""
    for statement in statements(body):
        if isinstance(statement, (cst.Import, cst.ImportFrom)):
            yield statement
        elif isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
            yield from _all_imports(statement.body)


def collect_names(repository: Repository, scope: FileScope, module: cst.Module) -> None:
    """Fill `scope` with what `module` imports and defines at its top level."""
    for found in _all_imports(module):
        names: dict[str, str] = {}
        bind_import(repository, scope, found, names, [])
        scope.import_names.update(names)
    for statement in statements(module):
        if isinstance(statement, (cst.Import, cst.ImportFrom)):
            bind_import(repository, scope, statement, scope.imports, scope.stars)
        elif isinstance(statement, (cst.ClassDef, cst.FunctionDef)):
            name = statement.name.value
            scope.definitions[name] = Definition(f"{scope.module}.{name}", scope.file, statement)
        elif isinstance(statement, (cst.Assign, cst.AnnAssign)) and statement.value is not None:
            for name in assigned_names(statement):
                path = f"{scope.module}.{name}"
                scope.definitions[name] = Definition(path, scope.file, statement.value)


def assigned_names(statement: cst.Assign | cst.AnnAssign) -> Iterator[str]:
    """The plain names that an assignment binds directly."""
    targets = [statement.target] if isinstance(statement, cst.AnnAssign) else [t.target for t in statement.targets]
    for target in targets:
        if isinstance(target, cst.Name):
            yield target.value


def bind_import(
    repository: Repository,
    scope: FileScope,
    statement: cst.Import | cst.ImportFrom,
    imports: dict[str, str],
    stars: list[str],
) -> None:
    """Add the names that an import statement binds to `imports` and `stars`."""
    if isinstance(statement, cst.Import):
        for alias in statement.names:
            target = dotted(alias.name) or ""
            if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
                imports[alias.asname.name.value] = repository.absolute(target, scope)
            else:
                top = target.partition(".")[0]
                imports[top] = repository.absolute(top, scope)
        return
    base = import_base(repository, scope, statement)
    if isinstance(statement.names, cst.ImportStar):
        stars.append(base)
        return
    for alias in statement.names:
        name = dotted(alias.name) or ""
        local = alias.asname.name.value if alias.asname and isinstance(alias.asname.name, cst.Name) else name
        imports[local] = f"{base}.{name}".lstrip(".")


def import_base(repository: Repository, scope: FileScope, statement: cst.ImportFrom) -> str:
    """The dotted module of a `from` import, relative ones resolved."""
    module = dotted(statement.module) if statement.module is not None else ""
    if not statement.relative:
        return repository.absolute(module or "", scope)
    parts = scope.module.split(".")
    if scope.module == "__init__":
        parts = []
    elif not scope.is_package:
        parts = parts[:-1]
    up = len(statement.relative) - 1
    parts = parts[: len(parts) - up] if up else parts
    return ".".join([*parts, *([module] if module else [])])
