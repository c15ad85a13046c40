"""Multi-head attention: `MultiHeadAttention` and `GroupQueryAttention`."""

from __future__ import annotations

import math
import string
from functools import partial
from typing import Any

from graphc import constraints, initializers, ops, regularizers
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.core import optional_config
from graphc.layers.einsum_dense import EinsumDense
from graphc.layers.layer import Layer
from graphc.layers.masks import without_mask
from graphc.layers.regularization import Dropout
from graphc.ops.attention import attend, causal_mask
from graphc.registration import exported
from graphc.tracing import auto_name, describe

_MODULE = "keras.layers"


class Heads(Layer):
    """The base class: projections of queries, keys and values, masks, and the attention itself."""

    _passes_masks = True
    _score_axes: tuple[int, ...]
    _dropout_layer: Dropout
    # The prefix of the attributes that hold the options.
    _prefix = ""

    def _set_options(
        self, dropout: float, use_bias: bool, use_gate: bool, window: Any, flash: Any, **parts: Any
    ) -> None:
        if window is not None and (not isinstance(window, int) or window < 1):
            raise ArgumentError("sliding_window is a positive integer, or None", layer=self.name, got=repr(window))
        if flash and dropout > 0:
            raise ArgumentError("there is no dropout with flash attention", layer=self.name, got=dropout, expected=0)
        self.supports_masking = True
        self._flash_attention = bool(flash)
        found = {
            "kernel_initializer": initializers.get(parts["kernel_initializer"]),
            "bias_initializer": initializers.get(parts["bias_initializer"]),
            "kernel_regularizer": regularizers.get(parts["kernel_regularizer"]),
            "bias_regularizer": regularizers.get(parts["bias_regularizer"]),
            "kernel_constraint": constraints.get(parts["kernel_constraint"]),
            "bias_constraint": constraints.get(parts["bias_constraint"]),
        }
        own = {"dropout": dropout, "use_bias": use_bias, "use_gate": use_gate, "sliding_window": window}
        for name, part in {**found, **own}.items():
            setattr(self, f"{self._prefix}{name}", part)
        # The penalty on outputs is that of the projections.
        self._projection_penalty = regularizers.get(parts["activity_regularizer"])
        self.seed = parts["seed"]

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

    def _shared_config(self) -> dict[str, Any]:
        names = [f"{part}_{kind}" for part in ("kernel", "bias") for kind in ("regularizer", "constraint")]
        firsts = ("kernel_initializer", "bias_initializer")
        return {
            **{name: self._option(name) for name in ("dropout", "use_bias", "use_gate", "sliding_window")},
            **{name: initializers.serialize(self._option(name)) for name in firsts},
            **{name: optional_config(self, f"{self._prefix}{name}") for name in names},
            "activity_regularizer": regularizers.serialize(self._projection_penalty),
            "seed": self.seed,
        }


@exported(_MODULE)
class MultiHeadAttention(Heads):
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
        sliding_window: The maximum distance of a key from a query is `sliding_window - 1`. None: any distance.
        flash_attention: Accepted as in Keras; the compiler decides how attention is computed.
        kernel_initializer: Initializer of the projections' kernels.
        bias_initializer: Initializer of their biases.
        kernel_regularizer: Regularizer of the kernels.
        bias_regularizer: Regularizer of the biases.
        activity_regularizer: Regularizer of the outputs of the projections.
        kernel_constraint: Constraint on the kernels.
        bias_constraint: Constraint on the biases.
        use_gate: Whether the heads are multiplied with a gate, `sigmoid(query @ W_g)`, before the output projection.
        seed: Integer for dropout, or None.

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

    _prefix = "_"
    _dropout: float
    _use_bias: bool
    _use_gate: bool
    _sliding_window: int | None

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, size in (("num_heads", num_heads), ("key_dim", key_dim), ("value_dim", value_dim or 1)):
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ArgumentError(f"{name} is a positive integer", where=describe(self._origin), got=repr(size))
        self._set_options(
            dropout,
            use_bias,
            use_gate,
            sliding_window,
            flash_attention,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            seed=seed,
        )
        self._num_heads, self._key_dim, self._value_dim = num_heads, key_dim, value_dim or key_dim
        self._output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape or ()) or None
        axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes
        if axes is not None and not isinstance(axes, list | tuple):
            raise ArgumentError("attention_axes is an integer, or several", layer=self.name, got=repr(axes))
        self._attention_axes: Any = axes

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

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {
            **super().get_config(),
            "num_heads": self._num_heads,
            "key_dim": self._key_dim,
            "value_dim": self._value_dim,
            "output_shape": self._output_shape,
            "attention_axes": self._attention_axes,
            **self._shared_config(),
        }


@exported(_MODULE)
class GroupQueryAttention(Heads):
    """Attention whose heads share keys and values in groups (Ainslie et al., 2023).

    Args:
        head_dim: The size of a head.
        num_query_heads: The number of query heads.
        num_key_value_heads: The number of key and value heads; it divides `num_query_heads`.
        dropout: The fraction of the attention weights that is set to 0 in training.
        use_bias: Whether the projections have biases.
        sliding_window: The maximum distance of a key from a query is `sliding_window - 1`. None: any distance.
        flash_attention: Accepted as in Keras; the compiler decides how attention is computed.
        kernel_initializer: Initializer of the projections' kernels.
        bias_initializer: Initializer of their biases.
        kernel_regularizer: Regularizer of the kernels.
        bias_regularizer: Regularizer of the biases.
        activity_regularizer: Regularizer of the outputs of the projections.
        kernel_constraint: Constraint on the kernels.
        bias_constraint: Constraint on the biases.
        use_gate: Whether the heads are multiplied with a gate, `sigmoid(query @ W_g)`, before the output projection.
        seed: Integer for dropout, or None.

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

    dropout: float
    use_gate: bool

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        # Keras derives the automatic name from the alias of the class.
        super().__init__(name=name or auto_name("grouped_query_attention"), **kwargs)
        if num_query_heads % num_key_value_heads:
            raise ArgumentError(
                "num_key_value_heads divides num_query_heads",
                where=describe(self._origin),
                got=f"{num_key_value_heads} and {num_query_heads}",
            )
        self._set_options(
            dropout,
            use_bias,
            use_gate,
            sliding_window,
            flash_attention,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            seed=seed,
        )
        self.head_dim, self.num_query_heads, self.num_key_value_heads = head_dim, num_query_heads, num_key_value_heads
        self.num_repeats = num_query_heads // num_key_value_heads

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
        mask = None if mask is None else ops.expand_dims(mask, -3)
        gate = self._gate_dense(query) if self.use_gate else None
        q, k, v = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        scale = 1 / math.sqrt(self.head_dim)
        scores = None
        if self.dropout == 0 and not return_attention_scores:
            output = ops.dot_product_attention(q, k, v, mask=mask, scale=scale)
        else:
            k, v = (ops.repeat(x, self.num_repeats, axis=2) for x in (k, v))
            output, scores = self._attend((q, k, v), ("bkuh,bquh->buqk", "buqk,bkuh->bquh"), scale, mask, training)
        output = self._output_dense(output if gate is None else ops.multiply(output, gate))
        return (output, scores) if return_attention_scores else output

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

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_query_heads": self.num_query_heads,
            "num_key_value_heads": self.num_key_value_heads,
            **self._shared_config(),
        }


GroupedQueryAttention = GroupQueryAttention
