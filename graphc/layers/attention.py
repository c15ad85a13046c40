"""Single-head attention: `Attention` and `AdditiveAttention`."""

from __future__ import annotations

import string
from functools import partial
from typing import Any

from graphc import ops, random
from graphc.errors import ArgumentError
from graphc.layers.layer import Layer
from graphc.ops.attention import attend, causal_mask
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"


@exported(_MODULE)
@configured
class Attention(Layer):
    """`softmax(scores) @ value`, the scores being products of queries and keys (Luong et al., 2015).

    Args:
        use_scale: Whether the scores are multiplied by a trainable scalar.
        score_mode: `"dot"`: `query @ key`; `"concat"`: the sum of `tanh(query + key)`, times a trainable scalar.
        dropout: The fraction of the attention weights that is set to 0 in training.

    Call arguments:
        inputs: List of a query of shape `(batch, queries, size)`, a value of shape `(batch, keys, size)`, and
            optionally a key of that shape; the default is the value.
        mask: List of the query's mask of shape `(batch, queries)` and the value's of shape `(batch, keys)`. Outputs are
            0 where the first is False; values where the second is False are ignored.
        return_attention_scores: Whether the weights, of shape `(batch, queries, keys)`, are returned as well.
        training: Whether the model trains: whether there is dropout.
        use_causal_mask: Whether a query attends only to keys at its own and earlier positions.

    Raises:
        ArgumentError: if the mode is unknown, or the inputs are no such list.

    Example:

    >>> Attention()([ops.ones((2, 3, 4)), ops.ones((2, 5, 4))]).shape
    (2, 3, 4)
    """

    use_scale: bool = False
    score_mode: str = "dot"
    dropout: float = 0.0
    seed: Any = None

    def _prepare(self) -> None:
        if self.score_mode not in ("dot", "concat"):
            raise ArgumentError(
                "unknown score_mode",
                where=describe(self._origin),
                got=repr(self.score_mode),
                expected="'dot' or 'concat'",
            )
        if self.dropout > 0:
            self.seed_generator = random.SeedGenerator(self.seed)

    def build(self, input_shape: Any = None) -> None:
        """Creates the trainable scalars."""
        self._check(input_shape)
        self.scale = self.add_weight(name="scale", shape=(), initializer="ones") if self.use_scale else None
        self.concat_score_weight = None
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(name="concat_score_weight", shape=(), initializer="ones")

    def _check(self, inputs: Any, mask: Any = None) -> None:
        for what, given in (("inputs", inputs), ("masks", mask)):
            if given is None and what == "masks":
                continue
            if not isinstance(given, list) or len(given) not in (2, 3):
                raise ArgumentError(
                    f"the {what} of {type(self).__name__} are a list",
                    layer=self.name,
                    got=f"{type(given).__name__} {repr(given)[:60]}",
                    expected="[query, value] or [query, value, key]",
                )

    def _calculate_scores(self, query: Any, key: Any) -> Any:
        """The scores of queries and keys: a tensor of shape `(batch, queries, keys)`."""
        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.swapaxes(key, -2, -1))
            return scores if self.scale is None else scores * self.scale
        total = ops.expand_dims(query, -2) + ops.expand_dims(key, -3)
        total = total if self.scale is None else self.scale * total
        return self.concat_score_weight * ops.sum(ops.tanh(total), axis=-1)

    def _score_mask(self, scores: Any, value_mask: Any, use_causal_mask: bool) -> Any:
        mask = None if value_mask is None else ops.expand_dims(ops.cast(value_mask, "bool"), -2)
        if not use_causal_mask:
            return mask
        causal = ops.expand_dims(causal_mask(scores.shape[-2], scores.shape[-1]), 0)
        return causal if mask is None else ops.logical_and(mask, causal)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool | None = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """The outputs, with the weights if requested."""
        self._check(inputs, mask)
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) > 2 else value
        scores = self._calculate_scores(query, key)
        counts = self._score_mask(scores, mask[1] if mask else None, use_causal_mask)
        if counts is not None:
            # Subtracted rather than set, so that a fully masked row keeps the differences of its scores, as in Keras.
            far = 65504.0 if scores.dtype == "float16" else 1e9
            scores = ops.where(counts, scores, scores - far)
        drops = training and self.dropout > 0
        drop = partial(random.dropout, rate=self.dropout, seed=self.seed_generator) if drops else None
        batch = string.ascii_uppercase[: len(scores.shape) - 2]
        equation = f"{batch}ts,{batch}sd->{batch}td"
        output, weights = attend(scores, value, equation, (-1,), None if return_attention_scores else drop)
        if drop is not None and return_attention_scores:  # the weights are those after dropout
            weights = drop(weights)
            output = ops.einsum(equation, weights, value)
        if mask and mask[0] is not None:
            output = ops.where(ops.expand_dims(ops.cast(mask[0], "bool"), -1), output, 0)
        return (output, weights) if return_attention_scores else output

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the query."""
        self._check(inputs, mask)
        return None if mask is None or mask[0] is None else ops.convert_to_tensor(mask[0])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the query, with the last size of the value."""
        return (*input_shape[0][:-1], input_shape[1][-1])


@exported(_MODULE)
@configured(without=("score_mode",))
class AdditiveAttention(Attention):
    """`softmax(sum(scale * tanh(query + key))) @ value` (Bahdanau et al., 2015).

    Args:
        use_scale: Whether there is a trainable vector `scale`.
        dropout: The fraction of the attention weights that is set to 0 in training.

    Call arguments: as of `Attention`.

    Example:

    >>> AdditiveAttention()([ops.ones((2, 3, 4)), ops.ones((2, 5, 4))]).shape
    (2, 3, 4)
    """

    score_mode = "dot"
    use_scale: bool = True

    def build(self, input_shape: Any = None) -> None:
        """Creates the vector `scale`."""
        self._check(input_shape)
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(input_shape[0][-1],), initializer="glorot_uniform")

    def _calculate_scores(self, query: Any, key: Any) -> Any:
        """The scores of queries and keys: a tensor of shape `(batch, queries, keys)`."""
        total = ops.tanh(ops.expand_dims(query, -2) + ops.expand_dims(key, -3))
        return ops.sum(total if self.scale is None else self.scale * total, axis=-1)
