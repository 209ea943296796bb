"""Closures: functions that compute a loss and its gradients for an optimizer, `optimizer.step(closure)`.

torch's optimizers call the closure themselves; all but L-BFGS once. Converted, a closure returns its gradients beside
the loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Instance
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from .optimizer_models import OPTIMIZERS, SEVERAL_EVALUATIONS, Scope, is_optimizer, own_nodes, scopes
from .training_events import EventReader


@dataclass(frozen=True)
class ClosureUse:
    """One `optimizer.step(closure)`.

    optimizer: as text; scope: where the call stands; closure: the function that is called, and where it stands.
    """

    call: cst.Call
    optimizer: str
    scope: Scope
    closure: Scope


class Closures:
    """The closures of one file."""

    def __init__(self, context: FileContext) -> None:
        self.context = context
        self.uses = list(self._find())

    @staticmethod
    def of(context: FileContext) -> Closures:
        """Those of the file that is being rewritten."""
        known: Closures | None = context.state.get("closures")
        if known is None:
            known = context.state["closures"] = Closures(context)
        return known

    def uses_of(self, function: cst.FunctionDef | None) -> list[ClosureUse]:
        """The steps that a function is a closure of."""
        return [use for use in self.uses if use.closure.function is function]

    def use_at(self, call: cst.Call) -> ClosureUse | None:
        """What a call of `step` is, if its closure is in sight."""
        return next((use for use in self.uses if use.call is call), None)

    def linked(self, function: cst.FunctionDef | None) -> list[Scope]:
        """The functions that can only be converted together with one: its closures, those who call it, and so on."""
        found: dict[cst.CSTNode | None, Scope] = {}
        pending = [function]
        while pending:
            current = pending.pop()
            for use in self.uses:
                pair = (use.scope, use.closure)
                if any(scope.function is current for scope in pair):
                    pending += [scope.function for scope in pair if scope.function not in found]
                    found.update({scope.function: scope for scope in pair})
        return list(found.values())

    def other_use(self, use: ClosureUse) -> bool:
        """Whether a closure is mentioned otherwise than in steps and calls."""
        function = use.closure.function
        assert function is not None
        own = {node for other in self.uses_of(function) for node in walk(other.call)}
        own |= {node.func for node in walk(self.context.module) if isinstance(node, cst.Call)}
        name = _name_of(use.closure)
        body = use.closure.enclosing[-1] if use.closure.enclosing else use.closure.owner or self.context.module
        return any(
            isinstance(node, (cst.Name, cst.Attribute)) and dotted(node) == name and node not in own
            and node is not function.name for node in walk(body)
        )  # fmt: skip

    def called(self, call: cst.Call, scope: Scope) -> Scope | None:
        """The closure that a call outside of any step calls."""
        name = dotted(call.func)
        if name is None or all(_name_of(use.closure) != name for use in self.uses):
            return None
        closure = self._definition(self._with_owner(scope), name)
        if closure is None or not self.uses_of(closure.function):
            return None
        return None if any(node is call for use in self.uses for node in walk(use.call)) else closure

    def _find(self) -> Iterator[ClosureUse]:
        file = self.context.scope.file
        if not any(node.attr.value == "step" for node in self.context.inference.nodes(file).of(cst.Attribute)):
            return
        for scope in scopes(file, self.context.module):
            scope = self._with_owner(scope)
            body = scope.function.body if scope.function is not None else self.context.module
            for node in own_nodes(body):
                if isinstance(node, cst.Call) and (argument := closure_argument(node)) is not None:
                    called = called_closure(self.context, argument)
                    closure = self._definition(scope, called) if called is not None else None
                    event = EventReader(self.context, scope).kind(node) if closure is not None else None
                    if closure is not None and event is not None and event[0] == "closure":
                        yield ClosureUse(node, event[1], scope, closure)

    def _with_owner(self, scope: Scope) -> Scope:
        """A function within a method sees the object as well."""
        if scope.owner is None and scope.enclosing:
            for node in walk(self.context.module):
                if isinstance(node, cst.ClassDef) and scope.enclosing[0] in node.body.body:
                    return Scope(scope.file, scope.function, node, scope.enclosing)
        return scope

    def _definition(self, scope: Scope, name: str) -> Scope | None:
        """The function of this file that `closure` or `self.closure` means."""
        if name.startswith("self.") and scope.owner is not None:
            for method in scope.owner.body.body:
                if isinstance(method, cst.FunctionDef) and f"self.{method.name.value}" == name:
                    return Scope(scope.file, method, scope.owner)
            return None
        around = (*scope.enclosing, *((scope.function,) if scope.function is not None else ()))
        for depth in range(len(around), -1, -1):
            body = around[depth - 1].body if depth else self.context.module
            for node in own_nodes(body):
                if isinstance(node, cst.FunctionDef) and node.name.value == name:
                    return Scope(scope.file, node, scope.owner if depth else None, around[:depth])
        return None


def closure_argument(call: cst.Call) -> cst.BaseExpression | None:
    """What `optimizer.step(closure)` is given."""
    if not (isinstance(call.func, cst.Attribute) and call.func.attr.value == "step" and len(call.args) == 1):
        return None
    (argument,) = call.args
    named = argument.keyword is None or argument.keyword.value == "closure"
    return argument.value if named and not argument.star else None


def called_closure(context: FileContext, argument: cst.BaseExpression) -> str | None:
    """The name in `closure`, `self.closure`, `lambda: closure(x)` and `partial(closure, x)`."""
    if isinstance(argument, cst.Lambda) and isinstance(argument.body, cst.Call):
        return dotted(argument.body.func)
    if isinstance(argument, cst.Call) and context.path(argument.func) == "functools.partial" and argument.args:
        return dotted(argument.args[0].value)
    return dotted(argument)


def evaluations(context: FileContext, optimizer: cst.BaseExpression) -> str:
    """How often a step evaluates its closure: `once`, `several`, or '' if the optimizer's class is not known."""
    value = context.type_of(optimizer)
    if is_optimizer(value) and isinstance(value, Instance) and value.path != f"{OPTIMIZERS}Optimizer":
        return "several" if value.path == SEVERAL_EVALUATIONS else "once"
    name = SEVERAL_EVALUATIONS.rpartition(".")[2]
    inference = context.inference
    mentioned = any(
        node.attr.value == name for file in inference.modules for node in inference.nodes(file).of(cst.Attribute)
    ) or any(node.value == name for file in inference.modules for node in inference.nodes(file).of(cst.Name))
    return "" if mentioned else "once"


def always_true(context: FileContext, scope: Scope) -> set[cst.CSTNode]:
    """The `if` statements of a closure that ask whether gradients are computed, which they are when it is called.

    `if torch.is_grad_enabled(): optimizer.zero_grad()` and `if loss.requires_grad: loss.backward()`.
    """
    if scope.function is None or not Closures.of(context).uses_of(scope.function):
        return set()
    found: set[cst.CSTNode] = set()
    for node in own_nodes(scope.function.body):
        if isinstance(node, cst.If) and node.orelse is None:
            match node.test:
                case cst.Call(func=function, args=[]) if context.path(function) == "torch.is_grad_enabled":
                    found.add(node)
                case cst.Attribute(value=cst.Name(value=loss), attr=cst.Name(value="requires_grad")):
                    text = {dotted(call.func) for call in own_nodes(node.body) if isinstance(call, cst.Call)}
                    if f"{loss}.backward" in text:
                        found.add(node)
    return found


def falls_through(statements: Sequence[cst.CSTNode]) -> bool:
    """Whether a block may end without a return."""
    match statements[-1] if statements else None:
        case cst.SimpleStatementLine(body=[*_, last]):
            return not isinstance(last, (cst.Return, cst.Raise))
        case cst.With(body=body):
            return falls_through(body.body)
        case cst.If(body=body, orelse=cst.Else(body=other)):
            return falls_through(body.body) or falls_through(other.body)
        case cst.If(body=body, orelse=cst.If() as other):
            return falls_through(body.body) or falls_through([other])
    return True


def _name_of(closure: Scope) -> str:
    assert closure.function is not None
    is_method = closure.owner is not None and closure.function in closure.owner.body.body
    return f"self.{closure.function.name.value}" if is_method else closure.function.name.value
