"""Connectionist temporal classification: sequences of labels, without times, against scores at each time."""

from __future__ import annotations

from typing import Any

from graphc import dtypes
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.activations import log_softmax
from graphc.ops.crossentropies import one_hot
from graphc.ops.elementwise import in_wide, where
from graphc.ops.functions import logaddexp
from graphc.ops.loops import scan
from graphc.ops.ordering import argsort
from graphc.ops.reductions import argmax, max, sum
from graphc.ops.shaping import concatenate, expand_dims, pad, take_along_axis, transpose
from graphc.tracing import Tensor, as_tensor, bind, bind_many, broadcast_to, elementwise, operation
from graphc.tracing import cast as _cast
from graphc.tracing.indexing import as_indices
from graphc.tracing.shapes import unify_sizes

__all__ = ["ctc_decode", "ctc_loss"]

# The logarithm of the probability of what cannot be.
_IMPOSSIBLE = -1e5


def _scores(op: str, x: Any) -> Tensor:
    scores = in_wide(x)
    if scores.ndim != 3:
        raise ShapeError(f"`{op}` takes scores of shape (batch, times, classes)", got=str(scores.type))
    return scores


@operation
def ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> Tensor:
    """The negative log-probability of sequences of labels, over all alignments to the times (Graves et al., 2006).

    Args:
        target: Tensor of integers of shape `(batch, labels)`: the labels, padded.
        output: Tensor of shape `(batch, times, classes)`: logits.
        target_length: Tensor of shape `(batch,)`: the number of labels of each sequence.
        output_length: Tensor of shape `(batch,)`: the number of times of each sequence.
        mask_index: The class that stands for no label.

    Returns:
        A tensor of shape `(batch,)`: float32 for halves.

    Raises:
        ShapeError: if the shapes do not fit.

    Example:

    >>> ctc_loss([[1, 2]], [[[0.0, 0.0, 0.0, 0.0]] * 3], [2], [3]).numpy().round(4)
    array([2.5494], dtype=float32)
    """
    scores, labels = _scores("ctc_loss", output), as_indices(target)
    lengths, times = as_indices(target_length), as_indices(output_length)
    if labels.ndim != 2:
        raise ShapeError("`ctc_loss` takes labels of shape (batch, labels)", got=str(labels.type))
    names = [["batch", "time", "class"], ["batch", "label"], ["batch"], ["batch"]]
    scores, labels, lengths, times = unify_sizes([scores, labels, lengths, times], names)
    dtype = scores.type.dtype
    batch, count = labels.shape
    log = log_softmax(scores, -1)
    classes = scores.shape[-1]
    blank = transpose(log[:, :, mask_index : mask_index + 1], (1, 0, 2))
    # The score of each label at each time: a gather along the classes, written so that its gradient is a product.
    codes = one_hot(labels, classes, dtype=dtype)
    emitted = bind("contract", log, codes, lhs_batch=(0,), rhs_batch=(0,), lhs_contract=(2,), rhs_contract=(2,))
    emitted = transpose(emitted, (1, 0, 2))
    repeats = pad(_cast(bind("eq", labels[:, :-1], labels[:, 1:]), dtype), ((0, 0), (0, 1)))
    # `between` n: the first n labels are read, and a blank follows; `within` n: the last one may be continued.
    start = broadcast_to(as_tensor(_IMPOSSIBLE, dtype), (batch, count))
    between = concatenate([broadcast_to(as_tensor(0.0, dtype), (batch, 1)), start], 1)
    steps = bind("iota", shape=(scores.shape[1], batch), axis=0, dtype=times.type.dtype)
    beyond = bind("ge", steps, broadcast_to(times, steps.shape))

    def closed(between: Tensor, added: Tensor) -> Tensor:
        return concatenate([between[:, :1], logaddexp(between[:, 1:], added)], 1)

    def step(carry: tuple[Tensor, Tensor], now: tuple[Tensor, Tensor, Tensor]) -> Any:
        before, within = carry
        label, none, over = now
        open_ = closed(before, within + _IMPOSSIBLE * repeats)
        next_within = logaddexp(open_[:, :-1] + label, within + label)
        next_between = closed(open_ + none, within + none + _IMPOSSIBLE * (1.0 - repeats))
        over = expand_dims(over, 1)
        return (where(over, before, next_between), where(over, within, next_within)), ()

    (between, within), _ = scan(step, (between, start), (emitted, blank, beyond))
    final = closed(between, within)
    at_end = one_hot(lengths, count + 1, dtype=dtype)
    return bind("neg", sum(bind("mul", final, at_end), 1))


@operation
def ctc_decode(
    inputs: Any,
    sequence_lengths: Any,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[Tensor, Tensor]:
    """The likeliest sequences of labels for scores at each time.

    Args:
        inputs: Tensor of shape `(batch, times, classes)`: logits.
        sequence_lengths: Tensor of shape `(batch,)`: the number of times of each sequence.
        strategy: `"greedy"`: the likeliest class at each time; `"beam_search"`: the likeliest sequences among so many
            that are kept from time to time.
        beam_width: How many sequences are kept.
        top_paths: How many sequences are returned, by beam search.
        merge_repeated: Whether the same class at several times without a blank between is one label, for `"greedy"`;
            beam search merges always.
        mask_index: The class that stands for no label.

    Returns:
        The labels, of shape `(paths, batch, times)`, filled up with -1; and the scores, of shape `(batch, paths)`:
        the negative sum of the scores of the greedy path, or the log-probabilities of beam search.

    Raises:
        ArgumentError: if there is no such strategy.
        ShapeError: if the shapes do not fit.

    Example:

    >>> ctc_decode([[[0.1, 2.0], [2.0, 0.1], [0.1, 3.0]]], [3])[0].numpy().tolist()
    [[[1, 1, -1]]]
    """
    names = [["batch", "time", "class"], ["batch"]]
    scores, lengths = unify_sizes([_scores("ctc_decode", inputs), as_indices(sequence_lengths)], names)
    classes = int(scores.shape[-1])
    blank = classes - 1 if mask_index is None else mask_index
    if strategy == "greedy":
        return _greedy(scores, lengths, merge_repeated, blank)
    if strategy != "beam_search":
        expected = "'greedy' or 'beam_search'"
        raise ArgumentError("unknown strategy of `ctc_decode`", got=repr(strategy), expected=expected)
    attrs = {"beam_width": beam_width, "top_paths": top_paths, "blank": blank}
    paths, log = bind_many("ctc_beam_search", log_softmax(scores, -1), _cast(lengths, dtypes.int32), **attrs)
    return paths, log


def _greedy(scores: Tensor, lengths: Tensor, merge_repeated: bool, blank: int) -> tuple[Tensor, Tensor]:
    labels, best = argmax(scores, -1), max(scores, -1)
    shape = labels.shape
    time = bind("iota", shape=shape, axis=1, dtype=lengths.type.dtype)
    beyond = bind("ge", time, bind("broadcast", lengths, shape=shape, axes=(0,)))
    labels, best = where(beyond, blank, labels), where(beyond, 0.0, best)
    if merge_repeated:
        repeated = pad(bind("eq", labels[:, 1:], labels[:, :-1]), ((0, 0), (1, 0)), constant_values=False)
        labels = where(repeated, blank, labels)
    none = elementwise("eq", labels, blank)
    labels = where(none, -1, labels)
    # Labels move to the front, in their order.
    order = argsort(where(none, shape[1], time), -1)
    labels = take_along_axis(labels, order, -1)
    return expand_dims(labels, 0), expand_dims(bind("neg", sum(best, 1)), 1)
