"""Tensors in Python's and NumPy's hands: operators, ufuncs, DLPack, copies, lists and tables, numbers too big."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import KerasTensor, Variable, layers, ops, tree
from graphc.errors import BackendError, DTypeError, GraphcError, ImmutableError, ShapeError, StateError
from graphc.tracing import Tensor
from graphc.tracing.operators import _ELSEWHERE, _REDUCED

os.environ.setdefault("KERAS_BACKEND", "jax")
X = np.array([[1, 2, 3], [4, 5, 6]], "int32")
FLOATS = np.array([[1.5, -2.25, 3.0], [0.5, 5.75, -6.5]], "float32")

# ---- operators

Case = Callable[[Any, Any], Any]
BINARY: dict[str, Case] = {
    name: getattr(operator, name)
    for name in (
        *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lt", "le", "gt", "ge", "eq", "ne"),
        *("and_", "or_", "xor", "lshift", "rshift"),
    )
}
BINARY |= {"divmod": lambda a, b: divmod(a, b)[0], "remainder of divmod": lambda a, b: divmod(a, b)[1]}


@pytest.mark.parametrize("name", BINARY)
def test_operators_and_their_reflections(name: str) -> None:
    """A tensor beside a number, an array, another tensor and a variable, on either side, eager, traced and symbolic."""
    apply, other = BINARY[name], np.array([[1, 2, 1], [2, 1, 2]], "int32")
    tensor, variable = ops.convert_to_tensor(X), Variable(X)
    pairs: list[tuple[Any, Any]] = [(X, 2), (2, X), (X, other), (other, X), (X, np.int32(2)), (np.int32(2), X)]
    for left, right in pairs:
        expected = np.asarray(apply(left, right))
        for stands_for_x in (tensor, variable):
            a, b = (stands_for_x if part is X else part for part in (left, right))
            found = apply(a, b)
            assert isinstance(found, Tensor)
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
        symbolic = KerasTensor((2, 3), "int32")
        a, b = (symbolic if part is X else part for part in (left, right))
        assert isinstance(apply(a, b), KerasTensor)
        assert apply(a, b).shape == (2, 3)

        def traced(x: Any, left: Any = left, right: Any = right) -> Any:
            return apply(*(x if part is X else part for part in (left, right)))

        with graphc.backend("numpy"):
            np.testing.assert_allclose(graphc.function(traced)(X).numpy(), expected, rtol=1e-6)


def test_unary_operators_products_and_rounding() -> None:
    for x in (ops.convert_to_tensor(FLOATS), Variable(FLOATS)):
        for apply in (operator.neg, operator.pos, abs, round):
            np.testing.assert_array_equal(apply(x).numpy(), np.round(FLOATS) if apply is round else apply(FLOATS))
        np.testing.assert_allclose(round(x, 1).numpy(), np.round(FLOATS, 1), rtol=1e-6)
        np.testing.assert_allclose((x @ FLOATS.T).numpy(), FLOATS @ FLOATS.T, rtol=1e-6)
        np.testing.assert_allclose((FLOATS.T @ x).numpy(), FLOATS.T @ FLOATS, rtol=1e-6)
        np.testing.assert_array_equal(x.T.numpy(), FLOATS.T)
        np.testing.assert_array_equal(x.reshape(3, -1).numpy(), FLOATS.reshape(3, 2))
        np.testing.assert_array_equal(x.reshape((6,)).numpy(), FLOATS.reshape(6))
        assert x[None].squeeze(0).shape == (2, 3)
        assert x.astype("int32").dtype == "int32"
        assert 3.0 in x
        assert 99.0 not in x
    assert (~ops.convert_to_tensor(X)).numpy().tolist() == (~X).tolist()
    symbolic = KerasTensor((None, 3))
    assert round(symbolic).shape == symbolic.astype("int32").shape == (None, 3)
    assert symbolic.T.shape == (3, None)
    assert KerasTensor((2, 1, 3)).squeeze(1).reshape(3, 2).shape == (3, 2)
    model = graphc.Model(inputs := graphc.Input((2,)), round(inputs * 3.0, 1).reshape((-1, 1)))
    assert model(np.array([[0.15, 1.0]], "float32")).numpy().shape == (2, 1)


def test_in_place_operators_rebind() -> None:
    tensor = before = ops.convert_to_tensor(X)
    tensor += 1
    tensor *= 2
    assert tensor is not before
    np.testing.assert_array_equal(before.numpy(), X)
    np.testing.assert_array_equal(tensor.numpy(), (X + 1) * 2)
    value = variable = Variable(X)
    value += 1
    assert isinstance(value, Tensor)
    np.testing.assert_array_equal(variable.numpy(), X)


def test_what_is_no_number_is_not_equal() -> None:
    for x in (ops.convert_to_tensor(X), Variable(X), KerasTensor((2, 3))):
        assert (x == None) is False  # noqa: E711
        assert (x != None) is True  # noqa: E711
        assert (x == "auto") is False
        assert x in (None, x)
        assert {x: 1}[x] == 1


def test_single_values() -> None:
    one = ops.convert_to_tensor([[2.5]])
    assert (float(one), int(one), bool(one), complex(one), one.item(), one.size) == (2.5, 2, True, 2.5, 2.5, 1)
    assert f"{one:.2f}" == "2.50"
    assert [1, 2, 3][ops.convert_to_tensor(1)] == 2
    assert ops.convert_to_tensor(X).tolist() == X.tolist()
    assert ops.convert_to_tensor(X).size == 6
    several = ops.convert_to_tensor(X)
    for use, words in ((bool, r"ops\.any"), (float, "one element"), (int, "one element"), (operator.index, "no index")):
        with pytest.raises(GraphcError, match=words) as caught:
            use(several)
        assert "test_protocols.py" in str(caught.value)
    with pytest.raises(DTypeError, match="no index"):
        operator.index(ops.convert_to_tensor(1.0))
    with pytest.raises(ShapeError, match="with axes"):
        len(ops.convert_to_tensor(1.0))


# ---- NumPy


def test_functions_of_numpy_take_known_values() -> None:
    for x in (ops.convert_to_tensor(FLOATS), Variable(FLOATS)):
        for apply in (np.exp, np.abs, np.mean, np.max, np.round, np.sort, np.ravel):
            found = apply(x)
            assert isinstance(found, np.ndarray | np.generic)
            np.testing.assert_array_equal(found, apply(FLOATS))
        np.testing.assert_array_equal(np.sum(x, axis=0), np.sum(FLOATS, axis=0))
        np.testing.assert_array_equal(np.maximum(x, 0), np.maximum(FLOATS, 0))
        np.testing.assert_array_equal(np.concatenate([x, FLOATS]), np.concatenate([FLOATS, FLOATS]))
        np.testing.assert_array_equal(np.add(x, 1, out=np.zeros((2, 3), "float32")), FLOATS + 1)
        for dtype in ("float64", "int32"):
            assert np.asarray(x, dtype).dtype == dtype
        assert isinstance(FLOATS + x, Tensor)
        total = FLOATS.copy()
        total += x
        np.testing.assert_array_equal(total, FLOATS * 2)
    with pytest.raises(ImmutableError, match="cannot write into a tensor"):
        np.add(FLOATS, 1, out=ops.convert_to_tensor(FLOATS))


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "exp": (np.exp, r"ops\.exp$"),
    "abs": (np.abs, r"ops\.absolute$"),
    "another name": (np.rint, r"ops\.round$"),
    "with an array": (lambda x: np.maximum(x, X), r"ops\.maximum$"),
    "none of ours": (lambda x: np.copysign(x, 1), r"graphc\.ops$"),
    "sum": (np.sum, r"ops\.sum$"),
    "max": (np.max, r"ops\.max$"),
    "an output": (lambda x: np.add(X, 1, out=x), "a = a "),
}


@pytest.mark.parametrize("name", REFUSED)
def test_functions_of_numpy_name_ours_where_a_graph_computes(name: str) -> None:
    use, words = REFUSED[name]
    for run in (lambda: graphc.function(use)(FLOATS), lambda: use(KerasTensor((2, 3)))):
        with pytest.raises(StateError, match=words) as caught:
            run()
        assert "test_protocols.py" in str(caught.value)

    def added(x: Any) -> Any:
        total = FLOATS.copy()
        total += x
        return total

    with pytest.raises(StateError, match=r"write a = a \+ x"):
        graphc.function(added)(FLOATS)
    with pytest.raises(StateError, match=r"graphc\.ops"):
        graphc.function(np.asarray)(FLOATS)


def test_the_names_that_errors_say_exist() -> None:
    ufuncs = {getattr(np, name).__name__ for name in dir(np) if isinstance(getattr(np, name), np.ufunc)}
    named = {_ELSEWHERE.get(name, name) for name in ufuncs} | set(_REDUCED.values())
    assert {name for name in named if name and not hasattr(ops, name)} == set()


# ---- copies


class Exporter:
    """An array of some library: it hands out its own memory."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array


class ByArray(Exporter):
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.array


class ByDLPack(Exporter):
    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.array.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


@pytest.mark.parametrize("wrap", [lambda a: a, lambda a: a[:], memoryview, ByArray, ByDLPack])
@pytest.mark.parametrize("dtype", ["float32", "int32", "float64", "int64", "uint8"])
def test_a_tensor_shares_no_memory_with_what_it_was_made_of(wrap: Any, dtype: str) -> None:
    array = np.arange(4).astype(dtype)
    given = wrap(array)
    made = [
        ops.convert_to_tensor(given),
        ops.copy(given),
        ops.array(given),
        Variable(given).value,
        ops.cast(given, dtype),
    ]
    array[:] = 9
    for tensor in made:
        assert tensor.numpy().tolist() == [0, 1, 2, 3]


def test_what_is_taken_out_of_a_tensor_does_not_change_it() -> None:
    tensor = ops.convert_to_tensor(FLOATS)
    row = tensor[0]
    for taken in (tensor.numpy(), ops.convert_to_numpy(tensor), np.array(tensor), np.from_dlpack(tensor), row.numpy()):
        taken[...] = 0
    copied = ops.copy(tensor)
    assert copied is not tensor
    shared = np.asarray(tensor)
    with pytest.raises(ValueError, match="read-only"):
        shared[0] = 0
    np.testing.assert_array_equal(tensor.numpy(), FLOATS)
    np.testing.assert_array_equal(row.numpy(), FLOATS[0])


# ---- other libraries


def test_dlpack_both_ways() -> None:
    for dtype in ("float32", "float64", "float16", "int32", "int8", "bool", "complex64"):
        array = FLOATS.astype(dtype)
        with graphc.config.override(floatx="float64" if dtype == "float64" else "float32"):
            tensor = ops.convert_to_tensor(ByDLPack(array))
        assert tensor.dtype == dtype
        np.testing.assert_array_equal(tensor.numpy(), array)
        np.testing.assert_array_equal(np.from_dlpack(tensor), array)
    assert tensor.__dlpack_device__() == (1, 0)
    with pytest.raises(DTypeError, match=r"ops\.cast"):
        np.from_dlpack(ops.cast(FLOATS, "bfloat16"))
    with pytest.raises(GraphcError, match="not shared"):
        tensor.__dlpack__(copy=False)
    with pytest.raises(StateError, match="no values yet"):
        graphc.function(np.from_dlpack)(FLOATS)


def test_arrays_of_jax_and_torch() -> None:
    jax = pytest.importorskip("jax")
    np.testing.assert_array_equal(ops.convert_to_tensor(jax.numpy.asarray(FLOATS)).numpy(), FLOATS)
    assert ops.convert_to_tensor(jax.numpy.ones(2, "bfloat16")).dtype == "bfloat16"
    np.testing.assert_array_equal(jax.dlpack.from_dlpack(ops.convert_to_tensor(FLOATS)), FLOATS)
    torch = pytest.importorskip("torch")
    np.testing.assert_array_equal(ops.convert_to_tensor(torch.tensor(FLOATS)).numpy(), FLOATS)
    np.testing.assert_array_equal(torch.from_dlpack(ops.convert_to_tensor(FLOATS)).numpy(), FLOATS)


class NeedsGradient(Exporter):
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("call detach() first")


class OnGpu(Exporter):
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": (2,), "typestr": "<f4", "data": (1, False), "version": 3}


def test_arrays_that_cannot_be_read_say_what_to_do() -> None:
    with pytest.raises(DTypeError, match=r"call detach(.|\n)*x\.detach\(\)\.cpu\(\)"):
        ops.convert_to_tensor(NeedsGradient(FLOATS))
    with (
        graphc.config.override(backend="numpy"),
        pytest.raises(BackendError, match=r"(?s)OnGpu.*set_backend\(.cuda.\)"),
    ):
        ops.convert_to_tensor(OnGpu(FLOATS))


class Table:
    """A table of columns of several dtypes, as pandas hands it out: as objects."""

    def __init__(self, rows: list[list[Any]]) -> None:
        self.rows = rows

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.rows, object)


def test_lists_and_tables_into_tensors_layers_and_models() -> None:
    model = graphc.Sequential([graphc.Input((2,)), layers.Dense(1)])
    rows = [[1, 2.5], [3, 4]]
    expected = model(np.array(rows, "float32")).numpy()
    for given in (rows, Table(rows), ByArray(np.array(rows)), ByDLPack(np.array(rows, "float32"))):
        np.testing.assert_array_equal(ops.convert_to_tensor(given).numpy(), np.array(rows, "float32"))
        np.testing.assert_array_equal(model(given).numpy(), expected)
        np.testing.assert_array_equal(model.layers[0](given).numpy(), expected)
    assert layers.Dense(3)([[1, 2], [3, 4]]).shape == (2, 3)
    with pytest.raises(DTypeError, match="cannot be a tensor"):
        ops.convert_to_tensor(Table([[1, "a"]]))


def test_tables_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    assert ops.convert_to_tensor(table).numpy().tolist() == [[1, 0.5], [2, 1.5]]
    assert ops.convert_to_tensor(table["a"]).dtype == "int32"
    assert layers.Dense(3)(table).shape == (2, 3)


# ---- numbers that do not fit

BIG = 2**40
TOO_BIG: dict[str, Callable[[], Any]] = {
    "a number": lambda: ops.convert_to_tensor(BIG),
    "a list": lambda: ops.convert_to_tensor([1, BIG]),
    "an array": lambda: ops.convert_to_tensor(np.array([BIG])),
    "an array as int32": lambda: ops.convert_to_tensor(np.array([BIG]), "int32"),
    "a number of NumPy": lambda: ops.convert_to_tensor(np.int64(BIG)),
    "less than nothing": lambda: ops.convert_to_tensor(np.array([-1]), "uint8"),
    "a variable": lambda: Variable(BIG),
    "a variable of an array": lambda: Variable(np.array([BIG]), dtype="int32"),
    "an assignment": lambda: Variable(np.arange(2)).assign(np.array([BIG, 1])),
    "a sum": lambda: ops.arange(3) + BIG,
    "a sum with a number of NumPy": lambda: ops.arange(3) + np.int64(BIG),
    "a reflected sum": lambda: np.array([BIG]) + ops.arange(1),
    "a comparison": lambda: ops.arange(3) < BIG,
    "full": lambda: ops.full((2,), BIG, "int32"),
    "full of NumPy": lambda: ops.full((2,), np.int64(BIG), "int32"),
    "arange": lambda: ops.arange(BIG, BIG + 3),
    "arange of NumPy": lambda: ops.arange(np.int64(BIG), np.int64(BIG + 3)),
    "an index": lambda: ops.arange(3)[BIG],
    "an array of indices": lambda: ops.arange(3)[np.array([BIG])],
    "take": lambda: ops.take(X, np.array([BIG])),
    "an update": lambda: ops.arange(3).at[0].add(BIG),
    "an argument": lambda: graphc.function(lambda x: x + 1)(np.array([BIG])),
}


@pytest.mark.parametrize("name", TOO_BIG)
def test_integers_that_do_not_fit_are_refused(name: str) -> None:
    with pytest.raises(GraphcError, match=r"does not fit|outside of its axis") as caught:
        TOO_BIG[name]()
    assert "test_protocols.py" in str(caught.value)


def test_integers_that_fit_elsewhere() -> None:
    assert ops.convert_to_tensor(BIG, "int64").numpy() == BIG
    assert ops.convert_to_tensor(BIG, "float32").numpy() == BIG
    assert (ops.convert_to_tensor(1.5) + BIG).numpy() == BIG
    assert ops.cast(np.array([BIG + 5]), "int32").numpy().tolist() == [5]  # a cast wraps around, as NumPy's


@pytest.mark.parametrize(
    "name", ["squeeze", "sum", "mean", "argmax", "transpose", "ravel", "repeat", "concatenate", "stack"]
)
def test_functions_of_numpy_return_arrays(name: str) -> None:
    x = ops.convert_to_tensor(np.arange(3.0, dtype="float32")[None])
    given = {"repeat": (x, 2), "concatenate": ([x, x],), "stack": ([x, x.numpy()],)}.get(name, (x,))
    wanted = tree.map_structure(np.asarray, given)
    result = getattr(np, name)(*given)
    assert isinstance(result, np.ndarray | np.generic) and not isinstance(result, graphc.Tensor)
    np.testing.assert_array_equal(result, getattr(np, name)(*wanted))
    assert isinstance(x.squeeze(), graphc.Tensor)


def test_probabilities_of_a_model_choose_actions() -> None:
    probabilities = ops.softmax(np.linspace(0, 1, 7, dtype="float32")[None])
    assert np.random.choice(7, p=np.squeeze(probabilities)) in range(7)


@pytest.mark.parametrize("name", ["uniform", "normal", "zero", "one", "glorot_uniform", "RandomNormal"])
def test_variables_begin_as_names_of_initializers_say(name: str) -> None:
    made = Variable(initializer=name, shape=(3, 4))
    assert made.shape == (3, 4) and made.dtype == "float32"
    if name in ("zero", "one"):
        assert set(made.numpy().ravel()) == {float(name == "one")}
