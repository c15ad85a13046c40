"""The optimizer Adamax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import ops
from graphc.optimizers.optimizer import Optimizer
from graphc.registration import exported
from graphc.tracing import Variable


@exported("keras.optimizers")
class Adamax(Optimizer):
    """Adam with the largest gradient in place of the mean of squares (Kingma and Ba, 2014).

    Args:
        learning_rate: A number or a schedule.
        beta_1: How slowly the mean of gradients follows.
        beta_2: How slowly the largest gradient is forgotten.
        epsilon: What keeps the divisor away from 0.
        weight_decay: Share of the weights, times the learning rate, taken off in each step.
        clipnorm: The largest length of one gradient.
        clipvalue: The largest absolute value in a gradient.
        global_clipnorm: The largest length of all gradients.
        use_ema: Whether to keep moving averages of the weights.
        ema_momentum: How slowly these follow.
        ema_overwrite_frequency: After how many steps weights are set to them.
        loss_scale_factor: What the loss is multiplied with.
        gradient_accumulation_steps: Not supported yet.
        name: Its name.

    Example:

    >>> optimizer, w = Adamax(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
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
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the moments for some weights."""
        if self.built:
            return
        super().build(variables)
        self.means, self.largest = [], []
        for variable in variables:
            self.means.append(self.add_variable_from_reference(variable, "momentum"))
            self.largest.append(self.add_variable_from_reference(variable, "norm"))

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Changes one weight by its gradient."""
        index, dtype = self._index(variable), variable.type.dtype.name
        step = ops.cast(self.iterations.value + 1, dtype)
        mean, largest = self.means[index], self.largest[index]
        mean.assign_add((gradient - mean.value) * (1 - self.beta_1))
        largest.assign(ops.maximum(self.beta_2 * largest.value, ops.abs(gradient)))
        rate = ops.cast(learning_rate, dtype) / (1 - ops.power(self.beta_1, step))
        variable.assign_sub(rate * mean.value / (largest.value + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer."""
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
        return {**super().get_config(), **own}
