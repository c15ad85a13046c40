"""The optimizer ScheduleFreeAdamW."""

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
class ScheduleFreeAdamW(Optimizer):
    """Adam that needs no schedule, since it averages weights (Defazio et al., 2024).

    `v = beta_2 * v + (1 - beta_2) * g * g; z = z - rate * g / (sqrt(v / (1 - beta_2 ** t)) + epsilon)` in step `t`, and
    `x = (1 - 1 / t) * x + z / t; w = (1 - beta_1) * z + beta_1 * x`, where `x` is derived from `w` and `z`.

    Args:
        beta_1: How much of the average `x` is in the weights.
        warmup_steps: The number of steps in which the learning rate rises from 0.

    Example:

    >>> optimizer, w = ScheduleFreeAdamW(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    learning_rate: Any = 0.0025
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    warmup_steps: int = 0

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        self.momentums, self.velocities = [], []
        for variable in variables:
            first = variable.buffer.host()
            self.momentums.append(self.add_variable_from_reference(variable, "momentum", initializer=first))
            self.velocities.append(self.add_variable_from_reference(variable, "velocity"))

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        index, dtype = self._get_variable_index(variable), variable.type.dtype.name
        # These scalars are the same for every weight, and so are one node in the graph.
        step = ops.cast(self.iterations + 1, dtype)
        rate = ops.cast(learning_rate, dtype)
        if self.warmup_steps > 0:
            rate = rate * ops.minimum(step / self.warmup_steps, 1.0)
        correction, share = 1 - ops.power(self.beta_2, step), 1 / step
        point, power = self.momentums[index], self.velocities[index]
        average = (variable.value - (1 - self.beta_1) * point.value) / self.beta_1
        power.assign_add((ops.square(gradient) - power.value) * (1 - self.beta_2))
        point.assign_sub(rate * gradient / (ops.sqrt(power.value / correction) + self.epsilon))
        average = (1 - share) * average + share * point.value
        variable.assign((1 - self.beta_1) * point.value + self.beta_1 * average)
