"""Batches of any structure reach steps that subclasses define as they came."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops, tree
from graphc.errors import ArgumentError, DataError, DTypeError


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def rows(count: int, *shape: int) -> Any:
    return np.random.default_rng(count).normal(size=(count, *shape)).astype("float32")


# A batch of each structure, made for a number of samples.
STRUCTURES: dict[str, Callable[[int], Any]] = {
    "array": lambda n: rows(n, 4),
    "dict": lambda n: {"image": rows(n, 4), "label": {"a": rows(n), "b": np.arange(n)}},
    "list": lambda n: [rows(n, 4), rows(n, 1)],
    "tuple of one": lambda n: (rows(n, 4),),
    "pair": lambda n: (rows(n, 4), rows(n, 1)),
    "pair with None": lambda n: (rows(n, 4), None),
    "three": lambda n: (rows(n, 4), rows(n, 4), rows(n, 4)),
    "four": lambda n: (rows(n, 4), rows(n), rows(n, 2), rows(n, 1)),
    "five with None": lambda n: (rows(n, 4), None, rows(n, 2), None, rows(n, 1)),
    "nested": lambda n: ((rows(n, 4), (rows(n), {"k": rows(n, 2)})), [rows(n, 1)]),
    "other rows": lambda n: ((rows(2 * n, 4), rows(2 * n)), (rows(n, 4), rows(n, 1))),
    "number": lambda n: (rows(n, 4), np.float32(0.5)),
    "Python numbers": lambda n: (rows(n, 4), {"rate": 0.5, "count": 3}),
    "number alone": lambda n: np.float32(n),
    "tensors": lambda n: (ops.convert_to_tensor(rows(n, 4)), rows(n + 1, 2)),
}


def total(data: Any) -> Any:
    """A number that depends on each array of a batch."""
    parts = [(i + 1.0) * ops.sum(ops.cast(x, "float32")) for i, x in enumerate(tree.flatten(data)) if x is not None]
    return sum(parts[1:], parts[0])


class Own(graphc.Model):
    """Notes the structures of the batches that its steps get."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1)
        self.forms: set[str] = set()

    def _noted(self, data: Any) -> Any:
        self.forms.add(str(tree.map_structure(lambda x: type(x).__name__, data)))
        return total(data)

    def train_step(self, data: Any) -> Any:
        return {"total": self._noted(data)}

    def test_step(self, data: Any) -> Any:
        return {"total": self._noted(data)}

    def predict_step(self, data: Any) -> Any:
        return self._noted(data)


class Indexed(graphc.utils.PyDataset):
    def __init__(self, batches: list[Any]) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        return self.batches[index]


SOURCES: dict[str, Callable[[list[Any]], Any]] = {"generator": iter, "indexed": Indexed}


@pytest.mark.parametrize("eagerly", [False, True], ids=["compiled", "eagerly"])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_own_steps_get_batches_as_they_came(structure: str, source: str, eagerly: bool) -> None:
    batches = [STRUCTURES[structure](n) for n in (6, 6, 4, 3)]
    wanted = [float(total(tree.map_structure(lambda x: None if x is None else np.asarray(x), b))) for b in batches]
    model, made = Own(), SOURCES[source]
    model.compile("sgd", run_eagerly=eagerly)
    history = model.fit(made(batches), shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["total"], wanted[-1:], rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(made(batches), verbose=0), wanted[-1], rtol=1e-5)
    np.testing.assert_allclose(model.predict(made(batches), verbose=0), wanted, rtol=1e-5)
    named = tree.map_structure(lambda x: "NoneType" if x is None else "Tensor", batches[0])
    assert model.forms == {str(named)}
    # Any number of rows is one program; without rows in common there is one for the first batch, and one for any.
    assert eagerly or len([p for p in model.made_programs if p.mode == "train"]) <= 2


def test_own_steps_of_functional_models_take_data_that_are_no_inputs() -> None:
    class Pairs(graphc.Model):
        def train_step(self, data: Any) -> Any:
            return {"distance": ops.mean(ops.square(self(data[0][:, 0]) - self(data[0][:, 1])))}

    inputs = graphc.Input((4,))
    model = Pairs(inputs, layers.Dense(2, kernel_initializer="ones")(inputs))
    model.compile("sgd")
    x = rows(8, 2, 4)
    wanted = np.square(x[:, 0].sum(1) - x[:, 1].sum(1)).mean()
    for data in ((x, x), iter([(x,)])):
        given = data if isinstance(data, tuple) else (data, None)
        np.testing.assert_allclose(model.fit(*given, verbose=0).history["distance"], [wanted], rtol=1e-5)


@pytest.mark.parametrize(
    ("batch", "error", "says"),
    [
        (None, DataError, "no arrays in a batch"),
        ({}, DataError, "no arrays in a batch"),
        ((None, None), DataError, "no arrays in a batch"),
        (np.array(["a", "b"]), DTypeError, "elements of x are no numbers"),
        ((rows(2, 4), "text"), DTypeError, "elements of y are no numbers"),
        (rows(0, 4), DataError, "the data are empty"),
    ],
)
def test_batches_that_own_steps_cannot_take(batch: Any, error: type[Exception], says: str) -> None:
    model = Own()
    model.compile("sgd")
    with pytest.raises(error, match=says):
        model.fit(iter([batch]), verbose=0)


def test_built_in_steps_refuse_other_structures() -> None:
    model = graphc.Sequential([graphc.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match="a batch is x"):
        model.fit(iter([STRUCTURES["four"](2)]), verbose=0)
    with pytest.raises(DataError, match="differ in their number of samples"):
        model.fit(iter([STRUCTURES["other rows"](2)]), verbose=0)
