"""Core layers: inputs, dense layers, embeddings, activations, masking and functions."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc import ops, regularizers
from graphc.errors import ArgumentError
from graphc.layers.arguments import legacy_shape
from graphc.layers.input_spec import InputSpec
from graphc.layers.kinds import refuse_unsupported
from graphc.layers.layer import Layer
from graphc.parameters import configured, declared_of
from graphc.registration import (
    custom_object_scope,
    deserialize_keras_object,
    exported,
    owner_of_functions,
    serialize_keras_object,
)
from graphc.tracing import KerasTensor, Node, bind, current_origin, describe, set_mask, user_line
from graphc.tracing.lookups import Lookup, Table, is_checked, nodes_from_data, record
from graphc.transforms.autograph import for_trace

_MODULE = "keras.layers"


@exported(_MODULE)
class InputLayer(Layer):
    """An input of a model.

    Args:
        shape: Tuple of integers and None, without the batch.
        batch_size: Size of the batch. None: any.
        dtype: Name of a dtype. None: the default float dtype.
        sparse: Not supported yet.
        ragged: Not supported yet.
        batch_shape: Tuple of integers and None, with the batch, in place of `shape` and `batch_size`.
        input_tensor: A symbolic tensor to use in place of a new one.
        optional: Whether a model may be called with None for it.
        name: Its name.

    Raises:
        ArgumentError: if neither or both of `shape` and `batch_shape` are given.

    Example:

    >>> InputLayer((3,)).output.shape
    (None, 3)
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: Any = None,
        ragged: Any = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if shape is None and batch_shape is None:
            batch_shape = legacy_shape(kwargs)
        super().__init__(name=name, dtype=None, **kwargs)
        if sparse or ragged:
            raise ArgumentError("sparse and ragged inputs are not supported", layer=self.name)
        self.sparse = self.ragged = False
        self.optional = bool(optional)
        if input_tensor is not None and not isinstance(input_tensor, KerasTensor):
            raise ArgumentError("input_tensor is a symbolic tensor", layer=self.name, got=repr(input_tensor)[:80])
        if input_tensor is not None:
            shape, batch_shape = None, input_tensor.shape
            dtype = dtype or input_tensor.dtype
        if (shape is None) == (batch_shape is None):
            raise ArgumentError(
                "an input needs a shape", where=describe(self._origin), hint="pass either shape= or batch_shape="
            )
        self.batch_shape = _shape(batch_shape if shape is None else (batch_size, *_shape(shape)))
        tensor = input_tensor
        if tensor is None:
            tensor = KerasTensor(self.batch_shape, dtype or self.variable_dtype, name=self.name)
        self._dtype = tensor.dtype
        Node(self, (), {}, tensor)

    @property
    def dtype(self) -> str:
        """The dtype of the input."""
        return str(self._dtype)

    def call(self) -> Any:
        """Returns None: an input computes nothing."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }


def _shape(shape: Any) -> tuple[int | None, ...]:
    if isinstance(shape, int):
        raise ArgumentError("a shape is a tuple", where=describe(user_line()), got=shape, hint=f"write ({shape},)")
    sizes = tuple(shape) if isinstance(shape, Iterable) and not isinstance(shape, str) else (shape,)
    if not all(size is None or (isinstance(size, int | np.integer) and size >= 1) for size in sizes):
        raise ArgumentError(
            "this cannot be the shape of an input",
            where=describe(user_line()),
            got=repr(shape)[:80],
            expected="a tuple of positive integers, with None for sizes that are not known",
        )
    return tuple(None if size is None else int(size) for size in sizes)


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: Any = None,
    ragged: Any = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> Any:
    """A symbolic input of a functional model.

    Args:
        shape: Tuple of integers and None, without the batch.
        batch_size: Size of the batch. None: any.
        dtype: Name of a dtype. None: the default float dtype.
        sparse: Not supported yet.
        ragged: Not supported yet.
        batch_shape: Tuple of integers and None, with the batch, in place of `shape` and `batch_size`.
        name: Its name.
        tensor: A symbolic tensor to use in place of a new one.
        optional: Whether a model may be called with None for it.

    Returns:
        A `KerasTensor`.

    Example:

    >>> Input((28, 28), name="image").shape
    (None, 28, 28)
    """
    layer = InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name)
    return layer.output


@exported(_MODULE)
@configured
class Dense(Layer):
    """`activation(inputs @ kernel + bias)`: every output is connected to every input.

    Raises:
        ArgumentError: if `units` is not a positive integer.

    Example:

    >>> Dense(2, kernel_initializer="ones")([[1.0, 2.0]]).numpy()
    array([[3., 3.]], dtype=float32)
    """

    _passes_masks = True

    units: int
    activation: Any = None
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    lora_rank: Any = None
    lora_alpha: Any = None
    quantization_config: Any = None

    _unwritten = frozenset({"activity_regularizer", "lora_rank", "lora_alpha"})

    def _prepare(self) -> None:
        refuse_unsupported(self, "lora_rank", "quantization_config")
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Any = None) -> None:
        """Creates kernel and bias."""
        self.kernel = self._new_weight("kernel", (input_shape[-1], self.units))
        self.bias = self._new_weight("bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: input_shape[-1]})

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The outputs."""
        outputs = ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            outputs = ops.add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)


@exported(_MODULE)
@configured
class Embedding(Layer):
    """A table of vectors, indexed by integers.

    Args:
        input_dim: The number of vectors.
        output_dim: The size of a vector.
        mask_zero: Whether 0 is padding: steps with the index 0 are masked.
        weights: A list with the initial value of the table, in place of the initializer.

    An index outside of `0 ... input_dim - 1` is an error, which is raised before a program runs, if the index depends
    on the data alone. If the model computes it from weights, its vector is NaN.

    Raises:
        ArgumentError: if low-rank updates or quantization are requested.
        DataError: if an index is out of range.

    Example:

    >>> Embedding(10, 4)([[1, 2, 3]]).shape
    (1, 3, 4)
    """

    input_dim: int
    output_dim: int
    embeddings_initializer: Any = "uniform"
    embeddings_regularizer: Any = None
    embeddings_constraint: Any = None
    mask_zero: bool = False
    weights: Any = None
    lora_rank: Any = None
    lora_alpha: Any = None
    quantization_config: Any = None

    _initial_weights: Any
    _former = MappingProxyType({"input_length": None})
    _unwritten = frozenset({"lora_rank", "lora_alpha"})

    def _prepare(self) -> None:
        refuse_unsupported(self, "lora_rank", "quantization_config")
        # Indices must not be rounded to a lower precision.
        self.autocast = False
        self.supports_masking = self.mask_zero
        if self._initial_weights is not None:
            self.build()

    def build(self, input_shape: Any = None) -> None:
        """Creates the table."""
        self.embeddings = self._new_weight("embeddings", (self.input_dim, self.output_dim))
        if self._initial_weights is not None:
            several = isinstance(self._initial_weights, list | tuple)
            self.embeddings.assign(self._initial_weights[0] if several else self._initial_weights)

    def call(self, inputs: Any) -> Any:
        """The vectors."""
        indices = ops.convert_to_tensor(inputs)
        if not indices.type.dtype.is_integer:
            indices = ops.cast(indices, "int32")
        lookup = Lookup(Table(self.name, self.input_dim), indices, id(self), nodes_from_data(indices))
        if indices.traced is None:
            lookup.table.check(indices.array, describe(current_origin()))
        else:
            record(lookup)
            if is_checked(lookup):
                return ops.cast(bind("gather", self.embeddings.value, indices, axis=0), self.compute_dtype)
        return ops.cast(ops.take(self.embeddings, indices, axis=0), self.compute_dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Whether the indices are not 0, if `mask_zero`; else None."""
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "activity_regularizer": regularizers.serialize(self.activity_regularizer)}


@exported(_MODULE)
@configured(without=tuple(declared_of(Embedding)))
class ReversibleEmbedding(Embedding):
    """An `Embedding` that with `reverse=True` makes logits of vectors: `x @ table.T`.

    Args:
        input_dim: As of `Embedding`, likewise the others.
        tie_weights: Whether the table is the same in both directions.
        reverse_dtype: The dtype of the logits. None: that of the layer.
        logit_soft_cap: Logits are `cap * tanh(logits / cap)`. None: they are not limited.

    Example:

    >>> layer = ReversibleEmbedding(10, 4)
    >>> layer(layer([[1, 2]]), reverse=True).shape
    (1, 2, 10)
    """

    input_dim: int
    output_dim: int
    tie_weights: bool = True
    embeddings_initializer: Any = "uniform"
    embeddings_regularizer: Any = None
    embeddings_constraint: Any = None
    mask_zero: bool = False
    reverse_dtype: Any = None
    logit_soft_cap: Any = None
    weights: Any = None
    lora_rank: Any = None
    lora_alpha: Any = None
    quantization_config: Any = None

    def build(self, input_shape: Any = None) -> None:
        """Creates the table, or both."""
        super().build(input_shape)
        if not self.tie_weights:
            shape, initializer = (self.output_dim, self.input_dim), self.embeddings_initializer
            self.reverse_embeddings = self.add_weight(name="reverse_embeddings", shape=shape, initializer=initializer)

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        """The vectors of indices, or the logits of vectors."""
        if not reverse:
            vectors = super().call(inputs)
            set_mask(vectors, super().compute_mask(inputs))
            return vectors
        kernel = ops.transpose(self.embeddings) if self.tie_weights else self.reverse_embeddings
        dtype = self.reverse_dtype or self.compute_dtype
        logits = ops.matmul(ops.cast(inputs, dtype), ops.cast(kernel, dtype))
        cap = self.logit_soft_cap
        return logits if cap is None else ops.tanh(logits / cap) * cap

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """None: `call` sets the mask of vectors, and logits have none."""
        return None


@exported(_MODULE)
class Identity(Layer):
    """The inputs themselves.

    Example:

    >>> Identity()([[1.0]]).numpy()
    array([[1.]], dtype=float32)
    """

    _passes_masks = True
    _builds_when_called = False

    def call(self, inputs: Any) -> Any:
        """The inputs."""
        return inputs


@exported(_MODULE)
@configured
class Activation(Layer):
    """An activation function as a layer.

    Args:
        activation: Name or function.

    Example:

    >>> Activation("relu")([[-1.0, 1.0]]).numpy()
    array([[0., 1.]], dtype=float32)
    """

    _passes_masks = True
    _builds_when_called = False

    activation: Any

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return self.activation(inputs)


@exported(_MODULE)
@configured
class Masking(Layer):
    """Masks the steps of sequences all of whose features equal a value, and sets these to 0.

    Later layers that support masks ignore the masked steps.

    Args:
        mask_value: The value.

    Example:

    >>> x = ops.convert_to_tensor([[[1.0, 0.0], [0.0, 0.0]]])
    >>> Masking()(x)._keras_mask.numpy()
    array([[ True, False]])
    """

    _builds_when_called = False

    mask_value: Any = 0.0

    def _prepare(self) -> None:
        self.mask_value = deserialize_keras_object(self.mask_value)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Whether steps have a feature of another value."""
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Any) -> Any:
        """The inputs, with masked steps set to 0."""
        return ops.where(ops.expand_dims(self.compute_mask(inputs), -1), inputs, 0)


@exported(_MODULE)
class Lambda(Layer):
    """A function as a layer.

    A file holds the name of the function, and no code: who reads it passes the function in `custom_objects`, one
    without a name under that of the layer, or registers it.

    Args:
        function: A function of the inputs.
        output_shape: Accepted as in Keras; the shape is inferred by tracing.
        mask: The mask of the outputs, or a function that computes it from the inputs and their mask. None: no mask.
        arguments: Further keyword arguments of the function.

    Example:

    >>> Lambda(lambda x: x * 2)([[1.0]]).numpy()
    array([[2.]], dtype=float32)
    """

    _has_generic_config = True

    def __init__(
        self, function: Any, output_shape: Any = None, mask: Any = None, arguments: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.function, self.arguments, self.mask = function, dict(arguments or {}), mask
        self.supports_masking = mask is not None
        self._parameters = frozenset(inspect.signature(function).parameters)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """Applies the function, with `mask` and `training` if it has such parameters."""
        known = {"mask": mask, "training": training}
        options = {name: known[name] for name in known.keys() & self._parameters}
        return for_trace(self.function)(inputs, **self.arguments, **options)

    def get_config(self) -> dict[str, Any]:
        """The configuration, without the shape and the mask that were not given."""
        config = super().get_config()
        config["arguments"] = serialize_keras_object(self.arguments)
        return {key: value for key, value in config.items() if value is not None or key not in ("output_shape", "mask")}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None, safe_mode: bool | None = None) -> Any:
        """Creates a layer from a configuration that `get_config` returned.

        Args:
            config: The configuration.
            custom_objects: Functions by name. One without a name comes under the name of the layer, or `"<lambda>"`.
            safe_mode: Accepted as in Keras: code in configurations is never run.

        Raises:
            ArgumentError: if a function is not there.
        """
        with owner_of_functions(config.get("name")), custom_object_scope(custom_objects or {}):
            layer: Lambda = super().from_config(config)
        return layer

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the outputs."""
        return self.mask(inputs, mask) if callable(self.mask) else self.mask
