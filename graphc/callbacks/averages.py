"""The callback that puts moving averages in the place of weights for a time."""

from __future__ import annotations

from typing import Any

from graphc.callbacks.callback import Callback, Logs
from graphc.callbacks.monitoring import single_optimizers
from graphc.errors import ArgumentError
from graphc.tracing import Array, Variable


class SwapEMAWeights(Callback):
    """Evaluates, and predicts, with the moving averages of the weights, which the optimizer keeps (`use_ema=True`).

    The weights themselves are kept meanwhile, and put back.

    Args:
        swap_on_epoch: Whether the averages are in the model from the end of each epoch to the beginning of the next
            one, too: callbacks that come after this one then see, and save, averages.

    Raises:
        ArgumentError: if the optimizer keeps no averages.

    Example:

    ```python
    model.compile(optimizers.SGD(use_ema=True), "mse")
    model.fit(x, y, validation_data=(u, v), callbacks=[callbacks.SwapEMAWeights()])
    ```
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        # The weights that were in the place of the averages, each with its variable. None: nothing is swapped.
        self._kept: list[tuple[Variable, Array]] | None = None
        self._for_test = False

    def _optimizers(self) -> list[Any]:
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        found = [one for one in single_optimizers(optimizer) if getattr(one, "use_ema", False)]
        if not found:
            raise ArgumentError(
                "SwapEMAWeights needs an optimizer that keeps moving averages",
                got=type(optimizer).__name__,
                hint="pass `use_ema=True` to the optimizer",
            )
        return found

    def _swap(self) -> bool:
        """Puts the averages into the model; False if they are there already."""
        optimizers = self._optimizers()
        if self._kept is not None:
            return False
        pairs = [pair for one in optimizers for pair in zip(one._trainable, one._averages, strict=False)]
        self._kept = [(variable, variable.numpy()) for variable, _ in pairs]
        for variable, average in pairs:
            variable.assign(average.value)
        return True

    def _restore(self) -> None:
        """Puts the weights back."""
        for variable, values in self._kept or ():
            variable.assign(values)
        self._kept = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Puts back what an interrupted run has left."""
        self._optimizers()
        self._restore()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Puts the weights back."""
        self._restore()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Puts the averages into the model, if this is wanted."""
        if self.swap_on_epoch:
            self._swap()

    def on_train_end(self, logs: Logs = None) -> None:
        """Forgets the weights: at the end of training the optimizer has put the averages in their place."""
        self._kept = None

    def on_test_begin(self, logs: Logs = None) -> None:
        """Puts the averages into the model."""
        self._for_test = self._swap()

    def on_test_end(self, logs: Logs = None) -> None:
        """Puts the weights back."""
        if self._for_test:
            self._restore()

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Puts the averages into the model."""
        self.on_test_begin(logs)

    def on_predict_end(self, logs: Logs = None) -> None:
        """Puts the weights back."""
        self.on_test_end(logs)
