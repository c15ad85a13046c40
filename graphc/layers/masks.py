"""Masks of sequences: booleans, False for steps that are ignored, which tensors carry from layer to layer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import reduce
from typing import Any

from graphc import ops, tree
from graphc.errors import ArgumentError, GraphcError
from graphc.layers.arguments import given_arguments, signature_of
from graphc.tracing import KerasTensor, Tensor, Variable, bind, get_mask, set_mask, symbolic_leaves

_TENSORS = (Tensor, KerasTensor, Variable)


def masks_of(structure: Any) -> Any:
    """The mask of a tensor, or the masks of a structure of tensors; None for a tensor without a mask."""
    if isinstance(structure, _TENSORS):
        return get_mask(structure)
    return tree.map_structure(get_mask, structure)


def without_mask(x: Any) -> Any:
    """A tensor without its mask, for a layer that handles the mask itself."""
    if get_mask(x) is None:
        return x
    return bind("identity", x)


def merge_masks(inputs: Any, masks: Any) -> Any:
    """The elementwise `or` of the masks of several tensors; None if one of them has no mask.

    Raises:
        ArgumentError: if the numbers of masks and tensors differ.
    """
    given = mask_list(inputs, masks)
    if given is None or any(mask is None for mask in given):
        return None
    return reduce(ops.logical_or, given)


def mask_list(inputs: Any, masks: Any) -> list[Any] | None:
    """The masks of a list of tensors.

    Raises:
        ArgumentError: if the numbers of masks and tensors differ.
    """
    if masks is None:
        return None
    if not isinstance(masks, list | tuple) or not isinstance(inputs, list | tuple) or len(masks) != len(inputs):
        raise ArgumentError("the masks of several tensors are a list, as they are", got=repr(masks)[:80])
    return list(masks)


def any_mask(masks: Any) -> bool:
    """Whether a structure contains a mask."""
    return any(mask is not None for mask in tree.flatten(masks))


def _has_tensor(value: Any) -> bool:
    return isinstance(value, _TENSORS) or any(isinstance(leaf, _TENSORS) for leaf in tree.flatten(value))


def fill_in_masks(call: Callable[..., Any], layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Passes the masks that tensors carry to `call`, if it has parameters for them and the caller passed none.

    For a single tensor the parameter is `mask`; for several tensors that of `query` is `query_mask`, and so on.

    Args:
        call: The function `call` of the layer's class.
        layer: The layer.
        args: Positional arguments.
        kwargs: Keyword arguments; masks are added.

    Returns:
        The mask of the first argument, from which the mask of the outputs is computed.
    """
    given = given_arguments(call, layer, args, kwargs)
    parameters = signature_of(call).parameters
    tensors = {name: value for name, value in given.items() if _has_tensor(value) and not name.endswith("mask")}
    if len(tensors) == 1 and "mask" in parameters and given.get("mask") is None:
        masks = masks_of(next(iter(tensors.values())))
        if any_mask(masks):
            kwargs["mask"] = masks
    elif len(tensors) > 1:
        for name, value in tensors.items():
            own = f"{name}_mask"
            if own in parameters and given.get(own) is None and any_mask(masks_of(value)):
                kwargs[own] = masks_of(value)
    if kwargs.get("mask") is not None:
        return kwargs["mask"]
    first = next(iter(given.values()), None)
    return masks_of(first) if _has_tensor(first) else None


def propagate_masks(layer: Any, first: Any, outputs: Any, previous: Any) -> None:
    """Sets the masks of a layer's outputs.

    Args:
        layer: The layer.
        first: Its first argument.
        outputs: Its outputs.
        previous: The masks of the first argument.
    """
    leaves = [outputs] if isinstance(outputs, Tensor) else tree.flatten(outputs)
    flat = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    if not flat or all(get_mask(leaf) is not None for leaf in flat):
        return
    if not layer.supports_masking:
        if any_mask(previous):
            warnings.warn(
                f"the layer {layer.name!r} ({type(layer).__name__}) does not support masks: "
                "the mask of its input ends here, and later layers do not see it",
                stacklevel=2,
            )
        return
    masks = layer.compute_mask(first, previous)
    if masks is None:
        return
    for tensor, mask in zip(flat, tree.flatten(masks), strict=False):
        if get_mask(tensor) is None and mask is not None:
            set_mask(tensor, mask)


def record_masks(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
    """Gives the masks of a layer's symbolic outputs nodes of their own, so that a model can use them like tensors.

    Args:
        layer: The layer.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        outputs: Its symbolic outputs, with masks whose values no node computes.
    """
    leaves = symbolic_leaves(outputs)
    if all(get_mask(leaf) is None for leaf in leaves):
        return
    given = given_arguments(type(layer).call, layer, args, kwargs)
    first = next(iter(given.values()), None)
    previous = given.get("mask")
    try:
        masks = layer.compute_mask(first, masks_of(first) if previous is None and _has_tensor(first) else previous)
    except GraphcError:  # it needs values: the mask goes on to other layers, but is no tensor of the model
        return
    for leaf, mask in zip(leaves, tree.flatten(masks), strict=False):
        if get_mask(leaf) is not None and isinstance(mask, KerasTensor):
            set_mask(leaf, mask)
