"""The optimizer Adagrad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import initializers, ops
from graphc.optimizers.optimizer import Optimizer
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import Variable


@exported("keras.optimizers")
@configured
class Adagrad(Optimizer):
    """`a = a + g * g; w = w - learning_rate * g / sqrt(a + epsilon)` (Duchi et al., 2011).

    Args:
        initial_accumulator_value: The first value of `a`.
        epsilon: A small number that prevents division by 0.

    Example:

    >>> optimizer, w = Adagrad(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    learning_rate: Any = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        first = initializers.Constant(self.initial_accumulator_value)
        self.accumulators = [self.add_variable_from_reference(v, "accumulator", first) for v in variables]

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        total = self.accumulators[self._get_variable_index(variable)]
        total.assign_add(ops.square(gradient))
        variable.assign_sub(learning_rate * gradient / ops.sqrt(total.value + self.epsilon))
