"""Long short-term memories whose kernels are those of convolutions: `ConvLSTM1D`, `ConvLSTM2D` and `ConvLSTM3D`."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc import ops
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.input_spec import InputSpec
from graphc.layers.layer import Layer
from graphc.layers.recurrent_cells import BaseLSTMCell
from graphc.layers.recurrent_layers import LOOP, CellLayer
from graphc.ops.windows import padding_of, tuple_of
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"


@configured
class _Arguments(Layer):
    """What a layer takes; its cell takes a part of it."""

    filters: int
    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    data_format: Any = None
    dilation_rate: Any = 1
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
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    seed: Any = None
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False


@configured(without=(*LOOP, "activity_regularizer"))
class ConvLSTMCell(_Arguments, BaseLSTMCell):
    """A step of an LSTM of images, or what has other spatial axes: convolutions are in the place of products."""

    rank: int

    def _prepare(self) -> None:
        where = describe(self._origin)
        if not isinstance(self.filters, int) or self.filters < 1:
            raise ArgumentError("filters is a positive integer", where=where, got=repr(self.filters))
        if self.padding not in ("valid", "same"):
            raise ArgumentError("padding is 'valid' or 'same'", where=where, got=repr(self.padding))
        for name in ("kernel_size", "strides", "dilation_rate"):
            setattr(self, name, tuple_of(getattr(self, name), self.rank, name))
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ArgumentError("Specifying `strides > 1` is not compatible with `dilation_rate > 1`", where=where)
        # Each gate has dropout masks of its own.
        self.units, self.implementation = self.filters, 1
        super()._prepare()

    def build(self, input_shape: Any = None) -> None:
        """Creates the kernels and the bias."""
        sizes = self._channels_last(list(input_shape))
        if None in sizes[1:]:
            raise ShapeError(
                f"the sizes and channels of inputs of a ConvLSTM{self.rank}D are known",
                layer=self.name,
                got=f"shape {tuple(input_shape)}",
            )
        extents = [(size - 1) * rate + 1 for size, rate in zip(self.kernel_size, self.dilation_rate, strict=True)]
        border = padding_of(self.padding, sizes[1:-1], extents, self.strides)
        self._sizes = tuple(
            (size + sum(pair) - extent) // step + 1
            for size, pair, extent, step in zip(sizes[1:-1], border, extents, self.strides, strict=True)
        )
        self._add_memory(sizes[-1], self.kernel_size)

    def _channels_last(self, sizes: list[Any]) -> list[Any]:
        return [sizes[0], *sizes[2:], sizes[1]] if self.data_format == "channels_first" else sizes

    def state_shape(self, batch: Any) -> tuple[Any, ...]:
        """The shape of the output and of each state."""
        if self.data_format == "channels_first":
            return batch, self.filters, *self._sizes
        return batch, *self._sizes, self.filters

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros."""
        return [ops.zeros(self.state_shape(batch_size), self.compute_dtype) for _ in range(2)]

    def _product(self, x: Any, kernel: Any, of_state: bool) -> Any:
        if of_state:
            return ops.conv(x, kernel, padding="same", data_format="channels_last")
        return ops.conv(x, kernel, self.strides, self.padding, "channels_last", self.dilation_rate)

    def call(self, inputs: Any, states: Any, training: bool | None = False) -> Any:
        """The output, and the new states."""
        if self.data_format == "channels_last":
            return super().call(inputs, states, training)
        last = [ops.moveaxis(x, 1, -1) for x in (inputs, *states)]
        _, moved = super().call(last[0], last[1:], training)
        h, c = (ops.moveaxis(x, -1, 1) for x in moved)
        return h, [h, c]


@configured
class _ConvLSTM(_Arguments, CellLayer):
    """The base class of LSTMs of sequences of images, or what has other spatial axes (Shi et al., 2015)."""

    _cell_class = ConvLSTMCell
    rank: ClassVar[int]

    def _prepare(self) -> None:
        super()._prepare()
        self.input_spec = InputSpec(ndim=self.rank + 3)

    def _make_states(self, batch: int) -> None:
        self.states = [self._kept_state(self.cell.state_shape(batch)) for _ in range(2)]

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """The shape of the outputs, followed by those of the states if they are returned."""
        if not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))
            self.cell.built = True
        state = self.cell.state_shape(sequences_shape[0])
        output = (state[0], sequences_shape[1], *state[1:]) if self.return_sequences else state
        return (output, state, state) if self.return_state else output


@exported(_MODULE)
@configured
class ConvLSTM1D(_ConvLSTM):
    """A long short-term memory of sequences of sequences: the products of `LSTM` are convolutions (Shi et al., 2015).

    It is called as `LSTM`, on sequences `[batch, steps, size, channels]`.
    States are of the shape of a step's output.

    Raises:
        ArgumentError: if an argument does not fit.
        ShapeError: if the sizes or channels of the inputs are not known.

    Example:

    >>> ConvLSTM1D(4, 3, padding="same")(ops.ones((2, 3, 8, 1))).shape
    (2, 8, 4)
    """

    rank = 1


@exported(_MODULE)
@configured
class ConvLSTM2D(_ConvLSTM):
    """A long short-term memory of sequences of images: the products of `LSTM` are convolutions (Shi et al., 2015).

    It is called as `LSTM`, on sequences `[batch, steps, height, width, channels]`.
    States are of the shape of a step's output.

    Raises:
        ArgumentError: if an argument does not fit.
        ShapeError: if the sizes or channels of the inputs are not known.

    Example:

    >>> ConvLSTM2D(4, 3, padding="same")(ops.ones((2, 3, 8, 6, 1))).shape
    (2, 8, 6, 4)
    """

    rank = 2


@exported(_MODULE)
@configured
class ConvLSTM3D(_ConvLSTM):
    """A long short-term memory of sequences of volumes: the products of `LSTM` are convolutions (Shi et al., 2015).

    It is called as `LSTM`, on sequences `[batch, steps, depth, height, width, channels]`.
    States are of the shape of a step's output.

    Raises:
        ArgumentError: if an argument does not fit.
        ShapeError: if the sizes or channels of the inputs are not known.

    Example:

    >>> ConvLSTM3D(4, 3, padding="same")(ops.ones((2, 3, 4, 8, 6, 1))).shape
    (2, 4, 8, 6, 4)
    """

    rank = 3
