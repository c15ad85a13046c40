"""The optimizer Lamb."""

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
class Lamb(Optimizer):
    """Adam whose updates are as large as the weights of a layer, for large batches (You et al., 2020).

    With Adam's corrected moments, `u = m' / (sqrt(v') + epsilon)`: `w = w - learning_rate * norm(w) / norm(u) * u`.

    Example:

    >>> optimizer, w = Lamb(learning_rate=0.5), Variable([1.0])
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
        self.momentums, self.velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        index, dtype = self._get_variable_index(variable), variable.type.dtype.name
        step = ops.cast(self.iterations + 1, dtype)
        mean, power = self.momentums[index], self.velocities[index]
        mean.assign_add((gradient - mean.value) * (1 - self.beta_1))
        power.assign_add((ops.square(gradient) - power.value) * (1 - self.beta_2))
        size = ops.sqrt(power.value / (1 - ops.power(self.beta_2, step))) + self.epsilon
        update = mean.value / (1 - ops.power(self.beta_1, step)) / size
        lengths = [ops.sqrt(ops.sum(ops.square(x))) for x in (variable.value, update)]
        both = ops.logical_and(lengths[0] > 0, lengths[1] > 0)
        ratio = ops.where(both, lengths[0] / ops.where(both, lengths[1], 1.0), 1.0)
        variable.assign_sub(ratio * ops.cast(learning_rate, dtype) * update)
