"""The loops over data: `fit`, `evaluate` and `predict`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphc.callbacks import CallbackList, History
from graphc.errors import ArgumentError, DataError, GraphcError
from graphc.models.data import (
    Batch,
    Batches,
    arrays_of,
    is_arrays,
    may_hold_nan,
    split_validation,
    unpack_x_y_sample_weight,
    warn_of_nan,
    with_class_weight,
)
from graphc.models.pace import Pace
from graphc.models.program import Prediction
from graphc.models.sources import ArraySource, IterableSource, Source, fitting_batch
from graphc.models.trainer import Trainer
from graphc.tracing import Array, describe, user_line

_PREDICTED = "so will be what is predicted from it"


class Fitting(Trainer):
    """The part of a model that loops over data."""

    history: History

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: Any = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Trains the model.

        Args:
            x: Array or structure of arrays: the inputs; or an iterable of batches `(x, y)` or `(x, y, weights)`.
            y: Array or structure: the targets. None for an iterable.
            batch_size: How many samples a step takes. None: 32.
            epochs: The number of the last epoch.
            verbose: 0: silent, 1: a progress line, 2: a line for each epoch, `"auto"`: 1.
            callbacks: List of callbacks.
            validation_split: The share of samples, the last ones, that is kept for validation.
            validation_data: `(x, y)`, `(x, y, weights)` or an iterable of batches to validate on.
            shuffle: True: samples in a new order in each epoch; `"batch"`: batches; False: as they are.
            class_weight: Dictionary of class to weight.
            sample_weight: A weight for each sample.
            initial_epoch: The number of the first epoch.
            steps_per_epoch: How many steps an epoch has. None: as many as the data give.
            validation_steps: Likewise for validation.
            validation_batch_size: How many samples a step of validation takes. None: `batch_size`.
            validation_freq: Every how many epochs to validate, or a list of the epochs, counted from 1.

        Returns:
            A `History` with the metrics of each epoch.

        Raises:
            StateError: if the model is not compiled.
            GraphcError: if the data do not fit; weights, optimizer and metrics are then as before the call.
        """
        self._require_compiled("fit")
        train, held_out = self._training_source(
            x, y, sample_weight, class_weight, batch_size, validation_split, shuffle
        )
        size = validation_batch_size or batch_size
        validation = self._validation_source(validation_data, held_out, size)
        train.prepare()
        if validation is not None:
            validation.prepare()
        listed = _callback_list(callbacks, self, verbose, epochs, steps_per_epoch or train.steps, history=True)
        self.stop_training = False
        with self._restoring():
            self._epochs(
                train, validation, listed, initial_epoch, epochs, steps_per_epoch, validation_steps, validation_freq
            )
        assert listed.history is not None
        return listed.history

    def _epochs(
        self,
        train: Source,
        validation: Source | None,
        callbacks: CallbackList,
        first: int,
        last: int,
        steps: int | None,
        validation_steps: int | None,
        validation_freq: Any,
    ) -> None:
        callbacks.on_train_begin()
        pace = self._pace(callbacks, "train")
        # With a given number of steps an epoch may end, and the next begin, in the middle of the data.
        fresh: bool | None = True
        logs: dict[str, float] = {}
        for epoch in range(first, last):
            self.reset_metrics()
            callbacks.on_epoch_begin(epoch)
            if fresh or steps is None:
                train.begin()
            fresh = self._loop("train", train, pace, callbacks, steps)
            if fresh is None:
                break
            logs = dict(self.get_metrics_result())
            if validation is not None and _is_due(epoch, validation_freq):
                results = self._judge(validation, callbacks, validation_steps)
                logs.update({f"val_{name}": value for name, value in results.items()})
            callbacks.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        if last > first:
            self.optimizer.finalize_variable_values(self.trainable_variables)
        callbacks.on_train_end(logs)

    def _loop(self, mode: str, source: Source, pace: Pace, callbacks: CallbackList, steps: int | None) -> bool | None:
        """Does the steps of an epoch; returns whether the data are used up, or None where they gave nothing."""
        done, restarted = 0, False
        limit = steps if steps is not None else source.steps
        begin, end = getattr(callbacks, f"on_{mode}_batch_begin"), getattr(callbacks, f"on_{mode}_batch_end")
        listening = callbacks.listening(mode)
        while limit is None or done < limit:
            begin(done)
            most = pace.steps if limit is None else min(pace.steps, limit - done)
            with pace.measured(most):
                count, _, _ = source.advance(most)
            if count == 0 and steps is not None and source.again() and not restarted:
                source.begin()
                restarted = True
                continue
            if count == 0:
                self._out_of_data(mode, done, limit)
                return True if done else None
            done, restarted = done + count, False
            if listening:
                end(done - 1, self.get_metrics_result())
            if self.stop_training and mode == "train":
                break
        return steps is None

    def _out_of_data(self, mode: str, done: int, limit: int | None) -> None:
        if done == 0:
            warnings.warn(f"the data gave no batch: {mode} stops", stacklevel=5)
            self.stop_training = True
        elif limit is not None:
            warnings.warn(f"the data gave {done} batches where {limit} were expected", stacklevel=5)

    def _pace(self, callbacks: CallbackList, mode: str) -> Pace:
        if self.steps_per_execution > 1:
            return Pace(self.steps_per_execution)
        return Pace(1 if callbacks.needs_each_batch(mode) else None)

    @contextmanager
    def _restoring(self) -> Iterator[None]:
        """Undoes all changes where an error of ours ends the block; what users interrupt stays as it is."""
        variables = [*self.variables, self.random_step, *(v for metric in self.metrics for v in metric.variables)]
        variables += self.optimizer.variables if self.optimizer is not None else []
        before = [(v, v.numpy()) for v in variables]
        try:
            yield
        except GraphcError:
            for variable, value in before:
                variable.buffer.assign(value)
            raise

    # ---- evaluate

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Judges the model on data.

        Args:
            x: Array or structure of arrays, or an iterable of batches.
            y: Array or structure. None for an iterable.
            batch_size: How many samples a step takes. None: 32.
            verbose: 0: silent, 1: a progress line, 2: one line, `"auto"`: 1.
            sample_weight: A weight for each sample.
            steps: How many steps to do. None: as many as the data give.
            callbacks: List of callbacks.
            return_dict: Whether to return a dictionary.

        Returns:
            The loss and the metrics, as numbers in a list (one number where there is only the loss), or by name.

        Raises:
            StateError: if the model is not compiled.
            GraphcError: if the data do not fit.
        """
        _refuse(kwargs, "evaluate")
        self._require_compiled("evaluate")
        source = self._source("test", x, y, sample_weight, batch_size)
        source.prepare()
        listed = _callback_list(callbacks, self, verbose, 1, steps or source.steps)
        with self._restoring():
            logs = self._judge(source, listed, steps)
        return logs if return_dict else self._in_order(logs)

    def _judge(self, source: Source, callbacks: CallbackList, steps: int | None) -> dict[str, float]:
        self.reset_metrics()
        callbacks.on_test_begin()
        source.begin()
        self._loop("test", source, self._pace(callbacks, "test"), callbacks, steps)
        logs = self.get_metrics_result()
        callbacks.on_test_end(logs)
        return logs

    # ---- predict

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The model's outputs for data.

        Args:
            x: Array or structure of arrays, or an iterable of batches.
            batch_size: How many samples a step takes. None: 32.
            verbose: 0: silent, 1: a progress line, 2: one line, `"auto"`: 1.
            steps: How many steps to do. None: as many as the data give.
            callbacks: List of callbacks.

        Returns:
            NumPy array or a structure of them.

        Raises:
            GraphcError: if the data do not fit.
        """
        if callbacks is None and steps is None and verbose == 0:
            ready = self._ready_for(x)
            if ready is not None:
                results = ready.results(len(x))
                ready.run({"x0": x}, results, len(x), fitting_batch(batch_size, len(x)))
                if any(map(may_hold_nan, results)):
                    warn_of_nan(arrays_of(x), _PREDICTED)
                return ready.structured(results)
        if x is None or not is_arrays(x):
            source = self._source("predict", x, None, None, batch_size)
            first = source.prepare()
            assert isinstance(first, Prediction)
            limit = steps if steps is not None else source.steps
            source.begin()
            outputs = (outputs for _, _, outputs in iter(lambda: source.advance(1), (0, None, [])))
            return first.structured(_one_by_one(outputs, _callback_list(callbacks, self, verbose, 1, limit), limit))
        data = arrays_of(x)
        prediction = self._prediction(x, data)
        size = fitting_batch(batch_size, data.size)
        limit = -(-data.size // size) if steps is None else steps
        listed = _callback_list(callbacks, self, verbose, 1, limit)
        if steps is None and prediction.by_sample and not listed.listening("predict"):
            listed.on_predict_begin()
            results = prediction.results(data.size)
            prediction.run(data.arrays, results, data.size, size)
            listed.on_predict_end()
        else:
            parts = (data.part(start, min(start + size, data.size)) for start in range(0, data.size, size))
            results = _one_by_one(map(prediction.run_once, parts), listed, limit)
        if any(map(may_hold_nan, results)):
            warn_of_nan(data, _PREDICTED)
        return prediction.structured(results)

    # ---- from arguments to sources

    def _training_source(
        self,
        x: Any,
        y: Any,
        sample_weight: Any,
        class_weight: Any,
        batch_size: int | None,
        validation_split: float,
        shuffle: Any,
    ) -> tuple[Source, Batch | None]:
        """Where the steps come from, and the samples that are held out for validation."""
        if not is_arrays(x) or x is None:
            if y is not None or sample_weight is not None or validation_split:
                raise ArgumentError(
                    "an iterable of batches gives targets and weights itself, and cannot be split",
                    where=describe(user_line()),
                    hint="leave y, sample_weight and validation_split out",
                )
            return self._source("train", x, None, None, batch_size, shuffle, class_weight), None
        if class_weight is not None:
            sample_weight = with_class_weight(y, sample_weight, class_weight)
        data = self._checked(arrays_of(x, y, sample_weight), "train")
        held_out = None
        if validation_split:
            data, held_out = split_validation(data, validation_split)
        return ArraySource(self, "train", data, batch_size, shuffle), held_out

    def _validation_source(self, data: Any, held_out: Batch | None, batch_size: int | None) -> Source | None:
        if data is not None:
            if isinstance(data, tuple | list) and is_arrays(list(data)[:1]):
                x, y, weight = unpack_x_y_sample_weight(tuple(data))
                return self._source("test", x, y, weight, batch_size)
            return self._source("test", data, None, None, batch_size)
        if held_out is None:
            return None
        return ArraySource(self, "test", held_out, batch_size)

    def _source(
        self,
        mode: str,
        x: Any,
        y: Any,
        sample_weight: Any,
        batch_size: int | None,
        shuffle: Any = False,
        class_weight: Mapping[int, float] | None = None,
    ) -> Source:
        if x is not None and is_arrays(x):
            data = self._checked(arrays_of(x, y, sample_weight), mode)
            return ArraySource(self, mode, data, batch_size, shuffle)
        if batch_size is not None:
            raise ArgumentError(
                "batch_size cannot be given for an iterable of batches", where=describe(user_line()), got=batch_size
            )
        batches = Batches(x, class_weight, lambda batch: self.check_batch(batch, mode))
        return IterableSource(self, mode, batches, bool(shuffle))

    def _checked(self, data: Batch, mode: str) -> Batch:
        self.check_batch(data, mode)
        warn_of_nan(data)
        return data


def _one_by_one(outputs: Iterator[list[Array]], callbacks: CallbackList, limit: int | None) -> list[Array]:
    """The outputs for all batches, up to a limit, each batch announced to callbacks."""
    parts: list[list[Array]] = []
    callbacks.on_predict_begin()
    while limit is None or len(parts) < limit:
        callbacks.on_predict_batch_begin(len(parts))
        part = next(outputs, None)
        if part is None:
            break
        parts.append(part)
        callbacks.on_predict_batch_end(len(parts) - 1, {"outputs": part})
    callbacks.on_predict_end()
    if not parts:
        raise DataError("the data are empty", where=describe(user_line()), got="an iterable without batches")
    return [_joined(list(leaf)) for leaf in zip(*parts, strict=True)]


def _joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts[0].ndim else np.stack(parts)


def _is_due(epoch: int, frequency: Any) -> bool:
    return (epoch + 1) % frequency == 0 if isinstance(frequency, int) else (epoch + 1) in frequency


def _refuse(kwargs: dict[str, Any], method: str) -> None:
    if kwargs:
        raise ArgumentError(f"`{method}` takes no such argument", got=", ".join(kwargs))


def _callback_list(
    callbacks: Any, model: Trainer, verbose: Any, epochs: int, steps: int | None, history: bool = False
) -> CallbackList:
    if isinstance(callbacks, CallbackList):
        return callbacks
    level = 1 if verbose == "auto" else verbose
    if level not in (0, 1, 2, True, False):
        raise ArgumentError("verbose is 0, 1, 2 or 'auto'", got=repr(verbose))
    return CallbackList(
        callbacks,
        add_history=history,
        add_progbar=level != 0,
        model=model,
        verbose=int(level),
        epochs=epochs,
        steps=steps,
    )
