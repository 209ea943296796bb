"""The statements that compute a loss from a model, and what flows into and out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from ..rewriter.names import dotted
from ..rewriter.nodes import children, walk
from .name_flow import Fate, Place, effects, effects_of, fate, needed_after

#: Methods whose result carries no gradient.
_CUTTING = frozenset("detach item tolist numpy size dim numel".split())
_CUTTING_ATTRIBUTES = frozenset("data shape dtype device ndim grad".split())
_HOUSEKEEPING = frozenset("train eval zero_grad to cuda state_dict requires_grad_".split())


class RegionProblem(Exception):
    """Why no region can be cut out; the message is for the user."""


@dataclass(frozen=True)
class Region:
    """Statements of one block that compute a loss.

    places: the blocks around them; inside: indices of the statements that go into the loss function; before, after:
    indices of statements among them that move in front of it or behind it; carried: names whose value at the start is
    needed; results: names other than the loss that are needed afterwards; loss_needed: whether the loss itself is.
    """

    places: tuple[Place, ...]
    inside: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    carried: tuple[str, ...]
    results: tuple[str, ...]
    loss_needed: bool

    @property
    def statements(self) -> tuple[cst.CSTNode, ...]:
        """The statements of the loss function, in order."""
        block = self.places[-1].statements
        return tuple(block[index] for index in self.inside)


def carries_gradient(node: cst.CSTNode, units: Sequence[str], tainted: frozenset[str] | set[str]) -> bool:
    """Whether a value computed by `node` may depend on the parameters of `units` through what is differentiated."""
    match node:
        case cst.Call(func=cst.Attribute(value=receiver, attr=cst.Name(value=name))):
            if name in _CUTTING:
                return False
            if name in _HOUSEKEEPING and dotted(receiver) in units:
                return False
        case cst.Attribute(attr=cst.Name(value=name)):
            text = dotted(node)
            if text is not None and any(text == unit or text.startswith(f"{unit}.") for unit in units):
                return True
            if name in _CUTTING_ATTRIBUTES:
                return False
            return carries_gradient(node.value, units, tainted)
        case cst.Name(value=name):
            return name in tainted or name in units
        case cst.Arg():
            return carries_gradient(node.value, units, tainted)
        case cst.With() if is_no_grad(node):
            return False
        case cst.Assign():
            return carries_gradient(node.value, units, tainted)
    return any(carries_gradient(child, units, tainted) for child in children(node))


def is_no_grad(node: cst.With) -> bool:
    """`with torch.no_grad():`, under any name of torch."""
    names = ("no_grad", "inference_mode")
    for item in node.items:
        function = item.item.func if isinstance(item.item, cst.Call) else None
        name = function.attr.value if isinstance(function, cst.Attribute) else getattr(function, "value", "")
        if name in names:
            return True
    return False


def tainted_names(statements: Sequence[cst.CSTNode], units: Sequence[str]) -> set[str]:
    """The names that depend on the units after the statements have run."""
    tainted: set[str] = set()
    for statement in statements:
        found = effects(statement)
        if carries_gradient(statement, units, tainted):
            tainted |= found.binds | found.changes - set(units)
        else:
            tainted -= {name for name in found.binds if fate([statement], name) is Fate.REPLACED}
    return tainted - set(units)


def backward_slice(
    block: Sequence[cst.CSTNode], end: int, needed: frozenset[str], fixed: frozenset[str]
) -> tuple[list[int], frozenset[str]]:
    """Indices before `end` of the statements that `needed` depends on, and the names that they need from outside.

    fixed: names of modules and optimizers, whose methods do not count as changes.
    """
    chosen: list[int] = []
    needed = needed - fixed
    for index in range(end - 1, -1, -1):
        found = effects(block[index])
        touched = (found.binds | found.changes) - fixed
        if not touched & needed:
            continue
        chosen.append(index)
        replaced = {name for name in found.binds if fate([block[index]], name) is Fate.REPLACED}
        needed = (needed - replaced) | (found.reads - fixed)
    return chosen[::-1], needed


def find_region(
    places: tuple[Place, ...],
    loss: cst.BaseExpression,
    units: Sequence[str],
    fixed: frozenset[str],
    events: frozenset[cst.CSTNode],
) -> tuple[tuple[Place, ...], list[int]]:
    """The block in which the loss is computed, and the statements there from the first with a gradient.

    events: the lines of the function that concern gradients, which cannot go inside.
    Raises RegionProblem.
    """
    needed = effects(loss).reads
    for depth in range(len(places) - 1, -1, -1):
        place = places[depth]
        chosen, outside = backward_slice(place.statements, place.index, needed, fixed)
        chosen = [index for index in chosen if place.statements[index] not in events]
        tainted: set[str] = set()
        first: int | None = None
        for index in chosen:
            statement = place.statements[index]
            if carries_gradient(statement, units, tainted):
                first = index if first is None else first
                tainted |= effects(statement).binds | effects(statement).changes - set(units)
        innermost = depth == len(places) - 1
        if first is not None or (innermost and carries_gradient(loss, units, set())):
            _refuse_split_loss(places, depth, outside, units)
            kept = [index for index in chosen if first is not None and index >= first]
            return places[: depth + 1], _with_start_values(place, chosen, kept, tainted)
        if isinstance(place.owner, (cst.For, cst.While)):
            break
        needed = outside | (needed if not chosen else frozenset())
    raise RegionProblem(
        "the loss is not computed from the model in this function; compute it in the function that calls backward()"
    )


def _refuse_split_loss(places: tuple[Place, ...], depth: int, needed: frozenset[str], units: Sequence[str]) -> None:
    for outer in range(depth):
        before = places[outer].statements[: places[outer].index]
        common = sorted(tainted_names(before, units) & needed)
        loops = any(isinstance(place.owner, (cst.For, cst.While)) for place in places[outer + 1 : depth + 1])
        if common and not loops:
            raise RegionProblem(
                f"the loss depends on {', '.join(common)}, computed from the model outside this block; compute it here"
            )


def _with_start_values(place: Place, chosen: list[int], kept: list[int], tainted: set[str]) -> list[int]:
    """Add the plain initialisations directly before, such as `loss = 0`, of names that the statements go on with."""
    while kept:
        before = kept[0] - 1
        statements = [place.statements[index] for index in kept]
        if before not in chosen or not isinstance(place.statements[before], cst.SimpleStatementLine):
            break
        binds = effects(place.statements[before]).binds
        assigned = effects_of(statements).binds | effects_of(statements).changes
        if not (binds & assigned & tainted and all(fate(statements, name) is Fate.READ for name in binds)):
            break
        kept = [before, *kept]
    return kept


def arrange(
    places: tuple[Place, ...],
    chosen: list[int],
    loss_name: str | None,
    units: Sequence[str],
    events: frozenset[cst.CSTNode],
    defined: frozenset[str],
    backwards: frozenset[cst.CSTNode],
) -> Region:
    """Sort the statements between the first and the last chosen into inside, before and after, and find the flow.

    defined: names that have a value before the region; backwards: the lines that call backward().
    Raises RegionProblem.
    """
    place = places[-1]
    if not chosen:
        return Region(places, (), (), (), (), (), False)
    span = range(chosen[0], chosen[-1] + 1)
    inside = [index for index in span if index in chosen]
    after: list[int] = []
    for index in reversed([index for index in span if index not in chosen]):
        statement = place.statements[index]
        if statement in events:
            continue
        later = [place.statements[i] for i in inside if i > index]
        if _independent(statement, later) and not _leaves(statement):
            after.insert(0, index)
        else:
            _check_inside(statement, units)
            inside = sorted([*inside, index])
    before = _hoisted(places, inside, units)
    inside = [index for index in inside if index not in before]
    return _with_flow(places, inside, before, after, loss_name, units, defined, backwards)


def _hoisted(places: tuple[Place, ...], inside: list[int], units: Sequence[str]) -> list[int]:
    """Statements without a gradient whose results others need, such as `y = y.reshape(-1)`: they go in front."""
    place = places[-1]
    tainted: set[str] = set()
    before: list[int] = []
    for index in inside:
        statement = place.statements[index]
        found = effects(statement)
        if carries_gradient(statement, units, tainted):
            tainted |= found.binds | found.changes - set(units)
            continue
        earlier = [place.statements[i] for i in inside if i < index and i not in before]
        if (
            index != inside[0]
            and earlier
            and isinstance(statement, cst.SimpleStatementLine)
            and _independent(statement, earlier)
        ):
            flows = found.binds & found.reads or any(needed_after(places, name, inside[-1]) for name in found.binds)
            if flows and not found.reads & tainted:
                before.append(index)
    return before


def _independent(statement: cst.CSTNode, others: Sequence[cst.CSTNode]) -> bool:
    """Whether a statement can trade places with others."""
    own, theirs = effects(statement), effects_of(others)
    own_writes, their_writes = own.binds | own.changes, theirs.binds | theirs.changes
    return not (own_writes & (theirs.reads | their_writes) or own.reads & their_writes)


def _leaves(statement: cst.CSTNode) -> bool:
    """Whether a statement may leave the block: return, raise, continue or break of an outer loop."""
    return any(isinstance(node, (cst.Return, cst.Continue, cst.Break, cst.Yield)) for node in walk(statement))


def _check_inside(statement: cst.CSTNode, units: Sequence[str]) -> None:
    """Statements kept inside must not leave the function or store values outside."""
    for node in walk(statement):
        if isinstance(node, (cst.Return, cst.Yield, cst.Await)):
            raise RegionProblem("a return between the model's call and the loss; move it before the forward pass")


def _with_flow(
    places: tuple[Place, ...],
    inside: list[int],
    before: list[int],
    after: list[int],
    loss_name: str | None,
    units: Sequence[str],
    defined: frozenset[str],
    backwards: frozenset[cst.CSTNode],
) -> Region:
    place = places[-1]
    statements = [place.statements[index] for index in inside]
    for statement in statements:
        _check_jumps(statement)
    found = effects_of(statements)
    binds = found.binds - set(units)
    rest = [place.statements[i] for i in after]
    last = inside[-1]
    behind = [line for line in place.statements[last + 1 :] if line not in backwards]
    reordered = Place(place.owner, (*place.statements[: last + 1], *rest, *behind), place.index)
    needed = [name for name in _in_order(statements, binds) if needed_after((*places[:-1], reordered), name, last)]
    results = [name for name in needed if name != loss_name]
    _refuse_stores(statements, binds | set(units), defined)
    carried = []
    for name in _in_order(statements, binds):
        use = fate(statements, name)
        if use is Fate.READ or (use is Fate.KEPT and name in (*results, loss_name) and name in defined):
            carried.append(name)
    return Region(
        places, tuple(inside), tuple(before), tuple(after), tuple(carried), tuple(results), loss_name in needed
    )


def _check_jumps(statement: cst.CSTNode, loops: int = 0) -> None:
    """break and continue must belong to loops inside the region."""
    if isinstance(statement, (cst.Return, cst.Yield)) or (
        isinstance(statement, (cst.Break, cst.Continue)) and not loops
    ):
        raise RegionProblem(
            "return, break or continue between the model's call and the loss; move it in front of the forward pass or "
            "behind backward()"
        )
    if isinstance(statement, (cst.FunctionDef, cst.Lambda, cst.ClassDef)):
        return
    inner = loops + isinstance(statement, (cst.For, cst.While))
    for child in children(statement):
        _check_jumps(child, inner)


def _refuse_stores(
    statements: Sequence[cst.CSTNode], local: set[str] | frozenset[str], defined: frozenset[str]
) -> None:
    """A value stored in an object from outside would leave the function that is differentiated."""
    for statement in statements:
        for node in walk(statement):
            if isinstance(node, (cst.Assign, cst.AugAssign)):
                found = effects(node).changes - local
                if found:
                    raise RegionProblem(
                        f"{', '.join(sorted(found))} is changed while the loss is computed; keep the value in a local "
                        "variable and store it after backward()"
                    )
            elif (
                isinstance(node, cst.Expr)
                and isinstance(node.value, cst.Call)
                and isinstance(node.value.func, cst.Attribute)
            ):
                if node.value.func.attr.value in ("append", "extend", "add", "insert", "update", "setdefault"):
                    found = effects(node).changes - local
                    if found and not _plain_value(node.value):
                        raise RegionProblem(
                            f"{', '.join(sorted(found))} collects values while the loss is computed; collect them "
                            "after backward()"
                        )


def _plain_value(call: cst.Call) -> bool:
    """Whether all that is stored is read out of arrays: `losses.append(loss.item())`."""
    return all(
        isinstance(a.value, cst.Call)
        and isinstance(a.value.func, cst.Attribute)
        and a.value.func.attr.value in ("item", "tolist")
        for a in call.args
    )


def _in_order(statements: Sequence[cst.CSTNode], names: frozenset[str] | set[str]) -> list[str]:
    """Names in the order in which they first occur."""
    found: dict[str, None] = {}
    for statement in statements:
        for node in walk(statement):
            if isinstance(node, cst.Name) and node.value in names:
                found[node.value] = None
    return list(found)
