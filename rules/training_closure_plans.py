"""Plans of functions that are closures of optimizers, and of functions that hand closures to `optimizer.step`."""

from __future__ import annotations

import libcst as cst

from .gradient_flow import CLEAN, ENTRY, Event
from .name_flow import Place
from .optimizer_models import own_nodes
from .training_closures import Closures, evaluations, falls_through
from .training_events import Found
from .training_gradients import GradientUse
from .training_plan import Change, free_name
from .training_regions import RegionProblem


class ClosurePlanning(GradientUse):
    """Adds closures to what is known of gradients.

    `closure_units` are the models of optimizers that step with a closure; `uses` the steps that this function itself is
    the closure of; `returns` its lines that return a loss.
    """

    def _resolve_closures(self) -> None:
        closures = Closures.of(self.context)
        models = self.reader.models
        self.uses = closures.uses_of(self.scope.function) if self.scope.function is not None else []
        self.closure_units: dict[str, tuple[str, ...]] = {}
        self.returns: list[tuple[tuple[Place, ...], cst.SimpleStatementLine]] = []
        for found in self.found:
            if found.kind != "closure":
                continue
            use = closures.use_at(found.call)
            if use is None:
                raise RegionProblem(
                    f"the closure of {found.subject}.step() is not a function that is defined in this file"
                )
            if closures.other_use(use):
                raise RegionProblem(f"the closure of {found.subject}.step() is handed on elsewhere as well")
            units = models.units(use.scope, found.subject) or models.units(use.closure, found.subject)
            if not units:
                raise RegionProblem(
                    f"which model does {found.subject} step? Build the optimizer where it is used, or pass it together "
                    "with its model"
                )
            self.closure_units[found.subject] = units
        if self.uses:
            self._resolve_own()

    def _resolve_own(self) -> None:
        """This function is a closure: what its optimizer steps, and where it returns the loss."""
        if any(found.kind in ("step", "closure") for found in self.found):
            raise RegionProblem("a closure that steps an optimizer itself; only compute the loss and its gradients")
        models = self.reader.models
        known = {models.units(self.scope, use.optimizer) or models.units(use.scope, use.optimizer) for use in self.uses}
        units = known.pop() if len(known) == 1 else None
        if not units or "self" in units:
            raise RegionProblem("the optimizers that call this closure step other models, or models not in sight")
        self.units[self.uses[0].optimizer] = units
        assert self.scope.function is not None
        if falls_through(self.scope.function.body.body):
            raise RegionProblem("a closure that returns nothing; return the loss")
        for places, line in self.placed:
            if isinstance(line, cst.SimpleStatementLine) and isinstance(line.body[0], cst.Return):
                value = line.body[0].value
                if value is None or (isinstance(value, cst.Tuple) and not value.lpar):
                    raise RegionProblem("a closure that returns something else than the loss; return the loss alone")
                self.returns.append((places, line))

    def _keys(self) -> list[str]:
        return list(dict.fromkeys([*self.units, *self.closure_units]))

    def _all_units(self, key: str) -> frozenset[str]:
        return frozenset((*self.units.get(key, ()), *self.closure_units.get(key, ())))

    def _zeroed(self, found: Found) -> tuple[str, ...]:
        if any(use.optimizer == found.subject for use in self.uses):
            return tuple(self.units)
        if not self.closure_units:
            return super()._zeroed(found)
        cleared = self._all_units(found.subject) or {found.subject}
        return tuple(key for key in self._keys() if self._all_units(key) <= cleared)

    def _events(self) -> dict[cst.CSTNode, Event]:
        events = super()._events()
        for found in self.found:
            if found.kind == "closure":
                units = self._all_units(found.subject)
                sharing = tuple(key for key in self._keys() if self._all_units(key) & units)
                events[found.small] = Event("backward", found.small, sharing)
        for _, line in self.returns:
            events[line.body[0]] = Event("use", line.body[0], tuple(self.units))
        return events

    def _takers(self, events: dict[cst.CSTNode, Event]) -> list[Event]:
        return [*super()._takers(events), *(events[line.body[0]] for _, line in self.returns)]

    def _check_entry(self) -> None:
        closures = {found.small for found in self.found if found.kind == "closure"}
        for found in self.found:
            if found.kind in ("step", "norm", "value"):
                for key in self.events[found.small].optimizers:
                    if self.flow.sites(found.small, key) & closures:
                        raise RegionProblem(f"{key} uses gradients that a closure left; call zero_grad() before")
        if not self.uses:
            super()._check_entry()
            return
        self.plan.adds_to_entry = any(
            found.small in self.used[key] and ENTRY in self.flow.incoming.get(found.small, {}).get(key, frozenset())
            for found in self.found if found.kind == "backward" for key in self.units
        )  # fmt: skip
        for key in self.units:
            for _, line in self.returns:
                if self.certain.may_be_empty(line.body[0], key):
                    raise RegionProblem("backward() does not run on every way to this closure's return")

    def _closure_lines(self) -> None:
        """The changes of lines that step with a closure, and of those that return from one."""
        for key, units in self.units.items() if self.uses else ():
            for _, line in self.returns:
                self.plan.changes[line] = Change("hand_on", None, units, (self.variable[self.units[key]],))
        for found in self.found:
            if found.kind != "closure":
                continue
            assert isinstance(found.call.func, cst.Attribute)
            often = evaluations(self.context, found.call.func.value)
            if not often:
                raise RegionProblem(
                    f"whether {found.subject} evaluates its closure once or, as LBFGS, several times; annotate its class"
                )
            if isinstance(found.small, cst.Assign) and len(found.small.targets) > 1:
                raise RegionProblem("the loss of a step is assigned to several names; assign it to one")
            tokens = self.flow.incoming[found.small][found.subject]
            fresh = ENTRY not in tokens or self._is_new(found.subject)
            if often == "once" and fresh and tokens <= {CLEAN, ENTRY}:
                self.plan.clean_steps.add(found.call)
            units = self.closure_units[found.subject]
            wanted = "grads" if not self.variable else f"{found.subject.rpartition('.')[2]}_grads"
            name = free_name(wanted, self._taken() | set(self.variable.values()))
            self.plan.changes[found.line] = Change("evaluate", found, units, (name,), several=often == "several")

    def _is_new(self, optimizer: str) -> bool:
        """Whether the optimizer or its model is new in each call of the function, so that there are no gradients yet."""
        names = {optimizer, *self.closure_units[optimizer]}
        return any(
            isinstance(node, cst.Assign) and any(cst.Module([]).code_for_node(t.target) in names for t in node.targets)
            for node in own_nodes(self.reader.body)
        )
