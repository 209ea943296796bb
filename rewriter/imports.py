"""The imports of a rewritten file: new ones added under the names that the target's users know, unused ones removed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import libcst as cst

from .expressions import dotted_name
from .names import HELPER_MODULE, FileScope, dotted
from .nodes import children
from .source import SKIP


class ImportTable:
    """Chooses the name under which each qualified path is reachable in one file, and remembers what must be imported.

    aliases: dotted module path → the import statement that the target's users write for it.
    replaced: names imported from the source framework, free again once its imports are gone.
    """

    def __init__(
        self, scope: FileScope, module: cst.Module, aliases: Mapping[str, str], replaced: frozenset[str]
    ) -> None:
        self.aliases = aliases
        self._taken = (_bound_names(module) | scope.import_names) - replaced
        self._existing = {path: name for name, path in scope.imports.items()}
        self._names: dict[str, str] = {}
        self._statements: dict[str, None] = {}
        self.from_imports: dict[str, list[str]] = {}

    @property
    def statements(self) -> list[str]:
        """All import statements asked for, one for each module that names are taken from."""
        return [*self._statements, *(f"from {m} import {', '.join(sorted(n))}" for m, n in self.from_imports.items())]

    @property
    def introduced(self) -> frozenset[str]:
        """The names that the new imports bind."""
        return frozenset(self._names.values())

    def reference(self, path: str) -> cst.Name | cst.Attribute:
        """An expression for `path`, whose import is added to the file."""
        parts = path.split(".")
        if len(parts) > 1 and path in self._existing:
            return cst.Name(self._existing[path])
        for length in range(len(parts), 0, -1):
            module = ".".join(parts[:length])
            if module in self.aliases:
                name = self._bind(module, self.aliases[module])
                return dotted_name(".".join([name, *parts[length:]]))
        root = parts[0]
        return dotted_name(".".join([self._bind(root, f"import {root}"), *parts[1:]]))

    def _bind(self, module: str, statement: str) -> str:
        if module in self._names:
            return self._names[module]
        existing = self._existing.get(module)
        if existing is not None:
            self._names[module] = existing
            return existing
        wanted = statement.split()[-1]
        name = self._free_name(wanted)
        if name != wanted:
            base = statement.rpartition(" as ")[0] or statement
            statement = f"{base} as {name}"
        self._names[module] = name
        self._statements[statement] = None
        return name

    def bind_from(self, module: str, name: str) -> str:
        """The local name for `from module import name`, aliased when the file already uses that name."""
        key = f"{module}:{name}"
        if key not in self._names:
            local = self._free_name(name)
            self._names[key] = local
            suffix = "" if local == name else f" as {local}"
            self.from_imports.setdefault(module, []).append(f"{name}{suffix}")
        return self._names[key]

    def _free_name(self, wanted: str) -> str:
        name = wanted
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def snapshot(self) -> tuple[Any, ...]:
        """What `restore` returns to."""
        from_imports = {module: list(names) for module, names in self.from_imports.items()}
        return dict(self._names), dict(self._statements), set(self._taken), from_imports

    def restore(self, state: tuple[Any, ...]) -> None:
        """Forget the imports asked for since `snapshot`."""
        self._names, self._statements, self._taken, self.from_imports = state

    def reserve(self, name: str) -> None:
        """Keep later imports from taking a name that a rule introduces."""
        self._taken.add(name)

    def is_taken(self, name: str) -> bool:
        """Whether a name of the file's code or of its imports is called so."""
        return name in self._taken

    def free_name(self, wanted: str) -> str:
        """`wanted`, or with underscores behind it where the file uses that name; reserved from now on."""
        return self._free_name(wanted)


def _bound_names(module: cst.Module) -> set[str]:
    """Every name of a file's code that is not merely an attribute or a keyword of a call; imports bind theirs apart."""
    return {node.value for node in _names(module) if type(node) is cst.Name}


def used_names(module: cst.Module) -> set[str]:
    """Names that the code of a module reads, imports excluded; words inside annotations written as strings count."""
    used: set[str] = set()
    for node in _names(module):
        if type(node) is cst.Name:
            used.add(node.value)
        elif isinstance(node, cst.Annotation):
            used.update(_quoted_words(node.annotation))
    return used


def _names(module: cst.Module) -> Iterator[cst.Name | cst.Annotation]:
    """The names of a file's code that are not merely an attribute or a keyword of a call, and its annotations."""
    stack: list[cst.CSTNode] = [module]
    while stack:
        node = stack.pop()
        if type(node) is cst.Import or type(node) is cst.ImportFrom:
            continue
        if type(node) is cst.Name:
            yield node
        elif type(node) is cst.Attribute or type(node) is cst.Arg:
            stack.append(node.value)
        else:
            if type(node) is cst.Annotation:
                yield node
            stack.extend(children(node))


def _quoted_words(annotation: cst.BaseExpression) -> set[str]:
    """The words of an annotation's strings; those in `Literal["mean"]` are values."""
    words: set[str] = set()
    stack: list[cst.CSTNode] = [annotation]
    while stack:
        node = stack.pop()
        if isinstance(node, cst.SimpleString):
            words.update(re.findall(r"\w+", node.raw_value))
        elif not (isinstance(node, cst.Subscript) and (dotted(node.value) or "").rpartition(".")[2] == "Literal"):
            stack.extend(children(node))
    return words


_HOLDS_STATEMENTS = (
    cst.BaseSuite, cst.BaseCompoundStatement, cst.Else, cst.Finally, cst.ExceptHandler, cst.ExceptStarHandler, cst.MatchCase,
)  # fmt: skip


class _Remover(cst.CSTTransformer):
    """Drops the source framework's imports whose names are no longer used."""

    def __init__(
        self, used: set[str], removable: Sequence[str], rebound: frozenset[str], handed_on: frozenset[str]
    ) -> None:
        super().__init__()
        self.handed_on = handed_on
        self.used = used - rebound
        self.removable = tuple(removable)
        self.removed = False

    def is_source(self, path: str) -> bool:
        """Whether a dotted path lies in one of the packages or modules whose imports may go."""
        return any(path == root or path.startswith(f"{root}.") for root in self.removable)

    def visit_Call(self, node: cst.Call) -> bool:
        return False

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        comment = node.trailing_whitespace.comment
        return comment is None or not comment.value.startswith(SKIP)

    def _keep(self, alias: cst.ImportAlias, module: str) -> bool:
        name = dotted(alias.name) or ""
        path = f"{module}.{name}" if module else name
        local = alias.asname.name.value if alias.asname and isinstance(alias.asname.name, cst.Name) else name
        if local in self.handed_on:
            return False
        if not self.is_source(path):
            return True
        return local.partition(".")[0] in self.used

    def _filtered(self, node: cst.Import | cst.ImportFrom, names: Sequence[cst.ImportAlias], module: str) -> object:
        kept = [alias for alias in names if self._keep(alias, module)]
        if len(kept) == len(names):
            return node
        self.removed = True
        if not kept:
            return cst.RemoveFromParent()
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return node.with_changes(names=kept)

    def leave_Import(self, original: cst.Import, updated: cst.Import) -> object:  # type: ignore[override]
        return self._filtered(updated, updated.names, "")

    def leave_ImportFrom(self, original: cst.ImportFrom, updated: cst.ImportFrom) -> object:  # type: ignore[override]
        module = (dotted(updated.module) or "") if updated.module is not None else ""
        if module.rpartition(".")[2] == HELPER_MODULE and not isinstance(updated.names, cst.ImportStar):
            return self._filtered(updated, updated.names, self.removable[0])
        if isinstance(updated.names, cst.ImportStar):
            gone = not updated.relative and self.is_source(module)
            self.removed = self.removed or gone
            return cst.RemoveFromParent() if gone else updated
        if updated.relative:
            return self._filtered(updated, updated.names, f".{module}")
        return self._filtered(updated, updated.names, module)

    def leave_SimpleStatementLine(  # type: ignore[override]
        self, original: cst.SimpleStatementLine, updated: cst.SimpleStatementLine
    ) -> object:
        return updated if updated.body else cst.RemoveFromParent()

    def leave_IndentedBlock(self, original: cst.IndentedBlock, updated: cst.IndentedBlock) -> cst.BaseSuite:
        return updated if updated.body else updated.with_changes(body=[cst.SimpleStatementLine([cst.Pass()])])


def update_imports(
    module: cst.Module,
    statements: Sequence[str],
    source_roots: Sequence[str],
    keep_stars: bool,
    rebound: frozenset[str] = frozenset(),
    handed_on: frozenset[str] = frozenset(),
) -> cst.Module:
    """Remove unused imports of the source framework and insert `statements` where the first of them stood.

    rebound: names that the new statements, or definitions in the file, bind instead of the old imports.
    handed_on: names of the source framework that are imported from another file of the repository.
    """
    used = used_names(module)
    if keep_stars:
        used.add("*")
    remover = _Remover(used, source_roots, rebound, handed_on)
    body: list[cst.BaseStatement | cst.SimpleStatementLine] = []
    insert_at: int | None = None
    pending: Sequence[cst.EmptyLine] = ()
    for statement in module.body:
        changed = _remove_in(statement, remover, keep_stars)
        if changed is None:
            insert_at = len(body) if insert_at is None else insert_at
            if insert_at == len(body):
                pending = [*pending, *getattr(statement, "leading_lines", ())]
            continue
        if changed is not statement and insert_at is None:
            insert_at = len(body)
        if pending and insert_at == len(body) and not statements:
            changed = changed.with_changes(leading_lines=_merge_lines(pending, changed))
            pending = ()
        body.append(changed)  # type: ignore[arg-type]
    if not statements:
        return module.with_changes(body=body)
    if insert_at is None:
        insert_at = _default_place(body)
    parsed = [_parsed_import(text) for text in statements]
    if pending:
        parsed[0] = parsed[0].with_changes(leading_lines=pending)
    elif insert_at < len(body) and insert_at > 0 and not _is_import(body[insert_at - 1]):
        parsed[0] = parsed[0].with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    body[insert_at:insert_at] = parsed  # type: ignore[assignment]
    return module.with_changes(body=body)


def merged(statements: Sequence[str]) -> list[str]:
    """One statement for each module that names are imported from."""
    names: dict[str, set[str]] = {}
    result: list[str] = []
    for statement in statements:
        head, found, imported = statement.partition(" import ")
        if statement.startswith("from ") and found and "(" not in imported:
            names.setdefault(head, set()).update(name.strip() for name in imported.split(","))
        else:
            result.append(statement)
    return result + [f"{head} import {', '.join(sorted(imported))}" for head, imported in names.items()]


def _parsed_import(text: str) -> cst.SimpleStatementLine:
    """An import statement, its names one a line where they do not fit on one."""
    if len(text) > 88 and text.startswith("from "):
        head, _, names = text.partition(" import ")
        text = f"{head} import (\n" + "".join(f"    {name},\n" for name in names.split(", ")) + ")"
    statement = cst.parse_statement(text)
    assert isinstance(statement, cst.SimpleStatementLine)
    return statement


def _merge_lines(pending: Sequence[cst.EmptyLine], node: cst.CSTNode) -> list[cst.EmptyLine]:
    """Comments above a removed import stay; its blank lines do not add to those of what follows."""
    own = list(getattr(node, "leading_lines", ()))
    comments = [line for line in pending if line.comment is not None]
    return comments + own if comments else own if own else list(pending)


def _remove_in(statement: cst.CSTNode, remover: _Remover, keep_stars: bool) -> cst.CSTNode | None:
    """The statement without removed imports; None when nothing is left of it."""
    if isinstance(statement, cst.SimpleStatementLine):
        if not any(isinstance(small, (cst.Import, cst.ImportFrom)) for small in statement.body):
            return statement
        if keep_stars and any(
            isinstance(small, cst.ImportFrom) and isinstance(small.names, cst.ImportStar) for small in statement.body
        ):
            return statement
    elif isinstance(statement, (cst.ClassDef, cst.FunctionDef, cst.Try, cst.If, cst.With, cst.For, cst.While)):
        if not _has_import(statement):
            return statement
    else:
        return statement
    remover.removed = False
    changed = statement.visit(remover)
    if not remover.removed:
        return statement
    return changed if isinstance(changed, cst.CSTNode) else None


def _has_import(statement: cst.CSTNode) -> bool:
    """Whether an import statement stands anywhere in a compound statement."""
    stack = [statement]
    while stack:
        for node in children(stack.pop()):
            if isinstance(node, cst.SimpleStatementLine):
                if any(isinstance(small, (cst.Import, cst.ImportFrom)) for small in node.body):
                    return True
            elif isinstance(node, _HOLDS_STATEMENTS):
                stack.append(node)
    return False


def _is_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(
        statement.body[0], (cst.Import, cst.ImportFrom)
    )


def _default_place(body: Sequence[cst.CSTNode]) -> int:
    """Behind the last import at the top, else behind the docstring and `__future__` imports."""
    place = 0
    for index, statement in enumerate(body):
        if _is_import(statement):
            place = index + 1
        elif index == 0 and isinstance(statement, cst.SimpleStatementLine) and _is_docstring(statement):
            place = 1
        elif isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
            break
    return place


def _is_docstring(statement: cst.SimpleStatementLine) -> bool:
    first = statement.body[0]
    return isinstance(first, cst.Expr) and isinstance(first.value, (cst.SimpleString, cst.ConcatenatedString))
