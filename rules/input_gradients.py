"""Gradients with respect to values inside a function: `torch.autograd.grad(y, x)`, and `y.backward()` with `x.grad`.

torch remembers how `y` was computed; for JAX the statements between `x` and `y` become a function of `x`. This half
finds them, block by block: a contiguous run of statements, which may hold other such runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, Array
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import literal
from .input_gradient_lines import blocks, cleared, clears_module, is_mark, last_binding, parts, picks_one, text
from .input_gradient_plans import Derivative, FunctionPlan, NoDerivative, Take
from .name_flow import Fate, Place, all_params, effects, fate, needed_after, parameter_names
from .optimizer_models import OptimizerModels, Scope, own_nodes
from .places import surroundings
from .rngs import rngs_source
from .seeding import needs_randomness
from .training_holders import Holders

GRAD = "torch.autograd.grad"
_OPTIONS = (
    "outputs", "inputs", "grad_outputs", "retain_graph", "create_graph", "only_inputs", "allow_unused",
    "is_grads_batched", "materialize_grads",
)  # fmt: skip
_WHY = "it differentiates values that exist already; write the function and use jax.grad"


def plan_of(context: FileContext) -> FunctionPlan | None:
    """The plan of the function being rewritten; None at the top level of a file, or where the file takes no gradients."""
    function = context.enclosing(cst.FunctionDef)
    if "takes_gradients" not in context.state:
        names = context.inference.nodes(context.scope.file).of(cst.Name)
        context.state["takes_gradients"] = any(name.value in ("grad", "backward") for name in names)
    if function is None or not context.state["takes_gradients"]:
        return None
    plans: dict[cst.CSTNode, FunctionPlan] = context.state.setdefault("input_gradients", {})
    if function not in plans:
        plans[function] = _Planner(context, function).plan
    return plans[function]


class _Planner:
    """Makes the plan of one function."""

    def __init__(self, context: FileContext, function: cst.FunctionDef) -> None:
        self.context = context
        self.plan = FunctionPlan()
        self.taken: set[str] = set()
        self.function = function
        calls = [node for node in own_nodes(function.body) if type(node) is cst.Call]
        if not any(self._is_grad(call) or self._is_backward(call) for call in calls):
            return
        self.taken = {node.value for node in walk(function) if type(node) is cst.Name}
        self._block(function.body, ())

    def _is_grad(self, call: cst.Call) -> bool:
        return self.context.direct_path(call.func) == GRAD

    def _is_backward(self, call: cst.Call) -> bool:
        return isinstance(call.func, cst.Attribute) and call.func.attr.value == "backward"

    def _block(self, block: Any, outer: tuple[Place, ...]) -> None:
        """Plan a block and all blocks inside."""
        lines = tuple(block.body)
        owner = outer[-1].statements[outer[-1].index] if outer else None
        if isinstance(block, cst.IndentedBlock):
            self._lines(block, lines, outer, owner)
        for index, line in enumerate(lines):
            for inner in blocks(line):
                self._block(inner, (*outer, Place(owner, lines, index)))

    def _lines(self, block: Any, lines: Sequence[Any], outer: tuple[Place, ...], owner: Any) -> None:
        takes: list[Take] = []
        for index, line in enumerate(lines):
            if not isinstance(line, cst.SimpleStatementLine):
                continue
            repeated = {n for part in own_nodes(line) if isinstance(part, cst.BaseComp) for n in own_nodes(part)}
            for call in (node for node in (line, *own_nodes(line)) if isinstance(node, cst.Call)):
                try:
                    if self._is_grad(call) and call in repeated:
                        raise NoDerivative("a gradient inside a comprehension; write a loop, or jax.jacrev of a function")
                    if self._is_grad(call):
                        takes.append(self._grad(call, index, line))
                    elif self._is_backward(call):
                        takes += self._backward(call, index, lines, outer)
                except NoDerivative as problem:
                    self.plan.problems[call] = str(problem)
        try:
            derivatives = self._nested(self._merged(takes, lines, outer))
            for one in derivatives:
                self._flow(one, derivatives, lines, outer, owner)
        except NoDerivative as problem:
            self.plan.problems.update(dict.fromkeys((take.call for take in takes), str(problem)))
            return
        if derivatives:
            self.plan.blocks[block] = derivatives
            self.plan.marked |= {name for one in derivatives for name in one.inputs}
            self.plan.takes.update({take.call: (one, take) for one in derivatives for take in one.takes})

    # Reading calls.

    def _grad(self, call: cst.Call, index: int, line: cst.CSTNode) -> Take:
        given: dict[str, Any] = {}
        for position, argument in enumerate(call.args):
            if argument.star or position >= len(_OPTIONS):
                raise NoDerivative(_WHY)
            given[argument.keyword.value if argument.keyword is not None else _OPTIONS[position]] = argument.value
        if "outputs" not in given or "inputs" not in given:
            raise NoDerivative(_WHY)
        if literal(given.get("is_grads_batched", cst.Name("False"))) is not False:
            raise NoDerivative("gradients for a batch of cotangents; use jax.vjp and map its function with jax.vmap")
        module = self._module(given["inputs"])
        inputs = (module,) if module is not None else tuple(dotted(part) or "" for part in parts(given["inputs"]))
        if not inputs or not all(name.isidentifier() for name in inputs):
            raise NoDerivative(f"{_WHY}, or nnx.grad for the parameters of a module")
        types = [self.context.type_of(part) for part in parts(given["inputs"])]
        if module is None and not all(isinstance(t, Array) or (t == UNKNOWN and picks_one(line, call)) for t in types):
            raise NoDerivative(f"it is not certain that {' and '.join(inputs)} is an array and not several; annotate it")
        outputs = parts(given["outputs"])
        cotangents = parts(given["grad_outputs"]) if "grad_outputs" in given else [cst.Name("None")]
        if len(outputs) != 1 or len(cotangents) != 1:
            raise NoDerivative("several outputs at once; add up what each gives, or use jax.vjp with a tuple")
        cotangent = None if dotted(cotangents[0]) == "None" else cotangents[0]
        if module is not None and cotangent is not None:
            raise NoDerivative(f"{_WHY}, or nnx.grad for the parameters of a module")
        follows = literal(given.get("create_graph", cst.Name("False"))) is not False
        unused = literal(given.get("allow_unused", cst.Name("None"))) not in (None, False)
        unused = unused and literal(given.get("materialize_grads", cst.Name("False"))) is not True
        take = Take(call, index, inputs, None, outputs[0], cotangent, follows, unused, of_module=module is not None)
        return self._take(take)

    def _module(self, node: cst.BaseExpression) -> str | None:
        """The name of the module whose parameters an expression lists."""
        if isinstance(node, cst.Name):
            bound = [
                part.value for part in own_nodes(self.function.body)
                if isinstance(part, cst.Assign) and any(dotted(target.target) == node.value for target in part.targets)
            ]  # fmt: skip
            return self._module(bound[0]) if len(bound) == 1 and not isinstance(bound[0], cst.Name) else None
        match node:
            case cst.Call(func=cst.Name(value="list" | "tuple"), args=[cst.Arg(value=inner, star="")]):
                return self._module(inner)
            case cst.Call(func=cst.Attribute(value=cst.Name(value=name) as owner, attr=cst.Name(value="parameters")), args=[]):
                return name if self.context.inference.is_module(self.context.type_of(owner)) else None
        return None

    def _take(self, take: Take) -> Take:
        """With the name that is differentiated: `u` for `u` and for `u.sum()`."""
        value = take.value
        match value:
            case cst.Call(func=cst.Attribute(value=cst.Name() as inner, attr=cst.Name(value="sum")), args=[]):
                if take.cotangent is None and inner.value not in take.inputs and not take.of_module:
                    return replace(take, outputs=inner.value, value=inner)
        return replace(take, outputs=value.value) if isinstance(value, cst.Name) else take

    def _backward(self, call: cst.Call, index: int, lines: Sequence[Any], outer: tuple[Place, ...]) -> list[Take]:
        """`y.backward()` for the `.grad` of names that are read behind it, in a function without an optimizer."""
        assert isinstance(call.func, cst.Attribute)
        if not isinstance(self.context.type_of(call.func.value), Array):
            return []
        inputs: dict[str, None] = {}
        for node in own_nodes(self.function.body):
            if isinstance(node, cst.Attribute) and node.attr.value == "grad" and isinstance(node.value, cst.Name):
                inputs[node.value.value] = None
            elif (isinstance(node, cst.Attribute) and node.attr.value in ("step", "param_groups")) or (isinstance(node, cst.Attribute) and node.attr.value == "grad" and dotted(node.value) is not None):
                return []
        kept: dict[str, Any] = {"gradient": None, "retain_graph": None, "create_graph": None}
        for position, argument in enumerate(call.args):
            kept[argument.keyword.value if argument.keyword is not None else list(kept)[position]] = argument.value
        if not inputs or len(kept) > 3:
            return []
        backwards = [node for node in own_nodes(self.function.body) if isinstance(node, cst.Call) and self._is_backward(node)]
        if len(backwards) > 1:
            raise NoDerivative("several calls of backward() add to the same .grad; use jax.grad of the sum")
        fresh = {cleared(line) for line in lines}
        looped = any(isinstance(place.owner, (cst.For, cst.While)) for place in outer)
        looped = looped or any(isinstance(place.statements[place.index], (cst.For, cst.While)) for place in outer)
        bound = {name for line in lines[:index] for name in effects(line).binds}
        for name in inputs:
            if looped and name not in bound and name not in fresh:
                raise NoDerivative(f"{name}.grad adds up over the loop; clear it behind its use, or use jax.grad")
        self.plan.dropped |= {line for line in lines if cleared(line) in inputs or clears_module(line)}
        take = Take(call, index, tuple(inputs), None, call.func.value, kept["gradient"], False, True, True)
        return [self._take(take)]

    # Regions.

    def _merged(self, takes: Sequence[Take], lines: Sequence[Any], outer: tuple[Place, ...]) -> list[Derivative]:
        """One derivative for all takes of the same value of a name."""
        every = {name for take in takes for name in take.inputs}
        found: dict[tuple[str, int], list[Take]] = {}
        for number, take in enumerate(takes):
            last = last_binding(lines, take.outputs, take.index) if take.outputs is not None else -2 - number
            found.setdefault((take.outputs or "", last), []).append(take)
        derivatives = []
        for (outputs, _), group in found.items():
            if len({take.of_module for take in group}) > 1 or (group[0].of_module and len({t.inputs for t in group}) > 1):
                raise NoDerivative("gradients of inputs and of a module's parameters at once; take them one by one")
            inputs = tuple(dict.fromkeys(name for take in group for name in take.inputs))
            first = group[0]
            start, end, needed = self._region(inputs, first, lines)
            if not first.of_module:
                self._check_origin(inputs, every, needed, lines[start : end + 1], lines, outer)
            derivatives.append(Derivative(inputs, outputs or None, first.value, start, end, group))
        return derivatives

    def _region(self, inputs: tuple[str, ...], take: Take, lines: Sequence[Any]) -> tuple[int, int, set[str]]:
        """The statements through which the inputs reach the output, and the names that they read."""
        known = {name: last_binding(lines, name, take.index) for name in inputs}
        for name in inputs:  # What is computed before a mark has no gradient in torch.
            known[name] = max([known[name], *(i for i, line in enumerate(lines[: take.index]) if is_mark(line, (name,)))])
        tainted = {name for name, at in known.items() if at < 0}
        depends: list[int] = []
        for index in range(take.index):
            found = effects(lines[index])
            if found.reads & tainted and not is_mark(lines[index], inputs):
                depends.append(index)
                tainted |= found.binds | found.changes
            elif isinstance(lines[index], cst.SimpleStatementLine):
                tainted -= found.binds
            tainted |= {name for name, at in known.items() if at == index}
        needed = set(effects(take.value).reads)
        chosen = []
        for index in reversed(depends):
            found = effects(lines[index])
            if (found.binds | found.changes) & needed - set(inputs):
                chosen.append(index)
                needed |= found.reads
        if take.outputs is not None and not chosen:
            raise NoDerivative(f"{_WHY}; {take.outputs} is not computed from {' and '.join(inputs)} in the same block")
        if not chosen:
            if not set(inputs) & needed or take.outputs is not None:
                raise NoDerivative(_WHY)
            return take.index, take.index - 1, needed
        start, end = chosen[-1], chosen[0]
        if take.outputs is None:
            end = take.index - 1
        if any(at >= start for at in known.values()):
            raise NoDerivative(f"an input is bound behind the first statement that {text(take.value)} depends on")
        return start, end, needed

    def _check_origin(
        self, inputs: tuple[str, ...], every: set[str], needed: set[str], region: Sequence[Any], lines: Sequence[Any],
        outer: tuple[Place, ...],
    ) -> None:  # fmt: skip
        """What the region reads must not depend on the inputs by a way that is not in the region."""
        inside = {name for line in lines for name in effects(line).binds}
        for name in inputs:
            if name not in inside and not any(is_mark(line, (name,)) for line in lines):
                hidden = self._computed_before(name, outer) & (needed - inside)
                if hidden:
                    raise NoDerivative(f"{_WHY}; {min(hidden)} was computed from {name} in an outer block")
            if region:
                self._check_names(name, region)
        bound = inside | {name for place in outer for line in place.statements for name in effects(line).binds}
        marked = {name for part in own_nodes(self.function.body) for name in inputs if is_mark(part, (name,))}
        if set(inputs) <= bound | marked:
            return
        called = {dotted(n.func) for line in region for n in own_nodes(line) if isinstance(n, cst.Call)}
        for parameter in all_params(self.function.params):
            name, found_type = parameter.name.value, self.context.type_of(parameter)
            may_depend = isinstance(found_type, Array) or (found_type == UNKNOWN and name not in called)
            is_read = name in needed - every - {"self"} and fate(region, name) is not Fate.REPLACED
            if is_read and may_depend:
                raise NoDerivative(
                    f"{name} may have been computed from {inputs[0]} by the caller; mark {inputs[0]} with requires_grad_() here, "
                    "or use jax.grad"
                )

    def _computed_before(self, name: str, outer: tuple[Place, ...]) -> set[str]:
        """What the statements around a block compute from an input, from its last mark on."""
        found: set[str] = set()
        for place in outer:
            for line in place.statements[: place.index]:
                known = effects(line)
                if is_mark(line, (name,)):
                    found = set()
                elif known.reads & {name, *found}:
                    found |= (known.binds | known.changes) - {name}
        return found

    def _check_names(self, name: str, region: Sequence[Any]) -> None:
        """Another name for an input, given before it was marked, would be followed too."""
        first = next(node for node in (region[0], *own_nodes(region[0])) if isinstance(node, cst.BaseSmallStatement))
        analysis, where = surroundings(self.context, first)
        own = analysis.storages(where.statement, cst.Name(name))
        bound = {other for line in own_nodes(self.function.body) if isinstance(line, cst.AssignTarget)
                 for other in [dotted(line.target)] if other is not None}  # fmt: skip
        reads = {other for line in region for other in effects(line).reads if fate(region, other) is Fate.READ}
        for other in sorted(reads & bound - {name}):
            if analysis.storages(where.statement, cst.Name(other)) & own:
                raise NoDerivative(f"{other} may be another name for {name}; copy it, or use jax.grad")

    def _nested(self, found: list[Derivative]) -> list[Derivative]:
        """Regions that overlap are widened until one holds the other."""
        found = sorted(found, key=lambda one: (one.end - one.start, one.end))
        for _ in range(len(found)):
            for one in found:
                for other in found:
                    if one.start < other.start <= one.end < other.end:
                        other.start = one.start
        return found

    def _flow(
        self, one: Derivative, every: list[Derivative], lines: Sequence[Any], outer: tuple[Place, ...], owner: Any
    ) -> None:
        """What a derivative's function is called, takes and returns."""
        inside = lines[one.start : one.end + 1]
        for line in inside:
            if any(isinstance(n, (cst.Return, cst.Yield, cst.Break, cst.Continue, cst.Await)) for n in (line, *own_nodes(line))):
                raise NoDerivative("a statement that leaves the block stands between the input and the output")
            if any(isinstance(n, cst.Call) and self._draws(n) for n in (line, *own_nodes(line))):
                raise NoDerivative("random numbers are drawn between the input and the output; draw them before")
        if one.of_module:
            scope = Scope(self.context.scope.file, self.function)
            held = Holders(OptimizerModels.of(self.context.inference), scope, one.inputs)
            way = held.in_the_way((*inside, one.value), lambda name: ())
            if way is not None:
                raise NoDerivative(f"{way} reaches {one.inputs[0]} by another way than its name; compute it from the module")
        bound = {name for line in inside for name in effects(line).binds}
        if bound & set(one.inputs):
            raise NoDerivative("an input is bound again before the output is computed")
        changed = {name for line in inside for name in effects(line).changes} - bound
        if changed - {take.outputs for other in every for take in other.takes}:
            raise NoDerivative(f"the statements between the input and the output change {min(changed)}; use jax.grad of a function")
        stem = one.outputs or "value"
        one.name = self._free(f"{stem}_fn")
        one.pullback = self._free(f"{stem}_grads" if one.of_module else f"{stem}_vjp")
        if one.outputs is None:
            one.outputs = self._free("value")
        places = (*outer, Place(owner, tuple(lines), one.end))
        starts = (*outer, Place(owner, tuple(lines), one.start))
        results = [name for name in sorted(bound - {one.outputs}) if needed_after(places, name, one.end)]
        for other in every:
            if other is not one and one.holds(other) and other.pullback and any(t.index > one.end for t in other.takes):
                results.append(other.pullback)
        one.results = tuple(results)
        before = {name for place in starts for line in place.statements[: place.index] for name in effects(line).binds}
        before = (before | parameter_names(self.function.params)) - set(one.inputs)
        fates = {name: fate(inside, name) for name in bound & before}
        wanted = {one.outputs, *one.results}
        one.carried = tuple(
            sorted(n for n, found in fates.items() if found is Fate.READ or (found is Fate.KEPT and n in wanted))
        )

    def _draws(self, call: cst.Call) -> bool:
        """Whether a call takes a key from a stream of the code around, which JAX does not let a function change."""
        return needs_randomness(self.context, call) and rngs_source(self.context) is not None

    def _free(self, wanted: str) -> str:
        while wanted in self.taken:
            wanted += "_"
        self.taken.add(wanted)
        return wanted
