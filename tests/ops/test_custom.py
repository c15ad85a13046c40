"""Users' primitives: they work like graphc's own, wrong rules are told, and changed rules count at once."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import config, dims, dtypes, layers, ops
from graphc.compiler import compile
from graphc.errors import ArgumentError, DTypeError, FileError, GraphcError, ShapeError
from graphc.graph.core import Graph
from graphc.graph.digest import digest
from graphc.graph.json_reader import from_json
from graphc.graph.registry import REGISTRY
from graphc.graph.types import TensorType
from graphc.tracing import trace
from graphc.tracing.tensor import Tensor
from tests.tapes import gradients_of

X = np.array([[-2.0, -0.5, 0.0], [0.25, 1.0, 3.0]], "float32")
BACKENDS = ("numpy", "cpu")


@pytest.fixture(autouse=True)
def own_ones_go() -> Iterator[None]:
    before = set(REGISTRY)
    yield
    for name in set(REGISTRY) - before:
        del REGISTRY[name]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    with config.override(backend=request.param):
        yield request.param


def bent(name: str = "bent", scale: float = 1.0) -> Any:
    return graphc.primitive(
        name,
        lambda x: scale * x / (1 + np.abs(x)),
        vjp=lambda g, y, x: scale * g / ops.square(1 + ops.abs(x)),
    )


def expected(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return x / (1 + np.abs(x))


# ---- what they can do


def test_pointwise_on_arrays_tensors_and_symbolic_tensors(backend: str) -> None:
    op = bent()
    np.testing.assert_allclose(op(X).numpy(), expected(X), rtol=1e-6)
    np.testing.assert_allclose(op(2).numpy(), 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(graphc.function(lambda x: op(x) + 1.0)(X).numpy(), expected(X) + 1, rtol=1e-6)
    inputs = graphc.Input((3,))
    model = graphc.Model(inputs, op(inputs))
    np.testing.assert_allclose(model.predict(X, verbose=0), expected(X), rtol=1e-6)


def test_it_fuses_into_the_layer_that_it_follows() -> None:
    op = bent()
    w = graphc.Variable(np.ones((3, 4), "float32"))
    graph = trace(lambda x: op(ops.matmul(x, w) + 1.0), [TensorType((2, 3), dtypes.float32)]).graph
    partition = compile(graph, backend="cpu").compilation.partition
    assert partition is not None
    assert [[node.op for node in group.nodes] for group in partition.groups] == [["contract", "add", "bent"]]


def test_it_is_trained_through(backend: str) -> None:
    op = bent()
    model = graphc.Sequential([graphc.Input((3,)), layers.Dense(8, activation=op), layers.Dense(1)])
    model.compile(graphc.optimizers.Adam(0.05), "mse")
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    losses = model.fit(x, expected(x[:, :1]), epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def derivative(op: Any, order: int) -> Any:
    v = graphc.Variable(X)

    def nested(order: int) -> Any:
        if order == 0:
            return op(v)
        return gradients_of(lambda: ops.sum(nested(order - 1)), [v])[0]

    return graphc.function(lambda: nested(order))().numpy()


def test_first_and_second_derivatives(backend: str) -> None:
    op = bent()
    np.testing.assert_allclose(derivative(op, 1), 1 / (1 + np.abs(X)) ** 2, rtol=1e-6)
    np.testing.assert_allclose(derivative(op, 2)[X != 0], (-2 * np.sign(X) / (1 + np.abs(X)) ** 3)[X != 0], rtol=1e-5)


def test_gradients_in_loops(backend: str) -> None:
    op = bent()
    w = graphc.Variable(np.array([0.3, -0.7, 1.1], "float32"))

    def through(activation: Any) -> Any:
        def function(x: Any) -> Any:
            def loss() -> Any:
                last, ys = ops.scan(lambda h, row: (activation(h * w + row),) * 2, ops.zeros((3,)), x)
                return ops.sum(last) + ops.sum(ys)

            return gradients_of(loss, [w])[0]

        return graphc.function(function)(X).numpy()

    np.testing.assert_allclose(through(op), through(ops.softsign), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_dtypes_of_floats(backend: str, dtype: str) -> None:
    op = bent()
    x = ops.cast(X, dtype) if dtype != "float64" else Tensor(X.astype("float64"))
    wanted = ops.softsign(x)
    for found in (op(x), graphc.function(lambda x: op(x))(x)):
        assert found.dtype == dtype
        pair = [np.asarray(tensor.numpy(), "float64") for tensor in (found, wanted)]
        np.testing.assert_allclose(*pair, rtol=1e-2)


def test_several_operands_attributes_and_another_dtype(backend: str) -> None:
    allowed = ["float32", dtypes.int32]
    near = graphc.primitive("near", lambda x, y, within: np.abs(x - y) < within, result="bool", dtypes=allowed)

    def call(x: Any, y: Any) -> Any:
        return near(x, y, within=0.5)

    for form in (call, graphc.function(call)):
        assert np.array_equal(form(X, X[0]).numpy(), np.abs(X - X[0]) < 0.5)
    whole = np.array([1, 2, 3], "int32")
    assert near(whole, 2, within=1).numpy().tolist() == [False, True, False]


def test_lower_by_itself_with_intrinsics(backend: str) -> None:
    smooth = graphc.primitive(
        "smooth", lambda x: np.vectorize(math.erf, otypes=[x.dtype])(x), lower=lambda x: x.call("erf")
    )
    np.testing.assert_allclose(graphc.function(lambda x: smooth(x))(X).numpy(), ops.erf(X).numpy(), rtol=1e-5)


# Functions of NumPy arrays that code can be made of.
ELEMENTS: dict[str, Callable[..., Any]] = {
    "operators": lambda x: (2 - x) * x + x**2 - -x / 3 + (x // 2) + x % 3,
    "clip": lambda x: np.clip(x, -1, 1) + np.clip(x, None, 0.5),
    "choice": lambda x: np.where((x > 0) & ~(x > 1) | np.isnan(x), np.sqrt(np.abs(x)), np.exp(x)),
    "functions": lambda x: np.tanh(x) + np.log1p(np.abs(x)) + np.arctan2(x, 2) + np.square(x) + np.rint(x),
    "extrema": lambda x: np.maximum(x, 0) - np.minimum(x, 0.5) + np.reciprocal(x + 9) + np.sign(x),
    "numbers of numpy": lambda x: np.float32(0.5) * x + np.pi,
}


@pytest.mark.parametrize("name", ELEMENTS)
def test_functions_of_numpy_are_code(name: str, backend: str) -> None:
    op = graphc.primitive("element", ELEMENTS[name])
    wanted = ELEMENTS[name](X)
    np.testing.assert_allclose(graphc.function(lambda x: op(x))(X).numpy(), wanted, rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(op(X).numpy(), wanted, rtol=1e-6)


def sum_of_squares() -> Any:
    return graphc.primitive(
        "sum_of_squares",
        lambda x, axes: np.sum(x * x, axis=axes),
        lower=lambda x: x * x,
        kind="reduce",
        combine="sum",
        vjp=lambda g, y, x, axes: 2.0 * x * ops.broadcast_to(ops.expand_dims(g, axes), x.shape),
    )


def test_reductions(backend: str) -> None:
    total = sum_of_squares()
    for axis in (None, 0, -1, (0, 1)):
        wanted = np.sum(X * X, axis=axis)
        compiled = graphc.function(lambda x, axis=axis: total(x, axis=axis))
        np.testing.assert_allclose(compiled(X).numpy(), wanted, rtol=1e-6)
        np.testing.assert_allclose(total(X, axis=axis).numpy(), wanted, rtol=1e-6)
    assert total(X, axis=1, keepdims=True).shape == (2, 1)
    v = graphc.Variable(X)
    (found,) = graphc.function(lambda: gradients_of(lambda: ops.sum(total(v, axis=1)), [v]))()
    np.testing.assert_allclose(found.numpy(), 2 * X, rtol=1e-6)


def mirrored() -> Any:
    return graphc.primitive(
        "mirrored",
        lambda x: np.concatenate([x, x[:, ::-1]], axis=1),
        lower=lambda reader, index: reader.read(0, (index[0], _mirrored(index[1], reader.types[0].shape[1]))),
        kind="view",
        infer=lambda x: TensorType((x.shape[0], 2 * x.shape[1]), x.dtype),
    )


def test_views(backend: str) -> None:
    op = mirrored()
    wanted = np.concatenate([X, X[:, ::-1]], axis=1)
    assert np.array_equal(op(X).numpy(), wanted)
    assert np.array_equal(graphc.function(lambda x: op(x) + 0.0)(X).numpy(), wanted)


@pytest.mark.cuda
def test_on_cuda() -> None:
    element, total, view = bent(), sum_of_squares(), mirrored()
    with config.override(backend="cuda"):
        found = graphc.function(lambda x: total(view(element(x)), axis=1))(X).numpy()
    np.testing.assert_allclose(found, 2 * np.sum(expected(X) ** 2, axis=1), rtol=1e-5)


def _mirrored(i: Any, size: Any) -> Any:
    """`size - 1 - |size - 1/2 - i|` rounded, without a comparison: both halves count to the middle."""
    half = dims.floordiv(i, size)
    return i + half * (2 * size - 1 - 2 * i)


def test_a_decorator() -> None:
    @graphc.primitive("doubled")
    def doubled(x: Any) -> Any:
        """Twice as much."""
        return x * 2

    assert doubled.__name__ == "doubled"
    assert doubled.__doc__ == "Twice as much."
    assert np.array_equal(doubled(X).numpy(), 2 * X)


def test_sizes_as_attributes(backend: str) -> None:
    shared = graphc.primitive("shared", lambda x, by: x / by, lower=lambda x, by: x * 1.0 / by)
    model = graphc.Sequential([graphc.Input((3,)), layers.Lambda(lambda x: shared(x, by=ops.shape(x)[0]))])
    np.testing.assert_allclose(model.predict(X, verbose=0), X / 2, rtol=1e-6)


# ---- what is wrong

WRONG_DEFINITIONS: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "spaces": (("two words", abs), {}, "no identifier"),
    "no text": ((3, abs), {}, "no identifier"),
    "keyword": (("lambda", abs), {}, "no identifier"),
    "built-in": (("add", lambda x: x), {}, "graphc's own"),
    "kind": (("mine", abs), {"kind": "magic"}, "`kind`"),
    "no function": (("mine", 3), {}, "`eval`"),
    "lower": (("mine", abs), {"lower": 3}, "`lower`"),
    "vjp": (("mine", abs), {"vjp": "x"}, "`vjp`"),
    "combine": (("mine", abs), {"kind": "reduce", "lower": abs, "combine": "mean"}, "`combine`"),
    "no combine": (("mine", abs), {"kind": "reduce", "lower": abs}, "`combine`"),
    "no infer": (("mine", abs), {"kind": "view", "lower": abs}, "`infer`"),
    "dtypes": (("mine", abs), {"dtypes": ["float31"]}, "`dtypes`"),
    "trait": (("mine", abs), {"cheep": True}, "no such property"),
}


@pytest.mark.parametrize("name", WRONG_DEFINITIONS)
def test_wrong_definitions_name_the_line(name: str) -> None:
    args, kwargs, problem = WRONG_DEFINITIONS[name]
    before = dict(REGISTRY)
    with pytest.raises(ArgumentError, match=problem) as caught:
        graphc.primitive(*args, **kwargs)
    assert __file__ in str(caught.value.where)
    assert before == REGISTRY


def failing(x: Any) -> Any:
    raise ZeroDivisionError("not today")


WRONG_RULES: dict[str, tuple[dict[str, Any], type[GraphcError], str]] = {
    "lower raises": ({"lower": failing}, ArgumentError, "ZeroDivisionError: not today"),
    "eval raises": ({"eval": failing, "lower": lambda x: x}, ArgumentError, "ZeroDivisionError: not today"),
    "eval's dtype": ({"eval": lambda x: x.astype("float64"), "lower": lambda x: x}, DTypeError, "float64"),
    "eval's shape": ({"eval": lambda x: x.sum(), "lower": lambda x: x}, ShapeError, r"\[\]"),
    "lower's dtype": ({"lower": lambda x: x > 0}, DTypeError, "bool"),
    "lower gives nothing": ({"lower": lambda x: None}, ArgumentError, "neither an element nor a number"),
    "another dtype than said": ({"result": "int32"}, DTypeError, "int32"),
    "a branch": ({"lower": lambda x: x if x > 0 else -x}, ArgumentError, "np.where"),
    "a function of arrays": ({"lower": lambda x: np.sort(x)}, ArgumentError, "np.sort"),
    "an unknown intrinsic": ({"lower": lambda x: x.call("magic")}, ArgumentError, "magic"),
    "mixed dtypes": ({"lower": lambda x: x + (x > 0)}, ArgumentError, "different dtypes"),
    "operands": ({"eval": lambda x, y: x + y, "lower": lambda x, y: x + y}, ArgumentError, "missing 1 required"),
}


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
@pytest.mark.parametrize("name", WRONG_RULES)
def test_wrong_rules_name_the_primitive_and_the_line(name: str, traced: bool) -> None:
    rules, kind, got = WRONG_RULES[name]
    op = graphc.primitive("mine", **{"eval": lambda x: x, **rules})
    with config.override(backend="numpy"), pytest.raises(kind, match="`mine`") as caught:
        (graphc.function(lambda x: op(x)) if traced else op)(X)
    text = str(caught.value)
    assert __file__ in text
    assert re.search(got, text)


@pytest.mark.parametrize("of_constants", [False, True])
def test_rules_that_fail_while_a_program_runs_or_is_made_name_both_lines(of_constants: bool) -> None:
    op = graphc.primitive("mine", failing, lower=lambda x: x)
    with (
        config.override(backend="numpy"),
        pytest.raises(ArgumentError, match="`eval` of the primitive `mine`") as caught,
    ):
        graphc.function(lambda x: op(X if of_constants else x) + x)(X)
    assert __file__ in str(caught.value.where)
    assert __file__ in str(caught.value.got)
    assert caught.value.where not in str(caught.value.got)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


WRONG_GRADIENTS: dict[str, tuple[Any, str]] = {
    "raises": (lambda g, y, x: failing(x), "ZeroDivisionError: not today"),
    "too many": (lambda g, y, x: (g, g), "another number of cotangents"),
    "shape": (lambda g, y, x: ops.sum(g), "another shape"),
    "dtype": (lambda g, y, x: ops.cast(g, "int32"), "another dtype"),
    "missing": (None, "has no gradient"),
}


@pytest.mark.parametrize("name", WRONG_GRADIENTS)
def test_wrong_gradients_name_the_primitive_and_the_line(name: str) -> None:
    vjp, problem = WRONG_GRADIENTS[name]
    op = graphc.primitive("mine", lambda x: x * 2, vjp=vjp)
    with pytest.raises(ArgumentError, match="`mine`") as caught:
        derivative(op, 1)
    assert problem in str(caught.value)
    assert __file__ in str(caught.value.where)


def test_a_gradient_reads_no_variables() -> None:
    w = graphc.Variable(np.ones(3, "float32"))
    op = graphc.primitive("mine", lambda x: x * 2, vjp=lambda g, y, x: g * w)
    with pytest.raises(ArgumentError, match="reads a variable"):
        derivative(op, 1)


def test_wrong_attributes() -> None:
    op = graphc.primitive("mine", lambda x, by: x * by)
    for by in (np.ones(3), {"a": 1}, object()):
        with pytest.raises(ArgumentError, match="cannot have this attribute"):
            op(X, by=by)


# ---- changed rules


def compiled_forms(op: Any) -> dict[str, Callable[[], Any]]:
    """What is compiled with an operation, and compiled once only as long as nothing changes."""
    function = graphc.function(lambda x: op(x))
    model = graphc.Sequential([graphc.Input((3,)), layers.Activation(op)])
    return {
        "function": lambda: function(X).numpy(),
        "predict": lambda: model.predict(X, verbose=0),
        "predict_on_batch": lambda: model.predict_on_batch(X),
    }


def test_a_new_definition_replaces_what_was_compiled(backend: str) -> None:
    forms = compiled_forms(bent(scale=1.0))
    for _ in range(2):
        for run in forms.values():
            np.testing.assert_allclose(run(), expected(X), rtol=1e-6)
    bent(scale=3.0)
    for run in forms.values():
        np.testing.assert_allclose(run(), 3 * expected(X), rtol=1e-6)


def test_the_same_definition_compiles_nothing_again() -> None:
    forms = compiled_forms(bent())
    [run() for run in forms.values()]
    count = graphc.inspect.stats()["compilations"]
    bent()
    [run() for run in forms.values()]
    assert graphc.inspect.stats()["compilations"] == count


def test_a_new_gradient_is_what_trains(backend: str) -> None:
    model = graphc.Sequential([graphc.Input((3,)), layers.Dense(1, activation=bent(scale=1.0))])
    model.compile("sgd", "mse")
    model.train_on_batch(X, X[:, :1])
    weights = model.get_weights()
    graphc.primitive("bent", lambda x: x / (1 + np.abs(x)), vjp=lambda g, y, x: g * 0.0)
    model.train_on_batch(X, X[:, :1])
    for before, after in zip(weights, model.get_weights(), strict=True):
        assert np.array_equal(before, after)


def test_changed_helpers_and_closures_count(backend: str) -> None:
    space: dict[str, Any] = {"np": np, "factor": 2.0}
    exec("def helper(x):\n    return x * factor\n", space)

    def rule(x: Any) -> Any:
        return space_helper(x) + offset

    offset = 0.5
    space_helper = space["helper"]
    op = graphc.primitive("mine", rule)
    function = graphc.function(lambda x: op(x))
    np.testing.assert_allclose(function(X).numpy(), 2 * X + 0.5, rtol=1e-6)
    space["factor"] = 3.0  # a global that a function reads which the rule calls
    np.testing.assert_allclose(function(X).numpy(), 3 * X + 0.5, rtol=1e-6)
    offset = 1.0  # a value of the closure
    np.testing.assert_allclose(function(X).numpy(), 3 * X + 1, rtol=1e-6)
    exec("def helper(x):\n    return -x\n", space)
    space_helper = space["helper"]
    np.testing.assert_allclose(function(X).numpy(), 1 - X, rtol=1e-6)


class Scaled(layers.Layer):
    """A layer with an operation of its own, whose rule refers to the layer, and so to weights that change."""

    def build(self, input_shape: Any) -> None:
        self.weight = self.add_weight(shape=(), initializer="ones")
        self.by = 2.0
        self.op = graphc.primitive("scaled", lambda x: x * self.by, vjp=lambda g, y, x: g * self.by)

    def call(self, inputs: Any) -> Any:
        return self.op(inputs) * self.weight


def test_rules_that_refer_to_weights_are_compared_by_identity(backend: str) -> None:
    model = graphc.Sequential([graphc.Input((3,)), Scaled()])
    model.compile("sgd", "mse")
    model.train_on_batch(X, X)
    count = graphc.inspect.stats()["compilations"]
    losses = [float(model.train_on_batch(X, X)) for _ in range(3)]
    assert losses[-1] < losses[0]
    assert graphc.inspect.stats()["compilations"] == count
    graphc.primitive("scaled", lambda x: x * 0.0, vjp=lambda g, y, x: g * 0.0)
    np.testing.assert_allclose(model.train_on_batch(X, X), np.mean(X**2), rtol=1e-6)


def test_rules_write_into_no_operand() -> None:
    def rule(x: Any) -> Any:
        x += 1
        return x

    op = graphc.primitive("mine", rule, lower=lambda x: x + 1)
    mine = X.copy()
    with pytest.raises(ArgumentError, match="read-only"):
        op(mine)
    assert np.array_equal(mine, X)


def test_functions_of_numpy_themselves(backend: str) -> None:
    op = graphc.primitive("sine", np.sin, vjp=lambda g, y, x: g * ops.cos(x))
    np.testing.assert_allclose(graphc.function(lambda x: op(x))(X).numpy(), np.sin(X), rtol=1e-6)
    np.testing.assert_allclose(derivative(op, 1), np.cos(X), rtol=1e-6)


def graph_of(op: Any) -> Graph:
    return trace(lambda x: op(x), [TensorType((2, 3), dtypes.float32)]).graph


def test_rules_are_part_of_the_digest_of_graphs_and_of_their_loops() -> None:
    def looped(op: Any) -> Graph:
        spec = TensorType((2, 3), dtypes.float32)
        return trace(lambda x: ops.scan(lambda h, row: (op(h) + row, None), ops.zeros((3,)), x)[0], [spec]).graph

    plain, loop = graph_of(bent(scale=1.0)), looped(bent(scale=1.0))
    before = digest(plain), digest(loop)
    bent(scale=1.0)
    assert (digest(plain), digest(loop)) == before
    bent(scale=2.0)
    assert digest(plain) != before[0]
    assert digest(loop) != before[1]


PROGRAM = """
import sys
import numpy as np
import graphc
from graphc import config
{rules}
op = graphc.primitive("mine", rule)
config.set_backend("cpu")
found = graphc.function(lambda x: op(x) + 1.0)(np.array([1.0, 2.0], "float32")).numpy()
print(found.tolist())
"""
RULES = {
    "first": "def helper(x):\n    return x * 2.0\nrule = lambda x: helper(x)",
    "helper": "def helper(x):\n    return x * 3.0\nrule = lambda x: helper(x)",
    "closure": "def make(by):\n    def helper(x):\n        return x * by\n    return helper\nrule = make(4.0)",
    "another closure": "def make(by):\n    def helper(x):\n        return x * by\n    return helper\nrule = make(5.0)",
    "default": "def rule(x, by=6.0):\n    return x * by",
    "object": "class By:\n    def __init__(self):\n        self.by = 7.0\nheld = By()\nrule = lambda x: x * held.by",
    "unknown": "held = open(__file__)\nrule = lambda x: x * (8.0 if held else 0.0)",
}
FACTORS = dict(zip(RULES, (2, 3, 4, 5, 6, 7, 8), strict=True))


def in_new_process(folder: Path, rules: str) -> tuple[list[float], int]:
    """What a program with some rules gives, and how many programs are in the cache then."""
    script = folder / "program.py"
    script.write_text(PROGRAM.format(rules=rules))
    env = {**os.environ, "GRAPHC_CACHE": str(folder / "cache"), "PYTHONHASHSEED": "random"}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, env=env)
    values = [float(value) for value in done.stdout.strip().strip("[]").split(",")]
    return values, len(list((folder / "cache").rglob("*.json")))


def test_changed_rules_in_new_processes_with_one_cache(tmp_path: Path) -> None:
    programs = 0
    for name, factor in FACTORS.items():
        # Rules of which nobody can tell whether they are the same are not kept.
        programs += name != "unknown"
        assert in_new_process(tmp_path, RULES[name]) == ([factor + 1, 2 * factor + 1], programs), name
    for name in ("first", "object"):
        factor = FACTORS[name]
        assert in_new_process(tmp_path, RULES[name]) == ([factor + 1, 2 * factor + 1], programs), name


# ---- files of graphs


def test_json_of_a_graph_needs_the_definition() -> None:
    text = graph_of(bent()).to_json()
    assert from_json(text).to_json() == text
    del REGISTRY["bent"]
    with pytest.raises(FileError, match="not defined in this process") as caught:
        from_json(text)
    assert caught.value.got == "bent"
    bent()
    assert from_json(text).of_op("bent")


def test_json_of_other_graphs_says_nothing_of_it() -> None:
    assert '"own"' not in graph_of(ops.relu).to_json()


def test_graphs_that_are_kept_say_what_is_missing() -> None:
    graph = graph_of(bent())
    del REGISTRY["bent"]
    with config.override(verify=False), pytest.raises(GraphcError, match="no such primitive") as caught:
        compile(graph, backend="numpy").run({"x0": X}, {}, {})
    assert "graphc.primitive" in str(caught.value.hint)
