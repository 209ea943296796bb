"""Which calls draw from a distribution object: those need a random key, as every other draw does."""

from __future__ import annotations

import libcst as cst

from ..rewriter.infer import Inference
from ..rewriter.lattice import UNKNOWN, Either, Instance, Method, Reference, Type
from ..rewriter.names import dotted

ROOT = "torch.distributions."
#: What is there in the target under the same name.
KNOWN = frozenset(
    """Distribution Normal LogNormal HalfNormal Uniform Laplace Cauchy Exponential Gamma Chi2 Beta StudentT Bernoulli
    Geometric Poisson Binomial Categorical OneHotCategorical OneHotCategoricalStraightThrough Multinomial
    MultivariateNormal Dirichlet RelaxedBernoulli RelaxedOneHotCategorical Independent MixtureSameFamily
    TransformedDistribution Transform AffineTransform ExpTransform SigmoidTransform TanhTransform kl_divergence""".split()
)
_TELLING = frozenset(("log_prob", "entropy", "rsample"))
_DRAWS = frozenset(("sample", "rsample"))


def is_distribution_draw(inference: Inference, file: str, call: cst.Call) -> bool:
    """`distribution.sample()`; of a value of unknown type where nothing else in the repository could be meant."""
    if not isinstance(call.func, cst.Attribute) or call.func.attr.value not in _DRAWS:
        return False
    callee = inference.files[file].types.get(call.func, UNKNOWN)
    receiver = callee.receiver if isinstance(callee, Method) else UNKNOWN
    if receiver != UNKNOWN:
        return is_distribution(receiver)
    if isinstance(callee, Reference) or inference.defines_method(call.func.attr.value, call):
        return False
    return uses_distributions(inference) and dotted(call.func.value) in _asked_for_densities(inference, file)


def _asked_for_densities(inference: Inference, file: str) -> frozenset[str | None]:
    """The names in a file that something is asked of that nothing but a distribution answers."""
    cache: dict[str, frozenset[str | None]] = inference.__dict__.setdefault("_asked_for_densities", {})
    if file not in cache:
        attributes = inference.nodes(file).of(cst.Attribute)
        cache[file] = frozenset(dotted(node.value) for node in attributes if node.attr.value in _TELLING) - {None}
    return cache[file]


def is_distribution(value: Type) -> bool:
    """Whether a value is certainly a distribution of torch's that the target has too."""
    if isinstance(value, Either):
        return all(is_distribution(option) for option in value.options)
    return isinstance(value, Instance) and value.path.startswith(ROOT) and value.path.rpartition(".")[2] in KNOWN


def uses_distributions(inference: Inference) -> bool:
    """Whether any file of the repository mentions torch's distributions."""
    known: bool | None = inference.__dict__.get("_uses_distributions")
    if known is None:
        known = any(
            isinstance(value, Reference) and value.path.startswith(ROOT)
            for found in inference.files.values()
            for value in found.types.values()
        )
        inference.__dict__["_uses_distributions"] = known
    return known
