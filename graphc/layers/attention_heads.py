"""Attention with several heads: `MultiHeadAttention`."""

from __future__ import annotations

import math
import string
from typing import Any

from graphc import ops
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.attention_base import BaseMultiHeadAttention
from graphc.layers.einsum_dense import EinsumDense
from graphc.layers.masks import without_mask
from graphc.layers.regularization import Dropout
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"


class _WithProperties(BaseMultiHeadAttention):
    """The arguments of `MultiHeadAttention` can be read, and not set."""

    _prefix = "_"
    _num_heads: int
    _key_dim: int
    _value_dim: Any
    _dropout: float
    _use_bias: bool
    _use_gate: bool
    _output_shape: Any
    _attention_axes: Any
    _sliding_window: int | None

    num_heads = property(lambda self: self._num_heads, doc="The number of heads.")
    key_dim = property(lambda self: self._key_dim, doc="The size of a head of queries and keys.")
    value_dim = property(lambda self: self._value_dim, doc="The size of a head of values.")
    dropout = property(
        lambda self: self._dropout, doc="The fraction of the attention weights that is set to 0 in training."
    )
    use_bias = property(lambda self: self._use_bias, doc="Whether the projections have biases.")
    attention_axes = property(lambda self: self._attention_axes, doc="The axes that attention runs over.")
    query_dense = property(lambda self: self._query_dense, doc="The projection of the queries.")
    key_dense = property(lambda self: self._key_dense, doc="The projection of the keys.")
    value_dense = property(lambda self: self._value_dense, doc="The projection of the values.")
    output_dense = property(lambda self: self._output_dense, doc="The output projection.")


@exported(_MODULE)
@configured
class MultiHeadAttention(_WithProperties):
    """Attention with several heads, each with its own projections, and an output projection (Vaswani et al., 2017).

    With `q = query @ W_q`, `k = key @ W_k` and `v = value @ W_v` for each head, biases added:
    `output = concat over heads of (softmax(q @ k / sqrt(key_dim)) @ v) @ W_o`.

    Args:
        num_heads: The number of heads.
        key_dim: The size of a head of queries and keys.
        value_dim: The size of a head of values. None: `key_dim`.
        dropout: The fraction of the attention weights that is set to 0 in training.
        use_bias: Whether the projections have biases.
        output_shape: The last sizes of the output, an integer or a tuple. None: the last size of the query.
        attention_axes: The axes that attention runs over. None: all but the batch and the features.
        kernel_initializer: Initializer of the projections' kernels.
        bias_initializer: Initializer of their biases.
        kernel_regularizer: Regularizer of the kernels.
        bias_regularizer: Regularizer of the biases.
        activity_regularizer: Regularizer of the outputs of the projections.
        kernel_constraint: Constraint on the kernels.
        bias_constraint: Constraint on the biases.

    Call arguments:
        query: Tensor of shape `(batch, queries, features)`.
        value: Tensor of shape `(batch, keys, features)`.
        key: Tensor of shape `(batch, keys, features)`. None: `value`.
        query_mask: Booleans of shape `(batch, queries)`. None: the mask that the tensor carries.
        value_mask: Booleans of shape `(batch, keys)`, likewise.
        key_mask: Booleans of shape `(batch, keys)`, likewise.
        attention_mask: Booleans of shape `(batch, queries, keys)`: which keys a query attends to.
        return_attention_scores: Whether the weights, of shape `(batch, heads, queries, keys)`, are returned as well.
        training: Whether the model trains: whether there is dropout.
        use_causal_mask: Whether a query attends only to keys at its own and earlier positions.

    Raises:
        ArgumentError: if an argument has an invalid value.
        ShapeError: if keys and values differ in their axes.

    Example:

    >>> x = ops.ones((2, 5, 16))
    >>> MultiHeadAttention(num_heads=2, key_dim=4)(x, x, use_causal_mask=True).shape
    (2, 5, 16)
    """

    num_heads: int
    key_dim: int
    value_dim: int | None = None
    dropout: float = 0.0
    use_bias: bool = True
    output_shape: Any = None
    attention_axes: Any = None
    sliding_window: int | None = None
    flash_attention: Any = None
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    use_gate: bool = False
    seed: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self._value_dim = self._value_dim or self._key_dim
        for name in ("num_heads", "key_dim", "value_dim"):
            size = getattr(self, f"_{name}")
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ArgumentError(f"{name} is a positive integer", where=describe(self._origin), got=repr(size))
        shape, axes = self._output_shape, self._attention_axes
        if shape is not None and not isinstance(shape, int | list | tuple):
            raise ArgumentError("output_shape is an integer, or several", layer=self.name, got=repr(shape))
        self._output_shape = (shape,) if isinstance(shape, int) else tuple(shape or ()) or None
        self._attention_axes = (axes,) if isinstance(axes, int) else axes
        if axes is not None and not isinstance(self._attention_axes, list | tuple):
            raise ArgumentError("attention_axes is an integer, or several", layer=self.name, got=repr(axes))

    def build(  # type: ignore[override]
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> None:
        """Creates the projections."""
        key_shape = value_shape if key_shape is None else key_shape
        self._check_keys(value_shape, key_shape)
        heads, rank = self._num_heads, len(query_shape)
        self._query_dense = self._head_projection("query", query_shape, self._key_dim)
        self._key_dense = self._head_projection("key", key_shape, self._key_dim)
        if self._use_gate:
            self._gate_dense = self._head_projection("gate", query_shape, self._value_dim, "sigmoid")
        self._value_dense = self._head_projection("value", value_shape, self._value_dim)
        self._build_attention(rank + 1)
        sizes = self._output_shape or (query_shape[-1],)
        dots, bound = string.ascii_lowercase[: rank - 1], string.ascii_lowercase[rank - 1 : rank + 1]
        out = string.ascii_lowercase[rank + 1 : rank + 1 + len(sizes)]
        inner = (*(None for _ in range(rank - 2)), *sizes)
        self._output_dense = self._projection(
            "attention_output", f"{dots}{bound},{bound}{out}->{dots}{out}", inner, out
        )
        self._output_dense.build((*query_shape[:-1], heads, self._value_dim))

    def _check_keys(self, value_shape: Any, key_shape: Any) -> None:
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ShapeError(
                "values and keys differ in their axes",
                layer=self.name,
                got=f"values {tuple(value_shape)}, keys {tuple(key_shape)}",
                expected="all sizes but the last equal",
            )

    def _head_projection(self, name: str, shape: Any, size: int, activation: Any = None) -> EinsumDense:
        """A projection of features into heads."""
        rank = len(shape)
        dots, bound = string.ascii_lowercase[: rank - 1], string.ascii_lowercase[rank - 1]
        out = string.ascii_lowercase[rank : rank + 2]
        inner = (*(None for _ in range(rank - 2)), self._num_heads, size)
        dense = self._projection(name, f"{dots}{bound},{bound}{out}->{dots}{out}", inner, out, activation)
        dense.build(shape)
        return dense

    def _build_attention(self, rank: int) -> None:
        """Creates the einsum equations for projected tensors of a rank, and the dropout layer."""
        axes = range(1, rank - 2) if self._attention_axes is None else self._attention_axes
        self._attention_axes = tuple(axis if axis >= 0 else (rank - 1) + axis for axis in axes)
        target = string.ascii_lowercase[:rank]
        source = "".join(
            string.ascii_lowercase[rank + self._attention_axes.index(axis)] if axis in self._attention_axes else index
            for axis, index in enumerate(target)
        )
        batch = "".join(target[axis] for axis in range(rank - 1) if axis not in self._attention_axes)
        rows, columns = ("".join(of[axis] for axis in self._attention_axes) for of in (target, source))
        scores = f"{batch}{rows}{columns}"
        self._dot_product_equation = f"{source},{target}->{scores}"
        self._combine_equation = f"{scores},{source}->{target}"
        first = len(scores) - len(self._attention_axes)
        self._score_axes = tuple(range(first, len(scores)))
        self._dropout_layer = Dropout(self._dropout, dtype=self.dtype_policy, seed=self.seed)

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """The outputs, with the scores if requested."""
        # The masks that the tensors carried were passed as arguments; the projections do not take them.
        query, value, key = without_mask(query), without_mask(value), without_mask(value if key is None else key)
        others = (query_mask, value_mask, key_mask, attention_mask, self._sliding_window)
        # A causal mask alone is applied by the attention itself, unless a subclass overrides that.
        alone = all(other is None for other in others)
        direct = use_causal_mask and alone and type(self)._compute_attention is MultiHeadAttention._compute_attention
        if direct:
            attention_mask = None
        else:
            attention_mask = self._compute_attention_mask(
                query, value, query_mask, value_mask, key_mask, attention_mask, use_causal_mask
            )
        gate = self._gate_dense(query) if self._use_gate else None
        parts = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        extra = {"use_causal_mask": True} if direct else {}
        output, scores = self._compute_attention(*parts, attention_mask, training, return_attention_scores, **extra)
        output = self._output_dense(output if gate is None else ops.multiply(output, gate))
        return (output, scores) if return_attention_scores else output

    def _compute_attention(
        self,
        query: Any,
        key: Any,
        value: Any,
        attention_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> tuple[Any, Any]:
        """Attention on projected tensors; subclasses may override it.

        Returns:
            The heads' outputs, and the scores (None if not requested).
        """
        if self._flash_attention and return_attention_scores:
            raise ArgumentError("flash attention has no scores", layer=self.name, hint="leave flash_attention off")
        if self._dropout == 0 and not return_attention_scores and len(query.shape) == 4:
            mask = None if attention_mask is None else self._expand_mask(attention_mask, 4)
            output = ops.dot_product_attention(
                query, key, value, mask=mask, scale=1 / math.sqrt(self._key_dim), is_causal=use_causal_mask
            )
            return output, None
        if use_causal_mask:
            causal = self._compute_causal_mask(query, value)
            attention_mask = causal if attention_mask is None else ops.logical_and(attention_mask, causal)
        rank = len(query.shape) - 1 + len(self._attention_axes)
        mask = None if attention_mask is None else self._expand_mask(attention_mask, rank)
        equations = self._dot_product_equation, self._combine_equation
        return self._attend((query, key, value), equations, 1 / math.sqrt(self._key_dim), mask, training)

    def _expand_mask(self, mask: Any, rank: int) -> Any:
        """A mask with axes of size 1 for the heads and other axes before the attention axes."""
        axis = -2 * len(self._attention_axes) - 1
        for _ in range(rank - len(mask.shape)):
            mask = ops.expand_dims(mask, axis)
        return ops.cast(mask, "bool")

    def compute_output_shape(  # type: ignore[override]
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> Any:
        """The shape of the outputs."""
        self._check_keys(value_shape, value_shape if key_shape is None else key_shape)
        return (*query_shape[:-1], *self._output_shape) if self._output_shape else tuple(query_shape)
