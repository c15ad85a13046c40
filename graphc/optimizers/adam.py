"""The optimizer Adam."""

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
class Adam(Optimizer):
    """`m = m + (1 - beta_1) * (g - m); v = v + (1 - beta_2) * (g * g - v)`, and

    `w = w - learning_rate * sqrt(1 - beta_2 ** t) / (1 - beta_1 ** t) * m / (sqrt(v) + epsilon)` in step `t`
    (Kingma and Ba, 2014).

    Args:
        beta_1: Decay rate of the first moment, the mean of the gradients.
        beta_2: Decay rate of the second moment, the mean of the squared gradients.
        epsilon: A small number that prevents division by 0.
        amsgrad: Whether to divide by the largest mean of squares so far (Reddi et al., 2018).

    Example:

    >>> optimizer, w = Adam(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    learning_rate: Any = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        self.momentums, self.velocities = [], []
        for variable in variables:
            self.momentums.append(self.add_variable_from_reference(variable, "momentum"))
            self.velocities.append(self.add_variable_from_reference(variable, "velocity"))
        self.largest = self.add_optimizer_variables(variables, "velocity_hat") if self.amsgrad else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        index, dtype = self._get_variable_index(variable), variable.type.dtype.name
        # These scalars are the same for every weight, and so are one node in the graph.
        step = ops.cast(self.iterations + 1, dtype)
        bias = ops.sqrt(1 - ops.power(self.beta_2, step)) / (1 - ops.power(self.beta_1, step))
        rate = ops.cast(learning_rate, dtype) * bias
        mean, power = self.momentums[index], self.velocities[index]
        mean.assign_add((gradient - mean.value) * (1 - self.beta_1))
        power.assign_add((ops.square(gradient) - power.value) * (1 - self.beta_2))
        size = power.value
        if self.amsgrad:
            self.largest[index].assign(ops.maximum(self.largest[index].value, size))
            size = self.largest[index].value
        variable.assign_sub(mean.value * rate / (ops.sqrt(size) + self.epsilon))
