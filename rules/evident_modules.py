"""Calls that build modules although nothing says of which class: what becomes of their results tells.

`self.norm = norm_layer(dim)` with a `norm_layer` that only callers know builds a module if `self.norm(x)` is called;
so does whatever goes into a container of modules, and what has its parameters asked for.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field

import libcst as cst

from ..rewriter.infer import Inference
from ..rewriter.lattice import UNKNOWN, Callback, Either, Instance, Method, Reference
from ..rewriter.names import Definition, dotted

_REORDERING = frozenset(("list", "tuple", "reversed", "OrderedDict", "dict", "collections.OrderedDict"))
_ADDING = frozenset(("append", "insert", "extend", "add_module", "register_module"))


@dataclass
class _Evidence:
    """What a conversion's files say together: the calls by node, the functions that make modules by path."""

    calls: set[cst.CSTNode] = field(default_factory=set)
    makers: set[str] = field(default_factory=set)
    definitions: dict[str, Definition] = field(default_factory=dict)


def is_evident_construction(inference: Inference, call: cst.CSTNode) -> bool:
    """Whether a call of something unknown builds a module, by what becomes of its result."""
    return call in _evidence(inference).calls


def is_evident_maker(inference: Inference, path: str) -> bool:
    """Whether a function of the repository returns a module that it builds by calling something unknown."""
    return path in _evidence(inference).makers


def _evidence(inference: Inference) -> _Evidence:
    known: _Evidence | None = inference.__dict__.get("_evident_modules_built")
    if known is None:
        known = inference.__dict__["_evident_modules_built"] = _Evidence()
        for file in inference.files:
            for body, called in _scopes(inference, file):
                _Scope(inference, file, body, known).search(called)
        done: set[str] = set()
        while done != known.makers:  # a maker may call another
            path = min(known.makers - done)
            done.add(path)
            definition = known.definitions[path]
            assert isinstance(definition.node, cst.FunctionDef)
            _Scope(inference, definition.file, definition.node.body, known).search_results()
    return known


def _scopes(inference: Inference, file: str) -> Iterator[tuple[cst.CSTNode, frozenset[str]]]:
    """The functions of a file, each with the attributes that its class calls, and the file's top level."""
    nodes = inference.nodes(file)
    called: dict[cst.CSTNode, frozenset[str]] = {}
    for owner in nodes.of(cst.ClassDef):
        attributes = _called_attributes(inference, file, owner)
        called.update(dict.fromkeys(owner.body.body, attributes))
    for function in nodes.of(cst.FunctionDef):
        yield function.body, called.get(function, frozenset())
    yield inference.modules[file], frozenset()


def _called_attributes(inference: Inference, file: str, owner: cst.ClassDef) -> frozenset[str]:
    """The attributes of a module class that its methods call as they call modules."""
    if not inference.is_module_class(f"{inference.repository.scopes[file].module}.{owner.name.value}"):
        return frozenset()
    return frozenset(
        node.func.attr.value for node in inference.nodes(file).within(owner.body, cst.Call)
        if isinstance(node.func, cst.Attribute)
        and isinstance(node.func.value, cst.Name) and node.func.value.value == "self"
    )  # fmt: skip


class _Scope:
    """One function, or the top level of a file: the values that become modules, followed back to where they are made."""

    def __init__(self, inference: Inference, file: str, body: cst.CSTNode, evidence: _Evidence) -> None:
        self.inference = inference
        self.types = inference.files[file].types
        self.evidence = evidence
        self.body = body
        self.nodes = inference.nodes(file)
        self.values: dict[str, list[cst.BaseExpression]] = {}
        self.followed: set[str] = set()
        for node in self.nodes.within(body, cst.Assign, cst.AugAssign, cst.Call, cst.FunctionDef):
            self._note_values(node)

    def search(self, called: frozenset[str]) -> None:
        """Follow what is used as a module; `called` are the attributes of `self` that are called."""
        for value in self._modules(called):
            self._follow(value)

    def search_results(self) -> None:
        """Follow what the function returns: it is a module."""
        for node in self.nodes.within(self.body, cst.Return):
            if node.value is not None:
                self._follow(node.value)

    def _note_values(self, node: cst.CSTNode) -> None:
        """Remember what a name is bound to, and what is added to it."""
        match node:
            case cst.Call(func=cst.Attribute(value=cst.Name(value=name), attr=cst.Name(value=method)), args=args):
                if method in _ADDING and args:
                    self.values.setdefault(name, []).append(args[-1].value)
            case cst.Call():
                pass
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=value):
                self.values.setdefault(name, []).append(value)
            case cst.AugAssign(target=cst.Name(value=name), operator=cst.AddAssign(), value=value):
                self.values.setdefault(name, []).append(value)
            case cst.FunctionDef(name=cst.Name(value=name), body=body):
                returned = [part.value for part in self.nodes.within(body, cst.Return) if part.value]
                self.values.setdefault(f"{name}()", []).extend(returned)
            case _:
                pass

    def _modules(self, called: frozenset[str]) -> Iterator[cst.BaseExpression]:
        """The expressions whose values are modules, or sequences of modules, by what is done with them."""
        framework = self.inference.framework
        for node in self.nodes.within(self.body, cst.Call, cst.Assign):
            match node:
                case cst.Call(func=function, args=args):
                    callee = self.types.get(function, UNKNOWN)
                    if isinstance(callee, Reference) and framework.container(callee.path, []) is not None:
                        yield from (argument.value for argument in args)
                    elif isinstance(function, cst.Attribute) and function.attr.value in _ADDING and args:
                        if self._holds_modules(function.value):
                            yield args[-1].value
                    if isinstance(function, cst.Attribute) and function.attr.value in framework.module_calls:
                        if not args:
                            yield function.value
                    if dotted(function) == "setattr" and len(args) == 3 and self._holds_modules(args[0].value):
                        yield args[2].value
                case cst.Assign(targets=[cst.AssignTarget(target=target)], value=value):
                    name = dotted(target) or ""
                    if name.startswith("self.") and name.removeprefix("self.") in called:
                        yield value
                case _:
                    pass

    def _holds_modules(self, node: cst.BaseExpression) -> bool:
        value = self.types.get(node, UNKNOWN)
        return self.inference.is_module(value)

    def _follow(self, node: cst.BaseExpression) -> None:
        """Note the calls of something unknown that a value comes from."""
        match node:
            case cst.Call():
                self._follow_call(node)
            case cst.Name(value=name) if name not in self.followed:
                self.followed.add(name)
                for value in self.values.get(name, ()):
                    self._follow(value)
            case cst.List(elements=elements) | cst.Tuple(elements=elements):
                for element in elements:
                    self._follow(element.value)
            case cst.Dict(elements=elements):
                for one in elements:
                    self._follow(one.value)
            case cst.ListComp(elt=value) | cst.GeneratorExp(elt=value) | cst.DictComp(value=value):
                self._follow(value)
            case cst.IfExp(body=body, orelse=orelse):
                self._follow(body)
                self._follow(orelse)
            case cst.BooleanOperation(left=left, right=right) | cst.BinaryOperation(left=left, right=right):
                self._follow(left)
                self._follow(right)
            case _:
                pass

    def _follow_call(self, call: cst.Call) -> None:
        name = dotted(call.func) or ""
        callee = self.types.get(call.func, UNKNOWN)
        if name in _REORDERING:
            for argument in call.args:
                self._follow(argument.value)
        elif isinstance(callee, Callback) and callee.result == UNKNOWN:
            for value in self.values.get(f"{name}()", ()):
                self._follow(value)
            for value in self.values.get(name, ()):
                if isinstance(value, cst.Lambda):
                    self._follow(value.body)
            choices = (cst.Name, cst.Attribute, cst.IfExp, cst.BooleanOperation)
            chosen = all(isinstance(value, choices) for value in self.values.get(name, ()))
            if callee.origin is None and name and f"{name}()" not in self.values and chosen:
                self.evidence.calls.add(call)  # `norm_layer: Callable`: whatever the caller gives.
        elif isinstance(callee, Either) and any(option == Callback(UNKNOWN) for option in callee.options):
            self.evidence.calls.add(call)  # `norm_layer: Callable = LayerNorm`
        elif isinstance(callee, Reference):
            self._note_maker(self.inference.repository.resolve(callee.path))
        elif isinstance(callee, Method) and isinstance(callee.receiver, Instance):
            self._follow_method(call, callee.receiver, callee.name)
        elif callee in (UNKNOWN, Method(UNKNOWN, name.rpartition(".")[2])) and name not in dir(builtins):
            self.evidence.calls.add(call)

    def _follow_method(self, call: cst.Call, receiver: Instance, name: str) -> None:
        """A method of a module that returns one, or an attribute of an object that holds a class."""
        if self.inference.class_definition(receiver.path) is None:
            return
        found = self.inference.method(receiver.path, name)
        if found is None:
            self.evidence.calls.add(call)
        elif self.inference.is_module_class(receiver.path):
            self._note_maker(found[1])

    def _note_maker(self, definition: Definition | None) -> None:
        """A function that returns a module: what it calls for that is a construction there."""
        if definition is None or not isinstance(definition.node, cst.FunctionDef):
            return
        open_result = (UNKNOWN, Instance(self.inference.framework.module_base))
        if self.inference.results.get(definition.path, UNKNOWN) in open_result:
            self.evidence.makers.add(definition.path)
            self.evidence.definitions[definition.path] = definition
