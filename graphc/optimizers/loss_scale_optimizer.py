"""An optimizer that scales the loss, so that small gradients do not vanish in half precision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphc import ops
from graphc.errors import ArgumentError
from graphc.optimizers.optimizer import Optimizer, overwritten
from graphc.registration import deserialize_keras_object, exported, serialize_keras_object
from graphc.tracing import Variable, as_tensor, describe, scope, user_line

_DEFAULTS = {"use_ema": False, "ema_momentum": 0.99}


@exported("keras.optimizers")
class LossScaleOptimizer(Optimizer):
    """Multiplies the loss by a scale, and divides gradients by it before another optimizer applies them.

    A step whose gradients are not all finite changes no weight, and halves the scale; after `dynamic_growth_steps`
    steps with finite gradients the scale is doubled (Micikevicius et al., "Mixed precision training", 2018).

    Args:
        inner_optimizer: The optimizer that updates the weights.
        initial_scale: The first scale.
        dynamic_growth_steps: The number of steps after which the scale is doubled.
        name: Its name.

    Raises:
        ArgumentError: if `inner_optimizer` is no optimizer, or an argument belongs to that one.

    Example:

    >>> from graphc import optimizers
    >>> optimizer, w = LossScaleOptimizer(optimizers.SGD(1.0), initial_scale=4.0), Variable(1.0)
    >>> optimizer.build([w])
    >>> optimizer.apply([float("inf")], [w])
    >>> float(w), float(optimizer.dynamic_scale)
    (1.0, 2.0)
    """

    def __init__(
        self,
        inner_optimizer: Any,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(inner_optimizer, Optimizer):
            raise ArgumentError(
                "the inner optimizer is an optimizer", where=describe(user_line()), got=repr(inner_optimizer)[:80]
            )
        for argument, value in kwargs.items():
            # Configurations of Keras hold the arguments of all optimizers.
            if argument not in self.get_names() or value != _DEFAULTS.get(argument):
                raise ArgumentError(
                    f"LossScaleOptimizer takes no `{argument}`",
                    where=describe(user_line()),
                    got=repr(value)[:80],
                    hint="give it to the inner optimizer",
                )
        super().__init__(0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale, self.dynamic_growth_steps = initial_scale, dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None  # gradients would be scaled twice
        # They exist before the weights are known: a step whose trace builds the optimizer scales its loss before that.
        with scope(self.name, absolute=True):
            self.step_counter = self._track(
                Variable("zeros", shape=(), dtype="int32", trainable=False, name="step_counter")
            )
            self.dynamic_scale = self._track(
                Variable(float(initial_scale), dtype="float32", trainable=False, name="dynamic_scale")
            )

    @staticmethod
    def get_names() -> list[str]:
        """The names of the arguments that all optimizers take."""
        return [*Optimizer.get_names(), "dynamic", "gradient_accumulation_steps"]

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the variables of both optimizers for some weights."""
        if self.built:
            return
        self.inner_optimizer.build(variables)
        super().build(variables)

    @property
    def variables(self) -> list[Variable]:
        """Its counter and scale, and the inner optimizer's variables."""
        return [*self._variables, *self.inner_optimizer.variables]

    @property
    def iterations(self) -> Any:
        """The number of updates so far."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def schedule_version(self) -> int:
        """How often a schedule of the inner optimizer was set."""
        return self.inner_optimizer.schedule_version

    def scale_loss(self, loss: Any) -> Any:
        """The loss multiplied by the scale."""
        return ops.multiply(loss, self.dynamic_scale)

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Runs a step of the inner optimizer, if all gradients are finite.

        Args:
            grads: A gradient of the scaled loss for each weight.
            trainable_variables: The weights. None: those for which it was built.
        """
        if not self.built:
            self.build(list(trainable_variables or ()))
        given = [None if g is None else as_tensor(g) for g in grads]
        scale = self.dynamic_scale.value
        weights = self._trainable if trainable_variables is None else list(trainable_variables)
        as_they_are = [overwritten(weight) for weight in weights]

        def update() -> None:
            unscaled = [
                g if g is None or kept else ops.divide(g, ops.cast(scale, g.dtype))
                for g, kept in zip(given, as_they_are, strict=True)
            ]
            self.inner_optimizer.apply(unscaled, trainable_variables)
            grows = ops.equal(self.step_counter, self.dynamic_growth_steps - 1)
            self.dynamic_scale.assign(ops.where(grows, scale * 2.0, scale))
            self.step_counter.assign(ops.where(grows, 0, self.step_counter + 1))

        def skip() -> None:
            self.step_counter.assign(0)
            self.dynamic_scale.assign(scale * 0.5)

        ops.cond(self.check_finite(given), update, skip)

    @staticmethod
    def check_finite(grads: Iterable[Any]) -> Any:
        """Whether all elements of all gradients are finite."""
        return ops.all(ops.stack([ops.all(ops.isfinite(g)) for g in grads if g is not None]))

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Sets weights to their averages, at the end of training, if the inner optimizer keeps them."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal optimizer."""
        return {
            "name": self.name,
            "inner_optimizer": serialize_keras_object(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Creates an optimizer from a configuration that `get_config` returned."""
        inner = deserialize_keras_object(config["inner_optimizer"], custom_objects)
        return cls(**{**config, "inner_optimizer": inner})
