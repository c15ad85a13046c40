"""The optimizer Lion."""

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
class Lion(Optimizer):
    """`w = w - learning_rate * sign(beta_1 * m + (1 - beta_1) * g); m = beta_2 * m + (1 - beta_2) * g`.

    (Chen et al., 2023)

    Args:
        beta_1: The weight of the momentum in the update.
        beta_2: Decay rate of the first moment, the mean of the gradients.

    Raises:
        ArgumentError: if `beta_1` is out of range.

    Example:

    >>> optimizer, w = Lion(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    learning_rate: Any = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.99

    def _prepare(self) -> None:
        if not 0 < self.beta_1 <= 1:
            raise ArgumentError("beta_1 is above 0, and at most 1", got=repr(self.beta_1))

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        mean = self.momentums[self._get_variable_index(variable)]
        variable.assign_sub(learning_rate * ops.sign(mean.value * self.beta_1 + gradient * (1 - self.beta_1)))
        mean.assign(mean.value * self.beta_2 + gradient * (1 - self.beta_2))
