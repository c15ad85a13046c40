"""The optimizer SGD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import ops
from graphc.errors import ArgumentError
from graphc.optimizers.optimizer import Optimizer
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import Variable


@exported("keras.optimizers")
@configured
class SGD(Optimizer):
    """`w = w - learning_rate * g`, with momentum `v = momentum * v - learning_rate * g; w = w + v`.

    With Nesterov's momentum `w = w + momentum * v - learning_rate * g` (Sutskever et al., 2013).

    Args:
        momentum: The fraction of the last update that is added to the next one.
        nesterov: Whether to use Nesterov's momentum.

    Example:

    >>> optimizer, w = SGD(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    learning_rate: Any = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def _prepare(self) -> None:
        if not isinstance(self.momentum, int | float) or not 0 <= self.momentum <= 1:
            raise ArgumentError("momentum is a number from 0 to 1", got=repr(self.momentum))

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        change = ops.multiply(gradient, learning_rate)
        if not self.momentum:
            variable.assign_sub(change)
            return
        velocity = self.momentums[self._get_variable_index(variable)]
        velocity.assign(self.momentum * velocity.value - change)
        variable.assign_add(self.momentum * velocity.value - change if self.nesterov else velocity.value)
