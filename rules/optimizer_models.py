"""Which modules an optimizer steps, by the expressions that name them where the optimizer is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import libcst as cst

from ..rewriter.infer import Inference
from ..rewriter.lattice import UNKNOWN, Array, Either, Instance, Method, Reference, Sequence, Type
from ..rewriter.lattice import Mapping as MappingType
from ..rewriter.names import dotted
from ..rewriter.nodes import children, walk

OPTIMIZERS = "torch.optim."
SCHEDULERS = "torch.optim.lr_scheduler."
#: The optimizer that evaluates its closure several times in a step.
SEVERAL_EVALUATIONS = f"{OPTIMIZERS}LBFGS"
_PARAMETER_METHODS = ("parameters", "named_parameters")
_TELLING = (*_PARAMETER_METHODS, "train", "eval", "state_dict", "load_state_dict", "named_modules", "modules")


@dataclass(frozen=True)
class Scope:
    """A function, or the top level of a file (None), with the class and the functions around it."""

    file: str
    function: cst.FunctionDef | None
    owner: cst.ClassDef | None = None
    enclosing: tuple[cst.FunctionDef, ...] = ()


def is_optimizer(value: Type) -> bool:
    """Whether a type is an optimizer of the framework (a scheduler is none)."""
    return isinstance(value, Instance) and value.path.startswith(OPTIMIZERS) and not value.path.startswith(SCHEDULERS)


def own_nodes(body: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """All nodes that run in the same function: nested functions and classes are yielded but not entered."""
    stack = children(body)
    stack.reverse()
    while stack:
        node = stack.pop()
        yield node
        if type(node) not in (cst.FunctionDef, cst.ClassDef, cst.Lambda):
            inner = children(node)
            inner.reverse()
            stack.extend(inner)


def scopes(file: str, module: cst.Module) -> Iterator[Scope]:
    """The top level of a file and every function in it."""
    yield Scope(file, None)
    pending: list[tuple[cst.CSTNode, cst.ClassDef | None, tuple[cst.FunctionDef, ...]]] = [(module, None, ())]
    while pending:
        body, owner, enclosing = pending.pop()
        for node in own_nodes(body):
            if isinstance(node, cst.FunctionDef):
                yield Scope(file, node, owner, enclosing)
                pending.append((node.body, None, (*enclosing, node)))
            elif isinstance(node, cst.ClassDef):
                pending.append((node.body, node, enclosing))


class OptimizerModels:
    """Answers for all files of one conversion."""

    def __init__(self, inference: Inference) -> None:
        self.inference = inference

    @staticmethod
    def of(inference: Inference) -> OptimizerModels:
        """The one instance of a conversion."""
        known: OptimizerModels | None = inference.__dict__.get("_optimizer_models")
        if known is None:
            known = inference.__dict__["_optimizer_models"] = OptimizerModels(inference)
        return known

    # Modules.

    def types(self, file: str) -> Mapping[cst.CSTNode, Type]:
        """The types of a file's expressions."""
        return self.inference.files[file].types

    def telling(self, scope: Scope, depth: int = 0) -> frozenset[str]:
        """Expressions of unknown type that are modules, since `.parameters()`, `.train()` or so is called on them."""
        body = scope.function.body if scope.function is not None else self.inference.modules[scope.file]
        found = set()
        types = self.types(scope.file)
        for node in own_nodes(body):
            if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value in _TELLING:
                name = dotted(node.func.value)
                value = types.get(node.func.value, UNKNOWN)
                if name is not None and (value == UNKNOWN or self.inference.is_module(value)):
                    found.add(name)
            elif isinstance(node, cst.Call) and depth < 3:
                found.update(self._told_by_callee(node, types, depth))
        return frozenset(found)

    def _told_by_callee(self, call: cst.Call, types: Mapping[cst.CSTNode, Type], depth: int) -> Iterator[str]:
        """Arguments of unknown type that a function of the repository takes for modules."""
        callee = types.get(call.func)
        definition = self.inference.repository.resolve(callee.path) if isinstance(callee, Reference) else None
        if definition is None or not isinstance(definition.node, cst.FunctionDef):
            return
        inner = Scope(definition.file, definition.node)
        known = self.telling(inner, depth + 1)
        for parameter, value in arguments_of(inner, call).items():
            if parameter in known and isinstance(value, cst.Name) and types.get(value, UNKNOWN) == UNKNOWN:
                yield value.value

    def module_root(self, file: str, node: cst.CSTNode, known: frozenset[str]) -> str | None:
        """The outermost module that `a.b.c` goes through: its expression as text; None if there is none."""
        chain = [node]
        while isinstance(chain[-1], cst.Attribute):
            chain.append(chain[-1].value)
        if not isinstance(chain[-1], cst.Name):
            return None
        types = self.types(file)
        for part in reversed(chain):
            value = types.get(part, UNKNOWN)
            if dotted(part) in known or (self.inference.is_module(value) and not isinstance(value, Reference)):
                return dotted(part)
        return None

    def holds_parameters(self, value: Type, _seen: frozenset[str] = frozenset()) -> bool:
        """Whether a module may have parameters or another state; an attribute of unknown type is taken to have none."""
        if isinstance(value, (Sequence, MappingType)):
            return self.holds_parameters(value.item if isinstance(value, Sequence) else value.value, _seen)
        if isinstance(value, Array):
            return value.storage == "parameter"
        if isinstance(value, Either):
            return any(self.holds_parameters(option, _seen) for option in value.options)
        if not isinstance(value, Instance) or value.path in _seen or not self.inference.is_module(value):
            return False
        if self.inference.class_definition(value.path) is None:
            framework = self.inference.framework.framework
            if value.path.rpartition(".")[2] in framework.fact("stateful_layers", default=()):
                return True
            rows = framework.by_path.get(value.path)
            # A loss's class weights are a buffer.
            return not value.path.endswith("Loss") and (not rows or bool(rows[0].weights))
        found = [
            attribute
            for owner in self.inference.ancestors(value.path)
            for attribute in self.inference.attributes.get(owner, {}).values()
        ]
        bases = [base for base in self.inference.ancestors(value.path) if self.inference.class_definition(base) is None]
        if any(base not in self.inference.framework.plain_module_bases and self.inference.framework.is_module_base(base)
               for base in bases):  # fmt: skip
            return True
        return any(self.holds_parameters(attribute, _seen | {value.path}) for attribute in found)

    # Optimizers.

    def units(self, scope: Scope, optimizer: str, _depth: int = 0) -> tuple[str, ...] | None:
        """The modules that the optimizer named `optimizer` in `scope` steps, as named there; None if not visible."""
        if _depth > 5:
            return None
        value, place = self._assigned(scope, optimizer)
        if value is not None and place is not None:
            found = self.units_of(place, value, _depth)
            if found and place.function is not scope.function and optimizer.startswith("self."):
                found = tuple(name for name in found if name.startswith("self.")) or self._kept(place, found)
            return found or None
        if scope.function is not None and _is_parameter(scope.function, optimizer):
            return self._from_callers(scope, optimizer, _depth)
        return None

    def _kept(self, place: Scope, names: tuple[str, ...]) -> tuple[str, ...]:
        """`self.model = model` beside an optimizer over `model`: the attributes that hold these modules."""
        assert place.function is not None
        kept: dict[str, str] = {}
        for node in own_nodes(place.function.body):
            if isinstance(node, cst.Assign):
                source = dotted(_moved(node.value))
                for target in node.targets:
                    name = dotted(target.target) or ""
                    if source in names and name.startswith("self."):
                        kept[str(source)] = name
        return tuple(kept[name] for name in names) if all(name in kept for name in names) else ()

    def _assigned(self, scope: Scope, name: str) -> tuple[cst.BaseExpression | None, Scope | None]:
        """The last assignment of `name` that code in `scope` sees, and where it stands."""
        places = [
            scope,
            *(Scope(scope.file, function) for function in reversed(scope.enclosing)),
            Scope(scope.file, None),
        ]
        if name.startswith("self.") and scope.owner is not None:
            methods = [node for node in scope.owner.body.body if isinstance(node, cst.FunctionDef)]
            places[1:1] = [Scope(scope.file, method, scope.owner) for method in methods]
        for place in places:
            body = place.function.body if place.function is not None else self.inference.modules[scope.file]
            found = None
            for node in own_nodes(body):
                if (isinstance(node, cst.Assign) and any(dotted(t.target) == name for t in node.targets)) or (
                    isinstance(node, cst.AnnAssign) and node.value is not None and dotted(node.target) == name
                ):
                    found = node.value
            if found is not None:
                return found, place
            if place.function is not None and "." not in name and _is_parameter(place.function, name):
                return None, None
        return None, None

    def units_of(self, scope: Scope, value: cst.BaseExpression, depth: int = 0) -> tuple[str, ...]:
        """The modules whose parameters an expression holds, outermost modules, in order."""
        known = self.telling(scope)
        found: dict[str, None] = {}

        def add(node: cst.CSTNode) -> None:
            root = self.module_root(scope.file, node, known)
            if root is not None:
                found[root] = None

        nodes = list(walk(value))
        for node in nodes:
            is_method = isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute)
            if is_method and node.func.attr.value in _PARAMETER_METHODS:  # type: ignore[attr-defined]
                add(node.func.value)  # type: ignore[attr-defined]
        if not found:
            for node in nodes:
                if isinstance(node, (cst.Name, cst.Attribute)):
                    add(node)
        names = sorted({node.value for node in nodes if isinstance(node, cst.Name)})
        if not found:
            for node in self._collected(scope, names):
                add(node)
        if not found and depth < 5:
            for name in names:
                inner, place = self._assigned(scope, name)
                if inner is not None and place is not None and place.function is scope.function and inner is not value:
                    found.update(dict.fromkeys(self.units_of(place, inner, depth + 1)))
        if not found:
            found.update(dict.fromkeys(self._from_method(scope, value, depth)))
        return tuple(found)

    def _collected(self, scope: Scope, names: list[str]) -> Iterator[cst.BaseExpression]:
        """The modules over whose parameters a loop runs that puts them into lists of these names."""
        body = scope.function.body if scope.function is not None else self.inference.modules[scope.file]
        for loop in own_nodes(body):
            match loop:
                case cst.For(iter=cst.Call(func=cst.Attribute(value=owner, attr=cst.Name(value=method)))) if (
                    method in _PARAMETER_METHODS
                ):
                    if any(isinstance(part, cst.Name) and part.value in names for part in own_nodes(loop.body)):
                        yield owner

    def _from_method(self, scope: Scope, value: cst.BaseExpression, depth: int) -> tuple[str, ...]:
        """`self.configure_optimizers()`: the modules in the constructor inside that method."""
        if not isinstance(value, cst.Call) or scope.owner is None or depth > 4:
            return ()
        name = dotted(value.func) or ""
        for node in scope.owner.body.body:
            if isinstance(node, cst.FunctionDef) and name == f"self.{node.name.value}":
                place = Scope(scope.file, node, scope.owner)
                for part in own_nodes(node.body):
                    if isinstance(part, cst.Call) and is_optimizer(self.types(scope.file).get(part, UNKNOWN)):
                        return self.units_of(place, part, depth + 1)
        return ()

    def _from_callers(self, scope: Scope, optimizer: str, depth: int) -> tuple[str, ...] | None:
        """What callers pass: the parameters of the function that receive the modules of the optimizer passed."""
        assert scope.function is not None
        answers: set[tuple[str, ...]] = set()
        for file, module in self.inference.modules.items():
            types = self.types(file)
            for caller in scopes(file, module):
                body = caller.function.body if caller.function is not None else module
                for node in own_nodes(body):
                    if isinstance(node, cst.Call) and self.calls(types.get(node.func), scope):
                        given = arguments_of(scope, node)
                        passed = given.get(optimizer)
                        name = dotted(passed) if passed is not None else None
                        units = self.units(caller, name, depth + 1) if name else None
                        if name is None and passed is not None:
                            units = self.units_of(caller, passed, depth + 1)
                        if units:
                            answers.add(tuple(_received(given, unit) for unit in units))
        answers = {answer for answer in answers if all(answer)}
        return answers.pop() if len(answers) == 1 else None

    def calls(self, callee: Type | None, scope: Scope) -> bool:
        """Whether calling a value of this type runs the function of a scope."""
        function = scope.function
        if isinstance(callee, Reference):
            definition = self.inference.repository.resolve(callee.path)
            return definition is not None and definition.node is function
        if isinstance(callee, Method) and isinstance(callee.receiver, Instance) and function is not None:
            found = self.inference.method(callee.receiver.path, callee.name)
            return found is not None and found[1].node is function
        return False


def _moved(node: cst.BaseExpression) -> cst.BaseExpression:
    """`model.to(device)` is `model`."""
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value in (
        "to", "cuda", "cpu", "train", "float"):  # fmt: skip
        node = node.func.value
    return node


def _is_parameter(function: cst.FunctionDef, name: str) -> bool:
    parameters = function.params
    return any(
        p.name.value == name for p in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)
    )


def arguments_of(scope: Scope, call: cst.Call) -> dict[str, cst.BaseExpression]:
    """The expressions that a call passes, by parameter name."""
    assert scope.function is not None
    names = [p.name.value for p in (*scope.function.params.posonly_params, *scope.function.params.params)]
    if scope.owner is not None and isinstance(call.func, cst.Attribute):
        names = names[1:]
    given: dict[str, cst.BaseExpression] = {}
    for index, argument in enumerate(call.args):
        if argument.keyword is not None:
            given[argument.keyword.value] = argument.value
        elif not argument.star and index < len(names):
            given[names[index]] = argument.value
    return given


def _received(given: Mapping[str, cst.BaseExpression], unit: str) -> str:
    """The parameter that receives the module `unit`, or ''."""
    for parameter, value in given.items():
        if dotted(_moved(value)) == unit:
            return parameter
    return unit if unit.startswith("self.") and "self" not in given else ""
