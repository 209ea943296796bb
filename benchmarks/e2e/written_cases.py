"""Programs as sceptical users would write them, in `fixtures/programs`: look-alikes, mixins, registries, trainers."""

from __future__ import annotations

from typing import Any

from .programs import WRITTEN, Case, floats, integers, unit_floats

ROWS = {"x": floats(4, 6)}


def written(name: str, kind: str, inputs: Any = ROWS, **changes: Any) -> Case:
    """A program that stands in a file of its own, with `build`, `forward` and `train`."""
    return Case(name, kind, WRITTEN, "", "", inputs, **{"backward": 1e-3, **changes})


PROGRAMS = (
    written("accumulation", "training loop", {**ROWS, "y": integers(3, 4)}),
    written("averaged_weights", "training loop"),
    written("compared_parameters", "Python"),
    written("dqn", "reinforcement learning", {**ROWS, "n": floats(4, 6)}),
    written("finetune", "training loop"),
    written("gan", "GAN", {**ROWS, "z": floats(4, 4)}),
    written("generators", "Python"),
    written("layers", "layers", {"x": floats(2, 4, 9, 8), "idx": integers(10, 2, 3)}),
    written("mixins", "Python"),
    written("numeric_functions", "functions", {"x": floats(7, 6), "y": integers(3, 7)}),
    written("own_classes", "Python"),
    written("registry", "Python"),
    written("shadowed_names", "Python"),
    written("stores", "in-place"),
    written("tagger", "LSTM", {"x": integers(20, 3, 5), "y": integers(5, 3, 5)}),
    written("tied_weights", "GPT", {"x": integers(20, 2, 6)}),
    written("trainer", "training loop"),
    written("vae", "VAE", {"x": unit_floats(4, 6)}, training=True),
)
