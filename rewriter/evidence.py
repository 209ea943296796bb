"""What the body of a function says of a parameter without annotation: is it an array, or a module?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import libcst as cst

from .liveness import target_names
from .names import dotted
from .nodes import NodesByKind

#: Attributes read rather than called that only arrays of any framework have.
_ARRAY_FACTS = frozenset({"shape", "ndim", "dtype"})
#: Attributes of containers and strings that no array has.
OTHER_ATTRIBUTES = frozenset(
    """append extend insert items keys get update setdefault popitem startswith endswith lower upper strip format
    join""".split()
)
_BUILTIN_ATTRIBUTES = frozenset(
    name for kind in (str, bytes, list, dict, set, tuple, int, float, complex) for name in dir(kind)
)


class ArrayEvidence:
    """Facts about which attributes and functions only arrays have.

    unique_attributes: attributes that only this framework's array class has.
    unique_calls: attributes that others have too, but only an array's can be called.
    shared_attributes: its methods that other array classes have too: they count where this framework is used and no
    other.
    keywords: argument names that only its methods take.
    module_calls: methods that only modules have.
    mode_flags, mode_switches: attributes that tell a module's mode, and methods without arguments that set it.
    own_method: whether the repository's classes have a method of a name, with a call one that takes its arguments: then
    the name tells nothing.
    array_function: whether a call's first argument must be an array, by dotted name in the file.
    """

    def __init__(
        self,
        unique_attributes: frozenset[str],
        unique_calls: frozenset[str],
        shared_attributes: frozenset[str],
        keywords: frozenset[str],
        module_calls: frozenset[str],
        own_method: Callable[[str, cst.Call | None], bool],
        mode_flags: frozenset[str] = frozenset(),
        mode_switches: frozenset[str] = frozenset(),
    ) -> None:
        self.unique_attributes = unique_attributes - _BUILTIN_ATTRIBUTES
        self.unique_calls = unique_calls
        self.shared_attributes = shared_attributes - _BUILTIN_ATTRIBUTES
        self.keywords = keywords
        self.module_calls = module_calls
        self.own_method = own_method
        self.mode_flags = mode_flags
        self.mode_switches = mode_switches

    def names(
        self,
        function: cst.FunctionDef | cst.Lambda,
        array_function: Callable[[cst.BaseExpression], bool],
        framework_of: Callable[[str], str | None],
        imported: frozenset[str],
        nodes: NodesByKind,
    ) -> dict[str, bool]:
        """Name → True (an array), False (certainly something else); others are absent.

        The names are the parameters, and those that every assignment binds to what a call gives.

        framework_of: the array framework that a global name of the file belongs to; `own` for the source framework.
        imported: the array frameworks that the file imports, likewise. nodes: those of the file.
        """
        mentioned = {framework_of(node.value) for node in nodes.within(function.body, cst.Name)} - {None}
        shared = self.shared_attributes if (mentioned or imported) == {"own"} else frozenset()
        names = {p.name.value for p in all_parameters(function.params)} | _bound_to_calls(nodes, function.body)
        found: dict[str, bool] = {}

        def note(expression: cst.CSTNode, value: bool) -> None:
            if isinstance(expression, cst.Name) and expression.value in names:
                found[expression.value] = found.get(expression.value, True) and value

        for node in nodes.within(function.body, cst.Attribute, cst.AssignTarget, cst.Call):
            if type(node) is cst.Attribute:
                attribute = node.attr.value
                unique = attribute in self.unique_attributes and not self.own_method(attribute, None)
                if unique or (shared and attribute in _ARRAY_FACTS):
                    note(node.value, True)
                elif attribute in OTHER_ATTRIBUTES:
                    note(node.value, False)
            elif type(node) is cst.AssignTarget and type(node.target) is cst.Attribute:
                if node.target.attr.value in _ARRAY_FACTS:  # `config.dtype = dtype`
                    note(node.target.value, False)
            elif type(node) is cst.Call:
                note(node.func, False)  # arrays are not called
                if isinstance(node.func, cst.Attribute) and self._is_own_call(node, node.func.attr.value):
                    note(node.func.value, False)
                if isinstance(node.func, cst.Attribute) and self._is_array_call(node, node.func.attr.value, shared):
                    note(node.func.value, True)
                if node.args and not node.args[0].star and array_function(node.func):
                    first = node.args[0]
                    if first.keyword is None:
                        note(first.value, True)
        return found

    def modules(self, nodes: NodesByKind, body: cst.CSTNode) -> frozenset[str]:
        """The names and attributes, as `net` or `self.net`, on which code does what only modules allow.

        Asking for the mode and switching it tell only together: other objects have either.
        """
        found: set[str | None] = set()
        asked: set[str | None] = set()
        switched: set[str | None] = set()
        for call in nodes.within(body, cst.Call):
            if call.args or type(call.func) is not cst.Attribute:
                continue
            if call.func.attr.value in self.module_calls:
                found.add(dotted(call.func.value))
            elif call.func.attr.value in self.mode_switches:
                switched.add(dotted(call.func.value))
        for attribute in nodes.within(body, cst.Attribute):
            if attribute.attr.value in self.mode_flags:
                asked.add(dotted(attribute.value))
        return frozenset(name for name in (*found, *(asked & switched)) if name is not None)

    def _is_array_call(self, call: cst.Call, name: str, shared: frozenset[str]) -> bool:
        """Whether only an array can have this method called on it."""
        if name in self.unique_attributes or name in self.unique_calls or name in shared:
            return not self.own_method(name, call)
        return any(argument.keyword is not None and argument.keyword.value in self.keywords for argument in call.args)


    def _is_own_call(self, call: cst.Call, name: str) -> bool:
        """Whether a method is the repository's, and no array of any framework has one of its name."""
        known = self.unique_attributes | self.unique_calls | self.shared_attributes | self.module_calls
        return name not in known and self.own_method(name, call)


#: What binds names.
_BINDING = (cst.Assign, cst.AugAssign, cst.AnnAssign, cst.For, cst.NamedExpr, cst.CompFor, cst.AsName)


def _bound_to_calls(nodes: NodesByKind, body: cst.CSTNode) -> set[str]:
    """The names that are only ever bound to the results of calls, alone or several at a time."""
    called: set[str] = set()
    other: set[str] = set()
    for node in nodes.within(body, *_BINDING):
        match node:
            case cst.Assign(targets=[cst.AssignTarget(target=target)], value=value):
                (called if isinstance(value, cst.Call) else other).update(target_names(target))
            case cst.Assign(targets=targets):
                other.update(name for each in targets for name in target_names(each.target))
            case cst.AugAssign(target=target) | cst.AnnAssign(target=target) | cst.For(target=target):
                other.update(target_names(target))
            case cst.NamedExpr(target=target) | cst.CompFor(target=target):
                other.update(target_names(target))
            case cst.AsName(name=name):
                other.update(target_names(name))
            case _:
                pass
    return called - other


def all_parameters(parameters: cst.Parameters) -> Iterator[cst.Param]:
    """Every named parameter of a function, without the starred ones."""
    yield from (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)
