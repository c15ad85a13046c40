"""The optimizer RMSprop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import ops
from graphc.optimizers.optimizer import Optimizer
from graphc.registration import exported
from graphc.tracing import Variable


@exported("keras.optimizers")
class RMSprop(Optimizer):
    """`v = rho * v + (1 - rho) * g * g; w = w - learning_rate * g / sqrt(v + epsilon)`.

    (Hinton, 2012)

    Args:
        learning_rate: A number or a schedule.
        rho: How slowly the mean of squares follows.
        momentum: The share of the last change that goes on.
        epsilon: What keeps the root away from 0.
        centered: Whether to divide by the deviation in place of the mean of squares.
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

    >>> optimizer, w = RMSprop(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
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
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the moments for some weights."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")
        self.momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum > 0 else []
        self.averages = self.add_optimizer_variables(variables, "average_gradient") if self.centered else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Changes one weight by its gradient."""
        index = self._index(variable)
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

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer."""
        own = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}
        return {**super().get_config(), **own}
