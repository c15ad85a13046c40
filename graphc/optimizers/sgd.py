"""The optimizer SGD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import ops
from graphc.errors import ArgumentError
from graphc.optimizers.optimizer import Optimizer
from graphc.registration import exported
from graphc.tracing import Variable


@exported("keras.optimizers")
class SGD(Optimizer):
    """`w = w - learning_rate * g`, with momentum `v = momentum * v - learning_rate * g; w = w + v`.

    With Nesterov's momentum `w = w + momentum * v - learning_rate * g` (Sutskever et al., 2013).

    Args:
        learning_rate: A number or a schedule.
        momentum: The fraction of the last update that is added to the next one.
        nesterov: Whether to use Nesterov's momentum.
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

    >>> optimizer, w = SGD(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
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
        if not isinstance(momentum, int | float) or not 0 <= momentum <= 1:
            raise ArgumentError("momentum is a number from 0 to 1", got=repr(momentum))
        self.momentum, self.nesterov = momentum, nesterov

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        change = ops.multiply(gradient, learning_rate)
        if not self.momentum:
            variable.assign_sub(change)
            return
        velocity = self.momentums[self._get_variable_index(variable)]
        velocity.assign(self.momentum * velocity.value - change)
        variable.assign_add(self.momentum * velocity.value - change if self.nesterov else velocity.value)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal optimizer."""
        own = {"momentum": self.momentum, "nesterov": self.nesterov}
        return {**super().get_config(), **own}
