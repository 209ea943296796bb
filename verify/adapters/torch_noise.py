"""torch's random functions, drawing from the shared noise stream."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ..noise import NoiseStream


def _shape(size: tuple[Any, ...]) -> tuple[int, ...]:
    first = size[0] if len(size) == 1 else size
    return tuple(int(item) for item in (first if isinstance(first, (tuple, list, torch.Size)) else size))


def _like(array: np.ndarray, tensor: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(array).to(dtype=tensor.dtype, device=tensor.device)


def _make(array: np.ndarray, options: dict[str, Any], default: torch.dtype) -> torch.Tensor:
    made = torch.as_tensor(array).to(dtype=options.get("dtype") or default, device=options.get("device") or "cpu")
    return made.requires_grad_() if options.get("requires_grad") else made


def noise_replacements(stream: NoiseStream) -> list[tuple[Any, str, Any]]:
    """`(owner, name, function)` for every function and method that draws."""
    return [*_creation(stream), *_methods(stream), *_dropout(stream), *_recurrent_dropout(), *_shuffling(stream)]


def _shuffling(stream: NoiseStream) -> list[tuple[Any, str, Any]]:
    """One permutation for each round over the data: torch's sampler draws a second one of which it uses nothing."""
    sampler = torch.utils.data.RandomSampler
    original = sampler.__iter__

    def iterate(self: Any) -> Any:
        count = len(self.data_source)
        if self.replacement or self.num_samples != count:
            return original(self)
        return iter(stream.permutation(count).tolist())

    return [(sampler, "__iter__", iterate)]


def _creation(stream: NoiseStream) -> list[tuple[Any, str, Any]]:
    def floats(draw: Callable[[Any], np.ndarray]) -> Callable[..., torch.Tensor]:
        def function(*size: Any, **options: Any) -> torch.Tensor:
            shape = _shape(size or (options.pop("size"),))
            return _make(draw(shape), options, torch.get_default_dtype())

        return function

    def floats_like(draw: Callable[[Any], np.ndarray]) -> Callable[..., torch.Tensor]:
        def function(tensor: torch.Tensor, **options: Any) -> torch.Tensor:
            return _make(draw(tensor.shape), {"device": tensor.device, **options}, tensor.dtype)

        return function

    def randint(*numbers: Any, low: int = 0, high: Any = None, size: Any = None, **options: Any) -> torch.Tensor:
        values = list(numbers)
        size = values.pop() if size is None else size
        if len(values) == 2:
            low, high = values
        elif values:
            low, high = (low, values[0]) if high is None else (values[0], high)
        return _make(stream.integers(int(low), int(high), tuple(size)), options, torch.int64)

    def randperm(n: int, **options: Any) -> torch.Tensor:
        return _make(stream.permutation(int(n)), options, torch.int64)

    def bernoulli(tensor: torch.Tensor, p: float | None = None, **_: Any) -> torch.Tensor:
        chance = tensor.detach().cpu().double().numpy() if p is None else p
        return _like(stream.uniform(tensor.shape) < chance, tensor)

    def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, **options: Any) -> torch.Tensor:
        tensors = [item for item in (mean, std) if isinstance(item, torch.Tensor)]
        shape = tuple(size) if size is not None else tuple(torch.broadcast_shapes(*(t.shape for t in tensors)))
        drawn = stream.normal(shape)
        if not tensors:
            return _make(drawn * std + mean, options, torch.get_default_dtype())
        return _like(drawn, tensors[0]) * std + mean

    def multinomial(input: torch.Tensor, num_samples: int, replacement: bool = False, **_: Any) -> torch.Tensor:
        with np.errstate(divide="ignore"):
            logits = np.log(input.detach().cpu().double().numpy())
        return torch.as_tensor(stream.categorical(logits, num_samples, replacement)).to(input.device)

    return [
        (torch, "rand", floats(stream.uniform)),
        (torch, "randn", floats(stream.normal)),
        (torch, "rand_like", floats_like(stream.uniform)),
        (torch, "randn_like", floats_like(stream.normal)),
        (torch, "randint", randint),
        (torch, "randperm", randperm),
        (torch, "bernoulli", bernoulli),
        (torch, "normal", normal),
        (torch, "multinomial", multinomial),
        (torch.Tensor, "multinomial", multinomial),
        (torch.Tensor, "bernoulli", bernoulli),
    ]


def _methods(stream: NoiseStream) -> list[tuple[Any, str, Any]]:
    def fill(tensor: torch.Tensor, array: np.ndarray) -> torch.Tensor:
        return tensor.copy_(_like(array, tensor))

    def normal_(tensor: torch.Tensor, mean: float = 0.0, std: float = 1.0, **_: Any) -> torch.Tensor:
        return fill(tensor, stream.normal(tensor.shape) * std + mean)

    def uniform_(tensor: torch.Tensor, low: float = 0.0, high: float = 1.0, **named: Any) -> torch.Tensor:
        low, high = named.get("from", low), named.get("to", high)
        return fill(tensor, stream.uniform(tensor.shape) * (high - low) + low)

    def bernoulli_(tensor: torch.Tensor, p: Any = 0.5, **_: Any) -> torch.Tensor:
        chance = p.detach().cpu().double().numpy() if isinstance(p, torch.Tensor) else p
        return fill(tensor, stream.uniform(tensor.shape) < chance)

    def exponential_(tensor: torch.Tensor, lambd: float = 1.0, **_: Any) -> torch.Tensor:
        return fill(tensor, stream.exponential(tensor.shape) / lambd)

    def trunc_normal_(
        tensor: torch.Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, **_: Any
    ) -> torch.Tensor:
        low, high = (math.erf((bound - mean) / std / math.sqrt(2)) for bound in (a, b))
        drawn = torch.erfinv(torch.as_tensor(stream.uniform(tensor.shape) * (high - low) + low)) * math.sqrt(2)
        with torch.no_grad():
            return tensor.copy_((drawn * std + mean).clamp(a, b))

    methods = (normal_, uniform_, bernoulli_, exponential_)
    filling = [(torch.Tensor, method.__name__, method) for method in methods]
    return [*filling, (torch.nn.init, "trunc_normal_", trunc_normal_)]


def _dropout(stream: NoiseStream) -> list[tuple[Any, str, Any]]:
    """Only the function is replaced: the layer classes call it."""

    def masked(input: torch.Tensor, p: float, training: bool, shape: tuple[int, ...]) -> torch.Tensor:
        if not training or p == 0:
            return input
        if p == 1:
            return input * 0
        return input * _like(stream.uniform(shape) < 1 - p, input) / (1 - p)

    def dropout(input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> torch.Tensor:
        return masked(input, p, training, tuple(input.shape))

    def channels(batched_rank: int) -> Callable[..., torch.Tensor]:
        def feature_dropout(
            input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
        ) -> torch.Tensor:
            kept = 1 if input.ndim < batched_rank else 2
            lead = (1,) if kept == 1 else ()
            shape = lead + tuple(input.shape[:kept]) + (1,) * (input.ndim - kept)
            dropped = masked(input[None] if lead else input, p, training, shape)
            return dropped[0] if lead else dropped

        return feature_dropout

    return [
        (functional, "dropout", dropout),
        (functional, "dropout1d", channels(3)),
        # dropout2d acts on the first two axes whatever the rank
        (functional, "dropout2d", channels(2)),
        (functional, "dropout3d", channels(5)),
    ]


def _recurrent_dropout() -> list[tuple[Any, str, Any]]:
    """Between the layers of a recurrent network torch drops out in its own kernels: here one layer runs at a time."""

    def by_layer(run: Callable[..., Any]) -> Callable[..., Any]:
        def function(*arguments: Any) -> Any:
            # Packed sequences come as (data, lengths, states, weights, ...); their dropout stays torch's own.
            if len(arguments) != 9 or not isinstance(arguments[3], bool):
                return run(*arguments)
            x, states, weights, biases, layers, dropout, training, bidirectional, batch_first = arguments
            if not (training and dropout and layers > 1):
                return run(*arguments)
            directions = 2 if bidirectional else 1
            several = isinstance(states, (list, tuple))
            ends: list[tuple[torch.Tensor, ...]] = []
            x = x.transpose(0, 1) if batch_first else x
            count = len(weights) // layers
            for layer in range(layers):
                part = slice(layer * directions, (layer + 1) * directions)
                start = tuple(state[part] for state in states) if several else states[part]
                own = weights[layer * count : (layer + 1) * count]
                x, *end = run(x, start, own, biases, 1, 0.0, training, bidirectional, False)
                ends.append(tuple(end))
                x = functional.dropout(x, dropout, True) if layer + 1 < layers else x
            x = x.transpose(0, 1) if batch_first else x
            return (x, *(torch.cat(each) for each in zip(*ends, strict=True)))

        return function

    names = ("lstm", "gru", "rnn_tanh", "rnn_relu")
    return [(torch._VF, name, by_layer(getattr(torch._VF, name))) for name in names]
