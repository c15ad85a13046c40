"""Complex numbers against Keras and JAX: values, dtypes, gradients, training."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import dtypes, interpret, ops
from graphc.autodiff import vjp
from graphc.errors import DTypeError, ShapeError
from graphc.graph.builder import Builder
from graphc.graph.registry import REGISTRY
from graphc.graph.types import TensorType

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")
jnp = jax.numpy


def numbers(seed: int, *shape: int) -> Any:
    parts = np.random.default_rng(seed).normal(size=(2, *shape))
    return (parts[0] + 1j * parts[1]).astype("complex64")


A, B, S = numbers(0, 3, 4), numbers(1, 3, 4), numbers(2, 4, 4)
R = numbers(3, 3, 4).real.copy()
REALS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint32", "uint64", "float16", "bfloat16", "float32")

# fmt: off
OF_ONE = [
    "abs", "absolute", "all", "angle", "any", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "array",
    "conj", "conjugate", "copy", "cos", "cosh", "count_nonzero", "exp", "exp2", "expm1", "flip", "imag", "isfinite",
    "isinf", "isnan", "isreal", "log", "log10", "log1p", "log2", "logical_not", "mean", "nan_to_num", "negative",
    "norm", "ones_like", "prod", "ravel", "real", "reciprocal", "rsqrt", "sigmoid", "sign", "silu", "sin", "sinh",
    "sqrt", "square", "std", "sum", "tan", "tanh", "transpose", "tril", "triu", "var", "view_as_real",
    "zeros_like",
]
OF_TWO = ["add", "subtract", "multiply", "divide", "true_divide", "power", "equal", "not_equal", "logical_and", "outer"]
REFUSED = [
    "argmax", "argmin", "ceil", "cbrt", "erf", "floor", "hard_tanh", "logsumexp", "max", "min", "relu", "round",
    "softmax", "trunc",
]
REFUSED_OF_TWO = [
    "arctan2", "bitwise_and", "floor_divide", "greater", "greater_equal", "hypot", "less", "less_equal", "logaddexp",
    "maximum", "minimum", "mod",
]
# fmt: on
CALLS: dict[str, Callable[[Any], Any]] = {
    "matmul": lambda o: o.matmul(A, S),
    "matmul with reals": lambda o: o.matmul(A, R.T),
    "batch of products": lambda o: o.matmul(np.stack([A, B]), np.stack([S, S])),
    "einsum": lambda o: o.einsum("ij,kj->ik", A, B),
    "dot": lambda o: o.dot(A, S),
    "vdot": lambda o: o.vdot(A, B),
    "inner": lambda o: o.inner(A, B),
    "tensordot": lambda o: o.tensordot(A, B, [[1], [1]]),
    "sum over an axis": lambda o: o.sum(A, axis=1),
    "mean over an axis": lambda o: o.mean(A, axis=0, keepdims=True),
    "variance over an axis": lambda o: o.var(A, axis=1),
    "average": lambda o: o.average(A, axis=1, weights=B),
    "norm": lambda o: o.norm(A, ord=1, axis=1),
    "where": lambda o: o.where(R > 0, A, R),
    "concatenate": lambda o: o.concatenate([A, R]),
    "stack": lambda o: o.stack([R, A]),
    "take": lambda o: o.take(A, [2, 0, 2], axis=1),
    "pad": lambda o: o.pad(A, 1, constant_values=0),
    "linspace": lambda o: o.linspace(1 + 1j, 3.0, 5),
    "full": lambda o: o.full((2, 3), 1 - 2j, "complex64"),
    "eye": lambda o: o.eye(3, dtype="complex64"),
    "cast to reals": lambda o: o.cast(A, "float32"),
    "cast to integers": lambda o: o.cast(A, "int32"),
    "cast to booleans": lambda o: o.cast(A, "bool"),
    "cast of reals": lambda o: o.cast(R, "complex64"),
    "view_as_complex": lambda o: o.view_as_complex(R.reshape(3, 2, 2)),
    "view_as_complex of halves": lambda o: o.view_as_complex(R.reshape(6, 2).astype("float16")),
    "angle of reals": lambda o: o.angle(R),
    "angle of integers": lambda o: o.angle(np.array([-1, 0, 1])),
    "real of reals": lambda o: o.real(R),
    "imag of integers": lambda o: o.imag(np.array([1, 2])),
    "conjugate of reals": lambda o: o.conjugate(R),
    "nan_to_num": lambda o: o.nan_to_num(np.array([complex(np.nan, 1), complex(2, -np.inf)], "complex64")),
    "small powers": lambda o: o.power(A, 3),
    "powers with roots": lambda o: o.power(A, 0.5),
    "powers of reals": lambda o: o.power(np.abs(R), 1j),
    "list": lambda o: o.convert_to_tensor([1j, 2]),
    "complex128": lambda o: o.convert_to_tensor(np.array([1j])),
}


def same(what: str, found: Any, expected: Any, bound: float = 2e-5) -> None:
    assert found.dtype == keras.backend.standardize_dtype(expected.dtype), what
    np.testing.assert_allclose(found.numpy(), np.asarray(expected), rtol=bound, atol=bound, err_msg=what)


@pytest.mark.parametrize("name", OF_ONE)
def test_functions_of_one(name: str) -> None:
    same(name, getattr(ops, name)(A), getattr(keras.ops, name)(A))


@pytest.mark.parametrize("name", OF_TWO)
def test_functions_of_two(name: str) -> None:
    for x, y in (
        (A, B),
        (A, R),
        (R, A),
        (A, 2),
        (1.5, A),
        (A, 1 - 2j),
        (R, 1 - 2j),
        (np.int32(3), A),
        (R, np.complex128(1j)),
    ):
        same(name, getattr(ops, name)(x, y), getattr(keras.ops, name)(x, y))


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str) -> None:
    same(name, CALLS[name](ops), CALLS[name](keras.ops))


@pytest.mark.parametrize("name", REFUSED)
def test_what_orders_or_rounds_refuses_complex_numbers(name: str) -> None:
    with pytest.raises(DTypeError, match="does not take this dtype"):
        getattr(ops, name)(A)


@pytest.mark.parametrize("name", REFUSED_OF_TWO)
def test_what_compares_refuses_complex_numbers(name: str) -> None:
    for x, y in ((A, B), (A, R), (R, 1j)):
        with pytest.raises(DTypeError, match="does not take this dtype"):
            getattr(ops, name)(x, y)


def test_pairs_are_what_is_seen_as_complex() -> None:
    for wrong in (np.ones((2, 3)), np.float32(1)):
        with pytest.raises(ShapeError, match="takes pairs"):
            ops.view_as_complex(wrong)
    with pytest.raises(DTypeError, match="takes real numbers"):
        ops.view_as_complex(A)


# ---- dtypes


def test_promotion_is_that_of_jax() -> None:
    for a in dtypes.ALL:
        for b in dtypes.COMPLEX:
            wanted = jnp.promote_types(a.numpy, b.numpy)
            assert dtypes.promote(a, b).name == dtypes.promote(b, a).name == wanted.name, (a, b)


@pytest.mark.parametrize("other", [*REALS, "complex64", complex])
def test_result_types_are_those_of_keras(other: Any) -> None:
    for one in ("complex64", complex):
        assert graphc.backend.result_type(one, other) == keras.backend.result_type(one, other)
        assert graphc.backend.result_type(other, one) == keras.backend.result_type(other, one)
    assert graphc.backend.standardize_dtype(complex) == keras.backend.standardize_dtype(complex) == "complex64"


def test_double_precision_where_it_is_asked_for() -> None:
    wide = ops.cast(A, "complex128")
    assert (wide * A).dtype == (wide + 1j).dtype == (ops.cast(R, "float64") * 1j).dtype == "complex128"
    assert (ops.cast(R, "float64") + A).dtype == "complex128"
    assert ops.abs(wide).dtype == ops.real(wide).dtype == ops.angle(wide).dtype == "float64"
    assert ops.std(wide).dtype == "float64"
    assert ops.view_as_complex(ops.ones((3, 2), "float64")).dtype == "complex128"
    graphc.config.set_floatx("float64")
    try:
        assert ops.convert_to_tensor(1j).dtype == ops.convert_to_tensor(np.array([1j])).dtype == "complex128"
        assert (ops.ones(2, "int32") * 1j).dtype == "complex128"
    finally:
        graphc.config.set_floatx("float32")


def test_tensors_are_numbers() -> None:
    assert complex(ops.sum([1j, 2])) == 2 + 1j


# ---- gradients


def logistic(x: Any) -> Any:
    return 1 / (1 + jnp.exp(-x))


# What each primitive is to JAX, where it does not have the same name there.
OF_JAX: dict[str, Callable[..., Any]] = {
    "identity": lambda z: z,
    "add": jnp.add,
    "sub": jnp.subtract,
    "mul": jnp.multiply,
    "div": jnp.divide,
    "pow": jnp.power,
    "neg": jnp.negative,
    "rsqrt": jax.lax.rsqrt,
    "sigmoid": logistic,
    **{f"a{name}": getattr(jnp, f"arc{name}") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
}
# JAX has a slope of 0 for directions, and for `acosh` another branch of a root where the real part is negative.
OWN = ("sign", "acosh")
SKIPPED = ("cast", "copy", "select", "stop_gradient", "read")
POINTWISE = sorted(
    rule.name
    for rule in REGISTRY.values()
    if rule.kind.value == "pointwise" and rule.vjp and "complex64" in rule.dtypes and rule.code is None
)


def by_graphc(op: str, operands: list[Any], cotangent: Any, **attrs: Any) -> list[Any]:
    """The result of an operation, and the cotangents of its operands."""
    builder = Builder()
    values = [builder.input(f"x{i}", TensorType(x.shape, dtypes.as_dtype(x.dtype))) for i, x in enumerate(operands)]
    g = builder.input("g", TensorType(cotangent.shape, dtypes.as_dtype(cotangent.dtype)))
    result = builder.apply(op, *values, **attrs)
    found = [part for part in vjp(builder, {result.ref: g}, values) if part is not None]
    inputs = {f"x{i}": x for i, x in enumerate(operands)}
    return interpret.run(builder.finish([result, *found]), {**inputs, "g": cotangent})[0]


def compare(op: str, function: Callable[..., Any], operands: list[Any], **attrs: Any) -> None:
    expected, back = jax.vjp(function, *operands)
    cotangent = numbers(4, *expected.shape)
    cotangent = cotangent if expected.dtype == "complex64" else cotangent.real.copy()
    results = by_graphc(op, operands, cotangent, **attrs)
    for got, wanted in zip(results, (expected, *back(cotangent)), strict=True):
        assert got.dtype == wanted.dtype, op
        np.testing.assert_allclose(got, np.asarray(wanted), rtol=5e-5, atol=5e-5, err_msg=op)


@pytest.mark.parametrize("op", [op for op in POINTWISE if op not in (*OWN, *SKIPPED)])
def test_gradients_are_those_of_jax(op: str) -> None:
    count = len(next(iter(REGISTRY[op].cases())).shapes)
    compare(op, OF_JAX.get(op) or getattr(jnp, op), [numbers(5 + i, 12) for i in range(count)])


@pytest.mark.parametrize("op", OWN)
def test_slopes_that_jax_has_otherwise_are_difference_quotients(op: str) -> None:
    z, g, step = numbers(7, 40).astype("complex128"), numbers(8, 40).astype("complex128"), 1e-6
    slope = by_graphc(op, [z], g)[1]
    for direction in (1, 1j):
        above, below = (REGISTRY[op].eval(z + sign * step * direction) for sign in (1, -1))
        np.testing.assert_allclose((slope * direction).real, (g * (above - below)).real / (2 * step), rtol=1e-5)


def test_the_loss_is_real() -> None:
    with pytest.raises(DTypeError, match="gradients are of real losses"):
        graphc.function(graphc.grad(lambda z: z * 2))(np.complex64(1j))


AXES = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)}
OTHERS: dict[str, tuple[str, Callable[..., Any], list[Any], dict[str, Any]]] = {
    "complex": ("complex", jax.lax.complex, [R, R[::-1].copy()], {}),
    "cast of reals": ("cast", lambda x: x.astype("complex64"), [R], {"dtype": dtypes.complex64}),
    "cast to reals": ("cast", lambda z: z.real.astype("float32"), [A], {"dtype": dtypes.float32}),
    "sum": ("sum", lambda z: z.sum(1), [A], {"axes": (1,)}),
    "prod": ("prod", lambda z: z.prod(1), [A], {"axes": (1,)}),
    "cumsum": ("cumsum", lambda z: jnp.cumsum(z, 1), [A], {"axis": 1, "reverse": False}),
    "cumprod": ("cumprod", lambda z: jnp.cumprod(z, 1), [A], {"axis": 1, "reverse": False}),
    "contract": ("contract", jnp.matmul, [A, S], AXES),
    "transpose": ("transpose", jnp.transpose, [A], {"order": (1, 0)}),
    "reverse": ("reverse", lambda z: z[::-1], [A], {"axes": (0,)}),
    "concatenate": ("concatenate", lambda *z: jnp.concatenate(z), [A, B], {"axis": 0}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_gradients_of_what_moves_or_combines_are_those_of_jax(name: str) -> None:
    op, function, operands, attrs = OTHERS[name]
    compare(op, function, operands, **attrs)


# ---- training


def loss_of(o: Any, x: Any, y: Any, first: Any, bias: Any, second: Any) -> Any:
    """A network of two layers with complex weights, whose outputs' sizes are to be `y`."""
    turned = o.matmul(x, first) + bias
    # The hyperbolic tangent has poles, near which small differences grow large.
    hidden = turned / (1 + o.abs(turned)) + 0.1 * o.sin(0.1 * turned)
    out = o.matmul(hidden, second)
    miss = o.abs(out) - y
    return o.mean(miss * miss) + 0.1 * o.mean(o.square(o.imag(out)))


@pytest.mark.parametrize("backend", ["numpy", "cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_a_network_with_complex_weights_learns_as_with_jax(backend: str) -> None:
    x, y = numbers(0, 16, 5), np.abs(numbers(1, 16, 2))
    start = [0.1 * numbers(2, 5, 8), 0.1 * numbers(3, 8), 0.5 * numbers(4, 8, 2)]
    weights = [graphc.Variable(w, dtype="complex64") for w in start]

    def step(x: Any, y: Any) -> Any:
        with graphc.GradientTape() as tape:
            loss = loss_of(ops, x, y, *weights)
        for weight, slope in zip(weights, tape.gradient(loss, weights), strict=True):
            weight.assign(weight - 0.1 * ops.conj(slope))
        return loss

    learn = graphc.function(step)
    expected = [jnp.asarray(w) for w in start]
    slopes = jax.jit(jax.value_and_grad(lambda ws: loss_of(keras.ops, x, y, *ws)))
    with graphc.backend(backend):
        for _ in range(20):
            loss = learn(x, y)
            wanted, parts = slopes(expected)
            expected = [w - 0.1 * jnp.conj(g) for w, g in zip(expected, parts, strict=True)]
            np.testing.assert_allclose(loss.numpy(), np.asarray(wanted), rtol=1e-5)
    for weight, w in zip(weights, expected, strict=True):
        np.testing.assert_allclose(weight.numpy(), np.asarray(w), rtol=1e-5, atol=1e-5)


# ---- nothing is lost in silence


class Twice(graphc.layers.Layer):
    """`2i * x`, whose sum is a loss."""

    def call(self, x: Any) -> Any:
        self.add_loss(ops.sum(x * 2j))
        return x


def losing() -> graphc.Model:
    model = graphc.Sequential([graphc.Input((4,)), Twice()])
    model.compile("sgd")
    return model


@pytest.mark.parametrize(
    "lose",
    [
        lambda: ops.convert_to_tensor(A, "float32"),
        lambda: ops.convert_to_tensor([1j], "float32"),
        lambda: ops.array(ops.convert_to_tensor(A), "int32"),
        lambda: ops.full((2,), 1j),
        lambda: ops.full_like(R, 1j),
        lambda: ops.pad(R, 1, constant_values=1j),
        lambda: graphc.Variable(np.ones(2)).assign([1j, 2]),
        lambda: graphc.Sequential([graphc.Input((4,)), graphc.layers.Dense(2)])(A),
        lambda: graphc.Sequential([graphc.Input((4,)), graphc.layers.Dense(2)]).predict(A, verbose=0),
        lambda: graphc.losses.mean_squared_error(A, R),
        lambda: losing().fit(R, verbose=0),
    ],
)
def test_complex_numbers_become_real_ones_only_when_told(lose: Callable[[], Any]) -> None:
    with pytest.raises(DTypeError, match="complex numbers do not fit a real dtype"):
        lose()
    assert ops.cast(ops.convert_to_tensor(A), "float32").dtype == "float32"
    assert ops.cast(np.array([2 + 1j]), "float64").numpy().tolist() == [2.0]
    assert ops.cast([[1, 2 + 3j]], "bool").numpy().tolist() == [[True, True]]


def test_counting_takes_real_numbers() -> None:
    with pytest.raises(DTypeError, match="takes real numbers"):
        ops.arange(3j)
    assert ops.arange(3, dtype="complex64").numpy().tolist() == [0, 1, 2]


class Mixing(graphc.layers.Layer):
    """A product with complex weights."""

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], 2), initializer="ones", dtype="complex64", name="kernel")

    def call(self, x: Any) -> Any:
        return ops.matmul(x, self.kernel)


@pytest.mark.parametrize("kind", [".weights.h5", ".weights.safetensors"])
def test_models_have_complex_data_and_weights(kind: str, tmp_path: Any) -> None:
    model = graphc.Sequential([graphc.Input((4,), dtype="complex64"), Mixing()])
    model.layers[0].kernel.assign(S[:, :2])
    np.testing.assert_allclose(model.predict(A, verbose=0), A @ S[:, :2], rtol=1e-5, atol=1e-5)
    model.save_weights(tmp_path / f"model{kind}")
    model.layers[0].kernel.assign(np.zeros((4, 2)))
    model.load_weights(tmp_path / f"model{kind}")
    np.testing.assert_array_equal(model.layers[0].kernel.numpy(), S[:, :2])
