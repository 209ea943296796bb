"""Types through statements: assignments, branches and loops, with one environment per point of the program."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

import libcst as cst

from .infer_expressions import Environment, ExpressionEvaluator
from .lattice import (
    ARRAY,
    BOOL,
    FLOAT,
    INT,
    NONE,
    NOTHING,
    STR,
    UNKNOWN,
    Array,
    Foreign,
    Instance,
    Mapping,
    Reference,
    Sequence,
    Shape,
    Tuple,
    Type,
    item_type,
    join,
    join_all,
)
from .names import FileScope
from .nodes import children
from .ranks import tested_rank, unpacked_rank
from .read import literal

_PLAIN_CLASSES = {"int": INT, "float": FLOAT, "bool": BOOL, "str": STR}


class StatementSummaries(Protocol):
    """What walking statements tells the repository's inference, beside what expressions ask of it."""

    def assign_attribute(self, owner: Instance, name: str, value: Type) -> None: ...
    def analyze_definition(self, node: cst.CSTNode, walker: StatementWalker) -> Type: ...
    def import_names(
        self, scope: FileScope, node: cst.Import | cst.ImportFrom, imports: dict[str, str]
    ) -> None: ...
    def instance_of(self, classes: Type) -> Type: ...
    def is_array_test(self, path: str) -> bool: ...


class StatementWalker(ExpressionEvaluator):
    """Walks the statements of one function or module."""

    def __init__(self, *arguments: object, **keywords: object) -> None:
        super().__init__(*arguments, **keywords)  # type: ignore[arg-type]
        self.returns: list[Type] = []
        self.reachable = True
        #: The function or class whose statements these are; none for those of the file itself.
        self.function: cst.FunctionDef | cst.ClassDef | None = None
        self.observer: StatementSummaries = self.summaries  # type: ignore[assignment]
        #: What the function's body says of its names.
        self.evident: Callable[[], dict[str, bool]] = dict

    def walk(self, body: cst.BaseSuite | cst.Module) -> None:
        """Walk a block, statement by statement."""
        for statement in body.body:
            self.statement(statement)

    def statement(self, node: cst.CSTNode) -> None:
        """Walk one statement."""
        if isinstance(node, cst.SimpleStatementLine):
            for small in node.body:
                self.statement(small)
            return
        method = _WALKERS.get(type(node))
        if method is not None:
            method(self, node)

    def expression_statement(self, node: cst.Expr) -> None:
        self.evaluate(node.value)
        self._note_growth(node.value)

    def _note_growth(self, node: cst.BaseExpression) -> None:
        """`items.append(x)` says what the list holds."""
        if not (isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.args):
            return
        container = self.types.get(node.func.value, UNKNOWN)
        method = node.func.attr.value
        if method == "update" and isinstance(container, Mapping):
            self._note_update(node, node.func.value, container)
        if method not in ("append", "extend", "insert", "add") or not isinstance(container, Sequence):
            return
        value = self.types.get(node.args[-1].value, UNKNOWN)
        item = item_type(value) if method == "extend" else value
        grown = Sequence(item if container.item in (UNKNOWN, NOTHING) else join(container.item, item), container.kind)
        if item != UNKNOWN:
            self.assign(node.func.value, grown)

    def _note_update(self, call: cst.Call, target: cst.BaseExpression, container: Mapping) -> None:
        """`settings.update(other, width=3)` says what the dictionary holds."""
        for argument in call.args:
            value = self.types.get(argument.value, UNKNOWN)
            if argument.keyword is not None:
                container = container.with_entry(argument.keyword.value, value)
            else:
                container = self.updated(container, value)
        self.assign(target, container)

    def assignment(self, node: cst.Assign) -> None:
        value = self.evaluate(node.value)
        self._set_rank(unpacked_rank(node, self.bound))
        for target in node.targets:
            self.assign(target.target, value)
            if isinstance(target.target, cst.Tuple) and isinstance(node.value, cst.Tuple):
                self._assign_spread(target.target, node.value)
            if isinstance(node.value, cst.Call) and self._may_be_module(node.value.func):
                self._bind_evident(target.target)

    def _set_rank(self, found: tuple[str, int] | None) -> None:
        """How many axes the array of a name has, from here on."""
        known = self.environment.get(found[0]) if found is not None else None
        if found is not None and isinstance(known, Array):
            self.environment[found[0]] = replace(known, rank=found[1])

    def _may_be_module(self, callee: cst.BaseExpression) -> bool:
        """Whether what is called is a module, or something of the program's own that is not known."""
        found = self.types.get(callee, UNKNOWN)
        return found == UNKNOWN or isinstance(found, Instance)

    def _bind_evident(self, target: cst.BaseExpression) -> None:
        """Names that got a value of unknown type and are then used as only arrays can be."""
        for name in (target, *(element.value for element in getattr(target, "elements", ()))):
            if isinstance(name, cst.Name) and self.environment.get(name.value, UNKNOWN) == UNKNOWN:
                if self.evident().get(name.value):
                    self.bind(name, ARRAY)

    def _assign_spread(self, target: cst.Tuple, value: cst.Tuple) -> None:
        """The names in front of and behind what a star gives, in `b, n, dtype = *x.shape[:2], x.dtype`."""
        stars = [index for index, element in enumerate(value.elements) if isinstance(element, cst.StarredElement)]
        open_targets = [index for index, e in enumerate(target.elements) if isinstance(e, cst.StarredElement)]
        if len(stars) != 1 or len(open_targets) > 1:
            return
        front = min([*stars, *open_targets])
        back = len(value.elements) - stars[0] - 1
        if open_targets:
            back = min(back, len(target.elements) - open_targets[0] - 1)
        pairs = [*zip(target.elements[:front], value.elements[:front], strict=False)]
        if back:
            pairs += zip(target.elements[-back:], value.elements[-back:], strict=False)
        for name, given in pairs:
            self.assign(name.value, self.types.get(given.value, UNKNOWN))
        spread = self.types.get(value.elements[stars[0]].value, UNKNOWN)
        if isinstance(spread, (Shape, Sequence)):
            # Names in front of an open one take from the star too: `b, n, *_, dtype = *x.shape, x.dtype`.
            end = open_targets[0] if open_targets else len(target.elements) - back
            for element in target.elements[front:end]:
                self.assign(element.value, item_type(spread))

    def assign(self, target: cst.BaseExpression, value: Type) -> None:
        """Bind names, attributes of objects and items of containers."""
        if isinstance(target, cst.Attribute):
            owner = self.evaluate(target.value)
            self.types[target] = value
            if isinstance(owner, Instance):
                self.observer.assign_attribute(owner, target.attr.value, value)
        elif isinstance(target, cst.Subscript):
            self.evaluate(target)
            container = self.types.get(target.value, UNKNOWN)
            if isinstance(container, Mapping):
                self.assign(target.value, container.with_entry(_key(target), value))
        elif isinstance(target, (cst.Tuple, cst.List)):
            self.bind(target, value)
            for element in target.elements:
                if isinstance(element.value, (cst.Attribute, cst.Subscript)):
                    self.assign(element.value, self.types.get(element.value, UNKNOWN))
        else:
            self.bind(target, value)

    def annotated(self, node: cst.AnnAssign) -> None:
        declared = self.annotation_type(node.annotation.annotation)
        value = self.evaluate(node.value) if node.value is not None else UNKNOWN
        best = value if value not in (UNKNOWN, NONE) and declared == UNKNOWN else declared
        self.assign(node.target, best if best != UNKNOWN else value)

    def annotation_type(self, node: cst.BaseExpression) -> Type:
        """Overridden with knowledge of annotations."""
        return UNKNOWN

    def augmented(self, node: cst.AugAssign) -> None:
        left, right = self.evaluate(node.target), self.evaluate(node.value)
        if isinstance(left, (Array, Sequence, Tuple, Mapping)):
            value: Type = left
        elif isinstance(right, Array):
            value = Array()
        else:
            value = join(left, right) if left != UNKNOWN and right != UNKNOWN else UNKNOWN
        if isinstance(node.target, cst.Name):
            self.bind(node.target, value)
        elif isinstance(node.target, cst.Attribute):
            self.assign(node.target, value)

    def return_(self, node: cst.Return) -> None:
        self.returns.append(self.evaluate(node.value) if node.value is not None else NONE)
        self.reachable = False

    def leave(self, node: cst.CSTNode) -> None:
        """raise, break, continue: what follows in this block is not reached."""
        for child in children(node):
            if isinstance(child, cst.BaseExpression):
                self.evaluate(child)
        self.reachable = False

    def children_expressions(self, node: cst.CSTNode) -> None:
        for child in children(node):
            if isinstance(child, (cst.BaseExpression, cst.Arg)):
                self.evaluate(child)

    def delete(self, node: cst.Del) -> None:
        self.evaluate(node.target)
        if isinstance(node.target, cst.Name):
            self.environment.pop(node.target.value, None)

    def import_(self, node: cst.Import | cst.ImportFrom) -> None:
        imports: dict[str, str] = {}
        self.observer.import_names(self.scope, node, imports)
        for name, path in imports.items():
            self.environment[name] = self.summaries.reference_type(path)

    def _branches(self, branches: Iterable[Callable[[], None]]) -> None:
        """Walk alternatives from the same environment and join those whose end is reached."""
        start = dict(self.environment)
        ends: list[Environment] = []
        for branch in branches:
            self.environment, self.reachable = dict(start), True
            branch()
            if self.reachable:
                ends.append(self.environment)
        self.reachable = bool(ends)
        self.environment = join_environments(ends) if ends else start

    def if_(self, node: cst.If) -> None:
        self.evaluate(node.test)

        def then() -> None:
            self.narrow(node.test, True)
            self.walk(node.body)

        def otherwise() -> None:
            self.narrow(node.test, False)
            if isinstance(node.orelse, cst.If):
                self.if_(node.orelse)
            elif node.orelse is not None:
                self.walk(node.orelse.body)

        self._branches([then, otherwise])

    def narrow(self, test: cst.BaseExpression, truth: bool) -> None:
        """What a condition says of names: isinstance, array tests, and their conjunctions and negations."""
        if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            self.narrow(test.expression, not truth)
        elif isinstance(test, cst.BooleanOperation):
            if isinstance(test.operator, cst.And) == truth:
                self.narrow(test.left, truth)
                self.narrow(test.right, truth)
        elif isinstance(test, cst.Comparison):
            self._set_rank(tested_rank(test, truth, self.bound))
        elif truth and isinstance(test, cst.Call) and test.args and isinstance(test.args[0].value, cst.Name):
            name = test.args[0].value.value
            if isinstance(test.func, cst.Name) and test.func.value == "isinstance" and len(test.args) == 2:
                narrowed = self.observer.instance_of(self.type_of(test.args[1].value))
                if narrowed == UNKNOWN:
                    narrowed = self._builtin_instance(test.args[1].value, self.environment.get(name, UNKNOWN))
                if narrowed != UNKNOWN:
                    self.environment[name] = narrowed
            else:
                callee = self.types.get(test.func)
                if isinstance(callee, Reference) and self.observer.is_array_test(callee.path):
                    self.environment[name] = Array()

    def assertion(self, node: cst.Assert) -> None:
        """What is asserted holds behind it."""
        self.children_expressions(node)
        self.narrow(node.test, True)

    def _builtin_instance(self, classes: cst.BaseExpression, known: Type) -> Type:
        """What `isinstance(x, list)` says of x: its items are what they were taken for before."""
        options = [element.value for element in classes.elements] if isinstance(classes, cst.Tuple) else [classes]
        names = [option.value for option in options if isinstance(option, cst.Name)]
        if len(names) < len(options) or any(self.scope_lookup(name) or name in self.environment for name in names):
            return UNKNOWN
        if not set(names) <= {"list", "tuple"}:
            return _PLAIN_CLASSES.get(names[0], UNKNOWN) if len(names) == 1 else UNKNOWN
        return known if isinstance(known, (Sequence, Tuple, Shape)) else Sequence(item_type(known), names[0])

    def loop(self, node: cst.For | cst.While) -> None:
        iterated = self.iterated(self.evaluate(node.iter)) if isinstance(node, cst.For) else None
        for _ in range(2):
            before = dict(self.environment)
            if isinstance(node, cst.For):
                assert iterated is not None
                self.assign(node.target, item_type(iterated))
            else:
                self.evaluate(node.test)
            self.walk(node.body)
            self.reachable = True
            self.environment = join_environments([before, self.environment])
            if self.environment == before or not self._rebound(before):
                break
        if node.orelse is not None:
            self.walk(node.orelse.body)

    def _rebound(self, before: Environment) -> bool:
        """Whether a name that existed before the loop has another type now."""
        return any(self.environment.get(name) != value for name, value in before.items())

    def with_(self, node: cst.With) -> None:
        for item in node.items:
            value = self.evaluate(item.item)
            if item.asname is not None:
                self.assign(item.asname.name, value if not isinstance(value, Reference) else UNKNOWN)
        self.walk(node.body)

    def try_(self, node: cst.Try | cst.TryStar) -> None:
        def main() -> None:
            self.walk(node.body)
            if node.orelse is not None:
                self.walk(node.orelse.body)

        def handler(part: cst.ExceptHandler | cst.ExceptStarHandler) -> None:
            if part.name is not None and isinstance(part.name.name, cst.Name):
                self.environment[part.name.name.value] = Foreign("Exception")
            self.walk(part.body)

        alternatives: list[Callable[[], None]] = [main]
        alternatives += [lambda part=part: handler(part) for part in node.handlers]  # type: ignore[misc]
        self._branches(alternatives)
        if node.finalbody is not None:
            self.walk(node.finalbody.body)

    def match(self, node: cst.Match) -> None:
        self.evaluate(node.subject)
        self._branches([lambda case=case: self.walk(case.body) for case in node.cases] + [lambda: None])  # type: ignore[misc]

    def definition(self, node: cst.FunctionDef | cst.ClassDef) -> None:
        self.environment.pop(node.name.value, None)
        value = self.observer.analyze_definition(node, self)
        if value != UNKNOWN:
            self.environment[node.name.value] = value

    def result(self, is_generator: bool) -> Type:
        """The join of all that is returned."""
        if is_generator:
            return Sequence(UNKNOWN, "iterator")
        return join_all(self.returns) if self.returns else NONE


def join_environments(environments: list[Environment]) -> Environment:
    """What holds at a point that several paths reach. A name bound on one path only keeps that path's type."""
    first, *rest = environments
    result = dict(first)
    for environment in rest:
        for name, value in environment.items():
            result[name] = join(result[name], value) if name in result else value
    return result



_WALKERS: dict[type[cst.CSTNode], Callable[..., None]] = {
    cst.Expr: StatementWalker.expression_statement,
    cst.Assign: StatementWalker.assignment,
    cst.AnnAssign: StatementWalker.annotated,
    cst.AugAssign: StatementWalker.augmented,
    cst.Return: StatementWalker.return_,
    cst.Raise: StatementWalker.leave,
    cst.Break: StatementWalker.leave,
    cst.Continue: StatementWalker.leave,
    cst.Assert: StatementWalker.assertion,
    cst.Del: StatementWalker.delete,
    cst.Import: StatementWalker.import_,
    cst.ImportFrom: StatementWalker.import_,
    cst.If: StatementWalker.if_,
    cst.For: StatementWalker.loop,
    cst.While: StatementWalker.loop,
    cst.With: StatementWalker.with_,
    cst.Try: StatementWalker.try_,
    cst.TryStar: StatementWalker.try_,
    cst.Match: StatementWalker.match,
    cst.FunctionDef: StatementWalker.definition,
    cst.ClassDef: StatementWalker.definition,
}



def _key(node: cst.Subscript) -> object:
    """The key of `d["key"]` where it is written out."""
    index = node.slice[0].slice if len(node.slice) == 1 else None
    return literal(index.value) if isinstance(index, cst.Index) else None
