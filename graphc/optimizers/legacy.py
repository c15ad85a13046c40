"""The names of optimizers of Keras 2, which tell what to use in their place."""

from __future__ import annotations

from typing import Any

from graphc.errors import MissingPackageError


class LegacyOptimizer:
    """Stands for an optimizer of Keras 2.

    Raises:
        MissingPackageError: when it is created.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise MissingPackageError(
            "optimizers.legacy has the optimizers of Keras 2, which are not here, as in Keras 3",
            hint="use the class of the same name in optimizers",
        )


Adagrad = Adam = Ftrl = Optimizer = RMSprop = SGD = LegacyOptimizer
