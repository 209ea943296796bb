"""torch's learning-rate schedules over `ParameterGroups`, or an `nnx.Optimizer` with injected hyperparameters.

A scheduler writes the learning rate of each parameter group when it is made and at every `step()`.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from .parameter_groups import param_groups


class LRScheduler:
    """Base of the schedules: counts steps in `last_epoch` and sets the rates that `rates()` returns.

    `rates()` gives the new learning rate of each group from the present one, as torch's recursive forms do, so
    schedules can be chained and a rate set by hand is respected.
    """

    def __init__(self, optimizer: Any, last_epoch: int = -1):
        self.optimizer = optimizer
        self.last_epoch = last_epoch
        for group in param_groups(optimizer):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError("param 'initial_lr' is not specified when resuming an optimizer")
        self.base_lrs = [group["initial_lr"] for group in param_groups(optimizer)]
        self.start()

    def start(self) -> None:
        """The first step, taken by the constructor."""
        self.step()

    def current_rates(self) -> list[float]:
        """The learning rates now."""
        return [group["lr"] for group in param_groups(self.optimizer)]

    def scaled(self, factor: float) -> list[float]:
        """The present learning rates times a factor."""
        return [rate * factor for rate in self.current_rates()]

    def rates(self) -> list[float]:
        """The learning rates for step `last_epoch`."""
        raise NotImplementedError

    def set_rates(self, rates: Sequence[float]) -> None:
        """Write the learning rates."""
        for group, rate in zip(param_groups(self.optimizer), rates, strict=True):
            group["lr"] = rate
        self.last_lrs = list(rates)

    def step(self) -> None:
        """Go on by one step."""
        self.last_epoch += 1
        self.set_rates(self.rates())

    def get_last_lr(self) -> list[float]:
        """The learning rates that were set last."""
        return self.last_lrs

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and functions."""
        return {k: v for k, v in vars(self).items() if k != "optimizer" and not callable(v)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave, here or in torch, which has a few more entries that follow from these."""
        for name, value in state.items():
            name = "last_lrs" if name == "_last_lr" else name
            if name in vars(self) and name not in ("optimizer", "lr_lambdas"):
                own = getattr(self, name)
                setattr(self, name, Counter(value) if isinstance(own, Counter) else value)


class StepLR(LRScheduler):
    """The rate times `gamma` every `step_size` steps."""

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def rates(self) -> list[float]:
        due = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return self.scaled(self.gamma) if due else self.current_rates()


class MultiStepLR(LRScheduler):
    """The rate times `gamma` at each of `milestones` (twice where one is listed twice)."""

    def __init__(self, optimizer: Any, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rates(self) -> list[float]:
        return self.scaled(self.gamma ** self.milestones[self.last_epoch])


class ExponentialLR(LRScheduler):
    """The rate times `gamma` at every step."""

    def __init__(self, optimizer: Any, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rates(self) -> list[float]:
        return self.scaled(self.gamma) if self.last_epoch > 0 else self.current_rates()


class LambdaLR(LRScheduler):
    """The initial rate times a function of the step: one function for all groups, or one for each."""

    def __init__(self, optimizer: Any, lr_lambda: Callable | Sequence[Callable], last_epoch: int = -1):
        count = len(param_groups(optimizer))
        lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        if len(lambdas) != count:
            raise ValueError(f"Expected {count} lr_lambdas, but got {len(lambdas)}")
        self.lr_lambdas = lambdas
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and functions."""
        return {k: v for k, v in super().state_dict().items() if k != "lr_lambdas"}

    def rates(self) -> list[float]:
        factors = [function(self.last_epoch) for function in self.lr_lambdas]
        return [base * factor for base, factor in zip(self.base_lrs, factors, strict=True)]


class MultiplicativeLR(LambdaLR):
    """The present rate times a function of the step."""

    def rates(self) -> list[float]:
        rates = self.current_rates()
        if self.last_epoch == 0:
            return rates
        return [rate * function(self.last_epoch) for rate, function in zip(rates, self.lr_lambdas, strict=True)]


class ConstantLR(LRScheduler):
    """The rate times `factor` for the first `total_iters` steps."""

    def __init__(self, optimizer: Any, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1):
        if not 0 <= factor <= 1:
            raise ValueError("Constant multiplicative factor expected to be between 0 and 1.")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rates(self) -> list[float]:
        if self.last_epoch == 0:
            return self.scaled(self.factor)
        return self.scaled(1 / self.factor) if self.last_epoch == self.total_iters else self.current_rates()


class LinearLR(LRScheduler):
    """The rate times a factor that goes straight from `start_factor` to `end_factor` in `total_iters` steps."""

    def __init__(
        self,
        optimizer: Any,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if not 0 < start_factor <= 1:
            raise ValueError("Starting multiplicative factor expected to be greater than 0 and less or equal to 1.")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rates(self) -> list[float]:
        if self.last_epoch == 0:
            return self.scaled(self.start_factor)
        if self.last_epoch > self.total_iters:
            return self.current_rates()
        rise = self.end_factor - self.start_factor
        return self.scaled(1 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise))


class PolynomialLR(LRScheduler):
    """The rate falling to 0 in `total_iters` steps as a power of what is left."""

    def __init__(self, optimizer: Any, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1):
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def rates(self) -> list[float]:
        if not 0 < self.last_epoch <= self.total_iters:
            return self.current_rates()
        left = (1 - self.last_epoch / self.total_iters) / (1 - (self.last_epoch - 1) / self.total_iters)
        return self.scaled(left**self.power)


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the initial rate to `eta_min` in `T_max` steps; after that it rises again."""

    def __init__(self, optimizer: Any, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def rates(self) -> list[float]:
        rates = self.current_rates()
        if self.last_epoch == 0:
            return rates
        step, half, low = self.last_epoch, self.T_max, self.eta_min
        if (step - 1 - half) % (2 * half) == 0:
            rise = (1 - math.cos(math.pi / half)) / 2
            return [rate + (base - low) * rise for base, rate in zip(self.base_lrs, rates, strict=True)]
        ratio = (1 + math.cos(math.pi * step / half)) / (1 + math.cos(math.pi * (step - 1) / half))
        return [ratio * (rate - low) + low for rate in rates]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine to `eta_min` in `T_0` steps, begun anew, each period `T_mult` times as long as the last."""

    def __init__(self, optimizer: Any, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_0, self.T_i, self.T_mult, self.eta_min = T_0, T_0, T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def rates(self) -> list[float]:
        fall = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * fall for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on by one step, or to `epoch`, which may be a fraction (epoch + batch / batches)."""
        if epoch is None:
            self.last_epoch += 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        else:
            self.last_epoch = math.floor(epoch)
            period = 0
            if epoch >= self.T_0 and self.T_mult != 1:
                period = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            begun = self.T_0 * (self.T_mult**period - 1) / (self.T_mult - 1) if self.T_mult != 1 else 0
            self.T_i = self.T_0 * self.T_mult**period
            self.T_cur = epoch - begun if self.T_mult != 1 else epoch % self.T_0
        self.set_rates(self.rates())


class SequentialLR(LRScheduler):
    """One schedule after another; each of `milestones` is the step at which the next begins."""

    def __init__(self, optimizer: Any, schedulers: Sequence[Any], milestones: Sequence[int], last_epoch: int = -1):
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(f"Expected {len(schedulers) - 1} milestones, but got {len(milestones)}")
        self.optimizer, self.schedulers, self.milestones = optimizer, list(schedulers), list(milestones)
        self.last_epoch = last_epoch + 1
        # Making the schedules has changed the rates: start from the initial ones, as the first schedule does.
        for group in param_groups(optimizer):
            group["lr"] = group["initial_lr"]
        for scheduler in self.schedulers:
            scheduler.last_epoch -= 1
        restart(self.schedulers[0])

    @property
    def last_lrs(self) -> list[float]:
        """The learning rates that the present schedule set last."""
        return self.schedulers[bisect_right(self.milestones, self.last_epoch)].get_last_lr()

    def get_last_lr(self) -> list[float]:
        """The learning rates that were set last."""
        return self.last_lrs

    def step(self) -> None:
        """Go on by one step."""
        self.last_epoch += 1
        index = bisect_right(self.milestones, self.last_epoch)
        if index > 0 and self.milestones[index - 1] == self.last_epoch:
            scheduler = self.schedulers[index]
            scheduler.last_epoch = -1
            for group in param_groups(self.optimizer):
                group["lr"] = group["initial_lr"]
            restart(scheduler)
        else:
            self.schedulers[index].step()

    def state_dict(self) -> dict[str, Any]:
        """The position and the state of every schedule."""
        return {"last_epoch": self.last_epoch, "schedulers": [each.state_dict() for each in self.schedulers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave, here or in torch."""
        self.last_epoch = state["last_epoch"]
        load_each(self.schedulers, state)


def restart(scheduler: Any) -> None:
    """The first step of a schedule whose turn has come."""
    if isinstance(scheduler, CosineAnnealingWarmRestarts):
        scheduler.T_cur = -1
    scheduler.start()


class ChainedScheduler:
    """Several schedules that step together, each changing what the one before left."""

    def __init__(self, schedulers: Sequence[Any], optimizer: Any = None):
        self.schedulers = list(schedulers)
        self.optimizer = optimizer if optimizer is not None else self.schedulers[0].optimizer

    def step(self) -> None:
        """Go on by one step."""
        for scheduler in self.schedulers:
            scheduler.step()

    def get_last_lr(self) -> list[float]:
        """The learning rates now."""
        return [group["lr"] for group in param_groups(self.optimizer)]

    def state_dict(self) -> dict[str, Any]:
        """The state of every schedule."""
        return {"schedulers": [each.state_dict() for each in self.schedulers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave, here or in torch."""
        load_each(self.schedulers, state)


def load_each(schedulers: Sequence[Any], state: dict[str, Any]) -> None:
    """Give every schedule its own part of a state."""
    for scheduler, own in zip(schedulers, state.get("schedulers", state.get("_schedulers")), strict=True):
        scheduler.load_state_dict(own)
