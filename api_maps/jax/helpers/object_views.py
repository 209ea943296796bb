"""Objects that are no modules but hold some, seen with other modules in their place."""

import copy
from typing import Any


def with_attributes(owner: Any, **attributes: Any) -> Any:
    """A shallow copy of `owner` with other attributes, so that its methods run on those."""
    view = copy.copy(owner)
    for name, value in attributes.items():
        setattr(view, name, value)
    return view
