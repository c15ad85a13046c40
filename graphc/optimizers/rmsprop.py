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
        rho: Decay rate of the second moment, the mean of the squared gradients.
        momentum: The fraction of the last update that is added to the next one.
        epsilon: A small number that prevents division by 0.
        centered: Whether to normalize by the estimated variance in place of the second moment.
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
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")
        self.momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum > 0 else []
        self.averages = self.add_optimizer_variables(variables, "average_gradient") if self.centered else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        index = self._get_variable_index(variable)
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
        """The configuration, from which `from_config` creates an equal optimizer."""
        own = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}
        return {**super().get_config(), **own}
