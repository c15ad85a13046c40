"""What all estimators have in common: scikit-learn's interface, and the methods of TensorFlow's estimators."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import config, optimizers
from graphc.errors import ArgumentError, DataError, DataWarning
from graphc.estimators.networks import Builder, Reading, with_head
from graphc.estimators.tables import Columns, column_names, is_table
from graphc.tracing import Array, describe, user_line
from graphc.utils import scikit_learn as skl
from graphc.utils.arguments import argument_error

# The batch of `batch_size="auto"`, if there are as many rows.
_BATCH = 200


@dataclass(kw_only=True, eq=False, repr=False)
class Estimator(skl.BaseEstimator):  # type: ignore[misc]
    """The base class of estimators: a model that is made for the data that it is fitted to.

    Data of float32 is computed in float32, other data in float64, as in scikit-learn.

    Args:
        optimizer: Name of an optimizer, or an optimizer.
        learning_rate: The learning rate of an optimizer that is given by name. None: the estimator's.
        epochs: The number of passes over the data in `fit`.
        batch_size: The number of rows in a step. `"auto"`: 200, or all if there are fewer.
        random_state: Seed of initial weights, order of rows and dropout; a generator of NumPy, or None.
        verbose: As of the `fit` of models.

    Attributes:
        model_: The model that computes predictions from a table's numbers and codes.
        network_: The model that is trained: without the last step of `model_`.
        history_: What the last training returned.
        global_step_: The number of steps trained.
        n_features_in_: The number of columns of the table.
    """

    optimizer: Any = "adam"
    learning_rate: float | None = None
    epochs: int = 100
    batch_size: Any = "auto"
    random_state: Any = None
    verbose: Any = 0

    # The learning rate of an optimizer that is given by name.
    _rate = 0.001

    def __post_init__(self) -> None:
        skl.require(type(self).__name__)

    # ---- what subclasses say

    def _outputs(self, build: Builder, reading: Any, features: dict[str, Any], outputs: int) -> Any:
        """The symbolic outputs of the network for features, standardized."""
        raise NotImplementedError

    def _learn_targets(self, y: Array, weight: Array | None) -> None:
        raise NotImplementedError

    def _encoded(self, y: Array) -> Array:
        """The targets as the network takes them."""
        raise NotImplementedError

    def _head(self) -> tuple[int, Any, Callable[[Any], Any]]:
        """The number of outputs of the network, its loss, and what turns its outputs into predictions."""
        raise NotImplementedError

    def _evaluated(self, outputs: Array, y: Array, weight: Array | None) -> dict[str, float]:
        raise NotImplementedError

    # ---- data

    def _learn_inputs(self, X: Any, weight: Array | None) -> tuple[Any, dict[str, Array]]:
        """How the model reads data like this, and what it reads of it."""
        self.columns_ = Columns(X, self._chosen())
        inputs = self.columns_.read(X, self._dtype)
        return Reading.of(inputs, self.columns_.sizes, weight), inputs

    def _read(self, X: Any) -> dict[str, Array]:
        return self.columns_.read(X, self._dtype)

    def _chosen(self) -> Any:
        return getattr(self, "feature_columns", None)

    def _checked(self, X: Any, y: Any, reset: bool, with_targets: bool = True) -> tuple[Any, Any]:
        """Data and targets, checked by scikit-learn; tables stay what they are."""
        if with_targets and y is None:
            raise DataError("requires y to be passed, but the target y is None", where=describe(user_line()))
        if is_table(X):
            self._check_names(X, reset)
            if with_targets:
                skl.check_consistent_length(X if not isinstance(X, Mapping) else next(iter(X.values())), y)
            return X, self._checked_targets(y) if with_targets else None
        options = {"dtype": None, "ensure_all_finite": "allow-nan", **self._array_options()}
        X = skl.validate_data(self, X, reset=reset, **options)
        if X.dtype.kind == "O":
            _require_scalars(X)
        if X.dtype.kind in "US":
            X = X.astype(object)
        if X.dtype.kind not in "biufO":
            X = skl.check_array(X, **{**options, "dtype": "numeric"})
        if with_targets:
            skl.check_consistent_length(X, y)
        return X, self._checked_targets(y) if with_targets else None

    def _array_options(self) -> dict[str, Any]:
        return {}

    def _check_names(self, X: Any, reset: bool) -> None:
        if hasattr(X, "iloc") or hasattr(X, "__dataframe__"):
            skl.validate_data(self, X, reset=reset, skip_check_array=True)
            return
        names = column_names(X)
        if reset:
            self.n_features_in_, self.feature_names_in_ = len(names), np.array(names, object)
        elif names != list(getattr(self, "feature_names_in_", names)):
            raise DataError(
                "the table has other columns than that of the training",
                where=describe(user_line()),
                got=", ".join(map(str, names)),
                expected=", ".join(map(str, self.feature_names_in_)),
            )

    def _checked_targets(self, y: Any) -> Array:
        raise NotImplementedError

    def _weights(self, sample_weight: Any, rows: int) -> Array | None:
        """Weights with a mean of 1."""
        if sample_weight is None:
            return None
        weight: Array = skl._check_sample_weight(
            sample_weight, np.empty((rows, 1)), dtype="float64", ensure_non_negative=True
        )
        scaled: Array = weight * (rows / weight.sum())
        return scaled

    # ---- training

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Makes a model for the data, and trains it.

        Args:
            X: Table of shape (rows, columns): an array, a data frame of pandas or polars, or a dictionary of columns.
                Numbers may be missing; strings and pandas's categories are categories.
            y: The targets.
            sample_weight: A weight for each row. None: equal weights.

        Returns:
            The estimator itself.

        Raises:
            DataError: if the data cannot be used.
        """
        self._make(X, y, sample_weight, self.epochs, None)
        return self

    def _make(self, X: Any, y: Any, sample_weight: Any, epochs: int, steps: int | None) -> None:
        X, y = self._checked(X, y, reset=True)
        weight = self._weights(sample_weight, len(y))
        floats = {str(column) for column in _dtypes(X)}
        self._dtype = "float32" if floats and floats <= {"float32", "float16"} else "float64"
        seed = int(skl.check_random_state(self.random_state).randint(2**31 - 1))
        self._learn_targets(y, weight)
        reading, inputs = self._learn_inputs(X, weight)
        build = Builder(seed, getattr(self, "l2", 0.0))
        with self._computing():
            outputs, loss, head = self._head()
            symbolic = self._inputs(build, reading)
            logits = self._outputs(build, reading, self._features(build, reading, symbolic), outputs)
            self.network_, self.model_ = with_head(symbolic, logits, head)
            self.network_.compile(self._optimizer(), loss)
        self.global_step_, self._order_seed = 0, build.seed()
        self._train(inputs, y, weight, epochs, steps)

    def _computing(self) -> Any:
        """A context in which models are made, trained and used in the dtype of the data."""
        return config.override(floatx=self._dtype, dtype_policy=None)

    def _inputs(self, build: Builder, reading: Any) -> dict[str, Any]:
        return build.inputs(reading)

    def _features(self, build: Builder, reading: Any, inputs: dict[str, Any]) -> dict[str, Any]:
        return build.features(reading, inputs)

    def _optimizer(self) -> Any:
        return optimizer_of(self.optimizer, self.learning_rate, self._rate)

    def _train(self, inputs: dict[str, Array], y: Array, weight: Array | None, epochs: int, steps: int | None) -> None:
        rows = len(y)
        batch = min(rows, _BATCH) if self.batch_size == "auto" else min(rows, int(self.batch_size))
        each = math.ceil(rows / batch)
        whole, rest = (epochs, 0) if steps is None else divmod(steps, each)
        data = {**inputs, "y": self._encoded(y), "weight": weight}
        with self._computing(), _numpy_seed(self._order_seed + self.global_step_), warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # the network takes NaN as what is missing
            order = np.random.permutation(rows)[: rest * batch]
            for count, chosen in ((whole, slice(None)), (int(rest > 0), order)):
                part = {name: a if a is None else a[chosen] for name, a in data.items()}
                targets, weights = part.pop("y"), part.pop("weight")
                if count:
                    self.history_ = self.network_.fit(part, targets, batch, count, self.verbose, sample_weight=weights)
        self.global_step_ += whole * each + rest

    def train(
        self, X: Any, y: Any = None, sample_weight: Any = None, steps: int | None = None, epochs: int | None = None
    ) -> Any:
        """Trains on, or as `fit` does if the estimator has no model yet.

        Args:
            X: The data; or a function without arguments that returns a pair of data and targets, or batches of them.
            y: The targets.
            sample_weight: A weight for each row. None: equal weights.
            steps: The number of steps.
            epochs: The number of passes over the data, in place of `steps`. None: as in `fit`.

        Returns:
            The estimator itself.
        """
        X, y = data_of_function(X, y, steps)
        epochs = self.epochs if epochs is None else epochs
        if not hasattr(self, "model_"):
            self._make(X, y, sample_weight, epochs, steps)
            return self
        X, y = self._checked(X, y, reset=False)
        self._train(self._read(X), y, self._weights(sample_weight, len(y)), epochs, steps)
        return self

    # ---- use

    def _predicted(self, X: Any) -> Array:
        skl.check_is_fitted(self, "model_")
        X, _ = self._checked(X, None, reset=False, with_targets=False)
        with self._computing():
            outputs: Array = self.model_.predict(self._read(X), batch_size=1024, verbose=0)
        return outputs

    def evaluate(self, X: Any, y: Any = None, sample_weight: Any = None, steps: int | None = None) -> dict[str, float]:
        """What the model achieves on data.

        Args:
            X: The data; or a function without arguments that returns a pair of data and targets, or batches of them.
            y: The targets.
            sample_weight: A weight for each row. None: equal weights.
            steps: The number of batches that are taken from a function.

        Returns:
            Figures by name, among them `loss` and `global_step`.
        """
        X, y = data_of_function(X, y, steps)
        outputs = self._predicted(X)
        y = self._checked_targets(y)
        found = self._evaluated(outputs, y, self._weights(sample_weight, len(y)))
        return {**found, "global_step": self.global_step_}

    def export(self, path: Any, format: str = "keras", **options: Any) -> None:
        """Writes the model to a file.

        Args:
            path: Path of the file. The inputs of the model are what `encode` gives: the table's numbers (`numbers`) and
                the codes of its categories (`codes`).
            format: `"keras"`: a file that `graphc.models.load_model` reads; or a format of `Model.export`.
            **options: Arguments of `Model.export` for the format.
        """
        skl.check_is_fitted(self, "model_")
        if format == "keras":
            self.model_.save(path, **options)
        else:
            with self._computing():
                self.model_.export(path, format, verbose=False, **options)

    def encode(self, X: Any) -> dict[str, Array]:
        """What the model takes for a table: its numbers, and the codes of its categories."""
        skl.check_is_fitted(self, "model_")
        return self._read(self._checked(X, None, reset=False, with_targets=False)[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags


def _require_scalars(X: Array) -> None:
    for value in X.ravel():
        if isinstance(value, Mapping | list | tuple | set):
            # The words are those that scikit-learn's checks of estimators look for.
            raise TypeError(f"argument must be a string or a number, not {type(value).__name__!r}")


def _dtypes(X: Any) -> list[Any]:
    if not is_table(X):
        return [X.dtype]
    columns = list(X.values()) if isinstance(X, Mapping) else [X[name] for name in X.columns]
    return [a.dtype for a in columns if getattr(getattr(a, "dtype", None), "kind", "f") == "f" and hasattr(a, "dtype")]


def optimizer_of(given: Any, rate: float | None, default: float) -> Any:
    """A new optimizer: of a name, or like the one that is given, which stays as it is."""
    if isinstance(given, str):
        made = optimizers.get(given)
        made.learning_rate = default if rate is None else rate
        return made
    if not isinstance(given, optimizers.Optimizer):
        raise argument_error("optimizer", given, "the name of an optimizer, or an optimizer")
    return copy.deepcopy(given)


@contextmanager
def _numpy_seed(seed: int) -> Iterator[None]:
    """A context in which NumPy's global generator, which shuffles rows, begins with a seed."""
    before = np.random.get_state()
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        np.random.set_state(before)


def data_of_function(X: Any, y: Any, steps: int | None) -> tuple[Any, Any]:
    """Data and targets; those that a function returns, put together if they are batches."""
    if not callable(X) or hasattr(X, "shape"):
        return X, y
    given = X()
    if isinstance(given, tuple) and len(given) == 2:
        return given
    if is_table(given) or hasattr(given, "shape"):
        return given, y
    if not hasattr(given, "__iter__"):
        raise ArgumentError(
            "a function of data returns a pair of data and targets, or batches of them",
            where=describe(user_line()),
            got=repr(given)[:80],
        )
    batches = [batch for batch, _ in zip(given, range(steps or 10**9), strict=False)]
    if not batches:
        raise DataError("the function returned no batches", where=describe(user_line()))
    features, targets = zip(*batches, strict=True)
    return _joined(features), np.concatenate([np.asarray(part) for part in targets])


def _joined(parts: tuple[Any, ...]) -> Any:
    if isinstance(parts[0], Mapping):
        return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}
    return np.concatenate([np.asarray(part) for part in parts])
