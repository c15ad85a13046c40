"""The optimizer Nadam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import ops
from graphc.optimizers.optimizer import Optimizer
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import Tensor, Variable


@exported("keras.optimizers")
@configured
class Nadam(Optimizer):
    """Adam with Nesterov's momentum (Dozat, 2015).

    With `u(t) = beta_1 * (1 - 0.96 ** t / 2)`, the product `p(t)` of `u(1) ... u(t)`, and the moments `m` and `v` of
    Adam: `d = u(t + 1) * m / (1 - p(t + 1)) + (1 - u(t)) * g / (1 - p(t))`, and
    `w = w - learning_rate * d / (sqrt(v / (1 - beta_2 ** t)) + epsilon)`.

    Example:

    >>> optimizer, w = Nadam(learning_rate=0.5), Variable([1.0])
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
        dtype = variables[0].type.dtype.name if variables else None
        self._product = self.add_variable((), "ones", dtype, name="variable")

    def _momentum_at(self, step: Any, dtype: str) -> Any:
        return self.beta_1 * (1.0 - 0.5 * ops.power(ops.cast(0.96, dtype), step))

    def _update_weights(self, pairs: list[tuple[Tensor, Variable]]) -> None:
        dtype = self._product.type.dtype.name
        step = ops.cast(self.iterations + 1, dtype)
        self._product.assign(self._product.value * self._momentum_at(step, dtype))
        super()._update_weights(pairs)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        index, dtype = self._get_variable_index(variable), variable.type.dtype.name
        step, product = ops.cast(self.iterations + 1, dtype), ops.cast(self._product, dtype)
        now, following = self._momentum_at(step, dtype), self._momentum_at(step + 1, dtype)
        mean, power = self.momentums[index], self.velocities[index]
        mean.assign_add((gradient - mean.value) * (1 - self.beta_1))
        power.assign_add((ops.square(gradient) - power.value) * (1 - self.beta_2))
        direction = mean.value * (following / (1 - product * following)) + gradient * ((1 - now) / (1 - product))
        size = power.value / (1 - ops.power(self.beta_2, step))
        variable.assign_sub(direction * ops.cast(learning_rate, dtype) / (ops.sqrt(size) + self.epsilon))
