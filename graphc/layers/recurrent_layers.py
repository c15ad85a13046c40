"""The recurrent layers with built-in cells: `SimpleRNN`, `GRU` and `LSTM`."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

from graphc.errors import ArgumentError
from graphc.layers.input_spec import InputSpec
from graphc.layers.kinds import KINDS
from graphc.layers.recurrent import RNN
from graphc.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell
from graphc.parameters import configured, declared_of
from graphc.registration import exported
from graphc.tracing import snake_case

_MODULE = "keras.layers"


LOOP = tuple(declared_of(RNN))


@configured(without=LOOP)
class CellLayer(RNN):
    """A recurrent layer that creates its cell, of the class `_cell_class`, and takes the arguments of this class."""

    _cell_class: ClassVar[type]

    def _prepare(self) -> None:
        shared = declared_of(self._cell_class)
        options = {name: getattr(self, field.attribute) for name, field in shared.items()}
        name = snake_case(self._cell_class.__name__)
        self.cell = self._cell_class(**options, name=name, dtype=self.dtype_policy, trainable=self._trainable)
        for field in shared.values():
            setattr(self, field.attribute, getattr(self.cell, field.attribute))
        super()._prepare()
        self.input_spec = InputSpec(ndim=3)


class _GatedLayer(CellLayer):
    """A layer for which Keras may use cuDNN. Here it is compiled, and cuDNN is not used."""

    use_cudnn: Any

    def _prepare(self) -> None:
        super()._prepare()
        if self.use_cudnn not in ("auto", True, False):
            raise ArgumentError(
                "use_cudnn is one of a few", layer=self.name, got=repr(self.use_cudnn), expected="'auto', True or False"
            )

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
@configured
class SimpleRNN(CellLayer):
    """A recurrent layer whose output is fed back as its state (Elman, 1990).

    The computation of a step is documented in `SimpleRNNCell`.

    Args:
        units: The size of the output and of the state.
        activation: Function of the new state, by name or itself. None: none.

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

    _cell_class = SimpleRNNCell
    # The seed is the cell's, as in Keras.
    _kinds = MappingProxyType({**KINDS, "seed": replace(KINDS["seed"], written=False)})

    units: int
    activation: Any = "tanh"
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    seed: Any = None
    zero_output_for_mask: bool = False


@exported(_MODULE)
@configured
class GRU(_GatedLayer):
    """A layer of gated recurrent units (Cho et al., 2014).

    The computation of a step is documented in `GRUCell`.

    Args:
        units: The size of the output and of the state.
        activation: Function of the candidate, by name or itself. None: none.
        reset_after: Whether the reset gate acts after the product with the state's kernel.

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

    _cell_class = GRUCell

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
    reset_after: bool = True
    use_cudnn: Any = "auto"
    implementation: int = 2
    zero_output_for_mask: bool = False


@exported(_MODULE)
@configured
class LSTM(_GatedLayer):
    """A layer of long short-term memory (Hochreiter and Schmidhuber, 1997).

    The computation of a step is documented in `LSTMCell`.

    Args:
        units: The size of the output and of the state.
        activation: Function of the candidate and of the cell's state, by name or itself. None: none.
        unit_forget_bias: Whether the bias of the forget gate starts at 1.

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

    _cell_class = LSTMCell

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
    use_cudnn: Any = "auto"
    implementation: int = 2
    zero_output_for_mask: bool = False
