"""torch's schedules that move the momentum too, and the one that watches a metric."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from .parameter_groups import param_groups
from .schedulers import LRScheduler


def per_group(optimizer: Any, value: Any) -> list:
    """A value for each parameter group: the same for all, or as listed."""
    count = len(param_groups(optimizer))
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"expected {count} values, one for each parameter group, got {len(value)}")
    return list(value)


def set_momentum(group: Any, momentum: float) -> None:
    """Write the momentum, or the first beta."""
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


class OneCycleLR(LRScheduler):
    """Up from `max_lr / div_factor` to `max_lr`, then down to `1 / final_div_factor` of the start; the momentum runs
    the other way unless `cycle_momentum=False`. Raises ValueError after `total_steps`."""

    def __init__(
        self,
        optimizer: Any,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ):
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
            total_steps = epochs * steps_per_epoch
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self.total_steps, self.anneal_strategy, self.cycle_momentum = total_steps, anneal_strategy, cycle_momentum
        rise = float(pct_start * total_steps) - 1
        if three_phase:
            self.phases = [
                (rise, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
                (2 * rise, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                (total_steps - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
            ]
        else:
            self.phases = [
                (rise, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
                (total_steps - 1, "max_lr", "min_lr", "base_momentum", "max_momentum"),
            ]
        if last_epoch == -1:
            bases, highs = per_group(optimizer, base_momentum), per_group(optimizer, max_momentum)
            tops = per_group(optimizer, max_lr)
            for group, top, base, maximum in zip(param_groups(optimizer), tops, bases, highs, strict=True):
                start = top / div_factor
                for name, value in {
                    "initial_lr": start,
                    "max_lr": top,
                    "min_lr": start / final_div_factor,
                    "base_momentum": base,
                    "max_momentum": maximum,
                    "lr": start,
                }.items():
                    group[name] = value
                if cycle_momentum:
                    set_momentum(group, maximum)
        super().__init__(optimizer, last_epoch)

    def between(self, start: float, end: float, share: float) -> float:
        """The value a `share` of the way from `start` to `end`."""
        if self.anneal_strategy == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (1 + math.cos(math.pi * share))

    def rates(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"Tried to step {self.last_epoch} times. The specified number of total steps is {self.total_steps}"
            )
        begin = 0.0
        for phase in self.phases:
            if self.last_epoch <= phase[0] or phase is self.phases[-1]:
                break
            begin = phase[0]
        end, start_rate, end_rate, start_momentum, end_momentum = phase
        share = (self.last_epoch - begin) / (end - begin)
        groups = param_groups(self.optimizer)
        if self.cycle_momentum:
            for group in groups:
                set_momentum(group, self.between(group[start_momentum], group[end_momentum], share))
        return [self.between(group[start_rate], group[end_rate], share) for group in groups]


class CyclicLR(LRScheduler):
    """Between `base_lr` and `max_lr` in triangles; `mode` 'triangular2' halves them, 'exp_range' shrinks by `gamma`."""

    def __init__(
        self,
        optimizer: Any,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ):
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        bases = per_group(optimizer, base_lr)
        self.max_lrs = per_group(optimizer, max_lr)
        self.total_size = float(step_size_up + (step_size_up if step_size_down is None else step_size_down))
        self.step_ratio = step_size_up / self.total_size
        self.mode, self.gamma, self.scale_fn, self.scale_mode = mode, gamma, scale_fn, scale_mode
        self.cycle_momentum = cycle_momentum
        self.base_momentums = per_group(optimizer, base_momentum)
        self.max_momentums = per_group(optimizer, max_momentum)
        for group, base, momentum in zip(param_groups(optimizer), bases, self.max_momentums, strict=True):
            if last_epoch == -1:
                group["lr"] = base
                if cycle_momentum:
                    set_momentum(group, momentum)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = bases

    def shrinkage(self, cycle: float) -> float:
        """What the height of the triangles is multiplied by now."""
        if self.scale_fn is not None:
            return self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.mode == "triangular2":
            return 1 / 2.0 ** (cycle - 1)
        return self.gamma**self.last_epoch if self.mode == "exp_range" else 1.0

    def rates(self) -> list[float]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        position = 1.0 + self.last_epoch / self.total_size - cycle
        ratio = self.step_ratio
        height = position / ratio if position <= ratio else (position - 1) / (ratio - 1)
        height *= self.shrinkage(cycle)
        if self.cycle_momentum:
            bounds = zip(param_groups(self.optimizer), self.base_momentums, self.max_momentums, strict=True)
            for group, low, high in bounds:
                set_momentum(group, high - (high - low) * height)
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]


class ReduceLROnPlateau:
    """The rate times `factor` when a metric has not improved for more than `patience` steps: `step(metric)`."""

    def __init__(
        self,
        optimizer: Any,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ):
        if factor >= 1.0:
            raise ValueError("Factor should be < 1.0.")
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ValueError(f"mode {mode} or threshold mode {threshold_mode} is unknown!")
        self.optimizer, self.mode, self.factor, self.patience = optimizer, mode, factor, patience
        self.threshold, self.threshold_mode, self.cooldown, self.eps = threshold, threshold_mode, cooldown, eps
        self.min_lrs = per_group(optimizer, min_lr)
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0
        self.last_lrs = [group["lr"] for group in param_groups(optimizer)]

    def is_better(self, metric: float) -> bool:
        """Whether a metric improves on the best one by more than the threshold."""
        sign = 1 if self.mode == "max" else -1
        margin = (
            self.best * (1 + sign * self.threshold)
            if self.threshold_mode == "rel"
            else (self.best + sign * self.threshold)
        )
        return metric > margin if self.mode == "max" else metric < margin

    def step(self, metrics: Any) -> None:
        """Look at the metric (a number or 0-d array) of another epoch."""
        metric = float(metrics)
        self.last_epoch += 1
        if self.is_better(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, low in zip(param_groups(self.optimizer), self.min_lrs, strict=True):
                reduced = max(group["lr"] * self.factor, low)
                if group["lr"] - reduced > self.eps:
                    group["lr"] = reduced
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self.last_lrs = [group["lr"] for group in param_groups(self.optimizer)]

    def get_last_lr(self) -> list[float]:
        """The learning rates that were set last."""
        return self.last_lrs

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave, here or in torch, which has a few more entries that follow from these."""
        for name, value in state.items():
            name = "last_lrs" if name == "_last_lr" else name
            if name in vars(self) and name != "optimizer":
                setattr(self, name, value)
