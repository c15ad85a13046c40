"""Specifications of the inputs of layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc import dtypes, tree
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.registration import Configurable
from graphc.tracing import Tensor


class InputSpec(Configurable):
    """The rank, shape and dtype that an input of a layer must have.

    Args:
        dtype: Name of a dtype. None: any.
        shape: Tuple of integers, with None for any size. None: any.
        ndim: The number of axes. None: any.
        max_ndim: The maximum number of axes. None: any.
        min_ndim: The minimum number of axes. None: any.
        axes: Dictionary of axis to size.
        allow_last_axis_squeeze: Whether a last axis of size 1 may be missing or additional.
        name: The key of the input, if inputs are a dictionary.
        optional: Whether the input may be None.

    Example:

    >>> InputSpec(min_ndim=2, axes={-1: 4})
    InputSpec(min_ndim=2, axes={-1: 4})
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else dtypes.as_dtype(dtype).name
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if shape is None else len(shape)
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name, self.optional = name, optional
        if self.ndim is not None and max_ndim is not None and self.ndim > max_ndim:
            raise ArgumentError("an InputSpec contradicts itself", got=repr(self))

    def __repr__(self) -> str:
        parts: dict[str, Any] = {"dtype": self.dtype, "shape": self.shape, "ndim": None if self.shape else self.ndim}
        parts |= {"max_ndim": self.max_ndim, "min_ndim": self.min_ndim, "axes": self.axes or None}
        return f"InputSpec({', '.join(f'{key}={part}' for key, part in parts.items() if part is not None)})"

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal object."""
        return {
            "dtype": self.dtype,
            "shape": self.shape,
            "ndim": self.ndim,
            "max_ndim": self.max_ndim,
            "min_ndim": self.min_ndim,
            "axes": self.axes,
            "optional": self.optional,
        }

    def check(self, shape: tuple[Any, ...], dtype: str) -> None:
        """Checks the shape and dtype of an input.

        Raises:
            ShapeError: if the rank or a size differs.
            DTypeError: if the dtype differs.
        """
        if self.allow_last_axis_squeeze and self.shape is not None and len(shape) != len(self.shape):
            if len(shape) == len(self.shape) + 1 and shape[-1] == 1:
                shape = shape[:-1]
            elif len(self.shape) == len(shape) + 1 and self.shape[-1] == 1:
                shape = (*shape, 1)
        rank = len(shape)
        if self.ndim is not None and rank != self.ndim:
            raise _wrong_rank(shape, f"rank {self.ndim}")
        if self.max_ndim is not None and rank > self.max_ndim:
            raise _wrong_rank(shape, f"rank {self.max_ndim} or less")
        if self.min_ndim is not None and rank < self.min_ndim:
            raise _wrong_rank(shape, f"rank {self.min_ndim} or more")
        wanted = {**dict(enumerate(self.shape or ())), **self.axes}
        for axis, size in wanted.items():
            have = shape[axis]
            if size is not None and isinstance(have, int) and have != size:
                raise ShapeError(
                    "the input has the wrong shape",
                    got=f"shape {_shown(shape)}",
                    expected=f"size {size} in axis {axis}",
                )
        if self.dtype is not None and dtype != self.dtype:
            raise DTypeError("the input has the wrong dtype", got=dtype, expected=self.dtype)


def _wrong_rank(shape: tuple[Any, ...], expected: str) -> ShapeError:
    return ShapeError(
        "the input has the wrong rank", got=f"rank {len(shape)}, shape {_shown(shape)}", expected=expected
    )


def _shown(shape: tuple[Any, ...]) -> str:
    return str(tuple(dim if isinstance(dim, int) else None for dim in shape))


def check_inputs(spec: Any, inputs: Any) -> None:
    """Checks the inputs of a layer.

    Args:
        spec: An `InputSpec` or a structure of them.
        inputs: A tensor or a structure of them.

    Raises:
        ArgumentError: if the number of inputs differs.
        ShapeError: if a rank or a size does not fit.
        DTypeError: if a dtype does not fit.
    """
    single = isinstance(spec, InputSpec) and isinstance(inputs, Tensor)
    specs = [spec] if single else [part for part in tree.flatten(spec) if part is not None]
    given = [inputs] if single else tree.flatten(inputs)
    if not specs:
        return
    if len(specs) != len(given):
        raise ArgumentError("the number of inputs is wrong", got=f"{len(given)}", expected=f"{len(specs)}")
    for one, x in zip(specs, given, strict=True):
        if x is None and one.optional:
            continue
        if not hasattr(x, "shape"):
            raise ArgumentError("an input is no tensor", got=repr(x)[:80], hint="pass an array or a tensor")
        one.check(tuple(x.shape), str(x.dtype))
