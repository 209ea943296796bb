"""What calls give: of the repository's functions, classes and methods, of the framework's, and of arrays."""

from __future__ import annotations

from dataclasses import replace

import libcst as cst

from .batches import batch_type, data_set_type
from .handing_on import handed_on, passed_through
from .infer_definitions import DefinitionTypes
from .infer_expressions import ExpressionEvaluator
from .lattice import (
    ARRAY,
    INT,
    NONE,
    UNKNOWN,
    Array,
    Callback,
    DType,
    Either,
    Instance,
    LikeArgument,
    Method,
    Partial,
    Reference,
    Sequence,
    Type,
    join_all,
    without_rank,
    without_storage,
)
from .local_functions import registered
from .names import Definition
from .operation_results import result_type
from .read import BoundOp, Refusal, literal, read_call, read_property
from .result_ranks import pattern_rank


class CallTypes(DefinitionTypes):
    """The types of calls' results; framework calls are bound to their op, arguments noted for the next pass."""

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
        found = self.framework.foreign_result(path, arguments)
        if isinstance(found, Array) and found.rank is None:
            ranks = [pattern_rank(literal(argument.value)) for argument in call.args]
            return replace(found, rank=next((rank for rank in ranks if rank is not None), None))
        return found

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
            return result_type(bound, evaluator)
        if bound is not None:
            return self.framework.function_result(Reference(path))
        return self.framework.call_result(path)

    def _call_definition(self, definition: Definition, call: cst.Call, evaluator: ExpressionEvaluator) -> Type:
        if isinstance(definition.node, cst.ClassDef):
            constructor = self.method(definition.path, "__init__")
            if constructor is not None:
                self._note_call(constructor[1], call, evaluator, skip_first=True)
            return self._described(definition) or Instance(definition.path)
        if isinstance(definition.node, cst.FunctionDef):
            self._note_call(definition, call, evaluator, skip_first=bool(definition.owner))
            result = self.function_result(definition)
            if result in (UNKNOWN, Instance(self.framework.module_base)) or isinstance(result, Either):
                passed = UNKNOWN if definition.owner else passed_through(definition.node, call, evaluator.types)
                result = passed if passed != UNKNOWN else result
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
            ancestors = self.ancestors(receiver.path)
            if self.is_module_mixin(receiver.path):
                ancestors = [*ancestors, self.framework.module_base]
            for path in ancestors:
                known = self.framework.method_result(path, name)
                if known is not None:
                    return receiver if known == Instance("self") else known
        return self.framework.value_method_result(receiver, name)

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

    def _is_result_of_module(self, node: cst.BaseExpression, evaluator: ExpressionEvaluator) -> bool:
        """`net(x)` or a part of it, `net(x)[0]`: modules give arrays of their own framework, or containers of them."""
        while isinstance(node, cst.Subscript):
            node = node.value
        return isinstance(node, cst.Call) and self.is_module(evaluator.types.get(node.func, UNKNOWN))

    def _array_method(self, name: str, call: cst.Call, evaluator: ExpressionEvaluator) -> Type:
        path = f"{self.framework.array_class}.{name}"
        bound = read_call(self.tables, self.source, path, call, evaluator.type_of)
        if bound is not None:
            evaluator.bound[call] = bound
        if isinstance(bound, BoundOp):
            return result_type(bound, evaluator)
        known = self.framework.array_method_result(name)
        return self.framework.function_result(Reference(path)) if known == UNKNOWN else known

    # What a call tells of other functions and objects.

    def _note_local_call(
        self, function: cst.FunctionDef | cst.Lambda, call: cst.Call, evaluator: ExpressionEvaluator
    ) -> None:
        self.local_calls.note(function, call, evaluator)
        for inner, name, value in registered(function, call):
            receiver = evaluator.types.get(inner.func.value, UNKNOWN) if isinstance(inner.func, cst.Attribute) else UNKNOWN
            if isinstance(receiver, Instance):
                self._note_registered(receiver, inner, name, evaluator.types.get(value, UNKNOWN))

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

    # Operations of arrays, Python's builtins among them.

    def read_builtin(self, name: str, call: cst.Call, evaluator: ExpressionEvaluator) -> BoundOp | None:
        """A Python builtin called on an array, where the source framework's rows spell it."""
        bound = read_call(self.tables, self.source, name, call, evaluator.type_of)
        if isinstance(bound, BoundOp):
            evaluator.bound[call] = bound
            return bound
        return None

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
        unique = unique or (name in self.evidence.shared_attributes and self._is_result_of_module(call.func.value, evaluator))
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
