"""Learning rate schedules."""

from __future__ import annotations

import math
from typing import Any

from graphc import ops
from graphc.errors import ArgumentError
from graphc.parameters import configured
from graphc.registration import Configurable, deserialize_keras_object, exported, serialize_keras_object

_MODULE = "keras.optimizers.schedules"


class LearningRateSchedule(Configurable):
    """A function of the step to a learning rate. Subclasses define `__call__(step)` and `get_config`."""

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        raise NotImplementedError("a schedule defines `__call__(step)`")


def _float(x: Any) -> Any:
    return ops.cast(x, "float32")


@exported(_MODULE)
@configured
class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: The rate of step 0.
        decay_steps: The number of steps in which the rate decays by the factor.
        decay_rate: The factor.
        staircase: Whether the rate changes only at multiples of `decay_steps`.
        name: Its name.

    Example:

    >>> float(ExponentialDecay(1.0, 10, 0.5)(20))
    0.25
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False
    name: str = "ExponentialDecay"

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        passed = _float(step) / float(self.decay_steps)
        passed = ops.floor(passed) if self.staircase else passed
        return self.initial_learning_rate * ops.power(float(self.decay_rate), passed)


@exported(_MODULE)
@configured
class InverseTimeDecay(ExponentialDecay):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: The rate of step 0.
        decay_steps: The unit of steps.
        decay_rate: The rate of decay.
        staircase: Whether the rate changes only at multiples of `decay_steps`.
        name: Its name.

    Example:

    >>> float(InverseTimeDecay(1.0, 10, 0.5)(20))
    0.5
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False
    name: str = "InverseTimeDecay"

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        passed = _float(step) / float(self.decay_steps)
        passed = ops.floor(passed) if self.staircase else passed
        return self.initial_learning_rate / (1.0 + self.decay_rate * passed)


@exported(_MODULE)
@configured
class PiecewiseConstantDecay(LearningRateSchedule):
    """A rate for each range of steps.

    Args:
        boundaries: The last step of each range except the last range.
        values: The rate of each range: one more than boundaries.
        name: Its name.

    Raises:
        ArgumentError: if the numbers of ranges and rates do not fit.

    Example:

    >>> schedule = PiecewiseConstantDecay([10], [1.0, 0.5])
    >>> float(schedule(10)), float(schedule(11))
    (1.0, 0.5)
    """

    boundaries: Any
    values: Any
    name: str = "PiecewiseConstant"

    def _prepare(self) -> None:
        self.boundaries, self.values = list(self.boundaries), list(self.values)
        if len(self.boundaries) != len(self.values) - 1:
            got = f"{len(self.boundaries)} and {len(self.values)}"
            raise ArgumentError("there is one more rate than boundaries", got=got)

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        rate = ops.convert_to_tensor(float(self.values[0]))
        for boundary, value in zip(self.boundaries, self.values[1:], strict=True):
            rate = ops.where(ops.greater(step, boundary), float(value), rate)
        return rate


@exported(_MODULE)
@configured
class PolynomialDecay(LearningRateSchedule):
    """`(initial - end) * (1 - step / decay_steps) ** power + end` up to `decay_steps`, then `end`.

    Args:
        initial_learning_rate: The rate of step 0.
        decay_steps: The step from which on the rate is the last.
        end_learning_rate: The last rate.
        power: The exponent.
        cycle: Whether the decay restarts beyond `decay_steps`, with the next multiple of it.
        name: Its name.

    Example:

    >>> float(PolynomialDecay(1.0, 10, 0.0)(5))
    0.5
    """

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        now, length = _float(step), ops.convert_to_tensor(float(self.decay_steps))
        if self.cycle:
            length = length * ops.maximum(1.0, ops.ceil(now / float(self.decay_steps)))
        else:
            now = ops.minimum(now, length)
        left = ops.power(1.0 - now / length, float(self.power))
        return (self.initial_learning_rate - self.end_learning_rate) * left + self.end_learning_rate


@exported(_MODULE)
@configured
class CosineDecay(LearningRateSchedule):
    """`initial * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha)` (Loshchilov and Hutter, 2016).

    Args:
        initial_learning_rate: The rate of step 0.
        decay_steps: The step from which on the rate is the last.
        alpha: The last rate, as a fraction of the first.
        name: Its name.
        warmup_target: The rate to which the warmup increases from `initial_learning_rate`. None: no warmup.
        warmup_steps: The number of warmup steps.

    Example:

    >>> round(float(CosineDecay(1.0, 10)(5)), 4)
    0.5
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: int = 0

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        now = _float(step)
        first = self.initial_learning_rate if self.warmup_target is None else self.warmup_target
        start = 0 if self.warmup_target is None else self.warmup_steps
        passed = ops.minimum(now - float(start), float(self.decay_steps)) / float(self.decay_steps)
        rate = first * ((1 - self.alpha) * 0.5 * (1.0 + ops.cos(math.pi * passed)) + self.alpha)
        if self.warmup_target is None:
            return rate
        rise = (first - self.initial_learning_rate) * (now / float(max(1, start))) + self.initial_learning_rate
        return ops.where(now < float(start), rise, rate)


@exported(_MODULE)
@configured
class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decay again and again, each time over more steps and from a smaller rate (Loshchilov and Hutter, 2016).

    In the `i`-th decay, of `first_decay_steps * t_mul ** i` steps, the rate falls from `initial * m_mul ** i` as in
    `CosineDecay`.

    Args:
        initial_learning_rate: The rate of step 0.
        first_decay_steps: The number of steps of the first decay.
        t_mul: The ratio of the numbers of steps of a decay and of the one before.
        m_mul: The ratio of the first rates of a decay and of the one before.
        alpha: The last rate of a decay, as a fraction of the first of all.
        name: Its name.

    Raises:
        ArgumentError: if a number is out of its range.

    Example:

    >>> schedule = CosineDecayRestarts(1.0, 10)
    >>> [round(float(schedule(step)), 4) for step in (0, 5, 10, 20)]
    [1.0, 0.5, 1.0, 0.5]
    """

    initial_learning_rate: float
    first_decay_steps: int
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

    def _prepare(self) -> None:
        if self.first_decay_steps <= 0 or self.t_mul < 1:
            raise ArgumentError(
                "first_decay_steps is positive, and t_mul 1 or more", got=f"{self.first_decay_steps}, {self.t_mul}"
            )

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        done = _float(step) / float(self.first_decay_steps)
        if self.t_mul == 1:
            number = ops.floor(done)
            part = done - number
        else:
            number = ops.floor(ops.log(1.0 - done * (1.0 - self.t_mul)) / math.log(self.t_mul))
            length = ops.power(float(self.t_mul), number)
            part = (done - (1.0 - length) / (1.0 - self.t_mul)) / length
        height = 0.5 * ops.power(float(self.m_mul), number) * (1.0 + ops.cos(math.pi * part))
        return self.initial_learning_rate * ((1 - self.alpha) * height + self.alpha)


def serialize(learning_rate_schedule: Any) -> Any:
    """A schedule as a configuration."""
    return serialize_keras_object(learning_rate_schedule)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The schedule that a configuration describes."""
    return deserialize_keras_object(config, custom_objects)
