"""Layers whose intermediate results are computed again by the backward pass: `RematScope`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from typing import Any

from graphc import tree
from graphc.errors import ArgumentError
from graphc.ops.gradients import remat
from graphc.tracing import KerasTensor, Tensor, describe, get_mask, infers, keras_shape, set_mask, user_line

_MODES = ("full", "activations", "larger_than", "list_of_layers", None)
_entered: ContextVar[RematScope | None] = ContextVar("graphc_remat_scope", default=None)


class RematScope:
    """A context: of the layers created in it, the backward pass computes the intermediate results again.

    Less memory is needed for training, and more time.

    Args:
        mode: Which layers: `"full"`: all; `"activations"`: those with an activation; `"larger_than"`: those whose
            outputs have more elements than a threshold, without the batch; `"list_of_layers"`: those that are named;
            None: none.
        output_size_threshold: The number of elements, for `"larger_than"`.
        layer_names: Names of layers, for `"list_of_layers"`.

    Raises:
        ArgumentError: if the mode is unknown.

    Example:

    >>> from graphc import layers, ops
    >>> with RematScope(mode="full"):
    ...     layer = layers.Dense(3, activation="relu")
    >>> layer(ops.ones((2, 4))).shape
    (2, 3)
    """

    def __init__(
        self, mode: str | None = "full", output_size_threshold: int = 1024, layer_names: Sequence[str] | None = None
    ) -> None:
        if mode not in _MODES:
            expected = ", ".join(map(repr, _MODES))
            raise ArgumentError(
                "there is no such mode of RematScope", where=describe(user_line()), got=repr(mode), expected=expected
            )
        self.mode, self.output_size_threshold = mode, output_size_threshold
        self.layer_names = list(layer_names or ())
        self._tokens: list[Token[RematScope | None]] = []

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and pickles of layers: outside of it."""
        return {**vars(self), "_tokens": []}

    def __enter__(self) -> RematScope:
        self._tokens.append(_entered.set(self))
        return self

    def __exit__(self, *args: object) -> None:
        _entered.reset(self._tokens.pop())

    def applies(self, layer: Any, args: tuple[Any, ...]) -> bool:
        """Whether a layer that was created in it is one of those that it is for; not while shapes are inferred."""
        if infers():
            return False
        if self.mode == "activations":
            return getattr(layer, "activation", None) is not None
        if self.mode == "list_of_layers":
            return bool(layer.name in self.layer_names)
        if self.mode == "larger_than":
            stand_ins = tree.map_structure(_symbolic, args)
            sizes = [part.shape[1:] for part in tree.flatten(layer.compute_output_spec(*stand_ins))]
            return bool(sum(math.prod(filter(None, size)) for size in sizes) > self.output_size_threshold)
        return self.mode == "full"


def _symbolic(leaf: Any) -> Any:
    return KerasTensor(keras_shape(leaf.shape), leaf.dtype) if isinstance(leaf, Tensor) else leaf


def current_remat_scope() -> RematScope | None:
    """The innermost `RematScope`; None if there is none."""
    return _entered.get()


def rematerialized(call: Callable[..., Any]) -> Callable[..., Any]:
    """A layer's `call` whose intermediate results are computed again; its arguments may hold what is no tensor."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, spec = tree.flatten_with_spec((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        masks = {i: mask for i, x in enumerate(tensors) if (mask := get_mask(x)) is not None}

        def of_tensors(*given: Tensor) -> Any:
            inner = list(given[: len(tensors)])
            for i, mask in zip(masks, given[len(tensors) :], strict=True):
                set_mask(inner[i], mask)
            replaced = iter(inner)
            inner_args, inner_kwargs = tree.unflatten(
                spec, [next(replaced) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
            )
            return call(*inner_args, **inner_kwargs)

        return remat(of_tensors)(*tensors, *masks.values())

    return wrapped
