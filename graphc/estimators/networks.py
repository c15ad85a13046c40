"""The models of the estimators: what reads a table, and the parts that learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import initializers, layers, ops, regularizers
from graphc.estimators.tables import CODES, NUMBERS
from graphc.models import Model
from graphc.registration import exported
from graphc.tracing import Array


@exported("graphc.estimators")
class Standardize(layers.Layer):
    """Standardized numbers, `(x - mean) / deviation`: 0 where they are missing, with a column of flags for that.

    Args:
        mean: The mean of each column.
        deviation: The standard deviation of each column.
        flagged: The positions of the columns of which it is told where they are missing.
    """

    def __init__(
        self, mean: Sequence[float], deviation: Sequence[float], flagged: Sequence[int] = (), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.mean, self.deviation, self.flagged = list(mean), list(deviation), list(flagged)

    def call(self, inputs: Any) -> Any:
        """The standardized columns, then the flags."""
        missing = ops.isnan(inputs)
        scaled = (inputs - np.array(self.mean, self.compute_dtype)) / np.array(self.deviation, self.compute_dtype)
        scaled = ops.where(missing, ops.zeros_like(scaled), scaled)
        flags = [ops.cast(missing[:, at : at + 1], self.compute_dtype) for at in self.flagged]
        return ops.concatenate([scaled, *flags], axis=-1) if flags else scaled

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        own = {"mean": self.mean, "deviation": self.deviation, "flagged": self.flagged}
        return {**super().get_config(), **own}


def statistics(numbers: Array, weight: Array | None) -> tuple[Array, Array]:
    """The weighted means and standard deviations of columns, of what is not missing; 1 for a deviation of 0."""
    there = ~np.isnan(numbers)
    shares = there * (np.ones(len(numbers)) if weight is None else weight)[:, None]
    total = np.maximum(shares.sum(0), np.finfo(shares.dtype).tiny)
    mean = (np.where(there, numbers, 0.0) * shares).sum(0, dtype="float64") / total
    spread = (np.where(there, numbers - mean, 0.0) ** 2 * shares).sum(0, dtype="float64") / total
    deviation = np.sqrt(spread)
    flat = deviation <= 10 * np.finfo(numbers.dtype).eps * np.abs(mean)
    return mean, np.where(flat, 1.0, deviation)


@dataclass(frozen=True)
class Reading:
    """How a model reads a table.

    Args:
        mean: The mean of each column of numbers.
        deviation: The standard deviation of each.
        flagged: The positions of the columns of numbers that had missing values.
        sizes: The number of codes of each column of categories.
    """

    mean: Array
    deviation: Array
    flagged: list[int]
    sizes: list[int]

    @classmethod
    def of(cls, inputs: Mapping[str, Array], sizes: list[int], weight: Array | None) -> Reading:
        """How a model reads tables like these inputs."""
        numbers = inputs.get(NUMBERS, np.zeros((1, 0)))
        mean, deviation = statistics(numbers, weight if NUMBERS in inputs else None)
        return cls(mean, deviation, np.flatnonzero(np.isnan(numbers).any(0)).tolist(), sizes)


class Builder:
    """Makes the layers of a model, with seeds that follow from one.

    Args:
        seed: The seed.
        l2: The factor of the squares of kernels in the loss.
    """

    def __init__(self, seed: int, l2: float = 0.0) -> None:
        self.l2 = l2
        self._seeds = np.random.default_rng(seed)

    def seed(self) -> int:
        """Another seed."""
        return int(self._seeds.integers(2**31))

    def inputs(self, reading: Reading) -> dict[str, Any]:
        """The inputs for a table: of numbers, of codes, or both."""
        found = {}
        if len(reading.mean):
            found[NUMBERS] = layers.Input((len(reading.mean),), name=NUMBERS)
        if reading.sizes:
            found[CODES] = layers.Input((len(reading.sizes),), dtype="int32", name=CODES)
        return found

    def dense(self, units: int, activation: Any = None, name: str | None = None, zeros: bool = False) -> Any:
        """A dense layer."""
        kernel = "zeros" if zeros else initializers.GlorotUniform(seed=self.seed())
        penalty = regularizers.L2(self.l2) if self.l2 else None
        return layers.Dense(
            units,
            activation,
            kernel_initializer=kernel,
            kernel_regularizer=penalty,
            name=name,
        )

    def convolution(self, filters: int, kernel_size: int, name: str) -> Any:
        """A convolution that keeps the size of images."""
        return layers.Conv2D(
            filters,
            kernel_size,
            padding="same",
            kernel_initializer=initializers.GlorotUniform(seed=self.seed()),
            kernel_regularizer=regularizers.L2(self.l2) if self.l2 else None,
            name=name,
        )

    def embedding(self, sizes: Sequence[int], units: int, name: str, zeros: bool = False) -> Any:
        """Vectors for the codes of all columns of categories."""
        start = "zeros" if zeros else initializers.RandomUniform(seed=self.seed())
        penalty = regularizers.L2(self.l2) if self.l2 else None
        return layers.Embedding(
            sum(sizes), units, embeddings_initializer=start, embeddings_regularizer=penalty, name=name
        )

    def features(self, reading: Reading, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs, with standardized numbers."""
        if NUMBERS not in inputs:
            return dict(inputs)
        layer = Standardize(reading.mean.tolist(), reading.deviation.tolist(), reading.flagged, name="standardize")
        return {**inputs, NUMBERS: layer(inputs[NUMBERS])}

    def linear(self, reading: Reading, features: Mapping[str, Any], outputs: int) -> Any:
        """A linear function of the numbers, plus a weight for each category."""
        if CODES not in features:
            return self.dense(outputs, name="linear", zeros=True)(features[NUMBERS])
        weights = ops.sum(self.embedding(reading.sizes, outputs, "linear_codes", zeros=True)(features[CODES]), axis=1)
        if NUMBERS not in features:
            return Bias(name="linear_bias")(weights)
        numbers = self.dense(outputs, name="linear", zeros=True)(features[NUMBERS])
        return layers.Add(name="linear_sum")([numbers, weights])

    def deep(
        self,
        reading: Reading,
        features: Mapping[str, Any],
        outputs: int,
        hidden_units: Sequence[int],
        activation: Any,
        dropout: float,
        batch_norm: bool,
    ) -> Any:
        """A multilayer perceptron of the numbers and of vectors for the categories."""
        parts = [features[NUMBERS]] if NUMBERS in features else []
        if CODES in features:
            # As many numbers for a category as the number of categories asks for, at most 16.
            units = min(16, max(2, round(1.6 * max(reading.sizes) ** 0.56)))
            vectors = self.embedding(reading.sizes, units, "embedding")(features[CODES])
            parts.append(layers.Flatten(name="vectors")(vectors))
        x = parts[0] if len(parts) == 1 else layers.Concatenate(name="features")(parts)
        for number, size in enumerate(hidden_units):
            x = self.hidden(x, self.dense(size, name=f"hidden_{number}"), activation, dropout, batch_norm)
        return self.dense(outputs, name="logits")(x)

    def hidden(self, x: Any, layer: Any, activation: Any, dropout: float, batch_norm: bool) -> Any:
        """A layer, with normalization, activation and dropout after it."""
        x = layer(x)
        if batch_norm:
            x = layers.BatchNormalization(name=f"{layer.name}_norm")(x)
        x = layers.Activation(activation, name=f"{layer.name}_activation")(x)
        if dropout:
            x = layers.Dropout(dropout, seed=self.seed(), name=f"{layer.name}_dropout")(x)
        return x


@exported("graphc.estimators")
class Bias(layers.Layer):
    """A number that is added to each column."""

    def build(self, input_shape: Any = None) -> None:
        """Makes the weight."""
        self.bias = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        """The sums."""
        return inputs + self.bias


def with_head(inputs: Any, outputs: Any, head: Callable[[Any], Any]) -> tuple[Model, Model]:
    """The model that is trained, and the one that gives predictions: it has a further layer."""
    return Model(inputs, outputs, name="network"), Model(inputs, head(outputs), name="estimator")
