"""The state of training beside weights and optimizers: what a checkpoint holds so that `fit` goes on exactly.

These are the epoch and the batch, the order of the data, the states of random generators and metrics, and variables
that files of weights do not hold. `fit` notes how far it has come in a `Progress`; a checkpoint that is restored waits
in the model until `fit` takes it up.
"""

from __future__ import annotations

import json
import random as python_random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from graphc import random
from graphc.errors import FileError
from graphc.frames import warn
from graphc.saving.files import Entry
from graphc.saving.weights import Walk
from graphc.tracing import Array

# The array with the structure, in which the others are numbered.
_STRUCTURE = "structure"
_VERSION = 1
_MOST_TEXT = 1 << 26


class Positioned(Protocol):
    """The interface of a source of data that can go to a position."""

    def position(self) -> dict[str, Any]:
        """Where it is: numbers, texts and arrays in dictionaries and lists."""

    def go_to(self, position: Mapping[str, Any], within: bool) -> None:
        """Goes to a position that `position` returned; `within`: the pass over the data goes on there."""


@dataclass
class Progress:
    """How far a `fit` has come.

    Args:
        epoch: The number of the epoch, from 0.
        source: Where the data come from; None if no `fit` runs.
        batch: The number of steps in the epoch that are done.
    """

    epoch: int
    source: Positioned | None = None
    batch: int = 0


@dataclass
class Restored:
    """What a checkpoint says of training, until `fit` takes it up.

    Args:
        epoch: The number of the epoch in which training goes on.
        batch: The number of steps in it that are done.
        random: The states of random generators.
        metrics: The values of the variables of the metrics.
        source: The position in the data; None: their beginning.
        optimizers: States of optimizers that have no variables yet, by the path of the optimizer in the model.
    """

    epoch: int
    batch: int
    random: Mapping[str, Any]
    metrics: list[Array] = field(default_factory=list)
    source: Mapping[str, Any] | None = None
    optimizers: dict[str, list[Array]] = field(default_factory=dict)


# ---- random generators


def random_state() -> dict[str, Any]:
    """The states of the generators of NumPy, of Python and of random operations without a seed."""
    name, words, position, has_gauss, gauss = np.random.get_state(legacy=True)
    version, numbers, next_gauss = python_random.getstate()
    return {
        "numpy": [name, words, position, has_gauss, gauss],
        "python": [version, np.array(numbers, np.uint64), next_gauss],
        "default": random.default_state(),
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Sets the generators to what `random_state` returned.

    Raises:
        FileError: if it is no such state; no generator is then changed.
    """
    before = python_random.getstate()
    try:
        version, numbers, next_gauss = state["python"]
        python_random.setstate((version, tuple(int(x) for x in numbers), next_gauss))
        np.random.set_state(tuple(state["numpy"]))
        random.set_default_state(state["default"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        python_random.setstate(before)
        raise FileError("the states of random generators in a checkpoint cannot be used", got=str(error)) from None


# ---- from a model, and back


def state_of(model: Any, written: set[int]) -> dict[str, Array]:
    """The state of training, as arrays by name.

    Args:
        model: The model.
        written: The identities of the variables that the file of weights holds.
    """
    progress: Progress = model._progress or Progress(0)
    source = None if progress.source is None else progress.source.position()
    return packed(
        {
            "version": _VERSION,
            "epoch": progress.epoch,
            "batch": progress.batch if source is not None else 0,
            "random": random_state(),
            "metrics": [variable.numpy() for variable in metric_variables(model)],
            "others": [variable.numpy() for variable in _others(model, written)],
            "source": source,
        }
    )


def metric_variables(model: Any) -> list[Any]:
    """The variables of the metrics of a model, in an order."""
    return [variable for metric in model.metrics for variable in metric.variables]


def _others(model: Any, written: set[int]) -> list[Any]:
    """The variables of a model that are not in its file of weights."""
    return [variable for variable in model.variables if id(variable) not in written]


def restored(model: Any, entries: Mapping[str, Entry], written: set[int]) -> tuple[Restored, list[tuple[Any, Array]]]:
    """What the arrays of a checkpoint say of training, and the values of variables that are nowhere else.

    Raises:
        FileError: if they are none of this model.
    """
    found = unpacked(entries)
    others = _others(model, written)
    try:
        if found["version"] != _VERSION:
            raise FileError("the checkpoint has another version", got=found["version"], expected=_VERSION)
        values = found["others"]
        if [np.shape(x) for x in values] != [v.shape for v in others]:
            raise FileError("the checkpoint is not one of this model", layer=model.name, got=f"{len(values)} variables")
        epoch, batch = (_count(found[name]) for name in ("epoch", "batch"))
        state = Restored(epoch, batch, found["random"], list(found["metrics"]), found["source"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError("the checkpoint is damaged", got=repr(error)[:80]) from None
    return state, list(zip(others, values, strict=True))


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"no number of steps: {value!r}")
    return value


def take_up(model: Any, source: Positioned, passes_go_on: bool) -> Progress | None:
    """Goes on from the checkpoint that was restored last, if one was since the last `fit`.

    It is called when the step is compiled: metrics and optimizers have their variables then.

    Args:
        model: The model.
        source: Where the data come from.
        passes_go_on: Whether an epoch may begin in the middle of a pass over the data.

    Returns:
        Where training goes on; None: at its beginning.
    """
    state: Restored | None = model._restored
    model._restored = None
    if state is None:
        return None
    optimizers = Walk(model).optimizers if state.optimizers else {}
    for path, values in state.optimizers.items():
        optimizer = optimizers.get(path)
        _assign_all([] if optimizer is None else optimizer.variables, values, f"the optimizer at {path}")
    if state.batch:
        _assign_all(metric_variables(model), state.metrics, "the metrics")
    if state.source is not None:
        source.go_to(state.source, within=passes_go_on or state.batch > 0)
    set_random_state(state.random)
    return Progress(state.epoch, source, state.batch)


def _assign_all(variables: list[Any], values: list[Array], what: str) -> None:
    if [v.shape for v in variables] != [np.shape(x) for x in values]:
        warn(f"{what} differ from those of the checkpoint: they begin anew")
        return
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


# ---- structures with arrays


def packed(structure: Any) -> dict[str, Array]:
    """A structure of dictionaries, lists, numbers, texts and arrays, as arrays by name."""
    arrays: dict[str, Array] = {}

    def plain(part: Any) -> Any:
        if isinstance(part, np.ndarray):
            arrays[str(len(arrays))] = part
            return {"array": len(arrays) - 1}
        if isinstance(part, Mapping):
            return {"items": {str(key): plain(value) for key, value in part.items()}}
        if isinstance(part, list | tuple):
            return [plain(value) for value in part]
        return part.item() if isinstance(part, np.generic) else part

    text = json.dumps(plain(structure)).encode()
    return {**arrays, _STRUCTURE: np.frombuffer(text, np.uint8)}


def unpacked(entries: Mapping[str, Entry]) -> Any:
    """The structure that `packed` made into arrays.

    Raises:
        FileError: if it is none.
    """
    entry = entries.get(_STRUCTURE)
    if entry is None or entry.dtype != np.uint8 or len(entry.shape) != 1 or entry.shape[0] > _MOST_TEXT:
        raise FileError("the file holds no state of training", expected="a checkpoint")

    def real(part: Any) -> Any:
        if isinstance(part, list):
            return [real(value) for value in part]
        if isinstance(part, dict):
            return entries[str(part["array"])].read() if "array" in part else _items(part)
        return part

    def _items(part: Mapping[str, Any]) -> dict[str, Any]:
        return {key: real(value) for key, value in part["items"].items()}

    try:
        return real(json.loads(entry.read().tobytes()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError("the state of training in the file is damaged", got=repr(error)[:80]) from None
