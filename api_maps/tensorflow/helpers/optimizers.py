"""torch's optimizers over Keras variables, step for step; Keras' own differ in epsilon, decay and momentum."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf


class Optimizer:
    """Groups of variables with their hyperparameters, as torch keeps them; `apply_gradients` takes one step."""

    def __init__(self, params: Iterable[Any], **defaults: Any):
        given = list(params)
        groups = given if given and isinstance(given[0], dict) else [{"params": given}]
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state: dict[int, dict[str, Any]] = {}

    def variables(self) -> list[Any]:
        """All variables, group by group."""
        return [variable for group in self.param_groups for variable in group["params"]]

    def apply_gradients(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """One step with pairs of gradient and variable; variables without a gradient (None) stay as they are."""
        gradients = {id(variable): gradient for gradient, variable in pairs}
        for group in self.param_groups:
            for variable in group["params"]:
                gradient = gradients.get(id(variable))
                if gradient is not None:
                    state = self.state.setdefault(id(variable), {"step": 0})
                    state["step"] += 1
                    self.step_variable(variable, tf.convert_to_tensor(gradient), group, state)

    def step_variable(self, variable: Any, gradient: tf.Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        """One variable's step."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Hyperparameters by group and states by the variables' places, as NumPy arrays."""
        groups = [{k: v for k, v in group.items() if k != "params"} for group in self.param_groups]
        states = [self.state.get(id(variable), {}) for variable in self.variables()]
        saved = [{k: np.asarray(v) for k, v in state.items() if v is not None} for state in states]
        return {"param_groups": groups, "state": saved}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        for group, saved in zip(self.param_groups, state["param_groups"], strict=True):
            group.update(saved)
        for variable, kept in zip(self.variables(), state["state"], strict=True):
            self.state[id(variable)] = {k: int(v) if k == "step" else tf.constant(v) for k, v in kept.items()}


class SGD(Optimizer):
    """Gradient descent with torch's momentum (the rate multiplies the velocity), dampening and L2 weight decay."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0, dampening: float = 0,
        weight_decay: float = 0, nesterov: bool = False,
    ):  # fmt: skip
        super().__init__(
            params, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov
        )

    def step_variable(self, variable: Any, gradient: tf.Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        if group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * variable
        if group["momentum"]:
            velocity = state.get("velocity")
            kept = gradient if velocity is None else group["momentum"] * velocity + (1 - group["dampening"]) * gradient
            state["velocity"] = kept
            gradient = gradient + group["momentum"] * kept if group["nesterov"] else kept
        variable.assign_sub(group["lr"] * gradient)


class Adam(Optimizer):
    """Adam with torch's epsilon (outside the bias-corrected root); weight decay is L2."""

    decoupled = False

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False,
    ):  # fmt: skip
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad)

    def step_variable(self, variable: Any, gradient: tf.Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        if group["weight_decay"] and self.decoupled:
            variable.assign_sub(group["lr"] * group["weight_decay"] * variable)
        elif group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * variable
        first, second = group["betas"]
        zero = tf.zeros_like(gradient)
        state["mean"] = first * state.get("mean", zero) + (1 - first) * gradient
        state["square"] = second * state.get("square", zero) + (1 - second) * tf.square(gradient)
        square = state["square"]
        if group["amsgrad"]:
            square = state["largest"] = tf.maximum(state.get("largest", zero), square)
        scale = math.sqrt(1 - second ** state["step"])
        rate = group["lr"] / (1 - first ** state["step"])
        variable.assign_sub(rate * state["mean"] / (tf.sqrt(square) / scale + group["eps"]))


class AdamW(Adam):
    """Adam with decoupled weight decay."""

    decoupled = True

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False,
    ):  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)


class LRScheduler:
    """Sets the learning rate of every group at each `step`, from the rates at the start."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    def factor(self, epoch: int) -> float:
        """The learning rate at an epoch, as a share of the rate at the start."""
        raise NotImplementedError

    def step(self) -> None:
        """Go to the next epoch."""
        self.last_epoch += 1
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base * self.factor(self.last_epoch)

    def get_last_lr(self) -> list[float]:
        """The current learning rates."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The epoch and the rates at the start."""
        return {"last_epoch": self.last_epoch, "base_lrs": self.base_lrs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.last_epoch, self.base_lrs = state["last_epoch"], state["base_lrs"]


class StepLR(LRScheduler):
    """Multiplies the rate by gamma every step_size epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return self.gamma ** (epoch // self.step_size)


class MultiStepLR(LRScheduler):
    """Multiplies the rate by gamma at each milestone."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return self.gamma ** sum(milestone <= epoch for milestone in self.milestones)


class CosineAnnealingLR(LRScheduler):
    """From the rate at the start to eta_min along half a cosine in T_max epochs, and back."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def step(self) -> None:
        self.last_epoch += 1
        share = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.eta_min + (base - self.eta_min) * share


class LambdaLR(LRScheduler):
    """Multiplies the rate at the start by a function of the epoch."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1):
        self.lr_lambda = lr_lambda
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return self.lr_lambda(epoch)


def add_gradients(old: list[Any] | None, new: list[Any]) -> list[Any]:
    """The sum of two lists of gradients, as torch gathers them; None counts as nothing."""
    if old is None:
        return new
    return [b if a is None else a if b is None else a + b for a, b in zip(old, new, strict=True)]


def clip_grad_norm(grads: list[Any], max_norm: float) -> tuple[list[Any], tf.Tensor]:
    """Gradients scaled so that their common norm is at most max_norm, and the norm before."""
    known = [tf.convert_to_tensor(grad) for grad in grads if grad is not None]
    total = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(grad)) for grad in known]))
    scale = tf.minimum(max_norm / (total + 1e-6), 1.0)
    return [grad if grad is None else tf.convert_to_tensor(grad) * scale for grad in grads], total


def clip_grad_value(grads: list[Any], clip_value: float) -> list[Any]:
    """Gradients limited to [-clip_value, clip_value]."""
    return [grad if grad is None else tf.clip_by_value(tf.convert_to_tensor(grad), -clip_value, clip_value) for grad in grads]
