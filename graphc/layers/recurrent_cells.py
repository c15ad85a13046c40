"""Cells of recurrent layers, each of which computes one step."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from graphc import activations, constraints, initializers, ops, random, regularizers, tree
from graphc.errors import ArgumentError
from graphc.layers.core import optional_config
from graphc.layers.layer import Layer
from graphc.registration import deserialize_keras_object, exported, serialize_keras_object
from graphc.tracing import Trace, describe, outermost_trace

_MODULE = "keras.layers"


def state_list(states: Any) -> list[Any]:
    """States as a list, a single one included."""
    return list(states) if isinstance(states, list | tuple) else [states]


def accepts_argument(layer: Any, name: str) -> bool:
    """Whether a layer's `call` has a parameter of a name."""
    return name in inspect.signature(layer.call).parameters


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


class _Cell(DropoutRNNCell, Layer):
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


@exported(_MODULE)
class SimpleRNNCell(_Cell):
    """`h = activation(x @ kernel + h @ recurrent_kernel + bias)`: a step whose output is its state (Elman, 1990).

    Args:
        units: The size of the output and of the state.
        activation: Function of the new state, by name or itself. None: none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel of the inputs.
        recurrent_initializer: Initializer of the kernel of the state.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel of the inputs.
        recurrent_regularizer: Regularizer of the kernel of the state.
        bias_regularizer: Regularizer of the bias.
        kernel_constraint: Constraint on the kernel of the inputs.
        recurrent_constraint: Constraint on the kernel of the state.
        bias_constraint: Constraint on the bias.
        dropout: The fraction of the inputs that is set to 0 in training, with one mask for all steps.
        recurrent_dropout: The fraction of the state that is set to 0 in training, likewise.
        seed: Integer for dropout, or None.

    Call arguments:
        inputs: Tensor of shape `(batch, features)`.
        states: List of one tensor of shape `(batch, units)`, or the tensor.
        training: Whether the model trains.

    Raises:
        ArgumentError: if `units` is not a positive integer.

    Example:

    >>> output, states = SimpleRNNCell(4)(ops.ones((2, 3)), [ops.zeros((2, 4))])
    >>> output.shape
    (2, 4)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._set_options(
            units,
            seed,
            dropout,
            recurrent_dropout,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=kernel_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_initializer=recurrent_initializer,
            recurrent_regularizer=recurrent_regularizer,
            recurrent_constraint=recurrent_constraint,
            bias_initializer=bias_initializer,
            bias_regularizer=bias_regularizer,
            bias_constraint=bias_constraint,
        )

    def build(self, input_shape: Any = None) -> None:
        """Creates the kernels and the bias."""
        self._add_weights(input_shape[-1], (self.units,))

    def call(self, sequence: Any, states: Any, training: bool | None = False) -> Any:
        """The output, and the new state."""
        state = state_list(states)[0]
        if training and self.dropout > 0:
            sequence = sequence * self.get_dropout_mask(sequence)
        if training and self.recurrent_dropout > 0:
            state = state * self.get_recurrent_dropout_mask(state)
        h = ops.matmul(sequence, self.kernel)
        if self.bias is not None:
            h = h + self.bias
        output = self.activation(h + ops.matmul(state, self.recurrent_kernel))
        return output, [output] if isinstance(states, list | tuple) else output


class _Gated(_Cell):
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


@exported(_MODULE)
class GRUCell(_Gated):
    """A step of a gated recurrent unit (Cho et al., 2014).

    With `x` the inputs and `h` the state, and the parts of kernels and biases named after the gates:
    `z = f(x @ kernel_z + h @ recurrent_z)` and `r = f(x @ kernel_r + h @ recurrent_r)`, biases added, with `f` the
    `recurrent_activation`. The candidate is `c = activation(x @ kernel_h + r * (h @ recurrent_h))` where `reset_after`,
    else `activation(x @ kernel_h + (r * h) @ recurrent_h)`. The new state is `z * h + (1 - z) * c`.

    Args:
        units: The size of the output and of the state.
        activation: Function of the candidate, by name or itself. None: none.
        recurrent_activation: Function of the gates.
        use_bias: Whether biases are added.
        kernel_initializer: Initializer of the kernel of the inputs.
        recurrent_initializer: Initializer of the kernel of the state.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel of the inputs.
        recurrent_regularizer: Regularizer of the kernel of the state.
        bias_regularizer: Regularizer of the bias.
        kernel_constraint: Constraint on the kernel of the inputs.
        recurrent_constraint: Constraint on the kernel of the state.
        bias_constraint: Constraint on the bias.
        dropout: The fraction of the inputs that is set to 0 in training, with one mask for all steps.
        recurrent_dropout: The fraction of the state that is set to 0 in training, likewise.
        reset_after: Whether the reset gate acts after the product with the state's kernel; there is then a bias for
            each kernel.
        seed: Integer for dropout, or None.

    Call arguments:
        inputs: Tensor of shape `(batch, features)`.
        states: List of one tensor of shape `(batch, units)`, or the tensor.
        training: Whether the model trains.

    Raises:
        ArgumentError: if `units` is not a positive integer.

    Example:

    >>> output, states = GRUCell(4)(ops.ones((2, 3)), [ops.zeros((2, 4))])
    >>> output.shape
    (2, 4)
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        implementation = kwargs.pop("implementation", 2)
        super().__init__(**kwargs)
        self._set_options(
            units,
            seed,
            dropout,
            recurrent_dropout,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=kernel_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_initializer=recurrent_initializer,
            recurrent_regularizer=recurrent_regularizer,
            recurrent_constraint=recurrent_constraint,
            bias_initializer=bias_initializer,
            bias_regularizer=bias_regularizer,
            bias_constraint=bias_constraint,
        )
        self._set_gate_options(recurrent_activation, implementation)
        self.reset_after = reset_after

    def build(self, input_shape: Any = None) -> None:
        """Creates the kernels and the biases."""
        size = self.units * self.gates
        self._add_weights(input_shape[-1], (2, size) if self.reset_after else (size,))

    def call(self, inputs: Any, states: Any, training: bool | None = False) -> Any:
        """The output, and the new state."""
        state = state_list(states)[0]
        bias, inner_bias = self.bias, None
        if bias is not None and self.reset_after:
            bias, inner_bias = bias[0], bias[1]
        x_z, x_r, x_h = ops.split(self._projected(inputs, bias, training), 3, axis=-1)
        gate_inputs = self._state_gate_inputs(state, training)
        if self.reset_after:
            inner = self._products(gate_inputs, self.recurrent_kernel)
            inner = inner if inner_bias is None else inner + inner_bias
            h_z, h_r, h_h = ops.split(inner, 3, axis=-1)
        else:
            h_z, h_r = (ops.matmul(gate_inputs[i], self._gate(self.recurrent_kernel, i)) for i in range(2))
        z, r = self.recurrent_activation(x_z + h_z), self.recurrent_activation(x_r + h_r)
        if self.reset_after:
            h_h = r * h_h
        else:
            h_h = ops.matmul(r * gate_inputs[2], self._gate(self.recurrent_kernel, 2))
        candidate = self.activation(x_h + h_h)
        h = z * state + (1 - z) * candidate
        return h, [h] if isinstance(states, list | tuple) else h

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "reset_after": self.reset_after}


@exported(_MODULE)
class LSTMCell(_Gated):
    """A step of a long short-term memory (Hochreiter and Schmidhuber, 1997; with the forget gate of Gers et al., 2000).

    With `x` the inputs, `h` and `c` the states, and `i, f, g, o` the four parts of
    `x @ kernel + h @ recurrent_kernel + bias`, in this order:
    `c = s(f) * c + s(i) * activation(g)` and `h = s(o) * activation(c)`, with `s` the `recurrent_activation`.

    Args:
        units: The size of the output and of each of the two states.
        activation: Function of the candidate and of the cell's state, by name or itself. None: none.
        recurrent_activation: Function of the gates.
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel of the inputs.
        recurrent_initializer: Initializer of the kernel of the state.
        bias_initializer: Initializer of the bias.
        unit_forget_bias: Whether the bias of the forget gate starts at 1 (Jozefowicz et al., 2015).
        kernel_regularizer: Regularizer of the kernel of the inputs.
        recurrent_regularizer: Regularizer of the kernel of the state.
        bias_regularizer: Regularizer of the bias.
        kernel_constraint: Constraint on the kernel of the inputs.
        recurrent_constraint: Constraint on the kernel of the state.
        bias_constraint: Constraint on the bias.
        dropout: The fraction of the inputs that is set to 0 in training, with one mask for all steps.
        recurrent_dropout: The fraction of the state that is set to 0 in training, likewise.
        seed: Integer for dropout, or None.

    Call arguments:
        inputs: Tensor of shape `(batch, features)`.
        states: List of two tensors of shape `(batch, units)`: `h` and `c`.
        training: Whether the model trains.

    Raises:
        ArgumentError: if `units` is not a positive integer.

    Example:

    >>> output, states = LSTMCell(4)(ops.ones((2, 3)), [ops.zeros((2, 4)), ops.zeros((2, 4))])
    >>> output.shape, len(states)
    ((2, 4), 2)
    """

    gates = 4

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        implementation = kwargs.pop("implementation", 2)
        super().__init__(**kwargs)
        self._set_options(
            units,
            seed,
            dropout,
            recurrent_dropout,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=kernel_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_initializer=recurrent_initializer,
            recurrent_regularizer=recurrent_regularizer,
            recurrent_constraint=recurrent_constraint,
            bias_initializer=bias_initializer,
            bias_regularizer=bias_regularizer,
            bias_constraint=bias_constraint,
        )
        self._set_gate_options(recurrent_activation, implementation)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [units, units]

    def build(self, input_shape: Any = None) -> None:
        """Creates the kernels and the bias."""
        first = self._unit_forget_bias if self.unit_forget_bias else None
        self._add_weights(input_shape[-1], (self.units * self.gates,), first)

    def _unit_forget_bias(self, shape: Any, dtype: Any = None) -> Any:
        """The initial value of the bias: 1 at the forget gate."""
        ones = ops.ones((self.units,), dtype)
        before, after = (self.bias_initializer((n * self.units,), dtype=dtype) for n in (1, 2))
        return ops.concatenate([before, ones, after])

    def call(self, inputs: Any, states: Any, training: bool | None = False) -> Any:
        """The output, and the new states."""
        h, c = states
        x = self._projected(inputs, self.bias, training)
        z = x + self._products(self._state_gate_inputs(h, training), self.recurrent_kernel)
        i, f, g, o = ops.split(z, 4, axis=-1)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(g)
        h = self.recurrent_activation(o) * self.activation(c)
        return h, [h, c]

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}


@exported(_MODULE)
class StackedRNNCells(Layer):
    """A sequence of cells as one cell: the input of each is the output of the previous one.

    Args:
        cells: List of cells.

    Raises:
        ArgumentError: if one of them is not a cell.

    Example:

    >>> cell = StackedRNNCells([LSTMCell(4), GRUCell(3)])
    >>> cell.state_size, cell.output_size
    ([[4, 4], 3], 3)
    """

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for cell in cells:
            if not callable(getattr(cell, "call", None)) or not hasattr(cell, "state_size"):
                raise ArgumentError(
                    "a cell has a method `call` and an attribute `state_size`", layer=self.name, got=repr(cell)
                )
        self.cells = cells

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

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "cells": [serialize_keras_object(cell) for cell in self.cells]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates a layer from a configuration that `get_config` returned."""
        rest = {name: part for name, part in config.items() if name != "cells"}
        return cls([deserialize_keras_object(cell) for cell in config["cells"]], **rest)


def output_size_of(cell: Any) -> Any:
    """The size of a cell's output: its `output_size`, or the size of its first state."""
    size = getattr(cell, "output_size", None)
    return state_list(cell.state_size)[0] if size is None else size
