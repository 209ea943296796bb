"""What a rule and the writer may ask and do while one file is rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import libcst as cst

from .expressions import fill_expression, fill_statements
from .helper_code import HelperLibrary
from .imports import ImportTable
from .lattice import UNKNOWN, Reference, Type
from .names import HELPER_MODULE, FileScope
from .nodes import Kind, is_of, walk
from .read import BoundOp, Refusal
from .report import Safety, Status
from .tables import Framework, Tables

if TYPE_CHECKING:
    from .infer import Inference


class Engine(Protocol):
    """The tree rewriter, as rules see it."""

    def visit(self, node: cst.CSTNode) -> Any: ...
    def children(self, node: cst.CSTNode) -> Any: ...
    @property
    def writer(self) -> Any: ...


class Note:
    """A site before its position is known."""

    def __init__(self, node: cst.CSTNode, status: Status, reason: str, op: str, api: str, rule: str, safety: Safety):
        self.node, self.status, self.reason = node, status, reason
        self.op, self.api, self.rule, self.safety = op, api, rule, safety


class FileContext:
    """One file on its way from `source` to `target`.

    `stack` holds the ancestors of the node being rewritten, outermost first. `state` is for rules that share facts
    about functions or classes of this file, keyed by the rule's name. `kept` are names imported from the source
    framework that code left as it was still uses.
    """

    def __init__(
        self, inference: Inference, file: str, target: str, helpers: HelperLibrary, kept: frozenset[str] = frozenset()
    ) -> None:
        self.inference = inference
        self.tables: Tables = inference.tables
        self.source: Framework = inference.tables.frameworks[inference.source]
        self.target: Framework = inference.tables.frameworks[target]
        self.scope: FileScope = inference.repository.scopes[file]
        self.module = inference.modules[file]
        self.found = inference.files[file]
        self.imports = ImportTable(self.scope, self.module, self.target.fact("import_aliases", default={}),
                                   self._replaced_names() - kept)  # fmt: skip
        self.helpers = helpers
        self.used_helpers: dict[str, str] = {}
        self.notes: list[Note] = []
        self.comments: list[str] = []
        #: Lines for values that the statement being rewritten needs under a name; see `lifting.py`.
        self.lifted: list[Any] = []
        self.stack: list[cst.CSTNode] = []
        self.claimed: set[cst.CSTNode] = set()
        self.state: dict[str, Any] = {}
        self.engine: Engine | None = None
        #: What became of each node, once the file is done.
        self.rewritten: dict[cst.CSTNode, Any] = {}
        self._direct_paths: dict[cst.CSTNode, str | None] = {}

    def _replaced_names(self) -> frozenset[str]:
        removable = (*self.source.roots, *self.source.fact("removable_imports", default=()))
        return frozenset(
            name for name, path in self.scope.imports.items()
            if (any(path.startswith(f"{root}.") for root in removable) and self.scope.import_names)
            or HELPER_MODULE in path.split(".")[:-1]
        )  # fmt: skip

    # Asking.

    def type_of(self, node: cst.CSTNode) -> Type:
        """The inferred type of an expression of the original file."""
        return self.found.types.get(node, UNKNOWN)

    def bound(self, node: cst.CSTNode) -> BoundOp | Refusal | None:
        """The hub op that a node of the original file is, if any."""
        return self.found.bound.get(node)

    def path(self, node: cst.CSTNode) -> str | None:
        """The dotted path that an expression refers to: `framework.layers.Linear`, `pkg.module.Class`; else None."""
        value = self.found.types.get(node)
        if isinstance(value, Reference):
            return value.path
        if isinstance(node, cst.Name):
            path = self.inference.global_path(self.scope, node.value)
            if value is None or path is None:
                return path
            # A constant imported by name has the constant's type; anything else is a local of the same name.
            return path if self.inference.framework.constant(path) == value else None
        if isinstance(node, cst.Attribute):
            owner = self.path(node.value)
            return self.inference.framework.own_name(f"{owner}.{node.attr.value}") if owner is not None else None
        return None

    def direct_path(self, node: cst.BaseExpression) -> str | None:
        """`path` for an expression that names an imported object itself, not a variable that holds it."""
        known = self._direct_paths.get(node, "")  # many rules ask for the same names
        if known == "":
            known = self._direct_paths[node] = self.path(node) if self.inference.is_direct(self.scope, node) else None
        return known

    def within(self, node: cst.CSTNode | None, *kinds: type[Kind]) -> Sequence[Kind]:
        """The nodes of the original file at or below one, of exactly these classes, in source order; none below None."""
        return self.inference.nodes(self.scope.file).within(node, *kinds) if node is not None else ()

    def enclosing(self, kind: type[Any] | tuple[type[Any], ...]) -> Any:
        """The innermost ancestor of a kind, or None."""
        return next((node for node in reversed(self.stack) if is_of(node.__class__, kind)), None)  # type: ignore[arg-type]

    def stands_alone(self, node: cst.BaseExpression) -> bool:
        """Whether an operator in the place of the node being rewritten needs no parentheses."""
        parent = self.stack[-2] if len(self.stack) > 1 else None
        if isinstance(parent, cst.Call):
            return not node.lpar and any(node is one.value and not one.star for one in parent.args)
        alone = (cst.Assign, cst.AnnAssign, cst.AugAssign, cst.Return, cst.Index, cst.Element, cst.SimpleStatementLine)
        return not node.lpar and (isinstance(parent, alone) or (isinstance(parent, cst.Arg) and not parent.star))

    # Doing.

    def rewrite(self, node: cst.CSTNode) -> Any:
        """The rewritten form of a node of the original file; the same object when asked again."""
        assert self.engine is not None
        return self.engine.visit(node)

    def rewrite_children(self, node: cst.CSTNode) -> Any:
        """The node of the original file with its children rewritten, no rule applied to the node itself."""
        assert self.engine is not None
        return self.engine.children(node)

    def write(self, op: BoundOp) -> cst.BaseExpression | Refusal:
        """The target's expression for a bound op, or the reason why there is none."""
        assert self.engine is not None
        written: cst.BaseExpression | Refusal = self.engine.writer.write(op)
        return written

    def claim(self, *nodes: cst.CSTNode) -> None:
        """Keep the tables from reading these nodes: a construct has taken them."""
        self.claimed.update(nodes)

    def reference(self, path: str) -> cst.BaseExpression:
        """An expression for a qualified path of the target, whose import is added; `helpers.x` brings the helper."""
        if path.startswith("helpers."):
            return self.helper(path.removeprefix("helpers."))
        if "." not in path and path not in self.target.roots:
            return cst.Name(path)
        return self.imports.reference(path)

    def helper(self, name: str) -> cst.BaseExpression:
        """The name of a helper, which the output then carries."""
        if name not in self.used_helpers:
            self.used_helpers[name] = self.helpers.local_name(self.imports, name)
        return cst.Name(self.used_helpers[name])

    def expression(self, template: str, **nodes: Any) -> Any:
        """An expression of the target from a template with `{name}` placeholders and qualified paths."""
        return fill_expression(template, nodes, self._resolve)

    def statements(self, template: str, **nodes: Any) -> list[cst.BaseStatement]:
        """Statements of the target from a template."""
        return fill_statements(template, nodes, self._resolve)

    def _resolve(self, path: str) -> cst.BaseExpression | None:
        root = path.partition(".")[0]
        if root == "helpers" or root in self.target.roots or root in self.target.fact("packages_used", default=()):
            return self.reference(path)
        return None

    def snapshot(self) -> tuple[Any, ...]:
        """The state that `restore` returns to when a construct turns out not to be expressible."""
        return (
            len(self.notes), list(self.comments), dict(self.used_helpers), self.imports.snapshot(), set(self.claimed),
            list(self.lifted),
        )  # fmt: skip

    def restore(self, state: tuple[Any, ...]) -> None:
        """Forget the sites, helpers and imports noted since `snapshot`."""
        count, self.comments, self.used_helpers, imports, self.claimed, self.lifted = state
        del self.notes[count:]
        self.imports.restore(imports)

    # Reporting.

    def converted(
        self, node: cst.CSTNode, *, op: str = "", api: str = "", rule: str = "", safety: Safety = "exact"
    ) -> None:
        """A place that was rewritten and computes the same."""
        self.notes.append(Note(node, "converted", "", op, api, rule, safety))

    def review(self, node: cst.CSTNode, reason: str, *, op: str = "", api: str = "", rule: str = "") -> None:
        """A place that was rewritten and may differ."""
        self.notes.append(Note(node, "review", reason, op, api, rule, "differs"))

    def unsupported(self, node: cst.CSTNode, reason: str, *, op: str = "", api: str = "", rule: str = "") -> None:
        """A place left as it was; the reason also becomes a comment above the statement."""
        if any(note.node is node and note.status == "unsupported" for note in self.notes):
            return
        self.notes.append(Note(node, "unsupported", reason, op, api, rule, "differs"))
        if reason not in self.comments:
            self.comments.append(reason)

    def mentions(self, node: cst.CSTNode, name: str) -> bool:
        """Whether a name occurs below a node of the original file."""
        return any(isinstance(part, cst.Name) and part.value == name for part in walk(node))
