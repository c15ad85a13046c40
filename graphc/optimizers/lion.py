"""The optimizer Lion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import ops
from graphc.optimizers.optimizer import Optimizer
from graphc.registration import exported
from graphc.tracing import Variable


@exported("keras.optimizers")
class Lion(Optimizer):
    """`w = w - learning_rate * sign(beta_1 * m + (1 - beta_1) * g); m = beta_2 * m + (1 - beta_2) * g`.

    (Chen et al., 2023)

    Args:
        learning_rate: A number or a schedule.
        beta_1: The weight of the momentum in the update.
        beta_2: Decay rate of the first moment, the mean of the gradients.
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

    >>> optimizer, w = Lion(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
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
        self.beta_1, self.beta_2 = beta_1, beta_2

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        mean = self.momentums[self._get_variable_index(variable)]
        variable.assign_sub(learning_rate * ops.sign(mean.value * self.beta_1 + gradient * (1 - self.beta_1)))
        mean.assign(mean.value * self.beta_2 + gradient * (1 - self.beta_2))

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal optimizer."""
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2}
        return {**super().get_config(), **own}
