"""Base classes of the cells of recurrent layers: weights, gates and dropout."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from graphc import activations, constraints, initializers, ops, random, regularizers
from graphc.errors import ArgumentError
from graphc.layers.core import optional_config
from graphc.layers.layer import Layer
from graphc.tracing import Trace, describe, outermost_trace


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
    bias_initializer: Any
    # The number of gates; their kernels are concatenated.
    gates = 1

    def _set_options(self, units: int, seed: Any, dropout: float, recurrent_dropout: float, **parts: Any) -> None:
        if not isinstance(units, int) or isinstance(units, bool) or units < 1:
            raise ArgumentError("units is a positive integer", where=describe(self._origin), got=repr(units))
        self.units = units
        self.use_bias = parts["use_bias"]
        self.activation = activations.get(parts["activation"])
        for name in ("kernel", "recurrent", "bias"):
            setattr(self, f"{name}_initializer", initializers.get(parts[f"{name}_initializer"]))
            setattr(self, f"{name}_regularizer", regularizers.get(parts[f"{name}_regularizer"]))
            setattr(self, f"{name}_constraint", constraints.get(parts[f"{name}_constraint"]))
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)
        self._masks = {}
        self.state_size: Any = units
        self.output_size = units

    def _weight(self, name: str, part: str, shape: Sequence[int], initializer: Any = None) -> Any:
        return self.add_weight(
            name=name,
            shape=tuple(shape),
            initializer=initializer or getattr(self, f"{part}_initializer"),
            regularizer=getattr(self, f"{part}_regularizer"),
            constraint=getattr(self, f"{part}_constraint"),
        )

    def _add_weights(self, input_size: int, bias_shape: tuple[int, ...], bias_initializer: Any = None) -> None:
        self.kernel = self._weight("kernel", "kernel", (input_size, self.units * self.gates))
        self.recurrent_kernel = self._weight("recurrent_kernel", "recurrent", (self.units, self.units * self.gates))
        self.bias = self._weight("bias", "bias", bias_shape, bias_initializer) if self.use_bias else None

    def _gate(self, weight: Any, gate: int) -> Any:
        """The columns of a weight that belong to a gate."""
        return weight[..., gate * self.units : (gate + 1) * self.units]

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros."""
        sizes = state_list(self.state_size)
        return [ops.zeros((batch_size, size), self.compute_dtype) for size in sizes]

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        names = [f"{part}_{kind}" for part in ("kernel", "recurrent", "bias") for kind in ("regularizer", "constraint")]
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **{
                f"{part}_initializer": initializers.serialize(getattr(self, f"{part}_initializer"))
                for part in ("kernel", "recurrent", "bias")
            },
            **{name: optional_config(self, name) for name in names},
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }


class GatedCell(BaseCell):
    """The base class of gated cells: the recurrent activation, and dropout masks for each gate."""

    def _set_gate_options(self, recurrent_activation: Any, implementation: int) -> None:
        self.recurrent_activation = activations.get(recurrent_activation)
        self.implementation = 1 if self.recurrent_dropout != 0 else implementation
        if self.implementation == 1:
            self.dropout_mask_count = self.gates

    def _dropped(self, x: Any, masks: Any) -> list[Any]:
        """A tensor as the input of each gate, with that gate's dropout mask."""
        if masks is None:
            return [x] * self.gates
        return [x * mask for mask in masks] if isinstance(masks, list) else [x * masks] * self.gates

    def _products(self, gate_inputs: list[Any], weight: Any) -> Any:
        """The products of the gates' inputs and kernels, concatenated: one product if all inputs are the same."""
        if all(x is gate_inputs[0] for x in gate_inputs):
            return ops.matmul(gate_inputs[0], weight)
        return ops.concatenate([ops.matmul(x, self._gate(weight, i)) for i, x in enumerate(gate_inputs)], axis=-1)

    def _projected(self, inputs: Any, bias: Any, training: bool | None) -> Any:
        """The contribution of the inputs to all gates."""
        masks = self.get_dropout_mask(inputs) if training and 0 < self.dropout < 1 else None
        x = self._products(self._dropped(inputs, masks), self.kernel)
        return x if bias is None else x + bias

    def _state_gate_inputs(self, state: Any, training: bool | None) -> list[Any]:
        drops = training and 0 < self.recurrent_dropout < 1
        return self._dropped(state, self.get_recurrent_dropout_mask(state) if drops else None)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "recurrent_activation": activations.serialize(self.recurrent_activation)}
