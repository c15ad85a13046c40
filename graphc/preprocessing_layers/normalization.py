"""Normalization of features by statistics of a data set, which are given or measured by `adapt`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc import config as settings
from graphc import ops
from graphc.errors import ArgumentError, DataError, ShapeError
from graphc.layers.layer import Layer
from graphc.registration import exported
from graphc.tracing import Array, Tensor, describe
from graphc.tracing.arrays import array_of, is_array_like

_MODULE = "keras.layers"


@exported(_MODULE)
class Normalization(Layer):
    """`(x - mean) / sqrt(variance)`, with the mean and variance of each feature in a data set.

    Args:
        axis: The axes, a number or several, along which each position has statistics of its own. None: there is one
            mean and one variance.
        mean: The mean of each feature, where it is known. None: `adapt` measures it.
        variance: Likewise.
        invert: Whether to compute `mean + x * sqrt(variance)` instead.

    Raises:
        ArgumentError: if only one of mean and variance is given.
        ShapeError: if their shapes do not fit.

    Example:

    >>> layer = Normalization()
    >>> layer.adapt([np.array([[1.0, 10.0], [3.0, 30.0]])])
    >>> layer([[3.0, 10.0]]).numpy()
    array([[ 1., -1.]], dtype=float32)
    """

    _passes_masks = True

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        # Numbers far from 0 are normalized in float32; only the results are halves.
        self.autocast = False
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        self.input_mean, self.input_variance, self.invert = mean, variance, invert
        self._kept: tuple[int, ...] = ()
        self._broadcast: tuple[int, ...] = ()
        if (mean is None) != (variance is None):
            raise ArgumentError("a Normalization is given both mean and variance, or neither", layer=self.name)
        given = np.shape(() if mean is None else mean), np.shape(() if variance is None else variance)
        if given[0] != given[1] or len(given[0]) > max(len(self.axis), mean is None):
            raise ShapeError(
                "mean and variance do not fit",
                layer=self.name,
                where=describe(self._origin),
                got=f"shapes {given[0]} and {given[1]}",
                expected=f"equal shapes with at most one size for each of the axes {self.axis}",
            )

    def build(self, input_shape: Any = None) -> None:
        """Creates the statistics, unless they were given."""
        rank = len(input_shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            raise ShapeError("Normalization has no such axis", got=self.axis, expected=f"from {-rank} to {rank - 1}")
        self._kept = tuple(sorted(axis % rank for axis in self.axis))
        if any(input_shape[axis] is None for axis in self._kept):
            raise ShapeError("the number of features must be known", got=f"{tuple(input_shape)}, axis {self.axis}")
        self._broadcast = tuple(input_shape[axis] if axis in self._kept else 1 for axis in range(rank))
        shape = tuple(input_shape[axis] for axis in self._kept)
        if self.input_mean is None:
            self.adapt_mean, self.adapt_variance = (
                self.add_weight(name=name, shape=shape, initializer=initial, trainable=False, autocast=False)
                for name, initial in (("mean", "zeros"), ("variance", "ones"))
            )
            # Files of older versions of Keras have it.
            self.count = self.add_weight(name="count", shape=(), dtype="int32", initializer="zeros", trainable=False)

    def adapt(self, data: Any) -> None:
        """Measures the mean and variance of a data set.

        Args:
            data: An array or tensor, or an iterable of batches: arrays, or tuples of them the first of which counts.

        Raises:
            DataError: if there is no data, or a part is no array.
            ShapeError: if the shapes of batches differ.
        """
        count, mean, spread = 0, np.zeros(()), np.zeros(())
        for batch in self._batches(data):
            array = np.asarray(batch, np.float64)
            reduced = tuple(axis for axis in range(array.ndim) if axis not in self._kept)
            number = int(np.prod([array.shape[axis] for axis in reduced]))
            if number == 0:
                continue
            # The sums of squares about the common mean (Chan, Golub and LeVeque, 1979).
            apart = np.mean(array, axis=reduced) - mean
            spread = spread + number * np.var(array, axis=reduced) + apart**2 * (count * number / (count + number))
            mean = mean + apart * (number / (count + number))
            count += number
        if count == 0:
            raise DataError("`adapt` got no data", layer=self.name, hint="an iterator that ran before is empty")
        if self.input_mean is None:
            self.adapt_mean.assign(mean)
            self.adapt_variance.assign(spread / count)

    def _batches(self, data: Any) -> Iterator[Array]:
        """The arrays of a data set; the first builds the layer."""
        whole = is_array_like(data) or isinstance(data, Tensor)
        indexed = not hasattr(data, "__iter__") and hasattr(data, "__getitem__") and hasattr(data, "__len__")
        if not whole and not indexed and not hasattr(data, "__iter__"):
            raise DataError(
                "`adapt` cannot read this",
                layer=self.name,
                got=type(data).__name__,
                expected="an array, or an iterable of batches",
            )
        for part in (data,) if whole else (data[i] for i in range(len(data))) if indexed else data:
            batch = part[0] if isinstance(part, tuple) else part
            if not is_array_like(batch) and not isinstance(batch, Tensor):
                raise DataError(
                    "a batch is no array",
                    layer=self.name,
                    got=type(batch).__name__,
                    expected="arrays",
                    hint="pass one array, or a list of arrays: layer.adapt([x])",
                )
            array = array_of(batch)
            if not self.built:
                self.build(array.shape)
            sizes = tuple(array.shape[axis] if axis in self._kept else 1 for axis in range(array.ndim))
            if sizes != self._broadcast:
                raise ShapeError(
                    "the data has other features than the layer",
                    layer=self.name,
                    got=f"shape {array.shape}",
                    expected=f"{self._broadcast}, where 1 is any size",
                )
            yield array

    def finalize_state(self) -> None:
        """Does nothing: calls read the statistics themselves. Keras's layer has it."""

    @property
    def mean(self) -> Any:
        """The mean, in a shape that broadcasts with the inputs; None before the layer is built."""
        return self._statistic(self.input_mean, "adapt_mean")

    @property
    def variance(self) -> Any:
        """The variance, likewise."""
        return self._statistic(self.input_variance, "adapt_variance")

    def _statistic(self, given: Any, name: str) -> Any:
        if not self.built:
            return None
        if given is None:
            return ops.reshape(getattr(self, name), self._broadcast)
        # Sizes that are given belong to the last of the kept axes.
        array = np.asarray(given, np.float32)
        places = self._kept[len(self._kept) - array.ndim :]
        sizes = dict(zip(places, array.shape, strict=True))
        return ops.broadcast_to(
            np.reshape(array, [sizes.get(axis, 1) for axis in range(len(self._broadcast))]), self._broadcast
        )

    def call(self, inputs: Any) -> Any:
        """The normalized inputs."""
        wide = "float64" if self.compute_dtype == "float64" else "float32"
        x = ops.cast(inputs, wide)
        mean = ops.cast(self.mean, wide)
        deviation = ops.maximum(ops.sqrt(ops.cast(self.variance, wide)), settings.epsilon())
        normalized = mean + x * deviation if self.invert else (x - mean) / deviation
        return ops.cast(normalized, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        given = {"mean": self.input_mean, "variance": self.input_variance}
        lists = {name: np.asarray(value).tolist() for name, value in given.items()}
        return {**super().get_config(), "axis": self.axis, "invert": self.invert, **lists}
