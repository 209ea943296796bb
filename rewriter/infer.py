"""The repository's inference: summaries of functions, classes and attributes, computed over all files until they stay.

The first pass finds attribute and result types in whatever order files come; each further one starts from these and
from the argument types of every call seen before. A class handed on through two calls takes three passes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, field, replace

import libcst as cst

from .annotations import NamesOf, annotation_type
from .batches import batch_type, data_set_type
from .evidence import ArrayEvidence, all_parameters
from .framework_types import FrameworkTypes
from .handing_on import handed_on
from .infer_expressions import Environment, ExpressionEvaluator
from .infer_statements import StatementWalker
from .lattice import (
    ARRAY,
    INT,
    NONE,
    STR,
    UNKNOWN,
    Array,
    Callback,
    DType,
    Either,
    Instance,
    LikeArgument,
    Mapping,
    Method,
    Partial,
    Reference,
    Sequence,
    Tuple,
    Type,
    item_type,
    join,
    join_all,
    without_rank,
    without_storage,
)
from .local_functions import LocalCalls, registered
from .method_definitions import MethodDefinitions
from .names import Definition, FileScope, Repository, bind_import, dotted
from .nodes import NodesByKind, walk
from .read import BoundOp, Refusal, literal, read_call, read_property
from .tables import Tables


@dataclass
class FileTypes:
    """What inference found in one file: a type for each expression, and the bound op of each that is one."""

    types: dict[cst.CSTNode, Type] = field(default_factory=dict)
    bound: dict[cst.CSTNode, BoundOp | Refusal] = field(default_factory=dict)


#: Bases of classes that describe tuples and dictionaries.
_DESCRIPTIONS = frozenset(("typing.NamedTuple", "typing.TypedDict", "typing_extensions.TypedDict"))
#: What has not settled by then is passed on further than types are followed.
MOST_PASSES = 4


class _Walker(StatementWalker):
    """A statement walker that knows the repository's global names and annotations."""

    inference: Inference

    def scope_lookup(self, name: str) -> str | None:
        return self.inference.global_path(self.scope, name)

    def annotation_type(self, node: cst.BaseExpression) -> Type:
        return self.inference.annotated(self.scope, node)


class Inference:
    """Types over all files of a conversion. `run` must be called once; then `files` holds the result."""

    def __init__(
        self, repository: Repository, modules: AbstractMapping[str, cst.Module], tables: Tables, source: str
    ) -> None:
        self.repository = repository
        self.modules = modules
        self.tables = tables
        self.source = source
        self.framework = FrameworkTypes(tables, source)
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
        self.failures: dict[str, str] = {}
        #: Whether helper modules that files import come from an earlier conversion to the source framework.
        self.helpers_are_source = True
        self.attributes: dict[str, dict[str, Type]] = {}
        self.results: dict[str, Type] = {}
        self.call_sites: dict[str, dict[str, Type]] = {}
        self.globals: dict[str, Environment] = {}
        self._previous_attributes: dict[str, dict[str, Type]] = {}
        self._previous_results: dict[str, Type] = {}
        self._previous_call_sites: dict[str, dict[str, Type]] = {}
        self.local_calls = LocalCalls()
        self._evidence_cache: dict[cst.CSTNode, dict[str, bool]] = {}
        self._evident_modules_cache: dict[cst.CSTNode, frozenset[str]] = {}
        self._generators: dict[cst.CSTNode, bool] = {}
        self._done: set[cst.CSTNode] = set()
        self._module_cache: dict[str, bool] = {}
        self._path_cache: dict[tuple[str, str], str | None] = {}
        self._aliases: set[str] = set()
        self._kinds: dict[str, NodesByKind] = {}
        self._methods: MethodDefinitions | None = None

    def run(self) -> None:
        """Passes over all files, in the order of their paths, until what calls hand on stays the same."""
        for number in range(MOST_PASSES):
            if number >= 2 and self.call_sites == self._previous_call_sites:
                return
            self._previous_attributes, self.attributes = self.attributes, {}
            self._previous_results, self.results = self.results, {}
            self._previous_call_sites, self.call_sites = self.call_sites, {}
            self.local_calls.next_pass()
            self._done.clear()
            self.globals.clear()
            self.files = {path: FileTypes() for path in self.modules}
            for path in sorted(self.modules):
                try:
                    self._module_globals(path)
                except Exception as error:  # One file that we fail on must not cost the user the others.
                    self.failures[path] = f"{type(error).__name__}: {error}"

    def _module_globals(self, path: str) -> Environment:
        """Walk a file's top level once in a pass, and everything defined there."""
        if path not in self.globals:
            environment: Environment = {}
            self.globals[path] = environment
            self.walker(self.repository.scopes[path], environment).walk(self.modules[path])
        return self.globals[path]

    def walker(self, scope: FileScope, environment: Environment) -> _Walker:
        """A walker that records into the types of the scope's file."""
        found = self.files[scope.file]
        walker = _Walker(scope, self, environment, found.types, found.bound)
        walker.inference = self
        return walker

    def nodes(self, file: str) -> NodesByKind:
        """All nodes of a file by their class, for questions to the file as a whole."""
        if file not in self._kinds:
            self._kinds[file] = NodesByKind(self.modules[file])
        return self._kinds[file]

    # Names and annotations.

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

    def read_builtin(self, name: str, call: cst.Call, evaluator: ExpressionEvaluator) -> BoundOp | None:
        """A Python builtin called on an array, where the source framework's rows spell it."""
        bound = read_call(self.tables, self.source, name, call, evaluator.type_of)
        if isinstance(bound, BoundOp):
            evaluator.bound[call] = bound
            return bound
        return None

    def import_names(self, scope: FileScope, node: cst.Import | cst.ImportFrom, imports: dict[str, str]) -> None:
        """The paths that an import statement inside a function binds."""
        stars: list[str] = []
        bind_import(self.repository, scope, node, imports, stars)
        for name, path in imports.items():
            imports[name] = self.framework.own_name(self.repository.canonical(path))

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
        result: list[str] = []

        def add(current: str) -> None:
            if current not in result:
                result.append(current)
                for base in self.base_paths(current):
                    add(base)

        add(path)
        return result

    def is_module_class(self, path: str) -> bool:
        """Whether a class is a module of the source framework, directly or through its bases."""
        if path not in self._module_cache:
            self._module_cache[path] = any(self.framework.is_module_base(base) for base in self.ancestors(path))
        return self._module_cache[path]

    def is_module(self, value: Type) -> bool:
        """Whether a value is certainly a module or a container of modules."""
        if isinstance(value, Instance):
            return self.is_module_class(value.path)
        if isinstance(value, Either):
            return all(self.is_module(option) for option in value.options)
        return isinstance(value, (Sequence, Mapping)) and value.kind == "modules"

    def method(self, path: str, name: str) -> tuple[str, Definition] | None:
        """The class that defines a method, searched through the bases, and the method itself."""
        for owner in self.ancestors(path):
            definition = self.class_definition(owner)
            if definition is None:
                continue
            assert isinstance(definition.node, cst.ClassDef)
            for statement in definition.node.body.body:
                if isinstance(statement, cst.FunctionDef) and statement.name.value == name:
                    return owner, Definition(f"{owner}.{name}", definition.file, statement, owner)
        return None

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
            return Method(UNKNOWN, name) if unknown else UNKNOWN
        known = self.framework.value_attribute(owner, name)
        if known is None and owner == UNKNOWN and self.framework.conventional(name) != UNKNOWN:
            return self.framework.conventional(name)
        return known if known is not None else Method(owner, name)

    def _instance_attribute(self, owner: Instance, name: str) -> Type:
        for path in self.ancestors(owner.path):
            definition = self.class_definition(path)
            if definition is None:
                known = self.framework.instance_attribute(path, name)
                if known is not None:
                    return known
                continue
            self._analyze_class(definition)
            found = self.attributes.get(path, {}).get(name) or self._previous_attributes.get(path, {}).get(name)
            if found == UNKNOWN and f"self.{name}" in self._evident_modules(definition.node):  # type: ignore[arg-type]
                return Instance(self.framework.module_base)
            if found is not None:
                return found
            method = self.method(path, name)
            if method is not None and method[0] == path:
                return self._method_attribute(owner, method[1])
        return Method(owner, name)

    def _method_attribute(self, owner: Instance, definition: Definition) -> Type:
        assert isinstance(definition.node, cst.FunctionDef)
        decorators = {_decorator_name(decorator) for decorator in definition.node.decorators}
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
        self._bind_parameters(walker, node, definition)
        walker.evident = functools.partial(self._evident, scope, node)
        walker.walk(node.body)
        if node.returns is not None:
            declared = self.annotated(scope, node.returns.annotation)
            if declared not in (UNKNOWN, NONE):
                return declared
        if node not in self._generators:
            self._generators[node] = any(type(part) is cst.Yield for part in walk(node.body))
        return without_storage(walker.result(self._generators[node]))

    def _bind_parameters(self, walker: _Walker, node: cst.FunctionDef, definition: Definition) -> None:
        parameters = list(all_parameters(node.params))
        static = any(_decorator_name(decorator) == "staticmethod" for decorator in node.decorators)
        static = static and not self._takes_function_context(definition)
        if definition.owner and parameters and not static:
            first = parameters.pop(0)
            is_class = any(_decorator_name(decorator) == "classmethod" for decorator in node.decorators)
            owner = Reference(definition.owner) if is_class else Instance(definition.owner)
            walker.environment[first.name.value] = owner
        for parameter in parameters:
            default = walker.evaluate(parameter.default) if parameter.default is not None else UNKNOWN
            value = self._parameter_type(walker.scope, parameter, default, definition)
            walker.environment[parameter.name.value] = value
            walker.types[parameter] = value
        if isinstance(node.params.star_arg, cst.Param):
            item = self._star_type(walker.scope, node.params.star_arg, definition)
            walker.environment[node.params.star_arg.name.value] = Sequence(item, "tuple")
        if node.params.star_kwarg is not None:
            walker.environment[node.params.star_kwarg.name.value] = Mapping(UNKNOWN)

    def _star_type(self, scope: FileScope, parameter: cst.Param, definition: Definition) -> Type:
        if parameter.annotation is not None:
            return self.annotated(scope, parameter.annotation.annotation)
        return ARRAY if self.is_forward(definition) else UNKNOWN

    def is_forward(self, definition: Definition) -> bool:
        """Whether a method is given arrays: the one that calling its module runs, or a custom function's gradient."""
        name = definition.path.rpartition(".")[2]
        if name in self.framework.custom_function_rules[1:]:
            return self._takes_function_context(definition)
        return bool(
            definition.owner and name in self.framework.forward_methods and self.is_module_class(definition.owner)
        )

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
        if seen == UNKNOWN and not definition.path:
            seen = self.local_parameter(node, name, definition.file)
        if seen != UNKNOWN and seen != NONE:
            return without_storage(seen)
        if name in self._evident_modules(node):
            return Instance(self.framework.module_base)
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
            )
        return self._evidence_cache[node]

    def evident_arrays(self, scope: FileScope, node: cst.Lambda) -> list[str]:
        """The parameters of a lambda that can only be arrays."""
        return [name for name, is_array in self._evident(scope, node).items() if is_array]

    def _evident_modules(self, node: cst.FunctionDef | cst.ClassDef) -> frozenset[str]:
        if node not in self._evident_modules_cache:
            self._evident_modules_cache[node] = self.evidence.modules(node.body)
        return self._evident_modules_cache[node]

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

    def _imported_frameworks(self, scope: FileScope) -> frozenset[str]:
        found = {self._framework_of(scope, name) for name in (*scope.imports, *scope.import_names)}
        return frozenset(name for name in found if name is not None)

    def _framework_of(self, scope: FileScope, name: str) -> str | None:
        path = self.global_path(scope, name)
        root = path.partition(".")[0] if path else ""
        if root in self.framework.roots:
            return "own"
        return next((f.name for f in self.tables.frameworks.values() if root in f.roots), None)

    def _is_array_function(self, scope: FileScope, function: cst.BaseExpression) -> bool:
        path = self._base_path(scope, function)
        return path is not None and self.framework.takes_array_first(path)

    # Calls.

    def call(self, callee: Type, call: cst.Call, evaluator: ExpressionEvaluator) -> Type:
        """The type of a call's result; framework calls are bound to their op on the way."""
        match callee:
            case Either(options=options):
                return join_all(self.call(option, call, evaluator) for option in options)
            case Reference(path=path):
                return self._call_reference(path, call, evaluator)
            case Method(receiver=receiver, name=name):
                return self._call_method(receiver, name, call, evaluator)
            case Partial(function=function):
                # Which parameters the arguments of this call go to depends on those given beforehand.
                open_call = call.with_changes(args=[cst.Arg(cst.Name("arguments"), star="*")])
                result = self.call(function, open_call, evaluator)
                return self.framework.function_result(function) if result == UNKNOWN else result
            case Callback(result=LikeArgument()):
                return without_rank(evaluator.types.get(call.args[0].value, UNKNOWN) if call.args else UNKNOWN)
            case Callback(result=result, origin=origin):
                if isinstance(origin, (cst.FunctionDef, cst.Lambda)):
                    self._note_local_call(origin, call, evaluator)
                return result
            case Instance(path=path):
                return self._call_instance(path, call, evaluator)
        return UNKNOWN

    def _call_reference(self, path: str, call: cst.Call, evaluator: ExpressionEvaluator) -> Type:
        arguments = [evaluator.types.get(argument.value, UNKNOWN) for argument in call.args]
        definition = self.repository.resolve(path)
        if definition is not None:
            return self._call_definition(definition, call, evaluator)
        owner = self._class_method(path) or self._applied_rule(path)
        if owner is not None:
            return self._call_definition(owner, call, evaluator)
        if path in ("functools.partial",) and arguments:
            self._note_given_beforehand(arguments[0], call.with_changes(args=call.args[1:]), evaluator)
            return Partial(arguments[0])
        if path in self.framework.function_callers and arguments:
            return self.call(arguments[0], call.with_changes(args=call.args[1:]), evaluator)
        if path in ("copy.deepcopy", "copy.copy") and arguments:
            return without_storage(arguments[0])
        if self.framework.owns(path):
            return self._framework_call(path, call, evaluator, arguments)
        return self.framework.foreign_result(path, arguments)

    def _framework_call(
        self, path: str, call: cst.Call, evaluator: ExpressionEvaluator, arguments: list[Type]
    ) -> Type:
        bound = read_call(self.tables, self.source, path, call, evaluator.type_of)
        if bound is not None and self.is_direct(evaluator.scope, call.func):
            evaluator.bound[call] = bound
        container = self.framework.container(path, arguments)
        if container is not None:
            return container
        if path in self.framework.batch_loaders:
            return Sequence(batch_type(self, call, evaluator), "iterator")
        if path in self.framework.data_sets:
            return data_set_type(self, self.framework.data_sets[path], arguments)
        if isinstance(bound, BoundOp):
            return evaluator.result_type(bound)
        if bound is not None:
            return self.framework.function_result(Reference(path))
        return self.framework.call_result(path)

    def is_direct(self, scope: FileScope, function: cst.BaseExpression) -> bool:
        """Whether an expression names an imported object itself, and is not a variable that holds it."""
        name = (dotted(function) or "").partition(".")[0]
        if name in scope.import_names:
            return True
        path = self.global_path(scope, name) if name else None
        return path is not None and name not in scope.definitions and self.framework.owns(path)

    def _class_method(self, path: str) -> Definition | None:
        """A method reached through its class: `Model.build(...)`."""
        owner, _, name = path.rpartition(".")
        if self.class_definition(owner) is None:
            return None
        found = self.method(owner, name)
        return found[1] if found is not None else None

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

    def _call_definition(self, definition: Definition, call: cst.Call, evaluator: ExpressionEvaluator) -> Type:
        if isinstance(definition.node, cst.ClassDef):
            constructor = self.method(definition.path, "__init__")
            if constructor is not None:
                self._note_call(constructor[1], call, evaluator, skip_first=True)
            return self._described(definition) or Instance(definition.path)
        if isinstance(definition.node, cst.FunctionDef):
            self._note_call(definition, call, evaluator, skip_first=bool(definition.owner))
            result = self.function_result(definition)
            if result == UNKNOWN:
                return UNKNOWN if definition.owner else handed_on(definition.node, call, evaluator.types)
            return Instance(definition.owner) if definition.owner and result == Reference(definition.owner) else result
        return UNKNOWN

    def _call_method(self, receiver: Type, name: str, call: cst.Call, evaluator: ExpressionEvaluator) -> Type:
        if isinstance(receiver, Either):
            return join_all(self._call_method(option, name, call, evaluator) for option in receiver.options)
        if isinstance(receiver, Array):
            return self._array_method(name, call, evaluator)
        if isinstance(receiver, Instance):
            self._note_registration(receiver, call, evaluator)
            found = self.method(receiver.path, name)
            if found is not None:
                self._note_call(found[1], call, evaluator, skip_first=True)
                return self.function_result(found[1])
            if name in self.framework.function_takers and call.args:
                self._note_function_of_module(evaluator.types.get(call.args[0].value, UNKNOWN))
            for path in self.ancestors(receiver.path):
                known = self.framework.method_result(path, name)
                if known is not None:
                    return receiver if known == Instance("self") else known
        return self.framework.value_method_result(receiver, name)

    def _note_local_call(
        self, function: cst.FunctionDef | cst.Lambda, call: cst.Call, evaluator: ExpressionEvaluator
    ) -> None:
        self.local_calls.note(function, call, evaluator)
        for inner, name, value in registered(function, call):
            receiver = evaluator.types.get(inner.func.value, UNKNOWN) if isinstance(inner.func, cst.Attribute) else UNKNOWN
            if isinstance(receiver, Instance):
                self._note_registered(receiver, inner, name, evaluator.types.get(value, UNKNOWN))

    def local_parameter(self, function: cst.FunctionDef | cst.Lambda, name: str, file: str) -> Type:
        """What all calls of a function inside a function, or of a lambda with a name, pass for a parameter."""
        return without_storage(self.local_calls.parameter(function, name, file, self.nodes))

    def _note_given_beforehand(self, function: Type, call: cst.Call, evaluator: ExpressionEvaluator) -> None:
        """`partial(Block, width)`: what the function or class of the repository will be called with."""
        definition = self.repository.resolve(function.path) if isinstance(function, Reference) else None
        if definition is not None:
            self._call_definition(definition, call, evaluator)

    def _note_registration(self, owner: Instance, call: cst.Call, evaluator: ExpressionEvaluator) -> None:
        """`owner.register("name", array)` gives the owner an attribute."""
        name = literal(call.args[0].value) if len(call.args) >= 2 else None
        if isinstance(name, str):
            self._note_registered(owner, call, name, evaluator.types.get(call.args[1].value, UNKNOWN))

    def _note_registered(self, owner: Instance, call: cst.Call, name: str, value: Type) -> None:
        method = call.func.attr.value if isinstance(call.func, cst.Attribute) else ""
        storage = self.framework.registrations.get(method)
        if storage is not None and value != NONE:
            known = value if isinstance(value, Array) else ARRAY
            self.assign_attribute(owner, name, replace(known, storage=storage))

    def _note_function_of_module(self, function: Type) -> None:
        """A function handed to `module.apply` is called with modules."""
        definition: Definition | None = None
        if isinstance(function, Reference):
            definition = self.repository.resolve(function.path)
        elif isinstance(function, Method) and isinstance(function.receiver, Instance):
            found = self.method(function.receiver.path, function.name)
            definition = found[1] if found is not None else None
        if definition is None or not isinstance(definition.node, cst.FunctionDef):
            return
        parameters = list(definition.node.params.params)[1 if definition.owner else 0 :]
        if parameters:
            sites = self.call_sites.setdefault(definition.path, {})
            sites.setdefault(parameters[0].name.value, Instance(self.framework.module_base))

    def _array_method(self, name: str, call: cst.Call, evaluator: ExpressionEvaluator) -> Type:
        path = f"{self.framework.array_class}.{name}"
        bound = read_call(self.tables, self.source, path, call, evaluator.type_of)
        if bound is not None:
            evaluator.bound[call] = bound
        if isinstance(bound, BoundOp):
            return evaluator.result_type(bound)
        known = self.framework.array_method_result(name)
        return self.framework.function_result(Reference(path)) if known == UNKNOWN else known

    def _call_instance(self, path: str, call: cst.Call, evaluator: ExpressionEvaluator) -> Type:
        for name in (*self.framework.forward_methods, "__call__"):
            found = self.method(path, name)
            if found is not None:
                self._note_call(found[1], call, evaluator, skip_first=True)
                return self.function_result(found[1])
        for owner in self.ancestors(path):
            if self.framework.is_module_base(owner):
                return self.framework.layer_result(owner)
        return UNKNOWN

    def _note_call(
        self, definition: Definition, call: cst.Call, evaluator: ExpressionEvaluator, *, skip_first: bool
    ) -> None:
        """Join the argument types of a call into the callee's parameters, for the next pass."""
        node = definition.node
        assert isinstance(node, cst.FunctionDef)
        sites = self.call_sites.setdefault(definition.path, {})
        positional = [*node.params.posonly_params, *node.params.params]
        static = any(_decorator_name(decorator) == "staticmethod" for decorator in node.decorators)
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

    def read_property(self, node: cst.Attribute, receiver: Type) -> BoundOp | None:
        """A property of an array that the tables know."""
        return read_property(self.tables, self.source, f"{self.framework.array_class}.{node.attr.value}", node)

    def read_duck_method(self, call: cst.Call, evaluator: ExpressionEvaluator) -> Type | None:
        """A method call on a value of unknown type: read only if nothing but an array has such a method."""
        if not isinstance(call.func, cst.Attribute):
            return None
        name = call.func.attr.value
        if name in self.framework.telling_module_methods and not self.defines_method(name, call):
            return self.framework.method_result(self.framework.module_base, name)
        unique = (
            name in self.evidence.unique_attributes
            or name in self.evidence.unique_calls
            or any(
                argument.keyword is not None and argument.keyword.value in self.evidence.keywords
                for argument in call.args
            )
        )
        given = [evaluator.types.get(argument.value, UNKNOWN) for argument in call.args]
        unique = unique or (name in self.framework.dtype_calls and any(isinstance(value, DType) for value in given))
        # `x.transpose(1, 2)`: other arrays take as many axes as they have.
        unique = unique or (self.framework.axis_pair_calls.get(name) == len(given) and all(v == INT for v in given))
        if not unique or self.defines_method(name, call):
            return None
        evaluator.types[call.func.value] = ARRAY
        result = self._array_method(name, call, evaluator)
        if isinstance(evaluator.bound.get(call), Refusal):
            # No array method takes these arguments, so the value is something else that has a method of this name.
            del evaluator.bound[call]
            evaluator.types[call.func.value] = UNKNOWN
            return None
        return result

    def defines_method(self, name: str, call: cst.Call | None = None) -> bool:
        """Whether any class of the repository has a method of this name; one that takes a call's arguments."""
        if self._methods is None:
            nodes = (
                definition.node for scope in self.repository.scopes.values() for definition in scope.definitions.values()
            )
            self._methods = MethodDefinitions(node for node in nodes if isinstance(node, cst.ClassDef))
        return self._methods.defines(name, call)

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


def _decorator_name(decorator: cst.Decorator) -> str:
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
