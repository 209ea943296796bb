"""RNN, LSTM and GRU layers over `jax.lax.scan`, with torch's weights, layouts and packed sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from .dropout import dropout
from .linear import fan_in_bound, uniform_parameter
from .packed_sequence import PackedSequence
from .recurrent_cells import gru_step, lstm_step, rnn_step

# The hidden state, and the cell state of an LSTM: arrays [N, size].
State = tuple[jax.Array, ...]


def scan_steps(
    step: Callable[[State, jax.Array], State],
    inputs: jax.Array,
    state: State,
    lengths: jax.Array | None,
    reverse: bool,
) -> tuple[State, jax.Array]:
    """Run `step` over inputs [T, N, gates]; returns the last state and the hidden states [T, N, size].

    With `lengths` [N] a sequence neither moves its state nor gives output behind its end.
    """
    times = jnp.arange(inputs.shape[0])

    def body(state: State, item: tuple[jax.Array, jax.Array]) -> tuple[State, jax.Array]:
        time, x = item
        following = step(state, x)
        if lengths is None:
            return following, following[0]
        inside = (time < lengths)[:, None]
        kept = tuple(jnp.where(inside, new, old) for new, old in zip(following, state, strict=True))
        return kept, jnp.where(inside, following[0], 0)

    return jax.lax.scan(body, state, (times, inputs), reverse=reverse)


class RecurrentLayer(nnx.Module):
    """Stacked, optionally bidirectional recurrence over x [T, N, in], [N, T, in] (batch_first) or [T, in].

    Parameters are named as in torch: weight_ih_l0 [gates * hidden, in], weight_hh_l0, bias_ih_l0, bias_hh_l0,
    with the suffix _reverse for the backward direction. A PackedSequence gives a PackedSequence.
    """

    gates = 1
    states = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int,
        rngs: nnx.Rngs,
    ):
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self.deterministic = False
        self.rngs = rngs.dropout.fork()
        out_size, bound = proj_size or hidden_size, fan_in_bound(hidden_size)
        for layer in range(num_layers):
            width = input_size if layer == 0 else out_size * (2 if bidirectional else 1)
            for suffix in self.suffixes(layer):
                shapes = {
                    "weight_ih": (self.gates * hidden_size, width),
                    "weight_hh": (self.gates * hidden_size, out_size),
                    "bias_ih": (self.gates * hidden_size,) if bias else None,
                    "bias_hh": (self.gates * hidden_size,) if bias else None,
                    "weight_hr": (proj_size, hidden_size) if proj_size else None,
                }
                for name, shape in shapes.items():
                    if shape is not None:
                        setattr(self, name + suffix, uniform_parameter(rngs, shape, bound))

    def suffixes(self, layer: int) -> tuple[str, ...]:
        """The parameter suffixes of a layer: forward, and backward if bidirectional."""
        forward = f"_l{layer}"
        return (forward, f"{forward}_reverse") if self.bidirectional else (forward,)

    def flatten_parameters(self) -> None:
        """Nothing: torch lays out weights for cuDNN here."""

    def advance(self, state: State, gates: jax.Array, hidden_gates: jax.Array) -> State:
        """The next state from the two gate pre-activations [N, gates * hidden]."""
        raise NotImplementedError

    def run(self, x: jax.Array, initial: State, lengths: jax.Array | None) -> tuple[jax.Array, State]:
        """x [T, N, in] and initial states [layers * directions, N, size] to outputs and last states."""
        finals: list[State] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction, suffix in enumerate(self.suffixes(layer)):
                state = tuple(s[len(finals)] for s in initial)
                final, hidden = self.run_direction(x, state, lengths, suffix, direction == 1)
                finals.append(final)
                outputs.append(hidden)
            x = jnp.concatenate(outputs, axis=-1)
            if layer + 1 < self.num_layers and self.dropout and not self.deterministic:
                x = dropout(x, self.dropout, key=self.rngs())
        return x, tuple(jnp.stack(parts) for parts in zip(*finals, strict=True))

    def run_direction(
        self, x: jax.Array, state: State, lengths: jax.Array | None, suffix: str, reverse: bool
    ) -> tuple[State, jax.Array]:
        """One layer in one direction."""
        weight_ih, weight_hh = (getattr(self, name + suffix)[...] for name in ("weight_ih", "weight_hh"))
        inputs = jnp.matmul(x, weight_ih.T)
        hidden_bias = jnp.zeros((), inputs.dtype)
        if self.bias:
            inputs = inputs + getattr(self, f"bias_ih{suffix}")[...]
            hidden_bias = getattr(self, f"bias_hh{suffix}")[...]
        projection = getattr(self, f"weight_hr{suffix}")[...] if self.proj_size else None

        def step(state: State, gates: jax.Array) -> State:
            following = self.advance(state, gates, jnp.matmul(state[0], weight_hh.T) + hidden_bias)
            if projection is None:
                return following
            return (jnp.matmul(following[0], projection.T), *following[1:])

        return scan_steps(step, inputs, state, lengths, reverse)

    def __call__(self, x: Any, hx: Any = None) -> tuple[Any, Any]:
        packed = isinstance(x, PackedSequence)
        data = x.data if packed else jnp.asarray(x)
        unbatched = data.ndim == 2
        if unbatched:
            data = data[:, None]
        elif self.batch_first and not packed:
            data = jnp.swapaxes(data, 0, 1)
        initial = self.initial_states(hx, data, unbatched)
        y, finals = self.run(data, initial, x.lengths if packed else None)
        if packed:
            result: Any = PackedSequence(y, x.lengths)
        elif unbatched:
            result, finals = y[:, 0], tuple(s[:, 0] for s in finals)
        else:
            result = jnp.swapaxes(y, 0, 1) if self.batch_first else y
        return result, finals if self.states == 2 else finals[0]

    def initial_states(self, hx: Any, data: jax.Array, unbatched: bool) -> State:
        """The states given by the caller as [layers * directions, N, size], or zeros."""
        if hx is not None:
            given = tuple(jnp.asarray(s) for s in (hx if self.states == 2 else (hx,)))
            return tuple(s[:, None] for s in given) if unbatched else given
        count = self.num_layers * (2 if self.bidirectional else 1)
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)[: self.states]
        return tuple(jnp.zeros((count, data.shape[1], size), data.dtype) for size in sizes)


class RNN(RecurrentLayer):
    """h = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu; returns the outputs and the last h."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        rngs: nnx.Rngs,
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity must be tanh or relu, got {nonlinearity!r}")
        self.nonlinearity = nonlinearity
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, rngs
        )

    def advance(self, state: State, gates: jax.Array, hidden_gates: jax.Array) -> State:
        return (rnn_step(gates, hidden_gates, self.nonlinearity),)


class LSTM(RecurrentLayer):
    """Gates i, f, g, o; returns the outputs and (h, c). With `proj_size` h is projected to that size."""

    gates = 4
    states = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        rngs: nnx.Rngs,
    ):
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, rngs
        )

    def advance(self, state: State, gates: jax.Array, hidden_gates: jax.Array) -> State:
        return lstm_step(gates + hidden_gates, state[1])


class GRU(RecurrentLayer):
    """Gates r, z, n; returns the outputs and the last h."""

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        rngs: nnx.Rngs,
    ):
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, rngs
        )

    def advance(self, state: State, gates: jax.Array, hidden_gates: jax.Array) -> State:
        return (gru_step(gates, hidden_gates, state[0]),)
