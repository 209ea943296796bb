"""One time step of the recurrent layers: the step functions and torch's cells."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from .linear import fan_in_bound, uniform_parameter


def rnn_step(gates: jax.Array, hidden_gates: jax.Array, nonlinearity: str) -> jax.Array:
    """The next h [N, hidden]."""
    total = gates + hidden_gates
    return jnp.tanh(total) if nonlinearity == "tanh" else jax.nn.relu(total)


def lstm_step(gates: jax.Array, c: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The next (h, c) from the summed pre-activations of i, f, g, o [N, 4 * hidden]."""
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru_step(gates: jax.Array, hidden_gates: jax.Array, h: jax.Array) -> jax.Array:
    """The next h from the pre-activations of r, z, n [N, 3 * hidden] of input and hidden state."""
    r, z, n = jnp.split(gates, 3, axis=-1)
    hidden_r, hidden_z, hidden_n = jnp.split(hidden_gates, 3, axis=-1)
    reset, update = jax.nn.sigmoid(r + hidden_r), jax.nn.sigmoid(z + hidden_z)
    return (1 - update) * jnp.tanh(n + reset * hidden_n) + update * h


class RecurrentCell(nnx.Module):
    """weight_ih [gates * hidden, in], weight_hh [gates * hidden, hidden] and two biases."""

    gates = 1

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, rngs: nnx.Rngs):
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        size, bound = self.gates * hidden_size, fan_in_bound(hidden_size)
        self.weight_ih = uniform_parameter(rngs, (size, input_size), bound)
        self.weight_hh = uniform_parameter(rngs, (size, hidden_size), bound)
        self.bias_ih = uniform_parameter(rngs, (size,), bound) if bias else nnx.data(None)
        self.bias_hh = uniform_parameter(rngs, (size,), bound) if bias else nnx.data(None)

    def zero_state(self, x: jax.Array) -> jax.Array:
        """Zeros [N, hidden] or [hidden]."""
        return jnp.zeros((*jnp.shape(x)[:-1], self.hidden_size), jnp.asarray(x).dtype)

    def pre_activations(self, x: jax.Array, h: jax.Array) -> tuple[jax.Array, jax.Array]:
        """W_ih x + b_ih and W_hh h + b_hh."""
        gates, hidden_gates = jnp.matmul(x, self.weight_ih.T), jnp.matmul(h, self.weight_hh.T)
        if self.bias_ih is None:
            return gates, hidden_gates
        return gates + self.bias_ih, hidden_gates + self.bias_hh


class RNNCell(RecurrentCell):
    """x [N, in] or [in] and h to the next h."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        rngs: nnx.Rngs,
    ):
        super().__init__(input_size, hidden_size, bias, rngs=rngs)
        self.nonlinearity = nonlinearity

    def __call__(self, x: jax.Array, hx: jax.Array | None = None) -> jax.Array:
        h = self.zero_state(x) if hx is None else hx
        return rnn_step(*self.pre_activations(x, h), self.nonlinearity)


class LSTMCell(RecurrentCell):
    """x [N, in] or [in] and (h, c) to the next (h, c)."""

    gates = 4

    def __call__(
        self, x: jax.Array, hx: tuple[jax.Array, jax.Array] | None = None
    ) -> tuple[jax.Array, jax.Array]:
        h, c = (self.zero_state(x), self.zero_state(x)) if hx is None else hx
        gates, hidden_gates = self.pre_activations(x, h)
        return lstm_step(gates + hidden_gates, c)


class GRUCell(RecurrentCell):
    """x [N, in] or [in] and h to the next h."""

    gates = 3

    def __call__(self, x: jax.Array, hx: jax.Array | None = None) -> jax.Array:
        h = self.zero_state(x) if hx is None else hx
        return gru_step(*self.pre_activations(x, h), h)
