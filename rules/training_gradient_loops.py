"""Loops over a model's parameters that use their gradients: `for p in model.parameters(): p.grad.clamp_(-1, 1)`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from .gradient_flow import Event
from .name_flow import Place
from .training_closure_plans import ClosurePlanning
from .training_plan import Change, GradientLoop, free_name
from .training_regions import RegionProblem

_CLEARING = frozenset(("zero_", "detach_"))


@dataclass(frozen=True)
class FoundLoop:
    """A loop over the parameters of one module. parameter: the name of each; clears: whether gradients end at zero."""

    line: cst.For
    places: tuple[Place, ...]
    unit: str
    parameter: str
    clearing: tuple[cst.CSTNode, ...]
    changes: tuple[cst.CSTNode, ...]
    reads: tuple[cst.Attribute, ...]


class GradientLoopPlanning(ClosurePlanning):
    """Adds such loops to what is known of gradients."""

    def _resolve_loops(self, has_steps: bool) -> None:
        self.loops: list[tuple[FoundLoop, str]] = []
        for places, line in self.placed:
            loop = self._loop(places, line) if isinstance(line, cst.For) else None
            if loop is None:
                continue
            keys = [key for key in self._keys() if self._all_units(key) == {loop.unit}]
            if not keys and not has_steps and not self.closure_units and not self.uses:
                self.units[loop.unit] = (loop.unit,)
                keys = [loop.unit]
            if len(keys) != 1 or keys[0] not in self.units:
                raise RegionProblem(
                    "a loop over gradients of other parameters than those that one optimizer steps; loop over the same"
                )
            if any(not _is_plain(statement) for statement in loop.changes):
                raise RegionProblem(
                    "what this loop does to gradients; write it with jax.tree.map over what nnx.grad gives"
                )
            others = {
                node for statement in loop.changes for node in walk(statement)
                if isinstance(node, cst.Name) and node.value == loop.parameter
            }  # fmt: skip
            if loop.changes and len(others) != len(_gradients(loop.changes, loop.parameter)):
                raise RegionProblem("gradients that are changed by their parameters; add to the loss, or use nnx.grad")
            if loop.changes and (loop.reads or loop.clearing or len(loop.changes) > 1):
                raise RegionProblem("a loop that changes gradients and uses them; write two loops")
            self.loops.append((loop, keys[0]))

    def _loop(self, places: tuple[Place, ...], line: cst.For) -> FoundLoop | None:
        match line.iter:
            case cst.Call(func=cst.Attribute(value=module, attr=cst.Name(value="parameters")), args=[]):
                target: cst.BaseExpression = line.target
            case cst.Call(func=cst.Attribute(value=module, attr=cst.Name(value="named_parameters")), args=[]):
                if not (isinstance(line.target, cst.Tuple) and len(line.target.elements) == 2):
                    return None
                target = line.target.elements[1].value
            case _:
                return None
        root = self.reader.models.module_root(self.scope.file, module, self.reader.known)
        mentions = _gradients([line.body], target.value) if isinstance(target, cst.Name) else []
        if not mentions or not isinstance(target, cst.Name):
            return None
        if root is None or root != dotted(module) or line.orelse is not None:
            raise RegionProblem(
                "a loop over gradients of a part of what the optimizer steps; loop over the whole model"
            )
        clearing: list[cst.CSTNode] = []
        changes: list[cst.CSTNode] = []
        for statement in _small_statements(line.body):
            held = _held(statement)
            if held is not None and any(held is node for node in mentions):
                (clearing if _clears(statement) else changes).append(statement)
        inside = {node for statement in (*clearing, *changes) for node in walk(statement)}
        reads = tuple(node for node in mentions if node not in inside)
        return FoundLoop(line, places, root, target.value, tuple(clearing), tuple(changes), self._asked(line, reads))

    def _asked(self, line: cst.For, reads: Sequence[cst.Attribute]) -> tuple[cst.Attribute, ...]:
        """The reads but for `if p.grad is not None`, which holds."""
        asking = {node for part in walk(line.body) if isinstance(part, cst.If) for node in walk(part.test)}
        return tuple(node for node in reads if node not in asking)

    def _events(self) -> dict[cst.CSTNode, Event]:
        events = super()._events()
        for loop, key in self.loops:
            events[loop.line] = Event("zero" if loop.clearing else "use", loop.line, (key,))
        return events

    def _takers(self, events: dict[cst.CSTNode, Event]) -> list[Event]:
        return [*super()._takers(events), *(events[loop.line] for loop, _ in self.loops)]

    def _loop_lines(self) -> None:
        for loop, key in self.loops:
            if not self.flow.sites(loop.line, key):
                raise RegionProblem("a loop over gradients that no backward() reaches in this function")
            if self.certain.may_be_empty(loop.line, key):
                raise RegionProblem("a loop over gradients that may not be there yet; move it behind backward()")
            if loop.clearing and self._adds_to_nothing(key, "clean"):
                raise RegionProblem("gradients are cleared in a loop and added to later; use zero_grad()")
            variable = self.variable[self.units[key]]
            name = free_name(f"{loop.parameter}_grad", self._taken())
            change = GradientLoop(loop.unit, loop.parameter, name, loop.clearing, loop.changes)
            self.plan.changes[loop.line] = Change("each", None, (loop.unit,), (variable,), loop=change)
            for node in _gradients([loop.line.body], loop.parameter):
                self.plan.held[node] = name
            self.plan.removed |= set(loop.clearing)


def _gradients(nodes: Sequence[cst.CSTNode], parameter: str) -> list[cst.Attribute]:
    """The `p.grad` within nodes."""
    return [
        part for node in nodes for part in walk(node)
        if isinstance(part, cst.Attribute) and part.attr.value == "grad" and dotted(part.value) == parameter
    ]  # fmt: skip


def _small_statements(body: cst.CSTNode) -> Iterator[cst.BaseSmallStatement]:
    for node in walk(body):
        if isinstance(node, cst.BaseSmallStatement):
            yield node


def _held(statement: cst.CSTNode) -> cst.CSTNode | None:
    """The `p.grad` that a statement changes."""
    match statement:
        case cst.Expr(value=cst.Call(func=cst.Attribute(value=array, attr=cst.Name(value=name)))) if name.endswith("_"):
            pass
        case cst.AugAssign(target=array):
            pass
        case cst.Assign(targets=[cst.AssignTarget(target=array)]):
            pass
        case _:
            return None
    if isinstance(array, cst.Attribute) and array.attr.value == "data":
        array = array.value
    return array


def _is_plain(statement: cst.CSTNode) -> bool:
    """Whether a change of a gradient is one that can be written as a function of it."""
    match statement:
        case cst.Expr(value=cst.Call(func=cst.Attribute(attr=cst.Name(value=name)))):
            return name in ("clamp_", "clip_", "mul_", "div_", "nan_to_num_", "sign_", "neg_")
        case cst.AugAssign(operator=operator):
            return isinstance(operator, (cst.AddAssign, cst.SubtractAssign, cst.MultiplyAssign, cst.DivideAssign))
        case cst.Assign(targets=[_]):
            return True
    return False


def _clears(statement: cst.CSTNode) -> bool:
    match statement:
        case cst.Expr(value=cst.Call(func=cst.Attribute(attr=cst.Name(value=name)))):
            return name in _CLEARING
        case cst.Assign(value=cst.Name(value="None")):
            return True
    return False
