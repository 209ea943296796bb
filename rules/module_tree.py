"""What callers do with modules as trees: parameters, names, state dictionaries, modes, placement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import append_argument, keyword_argument, normal_commas
from ..rewriter.lattice import UNKNOWN, Instance, Method, Reference, Type
from ..rewriter.read import Refusal, literal
from ..rewriter.rule import Rule
from .definition_nodes import is_module_class_node
from .module_class import is_super
from .rngs import generator_key, rngs_source

#: Methods of torch modules that have a function of the same name over NNX modules.
QUERIES = {
    "parameters": "parameters", "named_parameters": "named_parameters", "buffers": "buffers",
    "named_buffers": "named_buffers", "modules": "modules", "named_modules": "named_modules", "children": "children",
    "named_children": "named_children", "state_dict": "state_dict", "load_state_dict": "load_state_dict",
    "apply": "apply", "get_submodule": "get_submodule", "requires_grad_": "requires_grad_",
}  # fmt: skip
#: Of these, the ones that nothing but a module has: a receiver of unknown type must be one.
_TELLING = frozenset("parameters named_parameters named_buffers named_modules named_children load_state_dict".split())
#: Placement and precision: arrays live where JAX puts them.
_PLACEMENT = frozenset("cuda cpu xpu share_memory".split())
_REFUSED = {
    "register_forward_hook": "hooks have no counterpart in Flax NNX; call the function where the module is called",
    "register_forward_pre_hook": "hooks have no counterpart in Flax NNX; call the function where the module is called",
    "register_full_backward_hook": "gradient hooks have no counterpart in JAX; wrap the function with jax.custom_vjp",
    "register_backward_hook": "gradient hooks have no counterpart in JAX; wrap the function with jax.custom_vjp",
    "get_parameter": "a parameter by its dotted name; name the attribute, or look it up in dict(model.named_parameters())",
    "get_buffer": "a buffer by its dotted name; name the attribute, or look it up in dict(model.named_buffers())",
    "half": "changing a module's precision in place; build it with param_dtype=jnp.float16 instead",
    "bfloat16": "changing a module's precision in place; build it with param_dtype=jnp.bfloat16 instead",
    "double": "float64 needs jax_enable_x64; set it and build the module with param_dtype=jnp.float64",
    "type": "changing a module's precision in place; build it with the precision that it should have",
}


@dataclass(frozen=True)
class ModuleQuery:
    """A question about, or an operation on, the tree of a module."""

    module: cst.BaseExpression
    name: str
    arguments: tuple[cst.Arg, ...]


@dataclass(frozen=True)
class ModeSwitch:
    """Training or evaluation mode. `training` is None when it is computed (`mode`)."""

    module: cst.BaseExpression
    training: bool | None
    mode: cst.BaseExpression | None
    is_statement: bool


@dataclass(frozen=True)
class Placement:
    """A move of a module to a device: nothing to do."""

    module: cst.BaseExpression


def is_module_value(context: FileContext, node: cst.BaseExpression, value: Type) -> bool:
    """Whether an expression is certainly a module, `super()` in a module class included."""
    if context.inference.is_module(value):
        return True
    owner = context.enclosing(cst.ClassDef)
    return is_super(node) and owner is not None and is_module_class_node(context, owner)


def read_call(node: cst.Call, context: FileContext) -> ModuleQuery | ModeSwitch | Placement | Refusal | None:
    """A method of a module that is torch's own and not redefined in the repository."""
    if not isinstance(node.func, cst.Attribute):
        return None
    name = node.func.attr.value
    receiver = node.func.value
    value = context.type_of(receiver)
    if not is_module_value(context, receiver, value):
        if value != UNKNOWN or context.inference.defines_method(name, node):
            return None
        if name not in _TELLING and not _applies_function(node, name, context):
            return None
    elif isinstance(value, Instance) and context.inference.method(value.path, name) is not None:
        return None
    if name in ("train", "eval"):
        return _mode(node, receiver, name, context)
    if name in _REFUSED:
        return Refusal(_REFUSED[name], node, f"torch.nn.Module.{name}")
    if name == "to":
        return _moved(node, receiver, context)
    if name in _PLACEMENT or (name == "float" and not node.args):
        return Placement(receiver)
    return ModuleQuery(receiver, name, tuple(node.args)) if name in QUERIES else None


def _applies_function(node: cst.Call, name: str, context: FileContext) -> bool:
    """`net.apply(init_weights)` with a function of the repository: nothing but a module is given one."""
    if name != "apply" or len(node.args) != 1:
        return False
    value = context.type_of(node.args[0].value)
    if isinstance(value, Method):
        return isinstance(value.receiver, Instance) and context.inference.is_module(value.receiver)
    return isinstance(value, Reference) and context.inference.repository.resolve(value.path) is not None


def _mode(node: cst.Call, receiver: cst.BaseExpression, name: str, context: FileContext) -> ModeSwitch:
    parent = context.stack[-2] if len(context.stack) > 1 else None
    training: Any = name == "train"
    mode = None
    if name == "train" and node.args:
        mode = node.args[0].value
        written = literal(mode)
        training = written if written in (True, False) else None
    return ModeSwitch(receiver, training, mode, isinstance(parent, cst.Expr))


def _moved(node: cst.Call, receiver: cst.BaseExpression, context: FileContext) -> Placement | Refusal:
    """`module.to(device)` moves; with an element type it would change the precision."""
    for argument in node.args:
        name = argument.keyword.value if argument.keyword is not None else ""
        kind = type(context.type_of(argument.value)).__name__
        if name == "dtype" or kind == "DType":
            return Refusal(
                "changing a module's precision in place; build it with the precision that it should have", node
            )
    return Placement(receiver)


def write_call(construct: Any, node: cst.Call, context: FileContext) -> Any:
    """Functions over the module tree, NNX's own mode methods, or the module itself."""
    context.converted(node, op=type(construct).__name__, rule="module_tree")
    if isinstance(construct, Placement):
        return context.rewrite(construct.module)
    if isinstance(construct, ModeSwitch):
        return _write_mode(construct, node, context)
    module = context.rewrite(construct.module)
    if is_super(construct.module):
        return Refusal(f"super().{construct.name}() of a module has no counterpart", node)
    if construct.name == "apply" and construct.arguments:
        function = context.rewrite(construct.arguments[0].value)
        return context.expression("helpers.apply({module}, {function})", module=module, function=function)
    arguments = [context.rewrite(argument) for argument in construct.arguments]
    function = context.helper(QUERIES[construct.name])
    return node.with_changes(func=function, args=normal_commas([cst.Arg(module), *arguments]))


def _write_mode(construct: ModeSwitch, node: cst.Call, context: FileContext) -> Any:
    module = context.rewrite(construct.module)
    if construct.is_statement and construct.training is not None:
        return context.expression("{module}.train()" if construct.training else "{module}.eval()", module=module)
    if is_super(construct.module) and construct.mode is None:
        return context.expression("super().train()" if construct.training else "super().eval()")
    if is_super(construct.module):
        assert construct.mode is not None
        mode = context.rewrite(construct.mode)
        return context.expression("super().train() if {mode} else super().eval()", mode=mode)
    if construct.training is None:
        assert construct.mode is not None
        mode = context.rewrite(construct.mode)
        return context.expression("helpers.set_training({module}, {mode})", module=module, mode=mode)
    if construct.training:
        return context.expression("helpers.set_training({module})", module=module)
    return context.expression("helpers.set_training({module}, False)", module=module)


@dataclass(frozen=True)
class NamedMethod:
    """An initialisation of a tensor in place, `nn.init.*`."""

    function: str
    arguments: tuple[cst.Arg, ...]
    random: bool


INITIALIZERS = {
    "uniform_": True, "normal_": True, "trunc_normal_": True, "xavier_uniform_": True, "xavier_normal_": True,
    "kaiming_uniform_": True, "kaiming_normal_": True, "orthogonal_": True, "sparse_": True, "constant_": False,
    "ones_": False, "zeros_": False, "eye_": False, "dirac_": False, "xavier_uniform": True, "xavier_normal": True,
    "kaiming_uniform": True, "kaiming_normal": True, "normal": True, "uniform": True, "constant": False,
}  # fmt: skip


def read_initializer(node: cst.Call, context: FileContext) -> NamedMethod | None:
    """`nn.init.xavier_uniform_(tensor, gain)`."""
    path = context.direct_path(node.func)
    if path is None or not path.startswith("torch.nn.init."):
        return None
    name = path.removeprefix("torch.nn.init.")
    if name not in INITIALIZERS:
        return None
    return NamedMethod(name.rstrip("_"), tuple(node.args), INITIALIZERS[name])


def write_initializer(construct: NamedMethod, node: cst.Call, context: FileContext) -> Any:
    """A helper that fills the variable."""
    context.converted(node, op=construct.function, api=f"torch.nn.init.{construct.function}_", rule="initializer")
    return initializer_call(construct, node, None, context)


def initializer_call(
    construct: NamedMethod, node: cst.Call, target: cst.BaseExpression | None, context: FileContext
) -> cst.BaseExpression:
    """The helper's call; it fills `target` in place of the array that the source names."""
    arguments = []
    generator = None
    for index, argument in enumerate(construct.arguments):
        name = argument.keyword.value if argument.keyword is not None else ""
        if name == "generator":
            generator = argument.value if literal(argument.value) is not None else None
            continue
        is_target = index == 0 and name in ("", "tensor")
        value = _variable(argument.value) if is_target else argument.value
        new = target if is_target and target is not None else context.rewrite(value)
        arguments.append(argument.with_changes(value=new))
    call = node.with_changes(func=context.helper(f"{construct.function}_"), args=normal_commas(arguments))
    if not construct.random:
        return call
    return append_argument(call, keyword_argument("key", initializer_key(generator, context)))


def initializer_key(generator: cst.BaseExpression | None, context: FileContext) -> cst.BaseExpression:
    """The random key of an initializer: from its generator, or from the streams at hand."""
    if generator is not None:
        return generator_key(context, generator)
    source = rngs_source(context)
    return cst.Call(source) if source is not None else context.expression("helpers.next_key()")


def _variable(node: cst.BaseExpression) -> cst.BaseExpression:
    """`m.weight.data` names the variable `m.weight`."""
    return node.value if isinstance(node, cst.Attribute) and node.attr.value == "data" else node


RULES = (
    Rule("module_tree", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=35),
    Rule("initializer", (cst.Call,), {"torch": read_initializer}, {"jax": write_initializer}, order=30),
)
