"""How many axes the results of operations have, from those of their arguments. None wherever that is not certain."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from .lattice import Array, Scalar, Sequence, Tuple, Type
from .read import Argument, BoundOp, Collected, Constant, Given, literal
from .signature import MISSING

TypeOf = Callable[[cst.CSTNode], Type]

#: The result has the axes of the first argument.
_LIKE_FIRST = frozenset(
    """abs sign sgn signbit exp exp2 expm1 log log1p log2 log10 sqrt rsqrt square reciprocal sin cos tan asin acos atan
    sinh cosh tanh asinh acosh atanh floor ceil trunc frac round erf erfc erfinv lgamma digamma sinc logit nan_to_num
    negative positive bitwise_invert logical_not isnan isinf isfinite deg2rad rad2deg relu relu6 sigmoid silu mish gelu
    elu selu celu leaky_relu softplus softsign softmax log_softmax softmin log_sigmoid hard_sigmoid hard_silu hard_tanh
    zeros_like ones_like empty_like full_like astype to_device stop_gradient copy contiguous swapaxes
    moveaxis transpose matrix_transpose conjugate_transpose flip fliplr flipud roll rot90 cumulative_sum cumulative_prod
    logcumsumexp tril triu sort argsort sorted_values topk pad interpolate dropout normalize layer_norm group_norm
    index_select narrow slice scatter scatter_add index_add""".split()
)
#: The result is broadcast from all arguments that hold arrays.
_BROADCAST = frozenset(
    """add add_scaled subtract subtract_scaled multiply divide floor_divide remainder fmod pow maximum minimum fmax fmin
    atan2 hypot copysign logaddexp logaddexp2 clip where where_self masked_fill lerp addcmul addcdiv xlogy bitwise_and
    bitwise_or bitwise_xor logical_and logical_or logical_xor equal not_equal less less_equal greater greater_equal
    isclose float_power""".split()
)
#: Axes are combined, and stay with length 1 where that is asked for.
_REDUCTIONS = frozenset(
    """sum mean prod max min max_with_indices min_with_indices argmax argmin all any std var logsumexp nansum nanmean
    count_nonzero vector_norm std_mean var_mean median_with_indices""".split()
)
_FIXED = {"argwhere": 2, "masked_select": 1, "bincount": 1}


def result_rank(op: BoundOp, type_of: TypeOf) -> int | None:
    """The number of axes of the array, or of every array, that an operation gives."""
    if op.starred or not op.op.parameters:
        return None
    name = op.op.name
    first = _rank(op.arguments.get(op.op.parameters[0].name), type_of)
    if name == "permute_dims":
        return _count(op.arguments.get("axes")) if first is None else first
    if name in _LIKE_FIRST:
        return first
    if name in _FIXED:
        return _FIXED[name]
    if name in _BROADCAST:
        return _broadcast(op, type_of)
    if name in _REDUCTIONS:
        return _reduced(op, first)
    match name:
        case "matmul":
            return matmul_rank(first, _rank(op.arguments.get("x2"), type_of))
        case "gather" | "take_along_axis":
            return _rank(op.arguments.get("index" if name == "gather" else "indices"), type_of)
        case "expand_dims" | "one_hot" | "unfold_axis":
            return None if first is None else first + 1
        case "flatten":
            return _flattened(_value(op, "start_axis"), _value(op, "end_axis"), first)
        case "tile":
            count = _count(op.arguments.get("repetitions"))
            return None if count is None or first is None else max(count, first)
        case "stack" | "concat":
            rank = _common(op.arguments.get("arrays"), type_of)
            return rank if rank is None or name == "concat" else rank + 1
        case "einsum":
            letters = "".join(str(_value(op, "equation")).partition("->")[2].split())
            return len(letters) if letters.isalpha() else None
    return None


def pattern_rank(pattern: object) -> int | None:
    """The axes behind the arrow of a pattern of names, `"b (h w) c -> b h w c"`; a group in parentheses is one axis."""
    if not isinstance(pattern, str) or pattern.count("->") != 1:
        return None
    right = pattern.rpartition("->")[2]
    if set(right) & set(".…[]{}"):
        return None
    depth = count = 0
    for token in right.replace("(", " ( ").replace(")", " ) ").split():
        if token == "(":
            count, depth = count + (depth == 0), depth + 1
        elif token == ")":
            depth -= 1
        elif depth == 0:
            count += 1
    return count


def matmul_rank(first: int | None, second: int | None) -> int | None:
    """The number of axes of a matrix product; vectors lose their only one."""
    if first is None or second is None or 0 in (first, second):
        return None
    if first > 1 and second > 1:
        return max(first, second)
    return first + second - 2


def _rank(argument: Argument | None, type_of: TypeOf) -> int | None:
    """The rank of an array argument; numbers have no axes."""
    if isinstance(argument, Constant):
        return 0 if isinstance(argument.value, (int, float)) else None
    return _type_rank(type_of(argument.node)) if isinstance(argument, Given) else None


def _type_rank(type_: Type) -> int | None:
    if isinstance(type_, Scalar):
        return 0 if type_.kind in ("int", "float", "bool", "complex") else None
    return type_.rank if isinstance(type_, Array) else None


def _broadcast(op: BoundOp, type_of: TypeOf) -> int | None:
    ranks = [
        _rank(op.arguments[parameter.name], type_of)
        for parameter in op.op.parameters
        if parameter.kind.startswith("array") and parameter.name in op.arguments and not _is_none(op, parameter.name)
    ]
    known = [rank for rank in ranks if rank is not None]
    return max(known) if known and len(known) == len(ranks) else None


def _is_none(op: BoundOp, name: str) -> bool:
    return _value(op, name) is None


def _value(op: BoundOp, name: str) -> object:
    """The literal value of an argument, or the hub's default."""
    argument = op.arguments.get(name)
    if isinstance(argument, Given):
        return literal(argument.node)
    if isinstance(argument, Constant):
        return argument.value
    parameter = op.op.parameter(name)
    return parameter.default if parameter is not None and argument is None else MISSING


def _reduced(op: BoundOp, rank: int | None) -> int | None:
    axis, keepdims = _value(op, "axis"), _value(op, "keepdims")
    if op.op.parameter("keepdims") is None:
        keepdims = False
    if axis is None and keepdims is False:
        return 0
    if keepdims is True:
        return rank
    if rank is None or keepdims is not False:
        return None
    axes = (axis,) if isinstance(axis, int) else axis
    if not isinstance(axes, (tuple, list)) or not axes or not all(isinstance(one, int) for one in axes):
        return None
    return max(rank - len(axes), 0)


def _flattened(start: object, end: object, rank: int | None) -> int | None:
    if not isinstance(start, int) or not isinstance(end, int):
        return None
    if start >= 0 and end == -1:
        return start + 1
    if not rank:
        return None
    return rank - (end % rank - start % rank)


def _count(argument: Argument | None) -> int | None:
    """How many numbers are written out."""
    nodes: list[object] = []
    if isinstance(argument, Given) and isinstance(argument.node, (cst.Tuple, cst.List)):
        nodes = [element for element in argument.node.elements if isinstance(element, cst.StarredElement)]
        return None if nodes else len(argument.node.elements)
    if isinstance(argument, Collected) and len(argument.arguments) > 1:
        return None if any(one.star for one in argument.arguments) else len(argument.arguments)
    return None


def _common(argument: Argument | None, type_of: TypeOf) -> int | None:
    """The rank that all arrays of a sequence have."""
    if isinstance(argument, Given) and isinstance(argument.node, (cst.Tuple, cst.List)):
        elements = argument.node.elements
        if any(isinstance(element, cst.StarredElement) for element in elements):
            return None
        ranks = {_type_rank(type_of(element.value)) for element in elements}
    elif isinstance(argument, Given):
        type_ = type_of(argument.node)
        items = type_.items if isinstance(type_, Tuple) else (type_.item,) if isinstance(type_, Sequence) else ()
        ranks = {item.rank if isinstance(item, Array) else None for item in items}
    else:
        return None
    return ranks.pop() if len(ranks) == 1 else None
