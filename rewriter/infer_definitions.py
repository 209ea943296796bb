"""What the repository's definitions are: attributes of classes, results of functions, values of modules' names."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Mapping as AbstractMapping

import libcst as cst

from .infer_expressions import Environment
from .infer_parameters import ParameterTypes, decorator_name
from .infer_statements import StatementWalker
from .lattice import NONE, UNKNOWN, Array, Callback, Instance, Method, Reference, Type, join, without_storage
from .names import Definition, FileScope, Repository
from .observations import filled
from .tables import Tables


class DefinitionTypes(ParameterTypes):
    """Types of attributes, functions and global names, each definition walked once in a pass."""

    def __init__(
        self, repository: Repository, modules: AbstractMapping[str, cst.Module], tables: Tables, source: str
    ) -> None:
        super().__init__(repository, modules, tables, source)
        self.attributes: dict[str, dict[str, Type]] = {}
        self.results: dict[str, Type] = {}
        self.globals: dict[str, Environment] = {}
        self._previous_attributes: dict[str, dict[str, Type]] = {}
        self._previous_results: dict[str, Type] = {}
        self._generators: dict[cst.CSTNode, bool] = {}
        self._done: set[cst.CSTNode] = set()

    @abstractmethod
    def walker(self, scope: FileScope, environment: Environment) -> StatementWalker:
        """A walker that records into the types of the scope's file."""

    def _module_globals(self, path: str) -> Environment:
        """Walk a file's top level once in a pass, and everything defined there."""
        if path not in self.globals:
            environment: Environment = {}
            self.globals[path] = environment
            self.walker(self.repository.scopes[path], environment).walk(self.modules[path])
        return self.globals[path]

    def reference_type(self, path: str) -> Type:
        """What a dotted path stands for: a constant's type, a variable's type, or a reference."""
        path = self.framework.own_name(path)
        constant = self.framework.constant(path)
        if constant is not None:
            return constant
        definition = self.repository.resolve(path)
        if definition is None:
            handed_on = self.framework.own_name(self.repository.canonical(path))
            is_ours = handed_on != path and self.framework.owns(handed_on)
            return self.reference_type(handed_on) if is_ours else self._class_attribute(path)
        if isinstance(definition.node, (cst.ClassDef, cst.FunctionDef)):
            return Reference(definition.path)
        name = definition.path.rpartition(".")[2]
        return self._module_globals(definition.file).get(name, UNKNOWN)

    def _class_attribute(self, path: str) -> Type:
        """`Settings.width`: what the class keeps under that name; a reference where that is a method or not known."""
        owner, _, name = path.rpartition(".")
        if self.class_definition(owner) is None:
            return Reference(path)
        if any(base.startswith("enum.") for base in self.ancestors(owner)):
            return Instance(owner)
        found = self._instance_attribute(Instance(owner), name)
        return Reference(path) if isinstance(found, Method) or found == UNKNOWN else found

    # Attributes.

    def assign_attribute(self, owner: Instance, name: str, value: Type) -> None:
        """Remember what an attribute of a repository class was assigned."""
        known = self.attributes.setdefault(owner.path, {})
        known[name] = join(known[name], value) if name in known else value

    def attribute(self, owner: Type, name: str) -> Type:
        """The type of `owner.name`; a `Method` where it is something to call."""
        if isinstance(owner, Instance):
            return self._instance_attribute(owner, name)
        if isinstance(owner, Array):
            known = self.framework.array_attribute(name)
            return known if known is not None else Method(owner, name)
        if isinstance(owner, Method):
            unknown = owner.receiver == UNKNOWN or name in self.evidence.unique_attributes
            if isinstance(owner.receiver, Instance) and self.method(owner.receiver.path, owner.name) is None:
                unknown = True  # an attribute that nothing tells of
            return Method(UNKNOWN, name) if unknown else UNKNOWN
        known = self.framework.value_attribute(owner, name)
        if known is None and owner == UNKNOWN and self.framework.conventional(name) != UNKNOWN:
            return self.framework.conventional(name)
        return known if known is not None else Method(owner, name)

    def _instance_attribute(self, owner: Instance, name: str) -> Type:
        known = self._known_attribute(owner, name)
        definition = self.class_definition(owner.path) if self.observed.observations is not None else None
        if definition is None:
            return known
        seen = self.observed.attribute(definition.file, owner.path.rpartition(".")[2], name)
        says_nothing = known == NONE or (isinstance(known, Method) and self.method(owner.path, name) is None)
        return seen if says_nothing and seen != UNKNOWN else filled(known, seen)

    def _known_attribute(self, owner: Instance, name: str) -> Type:
        for path in self.ancestors(owner.path):
            definition = self.class_definition(path)
            if definition is None:
                known = self.framework.instance_attribute(path, name)
                if known is not None:
                    return known
                continue
            self._analyze_class(definition)
            found = self.attributes.get(path, {}).get(name) or self._previous_attributes.get(path, {}).get(name)
            if found == UNKNOWN and f"self.{name}" in self._evident_modules(definition.node, definition.file):  # type: ignore[arg-type]
                return Instance(self.framework.module_base)
            if found is not None:
                return found
            method = self.method(path, name)
            if method is not None and method[0] == path:
                return self._method_attribute(owner, method[1])
        return Method(owner, name)

    def _method_attribute(self, owner: Instance, definition: Definition) -> Type:
        assert isinstance(definition.node, cst.FunctionDef)
        decorators = {decorator_name(decorator) for decorator in definition.node.decorators}
        if decorators & {"property", "cached_property", "functools.cached_property"}:
            return self.function_result(definition)
        return Method(owner, definition.node.name.value)

    def _analyze_class(self, definition: Definition) -> None:
        node = definition.node
        assert isinstance(node, cst.ClassDef)
        if node in self._done:
            return
        self._done.add(node)
        scope = self.repository.scopes[definition.file]
        walker = self.walker(scope, {})
        walker.function = node
        for base in (*node.bases, *node.keywords):
            walker.evaluate(base.value)
        for decorator in node.decorators:
            walker.evaluate(decorator.decorator)
        owner = Instance(definition.path)
        methods = []
        for statement in node.body.body:
            if isinstance(statement, cst.FunctionDef):
                methods.append(statement)
            else:
                walker.statement(statement)
        for name, value in walker.environment.items():
            self.assign_attribute(owner, name, value)
        methods.sort(key=lambda method: method.name.value != "__init__")
        for method in methods:
            self.function_result(Definition(f"{definition.path}.{method.name.value}", definition.file, method,
                                            definition.path))  # fmt: skip

    # Functions.

    def analyze_definition(self, node: cst.CSTNode, walker: StatementWalker) -> Type:
        """Analyse a function or class where the walker meets its definition; local ones become callables."""
        assert isinstance(node, (cst.FunctionDef, cst.ClassDef))
        path = f"{walker.scope.module}.{node.name.value}"
        known = walker.scope.definitions.get(node.name.value)
        top_level = known is not None and known.node is node
        if isinstance(node, cst.ClassDef):
            self._analyze_class(Definition(path, walker.scope.file, node))
            return UNKNOWN if top_level else Reference(path)
        assert isinstance(node, cst.FunctionDef)
        if top_level:
            assert known is not None
            self.function_result(known)
            return UNKNOWN
        return Callback(self._analyze_function(Definition("", walker.scope.file, node), walker.environment), node)

    def result_of_reference(self, path: str) -> Type:
        """What a function of the repository or of the framework gives, whatever its arguments."""
        definition = self.repository.resolve(path)
        if definition is None:
            return self.framework.function_result(Reference(path))
        return self.function_result(definition) if isinstance(definition.node, cst.FunctionDef) else UNKNOWN

    def function_result(self, definition: Definition) -> Type:
        """The type that a function returns, whatever its arguments."""
        node = definition.node
        assert isinstance(node, cst.FunctionDef)
        if node in self._done:
            return self.results.get(definition.path, self._previous_results.get(definition.path, UNKNOWN))
        self._done.add(node)
        result = self._analyze_function(definition, {})
        self.results[definition.path] = result
        return result

    def _analyze_function(self, definition: Definition, outer: Environment) -> Type:
        node = definition.node
        assert isinstance(node, cst.FunctionDef)
        scope = self.repository.scopes[definition.file]
        walker = self.walker(scope, dict(outer))
        for decorator in node.decorators:
            walker.evaluate(decorator.decorator)
        walker.function = node
        self._bind_parameters(walker, node, definition)
        walker.evident = functools.partial(self._evident, scope, node)
        walker.walk(node.body)
        if node.returns is not None:
            declared = self.annotated(scope, node.returns.annotation)
            if declared not in (UNKNOWN, NONE):
                return declared
        if node not in self._generators:
            self._generators[node] = bool(self.nodes(definition.file).within(node.body, cst.Yield))
        found = without_storage(walker.result(self._generators[node]))
        return filled(found, without_storage(self.observed.result(definition.file, node)))
