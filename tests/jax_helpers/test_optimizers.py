import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from flax import nnx

from ivy_convert.api_maps.jax.helpers import further_optimizers, modules, optimizers
from ivy_convert.api_maps.jax.helpers.parameter_groups import ParameterGroups, param_groups

START = np.random.default_rng(0).standard_normal(5).astype(np.float32)
SLOPES = np.random.default_rng(1).standard_normal((30, 5)).astype(np.float32) * [1, 0.1, 1e-3, 1e-6, 0]
CASES = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "dampening": 0.5}),
    ("SGD", {"dampening": 0.5}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"maximize": True, "lr": 1e-3}),
    ("Adam", {}),
    ("Adam", {"weight_decay": 0.1, "eps": 1e-3}),
    ("Adam", {"amsgrad": True, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.1, "betas": (0.8, 0.95), "amsgrad": True}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("Adagrad", {}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.1, "weight_decay": 0.1}),
    ("Adadelta", {}),
    ("Adadelta", {"weight_decay": 0.1, "rho": 0.8}),
    ("Adamax", {}),
    ("Adamax", {"weight_decay": 0.1}),
    ("NAdam", {}),
    ("NAdam", {"weight_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {}),
    ("RAdam", {"weight_decay": 0.1, "eps": 1e-3}),
    ("RAdam", {"betas": (0.9, 0.9), "maximize": True}),
]


def torch_steps(name, arguments, rates):
    parameter = torch.nn.Parameter(torch.tensor(START))
    optimizer = getattr(torch.optim, name)([parameter], **arguments)
    for slope, rate in zip(SLOPES, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        parameter.grad = torch.tensor(slope.astype(np.float32)) + 0.1 * parameter.detach()
        optimizer.step()
    return parameter.detach().numpy()


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_thirty_steps(name, arguments):
    """With a falling learning rate, so that what it scales matters."""
    arguments = {"lr": 0.02, **arguments}
    rates = [arguments["lr"] * 0.95**i for i in range(30)]
    expected = torch_steps(name, arguments, rates)
    transformation = getattr(optimizers, name.lower())
    parameter = nnx.Param(jnp.asarray(START))
    optimizer = ParameterGroups(transformation, [parameter], **arguments)
    plain = START, transformation(**{**arguments, "lr": lambda count: arguments["lr"] * 0.95**count})
    params, state = jnp.asarray(plain[0]), plain[1].init(plain[0])

    @nnx.jit
    def step(parameter, optimizer, slope):
        optimizer.update(parameter, slope + 0.1 * parameter[...])

    @jax.jit
    def plain_step(params, state, slope):
        updates, state = plain[1].update(slope + 0.1 * params, state, params)
        return optax.apply_updates(params, updates), state

    for slope, rate in zip(SLOPES.astype(np.float32), rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        step(parameter, optimizer, slope)
        params, state = plain_step(params, state, slope)
    np.testing.assert_allclose(parameter[...], expected, atol=1e-6)
    np.testing.assert_allclose(params, expected, atol=1e-6)


class Net(nnx.Module):
    def __init__(self):
        self.first = nnx.Param(jnp.asarray(START[:3]))
        self.second = nnx.List([nnx.Param(jnp.asarray(START[3:])), nnx.Param(jnp.ones(2))])
        self.unused = nnx.Param(jnp.ones(2))


def test_groups_with_their_own_hyperparameters():
    net = Net()
    tensors = [
        torch.nn.Parameter(torch.tensor(np.asarray(p.get_value()))) for p in (net.first, *net.second, net.unused)
    ]
    groups = [{"params": tensors[:1], "weight_decay": 0.5, "lr": 0.1}, {"params": tensors[1:]}]
    reference = torch.optim.AdamW(groups, lr=0.05, weight_decay=0.0)
    optimizer = ParameterGroups(
        optimizers.adamw,
        [{"params": [net.first], "weight_decay": 0.5, "lr": 0.1}, {"params": [*net.second, net.unused]}],
        lr=0.05,
        weight_decay=0.0,
    )
    modules.requires_grad_(net.unused, False)
    tensors[3].requires_grad_(False)
    traces = []

    def loss(net):
        return (net.first**2).sum() + (net.second[0] ** 3).sum() * net.second[1].sum()

    @nnx.jit
    def step(net, optimizer):
        traces.append(1)
        optimizer.update(net, nnx.grad(loss)(net))

    for i in range(6):
        if i == 3:
            for group in (reference.param_groups[1], optimizer.param_groups[1]):
                group["lr"], group["weight_decay"] = 0.01, 0.2
        reference.zero_grad()
        ((tensors[0] ** 2).sum() + (tensors[1] ** 3).sum() * tensors[2].sum()).backward()
        reference.step()
        step(net, optimizer)
    for parameter, tensor in zip((net.first, *net.second, net.unused), tensors, strict=True):
        np.testing.assert_allclose(parameter[...], tensor.detach().numpy(), atol=1e-6)
    assert len(traces) == 1
    assert optimizer.param_groups[1]["lr"] == 0.01 and optimizer.param_groups[0]["params"][0] is net.first


def test_two_models_and_errors():
    first, second = Net(), Net()
    both = [*modules.parameters(first), *modules.parameters(second)]
    optimizer = ParameterGroups(optimizers.sgd, both, lr=0.1)
    grads = nnx.grad(lambda a, b: (a.first * b.first).sum(), argnums=(0, 1))(first, second)
    optimizer.update((first, second), grads)
    np.testing.assert_allclose(first.first[...], START[:3] * 0.9, rtol=1e-6)
    np.testing.assert_allclose(second.first[...], START[:3] * 0.9, rtol=1e-6)
    with pytest.raises(ValueError, match="empty"):
        ParameterGroups(optimizers.sgd, [])
    with pytest.raises(ValueError, match="more than one"):
        optimizer.add_param_group({"params": [first.first]})


def test_momentum_may_start_later():
    parameter = nnx.Param(jnp.ones(2))
    optimizer = ParameterGroups(optimizers.sgd, [parameter], lr=0.1)
    optimizer.param_groups[0]["momentum"] = 0.9
    for _ in range(2):
        optimizer.update(parameter, jnp.ones(2))
    np.testing.assert_allclose(parameter[...], 1 - 0.1 - 0.19, rtol=1e-6)


def test_injected_hyperparameters_of_an_nnx_optimizer():
    net = Net()
    optimizer = nnx.Optimizer(
        net, optax.inject_hyperparams(optax.adamw)(learning_rate=0.1, weight_decay=0.01), wrt=nnx.Param
    )
    (group,) = param_groups(optimizer)
    assert group["lr"] == 0.1 and group["betas"] == (0.9, 0.999) and group["weight_decay"] == 0.01
    group["lr"] = 0.25
    assert (
        float(optimizer.opt_state.hyperparams["learning_rate"][...]) == 0.25
        and param_groups(optimizer)[0]["lr"] == 0.25
    )
    nnx.jit(lambda net, optimizer: optimizer.update(net, nnx.grad(lambda n: n.first.sum())(net)))(net, optimizer)
    np.testing.assert_allclose(net.first[...], START[:3] * (1 - 0.0025) - 0.25, rtol=1e-5)
    with pytest.raises(ValueError, match="inject_hyperparams"):
        param_groups(nnx.Optimizer(net, optax.sgd(0.1), wrt=nnx.Param))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Rprop", {}),
        ("Rprop", {"lr": 0.02, "etas": (0.4, 1.5), "step_sizes": (1e-3, 0.05), "maximize": True}),
        ("ASGD", {"lambd": 0.1, "t0": 3, "weight_decay": 0.1}),
        ("Adafactor", {"lr": 0.1, "weight_decay": 0.1, "d": 1.5, "beta2_decay": -1.0}),
        ("Adafactor", {"eps": (1e-3, 1e-2), "maximize": True}),
        ("Muon", {}),
        ("Muon", {"lr": 0.01, "adjust_lr_fn": "match_rms_adamw", "nesterov": False, "ns_steps": 6}),
    ],
)
def test_steps_of_several_shapes(name, arguments):
    """Parameters of several shapes (Muon takes matrices alone), with a falling rate, and the same in groups."""
    shapes = [(4, 6), (6, 3)] if name == "Muon" else [(4, 6), (2, 3, 4), (5,), ()]
    draw = np.random.default_rng(3)
    start = [draw.standard_normal(shape).astype(np.float32) for shape in shapes]
    theirs = [torch.nn.Parameter(torch.tensor(value)) for value in start]
    optimizer = getattr(torch.optim, name)(theirs, **arguments)
    transformation = getattr(further_optimizers, name.lower())
    params = [jnp.asarray(value) for value in start]
    state = transformation(**arguments).init(params)
    variables = nnx.List([nnx.Param(value) for value in params])
    groups = ParameterGroups(transformation, list(variables), **arguments)
    first_rate = optimizer.param_groups[0]["lr"]

    @nnx.jit
    def step(variables, groups, gradients):
        groups.update(tuple(variables), gradients)

    @jax.jit
    def plain_step(params, state, gradients, rate):
        updates, state = transformation(**{**arguments, "lr": rate}).update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    for count in range(6):
        rate = first_rate * 0.9**count
        optimizer.param_groups[0]["lr"] = groups.param_groups[0]["lr"] = rate
        slopes = [draw.standard_normal(shape).astype(np.float32) for shape in shapes]
        for parameter, slope in zip(theirs, slopes, strict=True):
            parameter.grad = torch.tensor(slope)
        optimizer.step()
        gradients = [jnp.asarray(slope) for slope in slopes]
        params, state = plain_step(params, state, gradients, rate)
        step(variables, groups, tuple(gradients))
    for ours, variable, parameter in zip(params, variables, theirs, strict=True):
        np.testing.assert_allclose(ours, parameter.detach().numpy(), atol=3e-6)
        np.testing.assert_allclose(variable[...], parameter.detach().numpy(), atol=3e-6)
