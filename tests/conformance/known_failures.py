"""Operations that are known to be wrong or to crash after conversion, with the reason: to be fixed, never to be grown.

Each has to fail: one that has come right must be taken off the list.
"""

from __future__ import annotations

KNOWN_FAILURES: dict[str, dict[str, str]] = {
    "jax": {
        "__rpow__": "JAX raises for whole numbers to negative powers, where torch gives 0",
        "sigmoid": "jax.nn.sigmoid raises for integers; only inference that knows the element type could add the cast",
        "sign": "jax.numpy.sign raises for booleans",
        "special.log_ndtr": "jax.scipy.special.log_ndtr raises for integers",
        "special.ndtr": "jax.scipy.special.ndtr raises for integers",
        "tensordot": "torch broadcasts contracted axes of length 1, jax.numpy.tensordot raises",
        "uniform": "draws into complex arrays give real numbers",
    },
    "numpy": {},
}
#: Entries of torch's databases of modules and of optimizers.
KNOWN_MODULE_FAILURES: dict[str, str] = {}
KNOWN_OPTIMIZER_FAILURES: dict[str, str] = {}
