"""torch's optimizers that Optax has not, as Optax transformations with torch's argument names and defaults.

Every number may be a traced array; flags, names and None are static.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


def per_parameter(
    init: Callable[[jax.Array], Any], update: Callable[[jax.Array, Any, jax.Array], tuple[jax.Array, Any]]
) -> optax.GradientTransformation:
    """A transformation that treats each parameter by itself.

    init: the state of a parameter, a named tuple of arrays. update: from a gradient, that state and the parameter to
    what is added to the parameter, and the new state. All in all the state is one named tuple, of trees like `params`.
    """

    def trees(structure: Any, states: list[Any]) -> Any:
        return type(states[0])(*(structure.unflatten(field) for field in zip(*states, strict=True)))

    def init_all(params: Any) -> Any:
        leaves, structure = jax.tree.flatten(params)
        return trees(structure, [init(param) for param in leaves]) if leaves else ()

    def update_all(grads: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        leaves, structure = jax.tree.flatten(grads)
        if not leaves:
            return grads, state
        states = map(type(state), *(jax.tree.leaves(field) for field in state))
        values = jax.tree.leaves(params)
        results = [update(*each) for each in zip(leaves, states, values, strict=True)]
        changes = [change.astype(value.dtype) for (change, _), value in zip(results, values, strict=True)]
        return structure.unflatten(changes), trees(structure, [new for _, new in results])

    return optax.GradientTransformation(init_all, update_all)


class RpropState(NamedTuple):
    """The gradient before (0 where its sign changed) and the size of each element's step."""

    previous: jax.Array
    step_size: jax.Array


def rprop(
    lr: Any = 1e-2,
    etas: Sequence[Any] = (0.5, 1.2),
    step_sizes: Sequence[Any] = (1e-6, 50),
    maximize: bool = False,
) -> optax.GradientTransformation:
    """`torch.optim.Rprop`: only the gradient's sign counts, and `lr` is where the step sizes start."""

    def init(param: jax.Array) -> RpropState:
        return RpropState(jnp.zeros_like(param), jnp.full_like(param, lr))

    def update(grad: jax.Array, state: RpropState, param: jax.Array) -> tuple[jax.Array, RpropState]:
        grad = -grad if maximize else grad
        agreement = grad * state.previous
        factor = jnp.where(agreement > 0, etas[1], jnp.where(agreement < 0, etas[0], 1.0))
        step_size = jnp.clip(state.step_size * factor, step_sizes[0], step_sizes[1]).astype(param.dtype)
        grad = jnp.where(agreement < 0, 0.0, grad).astype(param.dtype)
        return -jnp.sign(grad) * step_size, RpropState(grad, step_size)

    return per_parameter(init, update)


class AsgdState(NamedTuple):
    """Steps taken, the next learning rate, the weight of the next parameter in the average, and the average."""

    step: jax.Array
    eta: jax.Array
    mu: jax.Array
    ax: jax.Array


def asgd(
    lr: Any = 1e-2,
    lambd: Any = 1e-4,
    alpha: Any = 0.75,
    t0: Any = 1e6,
    weight_decay: Any = 0.0,
    maximize: bool = False,
) -> optax.GradientTransformation:
    """`torch.optim.ASGD`; the averaged parameters are the state's `ax`."""

    def init(param: jax.Array) -> AsgdState:
        return AsgdState(jnp.zeros(()), jnp.asarray(lr, float), jnp.ones(()), jnp.zeros_like(param))

    def update(grad: jax.Array, state: AsgdState, param: jax.Array) -> tuple[jax.Array, AsgdState]:
        step = state.step + 1
        grad = (-grad if maximize else grad) + weight_decay * param
        change = -lambd * state.eta * param - state.eta * grad
        ax = state.ax + (param + change - state.ax) * state.mu
        eta = lr / (1 + lambd * lr * step) ** alpha
        mu = 1 / jnp.maximum(1.0, step - t0)
        return change, AsgdState(step, jnp.asarray(eta, state.eta.dtype), mu, ax.astype(param.dtype))

    return per_parameter(init, update)


class AdafactorState(NamedTuple):
    """Steps taken, and running means of squared gradients: over each row `[..., m, 1]` and column `[..., 1, n]`.

    A vector's are those of each element, `row_var` `[n]`; its `col_var` is not used.
    """

    step: jax.Array
    row_var: jax.Array
    col_var: jax.Array


def root_mean_square(x: jax.Array) -> jax.Array:
    """The root of the mean of all squared elements, a scalar."""
    return jnp.sqrt(jnp.mean(jnp.square(x)))


def adafactor(
    lr: Any = 1e-2,
    beta2_decay: Any = -0.8,
    eps: Sequence[Any] = (None, 1e-3),
    d: Any = 1.0,
    weight_decay: Any = 0.0,
    maximize: bool = False,
) -> optax.GradientTransformation:
    """`torch.optim.Adafactor`: second moments of matrices `[..., m, n]` as the product of a row and a column."""

    def init(param: jax.Array) -> AdafactorState:
        step = jnp.zeros(())
        if param.ndim < 2:
            return AdafactorState(step, jnp.zeros_like(param), jnp.zeros(()))
        return AdafactorState(step, jnp.zeros_like(param[..., :1]), jnp.zeros_like(param[..., :1, :]))

    def update(grad: jax.Array, state: AdafactorState, param: jax.Array) -> tuple[jax.Array, AdafactorState]:
        step = state.step + 1
        smallest = jnp.finfo(param.dtype).eps if eps[0] is None else eps[0]
        fresh = step**beta2_decay
        rate = jnp.maximum(eps[1], root_mean_square(param)) * jnp.minimum(lr, step**-0.5)
        squared = jnp.square(grad)
        if param.ndim < 2:
            row, column = state.row_var + fresh * (squared - state.row_var), state.col_var
            estimate = row
        else:
            row = state.row_var + fresh * (squared.mean(-1, keepdims=True) - state.row_var)
            column = state.col_var + fresh * (squared.mean(-2, keepdims=True) - state.col_var)
            estimate = row * column / jnp.maximum(row.mean(-2, keepdims=True), smallest)
        change = (-grad if maximize else grad) * jax.lax.rsqrt(jnp.maximum(estimate, smallest**2))
        clipped = change / jnp.maximum(1.0, root_mean_square(change) / d)
        return -lr * weight_decay * param - rate * clipped, AdafactorState(step, row, column)

    return per_parameter(init, update)


def orthogonalized(matrix: jax.Array, coefficients: Sequence[Any], steps: Any, eps: Any) -> jax.Array:
    """About U V^T of a matrix U S V^T `[m, n]`, by Newton-Schulz iterations in bfloat16."""
    a, b, c = (coefficients[index] for index in range(3))
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if is_tall else matrix).astype(jnp.bfloat16)
    x = x / jnp.maximum(jnp.linalg.norm(x.astype(jnp.float32)).astype(x.dtype), jnp.asarray(eps, x.dtype))

    def product(one: jax.Array, other: jax.Array) -> jax.Array:
        return jnp.matmul(one, other, preferred_element_type=jnp.float32)

    def iteration(_: Any, x: jax.Array) -> jax.Array:
        # As in torch, sums stay in float32 and each of the three steps rounds its result to bfloat16 once.
        gram = product(x, x.T).astype(x.dtype)
        polynomial = (b * gram.astype(jnp.float32) + c * product(gram, gram)).astype(x.dtype)
        return (a * x.astype(jnp.float32) + product(polynomial, x)).astype(x.dtype)

    x = jax.lax.fori_loop(0, jnp.asarray(steps, jnp.int32), iteration, x)
    return x.T if is_tall else x


class MuonState(NamedTuple):
    """The running mean of the gradients."""

    momentum_buffer: jax.Array


def muon(
    lr: Any = 1e-3,
    weight_decay: Any = 0.1,
    momentum: Any = 0.95,
    nesterov: bool = True,
    ns_coefficients: Sequence[Any] = (3.4445, -4.775, 2.0315),
    eps: Any = 1e-7,
    ns_steps: Any = 5,
    adjust_lr_fn: str | None = None,
) -> optax.GradientTransformation:
    """`torch.optim.Muon` for parameters `[m, n]`; `adjust_lr_fn` is None, 'original' or 'match_rms_adamw'."""

    def init(param: jax.Array) -> MuonState:
        if param.ndim != 2:
            raise ValueError(f"Muon only supports 2D parameters whereas we found a parameter with size: {param.shape}")
        return MuonState(jnp.zeros_like(param))

    def update(grad: jax.Array, state: MuonState, param: jax.Array) -> tuple[jax.Array, MuonState]:
        rows, columns = param.shape
        buffer = state.momentum_buffer
        buffer = (buffer + (1 - momentum) * (grad - buffer)).astype(param.dtype)
        direction = grad + momentum * (buffer - grad) if nesterov else buffer
        ratio = 0.2 * max(rows, columns) ** 0.5 if adjust_lr_fn == "match_rms_adamw" else max(1, rows / columns) ** 0.5
        change = orthogonalized(direction, ns_coefficients, ns_steps, eps).astype(param.dtype)
        return -lr * weight_decay * param - lr * ratio * change, MuonState(buffer)

    return per_parameter(init, update)
