"""Optimizers and schedules for torch and TensorFlow, and as JAX and TensorFlow code builds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import keyword_argument
from ..rewriter.lattice import Instance
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from . import optimizer_uses, optimizers, schedulers
from .optimizer_models import SCHEDULERS
from .optimizer_uses import OptimizerUse
from .optimizers import ARGUMENTS, Optimizer, OptimizerAnnotation
from .schedulers import Schedule
from .training_tape import variables_of

#: Optax's names for torch's hyperparameters, by function.
_OPTAX: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "optax.sgd": ("SGD", {"learning_rate": "lr", "momentum": "momentum", "nesterov": "nesterov"}),
    "optax.adam": ("Adam", {"learning_rate": "lr", "b1": "b1", "b2": "b2", "eps": "eps"}),
    "optax.adamw": (
        "AdamW",
        {"learning_rate": "lr", "b1": "b1", "b2": "b2", "eps": "eps", "weight_decay": "weight_decay"},
    ),
}
_DECAYS = {"optax.adamw": "0.0001"}
_ORDER = {"SGD": ("lr", "momentum", "nesterov"), "Adam": ("lr", "b1", "b2", "eps"), "AdamW": ("lr", "b1", "b2", "eps")}
_SCHEDULES = frozenset("StepLR MultiStepLR ExponentialLR CosineAnnealingLR LambdaLR LRScheduler".split())


def write_optimizer(construct: Optimizer, node: cst.Call, context: FileContext) -> Any:
    """`torch.optim.SGD(model.parameters(), lr=...)`; for TensorFlow the helper of this name over variables."""
    arguments = [keyword_argument(name, context.rewrite(value)) for name, value in construct.given.items()]
    is_torch = context.target.name == "torch"
    try:
        function = context.expression(f"torch.optim.{construct.kind}") if is_torch else context.helper(construct.kind)
    except KeyError:
        return Refusal(f"{construct.kind} has no counterpart with the same steps for TensorFlow yet", node)
    if construct.modules is None:
        if not is_torch and context.source.name != "torch":
            return Refusal("an optimizer over something else than whole models", node)
        parameters = context.rewrite(construct.parameters)
    elif is_torch:
        parameters = _torch_parameters([context.rewrite(module) for module in construct.modules])
    else:
        parameters = variables_of([context.rewrite(module) for module in construct.modules])
    context.converted(node, op="optimizer", rule="optimizers")
    made = context.expression("{function}({parameters}, {arguments})" if arguments else "{function}({parameters})",
                              function=function, parameters=parameters, arguments=arguments)  # fmt: skip
    if isinstance(node.whitespace_before_args, cst.ParenthesizedWhitespace):
        return made.with_changes(whitespace_before_args=node.whitespace_before_args)
    return made


def _torch_parameters(models: list[Any]) -> Any:
    each = [cst.Call(cst.Attribute(model, cst.Name("parameters"))) for model in models]
    return each[0] if len(each) == 1 else cst.List([cst.StarredElement(one) for one in each])


def read_keras(node: cst.Call, context: FileContext) -> Optimizer | Refusal | None:
    """`SGD(model.trainable_variables, lr=...)`: the helper that torch's optimizer became."""
    path = context.direct_path(node.func) or ""
    kind = path.removeprefix("helpers.")
    if not path.startswith("helpers.") or kind not in ARGUMENTS or not node.args:
        return None
    modules = variable_owners(node.args[0].value)
    names = ["params", *ARGUMENTS[kind]]
    given: dict[str, cst.BaseExpression] = {}
    for index, argument in enumerate(node.args[1:], 1):
        if argument.star:
            return Refusal(f"the arguments of {kind} cannot be read; write them out", node, path)
        given[argument.keyword.value if argument.keyword is not None else names[index]] = argument.value
    return Optimizer(kind, node.args[0].value, modules, given)


def variable_owners(node: cst.BaseExpression) -> tuple[cst.BaseExpression, ...] | None:
    """The models in `model.trainable_variables` or `[*a.trainable_variables, *b.trainable_variables]`."""
    if isinstance(node, cst.Attribute) and node.attr.value in ("trainable_variables", "trainable_weights"):
        return (node.value,)
    if isinstance(node, cst.List) and node.elements:
        found = [
            variable_owners(element.value) for element in node.elements if isinstance(element, cst.StarredElement)
        ]
        if len(found) == len(node.elements) and all(one is not None for one in found):
            return tuple(module for one in found if one is not None for module in one)
    return None


def read_optax(node: cst.Call, context: FileContext) -> Optimizer | Refusal | None:
    """`nnx.Optimizer(model, optax.adamw(...), wrt=nnx.Param)`."""
    if context.direct_path(node.func) != "flax.nnx.Optimizer" or len(node.args) < 2:
        return None
    model, transformation = node.args[0].value, node.args[1].value
    modules = tuple(e.value for e in model.elements) if isinstance(model, cst.Tuple) else (model,)
    found = _read_transformation(transformation, context)
    if found is None:
        return Refusal("this Optax transformation has no optimizer of the same steps", node, "flax.nnx.Optimizer")
    kind, given = found
    return Optimizer(kind, model, modules, given)


def _read_transformation(
    node: cst.BaseExpression, context: FileContext
) -> tuple[str, dict[str, cst.BaseExpression]] | None:
    """The optimizer's kind and hyperparameters, from Optax's own functions or the helpers torch's became."""
    if not isinstance(node, cst.Call):
        return None
    function = node.func
    if isinstance(function, cst.Call) and context.direct_path(function.func) == "optax.inject_hyperparams":
        function = function.args[0].value
    path = context.direct_path(function) or ""
    if path == "optax.chain" and len(node.args) == 2:
        return _read_decayed(node, context)
    kind = next((name for name in ARGUMENTS if path == f"helpers.{name.lower()}"), None)
    if kind is not None:
        names = list(ARGUMENTS[kind])
        return kind, {a.keyword.value if a.keyword else names[i]: a.value for i, a in enumerate(node.args)}
    if path not in _OPTAX:
        return None
    kind, hub = _OPTAX[path]
    given: dict[str, cst.BaseExpression] = {"weight_decay": cst.Float(_DECAYS[path])} if path in _DECAYS else {}
    for index, argument in enumerate(node.args):
        name = hub.get(argument.keyword.value, "") if argument.keyword else _ORDER[kind][index]
        if not name:
            return None
        given[name] = argument.value
    return kind, _with_betas(given)


def _with_betas(given: dict[str, cst.BaseExpression]) -> dict[str, cst.BaseExpression]:
    if "b1" not in given and "b2" not in given:
        return given
    first, second = given.pop("b1", cst.Float("0.9")), given.pop("b2", cst.Float("0.999"))
    return {**given, "betas": cst.Tuple([cst.Element(first), cst.Element(second)])}


def _read_decayed(node: cst.Call, context: FileContext) -> tuple[str, dict[str, cst.BaseExpression]] | None:
    """`optax.chain(optax.add_decayed_weights(d), inner)`: L2 weight decay."""
    first = node.args[0].value
    if not isinstance(first, cst.Call) or context.direct_path(first.func) != "optax.add_decayed_weights":
        return None
    inner = _read_transformation(node.args[1].value, context)
    if inner is None or inner[0] == "AdamW" or len(first.args) != 1:
        return None
    return inner[0], {**inner[1], "weight_decay": first.args[0].value}


def write_use(construct: OptimizerUse, node: cst.CSTNode, context: FileContext) -> Any:
    """The attribute or method of the same name."""
    context.converted(node, op=construct.kind, rule="optimizers")
    owner = context.rewrite(construct.optimizer)
    attribute = cst.Attribute(owner, cst.Name(construct.kind))
    if construct.kind == "param_groups":
        return attribute
    return cst.Call(attribute, [context.rewrite(argument) for argument in construct.arguments])


def read_use(node: cst.Call, context: FileContext) -> OptimizerUse | None:
    """`optimizer_state_dict(optimizer)` and its like: the helpers that torch's methods became."""
    path = context.direct_path(node.func) or ""
    names = {"helpers.param_groups": "param_groups", "helpers.optimizer_state_dict": "state_dict",
             "helpers.optimizer_load_state_dict": "load_state_dict"}  # fmt: skip
    if path not in names or not node.args:
        return None
    return OptimizerUse(names[path], node.args[0].value, tuple(node.args[1:2]))  # Not the model, which torch needs not.


def read_method(node: cst.Call, context: FileContext) -> OptimizerUse | None:
    """`optimizer.state_dict()` of TensorFlow's helpers."""
    if not isinstance(node.func, cst.Attribute) or node.func.attr.value not in ("state_dict", "load_state_dict"):
        return None
    value = context.type_of(node.func.value)
    if not isinstance(value, Instance) or value.path.removeprefix("helpers.") not in ARGUMENTS:
        return None
    return OptimizerUse(node.func.attr.value, node.func.value, tuple(node.args))


def write_annotation(construct: OptimizerAnnotation, node: cst.CSTNode, context: FileContext) -> Any:
    """The base class."""
    context.converted(node, op="optimizer", rule="optimizers")
    return context.expression("torch.optim.Optimizer" if context.target.name == "torch" else "helpers.Optimizer")


def read_schedule(node: cst.Call, context: FileContext) -> Schedule | None:
    """`StepLR(optimizer, 30)`: the helper of torch's name."""
    path = context.direct_path(node.func) or ""
    name = path.removeprefix("helpers.")
    return Schedule(name, tuple(node.args)) if path == f"helpers.{name}" and name in _SCHEDULES else None


def write_torch_schedule(construct: Schedule, node: cst.CSTNode, context: FileContext) -> Any:
    """`torch.optim.lr_scheduler.StepLR(...)`."""
    context.converted(node, op="schedule", rule="schedulers")
    function = context.expression(f"{SCHEDULERS}{construct.kind}")
    if construct.arguments is None:
        return function
    return node.with_changes(func=function, args=[context.rewrite(argument) for argument in construct.arguments])


_CALL, _CLASS = (cst.Call,), (cst.Attribute, cst.Name)
_ALL = {"tensorflow": write_optimizer, "torch": write_optimizer}
_USES = {"tensorflow": write_use, "torch": write_use}
_ANNOTATION = {"tensorflow": write_annotation}
_SPOKES = dict.fromkeys(("jax", "tensorflow"), read_schedule)
_KERAS = {"tensorflow": read_schedule}
RULES = (
    Rule(
        "plain_optimizer",
        _CALL,
        {"torch": optimizers.read_optimizer, "tensorflow": read_keras, "jax": read_optax},
        _ALL,
        order=20,
    ),
    Rule("keras_optimizer", _CALL, {"tensorflow": read_keras}, {"jax": optimizers.write_optimizer}, order=20),
    Rule("plain_groups", (cst.Attribute,), {"torch": optimizer_uses.read_groups}, _USES, order=20),
    Rule(
        "plain_state",
        _CALL,
        {"torch": optimizer_uses.read_state, "jax": read_use, "tensorflow": read_method},
        _USES,
        order=20,
    ),
    Rule("keras_state", _CALL, {"tensorflow": read_method}, {"jax": optimizer_uses.write_use}, order=20),
    Rule("plain_optimizer_class", _CLASS, {"torch": optimizers.read_annotation}, _ANNOTATION, order=20),
    Rule(
        "plain_schedule",
        _CALL,
        {"torch": schedulers.read_schedule},
        {"tensorflow": schedulers.write_schedule},
        order=20,
    ),
    Rule(
        "plain_schedule_class",
        _CLASS,
        {"torch": schedulers.read_class},
        {"tensorflow": schedulers.write_schedule},
        order=20,
    ),
    Rule("torch_schedule", _CALL, _SPOKES, {"torch": write_torch_schedule}, order=20),
    Rule(
        "keras_schedule",
        _CALL,
        _KERAS,
        {"jax": schedulers.write_schedule, "tensorflow": schedulers.write_schedule},
        order=20,
    ),
)
