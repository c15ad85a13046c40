"""A list of callbacks with the interface of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc import tree
from graphc.callbacks.callback import Callback, History, Logs, overrides_batch_hooks
from graphc.callbacks.progress import ProgbarLogger
from graphc.errors import ArgumentError


class CallbackList(Callback):
    """Calls several callbacks as one.

    Args:
        callbacks: A callback, or a list of them, which may hold lists. None: none.
        add_history: Whether to add a `History` if there is none.
        add_progbar: Whether to add a progress line if there is none.
        model: The model.
        **params: The parameters of the run.

    Raises:
        ArgumentError: if an element is not a callback.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        listed = tree.flatten(callbacks) if callbacks is not None else []
        for callback in listed:
            if not isinstance(callback, Callback):
                raise ArgumentError(
                    "this is no callback", got=repr(callback)[:80], expected="an object of a subclass of Callback"
                )
        self.callbacks: list[Callback] = list(listed)
        self._add_missing(History, add_history)
        self._add_missing(ProgbarLogger, add_progbar)
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    def _add_missing(self, kind: type[Callback], wanted: bool) -> None:
        if wanted and not any(isinstance(callback, kind) for callback in self.callbacks):
            self.callbacks.append(kind())

    @property
    def history(self) -> History | None:
        """The callback that records the metrics."""
        return next((callback for callback in self.callbacks if isinstance(callback, History)), None)

    def append(self, callback: Callback) -> None:
        """Adds a callback."""
        self.callbacks.append(callback)

    def set_params(self, params: dict[str, Any]) -> None:
        """Sets the parameters of the run in all callbacks."""
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Sets the model in all callbacks."""
        super().set_model(model)
        if self.history is not None:
            model.history = self.history
        for callback in self.callbacks:
            callback.set_model(model)

    def has_batch_hooks(self, mode: str) -> bool:
        """Whether a callback overrides a batch method of a mode."""
        return any(overrides_batch_hooks(callback, mode) for callback in self.callbacks)

    def needs_each_batch(self, mode: str) -> bool:
        """Whether a callback must be called at every batch, one by one."""
        return any(callback.each_batch and overrides_batch_hooks(callback, mode) for callback in self.callbacks)


def _forward(name: str) -> Callable[..., None]:
    def call(self: CallbackList, *args: Any, logs: Logs = None, **named: Any) -> None:
        # The last argument is the logs: callbacks always get a dictionary, which they may add to, in Keras's order.
        if args and (args[-1] is None or isinstance(args[-1], Mapping)):
            *args, logs = args  # type: ignore[assignment]
        shared = dict(sorted((logs or {}).items()))
        for callback in self.callbacks:
            getattr(callback, name)(*args, *named.values(), shared)

    call.__name__, call.__doc__ = name, f"Calls `{name}` of all callbacks."
    return call


for _name in dir(Callback):
    if _name.startswith("on_"):
        setattr(CallbackList, _name, _forward(_name))
