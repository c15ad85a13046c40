"""Gradients of functions, of any order, beside JAX on random shapes and finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import graphc
from graphc import ops
from graphc.errors import ArgumentError, DTypeError

SHAPES = [(), (3,), (2, 3)]


def scan_of(o: Any, x: Any) -> Any:
    if o is jnp:
        return jax.lax.scan(lambda c, e: (jnp.tanh(c * e + 0.5), c * e), x.reshape(-1)[0], jnp.ones((4,)) * x.sum())[0]
    return ops.scan(lambda c, e: (ops.tanh(c * e + 0.5), c * e), o.reshape(x, (-1,))[0], o.ones((4,)) * o.sum(x))[0]


def branch_of(o: Any, x: Any) -> Any:
    if o is jnp:
        return jax.lax.cond(x.sum() > 0, lambda: jnp.sum(x**3), lambda: jnp.sum(jnp.sin(x)))
    return ops.cond(o.sum(x) > 0, lambda: o.sum(x**3), lambda: o.sum(o.sin(x)))


def counted_of(o: Any, x: Any) -> Any:
    if o is jnp:
        return jax.lax.fori_loop(0, 3, lambda i, a: jnp.sin(a) + i * x.sum(), x).sum()
    return o.sum(ops.fori_loop(0, 3, lambda i, a: o.sin(a) + ops.cast(i, "float32") * o.sum(x), x))


def while_of(o: Any, x: Any) -> Any:
    if o is jnp:
        return jax.lax.fori_loop(0, 3, lambda i, a: a * jnp.cos(x), x).sum()
    last = ops.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * o.cos(x)), (0, x), maximum_iterations=6)
    return o.sum(last[1])


FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "polynomial": lambda o, x: o.sum(x * x * x - 2.0 * x),
    "products": lambda o, x: o.sum(o.sin(x) * o.exp(-x)),
    "reductions": lambda o, x: o.max(o.tanh(x)) * o.mean(x),
    "scan": scan_of,
    "cond": branch_of,
    "fori_loop": counted_of,
    "while_loop": while_of,
}


@pytest.mark.parametrize(
    "compiled", [pytest.param(False, id="eager", marks=pytest.mark.slow), pytest.param(True, id="compiled")]
)
def test_first_and_second_order_as_jax(compiled: bool) -> None:
    run = graphc.function if compiled else (lambda f: f)
    inputs = [np.random.default_rng(i).normal(size=shape).astype("float32") for i, shape in enumerate(SHAPES)]

    @run
    def ours(*xs: Any) -> Any:
        found = []
        for f in FUNCTIONS.values():
            for x in xs:
                here = lambda a, f=f: f(ops, a)  # noqa: E731
                found += [graphc.grad(here)(x), graphc.hessian(here)(x), graphc.jvp(here, (x,), (ops.ones_like(x),))[1]]
        return found

    found = iter(ours(*inputs))
    for name, f in FUNCTIONS.items():
        for x in inputs:
            theirs = lambda a, f=f: f(jnp, a)  # noqa: E731
            wanted = [jax.grad(theirs)(x), jax.hessian(theirs)(x), jax.jvp(theirs, (x,), (jnp.ones_like(x),))[1]]
            for kind, expected in zip(("gradient", "hessian", "jvp"), wanted, strict=True):
                message = f"{kind} of {name} at {x.shape}"
                np.testing.assert_allclose(next(found).numpy(), expected, rtol=2e-4, atol=2e-5, err_msg=message)


def test_several_arguments_and_structures() -> None:
    def loss(params: Any, x: Any) -> Any:
        return ops.sum((ops.matmul(x, params["w"]) + params["b"]) ** 2)

    params = {"w": np.ones((2, 3), "float32"), "b": np.zeros(3, "float32")}
    x = np.array([[1.0, 2.0]], "float32")
    value, gradient = graphc.value_and_grad(loss)(params, x)
    assert float(value) == 27.0
    assert gradient["b"].numpy().tolist() == [6.0] * 3 and gradient["w"].numpy().tolist() == [[6.0] * 3, [12.0] * 3]
    both = graphc.grad(lambda a, b: a * b, argnums=(0, 1))(2.0, 3.0)
    assert [float(part) for part in both] == [3.0, 2.0]
    gradient, aux = graphc.grad(lambda a: (a * a, {"a": a}), has_aux=True)(3.0)
    assert float(gradient) == 6.0 and float(aux["a"]) == 3.0


def test_products_with_the_jacobian() -> None:
    value, pull = graphc.vjp(lambda x, y: {"p": x * y, "s": x + y}, np.float32(3.0), np.float32(4.0))
    assert float(value["p"]) == 12.0
    assert [float(part) for part in pull({"p": 1.0, "s": 10.0})] == [14.0, 13.0]
    out, change = graphc.jvp(lambda x, y: (x * y, x), (3.0, 4.0), (1.0, 2.0))
    assert [float(part) for part in (*out, *change)] == [12.0, 3.0, 10.0, 1.0]
    jacobian = graphc.jacobian(lambda x, y: x * y, argnums=(0, 1))(np.ones(2, "float32"), np.full(2, 3, "float32"))
    assert [part.numpy().tolist() for part in jacobian] == [[[3.0, 0.0], [0.0, 3.0]], [[1.0, 0.0], [0.0, 1.0]]]


def test_third_order_and_by_the_same_value_twice() -> None:
    third = graphc.grad(graphc.grad(graphc.grad(lambda x: x**5)))
    assert float(third(2.0)) == 240.0 and float(graphc.function(third)(np.float32(2.0))) == 240.0
    x = ops.convert_to_tensor(3.0)
    assert [float(part) for part in graphc.grad(lambda a, b: a * a * b, argnums=(0, 1))(x, x)] == [18.0, 9.0]


def test_custom_gradients() -> None:
    @ops.custom_gradient
    def doubled_slope(x: Any) -> Any:
        e = ops.exp(x)

        def grad(*args: Any, upstream: Any = None) -> Any:
            return (args[0] if upstream is None else upstream) * 2.0 * e

        return e, grad

    @ops.custom_gradient
    def clipped(x: Any, y: Any) -> Any:
        return (x * y, x + y), lambda up: (ops.clip(up[0], -1.0, 1.0) * y, up[1])

    for run in (lambda f: f, graphc.function):
        assert float(run(graphc.grad(doubled_slope))(np.float32(0.0))) == 2.0
        assert float(run(graphc.grad(graphc.grad(doubled_slope)))(np.float32(0.0))) == 2.0
        both = run(lambda x, y: graphc.vjp(clipped, x, y)[1]((5.0, 7.0)))(np.float32(3.0), np.float32(4.0))
        assert [float(part) for part in both] == [4.0, 7.0]
        assert float(run(doubled_slope)(np.float32(0.0))) == 1.0
        in_scan = lambda x: ops.scan(lambda c, _: (doubled_slope(c), ()), x, length=2)[0]  # noqa: E731
        np.testing.assert_allclose(run(graphc.grad(in_scan))(np.float32(0.0)).numpy(), 4 * np.e, rtol=1e-6)


def test_recomputed_functions_have_the_same_gradients() -> None:
    v = graphc.Variable(2.0)

    def block(x: Any) -> Any:
        return ops.sin(x * v) * x

    for run in (lambda f: f, graphc.function):

        def slopes(x: Any, f: Any) -> Any:
            with graphc.GradientTape() as tape:
                tape.watch(x)
                y = f(f(x))
            return tape.gradient(y, [x, v])

        plain = run(lambda x: slopes(x, block))(ops.convert_to_tensor(0.7))
        again = run(lambda x: slopes(x, graphc.remat(block)))(ops.convert_to_tensor(0.7))
        np.testing.assert_allclose([float(p) for p in again], [float(p) for p in plain], rtol=1e-6)


def test_bad_arguments() -> None:
    with pytest.raises(DTypeError, match=r"(?s)gradients are of floats.*test_gradients\.py.*int32"):
        graphc.grad(lambda x: x * 1.0)(3)
    with pytest.raises(ArgumentError, match="returns a scalar"):
        graphc.grad(lambda x: x * 2.0)([1.0, 2.0])
    with pytest.raises(ArgumentError, match="argument that is not there"):
        graphc.grad(lambda x: x, argnums=1)(1.0)
    with pytest.raises(ArgumentError, match="is a function"):
        graphc.grad(3)
    with pytest.raises(ArgumentError, match="returns its output and a function"):
        ops.custom_gradient(lambda x: x)(1.0)
    with pytest.raises(ArgumentError, match="one cotangent for each argument"):
        graphc.grad(lambda a: ops.custom_gradient(lambda x, y: (x * y, lambda up: up))(a, a))(1.0)


# ---- smooth functions where their parts have a corner

# By function its derivatives from the second on, at a point where the expression that computes it changes its branch.
SMOOTH = {
    "softplus": (ops.softplus, 0.0, (0.25, 0.0, -0.125)),
    "log_sigmoid": (ops.log_sigmoid, 0.0, (-0.25, 0.0, 0.125)),
    "silu": (ops.silu, 0.0, (0.5, 0.0, -0.5)),
    "gelu": (lambda x: ops.gelu(x, approximate=False), 0.0, (0.7978846, 0.0, -1.5957691)),
    "squareplus": (ops.squareplus, 0.0, (0.25, 0.0, -0.1875)),
    "logaddexp": (lambda x: ops.logaddexp(x, 2.0), 2.0, (0.25, 0.0, -0.125)),
    "logaddexp of itself": (lambda x: ops.logaddexp(x, -x), 0.0, (1.0, 0.0, -2.0)),
    "hypot at 0": (lambda x: ops.hypot(x, 2.0), 0.0, (0.5, 0.0, -0.375)),
    "hypot of equals": (lambda x: ops.hypot(x, -1.0), 1.0, (0.3535534, -0.5303301, 0.7954951)),
    "binary cross-entropy": (
        lambda x: graphc.losses.binary_crossentropy([1.0], x[None], from_logits=True),
        0.0,
        (0.25, 0.0, -0.125),
    ),
    "log_cosh": (lambda x: graphc.losses.log_cosh([1.0], x[None]), 1.0, (1.0, 0.0, -2.0)),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_have_all_derivatives_where_their_expressions_change_branch(name: str) -> None:
    function, point, wanted = SMOOTH[name]

    def summed(x: Any) -> Any:
        return ops.sum(function(x))

    derivative: Any = graphc.grad(summed)
    for order, expected in enumerate(wanted, 2):
        derivative = graphc.grad(derivative)
        for sign in (1.0, -1.0) if point == 0 else (1.0,):  # 0 and -0
            assert float(derivative(np.float32(sign * point))) == pytest.approx(expected, abs=2e-4), order


def test_newtons_method_starts_at_zeros_in_a_compiled_function() -> None:
    x = np.random.default_rng(0).standard_normal((50, 3), np.float32)
    target = (x[:, 0] > 0).astype(np.float32)

    @graphc.function
    def curvature(w: Any) -> Any:
        return graphc.hessian(lambda w: ops.sum(ops.softplus(x @ w) - target * (x @ w)))(w)

    np.testing.assert_allclose(curvature(np.zeros(3, np.float32)), 0.25 * x.T @ x, rtol=1e-5, atol=1e-5)
