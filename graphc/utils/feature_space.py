"""Tables whose columns are features of several kinds, encoded as one vector: `FeatureSpace`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from graphc import ops, tree
from graphc.errors import ArgumentError, DataError, DTypeError, StateError
from graphc.layers.core import Identity, Input
from graphc.layers.dataset_graphs import add_node, is_in_dataset_graph
from graphc.layers.layer import Layer
from graphc.layers.merging import Concatenate
from graphc.layers.reshaping import Rescaling
from graphc.preprocessing_layers.categories import CategoryEncoding, Discretization
from graphc.preprocessing_layers.hashing import HashedCrossing, Hashing
from graphc.preprocessing_layers.normalization import Normalization
from graphc.preprocessing_layers.text import TextVectorization
from graphc.preprocessing_layers.vocabulary import IntegerLookup, StringLookup
from graphc.registration import Configurable, deserialize_keras_object, exported, serialize_keras_object
from graphc.saving.model_files import save_model
from graphc.tracing import KerasTensor, Tensor, auto_name, describe, user_line
from graphc.tracing.host import HostTensor

_MODULE = "keras.src.layers.preprocessing.feature_space"
# The number of rows in a batch of a data set that has rows one by one.
_ROWS = 32


def _checked_mode(mode: str, known: tuple[str, ...]) -> str:
    if mode not in known:
        raise ArgumentError(
            "there is no such output_mode",
            where=describe(user_line()),
            got=repr(mode),
            expected=", ".join(map(repr, known)),
        )
    return mode


@exported(_MODULE)
class Cross(Configurable):
    """A cross of features: the combinations of their values, in buckets.

    Args:
        feature_names: The names of the features.
        crossing_dim: The number of buckets.
        output_mode: `"one_hot"` or `"int"`.
    """

    def __init__(self, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot") -> None:
        self.feature_names = tuple(feature_names)
        self.crossing_dim, self.output_mode = crossing_dim, _checked_mode(output_mode, ("int", "one_hot"))

    @property
    def name(self) -> str:
        """The names of the features, put together."""
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal cross."""
        names = ("feature_names", "crossing_dim", "output_mode")
        return {name: getattr(self, name) for name in names}


@exported(_MODULE)
class Feature(Configurable):
    """A column of a table, and how it is encoded.

    Args:
        dtype: The dtype of its values.
        preprocessor: The layer that maps values to numbers.
        output_mode: `"one_hot"`, `"int"` or `"float"`.
    """

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str) -> None:
        self.dtype, self.output_mode = dtype, _checked_mode(output_mode, ("int", "one_hot", "float"))
        self.preprocessor = deserialize_keras_object(preprocessor) if isinstance(preprocessor, dict) else preprocessor

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal feature."""
        preprocessor = serialize_keras_object(self.preprocessor)
        return {"dtype": self.dtype, "preprocessor": preprocessor, "output_mode": self.output_mode}


@exported("keras.utils")
class FeatureSpace(Layer):
    """The columns of a table, each encoded as its kind says, as one vector or a dictionary of encodings.

    Args:
        features: The kind of each feature by its name: `"float"`, `"float_normalized"`, `"float_rescaled"`,
            `"float_discretized"`, `"integer_categorical"`, `"string_categorical"`, `"integer_hashed"`,
            `"string_hashed"`, or what the method of this name returns, with other options.
        output_mode: `"concat"`: one vector of all encodings, or `"dict"`: a dictionary of them.
        crosses: Tuples of names of features whose combinations are features, too; or what `cross` returns.
        crossing_dim: The number of buckets of a cross.
        hashing_dim: The number of buckets of hashed features.
        num_discretization_bins: The number of bins of discretized features.
        name: Its name.

    Raises:
        ArgumentError: if a kind is unknown, or a cross names no feature.

    Example:

    >>> table = {"age": np.array([20.0, 40.0]), "job": np.array(["a", "b"])}
    >>> space = FeatureSpace({"age": "float_rescaled", "job": "string_categorical"})
    >>> space.adapt(table)
    >>> space(table).numpy().tolist()
    [[20.0, 0.0, 0.0, 1.0], [40.0, 0.0, 1.0, 0.0]]
    """

    _kinds_of_features: ClassVar[Mapping[str, str | None]] = MappingProxyType(
        {
            **dict.fromkeys(("float", "float_normalized", "float_rescaled"), None),
            **dict.fromkeys(("integer_categorical", "string_categorical"), None),
            "float_discretized": "num_discretization_bins",
            **dict.fromkeys(("integer_hashed", "string_hashed"), "hashing_dim"),
        }
    )

    def __init__(
        self,
        features: Any,
        output_mode: str = "concat",
        crosses: Any = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if not features:
            raise ArgumentError("a FeatureSpace has features", where=describe(self._origin), got=repr(features))
        self.crossing_dim, self.hashing_dim = crossing_dim, hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.output_mode = _checked_mode(output_mode, ("dict", "concat"))
        self.features = {name: self._feature(name, kind) for name, kind in features.items()}
        self.crosses = [self._cross(cross) for cross in crosses or ()]
        self.inputs = {name: Input((1,), dtype=kind.dtype, name=name) for name, kind in self.features.items()}
        self.preprocessors = {name: feature.preprocessor for name, feature in self.features.items()}
        self.crossers = {c.name: HashedCrossing(c.crossing_dim, name=c.name) for c in self.crosses}
        self.one_hot_encoders: dict[str, Any] = {}
        self.encoded_features: Any = None
        self._is_adapted = self._has_encoders = self.built = False

    def _feature(self, name: str, kind: Any) -> Feature:
        if isinstance(kind, Feature):
            return kind
        if isinstance(kind, dict):
            found: Feature = deserialize_keras_object(kind)
            return found
        if kind not in self._kinds_of_features:
            raise ArgumentError(
                f"there is no such kind of feature, for {name!r}",
                where=describe(self._origin),
                got=repr(kind),
                expected=", ".join(map(repr, self._kinds_of_features)),
            )
        size = self._kinds_of_features[kind]
        make = getattr(type(self), kind)
        made: Feature = make(name=name) if size is None else make(getattr(self, size), name=name)
        return made

    def _cross(self, cross: Any) -> Cross:
        cross = deserialize_keras_object(cross) if isinstance(cross, dict) else cross
        made = cross if isinstance(cross, Cross) else Cross(cross, self.crossing_dim)
        unknown = [name for name in made.feature_names if name not in self.features]
        if unknown:
            raise ArgumentError(
                "a cross names no feature",
                where=describe(self._origin),
                got=repr(unknown[0]),
                expected=", ".join(map(repr, self.features)),
            )
        return made

    # ---- kinds of features

    @classmethod
    def cross(cls, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """A cross of features with a number of buckets of its own."""
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """A feature that a layer of the caller encodes."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Numbers as they are."""
        return Feature("float32", Identity(dtype="float32", name=_named(name, "float")), "float")

    @classmethod
    def float_rescaled(cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None) -> Feature:
        """Numbers times a scale, plus an offset: see `Rescaling`."""
        return Feature("float32", Rescaling(scale, offset, name=_named(name, "float_rescaled")), "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Numbers minus their mean, divided by their deviation: see `Normalization`."""
        return Feature("float32", Normalization(axis=-1, name=_named(name, "float_normalized")), "float")

    @classmethod
    def float_discretized(
        cls, num_bins: Any, bin_boundaries: Any = None, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Numbers as the bins that they are in: see `Discretization`."""
        layer = Discretization(
            num_bins=num_bins if bin_boundaries is None else None,
            bin_boundaries=bin_boundaries,
            name=_named(name, "float_discretized"),
        )
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls, max_tokens: Any = None, num_oov_indices: int = 1, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Integers as their indices in a vocabulary: see `IntegerLookup`."""
        known = _named(name, "integer_categorical")
        layer = IntegerLookup(name=known, max_tokens=max_tokens, num_oov_indices=num_oov_indices)
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(
        cls, max_tokens: Any = None, num_oov_indices: int = 1, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Strings as their indices in a vocabulary: see `StringLookup`."""
        known = _named(name, "string_categorical")
        layer = StringLookup(name=known, max_tokens=max_tokens, num_oov_indices=num_oov_indices)
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Strings in buckets: see `Hashing`."""
        return Feature("string", Hashing(num_bins, name=_named(name, "string_hashed")), output_mode)

    @classmethod
    def integer_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Integers in buckets: see `Hashing`."""
        return Feature("int32", Hashing(num_bins, name=_named(name, "integer_hashed")), output_mode)

    # ---- adapting

    def _adaptable(self) -> list[str]:
        """The features whose layers measure the data."""

        def is_given(layer: Any) -> bool:
            if isinstance(layer, Normalization):
                return layer.input_mean is not None
            if isinstance(layer, Discretization):
                return layer.num_bins is None
            lookup = layer._lookup_layer if isinstance(layer, TextVectorization) else layer
            return isinstance(lookup, StringLookup | IntegerLookup) and lookup._is_given

        return [name for name, x in self.preprocessors.items() if hasattr(x, "adapt") and not is_given(x)]

    def adapt(self, dataset: Any) -> None:
        """Measures what the layers of features need of a table: vocabularies, means, bins.

        Args:
            dataset: A dictionary of columns, or an iterable of dictionaries: rows, or batches of them.

        Raises:
            DataError: if it is neither, or lacks a column.
        """
        if not isinstance(dataset, Mapping) and not hasattr(dataset, "__iter__"):
            raise DataError(
                "`adapt` takes a dictionary of columns, or an iterable of dictionaries",
                layer=self.name,
                where=describe(user_line()),
                got=type(dataset).__name__,
            )
        for name in self._adaptable():
            self.preprocessors[name].adapt(_Column(dataset, name))
        self._is_adapted = True
        self._build_encoders()

    def _require_adapted(self) -> None:
        if self._is_adapted or not self._adaptable():
            self._build_encoders()
            return
        where = describe(user_line())
        raise StateError("a FeatureSpace is used before `adapt`", layer=self.name, where=where, hint="call adapt(data)")

    # ---- encoding

    def get_inputs(self) -> dict[str, Any]:
        """The symbolic inputs of a model, by the names of the features."""
        self._require_adapted()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """The symbolic encodings of these inputs: a tensor, or a dictionary of tensors."""
        self._require_adapted()
        if self.encoded_features is None:
            self.encoded_features = self._encoded(self.inputs)
        return self.encoded_features

    def _build_encoders(self) -> None:
        """Creates what encodes indices, once it is known how many there are."""
        if self._has_encoders:
            return
        self._is_adapted = self._has_encoders = self.built = True
        specs: dict[str, Feature | Cross] = {**self.features, **{cross.name: cross for cross in self.crosses}}
        for name, spec in specs.items():
            if spec.output_mode == "one_hot":
                layer = self.preprocessors[name] if name in self.preprocessors else self.crossers[name]
                size = _number_of_indices(name, layer)
                self.one_hot_encoders[name] = CategoryEncoding(num_tokens=size, output_mode="multi_hot")
        self.concat = Concatenate(axis=-1)

    def __call__(self, data: Any) -> Any:
        """The encodings of a table.

        Args:
            data: Dictionary of columns, `[batch]` or `[batch, 1]`, or of the values of one row.

        Returns:
            A tensor, or with `output_mode="dict"` a dictionary of tensors.

        Raises:
            ArgumentError: if it is no dictionary, or lacks a feature.
        """
        self._require_adapted()
        if is_in_dataset_graph((data,), {}):
            return add_node(self, (data,), {})
        missing = [name for name in self.features if not isinstance(data, Mapping) or name not in data]
        if missing:
            raise ArgumentError(
                "a FeatureSpace takes a dictionary with all of its features",
                layer=self.name,
                where=describe(user_line()),
                got=", ".join(map(repr, data)) if isinstance(data, Mapping) else type(data).__name__,
                expected=", ".join(map(repr, self.features)),
            )
        columns = {name: _column(data[name]) for name in self.features}
        is_row = any(len(column.shape) == 0 for column in columns.values())
        table = {name: _table(column) for name, column in columns.items()}
        found = self._encoded(table)
        return tree.map_structure(lambda x: ops.squeeze(x, 0), found) if is_row else found

    def _encoded(self, table: Mapping[str, Any]) -> Any:
        found = {name: self.preprocessors[name](x) for name, x in table.items()}
        crossed = {c.name: self.crossers[c.name]([found[n] for n in c.feature_names]) for c in self.crosses}
        encoded = {
            name: self.one_hot_encoders[name](part) if name in self.one_hot_encoders else part
            for part_of in (found, crossed)
            for name, part in sorted(part_of.items())
        }
        if self.output_mode == "dict":
            return encoded
        for name, part in encoded.items():
            if not str(part.dtype).startswith(("float", "bfloat")):
                raise DTypeError(
                    f"the feature {name!r} is not encoded, and cannot be part of a vector",
                    layer=self.name,
                    got=f"dtype {part.dtype}",
                    hint='use output_mode="dict", or encode it with output_mode="one_hot"',
                )
        parts = list(encoded.values())
        return self.concat(parts) if len(parts) > 1 else parts[0]

    def compute_output_spec(self, data: Any) -> Any:
        """The symbolic encodings of symbolic columns."""
        rows = {len(data[name].shape) for name in self.features}
        shape = () if 0 in rows else (None,)
        return tree.map_structure(lambda x: KerasTensor((*shape, *x.shape[1:]), x.dtype), self.get_encoded_features())

    # ---- files

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {
            "features": serialize_keras_object(self.features),
            "output_mode": self.output_mode,
            "crosses": serialize_keras_object(self.crosses),
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    def get_build_config(self) -> dict[str, Any] | None:
        """What `build_from_config` needs of each feature's layer; None before `adapt`."""
        if not self._is_adapted:
            return None
        return {name: layer.get_build_config() for name, layer in self.preprocessors.items()}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds the layers of features with what `get_build_config` returned; they were adapted then."""
        for name, part in config.items():
            if part is not None and not self.preprocessors[name].built:
                self.preprocessors[name].build_from_config(part)
        self._build_encoders()

    def save(self, filepath: Any) -> None:
        """Writes it to a `.keras` file, which `graphc.models.load_model` reads."""
        save_model(self, filepath)


def _named(name: str | None, kind: str) -> str:
    return f"{name or auto_name(kind)}_preprocessor"


def _number_of_indices(name: str, layer: Any) -> int:
    if isinstance(layer, IntegerLookup | StringLookup):
        return layer.vocabulary_size()
    if isinstance(layer, CategoryEncoding):
        return int(layer.num_tokens or 0)
    if isinstance(layer, Discretization):
        return layer.num_bins if layer.num_bins is not None else len(layer.bin_boundaries) + 1
    if isinstance(layer, HashedCrossing | Hashing):
        return layer.num_bins
    raise ArgumentError(
        f"it is not known how many indices the feature {name!r} has",
        got=type(layer).__name__,
        hint="use output_mode='int', or a layer of graphc that computes indices",
    )


class _Column:
    """The batches of one column of a table, `[batch, 1]`; it can be iterated again.

    Args:
        table: Dictionary of columns, or an iterable of dictionaries: rows, or batches.
        name: The name of the column.
    """

    def __init__(self, table: Any, name: str) -> None:
        self._table, self._name = table, name

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self._table, Mapping):
            whole = _table(_column(self._of(self._table)))
            yield from (whole[i : i + _ROWS] for i in range(0, len(whole), _ROWS))
            return
        rows: list[Any] = []
        for part in self._table:
            column = _column(self._of(part[0] if isinstance(part, tuple) else part))
            if column.ndim:
                yield _table(column)
                continue
            rows.append(column)
            if len(rows) == _ROWS:
                yield np.stack(rows)[:, None]
                rows = []
        if rows:
            yield np.stack(rows)[:, None]

    def _of(self, table: Any) -> Any:
        if not isinstance(table, Mapping) or self._name not in table:
            raise DataError(
                "the data have no such column",
                where=describe(user_line()),
                got=", ".join(map(repr, table)) if isinstance(table, Mapping) else type(table).__name__,
                expected=repr(self._name),
            )
        return table[self._name]


def _column(values: Any) -> Any:
    """A column as an array; tensors of models and functions stay as they are."""
    traced = isinstance(values, KerasTensor | HostTensor) or (isinstance(values, Tensor) and values.traced is not None)
    if traced:
        return values
    return values.numpy() if isinstance(values, Tensor) else np.asarray(values)


def _table(column: Any) -> Any:
    """A column `[batch, 1]` of one `[batch]`; of a single value, one of a batch of 1."""
    if isinstance(column, np.ndarray):
        return column.reshape(1, 1) if column.ndim == 0 else column[:, None] if column.ndim == 1 else column
    if len(column.shape) != 1:
        return column
    return column.reshaped((1,)) if isinstance(column, HostTensor) else ops.expand_dims(column, -1)
