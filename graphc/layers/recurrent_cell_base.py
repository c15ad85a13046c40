"""Base classes of the cells of recurrent layers: weights, gates and dropout."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from graphc import ops, random
from graphc.layers.layer import Layer
from graphc.tracing import Trace, outermost_trace


def state_list(states: Any) -> list[Any]:
    """States as a list, a single one included."""
    return list(states) if isinstance(states, list | tuple) else [states]


def accepts_argument(layer: Any, name: str) -> bool:
    """Whether a layer's `call` has a parameter of a name."""
    return name in inspect.signature(layer.call).parameters


def output_size_of(cell: Any) -> Any:
    """The size of a cell's output: its `output_size`, or the size of its first state."""
    size = getattr(cell, "output_size", None)
    return state_list(cell.state_size)[0] if size is None else size


class DropoutRNNCell:
    """Dropout for cells: masks that are drawn once and used in all steps of a loop.

    A cell has `dropout` and `recurrent_dropout` (rates from 0 to 1), a `seed_generator`, and `dropout_mask_count`: the
    number of masks in a list, one for each gate, or None for a single mask.
    """

    dropout: float
    recurrent_dropout: float
    seed_generator: random.SeedGenerator
    dropout_mask_count: int | None = None
    # The masks, each with its trace.
    _masks: dict[str, tuple[Trace | None, Any]]

    def _mask(self, which: str, rate: float, like: Any) -> Any:
        if rate <= 0:
            return None
        trace = outermost_trace()
        known = self._masks.get(which)
        if known is None or known[0] is not trace:
            known = trace, self._draw(rate, like)
            self._masks[which] = known
        return known[1]

    def _draw(self, rate: float, like: Any) -> Any:
        ones = ops.ones_like(like)
        if self.dropout_mask_count is None:
            return random.dropout(ones, rate, seed=self.seed_generator)
        return [random.dropout(ones, rate, seed=self.seed_generator) for _ in range(self.dropout_mask_count)]

    def get_dropout_mask(self, step_input: Any) -> Any:
        """The mask of the inputs, or a list with one for each gate; None without dropout."""
        return self._mask("inputs", self.dropout, step_input)

    def get_recurrent_dropout_mask(self, step_input: Any) -> Any:
        """The mask of the states, likewise."""
        return self._mask("states", self.recurrent_dropout, step_input)

    def reset_dropout_mask(self) -> None:
        """Discards the mask of the inputs: the next call draws another."""
        self._masks.pop("inputs", None)

    def reset_recurrent_dropout_mask(self) -> None:
        """Discards the mask of the states."""
        self._masks.pop("states", None)


class BaseCell(DropoutRNNCell, Layer):
    """The base class of cells: a kernel for the inputs, one for the state, a bias, and dropout."""

    _internal = Layer._internal | {"_masks"}
    # The number of gates; their kernels are concatenated.
    gates: ClassVar[int] = 1

    units: int
    activation: Any
    use_bias: bool
    bias_initializer: Any
    seed: Any

    def _prepare(self) -> None:
        self.dropout = min(1.0, max(0.0, self.dropout))
        self.recurrent_dropout = min(1.0, max(0.0, self.recurrent_dropout))
        self.seed_generator = random.SeedGenerator(self.seed)
        self._masks = {}
        self.state_size: Any = self.units
        self.output_size = self.units

    def _add_weights(
        self, input_size: int, bias_shape: tuple[int, ...], bias_initializer: Any = None, window: tuple[int, ...] = ()
    ) -> None:
        size = self.units * self.gates
        shape = *window, self.units, size
        self.kernel = self._new_weight("kernel", (*window, input_size, size))
        self.recurrent_kernel = self._new_weight("recurrent_kernel", shape, arguments="recurrent")
        self.bias = None
        if self.use_bias:
            given = {} if bias_initializer is None else {"initializer": bias_initializer}
            self.bias = self._new_weight("bias", bias_shape, **given)

    def _gate(self, weight: Any, gate: int) -> Any:
        """The columns of a weight that belong to a gate."""
        return weight[..., gate * self.units : (gate + 1) * self.units]

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros."""
        sizes = state_list(self.state_size)
        return [ops.zeros((batch_size, size), self.compute_dtype) for size in sizes]


class GatedCell(BaseCell):
    """The base class of gated cells: the recurrent activation, and dropout masks for each gate."""

    recurrent_activation: Any
    implementation: int

    def _prepare(self) -> None:
        super()._prepare()
        self.implementation = 1 if self.recurrent_dropout != 0 else self.implementation
        if self.implementation == 1:
            self.dropout_mask_count = self.gates

    def _dropped(self, x: Any, masks: Any) -> list[Any]:
        """A tensor as the input of each gate, with that gate's dropout mask."""
        if masks is None:
            return [x] * self.gates
        return [x * mask for mask in masks] if isinstance(masks, list) else [x * masks] * self.gates

    def _product(self, x: Any, kernel: Any, of_state: bool) -> Any:
        """What a kernel makes of the inputs or of the state."""
        return ops.matmul(x, kernel)

    def _products(self, gate_inputs: list[Any], weight: Any) -> Any:
        """The products of the gates' inputs and kernels, concatenated: one product if all inputs are the same."""
        of_state = weight is self.recurrent_kernel
        if all(x is gate_inputs[0] for x in gate_inputs):
            return self._product(gate_inputs[0], weight, of_state)
        parts = [self._product(x, self._gate(weight, i), of_state) for i, x in enumerate(gate_inputs)]
        return ops.concatenate(parts, axis=-1)

    def _projected(self, inputs: Any, bias: Any, training: bool | None) -> Any:
        """The contribution of the inputs to all gates."""
        masks = self.get_dropout_mask(inputs) if training and 0 < self.dropout < 1 else None
        x = self._products(self._dropped(inputs, masks), self.kernel)
        return x if bias is None else x + bias

    def _state_gate_inputs(self, state: Any, training: bool | None) -> list[Any]:
        drops = training and 0 < self.recurrent_dropout < 1
        return self._dropped(state, self.get_recurrent_dropout_mask(state) if drops else None)
