"""Reads of variables lend their memory: whatever changes a variable later, what was read stays as it was."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc
from graphc import Variable, ops
from graphc.runtime.state import StateBuffer

START = np.arange(6, dtype=np.float32).reshape(2, 3)


def _function(v: Variable) -> None:
    @graphc.function
    def change() -> object:
        v.assign(v * 2.0 + 1.0)
        return v.value

    change()
    change()


def _function_of_a_read(v: Variable) -> None:
    @graphc.function
    def change(x: object) -> object:
        v.assign(v + x)
        return x

    given = v.value
    np.testing.assert_array_equal(change(given).numpy(), given.numpy())


CHANGES: dict[str, Callable[[Variable], object]] = {
    "assign": lambda v: v.assign(START * 3),
    "assign_add": lambda v: v.assign_add(START),
    "assign_sub": lambda v: v.assign_sub(START + 1),
    "its own transpose": lambda v: v.assign(ops.reshape(ops.transpose(v.value), (2, 3))),
    "a compiled function": _function,
    "a compiled function that takes what was read": _function_of_a_read,
}
VIEWS: dict[str, Callable[[Variable], object]] = {
    "value": lambda v: v.value,
    "transposed": lambda v: ops.transpose(v.value),
    "reshaped": lambda v: ops.reshape(v, (6,)),
    "a row": lambda v: v[1],
    "an array": lambda v: v.value.numpy()[:, 1:],
    "converted": lambda v: ops.convert_to_tensor(v),
    "a copy": lambda v: v.numpy(),
}


@pytest.mark.parametrize("backend", ["cpu", "numpy"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_was_read_stays(change: str, backend: str) -> None:
    with graphc.backend(backend):
        v = Variable(START)
        kept = {name: view(v) for name, view in VIEWS.items()}
        before = {name: np.array(view) for name, view in kept.items()}
        CHANGES[change](v)
        after = v.numpy()
        assert not np.array_equal(after, START)
        for name, view in kept.items():
            np.testing.assert_array_equal(np.array(view), before[name], err_msg=name)
        # A second change, in the new memory.
        CHANGES["assign_add"](v)
        np.testing.assert_array_equal(v.numpy(), after + START)


def test_memory_that_nobody_reads_is_changed_in_place() -> None:
    for buffer in (StateBuffer(START), StateBuffer.around(START.copy())):
        place = buffer.address
        buffer.lend()
        buffer.assign(START + 1)
        assert buffer.address == place and not buffer.lent
        held = buffer.lend()[:, 0]
        buffer.assign(START + 2)
        assert buffer.address != place
        np.testing.assert_array_equal(held, START[:, 0] + 1)
        np.testing.assert_array_equal(buffer.host(), START + 2)


def test_lent_memory_is_not_written_to() -> None:
    v = Variable(START)
    with pytest.raises(ValueError, match="read-only"):
        v.value.array[0] = 1
    v.value.numpy()[0] = v.numpy()[0] = 1  # copies
    np.testing.assert_array_equal(v.numpy(), START)


def test_weights_that_were_read_stay_during_training() -> None:
    model = graphc.Sequential([graphc.Input((3,)), graphc.layers.Dense(2)])
    model.compile("sgd", "mse")
    kept = [weight.value for weight in model.weights]
    before = [np.array(value) for value in kept]
    model.fit(np.ones((8, 3), "float32"), np.ones((8, 2), "float32"), batch_size=4, verbose=0)
    for value, array, weight in zip(kept, before, model.weights, strict=True):
        np.testing.assert_array_equal(value.numpy(), array)
        assert not np.array_equal(weight.numpy(), array)
