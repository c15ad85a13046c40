"""The weights of a layer and of its sublayers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from graphc import constraints, dtypes, initializers, regularizers
from graphc.dtype_policies import DTypePolicy
from graphc.errors import ArgumentError, ShapeError, StateError, WeightsError
from graphc.graph.types import Origin
from graphc.layers.tracking import is_metric, parts, unique
from graphc.random import SeedGenerator
from graphc.tracing import Array, Operation, Variable, describe, scope

# The identities of the layers whose `build` or `call` is running, outermost first.
active_layers: ContextVar[tuple[int, ...]] = ContextVar("graphc_running_layers", default=())

# How many elements the weights that are created may have, in a list of one number; None: any number.
_room: ContextVar[list[int] | None] = ContextVar("graphc_room_for_weights", default=None)
# So many are no matter.
_FEW = 1 << 22


@contextmanager
def weight_limit(elements: int) -> Iterator[None]:
    """A context in which layers create weights of about so many elements at most, as a file that is read holds.

    Args:
        elements: The number of elements; a few million more are accepted.
    """
    token = _room.set([elements + _FEW])
    try:
        yield
    finally:
        _room.reset(token)


def _take_room(owner: WeightOwner, shape: tuple[int, ...]) -> None:
    """Counts a weight that is about to be created.

    Raises:
        WeightsError: if there are too many elements.
    """
    room = _room.get()
    if room is None:
        return
    room[0] -= math.prod(shape)
    if room[0] < 0:
        raise WeightsError(
            "the configuration in a file asks for more weights than the file holds",
            layer=owner.name,
            got=f"a weight of shape {shape}",
        )


# Attributes that say how weights begin and change, not what a call computes.
_OF_WEIGHTS = ("_initializer", "_regularizer", "_constraint")


class WeightOwner(Operation):
    """The methods of a layer that create and collect weights."""

    _origin: Origin
    _dtype_policy: DTypePolicy
    _trainable: bool
    built: bool
    _weights: list[Variable]

    # Attributes whose contents are not parts of the layer.
    _internal = frozenset({"_inbound_nodes", "_init_args", "_losses", "_build_args", "_repeated_calls", "_remat_scope"})
    # How often attributes were set that its calls may read.
    _attribute_changes = 0

    def __setattr__(self, name: str, value: Any) -> None:
        """Sets an attribute; what was compiled of the layer's calls is then out of date."""
        if name not in self._internal and self.__dict__.get(name, self) is not value:
            self.__dict__["_attribute_changes"] = self._attribute_changes + 1
        super().__setattr__(name, value)

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Creates a weight of the layer.

        Args:
            shape: Tuple of integers. None: a scalar.
            initializer: Name, object or function. None: `"glorot_uniform"` for floats, else `"zeros"`.
            dtype: Name of a dtype. None: that of the layer.
            trainable: Whether optimizers change it.
            autocast: Whether it is read in the compute dtype of the layer.
            regularizer: Name or object.
            constraint: Name or object.
            aggregation: Accepted as in Keras; not used without distribution.
            overwrite_with_gradient: Not supported yet.
            name: Its name.

        Returns:
            A `Variable`.
        """
        if self.built and active_layers.get()[-1:] == (id(self),):
            raise ArgumentError(
                "a weight is created in `call`, which would create another one at each call",
                layer=self.name,
                where=describe(self._origin),
                got=repr(name),
                hint="create it in `__init__` or `build`",
            )
        if overwrite_with_gradient:
            raise ArgumentError("overwrite_with_gradient is not supported yet")
        dtype = dtypes.as_dtype(self._dtype_policy.variable_dtype if dtype is None else dtype)
        if initializer is None:
            initializer = "glorot_uniform" if dtype.is_float else "zeros"
        sizes = () if shape is None else tuple(shape)
        if not all(isinstance(size, int | np.integer) for size in sizes):
            raise ShapeError(
                "a weight needs a known shape", layer=self.name, where=describe(self._origin), got=str(sizes)
            )
        _take_room(self, sizes)
        with scope(self._enclosing_scope()):
            variable = Variable(
                initializers.get(initializer),
                shape=tuple(int(size) for size in sizes),
                dtype=dtype.name,
                trainable=trainable,
                autocast=autocast,
                aggregation=aggregation,
                name=name,
            )
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        if not self.trainable:
            variable.trainable = False
        self._weights.append(variable)
        return variable

    def add_variable(self, shape: Any, initializer: Any, *args: Any, **options: Any) -> Variable:
        """Creates a weight: `add_weight` under another name."""
        return self.add_weight(shape, initializer, *args, **options)

    @property
    def path(self) -> str | None:
        """Its name, with those of the layers around it; None before it is built."""
        if not self.built:
            return None
        own = self._own_variables()
        return own[0].path.rpartition("/")[0] if own else self.name

    def _new_weight(self, name: str, shape: Any, arguments: str | None = None, **options: Any) -> Variable:
        """Creates a weight as arguments of the layer say: `<name>_initializer`, `..._regularizer` and `..._constraint`.

        Args:
            name: Its name.
            shape: Tuple of integers.
            arguments: The name with which these arguments begin, if it is another one.
            **options: Further arguments of `add_weight`.
        """
        kinds = ("initializer", "regularizer", "constraint")
        given: dict[str, Any] = {kind: getattr(self, f"{arguments or name}_{kind}", None) for kind in kinds}
        return self.add_weight(name=name, shape=shape, **(given | options))

    def _enclosing_scope(self) -> str:
        """The scope to enter for its weights: its name, or none if its own `build` or `call` has entered it."""
        return "" if active_layers.get()[-1:] == (id(self),) else self.name

    def _functions(self) -> Iterator[Any]:
        """The functions in its attributes that its calls may run."""
        for name, value in vars(self).items():
            if callable(value) and name not in self._internal and not name.endswith(_OF_WEIGHTS):
                yield value

    def _parts(self) -> Iterator[Any]:
        return parts(self, self._internal)

    @property
    def _layers(self) -> list[Any]:
        return unique(part for part in self._parts() if isinstance(part, WeightOwner) and part is not self)

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Any]:
        found: list[Any] = [self] if include_self else []
        for layer in self._layers:
            found += layer._flatten_layers() if recursive else [layer]
        return unique(found)

    def _own_variables(self) -> list[Variable]:
        own = unique(part for part in self._parts() if isinstance(part, Variable))
        return [v for v in own if v.can_train] + [v for v in own if not v.can_train]

    @property
    def weights(self) -> list[Variable]:
        """Its variables and those of its sublayers, without the states of seed generators and metrics."""
        return unique([*self._own_variables(), *(v for layer in self._layers for v in layer.weights)])

    @property
    def variables(self) -> list[Variable]:
        """Its variables and those of its sublayers, with the states of seed generators."""
        seeds = [part.state for part in self._parts() if isinstance(part, SeedGenerator)]
        inner = [v for layer in self._layers for v in layer.variables]
        return unique([*self._own_variables(), *seeds, *inner])

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that optimizers update."""
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that optimizers do not update."""
        return [v for v in self.weights if not v.trainable] if self.trainable else self.weights

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that optimizers update."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that optimizers do not update."""
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.variables if id(v) not in trainable]

    @property
    def metrics(self) -> list[Any]:
        """The metrics in its attributes and those of its sublayers."""
        return unique([*self._own_metrics(), *self._metrics_of_layers()])

    @property
    def input_dtype(self) -> str:
        """The dtype that floating-point inputs are converted to."""
        return self._dtype_policy.compute_dtype

    @property
    def metrics_variables(self) -> list[Any]:
        """The variables of its metrics."""
        return [v for metric in self.metrics for v in metric.variables]

    def _own_metrics(self) -> list[Any]:
        return [part for part in self._parts() if is_metric(part)]

    def _metrics_of_layers(self) -> list[Any]:
        return [metric for layer in self._layers for metric in layer._metrics_within()]

    def _metrics_within(self) -> list[Any]:
        """What it contributes to the metrics of a layer that contains it."""
        return self.metrics

    @property
    def trainable(self) -> bool:
        """Whether optimizers update its weights."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for part in self._parts():
            if (isinstance(part, Variable) and part.can_train) or isinstance(part, WeightOwner):
                part.trainable = value

    def get_weights(self) -> list[Array]:
        """The values of its weights as NumPy arrays."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Sets its weights.

        Args:
            weights: An array for each of `weights`, in the same order.

        Raises:
            ArgumentError: if the number of arrays differs.
            ShapeError: if a shape differs; no weight is then changed.
        """
        variables = self.weights
        if len(variables) != len(weights):
            raise ArgumentError(
                f"the number of weights for {self.name!r} is wrong", got=len(weights), expected=len(variables)
            )
        arrays = [np.asarray(weight) for weight in weights]
        for variable, array in zip(variables, arrays, strict=True):
            if variable.shape != array.shape:
                raise ShapeError(
                    f"the weight {variable.path!r} has another shape", got=array.shape, expected=variable.shape
                )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

    def save_own_variables(self, store: Any) -> None:
        """Stores its own variables, not those of its sublayers; subclasses may store others.

        Args:
            store: Dictionary, to which arrays are added by name.
        """
        for i, variable in enumerate(self._own_variables()):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Sets its own variables to what `save_own_variables` stored.

        Args:
            store: Dictionary of arrays by name.

        Raises:
            ArgumentError: if the number of arrays differs.
            ShapeError: if a shape differs.
        """
        own = self._own_variables()
        if len(own) != len(store):
            raise ArgumentError(f"the number of weights for {self.name!r} is wrong", got=len(store), expected=len(own))
        for i, variable in enumerate(own):
            variable.assign(store[str(i)])

    def count_params(self) -> int:
        """The number of parameters in its weights.

        Raises:
            StateError: if it has no weights yet.
        """
        if not self.built:
            raise StateError(f"{self.name!r} has no weights yet", hint="build it, or call it on data")
        return sum(int(np.prod(v.shape)) for v in self.weights)
