"""Reads a whole training function: which gradients each step uses, and the statements that each loss is computed by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, Instance
from ..rewriter.names import dotted
from ..rewriter.nodes import children, walk
from ..rewriter.read import literal
from .gradient_flow import Event, GradientFlow, analyze
from .name_flow import Place, all_params, effects_of
from .optimizer_models import OptimizerModels, Scope, is_optimizer, own_nodes
from .training_events import EventReader, Found, Lines, placed_lines
from .training_regions import Region, RegionProblem, arrange, backward_slice, carries_gradient, find_region, is_no_grad, tainted_names


@dataclass(frozen=True)
class Gradient:
    """One computation of a loss and its gradients.

    models: the modules differentiated; others: modules that only have to pass through; variable: the names that hold
    the gradients, one for each group of models; adds: whether they are added to those before; explicit: whether a
    statement at the place of `backward()` is needed. Where the forward pass was run earlier (`Prefix`), the models are
    its results, and `pullback` turns their gradients into the ones called `final`. through_self: methods
    of `self` are called that reach the models.
    """

    found: Found
    region: Region
    loss: cst.BaseExpression
    groups: tuple[tuple[str, ...], ...]
    others: tuple[str, ...]
    variables: tuple[str, ...]
    adds: bool
    explicit: bool
    pullback: str = ""
    final: str = ""
    through_self: bool = False


@dataclass(frozen=True)
class Prefix:
    """The first part of a forward pass, which other steps separate from its loss; `results` are what the loss reads."""

    region: Region
    model: str
    results: tuple[str, ...]
    pullback: str


@dataclass(frozen=True)
class Change:
    """What becomes of one line: `drop`, `reset`, `gather`, `update`, `clip`."""

    kind: str
    found: Found
    models: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    gradient: Gradient | None = None
    guarded: bool = False


@dataclass
class TrainingPlan:
    """All that changes in one function. If `problem` is set, nothing does, and the calls are left with this reason."""

    calls: list[tuple[cst.Call, str, str]]
    lines: Lines
    problem: str = ""
    regions: dict[cst.CSTNode, Gradient] = field(default_factory=dict)
    prefixes: dict[cst.CSTNode, Prefix] = field(default_factory=dict)
    inside: set[cst.CSTNode] = field(default_factory=set)
    changes: dict[cst.CSTNode, Change] = field(default_factory=dict)
    starts: dict[cst.CSTNode, list[str]] = field(default_factory=dict)
    blocks: set[cst.CSTNode] = field(default_factory=set)
    reviews: dict[str, str] = field(default_factory=dict)


def plan_for(context: FileContext, scope: Scope) -> TrainingPlan | None:
    """The plan of a function, None if nothing in it concerns gradients."""
    reader = EventReader(context, scope)
    calls = reader.calls()
    if not calls:
        return None
    plan = TrainingPlan(calls, Lines())
    try:
        _Planner(context, reader, plan).run()
    except RegionProblem as problem:
        plan.problem = str(problem)
        plan.regions.clear()
        plan.prefixes.clear()
        plan.changes.clear()
        plan.blocks.clear()
    return plan


class _Planner:
    def __init__(self, context: FileContext, reader: EventReader, plan: TrainingPlan) -> None:
        self.context, self.reader, self.plan = context, reader, plan
        self.scope = reader.scope
        self.placed = list(placed_lines(reader.body, plan.lines))
        self.found = self._collect()
        self.units: dict[str, tuple[str, ...]] = {}
        self.flow = GradientFlow()

    def run(self) -> None:
        """Fill the plan.

        Raises RegionProblem.
        """
        backwards = [found for found in self.found if found.kind == "backward"]
        steps = [found for found in self.found if found.kind == "step"]
        if any(self._is_scaled(node) for node in own_nodes(self.reader.body)):
            raise RegionProblem("loss scaling for float16 training; train in bfloat16 or float32, where it is not needed")
        if not backwards:
            raise RegionProblem("the gradients that this uses are computed in another function; call backward() here")
        if not steps:
            raise RegionProblem(
                "no optimizer steps in this function; the gradients of this loss are used in another function or read "
                "from .grad, write them as values of nnx.grad"
            )
        self._resolve_units(backwards)
        events = self._events()
        self._follow(events)
        self._name_variables()
        for found in backwards:
            self._gradient(found)
        self._zeros()
        self._steps_and_clips()
        touched = {*self.plan.changes, *self.plan.regions, *self.plan.prefixes, *self.plan.inside, *self.plan.starts}
        self.plan.blocks = self.plan.lines.blocks_with(touched)

    def _is_scaled(self, node: cst.CSTNode) -> bool:
        """`scaler.step(optimizer)`: an optimizer stepped by something else."""
        if not (isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == "step"):
            return False
        return any(is_optimizer(self.context.type_of(a.value)) or "optim" in (dotted(a.value) or "") for a in node.args)

    # What happens where.

    def _collect(self) -> list[Found]:
        by_small = {call: (kind, subject) for call, kind, subject in self.plan.calls}
        result = []
        for places, line in self.placed:
            if not isinstance(line, cst.SimpleStatementLine):
                continue
            call = _statement_call(line.body[0])
            if call in by_small:
                kind, subject = by_small.pop(call)  # type: ignore[arg-type]
                result.append(Found(kind, call, subject, line, places))  # type: ignore[arg-type]
        for call, (kind, _) in by_small.items():
            raise RegionProblem(f"{_NAMES[kind]} is called inside an expression; make it a statement of its own")
        return result

    def _resolve_units(self, backwards: Sequence[Found]) -> None:
        models = OptimizerModels.of(self.context.inference)
        keys = list(dict.fromkeys(found.subject for found in self.found if found.kind == "step"))
        unknown = []
        for key in keys:
            if any(found.kind == "step" and found.subject == key and found.call.args for found in self.found):
                raise RegionProblem(f"{key}.step() with a closure; compute loss and gradients once for each step instead")
            units = models.units(self.scope, key) if key else None
            if units:
                self.units[key] = units
            else:
                unknown.append(key)
        if unknown:
            candidates = self._candidates(backwards)
            if len(unknown) > 1 or self.units or len(candidates) != 1:
                names = ", ".join(candidates) or "none"
                raise RegionProblem(
                    f"which model does {unknown[0] or 'the optimizer'} step? Candidates here: {names}. Build the optimizer "
                    "where it is used, or pass it together with its model"
                )
            self.units[unknown[0]] = candidates
        if any(unit == "self" for units in self.units.values() for unit in units):
            raise RegionProblem("a module that trains itself; move the training step to a function that takes the model")

    def _candidates(self, backwards: Sequence[Found]) -> tuple[str, ...]:
        """The modules whose call the losses depend on, if no constructor of the optimizer is in sight.

        One that is given another's result, and is of no class of the repository, is taken for a loss.
        """
        found: dict[str, None] = {}
        for backward in backwards:
            tainted: set[str] = set()
            for statement in (*self._slice(backward), _loss_of(backward)):
                if isinstance(statement, cst.With) and is_no_grad(statement):
                    continue
                for call in _calls_inside_out(statement):
                    root = self._called_module(call)
                    if root is None or (found and root not in found and self._is_vague(call.func)
                                        and any(carries_gradient(a, list(found), tainted) for a in call.args)):  # fmt: skip
                        continue
                    found[root] = None
                if carries_gradient(statement, list(found), tainted):
                    tainted |= effects_of([statement]).binds
        return tuple(found)

    def _called_module(self, call: cst.Call) -> str | None:
        """The module that a call runs or passes on; a called parameter of unknown type may be one."""
        models = self.reader.models
        for node in (call.func, *(argument.value for argument in call.args)):
            root = models.module_root(self.scope.file, node, self.reader.known)
            if root is not None and self._may_train(root):
                return root
        name = dotted(call.func) or ""
        if self.scope.function is not None and self.context.type_of(call.func) == UNKNOWN:
            if name in {parameter.name.value for parameter in all_params(self.scope.function.params)}:
                return name
        return None

    def _is_vague(self, node: cst.CSTNode) -> bool:
        value = self.context.type_of(node)
        return not (isinstance(value, Instance) and self.context.inference.class_definition(value.path) is not None)

    def _roots(self, nodes: Sequence[cst.CSTNode]) -> list[str]:
        """The modules that nodes mention."""
        found: dict[str, None] = {}
        for node in nodes:
            for part in walk(node):
                if isinstance(part, (cst.Name, cst.Attribute)):
                    root = self.reader.models.module_root(self.scope.file, part, self.reader.known)
                    if root is not None:
                        found[root] = None
        return list(found)

    def _may_train(self, name: str) -> bool:
        if name in self.reader.known:
            return True
        models = self.reader.models
        for node in own_nodes(self.reader.body):
            if isinstance(node, (cst.Name, cst.Attribute)) and dotted(node) == name:
                return models.holds_parameters(self.context.type_of(node))
        return False

    # Which gradients go where.

    def _events(self) -> dict[cst.CSTNode, Event]:
        events: dict[cst.CSTNode, Event] = {}
        for found in self.found:
            if found.kind == "backward":
                self._check_arguments(found)
                concerned = tuple(key for key, units in self.units.items() if self._reaches(found, units))
                if not concerned:
                    raise RegionProblem(
                        "the loss is not computed from the model of an optimizer in this function; compute it here"
                    )
                events[found.small] = Event("backward", found.small, concerned)
            elif found.kind == "zero":
                events[found.small] = Event("zero", found.small, self._zeroed(found))
            elif found.kind == "step":
                events[found.small] = Event("step", found.small, (found.subject,))
            else:
                events[found.small] = Event("use", found.small, self._clipped(found))
        return events

    def _check_arguments(self, found: Found) -> None:
        for argument in found.call.args:
            name = argument.keyword.value if argument.keyword is not None else ""
            if name == "retain_graph" or (name == "create_graph" and literal(argument.value) is False):
                continue
            raise RegionProblem(f"backward() with the argument {name or 'gradient'} is not expressed; use jax.vjp")

    def _reaches(self, found: Found, units: Sequence[str]) -> bool:
        """Whether the loss of a backward call depends on the parameters of units."""
        loss = _loss_of(found)
        carriers = self._carriers(units)
        return carries_gradient(loss, carriers, tainted_names(self._slice(found), carriers))

    def _carriers(self, units: Sequence[str]) -> list[str]:
        """Units, and the methods of the same object that reach them: `self.compute_loss` for `self.model`."""
        carriers = list(units)
        if self.scope.owner is not None:
            for method in self.scope.owner.body.body:
                name = f"self.{method.name.value}" if isinstance(method, cst.FunctionDef) else ""
                if name and method is not self.scope.function and any(
                    unit.startswith("self.") and self._hides(name, unit, frozenset()) for unit in units
                ):
                    carriers.append(name)
        return carriers

    def _slice(self, found: Found) -> list[cst.CSTNode]:
        """The statements of all enclosing blocks that the loss of a backward call depends on, in order."""
        needed = effects_of([_loss_of(found)]).reads
        statements: list[cst.CSTNode] = []
        for place in reversed(found.places):
            chosen, needed = backward_slice(place.statements, place.index, needed, self._fixed())
            statements = [*(place.statements[index] for index in chosen), *statements]
        return statements

    def _fixed(self) -> frozenset[str]:
        """Names of modules and optimizers of the function: calling their methods does not change a loss."""
        names = {key.partition(".")[0] for key in self.units}
        names |= {unit.partition(".")[0] for units in self.units.values() for unit in units}
        for part in own_nodes(self.reader.body):
            if isinstance(part, (cst.Name, cst.Attribute)):
                root = self.reader.models.module_root(self.scope.file, part, self.reader.known)
                if root is not None:
                    names.add(root.partition(".")[0])
        return frozenset(names)

    def _zeroed(self, found: Found) -> tuple[str, ...]:
        if found.subject in self.units:
            return (found.subject,)
        concerned = []
        for key, units in self.units.items():
            if found.subject in units:
                if len(units) > 1:
                    raise RegionProblem(f"{found.subject}.zero_grad() clears only part of what {key} steps; use {key}.zero_grad()")
                concerned.append(key)
        return tuple(concerned)

    def _clipped(self, found: Found) -> tuple[str, ...]:
        """The optimizers whose gradients are clipped: those with exactly these models."""
        models = self.reader.models
        first = found.call.args[0].value if found.call.args else found.call
        units = set(models.units_of(self.scope, first))
        keys = [key for key, own in self.units.items() if set(own) == units]
        if not keys and len(self.units) == 1 and "param_groups" in cst.Module([]).code_for_node(first):
            keys = list(self.units)
        if not keys:
            raise RegionProblem("clipping concerns other parameters than those that one optimizer steps; clip them together")
        return tuple(keys)

    def _follow(self, events: dict[cst.CSTNode, Event]) -> None:
        body = list(self.reader.body.body)  # type: ignore[attr-defined]
        self.flow = analyze(body, events, list(self.units))
        self.certain = analyze(body, events, list(self.units), loops_run=True)
        self.events = events
        self.used: dict[str, set[object]] = {key: set() for key in self.units}
        for found in self.found:
            if found.kind in ("step", "norm", "value"):
                for key in events[found.small].optimizers:
                    self.used[key] |= self.flow.sites(found.small, key)
        self._check_entry()

    def _check_entry(self) -> None:
        """Gradients left over from an earlier call of the function must not be added to."""
        for key in self.units:
            left = any(state.get(key, frozenset()) - {"clean", "entry"} for state in self.flow.exits)
            added = any(
                "entry" in self.flow.incoming.get(found.small, {}).get(key, frozenset())
                and found.small in self.used[key]
                for found in self.found if found.kind == "backward"
            )  # fmt: skip
            if not (left and added and self.scope.function is not None) or self._is_built_here(key):
                continue
            if any(found.kind == "zero" and key in self.events[found.small].optimizers for found in self.found):
                self.plan.reviews[key] = (
                    "gradients of a last, incomplete group of batches are dropped when this function ends; torch would "
                    "add them to those of the next call"
                )
            else:
                raise RegionProblem(
                    f"no {key}.zero_grad() before backward(): the gradients add up over the calls of this function; clear them"
                )

    def _is_built_here(self, key: str) -> bool:
        """Whether the model or the optimizer is new in each call of the function."""
        for node in own_nodes(self.reader.body):
            if isinstance(node, cst.Assign) and any(dotted(t.target) in (*self.units[key], key) for t in node.targets):
                return "." not in key
        return False

    def _live(self, found: Found) -> list[str]:
        return [key for key in self.events[found.small].optimizers if found.small in self.used[key]]

    # Names of the gradients.

    def _name_variables(self) -> None:
        """One variable for each set of models that is differentiated: `grads`, or `generator_grads` and so on."""
        groups = list(dict.fromkeys(self.units.values()))
        flat = [unit for group in groups for unit in group]
        if len(set(flat)) != len(flat):
            raise RegionProblem("several optimizers share a part of their models; build one optimizer for all of them")
        taken = self._taken()
        self.variable: dict[tuple[str, ...], str] = {}
        for group in groups:
            if len(groups) == 1:
                wanted = "grads"
            else:
                key = next(key for key, units in self.units.items() if units == group)
                stem = group[0].rpartition(".")[2].strip("_") if len(group) == 1 else key.rpartition(".")[2]
                wanted = f"{stem}_grads"
            self.variable[group] = free_name(wanted, taken)
            taken.add(self.variable[group])

    def _taken(self) -> set[str]:
        return {node.value for node in walk(self.reader.body) if isinstance(node, cst.Name)}

    # Losses.

    def _gradient(self, found: Found) -> None:
        live = self._live(found)
        if not live:
            self.plan.changes[found.line] = Change("drop", found)
            return
        groups = tuple(dict.fromkeys(self.units[key] for key in live))
        units = [unit for group in groups for unit in group]
        if len(groups) > 1 and any(len(group) > 1 for group in groups):
            raise RegionProblem("several optimizers over several models each; call backward() once for each of them")
        loss = _loss_of(found)
        lines = frozenset(other.line for other in self.found)
        places, chosen = find_region(found.places, loss, self._carriers(units), self._fixed(), lines)
        cut = self._cut(found, places, chosen, units)
        if cut is not None:
            self._gradient_of_suffix(found, loss, places, cut, live)
            return
        self._check_between(found, places, chosen, live)
        region = self._region(places, chosen, loss, units)
        missing = [unit for group in groups if len(group) > 1 for unit in group if not self._mentions(region, loss, unit)]
        if missing:
            raise RegionProblem(f"the loss does not use {missing[0]}, which the optimizer steps; torch would leave it unchanged")
        through_self = self._check_hidden_calls(region, loss, units)
        made = self._assembled(found, region, loss, groups, live, places)
        self._add(replace(made, through_self=through_self))

    def _region(
        self, places: tuple[Place, ...], chosen: Sequence[int], loss: cst.BaseExpression | None, units: Sequence[str]
    ) -> Region:
        lines = frozenset(other.line for other in self.found)
        backwards = frozenset(other.line for other in self.found if other.kind == "backward")
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

    # A forward pass that other steps separate from its loss.

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
        crossing = sorted(first & effects_of([*behind, _loss_of(found)]).reads)
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
            step.places[-1].statements is found.places[-1].statements and step.places[-1].index > found.places[-1].index
            for step in self.found if step.kind == "step" and step.subject in live
        )  # fmt: skip
        units = {unit for group in groups for unit in group}
        others = tuple(
            root for root in self._roots([*region.statements, loss])
            if root not in units and root != "self" and self._may_train(root)
        )
        return Gradient(
            found, region, loss, groups, others, tuple(self.variable.get(group, "") for group in groups), adds,
            adds or resets or away)  # fmt: skip

    def _between(self, found: Found, places: tuple[Place, ...], region: Region | None, chosen: Sequence[int] = ()) -> list[Found]:
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

    def _order(self, found: Found) -> int:
        return next(index for index, (_, line) in enumerate(self.placed) if line is found.line)

    def _check_between(self, found: Found, places: tuple[Place, ...], chosen: Sequence[int], live: list[str]) -> None:
        for other in self._between(found, places, None, chosen):
            concerned = set(self.events[other.small].optimizers)
            crosses = other.places[-1].statements is not places[-1].statements
            if other.kind == "zero" and not (crosses and self._needs_reset(other)):
                continue
            within = bool(chosen) and other.places[len(places) - 1].index <= chosen[-1]
            if within and other.kind == "backward" and not crosses:
                raise RegionProblem(
                    "the forward pass is shared by two backward() calls with other steps between; compute it again for each"
                )
            if concerned & set(live) or (within and crosses):
                raise RegionProblem(
                    f"{_NAMES[other.kind]} stands between the forward pass and its backward(); move it behind backward()"
                )

    def _mentions(self, region: Region, loss: cst.BaseExpression, unit: str) -> bool:
        return any(carries_gradient(node, self._carriers([unit]), set()) for node in (*region.statements, loss))

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

    def _check_hidden_calls(self, region: Region, loss: cst.BaseExpression, units: Sequence[str]) -> bool:
        """Whether methods of the same object reach the model, so that they need one that holds the loss function's.

        Other functions must receive the model; one that reaches it otherwise would see no gradient.
        Raises RegionProblem.
        """
        local = effects_of(region.statements).binds
        through_self = False
        for node in (part for statement in (*region.statements, loss) for part in walk(statement)):
            name = dotted(node.func) or "" if isinstance(node, cst.Call) else ""
            for unit in units:
                if not name or not self._hides(name, unit, local):
                    continue
                if not (name.startswith("self.") and unit.startswith("self.")):
                    raise RegionProblem(
                        f"{name} uses {unit} without receiving it as an argument, so no gradient would reach it; pass the model"
                    )
                self._refuse_stores(name)
                through_self = True
        return through_self

    def _refuse_stores(self, name: str, seen: frozenset[str] = frozenset()) -> None:
        """A method that runs on a copy of its object must not assign attributes."""
        for function in self._functions(name):
            for part in walk(function.body):
                if isinstance(part, (cst.AssignTarget, cst.AugAssign)) and (dotted(part.target) or "").startswith("self."):
                    raise RegionProblem(f"{name} sets {dotted(part.target)} while the loss is computed; return the value instead")
                inner = dotted(part.func) or "" if isinstance(part, cst.Call) else ""
                if inner.startswith("self.") and inner not in seen:
                    self._refuse_stores(inner, seen | {inner})

    def _hides(self, name: str, unit: str, local: frozenset[str], seen: frozenset[str] = frozenset()) -> bool:
        """Whether a function of this file reaches a unit otherwise than through its parameters."""
        if name in seen or not name or name in local:
            return False
        for function in self._functions(name):
            parameters = {parameter.name.value for parameter in all_params(function.params)}
            if unit.partition(".")[0] in parameters and not unit.startswith("self."):
                continue
            for part in walk(function.body):
                if isinstance(part, (cst.Name, cst.Attribute)):
                    text = dotted(part)
                    if text is not None and (text == unit or text.startswith(f"{unit}.")):
                        return True
                if isinstance(part, cst.Call) and self._hides(dotted(part.func) or "", unit, local, seen | {name}):
                    return True
        return False

    def _functions(self, name: str) -> list[cst.FunctionDef]:
        """The functions of this file that a call of `name` may run."""
        if name.startswith("self.") and self.scope.owner is not None:
            body = self.scope.owner.body.body
            return [n for n in body if isinstance(n, cst.FunctionDef) and f"self.{n.name.value}" == name]
        if "." in name:
            return []
        found: list[cst.FunctionDef] = []
        for body in (self.reader.body, *(function.body for function in self.scope.enclosing), self.context.module):
            found += [n for n in own_nodes(body) if isinstance(n, cst.FunctionDef) and n.name.value == name]
        return found

    # Clearing, clipping, stepping.

    def _needs_reset(self, found: Found) -> bool:
        """Whether a later backward call adds to what this one clears, so that there must be something to add to."""
        return bool(self._reset_variables(found))

    def _reset_variables(self, found: Found) -> list[str]:
        keys = [key for key in self.events[found.small].optimizers if self._adds_to_nothing(key, "clean")]
        return list(dict.fromkeys(self.variable[self.units[key]] for key in keys))

    def _adds_to_nothing(self, key: str, token: str) -> bool:
        for other in self.found:
            tokens = self.flow.incoming.get(other.small, {}).get(key, frozenset())
            if other.kind == "backward" and other.small in self.used[key]:
                if token in tokens and self.flow.sites(other.small, key):
                    return True
            elif other.kind == "step" and other.subject == key and token in tokens and self._is_guarded(other):
                return True
        return False

    def _is_guarded(self, found: Found) -> bool:
        """Whether a step may be reached without any gradient, even if every loop runs."""
        key = found.subject
        return self.certain.may_be_empty(found.small, key) and bool(self.certain.sites(found.small, key))

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
                    raise RegionProblem(f"{found.subject}.step() without gradients: no backward() reaches it in this function")
                guarded = self._is_guarded(found)
                self.plan.changes[found.line] = Change("update", found, group, (self.variable[group],), guarded=guarded)
            elif found.kind in ("norm", "value"):
                key = self.events[found.small].optimizers[0]
                if not self.flow.sites(found.small, key):
                    raise RegionProblem("clipping before backward() changes no gradient; move it behind backward()")
                group = self.units[key]
                self.plan.changes[found.line] = Change("clip", found, group, (self.variable[group],))


_NAMES = {
    "backward": "backward()", "zero": "zero_grad()", "step": "the optimizer's step()", "norm": "clip_grad_norm_",
    "value": "clip_grad_value_",
}  # fmt: skip


def _statement_call(node: cst.CSTNode) -> cst.Call | None:
    """The call that a statement consists of, or whose result it assigns."""
    if isinstance(node, (cst.Expr, cst.Assign, cst.AnnAssign)) and isinstance(node.value, cst.Call):
        return node.value
    return None


def _loss_of(found: Found) -> cst.BaseExpression:
    assert isinstance(found.call.func, cst.Attribute)
    return found.call.func.value


def _calls_inside_out(node: cst.CSTNode) -> list[cst.Call]:
    """All calls, those in arguments before those that they are arguments of."""
    found = [call for child in children(node) for call in _calls_inside_out(child)]
    return [*found, node] if isinstance(node, cst.Call) else found


def free_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, or with underscores behind where the name is taken."""
    while wanted in taken:
        wanted += "_"
    return wanted
