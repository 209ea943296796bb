"""`torch.optim.LBFGS`: a step evaluates the closure several times, and so runs outside jit."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .line_search import strong_wolfe
from .parameter_groups import gradients_by_variable


class Curvature(NamedTuple):
    """What the last steps say of the curvature; the newest pair stands last, and a pair of zeros counts for nothing.

    gradient_changes, steps: `[history_size, parameters]`; inverses: `[history_size]`, one over the product of each pair.
    scale: the initial guess of the inverse Hessian's diagonal.
    """

    gradient_changes: jax.Array
    steps: jax.Array
    inverses: jax.Array
    scale: jax.Array


def inner_product(x: jax.Array, y: jax.Array) -> jax.Array:
    """Of two vectors, in full precision also where matrix units compute it."""
    return jnp.vdot(x, y, precision="highest")


def no_curvature(gradient: jax.Array) -> Curvature:
    """Nothing known yet, for gradients `[parameters]`."""
    pairs = jnp.zeros((1, gradient.size), gradient.dtype)
    return Curvature(pairs, pairs, pairs[:, 0], jnp.ones((), gradient.dtype))


def with_room(curvature: Curvature, count: int) -> Curvature:
    """The curvature with as many more pairs of zeros as `count` pairs need."""
    missing = max(count - curvature.inverses.size, 0)
    pad = partial(jnp.pad, pad_width=((missing, 0), (0, 0)))
    inverses = jnp.pad(curvature.inverses, (missing, 0))
    return Curvature(pad(curvature.gradient_changes), pad(curvature.steps), inverses, curvature.scale)


@jax.jit
def with_pair(curvature: Curvature, gradient_change: jax.Array, step: jax.Array) -> Curvature:
    """The curvature after another step, where the oldest one is forgotten; unchanged if the pair is not convex."""
    product = inner_product(gradient_change, step)

    def newer(history: jax.Array, entry: jax.Array) -> jax.Array:
        return jnp.concatenate([history[1:], entry[None]])

    changed = Curvature(
        newer(curvature.gradient_changes, gradient_change),
        newer(curvature.steps, step),
        newer(curvature.inverses, 1 / product),
        product / inner_product(gradient_change, gradient_change),
    )
    return jax.tree.map(partial(jnp.where, product > 1e-10), changed, curvature)


@jax.jit
def descent_direction(curvature: Curvature, gradient: jax.Array) -> jax.Array:
    """Minus the approximate inverse Hessian times the gradient `[parameters]`, by the two-loop recursion."""

    def backward(direction: jax.Array, pair: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        gradient_change, step, inverse = pair
        share = inner_product(step, direction) * inverse
        return direction - share * gradient_change, share

    def forward(direction: jax.Array, pair: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        gradient_change, step, inverse, share = pair
        return direction + (share - inner_product(gradient_change, direction) * inverse) * step, None

    pairs = curvature.gradient_changes, curvature.steps, curvature.inverses
    direction, shares = jax.lax.scan(backward, -gradient, pairs, reverse=True)
    return jax.lax.scan(forward, direction * curvature.scale, (*pairs, shares))[0]


def as_number(x: jax.Array) -> np.generic:
    """A 0-d array as a number of its own precision, with which Python decides."""
    return np.asarray(x)[()]


def largest_magnitude(x: jax.Array) -> np.generic:
    """The largest absolute value."""
    return as_number(jnp.abs(x).max())


class LBFGS:
    """torch's L-BFGS over Variables: `loss = optimizer.step(model, closure)`.

    `params` are Variables, or one group of them. `closure()` returns the loss and its gradients, the latter as
    `nnx.grad` gives them for `model`, a module or a tuple of modules; a parameter without a gradient counts as flat.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ):
        if line_search_fn not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        group: dict[str, Any] = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        given = list(params)
        if given and isinstance(given[0], dict):
            if len(given) > 1:
                raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
            group |= given[0]
            given = list(group["params"])
        if not given:
            raise ValueError("optimizer got an empty parameter list")
        self.param_groups = [{**group, "params": given}]
        self.iterations = 0
        self.curvature: Curvature | None = None
        self.direction: Any = None
        self.step_size: Any = None
        self.previous_gradient: Any = None

    def evaluate(self, model: Any, closure: Callable[[], Any]) -> tuple[Any, jax.Array]:
        """The closure's loss, and its gradients as one vector `[parameters]`."""
        loss, grads = closure()
        found = gradients_by_variable(model, grads)
        parts = [jnp.ravel(found.get(id(p), jnp.zeros_like(p[...]))) for p in self.param_groups[0]["params"]]
        return loss, jnp.concatenate(parts)

    def values(self) -> list[jax.Array]:
        """The parameters as they are now."""
        return [param[...] for param in self.param_groups[0]["params"]]

    def move(self, start: list[jax.Array], step_size: Any, direction: jax.Array) -> None:
        """Set the parameters to `start + step_size * direction`."""
        first = 0
        for param, value in zip(self.param_groups[0]["params"], start, strict=True):
            part = direction[first : first + value.size].reshape(value.shape)
            param[...] = (value + step_size * part).astype(value.dtype)
            first += value.size

    def next_direction(self, gradient: jax.Array) -> jax.Array:
        """The direction of the next step `[parameters]`, from the gradient there."""
        if self.curvature is None:
            self.curvature = no_curvature(gradient)
            return -gradient
        # Room for twice as many pairs each time, so that few sizes are compiled.
        pairs = min(2 ** (self.iterations - 1).bit_length(), self.param_groups[0]["history_size"])
        step = self.direction * self.step_size
        self.curvature = with_pair(with_room(self.curvature, pairs), gradient - self.previous_gradient, step)
        return descent_direction(self.curvature, gradient)

    def step(self, model: Any, closure: Callable[[], Any]) -> Any:
        """Up to `max_iter` steps along new directions; returns the loss before the first."""
        group = self.param_groups[0]
        first_loss, gradient = self.evaluate(model, closure)
        loss = float(first_loss)
        if largest_magnitude(gradient) <= group["tolerance_grad"]:
            return first_loss
        evaluations = 1
        for iteration in range(1, group["max_iter"] + 1):
            self.iterations += 1
            self.direction = self.next_direction(gradient)
            self.previous_gradient, previous_loss = gradient, loss
            rate = group["lr"].item() if hasattr(group["lr"], "item") else group["lr"]
            if self.iterations == 1:
                self.step_size = min(1.0, 1.0 / as_number(jnp.abs(gradient).sum())) * rate
            else:
                self.step_size = rate
            slope = as_number(inner_product(gradient, self.direction))
            if slope > -group["tolerance_change"]:
                break
            start = self.values()
            if group["line_search_fn"] is not None:

                def along(step_size: Any, start: list[jax.Array] = start) -> tuple[float, jax.Array, np.generic]:
                    self.move(start, step_size, self.direction)
                    loss, gradient = self.evaluate(model, closure)
                    return float(loss), gradient, as_number(inner_product(gradient, self.direction))

                loss, gradient, self.step_size, used = strong_wolfe(
                    along, self.step_size, largest_magnitude(self.direction), (loss, gradient, slope),
                    most_evaluations=group["max_eval"] - evaluations)  # fmt: skip
                evaluations += used
                self.move(start, self.step_size, self.direction)
            else:
                self.move(start, self.step_size, self.direction)
                if iteration < group["max_iter"]:
                    new_loss, gradient = self.evaluate(model, closure)
                    loss = float(new_loss)
                    evaluations += 1
            moved = largest_magnitude(self.direction * self.step_size)
            if (
                evaluations >= group["max_eval"]
                or largest_magnitude(gradient) <= group["tolerance_grad"]
                or moved <= group["tolerance_change"]
                or abs(loss - previous_loss) < group["tolerance_change"]
            ):
                break
        return first_loss
