"""What a function's parameters are: from annotations, defaults and calls, and from what the body does with them."""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, field, replace

import libcst as cst

from .annotations import names_several
from .evidence import ArrayEvidence, all_parameters
from .infer_expressions import ExpressionEvaluator
from .infer_statements import StatementWalker
from .lattice import (
    ARRAY,
    NONE,
    STR,
    UNKNOWN,
    Array,
    Callback,
    Instance,
    Mapping,
    Partial,
    Reference,
    Sequence,
    Tuple,
    Type,
    item_type,
    join,
    without_storage,
)
from .local_functions import LocalCalls
from .names import Definition, FileScope, Repository
from .observations import filled
from .read import BoundOp, Refusal, literal
from .repository_names import RepositoryNames
from .tables import Tables


@dataclass
class FileTypes:
    """What inference found in one file: a type for each expression, and the bound op of each that is one."""

    types: dict[cst.CSTNode, Type] = field(default_factory=dict)
    bound: dict[cst.CSTNode, BoundOp | Refusal] = field(default_factory=dict)


class ParameterTypes(RepositoryNames):
    """The types of parameters, from the calls of the pass before; notes the calls of this one for the next."""

    def __init__(
        self, repository: Repository, modules: AbstractMapping[str, cst.Module], tables: Tables, source: str
    ) -> None:
        super().__init__(repository, modules, tables, source)
        self.evidence = ArrayEvidence(
            self.framework.unique_attributes,
            self.framework.unique_calls,
            self.framework.array_attributes,
            self.framework.evidence_keywords,
            self.framework.module_calls,
            self.defines_method,
            self.framework.mode_flags,
            self.framework.mode_switches,
        )
        self.files: dict[str, FileTypes] = {}
        self.call_sites: dict[str, dict[str, Type]] = {}
        self._previous_call_sites: dict[str, dict[str, Type]] = {}
        self.local_calls = LocalCalls()
        self._evidence_cache: dict[cst.CSTNode, dict[str, bool]] = {}
        self._evident_modules_cache: dict[cst.CSTNode, frozenset[str]] = {}

    def _bind_parameters(self, walker: StatementWalker, node: cst.FunctionDef, definition: Definition) -> None:
        parameters = list(all_parameters(node.params))
        static = any(decorator_name(decorator) == "staticmethod" for decorator in node.decorators)
        static = static and not self._takes_function_context(definition)
        if definition.owner and parameters and not static:
            first = parameters.pop(0)
            is_class = any(decorator_name(decorator) == "classmethod" for decorator in node.decorators)
            owner = Reference(definition.owner) if is_class else Instance(definition.owner)
            walker.environment[first.name.value] = owner
        for parameter in parameters:
            default = walker.evaluate(parameter.default) if parameter.default is not None else UNKNOWN
            value = self._parameter_type(walker.scope, parameter, default, definition)
            value = self._with_observed(value, parameter, definition)
            walker.environment[parameter.name.value] = value
            walker.types[parameter] = value
        if isinstance(node.params.star_arg, cst.Param):
            item = self._star_type(walker.scope, node.params.star_arg, definition)
            value = self._with_observed(Sequence(item, "tuple"), node.params.star_arg, definition)
            walker.environment[node.params.star_arg.name.value] = walker.types[node.params.star_arg] = value
        if node.params.star_kwarg is not None:
            value = self._with_observed(Mapping(UNKNOWN), node.params.star_kwarg, definition)
            walker.environment[node.params.star_kwarg.name.value] = walker.types[node.params.star_kwarg] = value

    def _with_observed(self, known: Type, parameter: cst.Param, definition: Definition) -> Type:
        """A parameter's type with what a run passed for it where it says nothing."""
        assert isinstance(definition.node, cst.FunctionDef)
        found = filled(known, self._passed(parameter, definition))
        self.observed.compare(definition.file, definition.node, parameter, found)
        return found

    def _passed(self, parameter: cst.Param, definition: Definition) -> Type:
        """What a run passed for a parameter; one that is said to be one of several may be another the next time."""
        node = definition.node
        assert isinstance(node, cst.FunctionDef)
        if parameter.annotation is not None and names_several(parameter.annotation.annotation):
            return UNKNOWN
        seen = without_storage(self.observed.parameter(definition.file, node, parameter.name.value))
        is_other = self._evident(self.repository.scopes[definition.file], node).get(parameter.name.value) is False
        return UNKNOWN if is_other and isinstance(seen, Array) else seen

    def _star_type(self, scope: FileScope, parameter: cst.Param, definition: Definition) -> Type:
        if parameter.annotation is not None:
            return self.annotated(scope, parameter.annotation.annotation)
        is_open = item_type(self._passed(parameter, definition)) == UNKNOWN
        return ARRAY if is_open and self.is_forward(definition) else UNKNOWN

    def _parameter_type(self, scope: FileScope, parameter: cst.Param, default: Type, definition: Definition) -> Type:
        if parameter.annotation is not None:
            declared = self.annotated(scope, parameter.annotation.annotation)
            # `Callable` says less than the class or function that is the default.
            vague = declared == Callback(UNKNOWN) and isinstance(default, (Reference, Partial))
            if declared not in (UNKNOWN, NONE) and not vague:
                return declared
        name = parameter.name.value
        if default not in (UNKNOWN, NONE):
            seen = self._previous_call_sites.get(definition.path, {}).get(name)
            value = default if seen is None or isinstance(default, Reference) else join(default, seen)
            conventional = self.framework.conventional(name)
            return conventional if value in (UNKNOWN, STR) and conventional != UNKNOWN else value
        node = definition.node
        assert isinstance(node, cst.FunctionDef)
        given = self._given_by_decorator(node, name, scope)
        if given != UNKNOWN:
            return given
        evident = self._evident(scope, node).get(name)
        if evident:
            return ARRAY
        seen = self._seen_argument(definition, parameter)
        if isinstance(seen, Array) and definition.path and not _is_private(definition.path):
            seen = replace(seen, rank=None)  # others may call it with another number of axes
        if seen == UNKNOWN and not definition.path:
            seen = self.local_parameter(node, name, definition.file)
        if seen != UNKNOWN and seen != NONE:
            return without_storage(seen)
        if name in self._evident_modules(node, definition.file):
            return Instance(self.framework.module_base)
        passed = self._passed(parameter, definition)
        if passed != UNKNOWN:  # more than a guess
            return passed
        if self.is_forward(definition) and evident is None and parameter.annotation is None:
            return ARRAY
        return self.framework.conventional(name)

    def _evident(self, scope: FileScope, node: cst.FunctionDef | cst.Lambda) -> dict[str, bool]:
        """What the body of a function says of its names."""
        if node not in self._evidence_cache:
            self._evidence_cache[node] = self.evidence.names(
                node,
                lambda function: self._is_array_function(scope, function),
                lambda name: self._framework_of(scope, name),
                self._imported_frameworks(scope),
                self.nodes(scope.file),
            )
        return self._evidence_cache[node]

    def evident_arrays(self, scope: FileScope, node: cst.Lambda) -> list[str]:
        """The parameters of a lambda that can only be arrays."""
        return [name for name, is_array in self._evident(scope, node).items() if is_array]

    def _evident_modules(self, node: cst.FunctionDef | cst.ClassDef, file: str) -> frozenset[str]:
        if node not in self._evident_modules_cache:
            self._evident_modules_cache[node] = self.evidence.modules(self.nodes(file), node.body)
        return self._evident_modules_cache[node]

    def _is_array_function(self, scope: FileScope, function: cst.BaseExpression) -> bool:
        path = self._base_path(scope, function)
        return path is not None and self.framework.takes_array_first(path)

    def _given_by_decorator(self, node: cst.FunctionDef, name: str, scope: FileScope) -> Type:
        """The values that a test's `parametrize` decorator passes for a parameter."""
        types = self.files[scope.file].types
        for decorator in node.decorators:
            call = decorator.decorator
            if not (isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) and len(call.args) > 1):
                continue
            names = literal(call.args[0].value)
            if call.func.attr.value != "parametrize" or not isinstance(names, str):
                continue
            parts = [part.strip() for part in names.split(",")]
            item = item_type(types.get(call.args[1].value, UNKNOWN))
            if parts == [name]:
                return item
            if name in parts and isinstance(item, Tuple) and len(item.items) == len(parts):
                return item.items[parts.index(name)]
        return UNKNOWN

    def _seen_argument(self, definition: Definition, parameter: cst.Param) -> Type:
        """What the calls of a function pass for a parameter; those of the method it overrides count too."""
        name = parameter.name.value
        seen = self._previous_call_sites.get(definition.path, {}).get(name, UNKNOWN)
        if seen != UNKNOWN or not definition.owner:
            return seen
        node = definition.node
        assert isinstance(node, cst.FunctionDef)
        index = next((i for i, p in enumerate(all_parameters(node.params)) if p is parameter), -1)
        for owner in self.ancestors(definition.owner)[1:]:
            overridden = self.method(owner, node.name.value)
            if overridden is not None:
                base = overridden[1].node
                assert isinstance(base, cst.FunctionDef)
                names = [p.name.value for p in all_parameters(base.params)]
                known = names[index] if 0 <= index < len(names) else name
                return self._previous_call_sites.get(overridden[1].path, {}).get(known, UNKNOWN)
        return UNKNOWN

    def local_parameter(self, function: cst.FunctionDef | cst.Lambda, name: str, file: str) -> Type:
        """What all calls of a function inside a function, or of a lambda with a name, pass for a parameter."""
        known = without_storage(self.local_calls.parameter(function, name, file, self.nodes))
        return filled(known, without_storage(self.observed.parameter(file, function, name)))

    def _note_call(
        self, definition: Definition, call: cst.Call, evaluator: ExpressionEvaluator, *, skip_first: bool
    ) -> None:
        """Join the argument types of a call into the callee's parameters, for the next pass."""
        node = definition.node
        assert isinstance(node, cst.FunctionDef)
        sites = self.call_sites.setdefault(definition.path, {})
        positional = [*node.params.posonly_params, *node.params.params]
        static = any(decorator_name(decorator) == "staticmethod" for decorator in node.decorators)
        static = static and not self._takes_function_context(definition)
        if skip_first and positional and not static:
            positional = positional[1:]
        index = 0
        for argument in call.args:
            if argument.star:
                return
            value = evaluator.types.get(argument.value, UNKNOWN)
            if argument.keyword is not None:
                name = argument.keyword.value
            elif index < len(positional):
                name = positional[index].name.value
                index += 1
            else:
                return
            sites[name] = join(sites[name], value) if name in sites else value


def decorator_name(decorator: cst.Decorator) -> str:
    """The dotted name of a decorator, whether it is called or not."""
    node = decorator.decorator
    if isinstance(node, cst.Call):
        node = node.func
    parts = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if isinstance(node, cst.Name):
        parts.append(node.value)
    return ".".join(reversed(parts))


def _is_private(path: str) -> bool:
    """Whether a function is called from its own repository only."""
    return path.rpartition(".")[2].startswith("_")
