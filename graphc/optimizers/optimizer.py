"""The base class of optimizers, which update weights by gradients."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc import initializers, ops, tree
from graphc.errors import ArgumentError, BuildError, CallError, ShapeError, StateError
from graphc.frames import warn
from graphc.optimizers.kinds import KINDS
from graphc.optimizers.schedules import LearningRateSchedule
from graphc.parameters import declared_config
from graphc.registration import Configurable, choices, deserialize_keras_object, serialize_keras_object
from graphc.tracing import Tensor, Variable, as_tensor, describe, given_name, scope, snake_case, user_line
from graphc.tracing.state import StatelessScope, zip_values
from graphc.transforms.autograph import for_trace

_SHARED = (
    *("name", "weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema", "ema_momentum"),
    *("ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps"),
)


def _number(rate: Any) -> Any:
    if isinstance(rate, str) or rate is None or np.ndim(rate):
        raise ArgumentError(
            "the learning rate is a number, a schedule or a function without arguments",
            where=describe(user_line()),
            got=repr(rate)[:80],
        )
    return rate


def overwritten(variable: Any) -> bool:
    """Whether a weight is set to its gradient, such as the scale of a quantization."""
    return bool(getattr(variable, "overwrite_with_gradient", False))


class Optimizer(Configurable):
    """Updates weights by their gradients. Subclasses define `build` and `update_step`.

    Args:
        learning_rate: A number, a `LearningRateSchedule`, or a function without arguments.
        weight_decay: The fraction of each weight, times the learning rate, that a step subtracts. None: no decay.
        clipnorm: The maximum norm of a weight's gradient. None: no limit.
        clipvalue: The maximum absolute value of a gradient's elements. None: no limit.
        global_clipnorm: The maximum norm of all gradients together. None: no limit.
        use_ema: Whether to keep moving averages of the weights.
        ema_momentum: The momentum of these averages.
        ema_overwrite_frequency: The number of steps after which weights are set to their averages. None: at the end.
        loss_scale_factor: Factor by which the loss is multiplied and gradients are divided. None: 1.
        gradient_accumulation_steps: The number of steps whose mean gradient is one update.
        name: Its name. None: one derived from the name of the class.

    Raises:
        ArgumentError: if an argument is unknown, or more than one kind of clipping is given.
    """

    _kinds = KINDS

    def __init__(
        self,
        learning_rate: Any = 0.001,
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
        if kwargs.pop("decay", None) is not None:
            warn("decay of an optimizer has no effect: use a schedule of optimizers.schedules")
        if kwargs:
            raise ArgumentError(
                f"{type(self).__name__} takes no such argument",
                where=describe(user_line()),
                got=", ".join(map(repr, kwargs)),
                hint=choices(next(iter(kwargs)), self.get_names()),
            )
        if gradient_accumulation_steps and gradient_accumulation_steps < 2:
            raise ArgumentError("gradient_accumulation_steps is 2 or more, or None", got=gradient_accumulation_steps)
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ArgumentError("Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be given")
        if use_ema and not 0 <= ema_momentum <= 1:
            raise ArgumentError("ema_momentum is from 0 to 1", got=ema_momentum)
        every = ema_overwrite_frequency
        if use_ema and every and (not isinstance(every, int) or every < 1):
            raise ArgumentError("ema_overwrite_frequency is 1 or more, or None", got=repr(every))
        self.name = given_name(name, snake_case(type(self).__name__))
        self.weight_decay, self.clipnorm, self.clipvalue = weight_decay, clipnorm, clipvalue
        self.global_clipnorm, self.use_ema, self.ema_momentum = global_clipnorm, use_ema, ema_momentum
        self.ema_overwrite_frequency, self.loss_scale_factor = ema_overwrite_frequency, loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.built = False
        self._schedule_version = 0
        self._variables: list[Variable] = []
        self._trainable: list[Variable] = []
        self._averages: list[Variable] = []
        self._accumulated: list[Variable] = []
        self._excluded: list[Variable] = []
        self._excluded_names: list[str] = []
        with scope(self.name, absolute=True):
            self._iterations = self._track(Variable(np.int32(0), name="iteration", trainable=False))
            self._schedule = learning_rate if callable(learning_rate) else None
            self._rate: Variable | None = None
            if self._schedule is None:
                rate = np.float32(_number(learning_rate))
                self._rate = self._track(Variable(rate, name="learning_rate", trainable=False))

    @staticmethod
    def get_names() -> list[str]:
        """The names of the arguments that all optimizers take."""
        limits = ["clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum", "ema_overwrite_frequency"]
        return ["learning_rate", "weight_decay", *limits, "loss_scale_factor", "name", "momentum", "nesterov"]

    def _check_initialized(self) -> None:
        if not hasattr(self, "_variables"):
            raise StateError(
                f"{type(self).__name__} is not initialized", hint="call super().__init__() first in its __init__"
            )

    def _track(self, variable: Variable) -> Variable:
        self._variables.append(variable)
        return variable

    @property
    def variables(self) -> list[Variable]:
        """Its counters and moments; also variables in attributes of a subclass, and in lists and dictionaries there."""
        weights = {id(weight) for weight in self._trainable}
        held = tree.flatten([value for name, value in vars(self).items() if name not in ("_trainable", "_excluded")])
        found = [part for part in held if isinstance(part, Variable) and id(part) not in weights]
        return list({id(v): v for v in (*self._variables, *found)}.values())

    @property
    def iterations(self) -> Any:
        """The number of updates so far."""
        steps = self.gradient_accumulation_steps
        return ops.floor_divide(self._iterations, steps) if steps else self._iterations

    # ---- learning rate

    @property
    def learning_rate(self) -> Any:
        """The current learning rate: a variable, or the value of the schedule."""
        return self._rate if self._rate is not None else self._current_rate()

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        if callable(learning_rate):
            self._variables = [v for v in self._variables if v is not self._rate]
            self._schedule, self._rate = learning_rate, None
            self._schedule_version += 1
        elif self._rate is None:
            raise CallError(
                "This optimizer was created with a `LearningRateSchedule`: no number can be set in its place",
                where=describe(user_line()),
                got=repr(learning_rate),
                hint="set another schedule, or make the optimizer with a number",
            )
        else:
            self._rate.assign(learning_rate)

    @property
    def schedule_version(self) -> int:
        """How often a schedule was set: a step that was compiled before has another one."""
        return self._schedule_version

    def _current_rate(self) -> Tensor:
        if self._rate is not None:
            return self._rate.value
        if isinstance(self._schedule, LearningRateSchedule):
            return as_tensor(self._schedule(as_tensor(self._iterations)))
        return as_tensor(self._schedule())  # type: ignore[misc]

    # ---- building

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights; subclasses call this first.

        Args:
            variables: The weights that it will update.
        """
        self._trainable = list(variables)
        if self.use_ema:
            self._averages = [
                self.add_variable_from_reference(v, "average", initializer=v.buffer.host()) for v in variables
            ]
        if self.gradient_accumulation_steps:
            self._accumulated = self.add_optimizer_variables(variables, "gradient_accumulator")
        self.built = True

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Creates a variable of the optimizer, such as a count.

        Args:
            shape: Tuple of integers.
            initializer: Name or object of an initializer.
            dtype: Name of a dtype. None: the default float dtype.
            aggregation: Accepted as in Keras; not used without distribution.
            layout: Likewise.
            name: Its name.
        """
        self._check_initialized()
        with scope(self.name, absolute=True):
            variable = Variable(
                initializers.get(initializer), shape=tuple(shape), dtype=dtype, trainable=False, name=name
            )
        return self._track(variable)

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Creates a variable of the shape and dtype of a weight.

        Args:
            reference_variable: The weight.
            name: Its purpose, such as `"momentum"`: a suffix of the weight's name. None: `"var"`.
            initializer: Its initial value.
        """
        known = getattr(reference_variable, "path", None) or reference_variable.name
        full = f"{known.replace('/', '_')}_{name or 'var'}"
        return self.add_variable(reference_variable.shape, initializer, reference_variable.type.dtype.name, name=full)

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Variable], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """Creates a variable, or several, for each weight.

        Args:
            trainable_variables: The weights.
            name: The purpose of the variables; or a list of them.
            initializer: Their initial value; or a list with one for each purpose.

        Returns:
            The list of variables; or a tuple with a list for each purpose.

        Raises:
            ArgumentError: if there is not one initial value for each purpose.
        """
        if isinstance(name, str):
            return [self.add_variable_from_reference(v, name, initializer) for v in trainable_variables]
        firsts = initializer if isinstance(initializer, list | tuple) else [initializer] * len(name)
        if len(firsts) != len(name):
            raise ArgumentError(
                "there is not one initial value for each name", got=f"{len(name)} names, {len(firsts)} values"
            )
        made = [
            [self.add_variable_from_reference(v, n, first) for n, first in zip(name, firsts, strict=True)]
            for v in trainable_variables
        ]
        return tuple([variables[i] for variables in made] for i in range(len(name)))

    def _get_variable_index(self, variable: Variable) -> int:
        for index, known in enumerate(self._trainable):
            if known is variable:
                return index
        raise BuildError(
            "the optimizer was built for other weights",
            where=describe(user_line()),
            got=variable.path,
            expected=", ".join(v.path for v in self._trainable[:5]),
            hint="compile the model again after changing which weights are trainable",
        )

    # ---- a step

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        raise NotImplementedError("an optimizer defines `update_step`")

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Any:
        """Runs a step: `apply` for pairs of gradient and weight."""
        pairs = list(grads_and_vars) if isinstance(grads_and_vars, Iterable) else [grads_and_vars]
        for pair in pairs:
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise ArgumentError(
                    "`apply_gradients` takes pairs of a gradient and a weight",
                    where=describe(user_line()),
                    got=repr(pair)[:80],
                    hint="pass zip(gradients, weights)",
                )
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Runs a step: updates each weight by its gradient.

        Args:
            grads: A gradient for each weight.
            trainable_variables: The weights. None: those for which it was built.

        Raises:
            ArgumentError: if the numbers of gradients and weights differ, or no weight has a gradient.
            BuildError: if the optimizer was built for other weights, or is not built and there are no weights.
        """
        self._check_initialized()
        if not len(grads):
            return
        if trainable_variables is None and not self.built:
            raise BuildError(
                "`apply` without weights of an optimizer that is not built",
                where=describe(user_line()),
                hint="call optimizer.build(trainable_variables) first, or pass the weights",
            )
        weights = self._trainable if trainable_variables is None else list(trainable_variables)
        if len(grads) != len(weights):
            raise ArgumentError(
                "there is not one gradient for each weight",
                where=describe(user_line()),
                got=f"{len(grads)} and {len(weights)}",
            )
        given = [None if g is None else as_tensor(g) for g in grads]
        for gradient, weight in zip(given, weights, strict=True):
            self._check_pair(gradient, weight)
        self._check_missing([v for g, v in zip(grads, weights, strict=True) if g is None], weights)
        if not self.built:
            self.build(weights)
        for weight in weights:
            self._get_variable_index(weight)
        with scope("optimizer", absolute=True):
            self._update([(g, v) for g, v in zip(given, weights, strict=True) if g is not None])

    def _update(self, pairs: list[tuple[Tensor, Variable]]) -> None:
        for gradient, variable in pairs:
            if overwritten(variable):
                variable.assign(gradient)
        pairs = [(g, v) for g, v in pairs if not overwritten(v)]
        pairs = [(g if not self.loss_scale_factor else g / self.loss_scale_factor, v) for g, v in pairs]
        if self.gradient_accumulation_steps:
            self._accumulate(pairs, self.gradient_accumulation_steps)
        else:
            self._update_weights(pairs)
        self._average()
        self._iterations.assign_add(1)
        for _, variable in pairs:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable.value))

    def _update_weights(self, pairs: list[tuple[Tensor, Variable]]) -> None:
        gradients = self._clip([gradient for gradient, _ in pairs])
        rate = self._current_rate()
        self._decay([v for _, v in pairs], rate)
        for gradient, (_, variable) in zip(gradients, pairs, strict=True):
            for_trace(self.update_step)(gradient, variable, rate)

    def _accumulate(self, pairs: list[tuple[Tensor, Variable]], steps: int) -> None:
        """Adds gradients to those of earlier steps; every so many steps, weights are updated by their mean."""
        sums = [(self._accumulated[self._get_variable_index(v)], g) for g, v in pairs]

        def update() -> None:
            self._update_weights([((g + total) / steps, v) for (total, g), (_, v) in zip(sums, pairs, strict=True)])
            for total, gradient in sums:
                total.assign(ops.zeros_like(gradient))

        def add() -> None:
            for total, gradient in sums:
                total.assign_add(gradient)

        ops.cond(ops.equal((self._iterations + 1) % steps, 0), update, add)

    def stateless_apply(
        self, optimizer_variables: Sequence[Any], grads: Sequence[Any], trainable_variables: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        """Runs a step on values instead of variables.

        Args:
            optimizer_variables: The value of each of `variables`.
            grads: A gradient for each weight.
            trainable_variables: The value of each weight.

        Returns:
            The new values of the weights, and of the optimizer's variables.

        Raises:
            BuildError: if the optimizer is not built.
            ArgumentError: if the numbers of values and variables differ.
        """
        if not self.built:
            raise BuildError(
                "`stateless_apply` of an optimizer that is not built",
                where=describe(user_line()),
                hint="call optimizer.build(trainable_variables) first",
            )
        mapping = [*zip_values(self._trainable, trainable_variables), *zip_values(self.variables, optimizer_variables)]
        with StatelessScope(mapping) as state:
            self.apply(grads, self._trainable)
        return [state.read(v) for v in self._trainable], [state.read(v) for v in self.variables]

    @staticmethod
    def _check_pair(gradient: Tensor | None, weight: Any) -> None:
        if not isinstance(weight, Variable):
            raise ArgumentError(
                "an optimizer updates variables",
                where=describe(user_line()),
                got=repr(weight)[:80],
                hint="pass the gradient first, and make what it updates a Variable",
            )
        if gradient is not None and tuple(gradient.shape) != weight.shape:
            raise ShapeError(
                f"the gradient of {weight.path!r} has another shape than the weight",
                where=describe(user_line()),
                got=str(gradient.type),
                expected=str(weight.type),
            )

    def _check_missing(self, missing: list[Variable], weights: list[Variable]) -> None:
        if missing and len(missing) == len(weights):
            raise ArgumentError(
                "there is no gradient for any weight",
                where=describe(user_line()),
                got=f"None for {', '.join(v.path for v in missing[:5])}",
                hint="make a loss that depends on the weights",
            )
        if missing:
            names = ", ".join(v.path for v in missing)
            warnings.warn(f"there are no gradients for {names}, which stay as they are", stacklevel=3)

    def _clip(self, gradients: list[Tensor]) -> list[Tensor]:
        if self.clipnorm and self.clipnorm > 0:
            return [self._scale_to_norm(g, ops.norm(g), self.clipnorm) for g in gradients]
        if self.global_clipnorm and self.global_clipnorm > 0 and gradients:
            squares = [ops.sum(ops.square(g)) for g in gradients]
            length = ops.sqrt(sum(squares[1:], squares[0]))
            return [self._scale_to_norm(g, length, self.global_clipnorm) for g in gradients]
        if self.clipvalue and self.clipvalue > 0:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in gradients]
        return gradients

    @staticmethod
    def _scale_to_norm(gradient: Tensor, length: Tensor, limit: float) -> Tensor:
        return ops.multiply(gradient, limit / ops.maximum(length, limit))

    def _decay(self, variables: Sequence[Variable], rate: Tensor) -> None:
        for variable in variables:
            decay = self._decay_of(variable)
            if decay is not None and self._decays(variable):
                variable.assign_sub(variable.value * ops.cast(decay * rate, variable.type.dtype.name))

    def _decay_of(self, variable: Variable) -> float | None:
        """The weight decay of a weight, if it is not left out."""
        return self.weight_decay

    def _decays(self, variable: Variable) -> bool:
        named = any(re.search(pattern, variable.name) for pattern in self._excluded_names)
        return not named and all(variable is not other for other in self._excluded)

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Excludes weights from weight decay, in place of those that an earlier call excluded.

        Args:
            var_list: The weights.
            var_names: Patterns that are searched in the names of weights: `["bias"]` excludes all biases.

        Raises:
            BuildError: if the optimizer is built already.
        """
        if self.built:
            raise BuildError(
                "weights are left out of the decay before the optimizer is built",
                where=describe(user_line()),
                hint="call exclude_from_weight_decay before fit, train_on_batch or apply",
            )
        self._excluded, self._excluded_names = list(var_list or ()), list(var_names or ())

    def _average(self) -> None:
        if not self.use_ema:
            return
        for variable, average in zip(self._trainable, self._averages, strict=True):
            # In the first step the averages are the weights themselves, not averages with the initial zeros.
            keep = ops.cast(ops.not_equal(self.iterations, 0), variable.type.dtype.name) * self.ema_momentum
            average.assign(keep * average.value + (1 - keep) * variable.value)
            if self.ema_overwrite_frequency:
                steps = self.iterations + 1
                due = ops.equal(steps % self.ema_overwrite_frequency, 0)
                variable.assign(ops.where(due, average.value, variable.value))

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Sets weights to their averages, at the end of training."""
        if not self.use_ema:
            return
        for variable, average in zip(self._trainable, self._averages, strict=True):
            if any(variable is wanted for wanted in var_list):
                variable.assign(average.value)

    def scale_loss(self, loss: Any) -> Any:
        """The loss multiplied by the loss scale."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    # ---- helpers for users' subclasses

    def assign(self, variable: Variable, value: Any) -> None:
        """Sets a variable."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Adds to a variable."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtracts from a variable."""
        variable.assign_sub(value)

    # ---- configuration

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal optimizer."""
        rate: Any = serialize_keras_object(self._schedule)
        if self._rate is not None:
            rate = float(self._rate.numpy())
        return {name: getattr(self, name) for name in _SHARED} | declared_config(self) | {"learning_rate": rate}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Creates an optimizer from a configuration that `get_config` returned."""
        rate = config.get("learning_rate")
        if isinstance(rate, dict):
            config = {**config, "learning_rate": deserialize_keras_object(rate, custom_objects)}
        return cls(**config)

    # ---- state

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets its variables.

        Args:
            weights: A value for each of `variables`.

        Raises:
            BuildError: if the optimizer is not built.
            ShapeError: if a value has another shape than its variable.
            ArgumentError: if the numbers of values and variables differ.
        """
        if not self.built:
            raise BuildError(
                "`set_weights` of an optimizer that is not built",
                where=describe(user_line()),
                hint="call optimizer.build(trainable_variables) first",
            )
        pairs = zip_values(self.variables, weights)
        for variable, weight in pairs:
            if tuple(np.shape(weight)) != variable.shape:
                raise ShapeError(
                    f"the value of {variable.path!r} has another shape",
                    where=describe(user_line()),
                    got=str(np.shape(weight)),
                    expected=str(variable.shape),
                )
        for variable, weight in pairs:
            variable.assign(weight)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Stores its variables by number."""
        store.update({str(i): v.numpy() for i, v in enumerate(self.variables)})

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Sets its variables to those that `save_own_variables` stored; if there is another number, it warns."""
        variables = self.variables
        if len(store) != len(variables):
            warn(f"{self.name} has {len(variables)} variables, and {len(store)} are stored: none is loaded")
            return
        for i, variable in enumerate(variables):
            variable.assign(store[str(i)])
