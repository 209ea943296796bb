"""Operations that are known to be wrong or to crash after conversion, with the reason: to be fixed, never to be grown.

Each has to fail: one that has come right must be taken off the list.
"""

from __future__ import annotations

KNOWN_FAILURES: dict[str, dict[str, str]] = {
    "jax": {},
    "numpy": {},
}
#: Entries of torch's databases of modules and of optimizers.
KNOWN_MODULE_FAILURES: dict[str, str] = {}
KNOWN_OPTIMIZER_FAILURES: dict[str, str] = {}
