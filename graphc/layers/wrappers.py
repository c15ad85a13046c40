"""Wrappers of layers: the base class, application to each step of sequences, and both directions."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.layer import Layer
from graphc.layers.recurrent_cell_base import accepts_argument
from graphc.registration import deserialize_keras_object, exported, serialize_keras_object
from graphc.tracing import describe

_MODULE = "keras.layers"


@exported(_MODULE)
class Wrapper(Layer):
    """The base class of layers that wrap another layer, which they build and serialize.

    Args:
        layer: The wrapped layer.

    Raises:
        ArgumentError: if it is not a layer.

    Example:

    >>> from graphc.layers import Dense
    >>> Wrapper(Dense(3)).layer.units
    3
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise ArgumentError("a wrapper goes around a layer", where=describe(self._origin), got=repr(layer))
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        """Builds the wrapped layer."""
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "layer": serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        """The layer that a configuration describes."""
        rest = {key: value for key, value in config.items() if key != "layer"}
        return cls(deserialize_keras_object(config["layer"], custom_objects), **rest)


@exported(_MODULE)
class TimeDistributed(Wrapper):
    """Applies a layer to each step of sequences separately, with the same weights.

    Args:
        layer: The layer; its input is a batch of steps.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        training: Whether the model trains.
        mask: Booleans of shape `(batch, steps, ...)`, which are passed to the layer if it has the parameter.

    Raises:
        ShapeError: if the inputs have no steps.

    Example:

    >>> from graphc.layers import Dense
    >>> TimeDistributed(Dense(4))(ops.ones((2, 3, 5))).shape
    (2, 3, 4)
    """

    _passes_masks = True

    def _step_shape(self, input_shape: Any) -> tuple[Any, ...]:
        if len(input_shape) < 3:
            raise ShapeError(
                "TimeDistributed takes sequences", layer=self.name, got=f"shape {tuple(input_shape)}", expected="rank 3"
            )
        return (input_shape[0], *input_shape[2:])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the layer's output for one step, with the steps as its second axis."""
        inner = self.layer.compute_output_shape(self._step_shape(input_shape))
        return (inner[0], input_shape[1], *inner[1:])

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights of the layer."""
        super().build(self._step_shape(input_shape))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The outputs of all steps."""
        if mask is not None and (mask.ndim < 2 or not _alike(mask.shape[:2], inputs.shape[:2])):
            raise ShapeError(
                "The `mask` passed to the `TimeDistributed` layer has a shape that does not fit the inputs",
                layer=self.name,
                got=str(mask.type),
                expected=f"the first two sizes of {inputs.type}",
            )
        options = {"training": training} if accepts_argument(self.layer, "training") else {}
        masked = mask is not None and accepts_argument(self.layer, "mask")
        steps: Any = ops.swapaxes(inputs, 0, 1)
        rows: Any = ops.swapaxes(mask, 0, 1) if masked else None

        def one(carry: Any, row: Any) -> tuple[Any, Any]:
            x, counts = row
            return carry, self.layer.call(x, **options, **({"mask": counts} if masked else {}))

        if isinstance(steps.shape[0], int):
            outputs = [one(None, (steps[i], rows[i] if masked else None))[1] for i in range(steps.shape[0])]
            return ops.stack(outputs, axis=1)
        # If the number of steps is unknown, a loop without a carry, which the compiler vectorizes if possible.
        return ops.swapaxes(ops.scan(one, None, (steps, rows))[1], 0, 1)


def _alike(a: Any, b: Any) -> bool:
    return all(x == y for x, y in zip(a, b, strict=True) if isinstance(x, int) and isinstance(y, int))


_MERGES = ("sum", "mul", "ave", "concat", None)


@exported(_MODULE)
class Bidirectional(Layer):
    """Two recurrent layers, of which one runs forwards and one backwards, and whose outputs are merged.

    (Schuster and Paliwal, 1997)

    Args:
        layer: A recurrent layer; a copy of it runs in each direction.
        merge_mode: How outputs are merged: `"concat"`, `"sum"`, `"mul"`, `"ave"` (their mean), or None: a pair.
        weights: Not supported.
        backward_layer: The layer that runs backwards. None: a copy of `layer`.

    Call arguments:
        sequences: Tensor of shape `(batch, steps, features)`.
        initial_state: List of tensors: the states of the forward layer, then those of the backward one.
        mask: Booleans of shape `(batch, steps)`. Where sequences are returned, the output of a masked step is 0.
        training: Whether the model trains.

    Raises:
        ArgumentError: if the layers do not fit each other, or the mode is unknown.

    Example:

    >>> from graphc.layers import LSTM
    >>> Bidirectional(LSTM(4))(ops.ones((2, 3, 5))).shape
    (2, 8)
    """

    _passes_masks = True

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        for part in (layer, *(() if backward_layer is None else (backward_layer,))):
            if not isinstance(part, Layer):
                raise ArgumentError("Bidirectional takes a layer", where=describe(self._origin), got=repr(part)[:80])
        if merge_mode not in _MERGES:
            raise ArgumentError(
                "unknown merge_mode",
                where=describe(self._origin),
                got=repr(merge_mode),
                expected=", ".join(map(repr, _MERGES)),
            )
        if weights is not None:
            raise ArgumentError("first weights are not supported", hint="call set_weights after building")
        super().__init__(**kwargs)
        self.forward_layer = _copied(layer, "forward")
        self.backward_layer = backward_layer
        if backward_layer is None:
            self.backward_layer = _copied(layer, "backward", go_backwards=True)
        self._check_pair()
        for part in (self.forward_layer, self.backward_layer):
            if hasattr(layer, "use_cudnn"):  # no part of the configuration from which a copy is made
                part.use_cudnn = layer.use_cudnn
            if hasattr(part, "zero_output_for_mask"):
                part.zero_output_for_mask = part.return_sequences
        self.merge_mode = merge_mode
        self.stateful, self.return_sequences = layer.stateful, layer.return_sequences
        self.return_state, self.input_spec = layer.return_state, layer.input_spec

    def _check_pair(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ArgumentError(
                "one of the layers of Bidirectional runs forwards, the other backwards",
                layer=self.name,
                got=f"go_backwards={forward.go_backwards} twice",
            )
        for name in ("stateful", "return_sequences", "return_state"):
            if getattr(forward, name) != getattr(backward, name):
                raise ArgumentError(
                    f"the layers of Bidirectional differ in {name}",
                    layer=self.name,
                    got=f"{getattr(forward, name)} and {getattr(backward, name)}",
                )

    def build(  # type: ignore[override]
        self, sequences_shape: Any, initial_state_shape: Any = None
    ) -> None:
        """Creates the weights of both layers."""
        for part in (self.forward_layer, self.backward_layer):
            if not part.built:
                part.build(sequences_shape)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """The shape of the merged outputs, followed by those of the states if they are returned."""
        found = self.forward_layer.compute_output_shape(sequences_shape)
        output, states = (found[0], tuple(found[1:])) if self.return_state else (found, ())
        if self.merge_mode == "concat":
            output = (*output[:-1], 2 * output[-1])
        if self.merge_mode is None:
            return (output, output, *states, *states)
        return (output, *states, *states) if self.return_state else output

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool | None = None) -> Any:
        """The merged outputs, and the last states if requested."""
        half = 0 if initial_state is None else len(initial_state) // 2
        states = (None, None) if initial_state is None else (initial_state[:half], initial_state[half:])
        options: dict[str, Any] = {"training": training} if accepts_argument(self.forward_layer, "training") else {}
        options |= {"mask": mask} if accepts_argument(self.forward_layer, "mask") else {}
        pair = zip((self.forward_layer, self.backward_layer), states, strict=True)
        found = [layer(sequences, initial_state=state, **options) for layer, state in pair]
        last = (*found[0][1:], *found[1][1:]) if self.return_state else ()
        ahead, back = (ops.cast(part[0] if self.return_state else part, self.compute_dtype) for part in found)
        if self.return_sequences:
            back = ops.flip(back, 1)
        output = self._merged(ahead, back)
        if not self.return_state:
            return output
        return (*output, *last) if self.merge_mode is None else (output, *last)

    def _merged(self, ahead: Any, back: Any) -> Any:
        match self.merge_mode:
            case "concat":
                return ops.concatenate([ahead, back], axis=-1)
            case "sum":
                return ahead + back
            case "ave":
                return (ahead + back) / 2
            case "mul":
                return ahead * back
        return ahead, back

    def reset_state(self) -> None:
        """Resets the states of a stateful layer to zero."""
        for part in (self.forward_layer, self.backward_layer):
            part.reset_state()

    def reset_states(self) -> None:
        """An alias of `reset_state`, its older name."""
        self.reset_state()

    @property
    def states(self) -> Any:
        """The states of both layers, if they are stateful; else None."""
        if not self.forward_layer.states:
            return None
        return tuple(self.forward_layer.states) + tuple(self.backward_layer.states)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the inputs for outputs that are sequences; None for the others."""
        first = mask[0] if isinstance(mask, list | tuple) else mask
        steps = first if self.return_sequences else None
        output = [steps, steps] if self.merge_mode is None else steps
        if not self.return_state:
            return output
        none = [None for _ in range(2 * len(self.forward_layer.state_size))]
        return [*output, *none] if isinstance(output, list) else [output, *none]

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": serialize_keras_object(self.forward_layer),
            "backward_layer": serialize_keras_object(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates a layer from a configuration that `get_config` returned."""
        rest = {name: part for name, part in config.items() if name not in ("layer", "backward_layer")}
        layers = [deserialize_keras_object(config.get(name)) for name in ("layer", "backward_layer")]
        return cls(layers[0], backward_layer=layers[1], **rest)


def _copied(layer: Layer, direction: str, **changes: Any) -> Any:
    """A copy of a layer without its weights, named after a direction."""
    prefix = f"{direction}_"
    config = {**layer.get_config(), **changes, "name": prefix + layer.name.removeprefix(prefix)}
    return type(layer).from_config(config)
