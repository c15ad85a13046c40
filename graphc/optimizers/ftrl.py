"""The optimizer Ftrl."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import initializers, ops
from graphc.errors import ArgumentError
from graphc.optimizers.optimizer import Optimizer
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import Variable


@exported("keras.optimizers")
@configured
class Ftrl(Optimizer):
    """Follow the regularized leader: many weights become exactly 0 (McMahan et al., 2013).

    With `n' = n + g * g`, `p = -learning_rate_power` and `G = g + 2 * l2_shrinkage * w`:
    `z = z + G - (n' ** p - n ** p) / learning_rate * w`, and
    `w = (clip(z, -l1, l1) - z) / (n' ** p / learning_rate + 2 * l2 + beta / learning_rate)`.

    Args:
        learning_rate_power: How the rate falls with the sum of squares; at most 0.
        initial_accumulator_value: The first value of `n`.
        l1_regularization_strength: `l1`, at least 0.
        l2_regularization_strength: `l2`, at least 0.
        l2_shrinkage_regularization_strength: `l2_shrinkage`, at least 0.
        beta: `beta` of the formula.

    Raises:
        ArgumentError: if an argument is out of its range.

    Example:

    >>> optimizer, w = Ftrl(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    learning_rate: Any = 0.001
    learning_rate_power: float = -0.5
    initial_accumulator_value: float = 0.1
    l1_regularization_strength: float = 0.0
    l2_regularization_strength: float = 0.0
    l2_shrinkage_regularization_strength: float = 0.0
    beta: float = 0.0

    def _prepare(self) -> None:
        names = ("initial_accumulator_value", "l1_regularization_strength", "l2_regularization_strength")
        for name in (*names, "l2_shrinkage_regularization_strength"):
            if getattr(self, name) < 0:
                raise ArgumentError(f"{name} is 0 or more", got=getattr(self, name))
        if self.learning_rate_power > 0:
            raise ArgumentError("learning_rate_power is 0 or less", got=self.learning_rate_power)

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        first = [initializers.Constant(self.initial_accumulator_value), "zeros"]
        self.accumulators, self.linears = self.add_optimizer_variables(variables, ["accumulator", "linear"], first)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        index, power = self._get_variable_index(variable), -self.learning_rate_power
        total, linear = self.accumulators[index], self.linears[index]
        rate, limit = ops.cast(learning_rate, variable.dtype), self.l1_regularization_strength
        shrunk = gradient + 2 * self.l2_shrinkage_regularization_strength * variable.value
        grown = total.value + ops.square(gradient)
        root = ops.power(grown, power)
        linear.assign_add(shrunk - (root - ops.power(total.value, power)) / rate * variable.value)
        quadratic = root / rate + 2 * self.l2_regularization_strength + self.beta / rate
        variable.assign((ops.clip(linear.value, -limit, limit) - linear.value) / quadratic)
        total.assign(grown)
