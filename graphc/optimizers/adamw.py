"""The optimizer AdamW."""

from __future__ import annotations

from typing import Any

from graphc.errors import ArgumentError
from graphc.optimizers.adam import Adam
from graphc.registration import exported


@exported("keras.optimizers")
class AdamW(Adam):
    """Adam, after `w = w - learning_rate * weight_decay * w` (Loshchilov and Hutter, 2019).

    Args:
        learning_rate: A number or a schedule.
        weight_decay: The fraction of the weights, times the learning rate, that each step subtracts.
        beta_1: Decay rate of the first moment, the mean of the gradients.
        beta_2: Decay rate of the second moment, the mean of the squared gradients.
        epsilon: A small number that prevents division by 0.
        amsgrad: Whether to divide by the largest mean of squares so far (Reddi et al., 2018).
        clipnorm: The maximum norm of a gradient.
        clipvalue: The maximum absolute value of a gradient's elements.
        global_clipnorm: The maximum norm of all gradients together.
        use_ema: Whether to keep moving averages of the weights.
        ema_momentum: The momentum of these averages.
        ema_overwrite_frequency: The number of steps after which weights are set to their averages.
        loss_scale_factor: Factor by which the loss is multiplied and gradients are divided.
        gradient_accumulation_steps: The number of steps whose mean gradient is one update.
        name: Its name.

    Raises:
        ArgumentError: if the decay is None.

    Example:

    >>> from graphc.tracing import Variable
    >>> optimizer, w = AdamW(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 0.5
    True
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
        if weight_decay is None:
            raise ArgumentError("AdamW needs a weight_decay", hint="use Adam for none")
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            amsgrad,
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
