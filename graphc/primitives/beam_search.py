"""Beam search for sequences of labels by scores at each time, of connectionist temporal classification."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from graphc import dtypes
from graphc.dims import Dim
from graphc.errors import ShapeError
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batched, Case, Kind, LibraryRule, Primitive, register
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.base import Array, check_dtype
from graphc.primitives.batching import move_axis

_DTYPES = ("float32", "float64")


def _infer(
    scores: TensorType, lengths: TensorType, beam_width: int, top_paths: int, blank: int
) -> tuple[TensorType, TensorType]:
    check_dtype("ctc_beam_search", scores, _DTYPES)
    check_dtype("ctc_beam_search", lengths, ("int32",))
    if scores.rank != 3 or lengths.shape != scores.shape[:1]:
        raise ShapeError("`ctc_beam_search` takes scores and lengths of sequences", got=f"{scores} and {lengths}")
    batch, times, classes = scores.shape
    if classes == 0 or (isinstance(classes, int) and not 0 <= blank < classes):
        raise ShapeError("`ctc_beam_search` needs a class that is the blank", got=f"{classes} classes, blank {blank}")
    return TensorType((top_paths, batch, times), dtypes.int32), TensorType((batch, top_paths), scores.dtype)


def _eval(scores: Array, lengths: Array, beam_width: int, top_paths: int, blank: int) -> tuple[Array, Array]:
    batch, times, _ = scores.shape
    paths = np.full((top_paths, batch, times), -1, np.int32)
    found = np.full((batch, top_paths), -np.inf, scores.dtype)
    for i, (rows, length) in enumerate(zip(scores.astype(np.float64), lengths, strict=True)):
        for j, (path, score) in enumerate(_best(rows[: max(int(length), 1)], beam_width, top_paths, blank)):
            paths[j, i, : len(path)], found[i, j] = path, score
    return paths, found


def _best(rows: Array, beam_width: int, top_paths: int, blank: int) -> list[tuple[tuple[int, ...], float]]:
    """The likeliest sequences of labels, and the logarithms of their probabilities.

    For each kept sequence there are two: of the alignments that end with a blank, and of those that end with its last
    label.
    """
    paths: list[tuple[int, ...]] = [()]
    ended, open_ = np.zeros(1), np.full(1, -np.inf)
    with np.errstate(all="ignore"):
        for row in rows:
            last = np.array([path[-1] if path else -1 for path in paths])
            total = np.logaddexp(ended, open_)
            longer = total[:, None] + row
            longer[:, blank] = -np.inf
            whole = last >= 0
            # The same label once more is another one only after a blank.
            longer[whole, last[whole]] = ended[whole] + row[last[whole]]
            ended, open_ = total + row[blank], np.where(whole, open_ + row[last], -np.inf)
            _merge(paths, open_, longer)
            candidates = np.concatenate([np.logaddexp(ended, open_), longer.reshape(-1)])
            order = np.argsort(-candidates, kind="stable")[:beam_width]
            order = order[candidates[order] > -np.inf]
            paths, ended, open_ = _chosen(order, paths, ended, open_, longer)
    total = np.logaddexp(ended, open_)
    return [(paths[i], float(total[i])) for i in np.argsort(-total, kind="stable")[:top_paths]]


def _merge(paths: list[tuple[int, ...]], open_: Array, longer: Array) -> None:
    """Adds up what leads to the same sequence: one that is kept, and a shorter one with a label more."""
    number = {path: i for i, path in enumerate(paths)}
    for i, path in enumerate(paths):
        j = number.get(path[:-1]) if path else None
        if j is not None:
            open_[i] = np.logaddexp(open_[i], longer[j, path[-1]])
            longer[j, path[-1]] = -np.inf


def _chosen(
    order: Array, paths: list[tuple[int, ...]], ended: Array, open_: Array, longer: Array
) -> tuple[list[tuple[int, ...]], Array, Array]:
    count, classes = longer.shape
    kept = order < count
    parent, label = np.divmod(np.where(kept, 0, order - count), classes)
    same = np.where(kept, order, 0)
    chosen = [
        paths[i] if stays else (*paths[j], int(c)) for stays, i, j, c in zip(kept, same, parent, label, strict=True)
    ]
    return chosen, np.where(kept, ended[same], -np.inf), np.where(kept, open_[same], longer[parent, label])


def _lower(types: Sequence[TensorType], beam_width: int, top_paths: int, blank: int) -> LibraryRule:
    return LibraryRule(types[0].elements * (20 * beam_width))


def _vjp(g: Value | tuple[Value | None, ...], n: Applied) -> Sequence[Value | None]:
    """Decoding has no gradient: which sequences are best changes in jumps."""
    return None, None


def _batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> tuple[Batched, ...]:
    scores, lengths = (operand.spread(length) for operand in operands)
    _, batch, times, classes = scores.shape
    flat = builder.apply("reshape", scores, shape=(length * batch, times, classes))
    rows = builder.apply("reshape", lengths, shape=(length * batch,))
    paths, found = builder.apply_many("ctc_beam_search", flat, rows, **attrs)
    top = attrs["top_paths"]
    paths = move_axis(builder.apply("reshape", paths, shape=(top, length, batch, times)), 1, 0)
    return Batched(paths, True), Batched(builder.apply("reshape", found, shape=(length, batch, top)), True)


def _cases() -> Iterable[Case]:
    attrs = {"beam_width": 4, "top_paths": 2, "blank": 0}
    yield Case(((2, 5, 3), (2,)), attrs, 0, 5, differentiable=False, integer_operands=(1,))


ctc_beam_search = register(
    Primitive("ctc_beam_search", Kind.LIBRARY, _infer, _eval, _lower, _vjp, _cases, _DTYPES, batch=_batch)
)
