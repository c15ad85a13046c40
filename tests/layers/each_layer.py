"""Tries a layer in every way that all layers share: alone, beside Keras's on JAX, copied, saved, trained.

A layer is written as text, `"Dense(3)"`, which is evaluated with the names of both libraries. `try_layer` returns what
does not hold, by the name of the check.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import graphc
from graphc import layers, ops, tree
from graphc.models.summary import shape_of as shape_in_summary
from graphc.tracing import as_tensor, get_mask, set_mask
from tests.layers.keras_comparison import configured, paths_of, share_weights

os.environ.setdefault("KERAS_BACKEND", "jax")
keras: Any = pytest.importorskip("keras")
ROWS = 3


@dataclass(frozen=True)
class Given:
    """The arguments of a call: a structure of shapes without the batch, and what is in the arrays."""

    args: tuple[Any, ...]
    kind: str = "float32"
    limit: int = 4

    def like(self, make: Callable[[tuple[int, ...]], Any]) -> Any:
        """The structure with something for each shape."""
        return tuple([make(one) for one in arg] if isinstance(arg, list) else make(arg) for arg in self.args)

    def arrays(self, rows: int = ROWS) -> Any:
        """Arrays of so many samples."""
        rng = np.random.default_rng(rows)

        def make(shape: tuple[int, ...]) -> Any:
            if self.kind == "image":
                return rng.uniform(0, 1, (rows, *shape)).astype("float32")
            if self.kind == "string":
                return rng.choice(["a", "b", "a c", "?"], (rows, *shape))
            if self.kind == "float32":
                return rng.normal(size=(rows, *shape)).astype("float32")
            return rng.integers(0, self.limit, (rows, *shape)).astype(self.kind)

        return self.like(make)

    @property
    def dtype(self) -> str:
        return "float32" if self.kind == "image" else self.kind


class _Names(dict[str, Any]):
    """The names of a library's layers."""

    def __init__(self, api: Any, others: dict[str, Any]) -> None:
        super().__init__(others)
        self.api = api

    def __missing__(self, name: str) -> Any:
        return getattr(self.api.layers, name, None) or getattr(self.api.src.legacy.layers, name)


class Tried:
    """A layer of both libraries with the same weights, and what Keras's computes."""

    def __init__(self, text: str, given: Given, others: dict[str, Any], alone: bool = False) -> None:
        self.text, self.given, self.others, self.alone = text, given, others, alone
        self.args = given.arrays()
        self.ours = self.make(graphc)
        self.options = {"training": False} if accepts(self.ours, "training") else {}
        self.theirs = None if alone else self.make(keras)

    def make(self, api: Any) -> Any:
        return eval(self.text, {}, _Names(api, self.others))

    def build(self) -> None:
        """Builds both layers, and gives them the same weights."""
        self.ours(*self.args, **self.options)
        if self.theirs is not None:
            if hasattr(self.theirs, "finalize_state"):  # what is derived from weights when it is built, remains
                self.theirs.build(self.args[0].shape)
            states = [(v, v.value) for v in self.theirs.variables]
            jax.eval_shape(lambda: self.theirs(*self.args, **self.options))
            for variable, value in states:
                variable.assign(value)
            share_weights(self.ours, self.theirs)

    def without_keras(self) -> Tried:
        """The same layer, without Keras's."""
        row = copy.copy(self)
        row.theirs = None
        return row

    @cached_property
    def floats(self) -> bool:
        return self.given.dtype == "float32"

    @cached_property
    def mask(self) -> Any:
        """A mask of the first argument; None if there are no steps."""
        shape = self.given.args[0]
        if self.given.kind != "float32" or isinstance(shape, list) or len(shape) < 2:
            return None
        return np.arange(shape[0]) < np.array([[shape[0]], [1], [shape[0] // 2]])

    @cached_property
    def reference(self) -> dict[str, Any]:
        """What Keras's layer computes, from one program: outputs, gradients, losses, and outputs for a mask."""
        weights = [v.value for v in self.theirs.trainable_variables]
        floats = self.args if self.floats else ()

        def loss(weights: Any, floats: Any) -> Any:
            with self._scope(weights):
                flat = tree.flatten(self.theirs(*(floats or self.args), **self.options))
                losses = self.theirs.losses
            total = sum((x * factor(x.shape, i)).sum() for i, x in enumerate(flat) if is_float(x))
            return total + 0.0, (flat, losses)

        def everything(weights: Any, floats: Any) -> Any:
            (_, results), slopes = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(weights, floats)
            return *results, slopes, self._masked(weights, floats)

        quick = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
        outputs, losses, slopes, under_mask = jax.jit(everything, compiler_options=quick)(weights, floats)
        return {"outputs": outputs, "losses": losses, "slopes": tree.flatten(slopes), "masked": under_mask}

    def _scope(self, weights: Any) -> Any:
        mapping = list(zip(self.theirs.trainable_variables, weights, strict=True))
        return keras.StatelessScope(state_mapping=mapping, collect_losses=True)

    def _masked(self, weights: Any, args: Any) -> Any:
        """Outputs, and their masks, of Keras's layer for a mask; None if it refuses it."""
        if self.mask is None or not self.theirs.supports_masking:
            return None
        first = keras.ops.multiply(args[0], 1)
        keras.src.backend.set_keras_mask(first, keras.ops.convert_to_tensor(self.mask))
        try:
            with self._scope(weights):
                flat = tree.flatten(self.theirs(first, *args[1:], **self.options))
        except ValueError:
            return None
        return flat, [keras.src.backend.get_keras_mask(x) for x in flat]


def accepts(layer: Any, name: str) -> bool:
    """Whether a layer's call has a parameter."""
    return name in type(layer).call.__code__.co_varnames


def factor(shape: Any, i: int) -> Any:
    """What the gradients of an output are begun with."""
    return np.random.default_rng(10 + i).normal(size=shape).astype("float32")


def is_float(x: Any) -> bool:
    return "float" in str(x.dtype)


def outputs_of(layer: Any, args: Any, options: dict[str, Any]) -> list[Any]:
    """The outputs of an eager call."""
    return [np.asarray(x) for x in tree.flatten(layer(*args, **options))]


def step_of(layer: Any, options: dict[str, Any], floats: bool = True) -> Callable[[Any], Any]:
    """A function of the arguments that returns outputs, and gradients of trainable weights and arguments."""

    def step(args: Any) -> Any:
        with graphc.GradientTape() as tape:
            watched = tree.flatten(args) if floats else []
            for x in watched:
                tape.watch(x)
            outputs = tree.flatten(layer(*args, **options))
            total: Any = as_tensor(0.0)
            for i, x in enumerate(outputs):
                total = total + ops.sum(x * factor(x.shape, i)) if is_float(x) else total
        return outputs, tape.gradient(total, [*layer.trainable_weights, *watched], unconnected_gradients="zero")

    return step


def close(found: Any, expected: Any, rtol: float = 2e-5, atol: float = 2e-5, of: str = "") -> None:
    """Compares lists of arrays."""
    assert len(found) == len(expected), f"{len(found)} results instead of {len(expected)}"
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a, "float32"), np.asarray(b, "float32"), rtol, atol, err_msg=of)


def same(found: Any, expected: Any) -> None:
    """Compares what is equal or not."""
    assert found == expected, f"{found} instead of {expected}"


# ---- the checks


def check_configuration(row: Tried) -> None:
    found = configured(row.ours)
    if row.theirs is not None:
        expected = configured(row.theirs)
        differs = [
            key for key in {*found, *expected} if (key in found) != (key in expected) or found[key] != expected[key]
        ]
        same({key: found.get(key) for key in differs}, {key: expected.get(key) for key in differs})
    written = json.loads(json.dumps(layers.serialize(row.ours)))
    again = layers.deserialize(written, custom_objects=row.others)
    same(configured(again), found)
    with graphc.saving.custom_object_scope(row.others):
        same(configured(type(row.ours).from_config(row.ours.get_config())), found)


def _listed(shapes: Any) -> list[tuple[int | None, ...]]:
    """The shapes in a structure: Keras writes a shape as a list or a tuple."""
    if isinstance(shapes, list | tuple) and all(x is None or isinstance(x, int) for x in shapes):
        return [tuple(shapes)]
    return [shape for part in shapes for shape in _listed(part)]


def check_shapes(row: Tried) -> None:
    real = [np.shape(x) for x in outputs_of(row.ours, row.args, row.options)]
    for rows in (None, ROWS):
        symbolic = row.given.like(lambda shape, rows=rows: graphc.KerasTensor((rows, *shape), row.given.dtype))
        outputs = tree.flatten(row.make(graphc)(*symbolic, **row.options))
        same([tuple(x.shape[1:]) for x in outputs], [shape[1:] for shape in real])
        same([x.shape[0] for x in outputs], [rows if shape[0] == ROWS else shape[0] for shape in real])
        same([x.dtype for x in outputs], [str(x.dtype) for x in tree.flatten(row.ours(*row.args, **row.options))])
        if row.theirs is not None:
            shapes = row.given.like(lambda shape, rows=rows: (rows, *shape))
            try:
                expected = row.theirs.compute_output_shape(*shapes)
            except NotImplementedError:
                continue
            same(_listed(row.ours.compute_output_shape(*shapes)), _listed(expected))


def check_small_batches(row: Tried) -> None:
    shapes = [np.shape(x)[1:] for x in outputs_of(row.ours, row.args, row.options)]
    for rows in (0, 1):
        for layer in (row.ours, row.make(graphc)):
            found = outputs_of(layer, row.given.arrays(rows), row.options)
            same([np.shape(x) for x in found], [(rows, *shape) for shape in shapes])
            assert all(np.isfinite(x).all() for x in found if is_float(x))


def check_beside_keras(row: Tried) -> None:
    if row.ours._runs_on_host:
        return
    found, slopes = graphc.function(step_of(row.ours, row.options, row.floats))(row.args)
    close(outputs_of(row.ours, row.args, row.options), found)
    if row.theirs is None:
        return
    close(found, row.reference["outputs"])
    same([str(x.dtype) for x in found], [str(x.dtype) for x in row.reference["outputs"]])
    close(slopes, row.reference["slopes"], 2e-4, 5e-5)
    row.ours(*row.args, **row.options)
    close(row.ours.losses, row.reference["losses"])


def check_randomness(row: Tried) -> None:
    """In training a layer draws the same numbers eagerly and compiled, if it begins alike."""
    if not row.options:
        return
    eager, compiled = copy.deepcopy(row.ours), copy.deepcopy(row.ours)
    found = outputs_of(eager, row.args, {"training": True})
    close(found, graphc.function(lambda args: tree.flatten(compiled(*args, training=True)))(row.args))
    close(eager.get_weights(), compiled.get_weights())


def check_counts(row: Tried) -> None:
    if row.theirs is None:
        return
    for name in (
        "weights",
        "trainable_weights",
        "non_trainable_weights",
        "variables",
        "trainable_variables",
        "non_trainable_variables",
    ):
        found, expected = (paths_of(getattr(x, name)) for x in (row.ours, row.theirs))
        same((name, found), (name, expected))
    same(row.ours.count_params(), row.theirs.count_params())
    same(row.ours.supports_masking, row.theirs.supports_masking)
    same(row.ours.compute_dtype, row.theirs.compute_dtype)


def _with_mask(row: Tried) -> tuple[list[Any], list[Any]]:
    first: Any = as_tensor(row.args[0])
    set_mask(first, as_tensor(row.mask))
    outputs = tree.flatten(row.ours(first, *row.args[1:], **row.options))
    return [x.numpy() for x in outputs], [None if get_mask(x) is None else get_mask(x).numpy() for x in outputs]


def check_masks(row: Tried) -> None:
    if row.mask is None or row.theirs is None:
        return
    if not row.theirs.supports_masking:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _, masks = _with_mask(row)
        assert any("does not support mask" in str(w.message) for w in caught)
        assert all(mask is None for mask in masks)
        return
    if row.reference["masked"] is None:
        with pytest.raises(graphc.errors.GraphcError):
            _with_mask(row)
        return
    outputs, masks = _with_mask(row)
    expected, their_masks = row.reference["masked"]
    close(outputs, expected)
    same([mask is None for mask in masks], [mask is None for mask in their_masks])
    close([m for m in masks if m is not None], [m for m in their_masks if m is not None])


def _made_with(policy: str, row: Tried) -> tuple[Any, Any]:
    """The layers of both libraries with a policy, which the layers inside of them have, too."""
    try:
        for api in (graphc, keras):
            api.config.set_dtype_policy(policy)
        return row.make(graphc), None if row.theirs is None else row.make(keras)
    finally:
        for api in (graphc, keras):
            api.config.set_dtype_policy("float32")


def check_halves(row: Tried) -> None:
    exact = outputs_of(row.ours, row.args, row.options)
    for policy in ("mixed_bfloat16", "float16"):
        layer, theirs = _made_with(policy, row)
        layer(*row.args, **row.options)
        layer.set_weights(row.ours.get_weights())
        outputs = tree.flatten(layer(*row.args, **row.options))
        if theirs is not None:
            expected = tree.flatten(jax.eval_shape(partial(theirs, **row.options), *row.args))
            same([str(x.dtype) for x in outputs], [str(x.dtype) for x in expected])
            same([w.dtype for w in layer.weights], [str(w.dtype) for w in theirs.weights])
        for a, b in zip(outputs, exact, strict=True):
            scale = np.abs(b).max() if is_float(b) else 0.0
            close([np.asarray(ops.cast(a, "float32"))], [b], 0.02, 0.02 * scale)


def check_summary(row: Tried) -> None:
    """Where there are no symbolic inputs, summaries tell the shapes that Keras's tell."""
    if row.theirs is None:
        return
    shapes = shape_in_summary(row.ours), keras.src.utils.summary_utils.format_layer_shape(row.theirs)
    same(*(re.sub(r"\[/?(color\(\d+\))?\]", "", shape) for shape in shapes))


def check_copies(row: Tried) -> None:
    expected = outputs_of(row.ours, row.args, row.options)
    for again in (copy.deepcopy(row.ours), pickle.loads(pickle.dumps(row.ours))):
        close(outputs_of(again, row.args, row.options), expected, 0, 0)
        same(again.name, row.ours.name)


def model_of(row: Tried) -> Any:
    """A model of a copy of the layer alone."""
    inputs = row.given.like(lambda shape: graphc.Input(shape, dtype=row.given.dtype))
    return graphc.Model(tree.flatten(inputs), copy.deepcopy(row.ours)(*inputs))


def check_saving(row: Tried, folder: Path) -> None:
    model = model_of(row)
    model.save(folder / "model.keras")
    again = graphc.models.load_model(folder / "model.keras", custom_objects=row.others)
    flat = tree.flatten(row.args)
    expected = outputs_of(row.ours, row.args, row.options)
    for one in (model, again):
        close(tree.flatten(one(flat[0] if len(flat) == 1 else flat, training=False)), expected)


def check_training(row: Tried) -> None:
    if not row.ours.trainable_weights:
        return
    model = model_of(row)
    layer = model.layers[-1]
    model.compile(graphc.optimizers.SGD(0.5), "mse")
    names = [w.path for w in model.weights]
    flat = tree.flatten(row.args)
    outputs = [np.ones_like(x) for x in outputs_of(row.ours, row.args, row.options)]
    before = model.get_weights()
    model.train_on_batch(flat[0] if len(flat) == 1 else flat, outputs[0] if len(outputs) == 1 else outputs)
    kept = {name for name, a, b in zip(names, before, model.get_weights(), strict=True) if np.array_equal(a, b)}
    assert not kept & {w.path for w in layer.trainable_weights}, kept
    changing = r"moving_|renorm_|vector_u"
    fixed = {w.path for w in layer.non_trainable_weights if not re.search(changing, w.path.split("/")[-1])}
    assert fixed <= kept, fixed - kept


def check_frozen(row: Tried) -> None:
    layer = copy.deepcopy(row.ours)
    layer.trainable = False
    assert not layer.trainable_weights
    same(len(layer.non_trainable_weights), len(layer.weights))
    if row.ours._runs_on_host:
        return
    outputs, slopes = graphc.function(step_of(layer, row.options, False))(row.args)
    close(outputs, outputs_of(row.ours, row.args, row.options))
    assert not slopes
    if isinstance(layer, layers.BatchNormalization):
        close(outputs_of(layer, row.args, {"training": True}), outputs)
        close(layer.get_weights(), row.ours.get_weights(), 0, 0)


CHECKS: dict[str, Callable[..., None]] = {
    name.removeprefix("check_"): value for name, value in list(globals().items()) if name.startswith("check_")
}


def try_layer(
    row: Tried, folder: Path, alone: frozenset[str] = frozenset(), left_out: frozenset[str] = frozenset()
) -> dict[str, str]:
    """The checks that fail, with their errors.

    Args:
        row: The layer.
        folder: Where it is saved.
        alone: The checks in which Keras's layer differs on purpose: ours is tried alone.
        left_out: The checks that do not apply.
    """
    failed: dict[str, str] = {}
    with graphc.backend("numpy"):
        row.build()
        for name in [name for name in CHECKS if name not in left_out]:
            tried = row.without_keras() if name in alone else row
            try:
                CHECKS[name](tried, *([folder] if name == "saving" else []))
            except (Exception, pytest.fail.Exception) as error:
                failed[name] = f"{type(error).__name__}: {error}"
    return failed


def try_compiled(rows: list[Tried], backend: str) -> None:
    """Compares outputs and gradients of layers in one program of a backend with those of the interpreter."""
    steps = [step_of(row.ours, row.options, row.floats) for row in rows]

    def program(args: Any) -> Any:
        return [step(arg) for step, arg in zip(steps, args, strict=True)]

    args = [row.args for row in rows]
    results = []
    for name in ("numpy", backend):
        with graphc.backend(name):
            results.append(graphc.function(program)(args))
    for row, expected, found in zip(rows, *results, strict=True):
        for a, b, rtol, atol in zip(found, expected, (2e-5, 2e-4), (2e-5, 5e-5), strict=True):
            close(a, b, rtol, atol, row.text)
