"""Constructor arguments that classes declare."""

from __future__ import annotations

import copy
import inspect
import pickle
from types import MappingProxyType
from typing import Any

import pytest

from graphc import layers
from graphc.errors import ArgumentError, CallError
from graphc.parameters import Kind, configured, declared_config


class Base:
    """Has an `__init__` that is written out."""

    _kinds = MappingProxyType(
        {"size": Kind("The size.", int, str), "*_rate": Kind("The rate of the {}."), "hint": Kind("", written=False)}
    )
    _former = MappingProxyType({"length": "size", "speed": None})
    _unwritten = frozenset({"label"})

    def __init__(self, *, name: str = "base", **kwargs: Any) -> None:
        if kwargs:
            raise ArgumentError("no such argument", got=", ".join(kwargs))
        self.name = name

    def _prepare(self) -> None:
        self.prepared = True


@configured
class Box(Base):
    """A box.

    Args:
        label: What is on it.

    Raises:
        ArgumentError: never.
    """

    size: Any
    label: str | None = None
    inner_rate: float = 0.5
    hint: Any = None


@configured(without=("hint",), name="crate")
class Crate(Box):
    """A box that is larger."""

    lid: bool = True
    size: Any = "7"


def test_arguments_become_attributes_as_their_kinds_say() -> None:
    box = Box("3", "b", hint=1, name="x")
    assert (box.size, box.label, box.inner_rate, box.hint, box.name, box.prepared) == (3, "b", 0.5, 1, "x", True)
    assert declared_config(box) == {"size": "3", "label": "b", "inner_rate": 0.5}
    assert "label" not in declared_config(Box(3))


def test_signatures_begin_with_what_is_new() -> None:
    assert str(inspect.signature(Box)) == "(size, label=None, inner_rate=0.5, hint=None, **kwargs)"
    assert str(inspect.signature(Crate)) == "(lid=True, size='7', label=None, inner_rate=0.5, **kwargs)"
    assert (Crate().name, Crate(False).size, Crate().lid) == ("crate", 7, True)


def test_docstrings_get_what_they_do_not_mention() -> None:
    assert inspect.cleandoc(str(Box.__doc__)).split("\n") == [
        "A box.",
        "",
        "Args:",
        "    label: What is on it.",
        "    size: The size.",
        "    inner_rate: The rate of the inner.",
        "",
        "Raises:",
        "    ArgumentError: never.",
    ]
    assert "Args:\n        size: The size.\n" in str(Crate.__doc__)


def test_a_subclass_with_an_init_of_its_own() -> None:
    class Mine(Box):
        def __init__(self, extra: int) -> None:
            super().__init__(extra + 1, "mine")

    assert declared_config(Mine(4)) == {"size": "5", "label": "mine", "inner_rate": 0.5}


def test_former_names_warn() -> None:
    with pytest.warns(UserWarning, match="length of Box is now size"):
        assert Box(length=4).size == 4
    with pytest.warns(UserWarning, match="no effect"):
        Box(1, speed=3)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Box(), "Box needs size"),
        (lambda: Box(1, 2, 3, 4, 5), "at most 4 positional"),
        (lambda: Box(1, size=2), "got an argument twice"),
        (lambda: layers.Dense(), "Dense needs units"),
        (lambda: layers.Conv2D(3), "Conv2D needs kernel_size"),
    ],
)
def test_wrong_calls(call: Any, message: str) -> None:
    with pytest.raises(CallError, match=message) as raised:
        call()
    assert isinstance(raised.value, TypeError) and "test_parameters.py" in str(raised.value)


def test_unknown_arguments_reach_the_base_class() -> None:
    with pytest.raises(ArgumentError, match="no such argument"):
        Box(1, colour="red")


def test_copies() -> None:
    box = Box(3)
    for other in (copy.copy(box), copy.deepcopy(box), pickle.loads(pickle.dumps(box))):
        assert vars(other) == vars(box)
