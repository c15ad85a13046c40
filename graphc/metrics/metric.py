"""The base class of metrics: numbers that accumulate over batches."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc import config as settings
from graphc import dtypes, initializers, tree
from graphc.errors import StateError
from graphc.parameters import Kind, declared_config
from graphc.registration import Configurable
from graphc.tracing import Variable, given_name, scope, snake_case
from graphc.tracing.state import StatelessScope, is_eager, zip_values


class Metric(Configurable):
    """A value that is accumulated over batches.

    Subclasses create variables in `__init__` with `add_variable`, and define `update_state` and `result`.

    Args:
        dtype: The dtype of its variables. None: the default float dtype.
        name: Its name. None: one derived from the name of the class.

    Example:

    >>> class Largest(Metric):
    ...     def __init__(self, name="largest", **kwargs):
    ...         super().__init__(name=name, **kwargs)
    ...         self.seen = self.add_variable((), "zeros", name="seen")
    ...     def update_state(self, values):
    ...         from graphc import ops
    ...         self.seen.assign(ops.maximum(self.seen, ops.max(values)))
    ...     def result(self):
    ...         return self.seen.value
    >>> metric = Largest()
    >>> metric.update_state([1.0, 5.0])
    >>> float(metric.result())
    5.0
    """

    _kinds = MappingProxyType({"name": Kind("Its name."), "dtype": Kind("The dtype it is formed in.")})
    # The direction of improvement, "up" or "down"; None: unknown.
    _direction: str | None = None

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = given_name(name, snake_case(type(self).__name__), slashes=True)
        chosen = settings.floatx() if dtype is None else getattr(dtype, "compute_dtype", dtype)
        self._dtype = dtypes.as_dtype(chosen)
        # A half accumulates in float32: counts in float16 would stop at 2,048.
        self._wide = self._dtype.accumulator
        self._variables: list[Variable] = []

    @property
    def dtype(self) -> str:
        """The dtype of its variables."""
        return self._dtype.name

    def add_variable(
        self, shape: Any, initializer: Any, dtype: Any = None, aggregation: str = "sum", name: str | None = None
    ) -> Variable:
        """Creates a variable that accumulates.

        Args:
            shape: Tuple of integers.
            initializer: Name or object of an initializer.
            dtype: Name of a dtype. None: that of the metric, but float32 instead of a half.
            aggregation: Accepted as in Keras; not used without distribution.
            name: Its name.
        """
        self._check_initialized()
        with scope(self.name, absolute=True):
            variable = Variable(
                initializers.get(initializer),
                shape=tuple(shape),
                dtype=dtype or self._wide.name,
                trainable=False,
                aggregation=aggregation,
                name=name,
            )
        self._variables.append(variable)
        return variable

    def _check_initialized(self) -> None:
        if not hasattr(self, "_variables"):
            raise StateError(
                f"{type(self).__name__} is not initialized", hint="call super().__init__() first in its __init__"
            )

    def add_weight(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        """Creates a variable that accumulates: `add_variable` with defaults."""
        return self.add_variable(shape, "zeros" if initializer is None else initializer, dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """Its variables, also those in attributes, and in lists and dictionaries there; then those of metrics there."""
        held = [
            part
            for value in vars(self).values()
            for part in (tree.flatten(value) if isinstance(value, list | tuple | dict) else [value])
        ]
        found = [*self._variables, *(part for part in held if isinstance(part, Variable))]
        found += [v for part in held if isinstance(part, Metric) for v in part.variables]
        return list({id(v): v for v in found}.values())

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Updates the metric with a batch."""
        raise NotImplementedError("a metric defines `update_state`")

    def result(self) -> Any:
        """The result for all batches since the last reset."""
        raise NotImplementedError("a metric defines `result`")

    def reset_state(self) -> None:
        """Resets its variables to zero."""
        eager = is_eager()
        for variable in self.variables:
            if eager:
                variable.buffer.assign(np.zeros((), variable.buffer.dtype))  # without an array of its shape
            else:
                variable.assign(np.zeros(variable.shape, variable.buffer.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Updates the metric with a batch and returns the result."""
        self._check_initialized()
        self.update_state(*args, **kwargs)
        return self.result()

    def stateless_update_state(self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """Updates values instead of variables with a batch.

        Args:
            metric_variables: The value of each of `variables`.
            *args: The arguments of `update_state`.
            **kwargs: Likewise.

        Returns:
            The new values.

        Raises:
            ArgumentError: if the numbers of values and variables differ.
        """
        with StatelessScope(zip_values(self.variables, metric_variables)) as state:
            self.update_state(*args, **kwargs)
        return [state.read(v) for v in self.variables]

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """The result for the values of its variables."""
        with StatelessScope(zip_values(self.variables, metric_variables)):
            return self.result()

    def stateless_reset_state(self) -> list[Any]:
        """The values of its variables after a reset."""
        with StatelessScope() as state:
            self.reset_state()
        return [state.read(v) for v in self.variables]

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal metric."""
        return {"name": self.name, "dtype": self.dtype} | declared_config(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class NamedMetric(Metric):
    """The base class of metrics that take their name before their dtype, behind the arguments that they declare."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(dtype, name)
