"""Which modules the optimizers of one function step, and which statements and calls reach these modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import parenthesized
from ..rewriter.lattice import UNKNOWN, Instance
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import literal
from .custom_optimizers import is_own_optimizer
from .mixed_precision import operand
from .name_flow import all_params, effects_of
from .optimizer_models import OptimizerModels, own_nodes
from .training_events import EventReader, Found, placed_lines
from .training_holders import Holders
from .training_plan import EVENT_NAMES, Change, TrainingPlan, calls_inside_out, loss_of, statement_call, weight_of
from .training_regions import Region, RegionProblem, backward_slice, carries_gradient, is_no_grad, tainted_names


def _keeps_graph(found: Found) -> bool:
    """`loss.backward(retain_graph=True)` without weights of its own."""
    flags = {argument.keyword.value: literal(argument.value) for argument in found.call.args if argument.keyword is not None}
    return len(flags) == len(found.call.args) and flags.get("retain_graph") is True and weight_of(found) is None


def _adjoin(first: Found, second: Found) -> bool:
    """Whether what stands between two backward calls may as well stand before both."""
    place = first.places[-1]
    if second.places[-1].statements is not place.statements or weight_of(second) is not None:
        return False
    between = place.statements[place.index + 1 : second.places[-1].index]
    bound = effects_of(between)
    reads_gradients = any(
        isinstance(node, cst.Attribute) and node.attr.value == "grad" for statement in between for node in walk(statement)
    )
    return not reads_gradients and not (bound.binds | bound.changes) & effects_of([first.operand]).reads


def _term(node: cst.BaseExpression) -> cst.BaseExpression:
    """A loss as a part of a sum."""
    plain = isinstance(node, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)) or node.lpar
    added = isinstance(node, cst.BinaryOperation) and isinstance(node.operator, (cst.Add, cst.Multiply, cst.Divide))
    return node if plain or added else parenthesized(node)


class ModelUse:
    """The gradient calls of one function and the models behind its optimizers (`units`)."""

    def __init__(self, context: FileContext, reader: EventReader, plan: TrainingPlan) -> None:
        self.context, self.reader, self.plan = context, reader, plan
        self.scope = reader.scope
        self.placed = list(placed_lines(reader.body, plan.lines))
        self.summed: list[Found] = []
        self.found = self._collect()
        self.units: dict[str, tuple[str, ...]] = {}

    def _steps_own_optimizer(self, node: cst.CSTNode) -> bool:
        """`optimizer.step()` of a class of the repository."""
        return (
            isinstance(node, cst.Call)
            and isinstance(node.func, cst.Attribute)
            and node.func.attr.value == "step"
            and is_own_optimizer(self.context, self.context.type_of(node.func.value))
        )

    def _collect(self) -> list[Found]:
        by_small = {call: (kind, subject) for call, kind, subject in self.plan.calls}
        result = []
        for places, line in self.placed:
            if not isinstance(line, cst.SimpleStatementLine):
                continue
            call = statement_call(line.body[0])
            if call in by_small:
                kind, subject = by_small.pop(call)  # type: ignore[arg-type]
                concerned = operand(self.context.inference, call) if isinstance(call.func, cst.Attribute) else call.func  # type: ignore[union-attr,arg-type]
                result.append(Found(kind, call, subject, line, places, concerned))  # type: ignore[arg-type]
        for kind, _ in by_small.values():
            raise RegionProblem(f"{EVENT_NAMES[kind]} is called inside an expression; make it a statement of its own")
        return self._summed(result)

    def event_lines(self) -> frozenset[cst.CSTNode]:
        """The lines that concern gradients; they belong to no loss function."""
        return frozenset(found.line for found in (*self.found, *self.summed))

    def _summed(self, found: list[Found]) -> list[Found]:
        """`a.backward(retain_graph=True)` and then `b.backward()`: the gradients of `a + b`, at the second place."""
        result: list[Found] = []
        for one in found:
            before = result[-1] if result else None
            if before is not None and one.kind == before.kind == "backward" and _keeps_graph(before) and _adjoin(before, one):
                result.pop()
                self.plan.changes[before.line] = Change("drop", before)
                self.summed.append(before)
                one = replace(one, operand=cst.BinaryOperation(_term(before.operand), cst.Add(), _term(one.operand)))
            result.append(one)
        return result

    def _resolve_units(self, backwards: Sequence[Found]) -> None:
        models = OptimizerModels.of(self.context.inference)
        keys = list(dict.fromkeys(found.subject for found in self.found if found.kind == "step"))
        unknown = []
        for key in keys:
            units = models.units(self.scope, key) if key else None
            if units:
                self.units[key] = units
            else:
                unknown.append(key)
        if unknown:
            candidates = self._candidates(backwards)
            if not candidates:
                raise RegionProblem(
                    f"which model does {unknown[0] or 'the optimizer'} step? None is called in this function on the way "
                    "to its loss; compute the loss here, or build the optimizer where it is used"
                )
            if len(unknown) > 1 or self.units or len(candidates) != 1:
                names = ", ".join(candidates)
                raise RegionProblem(
                    f"which model does {unknown[0] or 'the optimizer'} step? Candidates here: {names}. Build the "
                    "optimizer where it is used, or pass it together with its model"
                )
            self.units[unknown[0]] = candidates
        self._refuse_self()

    def _refuse_self(self) -> None:
        if any(unit == "self" for units in self.units.values() for unit in units):
            raise RegionProblem(
                "a module that trains itself; move the training step to a function that takes the model"
            )

    def _candidates(self, backwards: Sequence[Found]) -> tuple[str, ...]:
        """The modules whose call the losses depend on, if no constructor of the optimizer is in sight.

        One that is given another's result, and is of no class of the repository, is taken for a loss.
        """
        found: dict[str, None] = {}
        for backward in backwards:
            tainted: set[str] = set()
            for statement in (*self._slice(backward), loss_of(backward)):
                if isinstance(statement, cst.With) and is_no_grad(statement):
                    continue
                for call in calls_inside_out(statement):
                    root = self._called_module(call)
                    if root is None:
                        continue
                    fed = any(carries_gradient(argument, list(found), tainted) for argument in call.args)
                    if found and root not in found and self._is_vague(call.func) and fed:
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
        if self.scope.function is None or self.context.type_of(call.func) != UNKNOWN:
            return None
        return name if name in {parameter.name.value for parameter in all_params(self.scope.function.params)} else None

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

    def _reaches(self, found: Found, units: Sequence[str]) -> bool:
        """Whether the loss of a backward call depends on the parameters of units."""
        loss = loss_of(found)
        carriers = self._carriers(units)
        return carries_gradient(loss, carriers, tainted_names(self._slice(found), carriers))

    def _carriers(self, units: Sequence[str]) -> list[str]:
        """Units, and the methods of the same object that reach them: `self.compute_loss` for `self.model`."""
        carriers = list(units)
        if self.scope.owner is not None:
            for method in self.scope.owner.body.body:
                name = f"self.{method.name.value}" if isinstance(method, cst.FunctionDef) else ""
                if (
                    name
                    and method is not self.scope.function
                    and any(unit.startswith("self.") and self._hides(name, unit, frozenset()) for unit in units)
                ):
                    carriers.append(name)
        return carriers

    def _slice(self, found: Found) -> list[cst.CSTNode]:
        """The statements of all enclosing blocks that the loss of a backward call depends on, in order."""
        needed = effects_of([loss_of(found)]).reads
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

    def _mentions(self, region: Region, loss: cst.BaseExpression, unit: str) -> bool:
        return any(carries_gradient(node, self._carriers([unit]), set()) for node in (*region.statements, loss))

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
                        f"{name} uses {unit} without receiving it as an argument, so no gradient "
                        "would reach it; pass the model"
                    )
                self._refuse_stores(name)
                through_self = True
        return through_self

    def _check_holders(self, region: Region, loss: cst.BaseExpression, units: Sequence[str]) -> None:
        """Raises RegionProblem where the loss reaches a model otherwise than by its name."""
        holders = Holders(self.reader.models, self.scope, units)
        found = holders.in_the_way((*region.statements, loss), self._functions)
        if found is not None:
            raise RegionProblem(
                f"{found} reaches {' or '.join(units)} by another way than its name, so no gradient would flow through "
                "it; compute the loss from the model itself"
            )

    def _refuse_stores(self, name: str, seen: frozenset[str] = frozenset()) -> None:
        """A method that runs on a copy of its object must not assign attributes."""
        for function in self._functions(name):
            for part in walk(function.body):
                if isinstance(part, (cst.AssignTarget, cst.AugAssign)) and (dotted(part.target) or "").startswith(
                    "self."
                ):
                    raise RegionProblem(
                        f"{name} sets {dotted(part.target)} while the loss is computed; return the value instead"
                    )
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
            return [
                n
                for n in self.scope.owner.body.body
                if isinstance(n, cst.FunctionDef) and f"self.{n.name.value}" == name
            ]
        if "." in name:
            return []
        found: list[cst.FunctionDef] = []
        for body in (self.reader.body, *(function.body for function in self.scope.enclosing), self.context.module):
            found += [n for n in own_nodes(body) if isinstance(n, cst.FunctionDef) and n.name.value == name]
        return found
