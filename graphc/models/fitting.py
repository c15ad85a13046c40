"""The loops over data: `fit`, `evaluate` and `predict`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from itertools import count, islice
from typing import Any

import numpy as np

from graphc.callbacks import CallbackList, History
from graphc.errors import ArgumentError, DataError
from graphc.models.arguments import (
    checked_steps,
    limited_epochs,
    limited_steps,
    validation_fraction,
    validation_frequency,
    verbosity,
)
from graphc.models.data import (
    Batch,
    Batches,
    arrays_of,
    is_arrays,
    may_hold_nan,
    split_validation,
    warn_of_nan,
    with_class_weight,
)
from graphc.models.program import CompiledPrediction, Prediction
from graphc.models.sources import ArraySource, IterableSource, Source, resolve_batch_size
from graphc.models.steps_per_execution import StepsPerExecution
from graphc.models.trainer import Trainer
from graphc.saving.training import Progress, take_up
from graphc.tracing import Array, describe, user_line
from graphc.utils.arguments import whole_number
from graphc.utils.batches import unpack_x_y_sample_weight

_PREDICTED = "so will be what is predicted from it"


class Fitting(Trainer):
    """The methods of a model that loop over data."""

    history: History
    stop_evaluating = False
    stop_predicting = False

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
            batch_size: The number of samples in a step. None: 32, or what results in `steps_per_epoch` steps.
            epochs: The number of the last epoch.
            verbose: 0: silent, 1: a progress line, 2: a line for each epoch, `"auto"`: 1.
            callbacks: List of callbacks.
            validation_split: The fraction of the samples, the last ones, that is held out for validation if
                `validation_data` is None.
            validation_data: `(x, y)`, `(x, y, weights)` or an iterable of batches to validate on.
            shuffle: True: shuffles the samples in each epoch; `"batch"`: whole batches; False: nothing.
            class_weight: Dictionary of class to weight; for several outputs a dictionary of output to such a
                dictionary.
            sample_weight: A weight for each sample.
            initial_epoch: The number of the first epoch.
            steps_per_epoch: The number of steps in an epoch; the next epoch continues in the data. None or 0: one pass
                over the data.
            validation_steps: The number of steps in a validation, which starts from the first batch each time.
            validation_batch_size: The number of samples in a step of validation. None: `batch_size`.
            validation_freq: Validates every n-th epoch, or after each epoch of a list, counted from 1.

        Returns:
            A `History` with the metrics of each epoch.

        Raises:
            StateError: if the model is not compiled.
            GraphcError: if the data do not fit; the weights are then those after the last complete step.
        """
        self._require_compiled("fit")
        epochs = limited_epochs(whole_number("epochs", epochs, 0))
        whole_number("initial_epoch", initial_epoch, 0)
        steps = checked_steps("steps_per_epoch", steps_per_epoch)
        validation_steps = checked_steps("validation_steps", validation_steps)
        whole_number("validation_batch_size", validation_batch_size, 1, optional=True)
        validation_frequency(validation_freq)
        split = validation_fraction(validation_split) if validation_data is None else 0.0
        train, held_out = self._training_source(
            x, y, sample_weight, class_weight, batch_size, split, shuffle, steps, validation_data
        )
        size = validation_batch_size or batch_size
        validation = self._validation_source(validation_data, held_out, size, validation_steps)
        train.prepare()
        if validation is not None:
            validation.prepare()
        callback_list = _callback_list(
            callbacks, self, verbose, epochs, limited_steps(steps or train.steps), history=True
        )
        self.stop_training = False
        try:
            self._epochs(
                train, validation, callback_list, initial_epoch, epochs, steps, validation_steps, validation_freq
            )
        finally:
            if self._progress is not None:
                self._progress.source = None  # the data are the user's again
        assert callback_list.history is not None
        return callback_list.history

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
        self._initial_epoch: int | None = None
        self._progress = progress = Progress(first, train)
        callbacks.on_train_begin()
        restored = take_up(self, train, steps is not None)
        first = restored.epoch if restored is not None else self._initial_epoch or first
        per_execution = self._per_execution(callbacks, "train")
        last_logs: dict[str, Any] = {}
        for epoch in range(first, last):
            progress.epoch, progress.batch = epoch, 0 if restored is None else restored.batch
            restored = None
            if not progress.batch:
                self.reset_metrics()
            callbacks.on_epoch_begin(epoch)
            if not progress.batch:
                # With `steps_per_epoch` an epoch may end in the middle of the data; the next one continues there.
                train.begin(resume=steps is not None)
            done, logs = self._loop("train", train, per_execution, callbacks, steps, progress)
            train.end()
            if not done:
                self.stop_training = True
                break
            progress.epoch, progress.batch = epoch + 1, 0
            last_logs = logs
            if validation is not None and _is_due(epoch, validation_freq):
                results = self._evaluate(validation, callbacks, validation_steps)
                logs.update({f"val_{name}": value for name, value in results.items()})
            callbacks.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        if last > first:
            self.optimizer.finalize_variable_values(self.trainable_variables)
        callbacks.on_train_end(last_logs)

    def _loop(
        self,
        mode: str,
        source: Source,
        per_execution: StepsPerExecution,
        callbacks: CallbackList,
        steps: int | None,
        progress: Progress | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Runs the steps of an epoch.

        A step is checked before it runs, so that an error leaves the weights as the previous steps trained them.

        Args:
            mode: `"train"` or `"test"`.
            source: Where the batches come from.
            per_execution: How many steps are run at once.
            callbacks: The callbacks.
            steps: The number of steps. None: one pass over the data.
            progress: Of training: where the epoch goes on, and where the number of steps that are done is noted.

        Returns:
            The number of steps that are done, and the logs, which are empty if there was no step.
        """
        progress = progress or Progress(0)
        done, limit = progress.batch, limited_steps(steps if steps is not None else source.steps)
        outputs: list[Array] | None = None
        logs: dict[str, Any] = {}
        begin, end = getattr(callbacks, f"on_{mode}_batch_begin"), getattr(callbacks, f"on_{mode}_batch_end")
        reports_batches = callbacks.has_batch_hooks(mode)
        while (limit is None or done < limit) and source.has_next():
            begin(done)
            max_steps = per_execution.count if limit is None else min(per_execution.count, limit - done)
            with per_execution.measured(max_steps):
                count, program, outputs = source.advance(max_steps)
            # To callbacks, as many steps as were asked for are one batch, in however many programs they run.
            while self.steps_per_execution > 1 and count < max_steps and source.has_next():
                more, program, outputs = source.advance(max_steps - count)
                count += more
            progress.batch = done + count
            if reports_batches:
                # As in Keras, its number is that of the last step of a full execution.
                end(done + max(count, self.steps_per_execution) - 1, self._logs(program, outputs))
            done += count
            if self.stop_training if mode == "train" else self.stop_evaluating:
                return done, self._results_or(self._logs(program, outputs))
        if done == 0:
            warnings.warn(f"the data gave no batch: there is nothing to {mode} on", stacklevel=4)
        else:
            # All steps may have been done when a checkpoint was written.
            logs = self.get_metrics_result() if outputs is None else self._results_or(self._logs(program, outputs))
            if limit is not None and done < limit:
                warnings.warn(f"the data gave {done} batches where {limit} were expected", stacklevel=4)
        return done, logs

    def _per_execution(self, callbacks: CallbackList, mode: str) -> StepsPerExecution:
        if self.steps_per_execution > 1:
            return StepsPerExecution(self.steps_per_execution)
        return StepsPerExecution(1 if callbacks.needs_each_batch(mode) else None)

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
        """Evaluates the model on data.

        Args:
            x: Array or structure of arrays, or an iterable of batches.
            y: Array or structure. None for an iterable.
            batch_size: The number of samples in a step. None: 32.
            verbose: 0: silent, 1: a progress line, 2: one line, `"auto"`: 1.
            sample_weight: A weight for each sample.
            steps: The number of steps. None: one pass over the data.
            callbacks: List of callbacks.
            return_dict: Whether to return a dictionary.

        Returns:
            The loss and the metrics, as numbers in a list (one number where there is only the loss), or by name.

        Raises:
            StateError: if the model is not compiled.
            GraphcError: if the data do not fit.
        """
        _reject_arguments(kwargs, "evaluate")
        self._require_compiled("evaluate")
        steps = checked_steps("steps", steps)
        source = self._source("test", x, y, sample_weight, batch_size, steps=steps)
        source.prepare()
        callback_list = _callback_list(callbacks, self, verbose, 1, limited_steps(steps or source.steps))
        logs = self._evaluate(source, callback_list, steps)
        return logs if return_dict else self._as_list(logs)

    def _evaluate(self, source: Source, callbacks: CallbackList, steps: int | None) -> dict[str, Any]:
        self.stop_evaluating = False
        callbacks.on_test_begin()
        self.reset_metrics()
        source.begin()
        _, logs = self._loop("test", source, self._per_execution(callbacks, "test"), callbacks, steps)
        source.end()
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
            batch_size: The number of samples in a step. None: 32.
            verbose: 0: silent, 1: a progress line, 2: one line, `"auto"`: 1.
            steps: The number of steps. None: one pass over the data.
            callbacks: List of callbacks.

        Returns:
            NumPy array or a structure of them.

        Raises:
            GraphcError: if the data do not fit.
        """
        if callbacks is None and steps is None and verbose == 0:
            cached = self._cached_prediction(x)
            if cached is not None:
                results = cached.allocate(len(x))
                cached.run({"x0": x}, results, len(x), resolve_batch_size(batch_size, len(x)))
                if any(map(may_hold_nan, results)):
                    warn_of_nan(arrays_of(x), _PREDICTED)
                return cached.unflatten(results)
        steps = checked_steps("steps", steps)
        if x is None or not is_arrays(x):
            return self._predict_batches(x, batch_size, steps, callbacks, verbose)
        data = arrays_of(x, may_be_empty=True)
        prediction = self._prediction(x, data)
        if not data.size:
            return prediction.unflatten(prediction.empty_outputs())
        size = resolve_batch_size(batch_size, data.size, steps)
        whole = -(-data.size // size)
        limit = limited_steps(whole if steps is None else min(steps, whole))
        callback_list = _callback_list(callbacks, self, verbose, 1, limit)
        reports = steps is not None or limit != whole or callback_list.has_batch_hooks("predict")
        if isinstance(prediction, CompiledPrediction) and prediction.per_sample and not reports:
            callback_list.on_predict_begin()
            results = prediction.allocate(data.size)
            prediction.run(data.arrays, results, data.size, size)
            callback_list.on_predict_end()
        else:
            parts = (data.slice(start, min(start + size, data.size)) for start in range(0, data.size, size))
            results = self._predict_each(prediction, islice(parts, limit), prediction.run_once, callback_list)
        if any(map(may_hold_nan, results)):
            warn_of_nan(data, _PREDICTED)
        return prediction.unflatten(results)

    def _predict_batches(self, x: Any, batch_size: int | None, steps: int | None, callbacks: Any, verbose: Any) -> Any:
        source = self._source("predict", x, None, None, batch_size)
        first = source.prepare()
        assert isinstance(first, Prediction)
        limit = limited_steps(steps if steps is not None else source.steps)
        source.begin()
        # A batch is fetched only if it will be predicted: an iterator would lose it otherwise.
        batches = islice(iter(source.has_next, False), limit)
        callback_list = _callback_list(callbacks, self, verbose, 1, limit)
        results = self._predict_each(first, batches, lambda _: source.advance(1)[2], callback_list)
        source.end()
        return first.unflatten(results)

    def _predict_each(
        self,
        prediction: Prediction,
        batches: Iterable[Any],
        run: Callable[[Any], list[Array]],
        callbacks: CallbackList,
    ) -> list[Array]:
        """The outputs for batches, one batch at a time, with the callbacks' batch methods around each."""
        parts: list[list[Array]] = []
        self.stop_predicting = False
        callbacks.on_predict_begin()
        each, waiting = self.steps_per_execution, iter(batches)
        for number, batch in zip(count(0, each), waiting, strict=False):
            callbacks.on_predict_batch_begin(number)
            found = [run(part) for part in (batch, *islice(waiting, each - 1))]
            parts.append([_joined(list(leaf)) for leaf in zip(*found, strict=True)])
            callbacks.on_predict_batch_end(number + each - 1, {"outputs": prediction.unflatten(parts[-1])})
            if self.stop_predicting:
                break
        callbacks.on_predict_end()
        if not parts:
            raise DataError("the data are empty", where=describe(user_line()), got="an iterable without batches")
        return [_joined(list(leaf)) for leaf in zip(*parts, strict=True)]

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
        steps: int | None,
        validation_data: Any,
    ) -> tuple[Source, Batch | None]:
        """The source of the training steps, and the samples that are held out for validation."""
        if not is_arrays(x) or x is None:
            if y is not None and isinstance(x, list | tuple):
                raise ArgumentError(
                    "x is a list, and holds something that is no array",
                    where=describe(user_line()),
                    got=repr(x)[:60],
                    hint="pass numpy.asarray(x), or a list of arrays for a model of several inputs",
                )
            if y is not None or sample_weight is not None or validation_split:
                raise ArgumentError(
                    "an iterable of batches gives targets and weights itself, and cannot be split",
                    where=describe(user_line()),
                    hint="leave y, sample_weight and validation_split out",
                )
            used = _validation_arrays(validation_data) is not None  # for validation
            source = self._source("train", x, None, None, None if used else batch_size, shuffle, class_weight)
            return source, None
        data = self._checked(arrays_of(x, y, sample_weight), "train")
        held_out = None
        if validation_split:
            data, held_out = split_validation(data, validation_split)
        if class_weight is not None:
            # Class weights do not apply to the samples that are held out.
            weights = with_class_weight(data.of("y"), sample_weight, class_weight, self._output_names)
            data = arrays_of(data.of("x"), data.of("y"), weights)
        return ArraySource(self, "train", data, batch_size, shuffle, steps), held_out

    def _validation_source(
        self, data: Any, held_out: Batch | None, batch_size: int | None, steps: int | None
    ) -> Source | None:
        if data is not None:
            arrays = _validation_arrays(data)
            if arrays is None:
                return self._source("test", data, None, None, None)
            return self._source("test", *unpack_x_y_sample_weight(arrays), batch_size, steps=steps)
        if held_out is None:
            return None
        return ArraySource(self, "test", held_out, batch_size, steps=steps)

    def _source(
        self,
        mode: str,
        x: Any,
        y: Any,
        sample_weight: Any,
        batch_size: int | None,
        shuffle: Any = False,
        class_weight: Any = None,
        steps: int | None = None,
    ) -> Source:
        if x is not None and is_arrays(x):
            data = self._checked(arrays_of(x, y, sample_weight), mode)
            return ArraySource(self, mode, data, batch_size, shuffle, steps)
        if batch_size is not None:
            warnings.warn("batch_size has no effect: the iterable gives the batches itself", stacklevel=4)

        def make_batch(data: Any) -> Batch:
            if class_weight is not None:
                x, y, weight = unpack_x_y_sample_weight(data)
                if y is not None:
                    data = x, y, with_class_weight(y, weight, class_weight, self._output_names)
            return self._batch_of(mode, data)

        return IterableSource(self, mode, Batches(x, make_batch), bool(shuffle))

    def _checked(self, data: Batch, mode: str) -> Batch:
        self.check_batch(data, mode)
        warn_of_nan(data)
        return data


def _validation_arrays(data: Any) -> tuple[Any, ...] | None:
    """Validation data as arrays of inputs, targets and weights; None if they are an iterable of batches."""
    if isinstance(data, tuple | list) and is_arrays(list(data)[:1]):
        return tuple(data)
    return (data,) if data is not None and is_arrays(data) else None


def _joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts[0].ndim else np.stack(parts)


def _is_due(epoch: int, frequency: Any) -> bool:
    return (epoch + 1) % frequency == 0 if isinstance(frequency, int | np.integer) else (epoch + 1) in frequency


def _reject_arguments(kwargs: dict[str, Any], method: str) -> None:
    if kwargs:
        raise ArgumentError(f"`{method}` takes no such argument", got=", ".join(kwargs))


def _callback_list(
    callbacks: Any, model: Trainer, verbose: Any, epochs: int, steps: int | None, history: bool = False
) -> CallbackList:
    if isinstance(callbacks, CallbackList):
        if history and callbacks.history is None:
            callbacks.append(History())
            callbacks.set_model(model)
        return callbacks
    level = verbosity(verbose)
    return CallbackList(
        callbacks,
        add_history=history,
        add_progbar=level != 0,
        model=model,
        verbose=verbose if isinstance(verbose, str) else level,
        epochs=epochs,
        steps=steps,
    )
