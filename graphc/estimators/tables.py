"""Tables of numbers and categories, read into arrays of numbers and of codes.

A table is an array, a data frame (pandas, polars), or a dictionary of columns. Numbers may be missing, as NaN or the
missing value of the frame. Categories are strings, or any values of a column of objects or of pandas's categories; the
code 0 stands for values that the first table did not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DataError
from graphc.registration import choices
from graphc.tracing import Array, describe, user_line

NUMBERS, CODES = "numbers", "codes"
_MISSING = "the missing value"


def is_table(X: Any) -> bool:
    """Whether data has named columns: a data frame or a dictionary."""
    if isinstance(X, Mapping):
        return not hasattr(X, "shape")  # SciPy has a sparse array that is a dictionary
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def column_names(X: Any) -> list[Any]:
    """The names of the columns of a table; of an array, their positions."""
    if is_table(X):
        return list(X) if isinstance(X, Mapping) else list(X.columns)
    return list(range(X.shape[1]))


class Columns:
    """The columns of a first table that are used: which hold numbers, and which categories, with their values.

    Args:
        X: The table; an array of two axes, numeric or of objects.
        chosen: The names or positions of the columns that are used. None: all.

    Attributes:
        numbers: The columns of numbers.
        categories: The codes of the values, by column of categories.

    Raises:
        ArgumentError: if a chosen column is not there.
        DataError: if a column holds neither numbers nor categories.
    """

    def __init__(self, X: Any, chosen: Sequence[Any] | None = None) -> None:
        names = column_names(X)
        for name in chosen if chosen is not None else ():
            if name not in names:
                raise ArgumentError(
                    "feature_columns names a column that the table has not",
                    where=describe(user_line()),
                    got=repr(name),
                    expected=", ".join(map(repr, names)),
                    hint=choices(str(name), list(map(str, names))),
                )
        self.numbers: list[Any] = []
        self.categories: dict[Any, dict[Any, int]] = {}
        for name in names if chosen is None else chosen:
            column = _column(X, name)
            if column.dtype.kind == "O":
                self.categories[name] = _codes(column)
            else:
                self.numbers.append(name)

    @property
    def sizes(self) -> list[int]:
        """The number of codes of each column of categories."""
        return [len(codes) + 1 for codes in self.categories.values()]

    def read(self, X: Any, dtype: str) -> dict[str, Array]:
        """The numbers of a table, NaN where they are missing, and the codes of its categories.

        Args:
            X: The table.
            dtype: The dtype of the numbers.

        Raises:
            DataError: if a column of numbers holds something else.
        """
        found: dict[str, Array] = {}
        if self.numbers:
            if isinstance(X, np.ndarray) and X.dtype.kind != "O" and self.numbers == list(range(X.shape[1])):
                found[NUMBERS] = X.astype(dtype)
            else:
                found[NUMBERS] = np.stack([_number(X, name).astype(dtype) for name in self.numbers], axis=1)
        if self.categories:
            # One vector of codes for all columns: those of a column follow those of the columns before.
            starts = np.cumsum([0, *self.sizes[:-1]])
            columns = [
                start + np.array([codes.get(_key(value), 0) for value in _objects(X, name)], "int32")
                for start, (name, codes) in zip(starts, self.categories.items(), strict=True)
            ]
            found[CODES] = np.stack(columns, axis=1).astype("int32")
        return found


def _column(X: Any, name: Any) -> Array:
    """A column: of a dtype of floats if it holds numbers, else of objects."""
    values = X[name] if is_table(X) else X[:, name]
    dtype: Any = getattr(values, "dtype", None)
    if hasattr(dtype, "is_numeric"):  # a series of polars
        plain = dtype.is_numeric() or str(dtype) == "Boolean"
        array = values.to_numpy() if plain else np.array(values.to_list(), object)
    elif hasattr(values, "to_numpy") and getattr(dtype, "kind", "O") in "biuf":
        array = values.to_numpy(dtype="float64", na_value=np.nan)
    else:
        array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array if array.dtype.kind == "f" else array.astype("float64")
    if array.dtype.kind not in "OUST":
        raise DataError(
            "a column holds neither numbers nor categories",
            where=describe(user_line()),
            got=f"{name!r} of dtype {array.dtype}",
            hint="turn dates into numbers, or strings",
        )
    array = array.astype(object)
    present = [value for value in array if not _is_missing(value)]
    plain = all(isinstance(value, int | float | np.number | np.bool_) for value in present)
    if plain and not str(dtype).startswith("category"):
        return np.array([np.nan if _is_missing(value) else float(value) for value in array], "float64")
    return array


def _number(X: Any, name: Any) -> Array:
    column = _column(X, name)
    if column.dtype.kind == "O":
        found = next(value for value in column if not isinstance(value, int | float) and not _is_missing(value))
        raise DataError(
            "a column that held numbers in training holds something else",
            where=describe(user_line()),
            got=f"{found!r} in {name!r}",
            expected="numbers",
        )
    return column


def _objects(X: Any, name: Any) -> list[Any]:
    values = X[name] if is_table(X) else X[:, name]
    return list(values.to_list() if hasattr(values, "to_list") else np.asarray(values, object))


def _codes(column: Array) -> dict[Any, int]:
    """The codes of the values of a column, from 1 on."""
    values = {_key(value) for value in column}
    return {value: code for code, value in enumerate(sorted(values, key=lambda v: (type(v).__name__, str(v))), 1)}


def _key(value: Any) -> Any:
    if _is_missing(value):
        return _MISSING, None
    try:
        hash(value)
    except TypeError:
        # The words are those that scikit-learn's checks of estimators look for.
        raise TypeError(f"argument must be a string or a number, not {type(value).__name__!r}") from None
    return value


def _is_missing(value: Any) -> bool:
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )
