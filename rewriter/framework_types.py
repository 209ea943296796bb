"""What the tables say of a framework's own objects: constants, classes, attributes and results without a hub op."""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping

from .lattice import (
    ARRAY,
    FLOAT,
    INT,
    NOTHING,
    STR,
    UNKNOWN,
    Array,
    DType,
    Foreign,
    Instance,
    Mapping,
    Partial,
    RandomKey,
    Reference,
    Scalar,
    Sequence,
    Tuple,
    Type,
    Unknown,
    item_type,
    without_storage,
)
from .names import HELPER_MODULE
from .result_types import parse_type
from .tables import HELPERS, Tables

_STANDARD_RESULTS: dict[str, Type] = {
    "math.floor": INT, "math.ceil": INT, "math.prod": INT, "math.gcd": INT, "math.comb": INT, "math.isqrt": INT,
    "time.time": FLOAT, "os.path.join": STR, "os.path.exists": Scalar("bool"), "os.getcwd": STR,
    "collections.OrderedDict": Mapping(UNKNOWN), "collections.defaultdict": Mapping(UNKNOWN),
}  # fmt: skip
_STANDARD_CONSTANTS: dict[str, Type] = dict.fromkeys(
    ("math.pi", "math.e", "math.inf", "math.nan", "math.tau", "sys.float_info.epsilon", "sys.float_info.max"), FLOAT
)


def dtype_kind(name: str) -> str | None:
    """`float32` → `float`; `uint8` → `int`."""
    for kind in ("complex", "bool", "float", "int"):
        if kind in name:
            return kind
    return "float" if name in ("half", "double") else None


class FrameworkTypes:
    """Typed answers from one framework's `facts.yaml`, `framework.yaml` and rows."""

    def __init__(self, tables: Tables, name: str) -> None:
        self.tables = tables
        self.framework = tables.frameworks[name]
        fact = self.framework.fact
        self.roots = self.framework.roots
        self.array_class = self.framework.array_class
        self.module_base: str = fact("module_class", "base", default="")
        self.forward_methods: tuple[str, ...] = tuple(fact("module_class", "forward", default=()))
        self.array_tests = frozenset(fact("array_tests", default=()))
        self.evidence_keywords = frozenset(fact("evidence_keywords", default=()))
        self.module_calls = frozenset(fact("module_calls", default=()))
        self.mode_flags = frozenset(fact("module_class", "mode_flags", default=()))
        self.mode_switches = frozenset(fact("module_class", "mode_switches", default=()))
        self.batch_loaders = frozenset(fact("batch_loaders", default=()))
        self.data_sets: AbstractMapping[str, str] = fact("data_sets", default={})
        self.custom_function_bases = frozenset(fact("custom_functions", "bases", default=()))
        self.custom_function_call: str = fact("custom_functions", "call", default="")
        self.custom_function_rules: tuple[str, ...] = tuple(fact("custom_functions", "rules", default=()))
        self.custom_function_setup: str = fact("custom_functions", "setup", default="")
        self._module_bases = frozenset(fact("module_class", "bases", default=()))
        self.plain_module_bases = self._module_bases
        self.registrations: AbstractMapping[str, str] = fact("registrations", default={})
        self._array_classes: AbstractMapping[str, str] = fact("array_classes", default={})
        self._results: AbstractMapping[str, str] = fact("results", default={})
        self._containers: AbstractMapping[str, str] = fact("containers", default={})
        self._parents: AbstractMapping[str, str] = fact("class_parents", default={})
        self._path_aliases: AbstractMapping[str, str] = fact("path_aliases", default={})
        self._layer_families = frozenset(fact("layer_families", default={}).values())
        self._shorter_paths = {
            f"{short}.{module}": short for short, modules in fact("shorter_paths", default={}).items() for module in modules
        }
        self._array_functions = frozenset(fact("array_functions", default=()))
        self.function_callers = frozenset(fact("function_callers", default=()))
        companions = frozenset(root for each in tables.frameworks.values() if each.fact("auxiliary") for root in each.roots)
        self._foreign_classes = companions | {"pathlib", "PIL", "argparse", "pandas"}
        self._foreign_functions = companions | {
            "json", "logging", "argparse", "os", "pathlib", "PIL", "pandas", "cv2", "matplotlib", "skimage", "sklearn", "scipy"
        }  # fmt: skip
        self._constants = self._collect_constants()
        self._layers = {
            path: rows[0]
            for path, rows in self.framework.by_path.items()
            if rows[0].form in ("function", "helper") and tables.hub[rows[0].op].is_layer
        }
        self.unique_attributes = self._unique_attributes()
        self.unique_calls = frozenset(fact("unique_calls", default=()))
        self.dtype_calls = frozenset(fact("dtype_calls", default=()))
        self.axis_pair_calls: AbstractMapping[str, int] = fact("axis_pair_calls", default={})
        self.telling_module_methods = frozenset(fact("module_class", "telling_methods", default=()))
        self.function_takers = frozenset(fact("module_class", "takes_function_of_module", default=()))
        self._conventional = {name: parse_type(text) for name, text in fact("conventional_names", default={}).items()}
        prefix = f"{self.array_class}."
        self.array_attributes = frozenset(
            path.removeprefix(prefix) for path in self.framework.by_path if path.startswith(prefix)
        ) - frozenset(fact("ambiguous_evidence", default=()))

    def _collect_constants(self) -> dict[str, Type]:
        constants = dict(_STANDARD_CONSTANTS)
        for path, text in self.framework.fact("constants", default={}).items():
            constants[path] = parse_type(text)
        for name, spellings in self.framework.fact("dtypes", default={}).items():
            for path in spellings if isinstance(spellings, list) else [spellings]:
                constants[path] = DType(dtype_kind(name))
        return constants

    def _unique_attributes(self) -> frozenset[str]:
        """Array attributes that no other framework's array class has: a sign that a value is ours."""
        own = set(self.framework.fact("unique_attributes", default=()))
        others: set[str] = set()
        for framework in self.tables.frameworks.values():
            short = framework.facts.get("array_class", {}).get("name", "?")
            names = {path.partition(".")[2] for path in framework.by_path if path.startswith(f"{short}.")}
            if framework is self.framework:
                own |= names
            elif not framework.fact("stands_alone", default=False):
                others |= names
        return frozenset(own - others - set(self.framework.fact("ambiguous_attributes", default=())))

    def owns(self, path: str) -> bool:
        """Whether a dotted path lies in the framework, or names one of its helpers."""
        return self.framework.owns(path)

    def own_name(self, path: str) -> str:
        """The path under which the tables know an object: module aliases and copied helper modules resolved."""
        for alias, module in self._path_aliases.items():
            if path == alias or path.startswith(f"{alias}."):
                path = module + path.removeprefix(alias)
        parts = path.split(".")
        shorter = self._shorter_paths.get(".".join(parts[:-1]))
        if shorter is not None and not parts[-1].startswith("_"):
            return f"{shorter}.{parts[-1]}"
        if len(parts) > 1 and parts[0] == parts[1] and parts[0] in self.roots:
            return self.own_name(".".join(parts[1:]))  # `from framework import framework`
        if HELPER_MODULE in parts[:-1]:
            return ".".join([HELPERS, *parts[parts.index(HELPER_MODULE) + 1 :]])
        return path

    def knows(self, path: str) -> bool:
        """Whether the tables say anything about a path."""
        return (
            path in self.framework.by_path
            or path in self._constants
            or path in self._containers
            or path in self._module_bases
            or path in self._array_classes
            or path in self._results
        )

    def conventional(self, name: str) -> Type:
        """The type of a value whose name says what it is by convention, such as `device` or `input_dtype`."""
        return self._conventional.get(name.rpartition("_")[2], UNKNOWN)

    def constant(self, path: str) -> Type | None:
        """The type of a constant such as an element type."""
        return self._constants.get(path)

    def annotation(self, path: str) -> Type:
        """The type of an object annotated with the class at `path`."""
        if path in self._array_classes:
            return Array(self._array_classes[path] or None)
        text = self._results.get(path)
        if text is not None:
            return parse_type(text)
        if self.owns(path):
            return Instance(path)
        return Foreign(path) if path.partition(".")[0] in self._foreign_classes else UNKNOWN

    def is_module_base(self, path: str) -> bool:
        """Whether a class of the framework is a module or a layer."""
        known = self._module_bases, self._layers, self._containers, self._layer_families
        return any(path in paths for paths in known)

    def takes_array_first(self, path: str) -> bool:
        """Whether the function at `path` takes an array, and only an array, as its first argument."""
        rows = self.framework.by_path.get(path, ())
        if not rows or rows[0].form != "function":
            return False
        for row in rows:
            op = self.tables.hub[row.op]
            if op.is_layer or not op.parameters or not row.parameters:
                return False
            first = op.parameter(row.parameters[0].hub)
            if first is None or first.kind != "array":
                return False
        return True

    def container(self, path: str, arguments: list[Type]) -> Type | None:
        """The type of a container of modules built from these arguments; None if `path` is not one."""
        kind = self._containers.get(path)
        if kind is None:
            return None
        first = arguments[0] if arguments else UNKNOWN
        if kind == "parameters":
            return Sequence(Array("float", None, "parameter"), "modules")
        if kind == "modules":
            empty = not arguments or (isinstance(first, Sequence) and first.item == NOTHING)
            return Sequence(NOTHING if empty else item_type(first), "modules")
        if kind == "mapping":
            otherwise = UNKNOWN if arguments else NOTHING
            return Mapping(first.value if isinstance(first, Mapping) else otherwise, "modules")
        return Instance(path)

    def call_result(self, path: str) -> Type:
        """The result of calling a framework's function or class that is no hub op."""
        text = self._results.get(f"{path}()", self._results.get(path))
        if text is not None:
            return parse_type(text)
        if path in self._array_classes:
            return Array(self._array_classes[path] or None)
        return Instance(path) if path.rpartition(".")[2][:1].isupper() else UNKNOWN

    def function_result(self, function: Type) -> Type:
        """What a function of the framework gives, where its arguments are not at hand."""
        while isinstance(function, Partial):
            function = function.function
        rows = self.framework.by_path.get(function.path, ()) if isinstance(function, Reference) else ()
        texts = {self.tables.hub[row.op].result for row in rows}
        if len(texts) != 1 or any(self.tables.hub[row.op].is_layer for row in rows):
            return UNKNOWN
        text = texts.pop()
        return ARRAY if text in ("array", "array[dtype]") else UNKNOWN if text == "same" else parse_type(text)

    def layer_result(self, path: str) -> Type:
        """What calling a layer of the framework gives."""
        text = self._results.get(f"{path}.__call__")
        if text is not None:
            return parse_type(text)
        return ARRAY if path in self._layers or path in self._containers else UNKNOWN

    def array_attribute(self, name: str) -> Type | None:
        """An attribute of arrays that is no hub op, such as the device."""
        text = self._results.get(f"{self.array_class}.{name}")
        return parse_type(text) if text is not None else None

    def array_method_result(self, name: str) -> Type:
        """The result of an array method that the tables do not bind: in-place forms give the array."""
        text = self._results.get(f"{self.array_class}.{name}()")
        if text is not None:
            return parse_type(text)
        return ARRAY if name.endswith("_") and not name.startswith("_") else UNKNOWN

    def instance_attribute(self, path: str, name: str) -> Type | None:
        """An attribute of a framework object: a fact, a weight of a layer, or a constructor argument."""
        found = self._lookup(path, name)
        if found is not None:
            return found
        row = self._layers.get(path)
        if row is not None:
            if name in row.weights:
                return Array("float", None, "parameter")
            parameter = next((p for p in row.parameters if p.name == name), None)
            hub = self.tables.hub[row.op].parameter(parameter.hub) if parameter is not None else None
            if hub is not None and hub.kind in ("int", "float", "bool", "str"):
                return parse_type(hub.kind)
        return None

    def method_result(self, path: str, name: str) -> Type | None:
        """The result of a method of a framework object."""
        return self._lookup(path, f"{name}()")

    def _lookup(self, path: str, name: str) -> Type | None:
        """A fact about a class or, failing that, about its parents in the framework."""
        seen = 0
        while path and seen < 10:
            text = self._results.get(f"{path}.{name}")
            if text is not None:
                return parse_type(text)
            parent = self._parents.get(path)
            if parent is None:
                parent = next(
                    (value for key, value in self._parents.items() if key.endswith(".*") and path.startswith(key[:-1])
                     and value != path), "")  # fmt: skip
                if not parent and self.is_module_base(path) and path != self.module_base:
                    parent = self.module_base
            path, seen = parent, seen + 1
        return None

    def value_attribute(self, owner: Type, name: str) -> Type | None:
        """An attribute of a value that is neither an array nor an object, such as `dtype.itemsize`."""
        if isinstance(owner, Scalar) and owner.kind == "complex" and name in ("real", "imag"):
            return FLOAT
        return None

    def value_method_result(self, owner: Type, name: str) -> Type:
        """The result of a method of such a value; modules' containers keep their items."""
        if isinstance(owner, Foreign):
            return owner
        if isinstance(owner, RandomKey):
            return parse_type(self._results.get(f"{self.framework.fact('objects', 'generator')}.{name}()", "any"))
        return owner if isinstance(owner, Sequence) and name in ("to", "train", "eval") else UNKNOWN

    def foreign_result(self, path: str, arguments: list[Type]) -> Type:
        """The result of a function of another library."""
        if path in self._array_functions:
            first = arguments[0] if arguments else UNKNOWN
            first = item_type(first) if isinstance(first, (Sequence, Tuple)) else first
            if isinstance(first, Array):
                return Array(first.dtype)  # how many axes it has is for the function's pattern to say
            return ARRAY if isinstance(first, Unknown) else without_storage(first)
        known = self._results.get(f"{path}()")
        if known is not None:  # Functions for any framework's arrays, given nobody else's.
            foreign = any(isinstance(item_type(a) if isinstance(a, Sequence) else a, Foreign) for a in arguments)
            return UNKNOWN if foreign else parse_type(known)
        if path in _STANDARD_RESULTS:
            return _STANDARD_RESULTS[path]
        root = path.partition(".")[0]
        if root == "math":
            return FLOAT
        if root == "random":
            return FLOAT if path in ("random.random", "random.uniform", "random.gauss") else UNKNOWN
        return Foreign(path) if root in self._foreign_functions else UNKNOWN


