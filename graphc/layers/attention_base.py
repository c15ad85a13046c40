"""The base class of multi-head attention: projections into heads, masks and the attention itself."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from graphc import ops, regularizers
from graphc.errors import ArgumentError
from graphc.layers.einsum_dense import EinsumDense
from graphc.layers.layer import Layer
from graphc.layers.regularization import Dropout
from graphc.ops.attention import attend, causal_mask


class BaseMultiHeadAttention(Layer):
    """The base class: projections of queries, keys and values, masks, and the attention itself."""

    _passes_masks = True
    _score_axes: tuple[int, ...]
    _dropout_layer: Dropout
    _flash_attention: Any
    _prefix: ClassVar[str] = ""

    def _prepare(self) -> None:
        window, dropout = self._option("sliding_window"), self._option("dropout")
        if window is not None and (not isinstance(window, int) or window < 1):
            raise ArgumentError("sliding_window is a positive integer, or None", layer=self.name, got=repr(window))
        if self._flash_attention and dropout > 0:
            raise ArgumentError("there is no dropout with flash attention", layer=self.name, got=dropout, expected=0)
        # The penalty on outputs is that of the projections.
        self._projection_penalty, self.activity_regularizer = self.activity_regularizer, None

    def _option(self, name: str) -> Any:
        return getattr(self, f"{self._prefix}{name}")

    def _projection(self, name: str, equation: str, sizes: Any, bias_axes: str, activation: Any = None) -> EinsumDense:
        kernel, bias = self._option("kernel_initializer"), self._option("bias_initializer")
        return EinsumDense(
            equation,
            output_shape=sizes,
            activation=activation,
            bias_axes=bias_axes if self._option("use_bias") else None,
            # Copies of the initializers, since one object always draws the same numbers.
            kernel_initializer=type(kernel).from_config(kernel.get_config()),
            bias_initializer=type(bias).from_config(bias.get_config()),
            kernel_regularizer=self._option("kernel_regularizer"),
            bias_regularizer=self._option("bias_regularizer"),
            activity_regularizer=self._projection_penalty,
            kernel_constraint=self._option("kernel_constraint"),
            bias_constraint=self._option("bias_constraint"),
            dtype=self.dtype_policy,
            name=name,
        )

    def _compute_attention_mask(
        self,
        query: Any,
        value: Any,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """The conjunction of all masks, of shape `(batch, queries, keys)`; None without masks."""
        masks = [] if attention_mask is None else [ops.cast(attention_mask, "bool")]
        if query_mask is not None:
            masks.append(ops.expand_dims(ops.cast(query_mask, "bool"), -1))
        masks += [ops.expand_dims(ops.cast(mask, "bool"), -2) for mask in (value_mask, key_mask) if mask is not None]
        if use_causal_mask:
            masks.append(self._compute_causal_mask(query, value))
        if self._option("sliding_window") is not None:
            masks.append(self._compute_sliding_window_mask(query, value))
        total = None
        for mask in masks:
            total = mask if total is None else ops.logical_and(total, mask)
        return total

    def _compute_causal_mask(self, query: Any, value: Any = None) -> Any:
        """Whether a query attends to a key: not to later ones. Of shape `(1, queries, keys)`."""
        keys = query if value is None else value
        return ops.expand_dims(causal_mask(query.shape[1], keys.shape[1]), 0)

    def _compute_sliding_window_mask(self, query: Any, value: Any = None) -> Any:
        """Whether a key is within the sliding window of a query. Of shape `(1, queries, keys)`."""
        keys = query if value is None else value
        distance = ops.expand_dims(ops.arange(query.shape[1]), 1) - ops.arange(keys.shape[1])
        return ops.expand_dims(ops.less(ops.abs(distance), self._option("sliding_window")), 0)

    def _attend(
        self, parts: tuple[Any, Any, Any], equations: tuple[str, str], scale: float, mask: Any, training: Any
    ) -> tuple[Any, Any]:
        """The attention with its scores.

        Args:
            parts: Queries, keys and values, projected.
            equations: The einsum equations of keys and queries, and of weights and values.
            scale: Factor of the logits.
            mask: Booleans, which broadcast to the scores.
            training: Whether there is dropout.
        """
        query, key, value = parts
        scores = ops.einsum(equations[0], key, ops.multiply(query, ops.cast(scale, query.dtype)))
        if mask is not None:
            scores = ops.where(mask, scores, -1e9)
        drop = partial(self._dropout_layer, training=training) if self._option("dropout") > 0 else None
        return attend(scores, value, equations[1], self._score_axes, drop)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "activity_regularizer": regularizers.serialize(self._projection_penalty)}
