"""The optimizer Adam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import ops
from graphc.optimizers.optimizer import Optimizer
from graphc.registration import exported
from graphc.tracing import Variable


@exported("keras.optimizers")
class Adam(Optimizer):
    """`m = m + (1 - beta_1) * (g - m); v = v + (1 - beta_2) * (g * g - v)`, and

    `w = w - learning_rate * sqrt(1 - beta_2 ** t) / (1 - beta_1 ** t) * m / (sqrt(v) + epsilon)` in step `t`
    (Kingma and Ba, 2014).

    Args:
        learning_rate: A number or a schedule.
        beta_1: Decay rate of the first moment, the mean of the gradients.
        beta_2: Decay rate of the second moment, the mean of the squared gradients.
        epsilon: A small number that prevents division by 0.
        amsgrad: Whether to divide by the largest mean of squares so far (Reddi et al., 2018).
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

    >>> optimizer, w = Adam(learning_rate=0.5), Variable([1.0])
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
        amsgrad: bool = False,
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
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        self.momentums, self.velocities = [], []
        for variable in variables:
            self.momentums.append(self.add_variable_from_reference(variable, "momentum"))
            self.velocities.append(self.add_variable_from_reference(variable, "velocity"))
        self.largest = self.add_optimizer_variables(variables, "velocity_hat") if self.amsgrad else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        index, dtype = self._get_variable_index(variable), variable.type.dtype.name
        # These scalars are the same for every weight, and so are one node in the graph.
        step = ops.cast(self.iterations + 1, dtype)
        bias = ops.sqrt(1 - ops.power(self.beta_2, step)) / (1 - ops.power(self.beta_1, step))
        rate = ops.cast(learning_rate, dtype) * bias
        mean, power = self.momentums[index], self.velocities[index]
        mean.assign_add((gradient - mean.value) * (1 - self.beta_1))
        power.assign_add((ops.square(gradient) - power.value) * (1 - self.beta_2))
        size = power.value
        if self.amsgrad:
            self.largest[index].assign(ops.maximum(self.largest[index].value, size))
            size = self.largest[index].value
        variable.assign_sub(mean.value * rate / (ops.sqrt(size) + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal optimizer."""
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "amsgrad": self.amsgrad}
        return {**super().get_config(), **own}
