"""Times a jitted forward pass and training step of a converted fixture model; run by `models.py`, prints JSON.

The optimizers are made with what the conversion wrote: the helpers beside the models.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

#: A model, its optimizer, a batch, and the loss of the model on a batch.
Case = tuple[nnx.Module, Any, Any, Callable[[Any, Any], jax.Array]]


def classifier() -> Case:
    from resnet import get_model
    from resnet.ivy_helpers import CrossEntropyLoss, sgd

    model = get_model("resnet_tiny", num_classes=4, rngs=nnx.Rngs(0))
    transformation = optax.inject_hyperparams(sgd)(lr=0.05, momentum=0.9, weight_decay=5e-4, nesterov=True)
    optimizer = nnx.Optimizer(model, transformation, wrt=nnx.Param)
    batch = (jax.random.normal(jax.random.key(0), (32, 3, 32, 32)), jax.random.randint(jax.random.key(1), (32,), 0, 4))
    criterion = CrossEntropyLoss()
    return model, optimizer, batch, lambda model, batch: criterion(model(batch[0]), batch[1])


def gpt(batch_size: int = 8, length: int = 32, **sizes: int) -> Case:
    from minigpt.config import GPTConfig, TrainConfig
    from minigpt.model import GPT
    from minigpt.optim import configure_optimizer

    model = GPT(GPTConfig(block_size=length, **sizes), rngs=nnx.Rngs(0))
    keys = jax.random.key(0), jax.random.key(1)
    batch = tuple(jax.random.randint(key, (batch_size, length), 0, 32).astype(jnp.int32) for key in keys)
    return model, configure_optimizer(model, TrainConfig()), batch, lambda model, batch: model(*batch)[1]


def gpt_wide() -> Case:
    return gpt(16, 64, n_layer=4, n_head=4, n_embd=128)


CASES = {"classifier": classifier, "gpt": gpt, "gpt_wide": gpt_wide}


def milliseconds(action: Callable[[], object], repeats: int) -> list[float]:
    """The time of each run, after three that compile and warm up."""
    times = []
    for index in range(repeats + 3):
        start = time.perf_counter()
        action()
        if index >= 3:
            times.append((time.perf_counter() - start) * 1e3)
    return times


def main() -> None:
    model, optimizer, batch, loss_of = CASES[sys.argv[1]]()

    @nnx.jit
    def forward(model: Any, batch: Any) -> jax.Array:
        return loss_of(model, batch)

    @nnx.jit
    def step(model: Any, optimizer: Any, batch: Any) -> jax.Array:
        loss, gradients = nnx.value_and_grad(loss_of)(model, batch)
        optimizer.update(model, gradients)
        return loss

    repeats = int(sys.argv[2])
    model.eval()
    times = {"forward": milliseconds(lambda: forward(model, batch).item(), repeats)}
    model.train()
    times["training step"] = milliseconds(lambda: step(model, optimizer, batch).item(), repeats)
    print(json.dumps(times))


if __name__ == "__main__":
    main()
