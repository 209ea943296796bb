import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from flax import nnx
from torch.optim import lr_scheduler

from ivy_convert.api_maps.jax.helpers import cyclic_schedulers, optimizers, schedulers
from ivy_convert.api_maps.jax.helpers.parameter_groups import ParameterGroups, param_groups


def sequence(library, optimizer):
    first = library.LinearLR(optimizer, 0.1, total_iters=5)
    second = library.CosineAnnealingLR(optimizer, 10, 1e-3)
    return library.SequentialLR(optimizer, [first, second, library.StepLR(optimizer, 7, 0.5)], [6, 30])


def warm_sequence(library, optimizer):
    parts = [library.ConstantLR(optimizer, 0.5, 4), library.CosineAnnealingWarmRestarts(optimizer, 9, 2)]
    return library.SequentialLR(optimizer, parts, [8])


def chain(library, optimizer):
    return library.ChainedScheduler([library.ConstantLR(optimizer, 0.1, 5), library.ExponentialLR(optimizer, 0.9)])


CASES = {
    "step": lambda lib, o: lib.StepLR(o, 7, 0.3),
    "multistep": lambda lib, o: lib.MultiStepLR(o, [3, 20, 20, 41]),
    "exponential": lambda lib, o: lib.ExponentialLR(o, 0.97),
    "cosine beyond the end": lambda lib, o: lib.CosineAnnealingLR(o, 13, 1e-3),
    "cosine": lambda lib, o: lib.CosineAnnealingLR(o, T_max=60),
    "restarts": lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 5, 2, 1e-4),
    "even restarts": lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 8),
    "lambda": lambda lib, o: lib.LambdaLR(o, lambda step: min(1.0, (step + 1) / 10) * 0.99**step),
    "multiplicative": lambda lib, o: lib.MultiplicativeLR(o, lambda step: 0.9 if step % 2 else 1.05),
    "constant": lambda lib, o: lib.ConstantLR(o, 0.25, 9),
    "linear": lambda lib, o: lib.LinearLR(o, 0.1, 0.7, 17),
    "polynomial": lambda lib, o: lib.PolynomialLR(o, 40, 2.0),
    "one cycle": lambda lib, o: lib.OneCycleLR(o, 0.5, total_steps=60),
    "one cycle, three phases": lambda lib, o: lib.OneCycleLR(
        o, 0.5, epochs=6, steps_per_epoch=10, three_phase=True, anneal_strategy="linear", pct_start=0.4
    ),
    "triangles": lambda lib, o: lib.CyclicLR(o, 0.01, 0.2, 6, 9, mode="triangular2"),
    "shrinking": lambda lib, o: lib.CyclicLR(o, 0.01, 0.2, 7, mode="exp_range", gamma=0.98),
    "own scale": lambda lib, o: lib.CyclicLR(
        o, 0.01, 0.2, 7, scale_fn=lambda x: 0.9**x, scale_mode="iterations", cycle_momentum=False
    ),
    "sequence": sequence,
    "warm sequence": warm_sequence,
    "chain": chain,
}


class Library:
    """Both files of schedulers under one name, as torch has them."""

    def __getattr__(self, name):
        return getattr(cyclic_schedulers, name, None) or getattr(schedulers, name)


def ours(kind):
    parameter = nnx.Param(jnp.ones(2))
    if kind == "groups":
        return ParameterGroups(optimizers.sgd, [parameter], lr=0.1, momentum=0.9)
    transformation = optax.inject_hyperparams(optax.sgd)(learning_rate=0.1, momentum=0.9)
    return nnx.Optimizer(nnx.Dict({"w": parameter}), transformation, wrt=nnx.Param)


@pytest.mark.parametrize("kind", ["groups", "optimizer"])
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_sixty_steps(name, kind):
    reference = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1, momentum=0.9)
    expected = CASES[name](lr_scheduler, reference)
    optimizer = ours(kind)
    actual = CASES[name](Library(), optimizer)
    for _ in range(60):
        (group,) = param_groups(optimizer)
        for key in ("lr", "momentum"):
            np.testing.assert_allclose(group[key], reference.param_groups[0][key], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(actual.get_last_lr(), expected.get_last_lr(), rtol=1e-12, atol=1e-15)
        if kind == "optimizer":
            held = optimizer.opt_state.hyperparams["learning_rate"][...]
            np.testing.assert_allclose(held, group["lr"], rtol=1e-6, atol=1e-12)
        reference.step()
        expected.step()
        actual.step()


@pytest.mark.filterwarnings("ignore")
def test_betas_are_cycled():
    reference = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    expected = lr_scheduler.OneCycleLR(reference, 0.3, total_steps=12)
    optimizers_here = [ParameterGroups(optimizers.adam, [nnx.Param(jnp.ones(2))], lr=0.1)]
    transformation = optax.inject_hyperparams(optax.adam)(learning_rate=0.1)
    optimizers_here.append(nnx.Optimizer(nnx.Dict({"w": nnx.Param(jnp.ones(2))}), transformation, wrt=nnx.Param))
    actual = [cyclic_schedulers.OneCycleLR(optimizer, 0.3, total_steps=12) for optimizer in optimizers_here]
    for _ in range(11):
        reference.step()
        expected.step()
        for scheduler, optimizer in zip(actual, optimizers_here, strict=True):
            scheduler.step()
            np.testing.assert_allclose(
                param_groups(optimizer)[0]["betas"], reference.param_groups[0]["betas"], rtol=1e-12
            )


@pytest.mark.parametrize("options", [{}, {"mode": "max", "threshold_mode": "abs", "cooldown": 2, "min_lr": 0.01}])
def test_plateau(options):
    reference = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    optimizer = ours("groups")
    expected = lr_scheduler.ReduceLROnPlateau(reference, factor=0.5, patience=2, **options)
    actual = cyclic_schedulers.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, **options)
    for metric in np.round(np.random.default_rng(0).uniform(0, 1, 60), 2):
        expected.step(metric)
        actual.step(jnp.asarray(metric))
        assert optimizer.param_groups[0]["lr"] == reference.param_groups[0]["lr"]
    assert reference.param_groups[0]["lr"] < 0.1


@pytest.mark.filterwarnings("ignore")
def test_groups_and_fractional_epochs():
    tensors = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    variables = [nnx.Param(jnp.ones(2)) for _ in range(2)]
    reference = torch.optim.SGD([{"params": tensors[:1]}, {"params": tensors[1:], "lr": 0.5}], lr=0.1)
    optimizer = ParameterGroups(
        optimizers.sgd, [{"params": variables[:1]}, {"params": variables[1:], "lr": 0.5}], lr=0.1
    )
    for multiple in (1, 2):
        expected = lr_scheduler.CosineAnnealingWarmRestarts(reference, 4, multiple)
        actual = schedulers.CosineAnnealingWarmRestarts(optimizer, 4, multiple)
        for epoch in np.arange(0, 20, 0.3):
            expected.step(epoch)
            actual.step(epoch)
            np.testing.assert_allclose(actual.get_last_lr(), expected.get_last_lr(), rtol=1e-12)


def test_state_and_errors():
    first = schedulers.StepLR(ours("groups"), 3)
    first.step()
    state = first.state_dict()
    second = schedulers.StepLR(ours("groups"), 3)
    second.load_state_dict(state)
    assert second.last_epoch == 1 and "optimizer" not in state
    with pytest.raises(ValueError, match="total_steps"):
        cyclic_schedulers.OneCycleLR(ours("groups"), 0.1)
    with pytest.raises(ValueError, match="lr_lambdas"):
        schedulers.LambdaLR(ours("groups"), [lambda step: 1.0] * 2)
