"""Module trees for torch and Keras: the writing halves, and how JAX and TensorFlow code asks."""

from __future__ import annotations

from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, Instance
from ..rewriter.read import Refusal, literal
from ..rewriter.rule import Rule
from . import module_tree
from .module_class import is_super
from .module_class_spokes import without_argument
from .module_tree import (
    INITIALIZERS,
    QUERIES,
    ModeSwitch,
    ModuleQuery,
    NamedMethod,
    Placement,
    is_module_value,
    read_initializer,
)
from .seeding import Seeding, read_seeding


def write_call(construct: Any, node: cst.Call, context: FileContext) -> Any:
    """torch's methods; functions over the tree for Keras."""
    context.converted(node, op=type(construct).__name__, rule="module_tree")
    module = context.rewrite(construct.module)
    if isinstance(construct, Placement):
        return module
    if isinstance(construct, ModeSwitch):
        return _mode(construct, module, context)
    arguments = [context.rewrite(argument) for argument in construct.arguments]
    if context.target.name == "torch":
        return context.expression(f"{{module}}.{construct.name}({{arguments}})", module=module, arguments=arguments)
    if is_super(construct.module):
        return Refusal(f"super().{construct.name}() of a module has no counterpart", node)
    try:
        function = context.helper(construct.name)
    except KeyError:
        return Refusal(f"a module's {construct.name} has no counterpart in Keras yet", node)
    return context.expression("{function}({arguments})", function=function, arguments=[cst.Arg(module), *arguments])


def _mode(construct: ModeSwitch, module: Any, context: FileContext) -> Any:
    computed: Any = construct.mode
    is_torch = context.target.name == "torch"
    if construct.training is None:
        template = "{m}.train({mode})" if is_torch else "helpers.set_training({m}, {mode})"
        return context.expression(template, m=module, mode=context.rewrite(computed))
    templates = ("{m}.eval()", "{m}.train()") if is_torch else ("helpers.set_training({m}, False)", "helpers.set_training({m})")
    return context.expression(templates[construct.training], m=module)


def read_call(node: cst.Call, context: FileContext) -> ModuleQuery | ModeSwitch | Refusal | None:
    """`set_training(model, False)`, `parameters(model)`, and NNX's `model.train()` and `model.eval()`."""
    path = context.direct_path(node.func) or ""
    if path == "helpers.set_training" and node.args:
        return _switch(node, context)
    name = path.removeprefix("helpers.")
    if path.startswith("helpers.") and name in QUERIES and node.args and not node.args[0].star:
        return ModuleQuery(node.args[0].value, name, tuple(node.args[1:]))
    if not isinstance(node.func, cst.Attribute) or node.func.attr.value not in ("train", "eval") or node.args:
        return None
    receiver = node.func.value
    value = context.type_of(receiver)
    own = isinstance(value, Instance) and context.inference.method(value.path, node.func.attr.value) is not None
    if context.source.name != "jax" or own:
        return None
    if not is_module_value(context, receiver, value) and value != UNKNOWN:
        return None
    return ModeSwitch(receiver, node.func.attr.value == "train", None, True)


def _switch(node: cst.Call, context: FileContext) -> ModeSwitch:
    parent = context.stack[-2] if len(context.stack) > 1 else None
    mode = node.args[1].value if len(node.args) > 1 else None
    training = True if mode is None else literal(mode) if literal(mode) in (True, False) else None
    return ModeSwitch(node.args[0].value, training, mode, isinstance(parent, cst.Expr))


def write_initializer(construct: NamedMethod, node: cst.Call, context: FileContext) -> Any:
    """`torch.nn.init.name_(tensor, ...)`, or the helper of this name for a Keras variable."""
    context.converted(node, op=construct.function, rule="initializer")
    call = without_argument(cst.Call(cst.Name("f"), list(construct.arguments)), "key")
    arguments = [context.rewrite(argument) for argument in call.args]
    name = f"{construct.function}_"
    if context.target.name == "torch":
        return context.expression(f"torch.nn.init.{name}({{arguments}})", arguments=arguments)
    try:
        return context.expression("{function}({arguments})", function=context.helper(name), arguments=arguments)
    except KeyError:
        return Refusal(f"{name} has no counterpart for Keras variables yet", node)


def read_filling(node: cst.Call, context: FileContext) -> NamedMethod | None:
    """`kaiming_normal_(weight, key=...)`: the helper that torch's initialiser became."""
    name = (context.direct_path(node.func) or "").removeprefix("helpers.")
    if name not in INITIALIZERS or not (context.direct_path(node.func) or "").startswith("helpers."):
        return None
    kept = without_argument(node, "key").args
    return NamedMethod(name.rstrip("_"), tuple(kept), INITIALIZERS[name])


def write_seeding(construct: Seeding, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """The process's generator is seeded."""
    context.converted(node.body[0], op="seed", rule="rngs")
    function = {"torch": "torch.manual_seed", "tensorflow": "tensorflow.random.set_seed"}[context.target.name]
    call = context.expression(f"{function}({{seed}})", seed=context.rewrite(construct.seed))
    return node.with_changes(body=[cst.Expr(call)])


def read_stream(node: cst.SimpleStatementLine, context: FileContext) -> Seeding | None:
    """`rngs = nnx.Rngs(seed)` and `manual_seed(seed)`."""
    small = node.body[0] if len(node.body) == 1 else None
    call = small.value if isinstance(small, (cst.Assign, cst.Expr)) else None
    if not isinstance(call, cst.Call):
        return None
    path = context.direct_path(call.func)
    if path == "helpers.manual_seed" and isinstance(small, cst.Expr) and len(call.args) == 1:
        return Seeding(call.args[0].value, False)
    if path == "flax.nnx.Rngs" and isinstance(small, cst.Assign) and isinstance(small.targets[0].target, cst.Name):
        return Seeding(call.args[0].value if call.args else cst.Integer("0"), True)
    return None


def write_first_seeding(construct: Seeding, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """As `write_seeding`; seeds of single devices, which follow the generator's, go."""
    path = context.path(node.body[0].value.func) or ""  # type: ignore[union-attr,attr-defined]
    if ".cuda" in path or ".mps" in path:
        return cst.RemovalSentinel.REMOVE
    return write_seeding(construct, node, context)


_CALL = (cst.Call,)
_BOTH = {"tensorflow": write_call, "torch": write_call}
_FILLING = {"tensorflow": write_initializer, "torch": write_initializer}
_SEEDING = {"tensorflow": write_first_seeding, "torch": write_first_seeding}
RULES = (
    Rule("plain_tree", _CALL, {"torch": module_tree.read_call, "jax": read_call, "tensorflow": read_call}, _BOTH, order=35),
    Rule("keras_tree", _CALL, {"tensorflow": read_call}, {"jax": module_tree.write_call}, order=35),
    Rule("plain_initializer", _CALL, {"torch": read_initializer, "jax": read_filling, "tensorflow": read_filling},
         _FILLING, order=30),
    Rule("keras_initializer", _CALL, {"tensorflow": read_filling}, {"jax": module_tree.write_initializer}, order=30),
    Rule("plain_seeding", (cst.SimpleStatementLine,),
         {"torch": read_seeding, "tensorflow": read_seeding, "jax": read_stream}, _SEEDING, order=20),
)  # fmt: skip
