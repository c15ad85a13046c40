"""What optimizers' arguments of one name have in common."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from graphc.parameters import Kind

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "learning_rate": Kind("A number, a `LearningRateSchedule`, or a function without arguments.", written=False),
        "amsgrad": Kind("Whether to divide by the largest mean of squares so far (Reddi et al., 2018)."),
        "beta_1": Kind("Decay rate of the first moment, the mean of the gradients."),
        "beta_2": Kind("Decay rate of the second moment, the mean of the squared gradients."),
        "epsilon": Kind("A small number that prevents division by 0."),
        "weight_decay": Kind(
            "The fraction of each weight, times the learning rate, that a step subtracts. None: no decay."
        ),
        "clipnorm": Kind("The maximum norm of a weight's gradient. None: no limit."),
        "clipvalue": Kind("The maximum absolute value of a gradient's elements. None: no limit."),
        "global_clipnorm": Kind("The maximum norm of all gradients together. None: no limit."),
        "use_ema": Kind("Whether to keep moving averages of the weights."),
        "ema_momentum": Kind("The momentum of these averages."),
        "ema_overwrite_frequency": Kind(
            "The number of steps after which weights are set to their averages. None: at the end."
        ),
        "loss_scale_factor": Kind("Factor by which the loss is multiplied and gradients are divided. None: 1."),
        "gradient_accumulation_steps": Kind("The number of steps whose mean gradient is one update."),
        "name": Kind("Its name. None: one derived from the name of the class."),
    }
)
