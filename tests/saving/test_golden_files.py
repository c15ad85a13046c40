"""Small files that this version wrote stay readable, and give the results that were noted with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from tests.saving.model_table import DATA, TARGET, custom, many, own_parts, recurrent

GOLDEN = Path(__file__).parent.parent / "golden" / "files"


def with_strings(k: Any) -> Any:
    x = k.Input((2,), dtype="string")
    y = k.layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot")(x)
    model = k.Model(x, k.layers.Dense(2, dtype="bfloat16")(y))
    return model, None


MODELS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "many.keras": (many, "named"),
    "own_parts.keras": (own_parts, "flat"),
    "recurrent.h5": (recurrent, "steps"),
    "strings.keras": (with_strings, "words"),
}
WEIGHTS = ("recurrent.weights.h5", "recurrent.weights.safetensors", "recurrent.weights.json")


def inputs(kind: str) -> Any:
    return np.array([["a", "b"], ["b", "?"]]) if kind == "words" else DATA[kind]


def flat(results: Any) -> list[Any]:
    return [np.asarray(x, "float32").ravel().tolist() for x in graphc.tree.flatten(results)]


def write_all() -> None:
    """Writes the files anew."""
    GOLDEN.mkdir(exist_ok=True)
    graphc.utils.set_random_seed(5)
    noted: dict[str, Any] = {}
    for name, (make, kind) in MODELS.items():
        model, target = make(graphc)
        if target is not None:
            model.train_on_batch(inputs(kind), target)
        model.save(GOLDEN / name)
        noted[name] = flat(model.predict(inputs(kind), verbose=0))
        if make is recurrent:
            for other in WEIGHTS:
                model.save_weights(GOLDEN / other, max_shard_size=5e-7 if other.endswith("json") else None)
    model, target = recurrent(graphc)
    save = Save()
    model.fit(inputs("steps"), target, batch_size=4, epochs=2, verbose=0, callbacks=[save])
    noted["training.ckpt"] = flat(model.get_weights())
    (GOLDEN / "results.json").write_text(json.dumps(noted))


class Save(graphc.callbacks.Callback):  # type: ignore[misc]
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 1 and not (GOLDEN / "training.ckpt").exists():
            graphc.checkpoint.save(GOLDEN / "training.ckpt", self.model)


@pytest.fixture(scope="module")
def noted(request: pytest.FixtureRequest) -> Any:
    if request.config.getoption("--update-golden"):
        (GOLDEN / "training.ckpt").unlink(missing_ok=True)
        with graphc.backend("numpy"):
            write_all()
    return json.loads((GOLDEN / "results.json").read_text())


def close(found: list[Any], expected: list[Any]) -> None:
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str, noted: Any) -> None:
    with graphc.backend("numpy"):
        model = graphc.models.load_model(GOLDEN / name, custom_objects=custom(graphc))
        kind = MODELS[name][1]
        close(flat(model.predict(inputs(kind), verbose=0)), noted[name])
        if name.endswith(".keras") and kind != "words":
            assert int(model.optimizer.iterations) == 1


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights(name: str, noted: Any) -> None:
    with graphc.backend("numpy"):
        model, _ = recurrent(graphc)
        model.load_weights(GOLDEN / name)
        close(flat(model.predict(inputs("steps"), verbose=0)), noted["recurrent.h5"])


def test_a_checkpoint(noted: Any) -> None:
    with graphc.backend("numpy"):
        model, _ = recurrent(graphc)
        assert graphc.checkpoint.restore(GOLDEN / "training.ckpt", model) == (0, 2)
        model.fit(inputs("steps"), TARGET, batch_size=4, epochs=2, verbose=0)
        close(flat(model.get_weights()), noted["training.ckpt"])
