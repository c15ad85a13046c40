"""Attention with groups of heads: `GroupQueryAttention`."""

from __future__ import annotations

import math
from typing import Any

from graphc import ops
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.attention_base import BaseMultiHeadAttention
from graphc.layers.masks import without_mask
from graphc.layers.regularization import Dropout
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"


@exported(_MODULE)
@configured
class GroupQueryAttention(BaseMultiHeadAttention):
    """Attention whose heads share keys and values in groups (Ainslie et al., 2023).

    Args:
        head_dim: The size of a head.
        num_query_heads: The number of query heads.
        num_key_value_heads: The number of key and value heads; it divides `num_query_heads`.
        dropout: The fraction of the attention weights that is set to 0 in training.
        use_bias: Whether the projections have biases.
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
        ArgumentError: if the numbers of heads are incompatible.
        ShapeError: if the shapes of queries, keys and values are incompatible.

    Example:

    >>> x = ops.ones((2, 5, 16))
    >>> GroupQueryAttention(head_dim=4, num_query_heads=4, num_key_value_heads=2)(x, x).shape
    (2, 5, 16)
    """

    _name_prefix = "grouped_query_attention"

    head_dim: int
    num_query_heads: int
    num_key_value_heads: int
    dropout: float = 0.0
    use_bias: bool = True
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
        if self.num_query_heads % self.num_key_value_heads:
            raise ArgumentError(
                "num_key_value_heads divides num_query_heads",
                where=describe(self._origin),
                got=f"{self.num_key_value_heads} and {self.num_query_heads}",
            )
        self.num_repeats = self.num_query_heads // self.num_key_value_heads

    def build(  # type: ignore[override]
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> None:
        """Creates the projections."""
        self.feature_dim = query_shape[-1]
        queries, groups = (None, self.num_query_heads, self.head_dim), (None, self.num_key_value_heads, self.head_dim)
        self._query_dense = self._projection("query", "bqm,muh->bquh", queries, "uh")
        self._query_dense.build(query_shape)
        self._key_dense = self._projection("key", "bkm,mvh->bkvh", groups, "vh")
        self._key_dense.build(value_shape if key_shape is None else key_shape)
        if self.use_gate:
            self._gate_dense = self._projection("gate", "bqm,muh->bquh", queries, "uh", "sigmoid")
            self._gate_dense.build(query_shape)
        self._value_dense = self._projection("value", "bkm,mvh->bkvh", groups, "vh")
        self._value_dense.build(value_shape)
        self._score_axes = (-1,)
        self._dropout_layer = Dropout(self.dropout, dtype=self.dtype_policy, seed=self.seed)
        self._output_dense = self._projection("attention_output", "bquh,uhm->bqm", (None, self.feature_dim), "m")
        self._output_dense.build((None, None, self.num_query_heads, self.head_dim))

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
        query, value, key = without_mask(query), without_mask(value), without_mask(value if key is None else key)
        mask = self._compute_attention_mask(
            query, value, query_mask, value_mask, key_mask, attention_mask, use_causal_mask
        )
        gate = self._gate_dense(query) if self.use_gate else None
        q, k, v = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        scored = {"return_attention_scores": True} if return_attention_scores else {}
        output, scores = self._compute_attention(q, k, v, mask, training, **scored)
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
    ) -> tuple[Any, Any]:
        """Attention on projected tensors; subclasses may override it.

        Returns:
            The heads' outputs, and the scores (None if not requested).
        """
        mask = None if attention_mask is None else ops.expand_dims(attention_mask, -3)
        scale = 1 / math.sqrt(self.head_dim)
        if self.dropout == 0 and not return_attention_scores:
            return ops.dot_product_attention(query, key, value, mask=mask, scale=scale), None
        key, value = (ops.repeat(x, self.num_repeats, axis=2) for x in (key, value))
        equations = "bkuh,bquh->buqk", "buqk,bkuh->bquh"
        return self._attend((query, key, value), equations, scale, mask, training)

    def compute_output_shape(  # type: ignore[override]
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> Any:
        """The shape of the outputs: that of the queries."""
        key_shape = value_shape if key_shape is None else key_shape
        if query_shape[-1] != value_shape[-1] or tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ShapeError(
                "queries, keys and values do not fit each other",
                layer=self.name,
                got=f"queries {tuple(query_shape)}, keys {tuple(key_shape)}, values {tuple(value_shape)}",
            )
        return tuple(query_shape)


GroupedQueryAttention = GroupQueryAttention
