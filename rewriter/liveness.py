"""Which local names may still be read behind each statement of a function."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence

import libcst as cst

from .nodes import children, walk

Names = frozenset[str]
_NONE: Names = frozenset()
_SCOPES = (cst.FunctionDef, cst.ClassDef, cst.Lambda)


@functools.lru_cache(maxsize=4096)
def names_read(node: cst.CSTNode) -> Names:
    """The names that evaluating a node may read; attribute names and keywords are no names."""
    if isinstance(node, cst.Name):
        return frozenset({node.value})
    if isinstance(node, cst.Attribute):
        return names_read(node.value)
    if isinstance(node, cst.Arg):
        return names_read(node.value)
    if isinstance(node, cst.Param):
        return names_read(node.default) if node.default is not None else _NONE
    return _NONE.union(*map(names_read, children(node)))


def target_names(target: cst.CSTNode) -> Iterator[str]:
    """The plain names that assigning to a target binds."""
    if isinstance(target, cst.Name):
        yield target.value
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from target_names(element.value)
    elif isinstance(target, cst.StarredElement):
        yield from target_names(target.value)


def target_reads(target: cst.CSTNode) -> Names:
    """The names that assigning to a target reads: those of `x` and `i` in `x[i] = ...`."""
    if isinstance(target, cst.Name):
        return _NONE
    if isinstance(target, (cst.Tuple, cst.List)):
        return _NONE.union(*(target_reads(element.value) for element in target.elements))
    if isinstance(target, cst.StarredElement):
        return target_reads(target.value)
    return names_read(target)


def block_statements(suite: cst.CSTNode) -> Sequence[cst.CSTNode]:
    """The statements of a block, or of the block of an `else` or `finally`."""
    if isinstance(suite, (cst.Else, cst.Finally)):
        suite = suite.body
    return suite.body  # type: ignore[attr-defined, no-any-return]


def captured_names(body: cst.CSTNode) -> Names:
    """Names that functions defined inside a body may read whenever they are called."""
    found = _NONE
    for node in walk(body):
        if type(node) in _SCOPES and node is not body:
            found |= names_read(node.body)  # type: ignore[attr-defined]
        elif type(node) is cst.Global or type(node) is cst.Nonlocal:
            found |= {item.name.value for item in node.names}
    return found


class Liveness:
    """`after[statement]`: names that may be read once a statement is done. Statements are small statements, one by
    one, and compound statements, for which it is what their header leaves to be read.

    end: names that are still wanted when the body ends.
    """

    def __init__(self, body: Sequence[cst.CSTNode], end: Names = _NONE) -> None:
        self.after: dict[cst.CSTNode, Names] = {}
        self._breaks: list[Names] = []
        self._continues: list[Names] = []
        self._exceptional = _NONE
        self._end = end
        self._block(body, end)

    def _block(self, body: Iterable[cst.CSTNode], out: Names) -> Names:
        for node in reversed(list(body)):
            out = self._statement(node, out | self._exceptional)
        return out

    def _suite(self, suite: cst.CSTNode | None, out: Names) -> Names:
        return out if suite is None else self._block(block_statements(suite), out)

    def _statement(self, node: cst.CSTNode, out: Names) -> Names:
        if isinstance(node, cst.SimpleStatementLine):
            return self._block(node.body, out)
        if isinstance(node, cst.If):
            inside = self._suite(node.body, out) | self._orelse(node.orelse, out)
            return self._note(node, inside) | names_read(node.test)
        if isinstance(node, (cst.For, cst.While)):
            return self._loop(node, out)
        if isinstance(node, cst.With):
            return self._with(node, out)
        if isinstance(node, (cst.Try, cst.TryStar)):
            return self._try(node, out)
        if isinstance(node, cst.Match):
            inside = out.union(*(self._suite(case.body, out) | names_read(case.pattern) for case in node.cases))
            return self._note(node, inside) | names_read(node.subject)
        return self._small(node, out)

    def _note(self, node: cst.CSTNode, live: Names) -> Names:
        self.after[node] = self.after.get(node, _NONE) | live
        return live

    def _small(self, node: cst.CSTNode, out: Names) -> Names:
        if isinstance(node, (cst.Return, cst.Raise)):
            out = self._end | self._exceptional
        elif isinstance(node, cst.Break):
            out = self._breaks[-1] if self._breaks else out
        elif isinstance(node, cst.Continue):
            out = self._continues[-1] if self._continues else out
        self._note(node, out)
        if isinstance(node, cst.Assign):
            targets = [target.target for target in node.targets]
            bound = frozenset(name for target in targets for name in target_names(target))
            return (out - bound) | names_read(node.value) | _NONE.union(*map(target_reads, targets))
        if isinstance(node, cst.AnnAssign):
            if node.value is None:
                return out
            return (out - frozenset(target_names(node.target))) | names_read(node.value) | target_reads(node.target)
        if isinstance(node, cst.Del):
            return (out - frozenset(target_names(node.target))) | target_reads(node.target)
        if isinstance(node, cst.FunctionDef):
            outside = [*node.decorators, node.params]
            return (out - {node.name.value}).union(*map(names_read, outside))
        if isinstance(node, (cst.Import, cst.ImportFrom, cst.Global, cst.Nonlocal)):
            return out
        return out | names_read(node)

    def _orelse(self, node: cst.If | cst.Else | None, out: Names) -> Names:
        return self._statement(node, out) if isinstance(node, cst.If) else self._suite(node, out)

    def _loop(self, node: cst.For | cst.While, out: Names) -> Names:
        leave = self._suite(node.orelse, out)
        is_for = isinstance(node, cst.For)
        test = _NONE if is_for else names_read(node.test)  # type: ignore[union-attr]
        head = leave | test
        while True:
            self._breaks.append(out)
            self._continues.append(head)
            inside = self._suite(node.body, head)
            self._breaks.pop()
            self._continues.pop()
            self._note(node, inside | leave)
            if is_for:
                inside = (inside - frozenset(target_names(node.target))) | target_reads(node.target)  # type: ignore[union-attr]
            grown = head | inside
            if grown == head:
                break
            head = grown
        return head | names_read(node.iter) if is_for else head  # type: ignore[union-attr]

    def _with(self, node: cst.With, out: Names) -> Names:
        inside = self._note(node, self._suite(node.body, out))
        for item in reversed(node.items):
            if item.asname is not None:
                inside -= frozenset(target_names(item.asname.name))
            inside |= names_read(item.item)
        return inside

    def _try(self, node: cst.Try | cst.TryStar, out: Names) -> Names:
        final = self._suite(node.finalbody, out)
        outer = self._exceptional
        self._exceptional = outer | (final if node.finalbody is not None else _NONE)
        handlers = _NONE.union(*(self._suite(handler.body, final) for handler in node.handlers))
        rest = self._suite(node.orelse, final)
        self._exceptional |= handlers
        inside = self._suite(node.body, rest)
        self._exceptional = outer
        return self._note(node, inside | handlers)
