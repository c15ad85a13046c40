"""Programs that keep their weights: states become constants, and what depends on these alone is computed before."""

from __future__ import annotations

import numpy as np

from graphc import dims, dtypes
from graphc.graph.builder import Builder
from graphc.graph.types import TensorType
from graphc.graph.verify import verify
from graphc.passes.dead_code import eliminate_dead
from graphc.passes.fold_constants import fold_constants, with_constants
from tests.support.backends import run_interpreter

FLOAT = dtypes.float32


def test_states_that_are_not_updated_become_constants() -> None:
    builder = Builder({})
    kept, changed = (builder.state(name, TensorType((3,), FLOAT)) for name in ("kept", "changed"))
    builder.update(changed, builder.apply("add", changed, kept))
    graph = builder.finish([builder.apply("mul", kept, changed)])
    values = {name: np.arange(3, dtype=np.float32) for name in ("kept", "changed")}
    fixed = with_constants(graph, values)
    verify(fixed)
    assert list(fixed.states) == ["changed"] and len(fixed.updates) == 1
    (constant,) = fixed.of_op("constant")
    np.testing.assert_array_equal(constant.attrs["value"].numpy(), values["kept"])


def test_what_depends_on_constants_alone_is_computed() -> None:
    builder = Builder({"B": (1, 8)})
    x = builder.input("x", TensorType((dims.size("B"), 2000), FLOAT))
    scale = builder.state("scale", TensorType((2000,), FLOAT))
    whole = builder.apply("rsqrt", builder.apply("exp", scale))
    graph = builder.finish([builder.apply("mul", x, builder.broadcast(whole, x.shape, (1,)))])
    value = np.linspace(-1, 1, 2000, dtype=np.float32)
    fixed = with_constants(graph, {"scale": value})
    folded = eliminate_dead(fold_constants(fixed))
    verify(folded)
    assert {node.op for node in folded.table.values()} == {"input", "constant", "broadcast", "mul"}
    given = {"x": np.ones((2, 2000), np.float32)}
    for got, expected in zip(
        run_interpreter(folded, given, {"B": 2}), run_interpreter(fixed, given, {"B": 2}), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_what_takes_more_memory_is_computed_in_each_run() -> None:
    builder = Builder({})
    row = builder.state("row", TensorType((2000,), FLOAT))
    table = builder.state("table", TensorType((50, 40), FLOAT))
    x = builder.input("x", TensorType((40,), FLOAT))
    outer = builder.apply("exp", builder.broadcast(row, (3, 2000), (1,)))
    turned = builder.apply("transpose", table, order=(1, 0))  # the table itself is read, too
    axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)}
    rows = builder.apply("contract", table, x, **axes)
    columns = builder.apply("contract", turned, rows, **axes)
    graph = builder.finish([outer, columns])
    values = {"row": np.ones(2000, np.float32), "table": np.ones((50, 40), np.float32)}
    folded = fold_constants(with_constants(graph, values))
    assert len(folded.of_op("transpose")) == 1 and len(folded.of_op("exp")) == 1


def test_transposed_weights_are_stored_as_they_are_read() -> None:
    builder = Builder({})
    weights = builder.state("weights", TensorType((50, 40), FLOAT))
    graph = builder.finish([builder.apply("transpose", weights, order=(1, 0))])
    value = np.arange(2000, dtype=np.float32).reshape(50, 40)
    folded = eliminate_dead(fold_constants(with_constants(graph, {"weights": value})))
    (constant,) = folded.table.values()
    np.testing.assert_array_equal(constant.attrs["value"].numpy(), value.T)
