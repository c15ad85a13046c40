"""The optimizer Adagrad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import initializers, ops
from graphc.optimizers.optimizer import Optimizer
from graphc.registration import exported
from graphc.tracing import Variable


@exported("keras.optimizers")
class Adagrad(Optimizer):
    """`a = a + g * g; w = w - learning_rate * g / sqrt(a + epsilon)` (Duchi et al., 2011).

    Args:
        learning_rate: A number or a schedule.
        initial_accumulator_value: The first value of `a`.
        epsilon: A small number that prevents division by 0.
        weight_decay: The fraction of the weights, times the learning rate, that each step subtracts.
        clipnorm: The maximum norm of a gradient.
        clipvalue: The maximum absolute value of a gradient's elements.
        global_clipnorm: The maximum norm of all gradients together.
        use_ema: Whether to keep moving averages of the weights.
        ema_momentum: The momentum of these averages.
        ema_overwrite_frequency: The number of steps after which weights are set to their averages.
        loss_scale_factor: Factor by which the loss is multiplied and gradients are divided.
        gradient_accumulation_steps: The number of steps whose mean gradient is one update.
        name: Its name.

    Example:

    >>> optimizer, w = Adagrad(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **kwargs,
        )
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

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

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal optimizer."""
        own = {"initial_accumulator_value": self.initial_accumulator_value, "epsilon": self.epsilon}
        return {**super().get_config(), **own}
