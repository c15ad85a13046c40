"""Masks of sequences: booleans, False for steps that are ignored, which tensors carry from layer to layer."""

from __future__ import annotations

import inspect
import warnings
from functools import reduce
from typing import Any

from graphc import ops, tree
from graphc.errors import ArgumentError
from graphc.tracing import KerasTensor, Tensor, Variable, bind, get_mask, set_mask


def masks_of(structure: Any) -> Any:
    """The mask of a tensor, or the masks of a structure of tensors; None for a tensor without a mask."""
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
    return any(isinstance(leaf, Tensor | KerasTensor | Variable) for leaf in tree.flatten(value))


def fill_in_masks(signature: inspect.Signature, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Passes the masks that tensors carry to `call`, if it has parameters for them and the caller passed none.

    For a single tensor the parameter is `mask`; for several tensors that of `query` is `query_mask`, and so on.

    Args:
        signature: The signature of `call`.
        layer: The layer.
        args: Positional arguments.
        kwargs: Keyword arguments; masks are added.

    Returns:
        The mask of the first argument, from which the mask of the outputs is computed.
    """
    bound = signature.bind_partial(layer, *args, **kwargs).arguments
    given = dict(list(bound.items())[1:])
    tensors = {name: value for name, value in given.items() if _has_tensor(value) and not name.endswith("mask")}
    if len(tensors) == 1 and "mask" in signature.parameters and given.get("mask") is None:
        masks = masks_of(next(iter(tensors.values())))
        if any_mask(masks):
            kwargs["mask"] = masks
    elif len(tensors) > 1:
        for name, value in tensors.items():
            own = f"{name}_mask"
            if own in signature.parameters and given.get(own) is None and any_mask(masks_of(value)):
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
    flat = [leaf for leaf in tree.flatten(outputs) if isinstance(leaf, Tensor)]
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
