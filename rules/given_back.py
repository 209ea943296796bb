"""Functions that change arrays of their callers in place, and how their callers can have the new ones.

`fill_(weight, bias)` changes two arrays and returns nothing: where arrays do not change, it returns them, and its
callers bind them to the names again. A function that returns the changed array anyway stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from ..rewriter.infer import Inference
from ..rewriter.lattice import UNKNOWN, Array, Reference
from ..rewriter.liveness import target_names
from ..rewriter.names import dotted
from ..rewriter.nodes import children
from ..rewriter.sharing import Aliases
from ..rewriter.storage import Storage, root_name

_PLAIN_DECORATORS = frozenset(("staticmethod", "torch.no_grad", "torch.inference_mode"))


_CHANGING = frozenset((cst.AugAssign, cst.AssignTarget, cst.Call))
_BINDING = frozenset((
    cst.AssignTarget, cst.AnnAssign, cst.For, cst.NamedExpr, cst.CompFor, cst.AsName, cst.Del, cst.MatchAs, cst.Global,
    cst.Nonlocal,
))  # fmt: skip


@dataclass(frozen=True)
class GivenBack:
    """The parameters whose new arrays a function's callers need.

    itself: the function returns its one changed array already. is_seen: every call of it is known.
    """

    names: tuple[str, ...]
    itself: bool
    is_seen: bool


def given_back(aliases: Aliases, function: cst.CSTNode) -> GivenBack | None:
    """What a function gives back of the arrays that it changes; None if it changes none, or cannot give them back."""
    if not isinstance(function, cst.FunctionDef):
        return None
    known: dict[cst.CSTNode, GivenBack | None] = aliases.__dict__.setdefault("_given_back", {})
    if function not in known:
        known[function] = None  # recursion changes nothing
        file = _file_of(aliases.inference).get(function)
        known[function] = _Changes(aliases, function, file).found() if file is not None else None
    return known[function]


def _file_of(inference: Inference) -> dict[cst.CSTNode, str]:
    """The file of each function at the top level of a file or a class."""
    known: dict[cst.CSTNode, str] | None = inference.__dict__.get("_functions_by_file")
    if known is None:
        known = inference.__dict__["_functions_by_file"] = {
            node: file
            for file, module in inference.modules.items()
            for body in (module.body, *(owner.body.body for owner in inference.nodes(file).of(cst.ClassDef)))
            for node in body
            if isinstance(node, cst.FunctionDef)
        }
    return known


def _owners(inference: Inference) -> dict[str, list[str]]:
    """The classes that have a method of a name, for every name."""
    known: dict[str, list[str]] | None = inference.__dict__.get("_owners_by_method")
    if known is None:
        known = inference.__dict__["_owners_by_method"] = {}
        for file in inference.modules:
            for owner in inference.nodes(file).of(cst.ClassDef):
                path = f"{inference.repository.scopes[file].module}.{owner.name.value}"
                for name in {node.name.value for node in owner.body.body if isinstance(node, cst.FunctionDef)}:
                    known.setdefault(name, []).append(path)
    return known


def own_nodes(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The nodes of a function without those of functions, lambdas and classes in it."""
    stack = children(node)
    stack.reverse()
    while stack:
        child = stack.pop()
        if type(child) not in (cst.FunctionDef, cst.Lambda, cst.ClassDef):
            yield child
            stack.extend(reversed(children(child)))


class _Changes:
    """The changes that one function makes to what its parameters hold."""

    def __init__(self, aliases: Aliases, function: cst.FunctionDef, file: str) -> None:
        self.aliases = aliases
        self.function = function
        self.file = file
        self.inference = aliases.inference
        self.types = self.inference.files[file].types
        self.nodes = list(own_nodes(function.body))

    def found(self) -> GivenBack | None:
        if not self.aliases.calls_of(self.function) or not self._is_plain():
            return None  # without a call in sight nobody would take the arrays
        changes = [node for node in self.nodes if type(node) in _CHANGING]
        changed = {name for node in changes for name in self._changed(node)} - self._rebound()
        names = tuple(name for name in self.aliases.passed_names(self.function) if name in changed and self._is_lost(name))
        if not names:
            return None
        analysis = self.aliases.function(self.function, self.file)
        itself = analysis.returns_value
        if itself and not self._returns(names):
            return None
        return GivenBack(names, itself, self._is_seen())

    def _is_plain(self) -> bool:
        """Whether the function is one that callers find by its name, and that returns when it ends."""
        name = self.function.name.value
        inference = self.inference
        scope = inference.repository.scopes[self.file]
        decorators = [
            inference.global_path(scope, dotted(node.decorator.func if isinstance(node.decorator, cst.Call) else node.decorator) or "")
            or dotted(node.decorator) for node in self.function.decorators
        ]  # fmt: skip
        if self.function.asynchronous or not all(path in _PLAIN_DECORATORS for path in decorators):
            return False
        if name.startswith("__") or name in inference.framework.forward_methods:
            return False
        return not self._is_overridden() and not any(isinstance(node, cst.Yield) for node in self.nodes)

    def _is_overridden(self) -> bool:
        """Whether a class above or below has a method of the same name."""
        inference = self.inference
        owners = _owners(inference).get(self.function.name.value, [])
        own = [path for path in owners if self._defines(path)]
        return any(
            path not in own and (set(own) & set(inference.ancestors(path)) or any(path in inference.ancestors(one) for one in own))
            for path in owners
        )

    def _defines(self, owner: str) -> bool:
        found = self.inference.method(owner, self.function.name.value)
        return found is not None and found[0] == owner and found[1].node is self.function

    def _is_lost(self, name: str) -> bool:
        return not self.aliases.callers_lose_nothing(self.function, name)

    def _returns(self, names: tuple[str, ...]) -> bool:
        """Whether every return gives back the one array."""
        returns = [node.value for node in self.nodes if isinstance(node, cst.Return)]
        last = self.function.body.body[-1] if isinstance(self.function.body, cst.IndentedBlock) else None
        ends = isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Return)
        return ends and len(names) == 1 and all(isinstance(value, cst.Name) and value.value == names[0] for value in returns)

    def _rebound(self) -> set[str]:
        """The names that come to stand for another object."""
        found: set[str] = set()
        for node in self.nodes:
            if type(node) not in _BINDING:
                continue
            match node:
                case cst.AssignTarget(target=target) | cst.AnnAssign(target=target) | cst.For(target=target):
                    found.update(target_names(target))
                case cst.NamedExpr(target=target) | cst.CompFor(target=target):
                    found.update(target_names(target))
                case cst.AsName(name=name):
                    found.update(target_names(name))
                case cst.Del(target=target) | cst.MatchAs(name=target) if target is not None:
                    found.update(target_names(target))
                case cst.Global(names=names) | cst.Nonlocal(names=names):
                    found.update(item.name.value for item in names)
                case _:
                    pass
        return found

    def _changed(self, node: cst.CSTNode) -> Iterator[str]:
        """The parameters whose arrays a statement or call changes, seen by its form."""
        match node:
            case cst.AugAssign(target=target):
                yield from self._array(target)
            case cst.AssignTarget(target=cst.Subscript() as target):
                yield from self._array(target.value)
            case cst.Call(func=function, args=args):
                name = function.attr.value if isinstance(function, cst.Attribute) else ""
                callee = self.types.get(function)
                path = callee.path if isinstance(callee, Reference) else ""
                if self._is_in_place(path or name):
                    yield from self._array(args[0].value if path and args else function)
                for argument in args:
                    if argument.keyword is not None and argument.keyword.value == "out":
                        yield from self._array(argument.value)
                yield from self._handed_on(node)

    def _is_in_place(self, name: str) -> bool:
        last = name.rpartition(".")[2]
        skipped = self.inference.framework.framework.fact("not_in_place", default=())
        return last.endswith("_") and not last.endswith("__") and last not in skipped

    def _handed_on(self, call: cst.Call) -> Iterator[str]:
        """Arguments of another function that gives them back."""
        definition = self.aliases.definition(self.types.get(call.func, UNKNOWN))
        function = definition.node if definition is not None else None
        found = given_back(self.aliases, function) if isinstance(function, cst.FunctionDef) else None
        for name in found.names if found is not None else ():
            value = self.aliases.argument(call, function, name)  # type: ignore[arg-type]
            if isinstance(value, (cst.Name, cst.Subscript)):
                yield from self._array(value)

    def _array(self, node: cst.CSTNode) -> Iterator[str]:
        """The parameter at the root of an expression, if it is an array and no module's variable."""
        name = root_name(node)
        root = node
        while isinstance(root, (cst.Attribute, cst.Subscript, cst.Call)):
            root = root.func if isinstance(root, cst.Call) else root.value
        value = self.types.get(root)
        if name is None or not isinstance(value, Array) or value.storage:
            return
        storage = Storage("parameter", name)
        if any(storage in held for held in self._held(name)):
            yield name

    def _held(self, name: str) -> Iterator[frozenset[Storage]]:
        analysis = self.aliases.function(self.function, self.file)
        for environment in (*analysis.before.values(), analysis.last):
            yield environment.get(name, frozenset())

    def _is_seen(self) -> bool:
        """Whether the function's name stands nowhere but at its calls and where it is defined or imported."""
        name = self.function.name.value
        alike = [node for node in _file_of(self.inference) if isinstance(node, cst.FunctionDef) and node.name.value == name]
        calls = [place.call.func for node in alike for place in self.aliases.calls_of(node)]
        names = {call.attr if isinstance(call, cst.Attribute) else call for call in calls}
        names |= {node.name for node in alike}
        imports = 0
        mentions = 0
        for file in self.inference.modules:
            nodes = self.inference.nodes(file)
            imports += sum(alias.name.value == name for alias in nodes.of(cst.ImportAlias))
            mentions += sum(node.value == name and node not in names for node in nodes.of(cst.Name))
        return mentions == imports
