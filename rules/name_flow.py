"""What statements do to local names: read, bind, change in place; and whether a value is still needed later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import libcst as cst

from ..rewriter.nodes import children

Statement = cst.BaseSmallStatement | cst.BaseCompoundStatement | cst.SimpleStatementLine


@dataclass(frozen=True)
class Effects:
    """Names that code reads, binds, and changes in place (`x.append(...)`, `x[0] = ...`, `x.a = ...`)."""

    reads: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()

    def union(self, other: Effects) -> Effects:
        """Both."""
        return Effects(self.reads | other.reads, self.binds | other.binds, self.changes | other.changes)


NOTHING = Effects()


def effects_of(nodes: Iterable[cst.CSTNode]) -> Effects:
    """The effects of several nodes."""
    result = NOTHING
    for node in nodes:
        result = result.union(effects(node))
    return result


def effects(node: cst.CSTNode) -> Effects:
    """The effects of running a statement or expression; those of a nested function are its free names."""
    match node:
        case cst.Name():
            return Effects(frozenset([node.value]))
        case cst.Attribute():
            return effects(node.value)
        case cst.Arg():
            return effects(node.value)
        case cst.Assign():
            return effects(node.value).union(effects_of_targets(target.target for target in node.targets))
        case cst.AnnAssign():
            value = effects(node.value) if node.value is not None else NOTHING
            return value.union(effects_of_targets([node.target])) if node.value is not None else value
        case cst.AugAssign():
            return effects(node.value).union(effects(node.target)).union(effects_of_targets([node.target]))
        case cst.NamedExpr():
            return effects(node.value).union(effects_of_targets([node.target]))
        case cst.For() | cst.CompFor():
            inner = [child for child in children(node) if child is not node.target]
            return effects_of(inner).union(effects_of_targets([node.target]))
        case cst.AsName():
            return effects_of_targets([node.name])
        case cst.Del():
            return effects(node.target).union(effects_of_targets([node.target]))
        case cst.Import() | cst.ImportFrom():
            return Effects(binds=frozenset(imported_names(node)))
        case cst.ListComp() | cst.SetComp() | cst.GeneratorExp() | cst.DictComp():
            inner_effects = effects_of(children(node))
            return Effects(inner_effects.reads - inner_effects.binds, changes=inner_effects.changes)
        case cst.FunctionDef() | cst.Lambda():
            return _function_effects(node)
        case cst.ClassDef():
            return Effects(effects_of(children(node)).reads, frozenset([node.name.value]))
        case cst.Global() | cst.Nonlocal():
            return Effects(changes=frozenset(item.name.value for item in node.names))
        case cst.Expr(value=cst.Call(func=cst.Attribute(value=receiver))):
            root = root_name(receiver)
            return effects_of(children(node)).union(Effects(changes=frozenset([root]) if root else frozenset()))
    return effects_of(children(node))


def _function_effects(node: cst.FunctionDef | cst.Lambda) -> Effects:
    inside = effects(node.body)
    parameters = parameter_names(node.params)
    defaults = effects_of(p.default for p in all_params(node.params) if p.default is not None)
    free = inside.reads - inside.binds - parameters
    if isinstance(node, cst.Lambda):
        return Effects(free | defaults.reads)
    decorators = effects_of(node.decorators)
    return Effects(free | defaults.reads | decorators.reads, frozenset([node.name.value]))


def effects_of_targets(targets: Iterable[cst.CSTNode]) -> Effects:
    """The effects of assigning to these targets."""
    result = NOTHING
    for target in targets:
        match target:
            case cst.Name():
                result = result.union(Effects(binds=frozenset([target.value])))
            case cst.Tuple() | cst.List():
                result = result.union(effects_of_targets(element.value for element in target.elements))
            case cst.StarredElement():
                result = result.union(effects_of_targets([target.value]))
            case _:
                root = root_name(target)
                changed = Effects(changes=frozenset([root]) if root else frozenset())
                result = result.union(effects(target)).union(changed)
    return result


def root_name(node: cst.CSTNode) -> str | None:
    """The name at the start of `a.b[0].c(...)`."""
    while isinstance(node, (cst.Attribute, cst.Subscript, cst.Call)):
        node = node.func if isinstance(node, cst.Call) else node.value
    return node.value if isinstance(node, cst.Name) else None


def all_params(node: cst.Parameters) -> list[cst.Param]:
    """Every parameter of a function."""
    stars = [p for p in (node.star_arg, node.star_kwarg) if isinstance(p, cst.Param)]
    return [*node.posonly_params, *node.params, *node.kwonly_params, *stars]


def parameter_names(node: cst.Parameters) -> frozenset[str]:
    """The names of every parameter."""
    return frozenset(parameter.name.value for parameter in all_params(node))


def imported_names(node: cst.Import | cst.ImportFrom) -> Iterator[str]:
    """The local names that an import binds."""
    if isinstance(node.names, cst.ImportStar):
        return
    for alias in node.names:
        if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
            yield alias.asname.name.value
        else:
            name = root_name(alias.name)
            if name is not None:
                yield name


class Fate(Enum):
    """What happens to a name's present value when statements run."""

    READ = "read"
    REPLACED = "replaced"
    KEPT = "kept"


def fate(statements: Sequence[cst.CSTNode], name: str, *, loops_run: bool = False) -> Fate:
    """What the first statements that touch `name` do with it; READ if any path reads it first.

    loops_run: whether loops may be taken to run at least once.
    """
    for statement in statements:
        found = _fate(statement, name, loops_run)
        if found is not Fate.KEPT:
            return found
    return Fate.KEPT


def _fate(node: cst.CSTNode, name: str, loops_run: bool) -> Fate:
    match node:
        case cst.SimpleStatementLine() | cst.IndentedBlock() | cst.SimpleStatementSuite() | cst.Else() | cst.Finally():
            body = node.body.body if isinstance(node, (cst.Else, cst.Finally)) else node.body
            return fate(list(body), name, loops_run=loops_run)
        case cst.If():
            return _branches(node, name, loops_run)
        case cst.For() | cst.While():
            return _loop(node, name, loops_run)
        case cst.With():
            items = effects_of(node.items)
            if name in items.reads:
                return Fate.READ
            return Fate.REPLACED if name in items.binds else _fate(node.body, name, loops_run)
        case cst.Assign() | cst.AnnAssign() | cst.AugAssign() | cst.Expr() | cst.FunctionDef() | cst.Import():
            pass
    found = effects(node)
    if name in found.reads or name in found.changes:
        return Fate.READ
    certain = not isinstance(node, (cst.Try, cst.TryStar, cst.Match))
    return Fate.REPLACED if name in found.binds and certain else Fate.KEPT


def _branches(node: cst.If, name: str, loops_run: bool) -> Fate:
    if name in effects(node.test).reads:
        return Fate.READ
    ends = [_fate(node.body, name, loops_run)]
    ends.append(_fate(node.orelse, name, loops_run) if node.orelse is not None else Fate.KEPT)
    if Fate.READ in ends:
        return Fate.READ
    return Fate.REPLACED if all(end is Fate.REPLACED for end in ends) else Fate.KEPT


def _loop(node: cst.For | cst.While, name: str, loops_run: bool) -> Fate:
    head = effects(node.iter if isinstance(node, cst.For) else node.test)
    if name in head.reads:
        return Fate.READ
    target = effects_of_targets([node.target]).binds if isinstance(node, cst.For) else frozenset()
    inside = Fate.REPLACED if name in target else _fate(node.body, name, loops_run)
    if inside is Fate.READ or (inside is Fate.REPLACED and loops_run):
        return inside
    if node.orelse is not None and _fate(node.orelse, name, loops_run) is Fate.READ:
        return Fate.READ
    return Fate.KEPT


@dataclass(frozen=True)
class Place:
    """A statement's place: the blocks around it, outermost first, each with the statements and the index within.

    owner: the statement whose block it is, or None for the function's own.
    """

    owner: cst.CSTNode | None
    statements: tuple[cst.CSTNode, ...]
    index: int


def needed_after(places: Sequence[Place], name: str, last: int) -> bool:
    """Whether the value of `name` may be read after statement `last` of the innermost block."""
    index = last
    for place in reversed(places):
        found = fate(place.statements[index + 1 :], name)
        if found is not Fate.KEPT:
            return found is Fate.READ
        if isinstance(place.owner, (cst.For, cst.While)):
            again = _loop(place.owner, name, False)
            if again is Fate.READ:
                return True
        outer = places[: places.index(place)]
        index = outer[-1].index if outer else 0
    return False
