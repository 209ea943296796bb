"""What reaches a model beside its own name: objects built with it, lists of its weights, functions that look at it.

In the function that is differentiated only the model's name stands for what is differentiated. A loss that goes through
anything else would lose that part of its gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import libcst as cst

from ..rewriter.lattice import (
    UNKNOWN,
    Array,
    Callback,
    Either,
    Instance,
    Method,
    NoneType,
    Partial,
    Tuple,
    Type,
)
from ..rewriter.lattice import Mapping as MappingType
from ..rewriter.lattice import Sequence as SequenceType
from ..rewriter.names import dotted
from ..rewriter.nodes import children, walk
from .name_flow import effects_of, parameter_names
from .optimizer_models import OPTIMIZERS, OptimizerModels, Scope, arguments_of, own_nodes, scopes

#: What a name holds: certainly the model or its weights, or something unknown that was computed with it.
_SURE, _VAGUE = True, False


def chains(node: cst.CSTNode, above: cst.CSTNode | None = None) -> Iterator[tuple[cst.BaseExpression, cst.CSTNode | None]]:
    """The names and dotted attributes in an expression or statement, each as a whole, with the node above."""
    if isinstance(node, (cst.Name, cst.Attribute)) and dotted(node) is not None:
        yield node, above
        return
    for child in children(node):
        inner = node.value if isinstance(node, cst.Attribute) else None
        if not (isinstance(child, cst.Name) and (isinstance(node, cst.Attribute) and child is not inner)):
            yield from chains(child, node)


class Holders:
    """What else reaches modules (`units`, as named in a function) where the function runs."""

    def __init__(self, models: OptimizerModels, scope: Scope, units: Sequence[str], with_callers: bool = True) -> None:
        self.models, self.scope, self.units = models, scope, tuple(units)
        self.types: Mapping[cst.CSTNode, Type] = models.types(scope.file)
        self.found: dict[str, bool] = {}
        bodies = [function.body for function in (scope.function, *scope.enclosing) if function is not None]
        for body in [models.inference.modules[scope.file], *bodies[::-1]]:
            self._collect(body, self.units)
        if scope.owner is not None and any(unit.startswith("self.") for unit in units):
            self._collect_attributes(scope.owner)
        if with_callers and scope.function is not None:
            self._collect_arguments(scope.function)

    def in_the_way(
        self, statements: Iterable[cst.CSTNode], functions: Callable[[str], Sequence[cst.FunctionDef]]
    ) -> str | None:
        """Something in the statements of a loss, or in the methods that they call, that reaches a unit by another way."""
        nodes = list(statements)
        local = effects_of(nodes).binds
        called: dict[cst.FunctionDef, None] = {}
        for statement in nodes:
            self._note_called(statement, functions, called)
            for node, above in chains(statement):
                name = dotted(node) or ""
                if name.partition(".")[0] not in local and self._reaches(node, above, self.found):
                    return name
        attributes = {name: sure for name, sure in self.found.items() if name.startswith("self.")}
        for function in called:
            for node, above in chains(function.body):
                if self._reaches(node, above, attributes):
                    return dotted(node)
        return None

    def _note_called(
        self, node: cst.CSTNode, functions: Callable[[str], Sequence[cst.FunctionDef]], called: dict[cst.FunctionDef, None]
    ) -> None:
        for part in walk(node):
            name = dotted(part.func) or "" if isinstance(part, cst.Call) else ""
            for function in functions(name) if name.startswith("self.") else ():
                if function not in called:
                    called[function] = None
                    self._note_called(function.body, functions, called)

    def _reaches(self, node: cst.BaseExpression, above: cst.CSTNode | None, held: Mapping[str, bool]) -> bool:
        parts = (dotted(node) or "").split(".")
        prefix = next((p for p in (".".join(parts[:n]) for n in range(len(parts), 0, -1)) if p in held), None)
        if prefix is None:
            return False
        is_callee = isinstance(above, cst.Call) and above.func is node
        whole = prefix == ".".join(parts)
        if not held[prefix]:
            own = not whole and self.models.inference.defines_method(parts[-1])
            return is_callee and (whole or own)
        kind = self._may_hold(self.types.get(node, UNKNOWN))
        return whole or is_callee or kind is _SURE

    # Where holders come from.

    def _collect(self, body: cst.CSTNode, units: Sequence[str], prefix: str = "") -> None:
        """The holders that assignments and functions in a body make; `prefix`: only of names that begin so."""
        for node in own_nodes(body):
            match node:
                case cst.Assign(value=value, targets=targets):
                    names = [dotted(part) or "" for target in targets for part in _parts(target.target)]
                case cst.AnnAssign(target=target, value=cst.BaseExpression() as value):
                    names = [dotted(target) or ""]
                case cst.FunctionDef(name=cst.Name(value=name)) if not prefix:
                    if not set(units) & parameter_names(node.params) and self._mentions(node.body, units):
                        self.found[name] = _SURE
                    continue
                case _:
                    continue
            kept = [name for name in names if name and name not in units and name.startswith(prefix)]
            if not kept or not self._mentions(value, units) or _is_copy(value):
                continue
            kind = self._may_hold(self.types.get(value, UNKNOWN))
            if kind is not None:
                self.found.update({name: kind or self.found.get(name, False) for name in kept})

    def _collect_attributes(self, owner: cst.ClassDef) -> None:
        """`self.reg = Reg(model)` beside `self.model = model`."""
        for method in owner.body.body:
            if not isinstance(method, cst.FunctionDef):
                continue
            sources = [
                dotted(node.value) or ""
                for node in own_nodes(method.body)
                if isinstance(node, cst.Assign) and any(dotted(target.target) in self.units for target in node.targets)
            ]
            self._collect(method.body, (*self.units, *(name for name in sources if name)), "self.")

    def _collect_arguments(self, function: cst.FunctionDef) -> None:
        """What callers pass beside the model: `train(net, Reg(net))`."""
        inference = self.models.inference
        for file, module in inference.modules.items():
            types = self.models.types(file)
            for caller in scopes(file, module):
                body = caller.function.body if caller.function is not None else module
                for node in own_nodes(body):
                    if isinstance(node, cst.Call) and self.models.calls(types.get(node.func), self.scope):
                        self._collect_passed(caller, arguments_of(self.scope, node))

    def _collect_passed(self, caller: Scope, given: Mapping[str, cst.BaseExpression]) -> None:
        modules = [name for unit in self.units if unit in given and (name := dotted(given[unit])) is not None]
        if not modules:
            return
        theirs = Holders(self.models, caller, modules, with_callers=False)
        for parameter, value in given.items():
            if parameter in self.units:
                continue
            sure = theirs.found.get(dotted(value) or "", False)
            built = theirs._mentions(value, modules) and theirs._may_hold(theirs.types.get(value, UNKNOWN)) is _SURE
            if sure or (built and not _is_copy(value)):
                self.found[parameter] = _SURE

    # What an expression holds.

    def _mentions(self, node: cst.CSTNode, units: Sequence[str]) -> bool:
        """Whether an expression is made with a unit, a part of it that has weights, or something that holds it."""
        for part, _ in chains(node):
            name = dotted(part) or ""
            if name in units or self.found.get(name) is _SURE:
                return True
            if any(name.startswith(f"{unit}.") for unit in units):
                if self._may_hold(self.types.get(part, UNKNOWN)) is _SURE:
                    return True
        return False

    def _may_hold(self, value: Type) -> bool | None:
        """Whether a value of a type can hold a module or its weights; None if not."""
        match value:
            case Array(storage=storage):
                return _SURE if storage else None
            case Instance(path=path):
                return None if path.startswith(OPTIMIZERS) else _SURE
            case Callback() | Method() | Partial() | Either():
                return _SURE
            case SequenceType(item=item) | MappingType(value=item):
                return self._may_hold(item)
            case Tuple(items=items):
                kinds = [self._may_hold(item) for item in items]
                return _SURE if _SURE in kinds else _VAGUE if _VAGUE in kinds else None
        return _VAGUE if value == UNKNOWN or isinstance(value, NoneType) else None


def _is_copy(node: cst.CSTNode) -> bool:
    """`copy.deepcopy(net)` shares nothing."""
    return isinstance(node, cst.Call) and (dotted(node.func) or "").rpartition(".")[2] == "deepcopy"


def _parts(target: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    if isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _parts(element.value)
    else:
        yield target
