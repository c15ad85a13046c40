"""The optimizer RMSprop."""

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
class RMSprop(Optimizer):
    """`v = rho * v + (1 - rho) * g * g; w = w - learning_rate * g / sqrt(v + epsilon)`.

    (Hinton, 2012)

    Args:
        rho: Decay rate of the second moment, the mean of the squared gradients.
        momentum: The fraction of the last update that is added to the next one.
        epsilon: A small number that prevents division by 0.
        centered: Whether to normalize by the estimated variance in place of the second moment.

    Example:

    >>> optimizer, w = RMSprop(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    learning_rate: Any = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")
        self.momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum > 0 else []
        self.averages = self.add_optimizer_variables(variables, "average_gradient") if self.centered else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        index = self._get_variable_index(variable)
        velocity = self.velocities[index]
        velocity.assign(self.rho * velocity.value + (1 - self.rho) * ops.square(gradient))
        power = velocity.value + self.epsilon
        if self.centered:
            average = self.averages[index]
            average.assign(self.rho * average.value + (1 - self.rho) * gradient)
            power = velocity.value - ops.square(average.value) + self.epsilon
        change = learning_rate * gradient / ops.sqrt(power)
        if self.momentum > 0:
            momentum = self.momentums[index]
            momentum.assign(self.momentum * momentum.value + change)
            change = momentum.value
        variable.assign_sub(change)
