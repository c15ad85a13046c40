"""The short names that `tf.keras` has for functions of losses."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import losses, metrics

NAMES = {
    "mean_squared_error": ["mse", "MSE"],
    "mean_absolute_error": ["mae", "MAE"],
    "mean_absolute_percentage_error": ["mape", "MAPE"],
    "mean_squared_logarithmic_error": ["msle", "MSLE"],
    "kl_divergence": ["kld", "KLD", "kullback_leibler_divergence"],
    "log_cosh": ["logcosh"],
}


@pytest.mark.parametrize("module", [losses, metrics], ids=["losses", "metrics"])
@pytest.mark.parametrize("name", NAMES)
def test_short_names_are_functions(name: str, module: object) -> None:
    for short in NAMES[name]:
        assert getattr(module, short) is getattr(losses, name) and short in module.__all__  # type: ignore[attr-defined]


def test_reductions_have_names() -> None:
    assert float(losses.MeanSquaredError(reduction=losses.Reduction.SUM)([[1.0], [1.0]], [[0.0], [0.0]])) == 2.0


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "kl_divergence", "poisson", "log_cosh"])
def test_a_number_is_the_target_of_all_predictions(name: str) -> None:
    loss = getattr(losses, name)
    predicted = np.linspace(0.1, 0.9, 6, dtype="float32")
    for shape in ((6,), (2, 3)):
        y = predicted.reshape(shape)
        np.testing.assert_allclose(loss(0.3, y), loss(np.full(shape, 0.3, "float32"), y), rtol=1e-6)
