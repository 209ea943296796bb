"""What the names of a repository stand for: paths across files, classes with their bases and methods, annotations."""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping

import libcst as cst

from .annotations import NamesOf, annotation_type
from .framework_types import FrameworkTypes
from .lattice import UNKNOWN, Either, Instance, Mapping, Reference, Sequence, Tuple, Type, join_all
from .method_definitions import MethodDefinitions
from .names import Definition, FileScope, Repository, bind_import, dotted
from .nodes import NodesByKind
from .observations import ObservedTypes
from .tables import Tables

#: Bases of classes that describe tuples and dictionaries.
_DESCRIPTIONS = frozenset(("typing.NamedTuple", "typing.TypedDict", "typing_extensions.TypedDict"))


class RepositoryNames:
    """Paths, classes and annotations over all files of a conversion: what holds before and after any pass."""

    def __init__(
        self, repository: Repository, modules: AbstractMapping[str, cst.Module], tables: Tables, source: str
    ) -> None:
        self.repository = repository
        self.modules = modules
        self.tables = tables
        self.source = source
        self.framework = FrameworkTypes(tables, source)
        self.observed = ObservedTypes(None, modules, self.nodes, self._observed_class)
        self._module_cache: dict[str, bool] = {}
        self._mixins: frozenset[str] | None = None
        self._path_cache: dict[tuple[str, str], str | None] = {}
        self._ancestors: dict[str, list[str]] = {}
        self._found_methods: dict[tuple[str, str], tuple[str, Definition] | None] = {}
        self._aliases: set[str] = set()
        self._kinds: dict[str, NodesByKind] = {}
        self._methods: MethodDefinitions | None = None

    def nodes(self, file: str) -> NodesByKind:
        """All nodes of a file by their class, for questions to the file as a whole."""
        if file not in self._kinds:
            self._kinds[file] = NodesByKind(self.modules[file])
        return self._kinds[file]

    # Names.

    def global_path(self, scope: FileScope, name: str) -> str | None:
        """The dotted path of a name at the top level of a file, star imports of frameworks included."""
        key = (scope.file, name)
        if key not in self._path_cache:
            self._path_cache[key] = self._find_global(scope, name)
        return self._path_cache[key]

    def _find_global(self, scope: FileScope, name: str) -> str | None:
        path = self.repository.lookup(scope, name)
        if path is not None:
            return self.framework.own_name(self.repository.canonical(path))
        for star in self.repository.foreign_stars(scope):
            if self.framework.knows(f"{star}.{name}"):
                return f"{star}.{name}"
        return None

    def import_names(self, scope: FileScope, node: cst.Import | cst.ImportFrom, imports: dict[str, str]) -> None:
        """The paths that an import statement inside a function binds."""
        stars: list[str] = []
        bind_import(self.repository, scope, node, imports, stars)
        for name, path in imports.items():
            imports[name] = self.framework.own_name(self.repository.canonical(path))

    def is_direct(self, scope: FileScope, function: cst.BaseExpression) -> bool:
        """Whether an expression names an imported object itself, and is not a variable that holds it."""
        name = (dotted(function) or "").partition(".")[0]
        if name in scope.import_names:
            return True
        path = self.global_path(scope, name) if name else None
        return path is not None and name not in scope.definitions and self.framework.owns(path)

    def _imported_frameworks(self, scope: FileScope) -> frozenset[str]:
        found = {self._framework_of(scope, name) for name in (*scope.imports, *scope.import_names)}
        return frozenset(name for name in found if name is not None)

    def _framework_of(self, scope: FileScope, name: str) -> str | None:
        path = self.global_path(scope, name)
        root = path.partition(".")[0] if path else ""
        if root in self.framework.roots:
            return "own"
        return next((f.name for f in self.tables.frameworks.values() if root in f.roots), None)

    # Classes.

    def class_definition(self, path: str) -> Definition | None:
        """The repository's class at a path."""
        definition = self.repository.resolve(path)
        return definition if definition is not None and isinstance(definition.node, cst.ClassDef) else None

    def base_paths(self, path: str) -> list[str]:
        """Dotted paths of a repository class's bases, in order; unreadable bases are left out."""
        definition = self.class_definition(path)
        if definition is None:
            return []
        scope = self.repository.scopes[definition.file]
        assert isinstance(definition.node, cst.ClassDef)
        paths = []
        for base in definition.node.bases:
            expression = base.value.value if isinstance(base.value, cst.Subscript) else base.value
            found = self._base_path(scope, expression)
            if found is not None:
                paths.append(found)
        return paths

    def _base_path(self, scope: FileScope, node: cst.BaseExpression) -> str | None:
        if isinstance(node, cst.Name):
            return self.global_path(scope, node.value)
        if isinstance(node, cst.Attribute):
            inner = self._base_path(scope, node.value)
            return self.framework.own_name(self.repository.canonical(f"{inner}.{node.attr.value}")) if inner else None
        return None

    def ancestors(self, path: str) -> list[str]:
        """The class itself and all its bases, depth first, without repetition."""
        known = self._ancestors.get(path)
        if known is not None:
            return known
        result: list[str] = []

        def add(current: str) -> None:
            if current not in result:
                result.append(current)
                for base in self.base_paths(current):
                    add(base)

        add(path)
        self._ancestors[path] = result
        return result

    def is_module_class(self, path: str) -> bool:
        """Whether a class is a module of the source framework, directly or through its bases."""
        if path not in self._module_cache:
            self._module_cache[path] = any(self.framework.is_module_base(base) for base in self.ancestors(path))
        return self._module_cache[path]

    def is_module_mixin(self, path: str) -> bool:
        """Whether a class is no module itself, but all that is made of it is: `class Net(Mixin, Module)`."""
        if self._mixins is None:
            paths = [
                definition.path
                for scope in self.repository.scopes.values()
                for definition in scope.definitions.values()
                if isinstance(definition.node, cst.ClassDef)
            ]
            bases = {path: self.ancestors(path)[1:] for path in paths}
            inner = {base for found in bases.values() for base in found}
            last = [path for path in paths if path not in inner]
            of_modules = {base for path in last if self.is_module_class(path) for base in bases[path]}
            others = {base for path in last if not self.is_module_class(path) for base in bases[path]}
            self._mixins = frozenset(
                base for base in of_modules - others if base in bases and not self.is_module_class(base)
            )
        return path in self._mixins

    def is_module(self, value: Type) -> bool:
        """Whether a value is certainly a module or a container of modules; `self` in a class that modules mix in too."""
        if isinstance(value, Instance):
            return self.is_module_class(value.path) or self.is_module_mixin(value.path)
        if isinstance(value, Either):
            return all(self.is_module(option) for option in value.options)
        return isinstance(value, (Sequence, Mapping)) and value.kind == "modules"

    def method(self, path: str, name: str) -> tuple[str, Definition] | None:
        """The class that defines a method, searched through the bases, and the method itself."""
        key = (path, name)
        if key not in self._found_methods:
            self._found_methods[key] = self._find_method(path, name)
        return self._found_methods[key]

    def _find_method(self, path: str, name: str) -> tuple[str, Definition] | None:
        for owner in self.ancestors(path):
            definition = self.class_definition(owner)
            if definition is None:
                continue
            assert isinstance(definition.node, cst.ClassDef)
            for statement in definition.node.body.body:
                if isinstance(statement, cst.FunctionDef) and statement.name.value == name:
                    return owner, Definition(f"{owner}.{name}", definition.file, statement, owner)
        return None

    def _class_method(self, path: str) -> Definition | None:
        """A method reached through its class: `Model.build(...)`."""
        owner, _, name = path.rpartition(".")
        if self.class_definition(owner) is None:
            return None
        found = self.method(owner, name)
        return found[1] if found is not None else None

    def defines_method(self, name: str, call: cst.Call | None = None) -> bool:
        """Whether any class of the repository has a method of this name; one that takes a call's arguments."""
        if self._methods is None:
            nodes = (
                definition.node for scope in self.repository.scopes.values() for definition in scope.definitions.values()
            )
            self._methods = MethodDefinitions(node for node in nodes if isinstance(node, cst.ClassDef))
        return self._methods.defines(name, call)

    def is_forward(self, definition: Definition) -> bool:
        """Whether a method is given arrays: the one that calling its module runs, or a custom function's gradient."""
        name = definition.path.rpartition(".")[2]
        if name in self.framework.custom_function_rules[1:]:
            return self._takes_function_context(definition)
        return bool(
            definition.owner and name in self.framework.forward_methods and self.is_module_class(definition.owner)
        )

    def is_custom_function(self, path: str) -> bool:
        """Whether a class says by its methods how a function and its gradient are computed."""
        bases = self.framework.custom_function_bases
        return bool(bases) and any(owner in bases for owner in self.ancestors(path))

    def _applied_rule(self, path: str) -> Definition | None:
        """The method that `Class.apply` runs."""
        owner, _, name = path.rpartition(".")
        if name != self.framework.custom_function_call or not self.is_custom_function(owner):
            return None
        found = self.method(owner, self.framework.custom_function_rules[0])
        return found[1] if found is not None else None

    def _takes_function_context(self, definition: Definition) -> bool:
        """Whether a static method's first parameter is the context that the rules of a custom function share."""
        name = definition.path.rpartition(".")[2]
        if name not in (*self.framework.custom_function_rules, self.framework.custom_function_setup):
            return False
        if not definition.owner or not self.is_custom_function(definition.owner):
            return False
        is_separate = self.method(definition.owner, self.framework.custom_function_setup) is not None
        return not (is_separate and name == self.framework.custom_function_rules[0])

    # Annotations.

    def annotated(self, scope: FileScope, node: cst.BaseExpression) -> Type:
        """The type of an annotation in a file."""
        names = NamesOf(
            lambda name: self.global_path(scope, name),
            self.instance_type,
            lambda path: self.repository.resolve(path) is not None,
        )
        return annotation_type(node, names)

    def instance_type(self, path: str) -> Type:
        """The type of an object whose class is at `path`."""
        definition = self.repository.resolve(path)
        if definition is None:
            return self.framework.annotation(path)
        if isinstance(definition.node, cst.ClassDef):
            return self._described(definition) or Instance(definition.path)
        return self._alias(definition)

    def _observed_class(self, path: str, file: str) -> Type:
        """The type of an object that a run met, by the class's path and its file in the source."""
        if file:
            name, scope = path.rpartition(":")[2], self.repository.scopes.get(file)
            return self.instance_type(f"{scope.module}.{name}") if scope is not None and "." not in name else UNKNOWN
        return UNKNOWN if ":" in path else self.framework.annotation(self.framework.own_name(path))

    def _alias(self, definition: Definition) -> Type:
        """What `OptTensor = Optional[Tensor]` and `T = TypeVar("T", bound=Module)` stand for as annotations."""
        node = definition.node
        if isinstance(node, cst.FunctionDef) or definition.path in self._aliases:
            return UNKNOWN
        if isinstance(node, cst.Call):
            bounds = [a.value for a in node.args if a.keyword is not None and a.keyword.value == "bound"]
            if (dotted(node.func) or "").rpartition(".")[2] != "TypeVar" or not bounds:
                return UNKNOWN
            node = bounds[0]
        self._aliases.add(definition.path)  # an alias of itself says nothing
        result = self.annotated(self.repository.scopes[definition.file], node)  # type: ignore[arg-type]
        self._aliases.discard(definition.path)
        return result

    def _described(self, definition: Definition) -> Tuple | Mapping | None:
        """The tuple or dictionary that a `NamedTuple` or `TypedDict` class without methods describes."""
        node = definition.node
        assert isinstance(node, cst.ClassDef)
        bases = self.base_paths(definition.path)
        kinds = [path.rpartition(".")[2] for path in bases if path in _DESCRIPTIONS]
        if not kinds or not isinstance(node.body, cst.IndentedBlock) or definition.path in self._aliases:
            return None
        self._aliases.add(definition.path)  # a field may hold the class itself
        try:
            return self._fields(definition, node.body, kinds[0])
        finally:
            self._aliases.discard(definition.path)

    def _fields(self, definition: Definition, body: cst.IndentedBlock, kind: str) -> Tuple | Mapping | None:
        scope = self.repository.scopes[definition.file]
        fields: dict[str, Type] = {}
        for line in body.body:
            if not isinstance(line, cst.SimpleStatementLine):
                return None
            for small in line.body:
                if isinstance(small, cst.AnnAssign) and isinstance(small.target, cst.Name):
                    fields[small.target.value] = self.annotated(scope, small.annotation.annotation)
        if kind == "TypedDict":
            return Mapping(join_all(fields.values()), entries=tuple(fields.items()))
        return Tuple(tuple(fields.values()), tuple(fields))

    def instance_of(self, classes: Type) -> Type:
        """What `isinstance(x, classes)` says of x."""
        options = classes.items if isinstance(classes, Tuple) else (classes,)
        found: list[Type] = []
        for option in options:
            if not isinstance(option, Reference):
                return UNKNOWN
            found.append(self.instance_type(option.path))
        if len(found) > 1 and all(self.is_module(value) for value in found):
            return Instance(self.framework.module_base)
        return join_all(found)

    def is_array_test(self, path: str) -> bool:
        """Whether a function tells arrays from other values, such as `is_tensor`."""
        return path in self.framework.array_tests
