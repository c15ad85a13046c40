"""What estimators need of scikit-learn, which is an optional package: import this module, not names from it."""

from __future__ import annotations

from graphc.errors import MissingPackageError
from graphc.tracing import describe, user_line

try:
    from sklearn import get_config, metrics
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.utils import check_random_state
    from sklearn.utils.metadata_routing import MetadataRequest
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import (
        _check_sample_weight,
        check_array,
        check_consistent_length,
        check_is_fitted,
        column_or_1d,
        validate_data,
    )

    _missing: ImportError | None = None
except ImportError as error:
    _missing = error
    # Names to derive from, so that the classes are there and say what is missing when one is made.
    BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin = (
        type(name, (), {}) for name in ("BaseEstimator", "ClassifierMixin", "RegressorMixin", "TransformerMixin")
    )


def require(what: str) -> None:
    """Checks that scikit-learn is installed.

    Args:
        what: What needs it.

    Raises:
        MissingPackageError: if it is not.
    """
    if _missing is not None:
        raise MissingPackageError(
            f"{what} needs scikit-learn",
            where=describe(user_line()),
            got=str(_missing),
            hint="pip install scikit-learn",
        )


__all__ = [
    "BaseEstimator",
    "ClassifierMixin",
    "MetadataRequest",
    "OneHotEncoder",
    "RegressorMixin",
    "TransformerMixin",
    "_check_sample_weight",
    "check_array",
    "check_classification_targets",
    "check_consistent_length",
    "check_is_fitted",
    "check_random_state",
    "column_or_1d",
    "get_config",
    "metrics",
    "require",
    "type_of_target",
    "validate_data",
]
