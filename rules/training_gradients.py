"""Which gradients each optimizer step uses, and where they are cleared, added and clipped."""

from __future__ import annotations

import libcst as cst

from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import literal
from .gradient_flow import Event, analyze
from .optimizer_models import own_nodes
from .training_events import Found
from .training_models import ModelUse
from .training_plan import free_name
from .training_regions import RegionProblem


class GradientUse(ModelUse):
    """`flow` says which backward calls reach which lines; `used` which of them any step takes its gradients from."""

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
            elif found.kind in ("norm", "value"):
                events[found.small] = Event("use", found.small, self._clipped(found))
        return events

    def _check_arguments(self, found: Found) -> None:
        if any(isinstance(node, cst.NamedExpr) for node in walk(found.call.func)):
            raise RegionProblem("the loss is given its name inside backward(); give it one on a line of its own")
        for argument in found.call.args:
            name = argument.keyword.value if argument.keyword is not None else ""
            if name in ("retain_graph", "gradient", "") or (name == "create_graph" and literal(argument.value) is False):
                continue
            raise RegionProblem(f"backward() with the argument {name} is not expressed; use jax.vjp")
        if len([argument for argument in found.call.args if argument.keyword is None]) > 1:
            raise RegionProblem("backward() with several arguments by position; name them")

    def _zeroed(self, found: Found) -> tuple[str, ...]:
        if found.subject in self.units:
            return (found.subject,)
        concerned = []
        for key, units in self.units.items():
            if found.subject in units:
                if len(units) > 1:
                    raise RegionProblem(
                        f"{found.subject}.zero_grad() clears only part of what {key} steps; use {key}.zero_grad()"
                    )
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
            raise RegionProblem(
                "clipping concerns other parameters than those that one optimizer steps; clip them together"
            )
        return tuple(keys)

    def _follow(self, events: dict[cst.CSTNode, Event]) -> None:
        body = list(self.reader.body.body)  # type: ignore[attr-defined]
        opened = self.plan.lines.opened
        self.flow = analyze(body, events, self._keys(), opened=opened)
        self.certain = analyze(body, events, self._keys(), opened=opened, loops_run=True)
        self.events = events
        self.used: dict[str, set[object]] = {key: set() for key in self._keys()}
        for event in self._takers(events):
            for key in event.optimizers:
                self.used[key] |= self.flow.sites(event.node, key)
        self._check_entry()

    def _keys(self) -> list[str]:
        """The optimizers whose gradients are followed."""
        return list(self.units)

    def _takers(self, events: dict[cst.CSTNode, Event]) -> list[Event]:
        """The events that take gradients for something."""
        return [events[found.small] for found in self.found if found.kind in ("step", "norm", "value")]

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
                    f"no {key}.zero_grad() before backward(): the gradients "
                    "add up over the calls of this function; clear them"
                )

    def _is_built_here(self, key: str) -> bool:
        """Whether the model or the optimizer is new in each call of the function."""
        for node in own_nodes(self.reader.body):
            if isinstance(node, cst.Assign) and any(dotted(t.target) in (*self.units[key], key) for t in node.targets):
                return "." not in key
        return False

    def _live(self, found: Found) -> list[str]:
        return [key for key in self.events[found.small].optimizers if found.small in self.used[key]]

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

    def _order(self, found: Found) -> int:
        return next(index for index, (_, line) in enumerate(self.placed) if line is found.line)

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
