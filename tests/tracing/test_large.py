"""Pointwise operations on large arrays, which one compiled program computes."""

import numpy as np
import pytest

import graphc
from graphc import ops
from graphc.errors import GraphcError
from graphc.tracing import large

pytestmark = pytest.mark.skipif(not large.has_compiler(), reason="needs a C compiler")
X = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(600, 500)).astype("float32") * 3)


@pytest.fixture
def programs(monkeypatch):
    """The number of runs of programs, in a list."""
    made, runs = large._elements, []
    monkeypatch.setattr(large, "_elements", lambda *args: runs.append(args) or made(*args))
    return runs


@pytest.mark.parametrize(
    ("function", "kwargs"),
    [
        (ops.gelu, {"approximate": False}),
        (ops.gelu, {}),
        (ops.leaky_relu, {"negative_slope": 0.3}),
        (ops.selu, {}),
        (ops.erf, {}),
    ],
)
def test_values_are_those_of_small_arrays(function, kwargs, programs):
    with graphc.backend("cpu"):
        result = function(X, **kwargs)
        assert len(programs) == 1
        small = [function(X[i : i + 100], **kwargs).numpy() for i in range(0, 600, 100)]
        assert len(programs) == 1
    assert result.dtype == "float32"
    np.testing.assert_allclose(result.numpy(), np.concatenate(small), rtol=2e-6, atol=1e-6)


def test_views_and_other_dtypes(programs):
    with graphc.backend("cpu"):
        np.testing.assert_array_equal(ops.elu(ops.transpose(X)).numpy(), ops.elu(X).numpy().T)
        halves = ops.elu(ops.cast(X, "bfloat16"))
    assert len(programs) == 3
    assert halves.dtype == "bfloat16"
    np.testing.assert_allclose(ops.cast(halves, "float32").numpy(), ops.elu(X).numpy(), rtol=2e-2, atol=2e-2)


def test_where_operations_run_one_by_one(programs):
    with graphc.backend("numpy"):
        ops.erf(X)
    with graphc.backend("cpu"), graphc.GradientTape() as tape:
        tape.watch(X)
        y = ops.sum(ops.gelu(X))
    assert not programs
    with graphc.backend("cpu"):
        np.testing.assert_allclose(tape.gradient(y, X).numpy(), graphc.grad(lambda x: ops.sum(ops.gelu(x)))(X).numpy())


def test_wrong_arguments_are_errors():
    with graphc.backend("cpu"):
        with pytest.raises((GraphcError, TypeError)):
            ops.leaky_relu(X, "steep")
        with pytest.raises((GraphcError, TypeError)):
            ops.gelu(X, exact=True)
