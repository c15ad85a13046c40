"""The recurrent layers with built-in cells: `SimpleRNN`, `GRU` and `LSTM`."""

from __future__ import annotations

from typing import Any

from graphc import regularizers
from graphc.errors import ArgumentError
from graphc.layers.input_spec import InputSpec
from graphc.layers.recurrent import RNN
from graphc.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell
from graphc.registration import exported

_MODULE = "keras.layers"


def _cell_options(options: dict[str, Any], name: str) -> dict[str, Any]:
    """The options of a cell among those of its layer; `implementation`, an option of the cell alone, is removed."""
    found = {"dtype": options.get("dtype"), "trainable": options.get("trainable", True), "name": name}
    return found | ({"implementation": options.pop("implementation")} if "implementation" in options else {})


class _CellLayer(RNN):
    """A recurrent layer that creates its cell; the options of the cell are also attributes of the layer."""

    # Entries of the cell's configuration that are not in that of the layer.
    _cell_arguments: tuple[str, ...] = ("name", "trainable", "dtype", "seed")

    def __getattr__(self, name: str) -> Any:
        cell = self.__dict__.get("cell")
        if cell is not None and name in cell.get_config():
            return getattr(cell, name)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        config = super().get_config()
        del config["cell"]
        own = {name: part for name, part in self.cell.get_config().items() if name not in self._cell_arguments}
        return {**config, **own, "activity_regularizer": regularizers.serialize(self.activity_regularizer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates a layer from a configuration that `get_config` returned."""
        return cls(**config)


class _GatedLayer(_CellLayer):
    """A layer for which Keras may use cuDNN. Here it is compiled, and cuDNN is not used."""

    _cell_arguments = ("name", "trainable", "dtype")

    def _set_cudnn(self, use_cudnn: Any) -> None:
        if use_cudnn not in ("auto", True, False):
            raise ArgumentError(
                "use_cudnn is one of a few", layer=self.name, got=repr(use_cudnn), expected="'auto', True or False"
            )
        self.use_cudnn = use_cudnn

    def inner_loop(
        self, sequences: Any, initial_state: list[Any], mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Runs the cell over all steps.

        Raises:
            ArgumentError: if the layer requires cuDNN.
        """
        if self.use_cudnn is True:
            raise ArgumentError("cuDNN is not used", layer=self.name, got="use_cudnn=True", hint="leave it 'auto'")
        return super().inner_loop(sequences, initial_state, mask, training)


@exported(_MODULE)
class SimpleRNN(_CellLayer):
    """A recurrent layer whose output is fed back as its state (Elman, 1990).

    The computation of a step is documented in `SimpleRNNCell`.

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
        activity_regularizer: Regularizer of the outputs.
        kernel_constraint: Constraint on the kernel of the inputs.
        recurrent_constraint: Constraint on the kernel of the state.
        bias_constraint: Constraint on the bias.
        dropout: The fraction of the inputs that is set to 0 in training, with one mask for all steps.
        recurrent_dropout: The fraction of the state that is set to 0 in training, likewise.
        return_sequences: Whether the outputs of all steps are returned, or the last one.
        return_state: Whether the last states are returned as well.
        go_backwards: Whether the loop runs from the last step to the first; sequences are returned in that order.
        stateful: Whether the last states are the initial states of the next batch.
        unroll: Whether the loop is unrolled.
        seed: Integer for dropout, or None.

    Call arguments:
        sequences: Tensor of shape `(batch, steps, features)`.
        initial_state: List of tensors of shape `(batch, units)`. None: zeros.
        mask: Booleans of shape `(batch, steps)`: the states do not change in a step where it is False.
        training: Whether the model trains: whether there is dropout.

    Raises:
        ArgumentError: if `units` is not a positive integer.

    Example:

    >>> from graphc import ops
    >>> SimpleRNN(4)(ops.ones((2, 3, 5))).shape
    (2, 4)
    >>> outputs, state = SimpleRNN(4, return_sequences=True, return_state=True)(ops.ones((2, 3, 5)))
    >>> outputs.shape, state.shape
    ((2, 3, 4), (2, 4))
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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        cell = SimpleRNNCell(
            units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            **_cell_options(kwargs, "simple_rnn_cell"),
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=3)


@exported(_MODULE)
class GRU(_GatedLayer):
    """A layer of gated recurrent units (Cho et al., 2014).

    The computation of a step is documented in `GRUCell`.

    Args:
        units: The size of the output and of the state.
        activation: Function of the candidate, by name or itself. None: none.
        recurrent_activation: Function of the gates.
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel of the inputs.
        recurrent_initializer: Initializer of the kernel of the state.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel of the inputs.
        recurrent_regularizer: Regularizer of the kernel of the state.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the outputs.
        kernel_constraint: Constraint on the kernel of the inputs.
        recurrent_constraint: Constraint on the kernel of the state.
        bias_constraint: Constraint on the bias.
        dropout: The fraction of the inputs that is set to 0 in training, with one mask for all steps.
        recurrent_dropout: The fraction of the state that is set to 0 in training, likewise.
        seed: Integer for dropout, or None.
        return_sequences: Whether the outputs of all steps are returned, or the last one.
        return_state: Whether the last states are returned as well.
        go_backwards: Whether the loop runs from the last step to the first; sequences are returned in that order.
        stateful: Whether the last states are the initial states of the next batch.
        unroll: Whether the loop is unrolled.
        reset_after: Whether the reset gate acts after the product with the state's kernel.
        use_cudnn: Accepted as in Keras; `True` is an error, as in Keras without cuDNN.

    Call arguments:
        sequences: Tensor of shape `(batch, steps, features)`.
        initial_state: List of tensors of shape `(batch, units)`. None: zeros.
        mask: Booleans of shape `(batch, steps)`: the states do not change in a step where it is False.
        training: Whether the model trains: whether there is dropout.

    Raises:
        ArgumentError: if `units` is not a positive integer.

    Example:

    >>> from graphc import ops
    >>> GRU(4)(ops.ones((2, 3, 5))).shape
    (2, 4)
    >>> outputs, state = GRU(4, return_sequences=True, return_state=True)(ops.ones((2, 3, 5)))
    >>> outputs.shape, state.shape
    ((2, 3, 4), (2, 4))
    """

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        cell = GRUCell(
            units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            recurrent_activation=recurrent_activation,
            reset_after=reset_after,
            **_cell_options(kwargs, "gru_cell"),
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=3)
        self._set_cudnn(use_cudnn)


@exported(_MODULE)
class LSTM(_GatedLayer):
    """A layer of long short-term memory (Hochreiter and Schmidhuber, 1997).

    The computation of a step is documented in `LSTMCell`.

    Args:
        units: The size of the output and of the state.
        activation: Function of the candidate and of the cell's state, by name or itself. None: none.
        recurrent_activation: Function of the gates.
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel of the inputs.
        recurrent_initializer: Initializer of the kernel of the state.
        bias_initializer: Initializer of the bias.
        unit_forget_bias: Whether the bias of the forget gate starts at 1.
        kernel_regularizer: Regularizer of the kernel of the inputs.
        recurrent_regularizer: Regularizer of the kernel of the state.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the outputs.
        kernel_constraint: Constraint on the kernel of the inputs.
        recurrent_constraint: Constraint on the kernel of the state.
        bias_constraint: Constraint on the bias.
        dropout: The fraction of the inputs that is set to 0 in training, with one mask for all steps.
        recurrent_dropout: The fraction of the state that is set to 0 in training, likewise.
        seed: Integer for dropout, or None.
        return_sequences: Whether the outputs of all steps are returned, or the last one.
        return_state: Whether the last states are returned as well.
        go_backwards: Whether the loop runs from the last step to the first; sequences are returned in that order.
        stateful: Whether the last states are the initial states of the next batch.
        unroll: Whether the loop is unrolled.
        use_cudnn: Accepted as in Keras; `True` is an error, as in Keras without cuDNN.

    Call arguments:
        sequences: Tensor of shape `(batch, steps, features)`.
        initial_state: List of tensors of shape `(batch, units)`. None: zeros.
        mask: Booleans of shape `(batch, steps)`: the states do not change in a step where it is False.
        training: Whether the model trains: whether there is dropout.

    Raises:
        ArgumentError: if `units` is not a positive integer.

    Example:

    >>> from graphc import ops
    >>> LSTM(4)(ops.ones((2, 3, 5))).shape
    (2, 4)
    >>> outputs, *states = LSTM(4, return_sequences=True, return_state=True)(ops.ones((2, 3, 5)))
    >>> outputs.shape, len(states)
    ((2, 3, 4), 2)
    """

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        cell = LSTMCell(
            units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            recurrent_activation=recurrent_activation,
            unit_forget_bias=unit_forget_bias,
            **_cell_options(kwargs, "lstm_cell"),
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=3)
        self._set_cudnn(use_cudnn)
