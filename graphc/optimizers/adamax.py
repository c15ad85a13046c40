"""The optimizer Adamax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import ops
from graphc.optimizers.optimizer import Optimizer
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import Variable


@exported("keras.optimizers")
@configured
class Adamax(Optimizer):
    """Adam with the infinity norm of the gradients in place of the second moment (Kingma and Ba, 2014).

    Args:
        beta_1: Decay rate of the first moment, the mean of the gradients.
        beta_2: Decay rate of the infinity norm, the largest absolute gradient.
        epsilon: A small number that prevents division by 0.

    Example:

    >>> optimizer, w = Adamax(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    learning_rate: Any = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        self.means, self.largest = [], []
        for variable in variables:
            self.means.append(self.add_variable_from_reference(variable, "momentum"))
            self.largest.append(self.add_variable_from_reference(variable, "norm"))

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        index, dtype = self._get_variable_index(variable), variable.type.dtype.name
        step = ops.cast(self.iterations + 1, dtype)
        mean, largest = self.means[index], self.largest[index]
        mean.assign_add((gradient - mean.value) * (1 - self.beta_1))
        largest.assign(ops.maximum(self.beta_2 * largest.value, ops.abs(gradient)))
        rate = ops.cast(learning_rate, dtype) / (1 - ops.power(self.beta_1, step))
        variable.assign_sub(rate * mean.value / (largest.value + self.epsilon))
