"""Cells of recurrent layers, each of which computes one step."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.layers.recurrent_cell_base import BaseCell, GatedCell, state_list
from graphc.parameters import configured
from graphc.registration import exported

_MODULE = "keras.layers"


@exported(_MODULE)
@configured
class SimpleRNNCell(BaseCell):
    """`h = activation(x @ kernel + h @ recurrent_kernel + bias)`: a step whose output is its state (Elman, 1990).

    Args:
        units: The size of the output and of the state.
        activation: Function of the new state, by name or itself. None: none.

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

    units: int
    activation: Any = "tanh"
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    seed: Any = None

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


@exported(_MODULE)
@configured
class GRUCell(GatedCell):
    """A step of a gated recurrent unit (Cho et al., 2014).

    With `x` the inputs and `h` the state, and the parts of kernels and biases named after the gates:
    `z = f(x @ kernel_z + h @ recurrent_z)` and `r = f(x @ kernel_r + h @ recurrent_r)`, biases added, with `f` the
    `recurrent_activation`. The candidate is `c = activation(x @ kernel_h + r * (h @ recurrent_h))` where `reset_after`,
    else `activation(x @ kernel_h + (r * h) @ recurrent_h)`. The new state is `z * h + (1 - z) * c`.

    Args:
        units: The size of the output and of the state.
        activation: Function of the candidate, by name or itself. None: none.
        reset_after: Whether the reset gate acts after the product with the state's kernel; there is then a bias for
            each kernel.

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

    units: int
    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    reset_after: bool = True
    seed: Any = None
    implementation: int = 2

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


class BaseLSTMCell(GatedCell):
    """The base class of cells of long short-term memories: what does not depend on how inputs and states are shaped."""

    gates = 4
    unit_forget_bias: bool

    def _prepare(self) -> None:
        super()._prepare()
        self.state_size = [self.units, self.units]

    def build(self, input_shape: Any = None) -> None:
        """Creates the kernels and the bias."""
        self._add_memory(input_shape[-1])

    def _add_memory(self, input_size: int, window: tuple[int, ...] = ()) -> None:
        first = self._unit_forget_bias if self.unit_forget_bias else None
        self._add_weights(input_size, (self.units * self.gates,), first, window)

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


@exported(_MODULE)
@configured
class LSTMCell(BaseLSTMCell):
    """A step of a long short-term memory (Hochreiter and Schmidhuber, 1997; with the forget gate of Gers et al., 2000).

    With `x` the inputs, `h` and `c` the states, and `i, f, g, o` the four parts of
    `x @ kernel + h @ recurrent_kernel + bias`, in this order:
    `c = s(f) * c + s(i) * activation(g)` and `h = s(o) * activation(c)`, with `s` the `recurrent_activation`.

    Args:
        units: The size of the output and of each of the two states.
        activation: Function of the candidate and of the cell's state, by name or itself. None: none.
        unit_forget_bias: Whether the bias of the forget gate starts at 1 (Jozefowicz et al., 2015).

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

    units: int
    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    unit_forget_bias: bool = True
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    seed: Any = None
    implementation: int = 2
