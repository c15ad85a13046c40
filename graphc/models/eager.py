"""Steps that run their operations one by one (`run_eagerly`): prints and breakpoints in them work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc import config as settings
from graphc import dtypes, tree
from graphc.layers.layer import training_mode
from graphc.models.data import Batch, DataSpec
from graphc.models.objectives import noted_labels
from graphc.models.program import Prediction, Program, RowsProgram, Trainable, run_step
from graphc.runtime.state import StateBuffer
from graphc.tracing import Array, as_tensor, cast, scope


class _Eager(Program):
    """A step of a model that is run eagerly.

    Args:
        model: The model.
        data_spec: The shapes and dtypes of the data, and how they nest.
        mode: `"train"`, `"test"` or `"predict"`.
        function: What runs a step on the next batch of an iterator. None: the model's step.
    """

    def __init__(self, model: Trainable, data_spec: DataSpec, mode: str, function: Any = None) -> None:
        self.mode = mode
        self._model, self._spec, self._function = model, data_spec, function

    @property
    def is_current(self) -> bool:
        """Always: it calls the model's own step."""
        return True

    def prepare(self, batch: Batch) -> None:
        """Does nothing: labels are checked in each step, as eager tensors."""

    def _step(self, arrays: Mapping[str, Array]) -> Any:
        """What the model's step returns for a batch."""
        tensors = {name: _converted(array) for name, array in arrays.items()}
        data = self._spec.data(tensors)
        where = scope("", self._model.compile_origin, absolute=True)
        with where, training_mode(self.mode == "train"), noted_labels() as labels:
            step = getattr(self._model, f"{self.mode}_step")
            found = run_step(
                self._model, self.mode, data, step if self._function is None else lambda x: self._function(iter([x]))
            )
        for name, tensor in tensors.items():
            for target, classes in labels:
                if target is tensor:
                    classes.check(tensor.array, self._spec.display_name(name))
        return found


class EagerStep(_Eager, RowsProgram):
    """A step of training or evaluation."""

    logs: tuple[str, ...] = ()

    def run(
        self,
        data: Mapping[str, Array | StateBuffer],
        order: Array | StateBuffer,
        samples: int,
        batch: int,
        repeat: int = 1,
        start: int = 0,
    ) -> list[Array]:
        """Runs steps on consecutive batches of the order of visits (see `RowsProgram`)."""
        visits = _host(order)
        outputs: list[Array] = []
        for first in range(start, start + repeat * batch, batch):
            rows = visits[first : first + batch]
            outputs = self._outputs({name: _host(array)[rows] for name, array in data.items()})
        return outputs

    def run_once(self, batch: Batch) -> list[Array]:
        """Runs one step on all samples of a batch."""
        return self._outputs(batch.arrays)

    def _outputs(self, arrays: Mapping[str, Array]) -> list[Array]:
        found = self._step(arrays)
        self.logs = tuple(found)
        return [np.asarray(value.array) for value in found.values()]


class EagerPrediction(_Eager, Prediction):
    """A prediction."""

    _structure: Any = None

    def run_once(self, batch: Batch) -> list[Array]:
        """The outputs for all samples of a batch."""
        return self._outputs(batch.arrays)

    def _outputs(self, arrays: Mapping[str, Array]) -> list[Array]:
        leaves, self._structure = tree.flatten_with_spec(self._step(arrays))
        return [np.array(as_tensor(leaf).array) for leaf in leaves]

    def unflatten(self, outputs: list[Array]) -> Any:
        """Outputs, nested as the model nests them."""
        return tree.unflatten(self._structure, outputs)

    def empty_outputs(self) -> list[Array]:
        """The outputs for zero samples: none of those for one."""
        one = {leaf.name: np.zeros((1, *leaf.shape), leaf.dtype.numpy) for leaf in self._spec.leaves}
        return [output[:0] for output in self._outputs(one)]


def eager_program(model: Trainable, data_spec: DataSpec, mode: str, function: Any = None) -> Program:
    """The step of a model for data of a spec, run eagerly, or a function of the user's that runs it."""
    return (EagerPrediction if mode == "predict" else EagerStep)(model, data_spec, mode, function)


def _host(array: Array | StateBuffer) -> Array:
    return array.host() if isinstance(array, StateBuffer) else array


def _converted(array: Array) -> Any:
    """Data in the dtype in which models compute; strings as they are."""
    if array.dtype.kind in "OSU":
        return array
    tensor = as_tensor(array)
    return cast(tensor, dtypes.as_dtype(settings.floatx())) if tensor.type.dtype.is_float else tensor
