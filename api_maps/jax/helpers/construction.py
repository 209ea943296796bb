"""Building layers of a class that the caller chose."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from flax import nnx


def build(make: Callable[..., Any], *args: Any, rngs: nnx.Rngs, **kwargs: Any) -> Any:
    """`make(*args, **kwargs)`, with `rngs=rngs` if the class or function has such a parameter.

    Layers without random initial values have none.
    """
    function = make
    while isinstance(function, partial):
        function = function.func
    try:
        parameters = inspect.signature(function.__init__ if inspect.isclass(function) else function).parameters
    except ValueError:  # Some functions written in C tell no signature.
        return make(*args, **kwargs)
    if "rngs" in parameters:
        kwargs["rngs"] = rngs
    return make(*args, **kwargs)
