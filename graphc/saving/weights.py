"""Files of weights.

Each weight has a key made from where its layer stands in the model, as in Keras's `.weights.h5` files
(`layers/dense/vars/0`), and not from names that depend on what else was made in the process: so a file fits a model
that is made anew. A file is written aside and then renamed, so that nobody ever sees half of one; and it is checked as
a whole before the first weight is changed. The libraries that know the formats are imported when a file is at hand.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphc import dtypes
from graphc.errors import FileError
from graphc.layers.tracking import is_metric
from graphc.layers.weights import WeightOwner
from graphc.random import SeedGenerator
from graphc.registration import choices
from graphc.tracing import Array, Variable, snake_case

_SKIPPED = frozenset({"optimizer", "calls", "history", "callbacks"})


def named_variables(model: Any) -> dict[str, Variable]:
    """The variables of a model by their keys in files."""
    result: dict[str, Variable] = {}
    seen: set[int] = set()
    _walk(model, "", result, seen)
    return result


def _walk(owner: Any, path: str, result: dict[str, Variable], seen: set[int]) -> None:
    if id(owner) in seen:
        return
    seen.add(id(owner))
    own = [owner.state] if isinstance(owner, SeedGenerator) else owner._own_variables()
    for i, variable in enumerate(own):
        result[f"{path}vars/{i}"] = variable
    if isinstance(owner, SeedGenerator):
        return
    for key, part in _children(owner):
        if isinstance(part, WeightOwner | SeedGenerator):
            _walk(part, f"{path}{key}/", result, seen)
        else:
            _walk_container(part, f"{path}{key}/", result, seen)


def _children(owner: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of a layer that hold layers, the list of a model's layers first, then by name."""
    listed = getattr(owner, "_graph", None) is not None or hasattr(owner, "_stack")
    if listed:
        yield "layers", owner.layers
    for name in sorted(vars(owner)):
        hidden = name in _SKIPPED or (listed and name in ("_stack", "_graph"))
        if not hidden and not name.startswith("_"):
            value = vars(owner)[name]
            if isinstance(value, WeightOwner | SeedGenerator | list | tuple | dict | set) and not is_metric(value):
                yield name, value


def _walk_container(part: Any, path: str, result: dict[str, Variable], seen: set[int]) -> None:
    used: dict[str, int] = {}
    for value in part.values() if isinstance(part, Mapping) else part:
        if isinstance(value, WeightOwner | SeedGenerator):
            name = snake_case(type(value).__name__)
            number = used.get(name, 0)
            used[name] = number + 1
            _walk(value, f"{path}{name}_{number}/" if number else f"{path}{name}/", result, seen)


def save(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Writes a model's weights to a file.

    Args:
        model: The model.
        filepath: Path that ends with `.weights.safetensors` or `.weights.h5`.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        FileError: if the name has another ending, or the file cannot be written.
    """
    path = Path(filepath)
    kind = _kind(path)
    if path.exists() and not overwrite:
        raise FileError("the file is there already", got=str(path), hint="pass overwrite=True")
    arrays = {key: variable.numpy() for key, variable in named_variables(model).items()}
    try:
        folder = path.parent
        folder.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
        os.close(handle)
    except OSError as error:
        raise FileError("the weights cannot be written", got=str(error), hint="choose another folder") from None
    try:
        _write(aside, arrays, kind)
        os.replace(aside, path)
    except OSError as error:
        raise FileError("the weights cannot be written", got=str(error), hint="is the disk full?") from None
    finally:
        Path(aside).unlink(missing_ok=True)


def _write(path: str, arrays: Mapping[str, Array], kind: str) -> None:
    if kind == "safetensors":
        from safetensors.numpy import save_file  # noqa: PLC0415

        # safetensors knows no NumPy type for bfloat16: its bits are kept, and the dtype is noted beside them.
        notes = {key: dtypes.as_dtype(array.dtype).name for key, array in arrays.items()}
        plain = {key: np.ascontiguousarray(_storable(array)) for key, array in arrays.items()}
        save_file(plain, path, metadata=notes)
    else:
        import h5py  # type: ignore[import-untyped]  # noqa: PLC0415

        with h5py.File(path, "w") as file:
            for key, array in arrays.items():
                file[key] = array
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _storable(array: Array) -> Array:
    return array.view(np.uint16) if dtypes.as_dtype(array.dtype) is dtypes.bfloat16 else array


def _kind(path: Path) -> str:
    for kind in ("safetensors", "h5"):
        if path.name.endswith(f".weights.{kind}"):
            return kind
    raise FileError(
        "the name of a file of weights has another ending",
        got=path.name,
        expected="one that ends with .weights.safetensors or .weights.h5",
    )


def _read(path: Path, kind: str) -> dict[str, Array]:
    if not path.exists():
        raise FileError("there is no such file", got=str(path))
    return _read_safetensors(path) if kind == "safetensors" else _read_h5(path)


def _read_safetensors(path: Path) -> dict[str, Array]:
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.numpy import load_file  # noqa: PLC0415

    try:
        arrays: dict[str, Array] = load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise _unreadable(path, error) from None
    return arrays


def _read_h5(path: Path) -> dict[str, Array]:
    import h5py  # noqa: PLC0415

    found: dict[str, Array] = {}

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = np.asarray(node)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    return {key: array for key, array in found.items() if not key.startswith("optimizer/")}


def _unreadable(path: Path, error: Exception) -> FileError:
    return FileError("the file cannot be read", got=f"{path}: {error}", hint="is it a file of weights?")


def load(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Reads a model's weights from a file.

    Args:
        model: The model.
        filepath: Path of the file.
        skip_mismatch: Whether to leave out weights that are missing or have another shape.

    Raises:
        FileError: if the file does not hold exactly the model's weights; then no weight has been changed.
    """
    path = Path(filepath)
    arrays = _read(path, _kind(path))
    variables = named_variables(model)
    if not variables:
        raise FileError("the model has no weights yet", got=model.name, hint="build it before loading weights")
    chosen: list[tuple[Variable, Array]] = []
    for key, variable in variables.items():
        array = arrays.get(key)
        if array is not None and variable.element is dtypes.bfloat16 and array.dtype == np.uint16:
            array = array.view(variable.element.numpy)
        if array is not None and array.shape == variable.shape:
            chosen.append((variable, array))
        elif not skip_mismatch:
            _complain(path, key, variable, array, arrays)
    unknown = [key for key in arrays if key not in variables]
    if unknown and not skip_mismatch:
        raise FileError(
            f"the file holds a weight that {model.name!r} has not",
            got=f"{unknown[0]} of shape {arrays[unknown[0]].shape}",
            expected=f"only {len(variables)} weights",
            hint="is it the file of another model? skip_mismatch=True loads what fits",
        )
    for variable, array in chosen:
        variable.assign(array)


def _complain(path: Path, key: str, variable: Variable, array: Array | None, arrays: Mapping[str, Array]) -> None:
    raise FileError(
        f"{path.name} does not fit the model",
        layer=variable.path,
        got="no such weight" if array is None else f"shape {array.shape}",
        expected=f"{key} of shape {variable.shape}",
        hint=choices(key, arrays) if array is None else "is it the file of another model?",
    )
