"""Attention: weighted means of values, the weights being a softmax of products of queries and keys."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes

from graphc import dtypes
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.activations import softmax_parts
from graphc.ops.creation import arange
from graphc.ops.einstein import einsum
from graphc.ops.elementwise import where
from graphc.ops.shaping import expand_dims, reshape
from graphc.tracing import Tensor, as_tensor, cast, elementwise, operation, result_dtype
from graphc.tracing.arithmetic import operate

__all__ = ["dot_product_attention"]


def causal_mask(rows: Any, columns: Any) -> Tensor:
    """The causal mask: whether a query, by row, attends to a key, by column; not to later keys.

    Args:
        rows: The number of queries.
        columns: The number of keys.

    Returns:
        Booleans of shape `(rows, columns)`.
    """
    return elementwise("ge", expand_dims(arange(rows), 1), arange(columns))


def attend(
    logits: Tensor, value: Tensor, equation: str, axes: tuple[int, ...], drop: Callable[[Tensor], Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """The values weighted by the softmax of logits: `einsum(equation, drop(softmax(logits, axes)), value)`.

    The exponentials are divided by their sum after the values are combined: `sum_s e_s v_s / sum_s e_s`. The weights
    themselves are not computed, and the gradient needs no sum over them (Dao et al., 2022). The sum of the exponentials
    can be as large as their number, which would overflow in float16.

    Args:
        logits: Tensor of the equation's first indices.
        value: Tensor of the equation's second indices.
        equation: In Einstein's notation; indices of `axes` are summed over, and no other index of the logits.
        axes: The axes of the softmax.
        drop: Dropout, applied to the weights or to a multiple of each row of them.

    Returns:
        The weighted values, and the weights before dropout.
    """
    logits, value = as_tensor(logits), as_tensor(value)
    rows = tuple(axis % logits.ndim for axis in axes)
    powers, factor = softmax_parts(logits, rows)
    inputs, result = equation.split("->")
    weights, _ = inputs.split(",")
    kept = "".join(index for axis, index in enumerate(weights) if axis not in rows)
    scores = cast(einsum(f"{weights},{kept}->{weights}", powers, factor), value.type.dtype)
    if value.type.dtype is dtypes.float16:
        return einsum(equation, scores if drop is None else drop(scores), value), scores
    powers = cast(powers, value.type.dtype)
    total = einsum(equation, powers if drop is None else drop(powers), value)
    return einsum(f"{result},{kept}->{result}", total, cast(factor, total.type.dtype)), scores


@operation
def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Tensor:
    """`softmax(query @ key * scale + bias) @ value`, separately for each head (Vaswani et al., 2017).

    The largest logit is subtracted before the exponential; logits of half precision are formed in float32.

    Args:
        query: Tensor of shape `(batch, queries, heads, size)`.
        key: Tensor of shape `(batch, keys, groups, size)`; `groups` is `heads` or divides it.
        value: Tensor of shape `(batch, keys, groups, size)`.
        bias: Tensor that broadcasts to `(batch, heads, queries, keys)`, added to the logits. None: 0.
        mask: Booleans that broadcast likewise: the weight is 0 where they are False. None: no mask.
        scale: Factor of the logits. None: `1 / sqrt(size)`.
        is_causal: Whether a query attends only to keys at its own and earlier positions.
        flash_attention: Accepted as in Keras; the compiler decides how it is computed.
        attn_logits_soft_cap: Not supported.

    Returns:
        A tensor of the shape of `query` (its last size that of `value`).

    Raises:
        ShapeError: if a tensor has another rank, or the heads do not fit.
        ArgumentError: if a soft cap is given.

    Example:

    >>> from graphc import ops
    >>> x = ops.ones((2, 4, 8, 16))
    >>> dot_product_attention(x, x, x).shape
    (2, 4, 8, 16)
    """
    if attn_logits_soft_cap is not None:
        raise ArgumentError("attn_logits_soft_cap is not supported", got=attn_logits_soft_cap, expected="None")
    dtype = result_dtype(query, key, value)
    q, k, v = (as_tensor(x, dtype) for x in (query, key, value))
    if q.ndim != 4 or k.ndim != 4 or v.ndim != 4:
        raise ShapeError("`dot_product_attention` takes tensors of rank 4", got=f"{q.type}, {k.type} and {v.type}")
    batch, rows, heads, size = q.shape
    groups = k.shape[2]
    if heads % groups:
        raise ShapeError("the heads of queries do not fit those of keys", got=f"{heads} and {groups}")
    wide = dtype.accumulator
    factor = 1.0 / math.sqrt(k.shape[3]) if scale is None else scale
    q = operate("mul", cast(q, wide), factor)
    # The heads that share keys become a further axis of the queries.
    q = reshape(q, (batch, rows, groups, heads // groups, size))
    logits = einsum("btkgh,bskh->bkgts", q, cast(k, wide))
    split = (groups, heads // groups)
    if bias is not None:
        logits = operate("add", logits, _by_group(as_tensor(bias, wide), split))
    if mask is not None:
        logits = where(_by_group(as_tensor(mask, dtypes.bool_), split), logits, _lowest(wide))
    if is_causal:
        logits = where(causal_mask(rows, k.shape[1]), logits, _lowest(wide))
    result, _ = attend(logits, v, "bkgts,bskh->btkgh", (-1,))
    return reshape(result, (batch, rows, heads, v.shape[3]))


def _lowest(dtype: dtypes.DType) -> float:
    """The logit of a masked key: finite, so that a fully masked row has equal weights and no NaN."""
    limits: Any = ml_dtypes.finfo(dtype.numpy)  # type: ignore[no-untyped-call]
    return -0.7 * float(limits.max)


def _by_group(x: Tensor, split: tuple[int, int]) -> Tensor:
    """A tensor over `(batch, heads, queries, keys)`, or the last of these, with the heads as two axes."""
    if x.ndim < 3:
        return x
    heads = (1, 1) if x.shape[-3] == 1 else split
    return reshape(x, (*x.shape[:-3], *heads, *x.shape[-2:]))
