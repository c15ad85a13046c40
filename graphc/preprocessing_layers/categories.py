"""Categories as numbers: encodings of indices, and numbers in bins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from graphc import ops
from graphc.errors import ArgumentError, DataError, StateError
from graphc.layers.kinds import refuse_unsupported
from graphc.layers.layer import Layer
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import Array, Tensor, as_tensor, describe
from graphc.tracing.arrays import array_of, is_array_like

_MODULE = "keras.layers"


class Encoding(Layer):
    """The base class of layers that compute indices, and encode them."""

    _modes: ClassVar[tuple[str, ...]] = ("int", "one_hot", "multi_hot", "count")
    output_mode: str
    sparse: bool

    def _prepare(self) -> None:
        refuse_unsupported(self, "sparse")
        # Indices must not be rounded to a lower precision.
        self.autocast = False
        if self.output_mode not in self._modes:
            raise ArgumentError(
                f"{type(self).__name__} has no such output_mode",
                where=describe(self._origin),
                got=repr(self.output_mode),
                expected=", ".join(map(repr, self._modes)),
            )

    @property
    def _result_dtype(self) -> str:
        """The dtype of the result."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    def _encoded_shape(self, shape: tuple[Any, ...], depth: int) -> tuple[Any, ...]:
        """The shape of the encoding of indices of a shape."""
        if self.output_mode == "int":
            return shape
        if self.output_mode == "one_hot":
            return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
        return (*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,)

    def _encoded(self, indices: Any, depth: int, weights: Any = None) -> Any:
        """Indices as the mode says.

        Args:
            indices: Integers from 0 to `depth - 1`.
            depth: The number of categories.
            weights: The weight of each index in counts. None: 1.
        """
        if self.output_mode == "int":
            return ops.cast(indices, "int32")
        x = ops.convert_to_tensor(indices)
        x = ops.expand_dims(x, -1) if x.ndim == 0 else x
        if self.output_mode == "one_hot":
            alone = x.ndim > 1 and x.shape[-1] == 1
            return ops.one_hot(ops.squeeze(x, -1) if alone else x, depth, dtype=self.compute_dtype)
        if self.output_mode == "multi_hot":
            return ops.multi_hot(x, depth, dtype=self.compute_dtype)
        one_hot = ops.one_hot(x, depth, dtype=self.compute_dtype)
        if weights is not None:
            one_hot = one_hot * ops.expand_dims(ops.cast(weights, self.compute_dtype), -1)
        return ops.sum(one_hot, axis=1 if x.ndim > 1 else 0)


@exported(_MODULE)
@configured
class CategoryEncoding(Encoding):
    """Indices of categories as vectors with an element for each category.

    Args:
        num_tokens: The number of categories; indices are below it.
        output_mode: `"one_hot"`: a 1 for each index; `"multi_hot"`: a 1 for the indices of a sample together;
            `"count"`: how often each occurs in a sample.
        sparse: Not supported.

    Call arguments:
        inputs: Integers, `[batch]` or `[batch, indices]`.
        count_weights: The weight of each index, for `"count"`.

    Raises:
        DataError: if an index is not one of a category.

    Example:

    >>> CategoryEncoding(num_tokens=4)([[0, 1], [3, 3]]).numpy().tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """

    _modes = ("one_hot", "multi_hot", "count")

    num_tokens: int | None = None
    output_mode: str = "multi_hot"
    sparse: bool = False

    def _prepare(self) -> None:
        super()._prepare()
        if not isinstance(self.num_tokens, int) or self.num_tokens < 1:
            raise ArgumentError(
                "num_tokens is a positive integer", where=describe(self._origin), got=repr(self.num_tokens)
            )

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        """The encoded indices."""
        assert self.num_tokens is not None
        if count_weights is not None and self.output_mode != "count":
            raise ArgumentError("count_weights are for output_mode='count'", layer=self.name, got=self.output_mode)
        self._check(as_tensor(inputs), self.num_tokens)
        return self._encoded(inputs, self.num_tokens, count_weights)

    def _check(self, indices: Tensor, count: int) -> None:
        if indices.traced is not None or not indices.size:
            return
        least, most = indices.numpy().min(), indices.numpy().max()
        if least < 0 or most >= count:
            raise DataError(
                "an index is that of no category",
                layer=self.name,
                got=f"{least} to {most}",
                expected=f"0 to {count - 1}",
            )

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {name: value for name, value in super().get_config().items() if name != "sparse"}


@exported(_MODULE)
@configured
class Discretization(Encoding):
    """Numbers as the indices of the bins that they are in: `sum(x >= b for b in bin_boundaries)`.

    Args:
        bin_boundaries: The boundaries of the bins, in ascending order. None: `adapt` measures them.
        num_bins: The number of bins that `adapt` makes, which hold about equally many numbers.
        epsilon: How far a boundary may be from the quantile that it should be, as a fraction.
        output_mode: `"int"`, or how the indices are encoded: see `CategoryEncoding`.
        sparse: Not supported.
        dtype: The dtype of the results, unless they are indices.
        name: Its name.

    Raises:
        ArgumentError: unless one of `bin_boundaries` and `num_bins` is given.
        StateError: if it is called before `adapt`.

    Example:

    >>> Discretization(bin_boundaries=[0.0, 1.0])([[-1.0, 0.0, 3.0]]).numpy().tolist()
    [[0, 1, 2]]
    >>> layer = Discretization(num_bins=2)
    >>> layer.adapt(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> layer([1.0, 4.0]).numpy().tolist()
    [0, 1]
    """

    bin_boundaries: Any = None
    num_bins: int | None = None
    epsilon: float = 0.01
    output_mode: str = "int"
    sparse: bool = False
    dtype: Any = None
    name: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        if (self.bin_boundaries is None) == (self.num_bins is None) or (self.num_bins or 1) < 1:
            raise ArgumentError(
                "Discretization takes either bin_boundaries, or the number of bins that `adapt` makes",
                where=describe(self._origin),
                got=f"bin_boundaries={self.bin_boundaries}, num_bins={self.num_bins}",
            )
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets the numbers that were seen."""
        self._summary = np.zeros((2, 0), "float32")

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Measures the boundaries of the bins: quantiles of the data.

        Args:
            data: An array, or an iterable of batches.
            steps: The number of batches. None: all.
        """
        if self.num_bins is None:
            raise StateError("`adapt` of a layer whose bin_boundaries are given", layer=self.name, hint="pass num_bins")
        self.reset_state()
        for step, batch in enumerate(_batches(data)):
            if steps is not None and step >= steps:
                break
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Adds numbers to those that were seen."""
        values = np.sort(np.asarray(data, "float32"), axis=None)
        step = max(values.size * self.epsilon, 1)
        bounds = values[int(step - 1) :: int(step)]
        seen = np.stack([bounds, np.full_like(bounds, step)])
        merged = np.concatenate([seen, self._summary], axis=1)
        self._summary = _compressed(merged[:, np.argsort(merged[0])], self.epsilon)

    def finalize_state(self) -> None:
        """Computes the boundaries from the numbers that were seen."""
        if self.num_bins is not None:
            self.bin_boundaries = _compressed(self._summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def call(self, inputs: Any) -> Any:
        """The indices of the bins, encoded."""
        if self.bin_boundaries is None:
            raise StateError("the bins are not known yet", layer=self.name, hint="call `adapt` first")
        indices = ops.digitize(inputs, np.asarray(self.bin_boundaries, "float32"))
        return self._encoded(indices, len(self.bin_boundaries) + 1)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        config = super().get_config()
        return {name: value for name, value in config.items() if name != "trainable"} | {"dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates a layer from a configuration that `get_config` returned."""
        measured = config.get("num_bins") is not None and config.get("bin_boundaries") is not None
        layer = cls(**(config | ({"bin_boundaries": None} if measured else {})))
        layer.bin_boundaries = config.get("bin_boundaries")
        return layer


def _batches(data: Any) -> Iterator[Any]:
    """The batches of data: an array is one."""
    if isinstance(data, np.ndarray | Tensor) or is_array_like(data):
        yield array_of(data)
    elif isinstance(data, list | tuple) and not any(isinstance(x, list | tuple | np.ndarray | Tensor) for x in data):
        yield np.asarray(data)
    else:
        yield from data


def _compressed(summary: Array, epsilon: float) -> Array:
    """A summary of numbers, values with their weights, in about `1 / epsilon` values."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    weights = summary[1].cumsum()
    values = np.interp(shares, weights / weights[-1], summary[0])
    totals = np.interp(shares, weights / weights[-1], weights)
    return np.stack([values, np.diff(totals, prepend=0)]).astype("float32")
