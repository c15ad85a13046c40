"""Conversion of the caller's arrays and numbers to arrays that tensors may hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import config, dtypes, runtime
from graphc.compiler.backends import chosen_backend
from graphc.dtypes import DType
from graphc.errors import BackendError, DTypeError, GraphcError
from graphc.tracing.origins import current_origin, describe

Array = np.ndarray[Any, Any]

# What to do with strings where only numbers can be.
STRINGS = "map strings to numbers by StringLookup, TextVectorization or Hashing first"


def array_of(x: Any) -> Array:
    """Converts a value to an array.

    Raises:
        DTypeError: if it cannot be one.
    """
    try:
        array = _exported(x) if is_array_like(x) else np.asarray(x)
    except (ValueError, OverflowError):
        array = np.asarray(None)
    if array.dtype.kind in "OSUMmV" and array.dtype != dtypes.bfloat16.numpy:
        raise DTypeError(
            "this cannot be a tensor",
            got=repr(x)[:80],
            expected="numbers, of equal lengths where nested",
            hint=STRINGS if array.dtype.kind in "SU" else None,
        )
    return array


_PLAIN = (np.ndarray, np.generic, int, float, complex, list, tuple, str, type)


def is_array_like(x: Any) -> bool:
    """Whether a value is an array of another library, or holds one, as a pandas DataFrame does."""
    if isinstance(x, _PLAIN):
        return isinstance(x, np.ndarray)
    return any(hasattr(x, name) for name in ("__array__", "__dlpack__", "__cuda_array_interface__"))


def _exported(x: Any) -> Array:
    """The elements of an array of any library."""
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "__cuda_array_interface__"):
        return _from_gpu(x)
    try:
        array = np.asarray(x) if hasattr(x, "__array__") else np.from_dlpack(x)
    except GraphcError:  # of a symbolic input, which says more
        raise
    except (TypeError, RuntimeError, BufferError) as error:
        raise DTypeError(
            f"this {type(x).__name__} cannot be copied to an array",
            where=describe(current_origin()),
            got=str(error),
            hint="convert it to a NumPy array first: of PyTorch, x.detach().cpu().numpy()",
        ) from error
    # Columns of several dtypes, or of a library's own, come as objects that may be numbers all the same.
    return np.asarray(array.tolist()) if array.dtype == object else array


def _from_gpu(x: Any) -> Array:
    """A copy of an array in the memory of a GPU.

    Raises:
        BackendError: if the backend is another than cuda.
    """
    if chosen_backend()[0] != "cuda":
        raise BackendError(
            f"this {type(x).__name__} is in the memory of a GPU, and models run elsewhere",
            where=describe(current_origin()),
            got=f"the backend {chosen_backend()[0]}",
            hint='graphc.config.set_backend("cuda"), or copy it to the host first',
        )
    return runtime.cuda.copied_to_host(x.__cuda_array_interface__)


def canonical_dtype(dtype: DType) -> DType:
    """The dtype of a tensor made from an array without an explicit dtype: 64 bits become 32."""
    if dtype.is_complex:
        return canonical_dtype(dtype.real).complex
    if dtype.bits < 64 or dtype.name == config.floatx():
        return dtype
    return dtypes.as_dtype(dtype.name.replace("64", "32"))


def holds_complex(x: Any) -> bool:
    """Whether a value that will be converted to a tensor has complex elements."""
    if hasattr(x, "__tensor__"):
        return bool(x.__tensor__().type.dtype.is_complex)
    if isinstance(x, list | tuple):
        return any(map(holds_complex, x))
    return isinstance(x, complex) or (hasattr(x, "dtype") and np.iscomplexobj(x))


def check_kind(given: DType, wanted: DType) -> None:
    """Raises an error for complex numbers in a real dtype: a cast would silently drop their imaginary parts."""
    if given.is_complex and not (wanted.is_complex or wanted.is_bool):
        raise DTypeError(
            "complex numbers do not fit a real dtype",
            where=describe(current_origin()),
            got=given.name,
            expected=wanted.name,
            hint="take the part that is meant: ops.real, ops.imag or ops.abs",
        )


def check_range(array: Array, dtype: DType) -> None:
    """Raises an error for integers that a dtype cannot hold: a cast would silently change them."""
    if not dtype.is_integer or not array.size or array.dtype == dtype.numpy:
        return
    limits = np.iinfo(dtype.numpy)
    least, most = int(array.min()), int(array.max())
    if least < limits.min or most > limits.max:
        raise DTypeError(
            f"an integer does not fit {dtype.name}",
            where=describe(current_origin()),
            got=str(most if most > limits.max else least),
            expected=f"from {limits.min} to {limits.max}",
            hint='pass dtype="int64" to convert_to_tensor to have 64 bits' if dtype.bits == 32 else "use a wider dtype",
        )


def own(array: Array, found: Array, x: Any) -> Array:
    """An array that shares no memory with the caller's: later changes of that must not change a tensor.

    Args:
        array: The array, in its dtype.
        found: What `array_of` returned.
        x: The caller's value.
    """
    fresh = array.base is None and (array is not found or not is_array_like(x))
    return array if fresh else array.copy()
