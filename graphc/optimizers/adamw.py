"""The optimizer AdamW."""

from __future__ import annotations

from typing import Any

from graphc.errors import ArgumentError
from graphc.optimizers.adam import Adam
from graphc.parameters import configured, declared_of
from graphc.registration import exported


@exported("keras.optimizers")
@configured(without=declared_of(Adam))
class AdamW(Adam):
    """Adam, after `w = w - learning_rate * weight_decay * w` (Loshchilov and Hutter, 2019).

    Raises:
        ArgumentError: if the decay is None.

    Example:

    >>> from graphc.tracing import Variable
    >>> optimizer, w = AdamW(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 0.5
    True
    """

    learning_rate: Any = 0.001
    weight_decay: float | None = 0.004
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    def _prepare(self) -> None:
        if self.weight_decay is None:
            raise ArgumentError("AdamW needs a weight_decay", hint="use Adam for none")
