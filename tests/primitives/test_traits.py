"""What records say of operations, against what the operations do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from graphc import dtypes
from graphc.graph.builder import Builder
from graphc.graph.registry import REGISTRY, Case, Kind, Primitive, primitive
from graphc.graph.types import Attrs, TensorType
from graphc.interpret import run

Array = np.ndarray[Any, Any]
SHIPPED = [rule for rule in REGISTRY.values() if rule.code is None]


def named(rules: list[Primitive]) -> Any:
    return pytest.mark.parametrize("rule", rules, ids=[rule.name for rule in rules])


def of_floats(rule: Primitive) -> Iterator[tuple[Case, list[Array]]]:
    """Operands in float64 for every case, with indices and conditions where they belong."""
    rng = np.random.default_rng(3)
    for case in rule.cases():
        arrays = []
        for place, shape in enumerate(case.shapes):
            values = np.asarray(rng.uniform(case.low, case.high, shape))
            if place in case.boolean_operands:
                arrays.append(values > 0)
            elif place in case.integer_operands:
                arrays.append(np.round(values).astype("int32"))
            else:
                arrays.append(values)
        yield case, arrays


@named([rule for rule in SHIPPED if rule.linear is not None])
def test_operations_are_linear_in_the_operands_that_they_name(rule: Primitive) -> None:
    assert rule.linear is not None
    tried = 0
    for case, x in of_floats(rule):
        for group in rule.linear(len(x), Attrs(case.attrs)):
            y = [-0.5 * a[::-1] + 1 if i in group and a.ndim else a * 3 if i in group else a for i, a in enumerate(x)]
            mixed = [2 * a - 3 * b if i in group else a for i, (a, b) in enumerate(zip(x, y, strict=True))]
            found, one, other = (rule.eval(*arrays, **case.attrs) for arrays in (mixed, x, y))
            np.testing.assert_allclose(found, 2 * one - 3 * other, rtol=1e-9, atol=1e-9)
            tried += 1
    assert tried


def test_a_padding_of_ones_is_not_linear() -> None:
    linear = primitive("pad").linear
    assert linear is not None
    assert [linear(1, Attrs({"value": value})) for value in (0, 1)] == [((0,),), ()]


@named([rule for rule in SHIPPED if rule.keeps_zero])
def test_zero_operands_make_zero_results(rule: Primitive) -> None:
    dtype = np.dtype("float64")
    for case in rule.cases():
        for zero in rule.keeps_zero:
            operands = [np.full((4,), 0 if i == zero else 1.7, dtype) for i in range(len(case.shapes))]
            assert not np.any(rule.eval(*operands, **case.attrs))


def places(rule: Primitive, case: Case) -> tuple[Array, Array]:
    """The operand's positions, and for each element of the view the position that it shows; -1 for none."""
    x = np.arange(int(np.prod(case.shapes[0])), dtype="int64").reshape(case.shapes[0])
    attrs = {**case.attrs, **({"value": -1} if "value" in case.attrs else {})}
    return x, np.asarray(rule.eval(x, **attrs))


@named([rule for rule in SHIPPED if rule.kind is Kind.VIEW and len(next(iter(rule.cases())).shapes) == 1])
def test_views_place_elements_as_they_say(rule: Primitive) -> None:
    for case in rule.cases():
        x, shown = places(rule, case)
        elements = [int(place) for place in shown.reshape(-1) if place >= 0]
        assert not rule.view.affine or len(elements) == shown.size
        assert not rule.view.once or len(set(elements)) == len(elements)
        assert not rule.view.whole or set(elements) == set(range(x.size))
        if rule.view.axes is not None:
            found = rule.view.axes(TensorType(x.shape, dtypes.int64), Attrs(case.attrs))
            for axis, target in enumerate(found):
                if target is not None:
                    index = np.indices(x.shape)[axis].reshape(-1)[shown]
                    assert np.array_equal(index, np.indices(shown.shape)[target])


def test_reshapes_know_the_axes_that_they_keep() -> None:
    axes = primitive("reshape").view.axes
    assert axes is not None
    x = TensorType((1, 3, 4), dtypes.float32)
    assert list(axes(x, Attrs({"shape": (3, 1, 4)}))) == [None, 0, 2]
    assert list(axes(x, Attrs({"shape": (4, 3)}))) == [None, None, None]


@named([rule for rule in SHIPPED if rule.splits])
def test_reductions_that_split_give_the_same_in_two_steps(rule: Primitive) -> None:
    x = np.random.default_rng(1).integers(1, 3, (3, 4, 2)).astype("bool" if "float32" not in rule.dtypes else "float32")
    whole = rule.eval(x, axes=(0, 1))
    assert np.array_equal(whole, rule.eval(rule.eval(x, axes=(1,)), axes=(0,)))


# Of each, operands of which some have no elements though the result has.
OF_NOTHING: tuple[tuple[str, tuple[tuple[int, ...], ...], dict[str, Any]], ...] = (
    ("sum", ((0, 3),), {"axes": (0,)}),
    ("prod", ((0, 3),), {"axes": (0,)}),
    ("any", ((0, 3),), {"axes": (0,)}),
    ("all", ((0, 3),), {"axes": (0,)}),
    ("concatenate", ((0, 3), (2, 3)), {"axis": 0}),
    ("pad", ((0, 3),), {"low": (1, 0), "high": (1, 0), "interior": (0, 0), "value": 7}),
    (
        "contract",
        ((2, 0), (0, 3)),
        {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)},
    ),
    ("scatter_add", ((0,), (0, 3)), {"size": 4}),
    (
        "conv_filter_grad",
        ((0, 4, 2), (0, 3, 5)),
        {
            "kernel": (2,),
            "strides": (1,),
            "padding": ((0, 0),),
            "lhs_dilation": (1,),
            "rhs_dilation": (1,),
            "groups": 1,
        },
    ),
)


@pytest.mark.parametrize(("op", "shapes", "attrs"), OF_NOTHING, ids=[row[0] for row in OF_NOTHING])
def test_results_of_nothing_are_what_the_reference_gives(
    op: str, shapes: tuple[tuple[int, ...], ...], attrs: dict[str, Any]
) -> None:
    rule = primitive(op)
    assert rule.of_empty is not None
    float_or_bool = "float32" if "float32" in rule.dtypes else "bool"
    kinds = ["int32" if op == "scatter_add" and i == 0 else float_or_bool for i in range(len(shapes))]
    arrays = [np.ones(shape, kind) for shape, kind in zip(shapes, kinds, strict=True)]
    builder = Builder()
    types = [TensorType(array.shape, dtypes.as_dtype(array.dtype)) for array in arrays]
    operands = [builder.input(f"x{i}", type) for i, type in enumerate(types)]
    found = rule.of_empty(builder, Attrs(attrs), operands, rule.infer(*types, **attrs))
    assert found is not None
    (result,) = run(builder.finish([found]), {f"x{i}": array for i, array in enumerate(arrays)})[0]
    assert np.array_equal(result, rule.eval(*arrays, **attrs))


def test_whatever_can_be_of_nothing_says_what_it_is() -> None:
    """Reductions without a value of nothing are refused before."""
    adding = (Kind.REDUCE, Kind.CONTRACT, Kind.SCATTER)
    lacking = [rule.name for rule in SHIPPED if rule.kind in adding and rule.of_empty is None]
    assert sorted(lacking) == ["argmax", "argmin", "logsumexp", "max", "min", "variance"]
