"""Types of expressions: one method per kind of node, each from the types of its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import reduce
from typing import Protocol

import libcst as cst

from .lattice import (
    ARRAY,
    BOOL,
    FLOAT,
    INT,
    MOST_ENTRIES,
    NONE,
    NOTHING,
    STR,
    UNKNOWN,
    Array,
    Callback,
    Instance,
    Mapping,
    Method,
    Partial,
    Reference,
    Scalar,
    Sequence,
    Shape,
    Tuple,
    Type,
    item_type,
    join,
    join_all,
    promote,
    without_storage,
)
from .names import FileScope, dotted
from .nodes import children
from .operation_results import result_type
from .plain_values import builtin_call, plain_arithmetic, plain_method, sliced
from .ranks import indexed_rank
from .read import BoundOp, Refusal, literal
from .result_ranks import matmul_rank

Environment = dict[str, Type]


class Summaries(Protocol):
    """What an expression may ask about the rest of the repository; implemented by `infer.Inference`."""

    def reference_type(self, path: str) -> Type: ...
    def attribute(self, owner: Type, name: str) -> Type: ...
    def result_of_reference(self, path: str) -> Type: ...
    def call(self, callee: Type, call: cst.Call, evaluator: ExpressionEvaluator) -> Type: ...
    def local_parameter(self, function: cst.FunctionDef | cst.Lambda, name: str, file: str) -> Type: ...
    def read_property(self, node: cst.Attribute, receiver: Type) -> BoundOp | None: ...
    def read_duck_method(self, call: cst.Call, evaluator: ExpressionEvaluator) -> Type | None: ...
    def read_builtin(self, name: str, call: cst.Call, evaluator: ExpressionEvaluator) -> BoundOp | None: ...
    def evident_arrays(self, scope: FileScope, node: cst.Lambda) -> list[str]: ...


class ExpressionEvaluator:
    """Evaluates expressions of one scope; `types` and `bound` collect what the later stages use."""

    def __init__(
        self,
        scope: FileScope,
        summaries: Summaries,
        environment: Environment,
        types: dict[cst.CSTNode, Type],
        bound: dict[cst.CSTNode, BoundOp | Refusal],
    ) -> None:
        self.scope = scope
        self.summaries = summaries
        self.environment = environment
        self.types = types
        self.bound = bound

    def evaluate(self, node: cst.CSTNode) -> Type:
        """The type of an expression; recorded for the node."""
        method = _EVALUATORS.get(type(node))
        result = method(self, node) if method is not None else self._evaluate_children(node)
        if result == NOTHING:
            result = UNKNOWN
        self.types[node] = result
        return result

    def type_of(self, node: cst.CSTNode) -> Type:
        """The type recorded for a node already evaluated, else that of evaluating it now."""
        known = self.types.get(node)
        return self.evaluate(node) if known is None else known

    def _evaluate_children(self, node: cst.CSTNode) -> Type:
        for child in children(node):
            if isinstance(child, (cst.BaseExpression, cst.Arg, cst.BaseElement, cst.BaseFormattedStringContent)):
                self.evaluate(child)
        return UNKNOWN

    def name(self, node: cst.Name) -> Type:
        name = node.value
        if name in self.environment:
            return self.environment[name]
        path = self.summaries_lookup(name)
        if path is not None:
            return self.summaries.reference_type(path)
        if name in ("True", "False"):
            return BOOL
        return NONE if name == "None" else UNKNOWN

    def summaries_lookup(self, name: str) -> str | None:
        """The dotted path of a global name of this file."""
        return self.scope_lookup(name)

    def scope_lookup(self, name: str) -> str | None:
        """Overridden by the repository's inference with re-exports and star imports."""
        return self.scope.imports.get(name)

    def attribute(self, node: cst.Attribute) -> Type:
        receiver = self.evaluate(node.value)
        name = node.attr.value
        if isinstance(receiver, Reference):
            return self.summaries.reference_type(f"{receiver.path}.{name}")
        if isinstance(receiver, Array):
            op = self.summaries.read_property(node, receiver)
            if op is not None:
                self.bound[node] = op
                return result_type(op, self)
        if name == "__class__" and isinstance(receiver, Instance):
            return Reference(receiver.path)
        if isinstance(receiver, Tuple) and name in receiver.names:
            return receiver.items[receiver.names.index(name)]
        return self.summaries.attribute(receiver, name)

    def call(self, node: cst.Call) -> Type:
        callee = self.evaluate(node.func)
        for argument in node.args:
            self.evaluate(argument.value)
        if isinstance(node.func, cst.Name) and node.func.value not in self.environment and callee == UNKNOWN:
            return builtin_call(node.func.value, node, self)
        if isinstance(callee, Method) and callee.receiver == UNKNOWN:
            result = self.summaries.read_duck_method(node, self)
            return UNKNOWN if result is None else result
        if isinstance(callee, Method) and isinstance(callee.receiver, (Scalar, Mapping, Sequence, Shape, Tuple)):
            return plain_method(callee.receiver, callee.name, node)
        return self.summaries.call(callee, node, self)

    def result_of_callable(self, function: Type) -> Type:
        """What calling a function gives, whatever its arguments."""
        if isinstance(function, Callback):
            return function.result
        if isinstance(function, Partial):
            return self.result_of_callable(function.function)
        return self.summaries.result_of_reference(function.path) if isinstance(function, Reference) else UNKNOWN

    def subscript(self, node: cst.Subscript) -> Type:
        value = self.evaluate(node.value)
        for element in node.slice:
            self.evaluate(element)
        if isinstance(value, Array):
            return Array(value.dtype, indexed_rank(value, node, self.type_of))
        if len(node.slice) != 1:
            return UNKNOWN
        index = node.slice[0].slice
        if isinstance(index, cst.Slice):
            return sliced(value, index)
        position = literal(index.value) if isinstance(index, cst.Index) else None
        match value:
            case Tuple(items=items) if isinstance(position, int) and -len(items) <= position < len(items):
                return items[position]
            case Mapping():
                return value.entry(position)
            case Instance():
                found = self.summaries.attribute(value, str(position) if isinstance(position, int) else "[]")
                return self.summaries.attribute(value, "[]") if isinstance(found, Method) else found
        return item_type(value)

    def slice_element(self, node: cst.SubscriptElement) -> Type:
        if isinstance(node.slice, cst.Index):
            return self.evaluate(node.slice.value)
        assert isinstance(node.slice, cst.Slice)
        for part in (node.slice.lower, node.slice.upper, node.slice.step):
            if part is not None:
                self.evaluate(part)
        return UNKNOWN

    def binary(self, node: cst.BinaryOperation) -> Type:
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        if isinstance(left, Array) or isinstance(right, Array):
            found = promote(left, right)
            if isinstance(node.operator, cst.MatrixMultiply) and isinstance(found, Array):
                ranks = [side.rank if isinstance(side, Array) else None for side in (left, right)]
                return replace(found, rank=matmul_rank(*ranks))
            if isinstance(node.operator, cst.Divide) and isinstance(found, Array) and found.dtype in ("int", "bool"):
                return replace(found, dtype="float")
            return found
        return plain_arithmetic(node.operator, left, right)

    def unary(self, node: cst.UnaryOperation) -> Type:
        inner = self.evaluate(node.expression)
        if isinstance(inner, Reference):
            return BOOL if isinstance(node.operator, cst.Not) else UNKNOWN
        return BOOL if isinstance(node.operator, cst.Not) else without_storage(inner)

    def comparison(self, node: cst.Comparison) -> Type:
        operands = [self.evaluate(node.left), *(self.evaluate(part.comparator) for part in node.comparisons)]
        operators = [part.operator for part in node.comparisons]
        if any(isinstance(operator, (cst.Is, cst.IsNot, cst.In, cst.NotIn)) for operator in operators):
            return BOOL
        if any(isinstance(operand, Array) for operand in operands):
            return Array("bool", reduce(promote, operands).rank)  # type: ignore[attr-defined]
        return UNKNOWN if any(operand == UNKNOWN for operand in operands) else BOOL

    def boolean(self, node: cst.BooleanOperation) -> Type:
        return join(self.evaluate(node.left), self.evaluate(node.right))

    def conditional(self, node: cst.IfExp) -> Type:
        self.evaluate(node.test)
        return join(self.evaluate(node.body), self.evaluate(node.orelse))

    def applied(self, node: cst.Lambda, arguments: list[Type]) -> Type:
        """The result of a lambda called with arguments of these types."""
        outer = self.environment
        self.environment = dict(outer)
        for parameter, value in zip(node.params.params, arguments, strict=False):
            self.environment[parameter.name.value] = value
        result = self.evaluate(node.body)
        self.environment = outer
        return result

    def lambda_(self, node: cst.Lambda) -> Type:
        outer = self.environment
        self.environment = dict(outer)
        for parameter in (*node.params.posonly_params, *node.params.params, *node.params.kwonly_params):
            default = self.evaluate(parameter.default) if parameter.default is not None else UNKNOWN
            name = parameter.name.value
            seen = self.summaries.local_parameter(node, name, self.scope.file)
            self.environment[name] = seen if default in (UNKNOWN, NONE) else default
        for name in self.summaries.evident_arrays(self.scope, node):
            if self.environment[name] == UNKNOWN:
                self.environment[name] = ARRAY
        for star in (node.params.star_arg, node.params.star_kwarg):
            if isinstance(star, cst.Param):
                self.environment[star.name.value] = UNKNOWN
        result = self.evaluate(node.body)
        self.environment = outer
        return Callback(result, node)

    def _elements(self, elements: Iterable[cst.BaseElement]) -> list[Type]:
        return [self.evaluate(element.value) for element in elements]

    def tuple_(self, node: cst.Tuple) -> Type:
        items = self._elements(node.elements)
        if any(isinstance(element, cst.StarredElement) for element in node.elements):
            return Sequence(join_all(
                item_type(item) if isinstance(element, cst.StarredElement) else item
                for element, item in zip(node.elements, items, strict=True)
            ), "tuple")  # fmt: skip
        return Tuple(tuple(items))

    def list_(self, node: cst.List | cst.Set) -> Type:
        items = self._elements(node.elements)
        return Sequence(NOTHING if not items else join_all(
            item_type(item) if isinstance(element, cst.StarredElement) else item
            for element, item in zip(node.elements, items, strict=True)
        ), "list" if isinstance(node, cst.List) else "set")  # fmt: skip

    def dict_(self, node: cst.Dict) -> Type:
        result = Mapping(NOTHING)
        if len(node.elements) > MOST_ENTRIES:
            return Mapping(join_all(self.evaluate(element.value) for element in node.elements))
        for element in node.elements:
            if isinstance(element, cst.DictElement):
                self.evaluate(element.key)
                result = result.with_entry(literal(element.key), self.evaluate(element.value))
            else:
                result = self.updated(result, self.evaluate(element.value))
        return result

    def updated(self, container: Mapping, other: Type) -> Mapping:
        """A dictionary into which another one has been put: that may override any key."""
        if not isinstance(other, Mapping):
            return Mapping(UNKNOWN, container.kind)
        entries = other.entries if container.value != NOTHING else (*container.entries, *other.entries)
        return Mapping(join(container.value, other.value), container.kind, entries)

    def comprehension(self, node: cst.BaseComp) -> Type:
        outer = self.environment
        self.environment = dict(outer)
        clause: cst.CompFor | None = node.for_in
        while clause is not None:
            self.bind(clause.target, item_type(self.iterated(self.evaluate(clause.iter))))
            for condition in clause.ifs:
                self.evaluate(condition.test)
            clause = clause.inner_for_in
        if isinstance(node, cst.DictComp):
            self.evaluate(node.key)
            result: Type = Mapping(self.evaluate(node.value))
        else:
            assert isinstance(node, (cst.ListComp, cst.SetComp, cst.GeneratorExp))
            kinds = {cst.ListComp: "list", cst.SetComp: "set"}
            result = Sequence(self.evaluate(node.elt), kinds.get(type(node), "iterator"))
        self.environment = outer
        return result

    def iterated(self, value: Type) -> Type:
        """A value as something iterable: modules that hold others iterate over these."""
        if isinstance(value, Instance):
            return Sequence(self.summaries.attribute(value, "[]"))
        return Sequence(STR) if isinstance(value, Mapping) else value

    def bind(self, target: cst.BaseExpression, value: Type) -> None:
        """Assign a type to a name, or the parts of one to a tuple of names."""
        value = UNKNOWN if value == NOTHING else value
        self.types[target] = value
        if isinstance(target, cst.Name):
            self.environment[target.value] = value
        elif isinstance(target, (cst.Tuple, cst.List)):
            count = len(target.elements)
            starred = any(isinstance(element, cst.StarredElement) for element in target.elements)
            for index, element in enumerate(target.elements):
                if isinstance(element, cst.StarredElement):
                    self.bind(element.value, Sequence(item_type(value)))
                elif isinstance(value, Tuple) and len(value.items) == count and not starred:
                    self.bind(element.value, value.items[index])
                else:
                    self.bind(element.value, item_type(value))

    def walrus(self, node: cst.NamedExpr) -> Type:
        value = self.evaluate(node.value)
        self.bind(node.target, value)
        return value

    def inner(self, node: cst.CSTNode) -> Type:
        """The type of the one expression inside: await, starred, formatted parts."""
        expression = getattr(node, "expression", None) or getattr(node, "value", None)
        return self.evaluate(expression) if isinstance(expression, cst.BaseExpression) else UNKNOWN

    def formatted(self, node: cst.FormattedString) -> Type:
        for part in node.parts:
            if isinstance(part, cst.FormattedStringExpression):
                self.evaluate(part.expression)
        return STR

    def string(self, node: cst.BaseExpression) -> Type:
        if isinstance(node, cst.ConcatenatedString):
            for part in (node.left, node.right):
                self.evaluate(part)
            return STR
        return Scalar("bytes") if "b" in node.prefix.lower() else STR  # type: ignore[attr-defined]

    def qualified(self, node: cst.CSTNode) -> str | None:
        """The dotted path that an expression refers to, if it is a reference."""
        value = self.types.get(node)
        return value.path if isinstance(value, Reference) else dotted(node) if value is None else None


def _constant(value: Type) -> Callable[[ExpressionEvaluator, cst.CSTNode], Type]:
    return lambda evaluator, node: value


_EVALUATORS: dict[type[cst.CSTNode], Callable[..., Type]] = {
    cst.Name: ExpressionEvaluator.name,
    cst.Attribute: ExpressionEvaluator.attribute,
    cst.Call: ExpressionEvaluator.call,
    cst.Subscript: ExpressionEvaluator.subscript,
    cst.SubscriptElement: ExpressionEvaluator.slice_element,
    cst.BinaryOperation: ExpressionEvaluator.binary,
    cst.UnaryOperation: ExpressionEvaluator.unary,
    cst.Comparison: ExpressionEvaluator.comparison,
    cst.BooleanOperation: ExpressionEvaluator.boolean,
    cst.IfExp: ExpressionEvaluator.conditional,
    cst.Lambda: ExpressionEvaluator.lambda_,
    cst.Tuple: ExpressionEvaluator.tuple_,
    cst.List: ExpressionEvaluator.list_,
    cst.Set: ExpressionEvaluator.list_,
    cst.Dict: ExpressionEvaluator.dict_,
    cst.ListComp: ExpressionEvaluator.comprehension,
    cst.SetComp: ExpressionEvaluator.comprehension,
    cst.GeneratorExp: ExpressionEvaluator.comprehension,
    cst.DictComp: ExpressionEvaluator.comprehension,
    cst.NamedExpr: ExpressionEvaluator.walrus,
    cst.Await: ExpressionEvaluator.inner,
    cst.Arg: ExpressionEvaluator.inner,
    cst.Yield: ExpressionEvaluator.inner,
    cst.From: ExpressionEvaluator.inner,
    cst.Integer: _constant(INT),
    cst.Float: _constant(FLOAT),
    cst.Imaginary: _constant(Scalar("complex")),
    cst.Ellipsis: _constant(UNKNOWN),
    cst.SimpleString: ExpressionEvaluator.string,
    cst.ConcatenatedString: ExpressionEvaluator.string,
    cst.FormattedString: ExpressionEvaluator.formatted,
}
