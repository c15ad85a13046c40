"""Sequences of different lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DataError
from graphc.tracing import Array, describe, user_line
from graphc.utils.arguments import argument_error, whole_number


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> Array:
    """Sequences as the rows of one array: shorter ones are filled up, longer ones cut.

    Args:
        sequences: List of sequences of numbers, or of arrays of equal shapes.
        maxlen: The length of the rows. None: that of the longest sequence.
        dtype: The dtype of the array: a name, or `object` for text.
        padding: `"pre"` or `"post"`: where a sequence is filled up.
        truncating: `"pre"` or `"post"`: where it is cut.
        value: What it is filled up with.

    Returns:
        A NumPy array of shape (sequences, maxlen, ...).

    Raises:
        ArgumentError: if an argument is invalid.
        DataError: if `sequences` are no sequences, or their elements differ in shape.

    Example:

    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2).tolist()
    [[0, 1], [2, 3], [5, 6]]
    """
    for name, choice in (("padding", padding), ("truncating", truncating)):
        if choice not in ("pre", "post"):
            raise argument_error(name, choice, "'pre' or 'post'")
    whole_number("maxlen", maxlen, 0, optional=True)
    if not hasattr(sequences, "__len__"):
        raise DataError("sequences have a length", where=describe(user_line()), got=type(sequences).__name__)
    lengths = [_length(sequence) for sequence in sequences]
    longest = max(lengths, default=0) if maxlen is None else maxlen
    inner = next((np.shape(sequence)[1:] for sequence in sequences if len(sequence)), ())
    if isinstance(value, str) and np.dtype(dtype).kind not in "OU":
        raise argument_error("value", value, f"a number, for sequences of {dtype}; for text, pass `dtype=object`")
    result = np.full((len(lengths), longest, *inner), value, dtype=dtype)
    for row, sequence in zip(result, sequences, strict=True):
        part = np.asarray(_cut(sequence, longest, truncating), dtype=dtype)
        if not len(part):
            continue
        if part.shape[1:] != inner:
            raise DataError(
                "the elements of sequences differ in shape",
                where=describe(user_line()),
                got=f"{part.shape[1:]} and {inner}",
            )
        row[slice(len(part)) if padding == "post" else slice(longest - len(part), None)] = part
    return result


def _cut(sequence: Any, longest: int, truncating: str) -> Any:
    excess = len(sequence) - longest
    return sequence if excess <= 0 else sequence[:longest] if truncating == "post" else sequence[excess:]


def _length(sequence: Any) -> int:
    try:
        return len(sequence)
    except TypeError:
        raise DataError(
            "an element of sequences is no sequence", where=describe(user_line()), got=repr(sequence)[:80]
        ) from None
