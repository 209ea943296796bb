"""Reads a whole training function: which gradients each step uses, and the statements that each loss is computed by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import libcst as cst

from ..rewriter.context import FileContext
from .custom_optimizers import OWN_OPTIMIZER
from .name_flow import Place, all_params, effects_of
from .optimizer_models import Scope, own_nodes
from .training_closures import Closures, always_true
from .training_events import EventReader, Found, Lines
from .training_gradient_loops import GradientLoopPlanning
from .training_plan import EVENT_NAMES, Change, Gradient, Prefix, TrainingPlan, free_name, loss_of
from .training_regions import Region, RegionProblem, arrange, carries_gradient, find_region, tainted_names


def plan_for(context: FileContext, scope: Scope) -> TrainingPlan | None:
    """The plan of a function, None if nothing in it concerns gradients."""
    reader = EventReader(context, scope)
    calls = reader.calls()
    if not calls:
        return None
    plan = TrainingPlan(calls, Lines(always_true(context, scope)))
    try:
        _Planner(context, reader, plan).run()
    except RegionProblem as problem:
        plan.refuse(str(problem))
    return plan


def linked_plans(context: FileContext, scope: Scope) -> dict[cst.FunctionDef | None, TrainingPlan | None]:
    """The plan of a function, and those of the closures that it hands to optimizers, or that it is: all or none."""
    linked = Closures.of(context).linked(scope.function) or [scope]
    plans = {each.function: plan_for(context, each) for each in linked}
    problem = next((plan.problem for plan in plans.values() if plan is not None and plan.problem), "")
    for use in Closures.of(context).uses:
        closure, outer = plans.get(use.closure.function), plans.get(use.scope.function)
        if closure is not None and outer is not None and closure.adds_to_entry and use.call not in outer.clean_steps:
            problem = problem or "the gradients of a closure add up over its calls; call zero_grad() in the closure"
    made = [plan for plan in plans.values() if plan is not None]
    several = any(change.several for plan in made for change in plan.changes.values())
    for plan in made:
        plan.several = several
        if problem:
            plan.refuse(problem)
    return plans


class _Planner(GradientLoopPlanning):
    """Fills the plan of one function."""

    def run(self) -> None:
        """Fill the plan.

        Raises RegionProblem.
        """
        backwards = [found for found in self.found if found.kind == "backward"]
        steps = [found for found in self.found if found.kind == "step"]
        self._resolve_closures()
        if not backwards and not (self.closure_units and not steps):
            raise RegionProblem("the gradients that this uses are computed in another function; call backward() here")
        self._resolve_units(backwards)
        self._resolve_loops(bool(steps))
        if not steps and any(self._steps_own_optimizer(node) for node in own_nodes(self.reader.body)):
            raise RegionProblem(f"the optimizer is the repository's own; {OWN_OPTIMIZER}")
        if backwards and not steps and not self.uses and not self.loops:
            raise RegionProblem(
                "no optimizer steps in this function; the gradients of this loss are used in another function or read "
                "from .grad, write them as values of nnx.grad"
            )
        events = self._events()
        self._follow(events)
        self._name_variables()
        for found in backwards:
            self._gradient(found)
        self._zeros()
        self._steps_and_clips()
        self._closure_lines()
        self._loop_lines()
        touched = {*self.plan.changes, *self.plan.regions, *self.plan.prefixes, *self.plan.inside, *self.plan.starts}
        self.plan.blocks = self.plan.lines.blocks_with(touched)

    def _gradient(self, found: Found) -> None:
        live = self._live(found)
        if not live:
            self.plan.changes[found.line] = Change("drop", found)
            return
        groups = tuple(dict.fromkeys(self.units[key] for key in live))
        units = [unit for group in groups for unit in group]
        if len(groups) > 1 and any(len(group) > 1 for group in groups):
            raise RegionProblem("several optimizers over several models each; call backward() once for each of them")
        loss = loss_of(found)
        lines = self.event_lines()
        places, chosen = find_region(found.places, loss, self._carriers(units), self._fixed(), lines)
        cut = self._cut(found, places, chosen, units)
        if cut is not None:
            self._gradient_of_suffix(found, loss, places, cut, live)
            return
        self._check_between(found, places, chosen, live)
        region = self._region(places, chosen, loss, units)
        missing = [
            unit for group in groups if len(group) > 1 for unit in group if not self._mentions(region, loss, unit)
        ]
        if missing:
            raise RegionProblem(
                f"the loss does not use {missing[0]}, which the optimizer steps; torch would leave it unchanged"
            )
        through_self = self._check_hidden_calls(region, loss, units)
        self._check_holders(region, loss, units)
        made = self._assembled(found, region, loss, groups, live, places)
        self._add(replace(made, through_self=through_self))

    def _region(
        self, places: tuple[Place, ...], chosen: Sequence[int], loss: cst.BaseExpression | None, units: Sequence[str]
    ) -> Region:
        lines = self.event_lines()
        backwards = frozenset(other.line for other in (*self.found, *self.summed) if other.kind == "backward")
        name = loss.value if isinstance(loss, cst.Name) else None
        return arrange(
            places, list(chosen), name, self._carriers(units), lines, self._defined_before(places, chosen), backwards
        )

    def _add(self, gradient: Gradient) -> None:
        """Enter a gradient into the plan."""
        found, region = gradient.found, gradient.region
        block = region.places[-1].statements
        anchor = block[region.inside[0]] if region.inside else found.line
        self._take(region, anchor)
        self.plan.regions[anchor] = gradient
        if found.line is not anchor:
            kind = "gather" if gradient.explicit else "drop"
            self.plan.changes[found.line] = Change(kind, found, variables=gradient.variables, gradient=gradient)

    def _take(self, region: Region, anchor: cst.CSTNode) -> None:
        if anchor in self.plan.regions or any(line in self.plan.inside for line in region.statements):
            raise RegionProblem("two backward() calls share statements; add the losses and call backward() once")
        block = region.places[-1].statements
        self.plan.inside |= {block[index] for index in (*region.inside, *region.before, *region.after)}

    def _cut(
        self, found: Found, places: tuple[Place, ...], chosen: Sequence[int], units: Sequence[str]
    ) -> tuple[list[int], list[int], list[str]] | None:
        """The statements before and after the last foreign step within the region, and the names that cross it."""
        block = places[-1].statements
        events = [
            other.places[-1].index for other in self.found
            if other.kind != "zero" and other.places[-1].statements is block
            and chosen and chosen[0] < other.places[-1].index < chosen[-1]
        ]  # fmt: skip
        if not events or len(units) != 1 or len(places) != len(found.places):
            return None
        suffix = [index for index in chosen if index > max(events)]
        prefix = [index for index in chosen if index < max(events)]
        first = tainted_names([block[index] for index in prefix], units)
        prefix = [index for index in prefix if effects_of([block[index]]).binds & first]
        behind = [block[index] for index in suffix]
        crossing = sorted(first & effects_of([*behind, loss_of(found)]).reads)
        if not crossing or any(carries_gradient(statement, units, set()) for statement in behind):
            return None
        return prefix, suffix, crossing

    def _gradient_of_suffix(
        self, found: Found, loss: cst.BaseExpression, places: tuple[Place, ...],
        cut: tuple[list[int], list[int], list[str]], live: list[str],
    ) -> None:  # fmt: skip
        prefix, suffix, crossing = cut
        unit = self.units[live[0]]
        taken = self._taken()
        first = self._region(places, prefix, None, unit)
        if set(first.results) != set(crossing):
            raise RegionProblem(
                "the forward pass is shared by two backward() calls with other steps between; compute it again for each"
            )
        if self._check_hidden_calls(first, cst.Name("None"), unit):
            raise RegionProblem(f"the forward pass of {unit[0]} inside a method; call the model here")
        self._check_holders(first, loss, unit)
        pullback = free_name(f"{crossing[0]}_vjp", taken)
        self._take(first, places[-1].statements[first.inside[0]])
        self.plan.prefixes[places[-1].statements[first.inside[0]]] = Prefix(first, unit[0], tuple(crossing), pullback)
        region = self._region(places, suffix, loss, crossing)
        self._check_between(found, places, suffix, live)
        made = self._assembled(found, region, loss, (tuple(crossing),), live, places)
        variables = (free_name(f"{crossing[0]}_grads", taken | set(self.variable.values())),)
        self._add(replace(made, variables=variables, pullback=pullback, final=self.variable[unit]))

    def _assembled(
        self, found: Found, region: Region, loss: cst.BaseExpression, groups: tuple[tuple[str, ...], ...],
        live: list[str], places: tuple[Place, ...],
    ) -> Gradient:  # fmt: skip
        adds = any(self.flow.sites(found.small, key) for key in live)
        deeper = len(places) < len(found.places)
        resets = any(
            other.kind == "zero" and set(self.events[other.small].optimizers) & set(live) and self._needs_reset(other)
            for other in self._between(found, places, region)
        )
        away = deeper and not all(
            places[-1].statements is found.places[-1].statements and places[-1].index > found.places[-1].index
            for places in (
                *(step.places for step in self.found if step.kind == "step" and step.subject in live),
                *(places for places, _ in self.returns),
                *(loop.places for loop, key in self.loops if key in live),
            )
        )  # fmt: skip
        units = {unit for group in groups for unit in group}
        others = tuple(
            root
            for root in self._roots([*region.statements, loss])
            if root not in units and root != "self" and self._may_train(root)
        )
        return Gradient(
            found, region, loss, groups, others, tuple(self.variable.get(group, "") for group in groups), adds,
            adds or resets or away)  # fmt: skip

    def _between(
        self, found: Found, places: tuple[Place, ...], region: Region | None, chosen: Sequence[int] = ()
    ) -> list[Found]:
        """The events that stand between the first statement of the region and the backward call."""
        block = places[-1].statements
        inside = region.inside if region is not None else chosen
        first = inside[0] if inside else places[-1].index
        last = places[-1].index
        result = []
        for other in self.found:
            if other is found:
                continue
            for place in other.places:
                if place.statements is block and first <= place.index <= last:
                    deeper_after = place.index == last and self._order(other) > self._order(found)
                    if not deeper_after:
                        result.append(other)
        return result

    def _check_between(self, found: Found, places: tuple[Place, ...], chosen: Sequence[int], live: list[str]) -> None:
        for other in self._between(found, places, None, chosen):
            concerned = set(self.events[other.small].optimizers)
            crosses = other.places[-1].statements is not places[-1].statements
            if other.kind == "zero" and not (crosses and self._needs_reset(other)):
                continue
            within = bool(chosen) and other.places[len(places) - 1].index <= chosen[-1]
            if within and other.kind == "backward" and not crosses:
                raise RegionProblem(
                    "the forward pass is shared by two backward() calls with other steps between; compute it again "
                    "for each"
                )
            if concerned & set(live) or (within and crosses):
                raise RegionProblem(
                    f"{EVENT_NAMES[other.kind]} stands between the forward pass and its backward(); "
                    "move it behind backward()"
                )

    def _defined_before(self, places: tuple[Place, ...], chosen: Sequence[int]) -> frozenset[str]:
        names: set[str] = set()
        if self.scope.function is not None:
            names |= {parameter.name.value for parameter in all_params(self.scope.function.params)}
        for place in places:
            end = chosen[0] if place is places[-1] and chosen else place.index
            names |= effects_of(place.statements[:end]).binds
            if isinstance(place.owner, cst.For):
                names |= effects_of([cst.Assign([cst.AssignTarget(place.owner.target)], cst.Name("None"))]).binds
        return frozenset(names)

    def _zeros(self) -> None:
        for found in self.found:
            if found.kind == "zero":
                variables = self._reset_variables(found)
                kind = "reset" if variables else "drop"
                self.plan.changes[found.line] = Change(kind, found, variables=tuple(variables))
        for key, group in self.units.items():
            if self._adds_to_nothing(key, "entry"):
                first = min((found for found in self.found), key=self._order)
                place = first.places[0]
                names = self.plan.starts.setdefault(place.statements[place.index], [])
                if self.variable[group] not in names:
                    names.append(self.variable[group])

    def _steps_and_clips(self) -> None:
        for found in self.found:
            if found.kind == "step":
                group = self.units[found.subject]
                if not self.flow.sites(found.small, found.subject):
                    raise RegionProblem(
                        f"{found.subject}.step() without gradients: no backward() reaches it in this function"
                    )
                guarded = self._is_guarded(found)
                self.plan.changes[found.line] = Change("update", found, group, (self.variable[group],), guarded=guarded)
            elif found.kind in ("norm", "value"):
                key = self.events[found.small].optimizers[0]
                if not self.flow.sites(found.small, key):
                    raise RegionProblem("clipping before backward() changes no gradient; move it behind backward()")
                group = self.units[key]
                self.plan.changes[found.line] = Change("clip", found, group, (self.variable[group],))
