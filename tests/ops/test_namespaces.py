"""The namespaces of `graphc.ops` have Keras's names, and each operation is one function."""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections import Counter

import pytest

from graphc import ops

os.environ.setdefault("KERAS_BACKEND", "jax")


def public(namespace: object) -> set[str]:
    return {name for name in dir(namespace) if not name.startswith("_") and callable(getattr(namespace, name))}


@pytest.mark.parametrize("name", ["image", "linalg", "nn", "numpy"])
def test_a_namespace_has_the_functions_of_ops(name: str) -> None:
    keras = importlib.import_module(f"keras.ops.{name}")
    namespace = importlib.import_module(f"graphc.ops.{name}")
    assert namespace is getattr(ops, name)
    assert set(namespace.__all__) == public(keras)
    for member in set(namespace.__all__) & set(ops.__all__):
        assert getattr(namespace, member) is getattr(ops, member)
    with pytest.raises(AttributeError, match=f"graphc.ops.{name}"):
        getattr(namespace, "no_such_operation")  # noqa: B009


def test_each_operation_is_defined_once() -> None:
    modules = [importlib.import_module(f"graphc.ops.{found.name}") for found in pkgutil.iter_modules(ops.__path__)]
    namespaces = {f"graphc.ops.{name}" for name in ("image", "linalg", "nn", "numpy")}
    names = [name for m in modules if m.__name__ not in namespaces for name in getattr(m, "__all__", ())]
    assert [name for name, times in Counter(names).items() if times > 1] == []
    # Products of derivatives need tapes, which are of a higher rank.
    assert set(ops.__all__) <= {*names, "jvp"}
