"""Several optimizers, each for some of the weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping, Sequence
from types import MappingProxyType
from typing import Any

from graphc.errors import ArgumentError, BuildError, CallError, NoAttributeError
from graphc.optimizers.loss_scale_optimizer import LossScaleOptimizer
from graphc.optimizers.optimizer import Optimizer
from graphc.parameters import Kind, configured
from graphc.registration import Configurable, deserialize_keras_object, exported, serialize_keras_object
from graphc.tracing import Variable, describe, user_line


@exported("keras.optimizers")
@configured
class OptimizerMap(Configurable, MutableMapping[str, Optimizer]):
    """Optimizers by the paths of weights, or by regular expressions that match whole paths.

    Args:
        default_optimizer: The optimizer of weights that no path or expression names.
        optimizer_map: A dictionary of the others. None: empty.

    Raises:
        CallError: if something else is given.

    Example:

    >>> from graphc import optimizers
    >>> by_path = OptimizerMap(optimizers.SGD(), {"encoder/.*": optimizers.Adam()})
    >>> type(by_path["encoder/dense/kernel"]).__name__, type(by_path["decoder/dense/kernel"]).__name__
    ('Adam', 'SGD')
    """

    default_optimizer: Any
    optimizer_map: Any = None

    _kinds = MappingProxyType(
        {
            "default_optimizer": Kind("", decode=deserialize_keras_object, encode=serialize_keras_object),
            "optimizer_map": Kind(
                "", decode=deserialize_keras_object, encode=serialize_keras_object, attribute="_optimizers"
            ),
        }
    )
    _optimizers: dict[str, Any]

    def _prepare(self) -> None:
        if not isinstance(self.default_optimizer, Optimizer):
            raise CallError("the default optimizer is an optimizer", got=repr(self.default_optimizer)[:80])
        if self._optimizers is not None and not isinstance(self._optimizers, dict):
            raise CallError("the map is a dictionary of optimizers", got=repr(self._optimizers)[:80])
        self._optimizers = dict(self._optimizers or {})

    def __getitem__(self, key: str) -> Any:
        """The optimizer of a path.

        Raises:
            ArgumentError: if several expressions match it.
        """
        if key in self._optimizers:
            return self._optimizers[key]
        matching = [pattern for pattern in self._optimizers if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ArgumentError(f"several optimizers are for {key!r}", got=", ".join(map(repr, matching)))
        return self._optimizers[matching[0]] if matching else self.default_optimizer

    def __setitem__(self, key: str, optimizer: Any) -> None:
        if not isinstance(key, str):
            raise ArgumentError("a key is a path, or a regular expression for paths", got=repr(key))
        if key in self._optimizers:
            raise ArgumentError("there is an optimizer for this key already", got=repr(key), hint="delete it first")
        _require_single(optimizer, key)
        self._optimizers[key] = optimizer

    def __delitem__(self, key: str) -> None:
        del self._optimizers[key]

    def __len__(self) -> int:
        return len(self._optimizers)

    def __iter__(self) -> Iterator[str]:
        return iter(self._optimizers)

    def __call__(self, variable: Any) -> Any:
        """The optimizer of a weight."""
        return self[variable.path]

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Creates a map from a configuration that `get_config` returned."""
        return cls(**deserialize_keras_object(config, custom_objects))


def _require_single(optimizer: Any, what: str) -> None:
    if not isinstance(optimizer, Optimizer) or isinstance(optimizer, LossScaleOptimizer | MultiOptimizer):
        raise ArgumentError(
            f"what updates {what!r} is no optimizer of weights",
            where=describe(user_line()),
            got=repr(optimizer)[:80],
            expected="an optimizer, no LossScaleOptimizer or MultiOptimizer",
        )


@exported("keras.optimizers")
class MultiOptimizer(Optimizer):
    """Updates each weight by the optimizer that a map, or a function, gives for it.

    Args:
        optimizer_map: An `OptimizerMap`, or a function of a weight that returns its optimizer.
        loss_scale_factor: Factor by which the loss is multiplied and gradients are divided, in place of those of the
            optimizers.
        name: Its name.

    Raises:
        ArgumentError: if what updates a weight is no optimizer of weights.

    Example:

    >>> from graphc import optimizers
    >>> optimizer = MultiOptimizer(OptimizerMap(optimizers.SGD(1.0), {"fixed": optimizers.SGD(0.0)}))
    >>> fixed, free = Variable(1.0, name="fixed"), Variable(1.0, name="free")
    >>> optimizer.apply([0.5, 0.5], [fixed, free])
    >>> float(fixed), float(free)
    (1.0, 0.5)
    """

    def __init__(self, optimizer_map: Any, loss_scale_factor: float | None = None, name: str | None = None) -> None:
        if not callable(optimizer_map):
            raise ArgumentError("optimizers come from a map or a function", got=repr(optimizer_map)[:80])
        self._members: list[Any] = []
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_map = optimizer_map
        if isinstance(optimizer_map, OptimizerMap):
            for optimizer in (*optimizer_map.values(), optimizer_map.default_optimizer):
                self._position(optimizer)

    def _position(self, optimizer: Any) -> int:
        """The position of an optimizer among its optimizers."""
        for position, known in enumerate(self._members):
            if known is optimizer:
                return position
        optimizer.loss_scale_factor = self.loss_scale_factor
        self._members.append(optimizer)
        return len(self._members) - 1

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the variables of the optimizers, each for its weights."""
        if self.built:
            return
        self._places: list[int] = []
        for variable in variables:
            optimizer = self._optimizer_map(variable)
            _require_single(optimizer, variable.path)
            self._places.append(self._position(optimizer))
        for optimizer, weights in self._shared_out(variables, variables):
            optimizer.build([weight for _, weight in weights])
        super().build(variables)

    def _shared_out(self, variables: Sequence[Variable], values: Sequence[Any]) -> Iterator[tuple[Any, list[Any]]]:
        """Each optimizer with its weights, and what belongs to these."""
        places = self._places
        if self.built:
            places = [self._places[self._get_variable_index(variable)] for variable in variables]
        for position, optimizer in enumerate(self._members):
            pairs = zip(values, variables, places, strict=True)
            own = [(value, variable) for value, variable, place in pairs if place == position]
            if own:
                yield optimizer, own

    @property
    def optimizers(self) -> list[Any]:
        """The optimizers."""
        return list(self._members)

    @property
    def variables(self) -> list[Variable]:
        """Its counter, and the variables of the optimizers."""
        return [*self._variables, *(v for optimizer in self._members for v in optimizer.variables)]

    @property
    def learning_rate(self) -> Any:
        """There is none: each of `optimizers` has its own."""
        raise self._no_rate()

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        raise self._no_rate()

    @staticmethod
    def _no_rate() -> NoAttributeError:
        return NoAttributeError(
            "a MultiOptimizer has no learning rate", hint="get or set that of each one in its `optimizers`"
        )

    @property
    def schedule_version(self) -> int:
        """How often schedules of the optimizers were set."""
        return sum(optimizer.schedule_version for optimizer in self._members)

    @property
    def loss_scale_factor(self) -> Any:
        """Factor by which the loss is multiplied; gradients are divided by the optimizers."""
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, factor: Any) -> None:
        self._loss_scale_factor = factor
        for optimizer in self._members:
            optimizer.loss_scale_factor = factor

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Runs a step: each optimizer updates its weights.

        Args:
            grads: A gradient for each weight.
            trainable_variables: The weights. None: those for which it was built.
        """
        if not len(grads):
            return
        if trainable_variables is None and not self.built:
            raise BuildError(
                "`apply` without weights of an optimizer that is not built",
                where=describe(user_line()),
                hint="call optimizer.build(trainable_variables) first, or pass the weights",
            )
        weights = self._trainable if trainable_variables is None else list(trainable_variables)
        if not self.built:
            self.build(weights)
        if len(grads) != len(weights):
            raise ArgumentError(
                "there is not one gradient for each weight",
                where=describe(user_line()),
                got=f"{len(grads)} and {len(weights)}",
            )
        for optimizer, pairs in self._shared_out(weights, grads):
            optimizer.apply([gradient for gradient, _ in pairs], [weight for _, weight in pairs])
        self._iterations.assign_add(1)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Sets weights to their averages, at the end of training, where their optimizers keep averages."""
        for optimizer, pairs in self._shared_out(var_list, var_list):
            optimizer.finalize_variable_values([weight for _, weight in pairs])

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal optimizer."""
        return {
            "optimizer_map": serialize_keras_object(self._optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Creates an optimizer from a configuration that `get_config` returned."""
        return cls(**{**config, "optimizer_map": deserialize_keras_object(config["optimizer_map"], custom_objects)})
