"""Carries a torch module's state into a JAX helper by name, and compares the two numerically."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx


def variable_at(module: nnx.Module, name: str) -> nnx.Variable:
    """The Variable behind a dotted torch name; digits index lists."""
    node: Any = module
    for part in name.split("."):
        node = node[int(part)] if isinstance(node, nnx.List) else getattr(node, part)
    assert isinstance(node, nnx.Variable), f"{name} is {type(node)}"
    return node


def variables(module: nnx.Module, *kinds: type) -> Iterator[tuple[str, nnx.Variable]]:
    """Dotted names and Variables, without the random streams."""
    for path, variable in nnx.to_flat_state(nnx.state(module, *kinds)):
        if not isinstance(variable, nnx.RngState):
            yield ".".join(map(str, path)), variable


def transfer(source: torch.nn.Module, target: nnx.Module) -> None:
    """Copy every parameter and buffer; names and shapes have to be the same on both sides."""
    state = source.state_dict()
    assert {name for name, _ in variables(target)} == set(state)
    for name, tensor in state.items():
        variable = variable_at(target, name)
        assert variable.shape == tuple(tensor.shape), f"{name}: {variable.shape}, torch {tuple(tensor.shape)}"
        variable[...] = to_jax(tensor).astype(variable.dtype)


def to_jax(value: Any) -> Any:
    """Tensors in nested tuples, lists and dicts as JAX arrays."""
    if isinstance(value, torch.Tensor):
        # A copy: on the CPU jnp.asarray shares torch's memory, and torch updates buffers in place.
        return jnp.asarray(value.detach().numpy().copy())
    if isinstance(value, (tuple, list)):
        return tuple(to_jax(v) for v in value)
    return {k: to_jax(v) for k, v in value.items()} if isinstance(value, dict) else value


def leaves(value: Any) -> list[Any]:
    """The arrays or tensors of nested tuples, without None."""
    if isinstance(value, (tuple, list)):
        return [leaf for v in value for leaf in leaves(v)]
    return [] if value is None else [value]


def projected(outputs: list[Any], xp: Any) -> Any:
    """A scalar that depends on every element of every output differently."""
    total = 0.0
    for output in outputs:
        weights = np.cos(np.arange(output.size if xp is jnp else output.numel(), dtype=np.float32))
        weights = weights.reshape(tuple(output.shape))
        total = total + (output * (jnp.asarray(weights) if xp is jnp else torch.from_numpy(weights))).sum()
    return total


def assert_near(actual: Any, expected: Any, tolerance: float, what: str) -> None:
    """Shapes, dtype kinds and values agree; tolerance is relative to the largest expected magnitude."""
    expected = expected.detach().numpy() if isinstance(expected, torch.Tensor) else np.asarray(expected)
    actual = np.asarray(actual)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, torch {expected.shape}"
    scale = max(1.0, float(np.abs(expected[np.isfinite(expected)]).max(initial=0)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale, err_msg=what)


def compare_calls(
    reference: Callable[..., Any], candidate: Callable[..., Any], *inputs: Any, tolerance: float = 1e-5, **kwargs: Any
) -> None:
    """Outputs and gradients with respect to the floating-point positional inputs."""
    tensors = [
        x.clone().requires_grad_() if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in inputs
    ]
    expected = reference(*tensors, **kwargs)
    arrays = [to_jax(x) for x in inputs]
    jax_kwargs = {name: to_jax(value) for name, value in kwargs.items()}
    movable = [i for i, x in enumerate(tensors) if isinstance(x, torch.Tensor) and x.is_floating_point()]

    def scalar(*moved: jax.Array) -> Any:
        full = list(arrays)
        for position, value in zip(movable, moved):
            full[position] = value
        outputs = candidate(*full, **jax_kwargs)
        return projected(leaves(outputs), jnp), outputs

    start = [arrays[i] for i in movable]
    gradients, outputs = jax.grad(scalar, argnums=tuple(range(len(movable))), has_aux=True)(*start)
    compare_leaves(outputs, expected, tolerance)
    projected(leaves(expected), torch).backward()
    for position, gradient in zip(movable, gradients):
        wanted = tensors[position].grad
        wanted = torch.zeros_like(tensors[position]) if wanted is None else wanted
        assert_near(gradient, wanted, tolerance, f"gradient of input {position}")


def compare_leaves(actual: Any, expected: Any, tolerance: float) -> None:
    """Nested outputs agree leaf by leaf."""
    assert len(leaves(actual)) == len(leaves(expected))
    for index, (a, e) in enumerate(zip(leaves(actual), leaves(expected))):
        assert_near(a, e, tolerance, f"output {index}")


def compare_modules(
    reference: torch.nn.Module,
    candidate: nnx.Module,
    *inputs: Any,
    training: bool = True,
    tolerance: float = 1e-5,
    copy: bool = True,
    **kwargs: Any,
) -> None:
    """Outputs, gradients of inputs and parameters, and the buffers after the call, under `jax.jit`."""
    if copy:
        transfer(reference, candidate)
    reference.train(training)
    candidate.train() if training else candidate.eval()
    reference.zero_grad()
    tensors = [
        x.clone().requires_grad_() if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in inputs
    ]
    expected = reference(*tensors, **kwargs)
    projected(leaves(expected), torch).backward()

    arrays = [to_jax(x) for x in inputs]
    jax_kwargs = {name: to_jax(value) for name, value in kwargs.items()}
    movable = [i for i, x in enumerate(tensors) if isinstance(x, torch.Tensor) and x.is_floating_point()]
    graph, parameters, rest = nnx.split(candidate, nnx.Param, ...)

    def scalar(parameters: nnx.State, moved: list[jax.Array]) -> Any:
        module = nnx.merge(graph, parameters, rest, copy=True)
        full = list(arrays)
        for position, value in zip(movable, moved):
            full[position] = value
        outputs = module(*full, **jax_kwargs)
        return projected(leaves(outputs), jnp), (outputs, nnx.state(module))

    step = jax.jit(jax.grad(scalar, argnums=(0, 1), has_aux=True))
    (of_parameters, of_inputs), (outputs, state) = step(parameters, [arrays[i] for i in movable])
    nnx.update(candidate, state)

    compare_leaves(outputs, expected, tolerance)
    for position, gradient in zip(movable, of_inputs):
        wanted = tensors[position].grad
        wanted = torch.zeros_like(tensors[position]) if wanted is None else wanted
        assert_near(gradient, wanted, tolerance, f"gradient of input {position}")
    gradients = {".".join(map(str, path)): g for path, g in nnx.to_flat_state(of_parameters)}
    for name, parameter in reference.named_parameters(remove_duplicate=False):
        wanted = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert_near(gradients[name][...], wanted, tolerance, f"gradient of {name}")
    for name, tensor in reference.state_dict().items():
        assert_near(variable_at(candidate, name)[...], tensor, tolerance, f"{name} after the call")


def assert_same_start(reference: Callable[[], torch.nn.Module], candidate: Callable[[nnx.Rngs], nnx.Module]) -> None:
    """Mean, deviation and bounds of the initial values agree, name by name, over several draws."""
    ours = [dict(variables(candidate(nnx.Rngs(seed)))) for seed in range(4)]
    theirs = [reference().state_dict() for _ in range(4)]
    for name in theirs[0]:
        actual = np.concatenate([np.ravel(np.asarray(state[name][...], np.float64)) for state in ours])
        expected = np.concatenate([np.ravel(state[name].double().numpy()) for state in theirs])
        deviation, count = float(expected.std()), len(expected)
        close = 6 * max(deviation, 1e-9) / np.sqrt(count)
        assert abs(actual.mean() - expected.mean()) <= close, f"mean of {name}"
        assert abs(actual.std() - deviation) <= close, f"deviation of {name}"
        largest, wanted = np.abs(actual).max(), np.abs(expected).max()
        assert abs(largest - wanted) <= max(8 * wanted / count, 0.35 * deviation), f"bound of {name}"
