"""Loss functions and layers against torch."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from ivy_convert.api_maps.jax.helpers import ctc, loss_layers, losses

from .transfer import compare_calls, compare_modules, to_jax

REDUCTIONS = ["mean", "sum", "none"]
functional = torch.nn.functional


def signs(*shape: int) -> torch.Tensor:
    return torch.randint(0, 2, shape) * 2 - 1


# name of layer, options, inputs: values include kinks and bounds.
ELEMENTWISE: list[tuple[str, dict[str, Any], tuple[torch.Tensor, ...]]] = [
    ("MSELoss", {}, (torch.randn(4, 5), torch.randn(4, 5))),
    ("L1Loss", {}, (torch.tensor([1.0, 2.0, -3.0]), torch.tensor([1.0, 0.0, 0.5]))),
    ("SmoothL1Loss", {}, (torch.tensor([1.0, 2.0, -3.0, 0.2]), torch.tensor([1.0, 1.0, 0.5, 0.0]))),
    ("SmoothL1Loss", {"beta": 0.3}, (torch.randn(20), torch.randn(20))),
    ("SmoothL1Loss", {"beta": 0.0}, (torch.randn(20), torch.randn(20))),
    ("HuberLoss", {}, (torch.tensor([1.0, 2.0, -3.0, 0.2]), torch.tensor([1.0, 1.0, 0.5, 0.0]))),
    ("HuberLoss", {"delta": 0.4}, (torch.randn(20), torch.randn(20))),
    ("BCELoss", {}, (torch.rand(4, 5), torch.rand(4, 5))),
    ("BCELoss", {"weight": torch.rand(5)}, (torch.rand(4, 5), torch.rand(4, 5))),
    ("BCEWithLogitsLoss", {}, (50 * torch.randn(4, 5), torch.rand(4, 5))),
    (
        "BCEWithLogitsLoss",
        {"weight": torch.rand(4, 1), "pos_weight": torch.rand(5) * 3},
        (torch.randn(4, 5), torch.rand(4, 5)),
    ),
    ("KLDivLoss", {}, (torch.randn(3, 4).log_softmax(1), torch.rand(3, 4))),
    ("KLDivLoss", {"log_target": True}, (torch.randn(3, 4).log_softmax(1), torch.randn(3, 4).log_softmax(1))),
    ("PoissonNLLLoss", {}, (torch.randn(9), torch.arange(9.0) + 0.5)),
    ("PoissonNLLLoss", {"full": True}, (torch.randn(9), torch.arange(9.0) + 0.5)),
    ("PoissonNLLLoss", {"log_input": False}, (torch.rand(9), torch.arange(9.0))),
    ("GaussianNLLLoss", {}, (torch.randn(3, 4), torch.randn(3, 4), torch.rand(3, 4))),
    ("GaussianNLLLoss", {"full": True, "eps": 0.4}, (torch.randn(3, 4), torch.randn(3, 4), torch.rand(3, 1))),
    ("GaussianNLLLoss", {}, (torch.randn(3, 4), torch.randn(3, 4), torch.rand(3))),
    ("SoftMarginLoss", {}, (30 * torch.randn(3, 4), signs(3, 4))),
    ("HingeEmbeddingLoss", {}, (torch.tensor([1.0, 2.0, 0.3, 1.0]), torch.tensor([1, -1, -1, -1]))),
    ("HingeEmbeddingLoss", {"margin": 2.0}, (torch.rand(3, 4) * 4, signs(3, 4))),
    ("MarginRankingLoss", {}, (torch.tensor([1.0, 2.0, 0.0]), torch.tensor([1.0, 0.0, 2.0]), signs(3))),
    ("MarginRankingLoss", {"margin": 0.4}, (torch.randn(9), torch.randn(9), signs(9))),
    ("MultiMarginLoss", {}, (torch.randn(4, 5), torch.tensor([0, 4, 2, 2]))),
    (
        "MultiMarginLoss",
        {"p": 2, "margin": 0.4, "weight": torch.rand(5)},
        (torch.randn(4, 5), torch.tensor([0, 4, 2, 2])),
    ),
    ("MultiMarginLoss", {}, (torch.randn(5), torch.tensor(3))),
    ("MultiLabelMarginLoss", {}, (torch.randn(2, 4), torch.tensor([[3, 0, -1, 1], [1, -1, 2, 2]]))),
    ("MultiLabelMarginLoss", {}, (torch.randn(4), torch.tensor([2, 3, 0, 1]))),
    ("MultiLabelSoftMarginLoss", {}, (torch.randn(3, 4), torch.rand(3, 4).round())),
    ("MultiLabelSoftMarginLoss", {"weight": torch.rand(4)}, (torch.randn(3, 4), torch.rand(3, 4).round())),
    ("CosineEmbeddingLoss", {}, (torch.randn(6, 4), torch.randn(6, 4), signs(6))),
    ("CosineEmbeddingLoss", {"margin": 0.2}, (torch.randn(4), torch.randn(4), torch.tensor(-1))),
    ("TripletMarginLoss", {}, (torch.randn(6, 4), torch.randn(6, 4), torch.randn(6, 4))),
    ("TripletMarginLoss", {"p": 1, "swap": True}, (torch.randn(6, 4), torch.randn(6, 4), torch.randn(6, 4))),
    ("TripletMarginLoss", {"p": 3, "margin": 3.0}, (torch.randn(4), torch.randn(4), torch.randn(4))),
    ("TripletMarginWithDistanceLoss", {"swap": True}, tuple(torch.randn(3, 6, 4))),
]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("name", "options", "inputs"), ELEMENTWISE, ids=[f"{e[0]}{i}" for i, e in enumerate(ELEMENTWISE)]
)
def test_loss(name: str, options: dict[str, Any], inputs: tuple[torch.Tensor, ...], reduction: str) -> None:
    theirs = getattr(torch.nn, name)(**options, reduction=reduction)
    ours = getattr(loss_layers, name)(**to_jax(options), reduction=reduction)
    assert not nnx.state(ours, nnx.Param)
    compare_modules(theirs, ours, *inputs, copy=False)


CLASSES: list[tuple[tuple[int, ...], torch.Tensor]] = [
    ((5, 4), torch.tensor([0, 3, 2, -100, 1])),
    ((4,), torch.tensor(2)),
    ((2, 4, 3), torch.tensor([[0, 1, -100], [3, 3, 2]])),
    ((2, 4, 1, 2), torch.tensor([[[0, 1]], [[3, 2]]])),
]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("shape", "target"), CLASSES, ids=[str(c[0]) for c in CLASSES])
def test_cross_entropy(
    shape: tuple[int, ...], target: torch.Tensor, weighted: bool, smoothing: float, reduction: str
) -> None:
    weight = torch.tensor([0.5, 2.0, 1.0, 3.0]) if weighted else None
    options = {"weight": weight, "label_smoothing": smoothing, "reduction": reduction}
    theirs = torch.nn.CrossEntropyLoss(**options)
    ours = loss_layers.CrossEntropyLoss(**to_jax(options))
    compare_modules(theirs, ours, torch.randn(shape), target, copy=False)
    compare_modules(theirs, ours, torch.randn(shape), torch.rand(shape), copy=False)
    if smoothing == 0:
        theirs, ours = torch.nn.NLLLoss(weight, reduction=reduction), loss_layers.NLLLoss(
            to_jax(weight), reduction=reduction
        )
        compare_modules(theirs, ours, torch.randn(shape).log_softmax(0), target, copy=False)


def test_cross_entropy_ignoring() -> None:
    x, target = torch.randn(4, 3), torch.tensor([0, 1, 1, 2])
    compare_calls(functional.cross_entropy, losses.cross_entropy, x, target, ignore_index=1)
    compare_calls(functional.cross_entropy, losses.cross_entropy, x, target, ignore_index=1, label_smoothing=0.1)
    nothing = torch.full((4,), -100)
    assert np.isnan(losses.cross_entropy(to_jax(x), to_jax(nothing)))
    assert torch.isnan(functional.cross_entropy(x, nothing))


def test_class_outside_is_not_silent() -> None:
    assert np.isnan(losses.cross_entropy(jnp.ones((2, 3)), jnp.array([0, 3])))
    assert np.isnan(losses.cross_entropy(jnp.ones((2, 3)), jnp.array([0, -1])))
    with pytest.raises(ValueError, match="reduction"):
        losses.mse_loss(jnp.ones(2), jnp.ones(2), reduction="avg")


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weighted_regression(name: str, reduction: str) -> None:
    x, y, weight = torch.randn(3, 4), torch.randn(3, 4), torch.rand(3, 4)
    compare_calls(getattr(functional, name), getattr(losses, name), x, y, weight=weight, reduction=reduction)


def test_batch_mean() -> None:
    x, y = torch.randn(3, 4, 2).log_softmax(1), torch.rand(3, 4, 2)
    compare_calls(functional.kl_div, losses.kl_div, x, y, reduction="batchmean")


def test_targets_at_their_bounds() -> None:
    """Where torch's gradient with respect to the target is infinite or NaN, that of the input is not."""
    p, y = torch.tensor([0.0, 1.0, 0.0, 1.0, 1e-20]), torch.tensor([0.0, 1.0, 1.0, 0.0, 0.5])
    for name, x, target, options in (
        ("binary_cross_entropy", p, y, {}),
        ("kl_div", torch.randn(4, 4).log_softmax(1), torch.eye(4), {}),
        ("poisson_nll_loss", torch.randn(4), torch.arange(4.0), {"full": True}),
    ):
        compare_calls(
            lambda x, name=name, t=target, o=options: getattr(functional, name)(x, t, **o),
            lambda x, name=name, t=target, o=options: getattr(losses, name)(x, to_jax(t), **o),
            x,
        )


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0, float("inf")])
def test_pairwise_distance(p: float) -> None:
    theirs, ours = torch.nn.PairwiseDistance(p, keepdim=True), loss_layers.PairwiseDistance(p, keepdim=True)
    compare_modules(theirs, ours, torch.randn(5, 3), torch.randn(5, 3))


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_cosine_similarity(dim: int) -> None:
    x, y = torch.randn(3, 4, 5), torch.randn(1, 4, 5)
    compare_modules(torch.nn.CosineSimilarity(dim), loss_layers.CosineSimilarity(dim), x, y)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_ctc(reduction: str) -> None:
    steps, batch, classes = 12, 3, 5
    logits = torch.randn(steps, batch, classes)
    targets = torch.tensor([[1, 1, 2, 4], [3, 2, 0, 0], [4, 0, 0, 0]])
    inputs, lengths = torch.tensor([12, 9, 12]), torch.tensor([4, 2, 0])
    options: dict[str, Any] = {"reduction": reduction, "zero_infinity": True}
    theirs, ours = torch.nn.CTCLoss(**options), loss_layers.CTCLoss(**options)
    compare_modules(theirs, ours, logits.log_softmax(2), targets, inputs, lengths)
    together = torch.cat([row[:n] for row, n in zip(targets, lengths)])
    compare_modules(theirs, ours, logits.log_softmax(2), together, inputs, lengths)
    compare_calls(
        lambda x: functional.ctc_loss(x.log_softmax(2), targets, inputs, lengths, blank=3, reduction=reduction),
        lambda x: ctc.ctc_loss(
            jax.nn.log_softmax(x), to_jax(targets), to_jax(inputs), to_jax(lengths), blank=3, reduction=reduction
        ),
        logits,
    )


def test_ctc_impossible_and_unbatched() -> None:
    log_probs, targets = torch.randn(2, 4).log_softmax(1), torch.tensor([1, 2, 3])
    assert np.isinf(ctc.ctc_loss(to_jax(log_probs), to_jax(targets), (2,), (3,)))
    finite = ctc.ctc_loss(to_jax(log_probs), to_jax(targets), (2,), (3,), zero_infinity=True)
    assert finite == 0
    options: dict[str, Any] = {"input_lengths": (2,), "target_lengths": (2,), "reduction": "sum"}
    expected = functional.ctc_loss(log_probs, targets[:2], **options)
    np.testing.assert_allclose(ctc.ctc_loss(to_jax(log_probs), to_jax(targets[:2]), **options), expected, rtol=1e-5)
