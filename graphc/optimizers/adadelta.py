"""The optimizer Adadelta."""

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
class Adadelta(Optimizer):
    """`a = rho * a + (1 - rho) * g * g; d = -g * sqrt(b + epsilon) / sqrt(a + epsilon)`, and

    `b = rho * b + (1 - rho) * d * d; w = w + learning_rate * d` (Zeiler, 2012).

    Args:
        rho: Decay rate of the means of squares `a` and `b`.

    Example:

    >>> optimizer, w = Adadelta(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    learning_rate: Any = 0.001
    rho: float = 0.95
    epsilon: float = 1e-7

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        names = ["accumulated_grad", "accumulated_delta_var"]
        self.gradients, self.changes = self.add_optimizer_variables(variables, names)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        index = self._get_variable_index(variable)
        squares, changes = self.gradients[index], self.changes[index]
        squares.assign(self.rho * squares.value + (1 - self.rho) * ops.square(gradient))
        scale = ops.sqrt(changes.value + self.epsilon) / ops.sqrt(squares.value + self.epsilon)
        change = -scale * gradient
        changes.assign(self.rho * changes.value + (1 - self.rho) * ops.square(change))
        variable.assign_add(ops.cast(learning_rate, variable.dtype) * change)
