"""Recurrent layers: the loop over the steps of sequences, in which a cell computes one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import initializers, ops, tree
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.layer import Layer
from graphc.layers.recurrent_cell_base import DropoutRNNCell, accepts_argument, output_size_of, state_list
from graphc.layers.stacked_cells import StackedRNNCells
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import Variable, bind, describe, scope

_MODULE = "keras.layers"

Step = Callable[[Any, list[Any]], tuple[Any, list[Any]]]


@exported(_MODULE)
@configured
class RNN(Layer):
    """A loop over the steps of sequences: a cell is called on each step and on the states of the previous step.

    The compiler hoists operations that depend on the inputs alone out of the loop and vectorizes them over all steps,
    and likewise the parts of the gradient on which no other step depends.

    Args:
        cell: A layer with `state_size` (an integer, or a list of them) and `call(inputs, states)`, which returns the
            output and the next states. It may have `output_size` and `get_initial_state(batch_size)`. A list of cells
            becomes `StackedRNNCells`.

    Call arguments:
        sequences: Tensor of shape `(batch, steps, ...)`.
        initial_state: List of tensors of shape `(batch, size)`. None: the cell's, or zeros.
        mask: Booleans of shape `(batch, steps)`: the states do not change in a step where it is False.
        training: Whether the model trains: whether there is dropout.

    Raises:
        ArgumentError: if `cell` is not a cell.

    Example:

    >>> from graphc.layers import SimpleRNNCell
    >>> RNN(SimpleRNNCell(4), return_sequences=True)(ops.ones((2, 3, 5))).shape
    (2, 3, 4)
    """

    _internal = Layer._internal | {"states"}

    cell: Any
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False

    def _prepare(self) -> None:
        cell = StackedRNNCells(self.cell) if isinstance(self.cell, list | tuple) else self.cell
        if not callable(getattr(cell, "call", None)):
            raise ArgumentError("a cell has a method `call`", where=describe(self._origin), got=repr(cell))
        size = getattr(cell, "state_size", None)
        if not isinstance(size, int | list | tuple):
            raise ArgumentError(
                "a cell has an attribute `state_size`",
                where=describe(self._origin),
                got=repr(size),
                expected="an integer, or a list of integers",
            )
        self.cell = cell
        self.supports_masking = True
        self.states: list[Any] | None = None
        self.single_state = isinstance(size, int)
        self.state_size: list[Any] = [size] if isinstance(size, int) else list(size)

    # ---- shapes

    def build(  # type: ignore[override]
        self, sequences_shape: Any, initial_state_shape: Any = None
    ) -> None:
        """Creates the weights of the cell, and the states of a stateful layer."""
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))
            self.cell.built = True
        if self.stateful and self.states is None:
            if sequences_shape[0] is None:
                raise ShapeError(
                    "a stateful layer needs to know the size of a batch",
                    layer=self.name,
                    got=f"shape {sequences_shape}",
                    hint="pass batch_size= to Input",
                )
            self._make_states(sequences_shape[0])

    def _make_states(self, batch: int) -> None:
        self.states = tree.map_structure(lambda size: self._kept_state((batch, size)), self.state_size)

    def _kept_state(self, shape: Any) -> Variable:
        with scope(self._enclosing_scope()):
            return Variable(initializers.Zeros(), shape, self.variable_dtype, trainable=False, name="rnn_state")

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """The initial states: those of the cell, or zeros."""
        if hasattr(self.cell, "get_initial_state"):
            return state_list(self.cell.get_initial_state(batch_size=batch_size))
        return [ops.zeros((batch_size, size), self.cell.compute_dtype) for size in self.state_size]

    def reset_state(self) -> None:
        """Resets the states of a stateful layer to zero."""
        for state in tree.flatten(self.states or []):
            state.assign(ops.zeros(state.shape, state.dtype))

    def reset_states(self) -> None:
        """An alias of `reset_state`, its older name."""
        self.reset_state()

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """The shape of the outputs, followed by those of the states if they are returned."""
        batch, length = sequences_shape[0], sequences_shape[1]
        size = getattr(self.cell, "output_size", None)
        size = self.state_size[0] if size is None else size
        if not isinstance(size, int):
            raise ArgumentError("output_size is an integer", layer=self.name, got=repr(size))
        output = (batch, length, size) if self.return_sequences else (batch, size)
        if not self.return_state:
            return output
        return output, *(
            [(batch, part) for part in state] if isinstance(state, list | tuple) else (batch, state)
            for state in self.state_size
        )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the inputs for outputs that are sequences; None for the others."""
        steps = tree.flatten(mask)[0] if self.return_sequences else None
        return [steps, *(None for _ in self.state_size)] if self.return_state else steps

    # ---- the loop

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool | None = False) -> Any:
        """The outputs, and the last states if requested."""
        states = self._first_states(sequences, initial_state)
        mask = tree.flatten(mask)[0]
        if training:
            self._draw_masks(self.cell, sequences[:, 0], states)
        try:
            last, outputs, states = self.inner_loop(sequences, states, mask, bool(training))
        finally:
            self._reset_masks(self.cell)
        states = tree.map_structure(lambda x: ops.cast(x, self.compute_dtype), states)
        if self.stateful:
            for kept, new in zip(tree.flatten(self.states), tree.flatten(states), strict=True):
                kept.assign(_of_size(new, kept.shape[0]))
        output = ops.cast(outputs if self.return_sequences else last, self.compute_dtype)
        return (output, *states) if self.return_state else output

    def _first_states(self, sequences: Any, initial_state: Any) -> list[Any]:
        batch = sequences.shape[0]
        if self.stateful and self.states is not None:
            expected = tree.flatten(self.states)[0].shape[0]
            if isinstance(batch, int) and batch != expected:
                raise ShapeError(
                    "the batch size of a stateful layer cannot change", layer=self.name, got=batch, expected=expected
                )
        if initial_state is None:
            if self.stateful:
                states = tree.map_structure(lambda state: _of_size(state.value, batch), self.states)
            else:
                states = self.get_initial_state(batch_size=batch)
        else:
            states = initial_state
        wanted = getattr(self.cell, "compute_dtype", self.compute_dtype)
        states = tree.map_structure(lambda x: ops.convert_to_tensor(x, wanted), state_list(states))
        if len(states) != len(self.state_size):
            raise ArgumentError(
                "the number of initial states is wrong", layer=self.name, got=len(states), expected=len(self.state_size)
            )
        return list(states)

    def inner_loop(
        self, sequences: Any, initial_state: list[Any], mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Runs the cell over all steps.

        Args:
            sequences: Tensor of shape `(batch, steps, ...)`.
            initial_state: List of states.
            mask: Booleans of shape `(batch, steps)`, or None.
            training: Whether the model trains.

        Returns:
            The last output, all outputs (None unless `return_sequences`), and the last states.
        """
        options = {"training": training} if accepts_argument(self.cell, "training") else {}
        call = self.cell if callable(self.cell) else self.cell.call

        def step(inputs: Any, states: list[Any]) -> tuple[Any, list[Any]]:
            output, new = call(inputs, states, **options)
            return output, state_list(new)

        run = self._unrolled if self.unroll else self._scanned
        return run(step, _steps_first(sequences), initial_state, _mask_steps(mask))

    def _scanned(self, step: Step, inputs: Any, states: list[Any], mask: Any) -> tuple[Any, Any, list[Any]]:
        # If the output is one of the states, its last value is known without stacking the outputs of all steps.
        same: list[int | None] = []

        def masked(carry: list[Any], row: Any) -> tuple[list[Any], Any]:
            x, stays = row
            output, new = step(x, carry)
            if stays is not None:
                before = ops.zeros_like(output) if self.zero_output_for_mask else _previous_output(carry)
                output = _where_it_stays(stays, output, before)
                new = tree.map_structure(lambda state, old: _where_it_stays(stays, state, old), new, carry)
            leaves = tree.flatten(new)
            same[:] = [next((i for i, leaf in enumerate(leaves) if leaf is output), None)]
            return new, output if self.return_sequences or same[0] is None else None

        last_states, outputs = ops.scan(masked, states, (inputs, mask), reverse=self.go_backwards)
        last = tree.flatten(last_states)[same[0]] if same[0] is not None else None
        if last is None:
            last = outputs[0 if self.go_backwards else -1]
        if outputs is not None:
            outputs = _steps_first(ops.flip(outputs, 0) if self.go_backwards else outputs)
        return last, outputs, last_states

    def _unrolled(self, step: Step, inputs: Any, states: list[Any], mask: Any) -> tuple[Any, Any, list[Any]]:
        count = inputs.shape[0]
        if not isinstance(count, int):
            raise ShapeError(
                "a loop whose number of steps is not known cannot be unrolled",
                layer=self.name,
                hint="give Input the number of steps, or leave unroll off",
            )
        outputs: list[Any] = []
        for i in reversed(range(count)) if self.go_backwards else range(count):
            output, new = step(inputs[i], states)
            if mask is not None:
                stays = mask[i]
                output = _where_it_stays(stays, output, outputs[-1] if outputs else ops.zeros_like(output))
                new = tree.map_structure(lambda new, old, stays=stays: _where_it_stays(stays, new, old), new, states)
            outputs.append(output)
            states = new
        return outputs[-1], ops.stack(outputs, axis=1) if self.return_sequences else None, states

    # ---- dropout: one mask for all steps of a call

    def _draw_masks(self, cell: Any, inputs: Any, states: Any) -> None:
        state = states[0] if isinstance(states, list | tuple) else states
        if isinstance(cell, DropoutRNNCell):
            cell.get_dropout_mask(inputs)
            cell.get_recurrent_dropout_mask(state)
        elif isinstance(cell, StackedRNNCells):
            for inner, part in zip(cell.cells, states, strict=True):
                self._draw_masks(inner, inputs, part)
                # The masks of the next cell have the shape of this one's outputs.
                inputs = ops.zeros((inputs.shape[0], output_size_of(inner)), inputs.dtype)

    def _reset_masks(self, cell: Any) -> None:
        if isinstance(cell, DropoutRNNCell):
            cell.reset_dropout_mask()
            cell.reset_recurrent_dropout_mask()
        elif isinstance(cell, StackedRNNCells):
            for inner in cell.cells:
                self._reset_masks(inner)


def _steps_first(x: Any) -> Any:
    """Swaps the first two axes, those of the batch and of the steps."""
    return ops.swapaxes(x, 0, 1)


def _mask_steps(mask: Any) -> Any:
    """A mask with the axis of steps first, and an axis of size 1 for the features."""
    if mask is None:
        return None
    mask = ops.cast(mask, "bool")
    # With further axes, a step is masked if all its elements are.
    mask = mask if mask.ndim == 2 else ops.any(mask, axis=tuple(range(2, mask.ndim)))
    return ops.expand_dims(_steps_first(mask), -1)


def _where_it_stays(stays: Any, new: Any, old: Any) -> Any:
    """A state or output where a step is not masked, else the old one."""
    return ops.where(stays if new.ndim == 2 else ops.reshape(stays, (-1, *(1,) * (new.ndim - 1))), new, old)


def _previous_output(states: list[Any]) -> Any:
    """The output of the previous step: the first state, that of the last cell if there are several."""
    first = states[0]
    return states[-1][0] if isinstance(first, list | tuple) else first


def _of_size(x: Any, batch: Any) -> Any:
    """The first rows of a state, up to the size of a batch, which may be symbolic."""
    return x if x.shape[0] == batch else bind("gather", ops.convert_to_tensor(x), ops.arange(batch), axis=0)
