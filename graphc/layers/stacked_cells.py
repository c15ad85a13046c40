"""Cells in sequence, as one cell."""

from __future__ import annotations

from typing import Any

from graphc import ops, tree
from graphc.errors import ArgumentError
from graphc.layers.layer import Layer
from graphc.layers.recurrent_cell_base import accepts_argument, output_size_of, state_list
from graphc.parameters import configured
from graphc.registration import exported

_MODULE = "keras.layers"


@exported(_MODULE)
@configured
class StackedRNNCells(Layer):
    """A sequence of cells as one cell: the input of each is the output of the previous one.

    Args:
        cells: List of cells.

    Raises:
        ArgumentError: if one of them is not a cell.

    Example:

    >>> from graphc.layers import GRUCell, LSTMCell
    >>> cell = StackedRNNCells([LSTMCell(4), GRUCell(3)])
    >>> cell.state_size, cell.output_size
    ([[4, 4], 3], 3)
    """

    cells: Any

    def _prepare(self) -> None:
        for cell in self.cells:
            if not callable(getattr(cell, "call", None)) or not hasattr(cell, "state_size"):
                raise ArgumentError(
                    "a cell has a method `call` and an attribute `state_size`", layer=self.name, got=repr(cell)
                )

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the states of each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """The size of the last cell's output."""
        return output_size_of(self.cells[-1])

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """The initial states of each cell."""
        return [self._first(cell, batch_size) for cell in self.cells]

    def _first(self, cell: Any, batch_size: Any) -> Any:
        if hasattr(cell, "get_initial_state"):
            return cell.get_initial_state(batch_size=batch_size)
        zeros = [ops.zeros((batch_size, size), self.compute_dtype) for size in state_list(cell.state_size)]
        return zeros if isinstance(cell.state_size, list | tuple) else zeros[0]

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights of the cells."""
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell.build(input_shape)
                cell.built = True
            input_shape = (tree.flatten(input_shape)[0], output_size_of(cell))

    def call(self, inputs: Any, states: Any, training: bool | None = False, **kwargs: Any) -> Any:
        """The output of the last cell, and the new states of each."""
        new: list[Any] = []
        for cell, part in zip(self.cells, states, strict=True):
            options = {**kwargs, "training": training} if accepts_argument(cell, "training") else kwargs
            inputs, after = (cell if callable(cell) else cell.call)(inputs, state_list(part), **options)
            single = not isinstance(part, list | tuple)
            new.append(state_list(after)[0] if single else state_list(after))
        return inputs, new
