"""The part of models that compiles steps, runs single batches, and holds losses and metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from graphc import config as settings
from graphc import dtypes, optimizers, tree
from graphc.errors import StateError
from graphc.graph.types import Origin
from graphc.layers import Layer
from graphc.layers.layer import training_mode
from graphc.layers.tracking import unique
from graphc.metrics import Mean
from graphc.models.data import (
    ArraySpec,
    Batch,
    DataSpec,
    arrays_of,
    batch_as_it_came,
    no_numbers,
    with_class_weight,
)
from graphc.models.eager import eager_program
from graphc.models.functional import check_input_shape
from graphc.models.indices import DataLookup, data_lookups
from graphc.models.objectives import CompileLoss, CompileMetrics
from graphc.models.program import CompiledPrediction, Prediction, Program, StepProgram, make
from graphc.models.steps import MODES, Steps, as_number
from graphc.saving.training import Progress, Restored
from graphc.tracing import (
    Array,
    KerasTensor,
    Variable,
    describe,
    scope,
    user_line,
)
from graphc.tracing.symbolic import infer_outputs
from graphc.transforms.programs import Family
from graphc.utils.arguments import whole_number
from graphc.utils.batches import unpack_x_y_sample_weight


class Trainer(Steps):
    """The methods of a model for its objectives, its compiled programs and single batches."""

    optimizer: Any
    compile_origin: Origin
    compiled: bool
    _cursors: dict[str, Variable]
    _programs: dict[Any, Family[Program]]
    _collected: tuple[list[Any], list[Any]] | None
    _prediction_cache: dict[Any, tuple[settings.Config, CompiledPrediction]]
    _lookups: dict[Any, tuple[DataLookup, ...]]
    _compile_loss: CompileLoss | None
    _compile_metrics: CompileMetrics | None
    _loss_tracker: Mean
    _output_names: list[str] | None
    _compile_config: dict[str, Any]
    steps_per_execution: int
    run_eagerly: bool
    stop_training: bool
    # How far the last `fit` has come, and the checkpoint with which the next one goes on.
    _progress: Progress | None
    _restored: Restored | None
    # What `make_train_function` and its kin made; None before.
    train_function: Any
    test_function: Any
    predict_function: Any

    _internal = Layer._internal | {
        "_cursors",
        "_compile_config",
        "_programs",
        "_collected",
        "_loss_tracker",
        "train_function",
        "test_function",
        "predict_function",
    }
    _internal |= {"_prediction_cache", "_lookups", "_compile_loss", "_compile_metrics", "optimizer", "history"}
    _internal |= {"_progress", "_restored"}

    def _prepare_trainer(self) -> None:
        """Sets the state of a model that is not compiled."""
        self.optimizer, self.compiled, self.stop_training = None, False, False
        self._progress, self._restored = None, None
        self.compile_origin = self._origin
        self._compile_loss, self._compile_metrics = None, None
        self.clear_programs()
        self._output_names, self._compile_config, self.steps_per_execution = None, {}, 1
        self.run_eagerly, self.jit_compile = False, True
        with scope("", absolute=True):
            self._cursors = {
                mode: Variable(np.int32(0), name=f"{mode}_cursor", trainable=False) for mode in ("train", "test")
            }
            self._loss_tracker = Mean(name="loss")

    # ---- compile

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Configures the model for training and evaluation.

        Args:
            optimizer: Name or object.
            loss: Name, function or object; for several outputs a list, or a dictionary by output.
            loss_weights: A factor for each output, likewise. None: ones.
            metrics: Names, functions or objects, as a list; for several outputs a list of lists or a dictionary.
            weighted_metrics: Likewise, for metrics that apply sample weights.
            run_eagerly: Whether each step runs its operations one by one, so that prints and breakpoints work in it.
            steps_per_execution: The number of steps between two calls of callbacks' batch methods.
            jit_compile: Accepted as in Keras; a step is always compiled.
            auto_scale_loss: Whether the optimizer of a model in `mixed_float16` is put in a `LossScaleOptimizer`, so
                that small gradients are not rounded to 0.

        Raises:
            ArgumentError: if a name is unknown, or an option is not supported.
        """
        whole_number("steps_per_execution", steps_per_execution, 1)
        chosen = optimizers.get(optimizer)
        if auto_scale_loss and chosen is not None and self.dtype_policy.name == "mixed_float16":
            scales = isinstance(chosen, optimizers.LossScaleOptimizer)
            chosen = chosen if scales else optimizers.LossScaleOptimizer(chosen)
        compile_loss = CompileLoss(loss, loss_weights) if loss is not None else None
        has_metrics = metrics is not None or weighted_metrics is not None
        compile_metrics = CompileMetrics(metrics, weighted_metrics, self._names_of_outputs) if has_metrics else None
        self.compile_origin = user_line()
        self.optimizer, self._compile_loss, self._compile_metrics = chosen, compile_loss, compile_metrics
        self.steps_per_execution, self.run_eagerly = steps_per_execution, bool(run_eagerly)
        self.jit_compile = bool(jit_compile)
        self.compiled, self.stop_training = True, False
        self.clear_programs()
        self._compile_config = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }

    def _names_of_outputs(self) -> list[str] | None:
        return self._output_names

    @property
    def loss(self) -> Any:
        """The loss, as it was given to `compile`."""
        return self._compile_config.get("loss")

    @property
    def metrics(self) -> list[Any]:
        """The metrics: the loss, those given to `compile`, its own, and those of layers."""
        if not self.compiled:
            return super().metrics
        trackers = self._compile_loss.trackers if self._compile_loss is not None else []
        named = [self._compile_metrics] if self._compile_metrics is not None else []
        return unique([self._loss_tracker, *named, *trackers, *super().metrics])

    def _metrics_within(self) -> list[Any]:
        """Those of its layers: its own are results of its own steps, as its loss is."""
        return self._metrics_of_layers()

    def _collected_metrics(self) -> list[Any]:
        return self.metrics if self._collected is None else self._collected[1]

    @property
    def metrics_names(self) -> list[str]:
        """The names of the metrics."""
        return [metric.name for metric in self.metrics]

    def metric_directions(self) -> dict[str, str]:
        """The direction of improvement, `"up"` or `"down"`, by name and log name of metric, where it is known."""
        found: dict[str, str | None] = {"loss": "down"}
        for metric in self.metrics:
            found.setdefault(metric.name, metric._direction)
        if self._compile_loss is not None:
            found.update((tracker.name, "down") for tracker in self._compile_loss.trackers)
        if self._compile_metrics is not None:
            for _, metric, name, _ in self._compile_metrics.members or ():
                found.setdefault(name, metric._direction)
                found.setdefault(metric.name, metric._direction)
        return {name: direction for name, direction in found.items() if direction is not None}

    def reset_metrics(self) -> None:
        """Resets all metrics."""
        for metric in self._collected_metrics():
            metric.reset_state()

    def _logs(self, program: Program, outputs: list[Array]) -> dict[str, Any]:
        """The logs after some steps: what the last one returned."""
        assert isinstance(program, StepProgram)
        return {name: as_number(value) for name, value in sorted(zip(program.logs, outputs, strict=True))}

    def _results_or(self, logs: dict[str, Any]) -> dict[str, Any]:
        """The logs of an epoch: those of its last step; or the results of the metrics, if they have these names.

        As in Keras, callbacks may then change the metrics, and an own step need not return their results.
        """
        results = self.get_metrics_result()
        return results if results.keys() == logs.keys() else logs

    def _as_list(self, logs: Mapping[str, Any]) -> Any:
        """Results as Keras lists them: those with a metric's name in the order of `metrics`, then the others."""
        names: list[str] = []
        for metric in self._collected_metrics():
            names += metric.names if isinstance(metric, CompileMetrics) else [metric.name]
        values = [logs[name] for name in names if name in logs]
        values += [value for name, value in sorted(logs.items()) if name not in names]
        return values[0] if len(values) == 1 else values

    # ---- programs

    def program(self, mode: str, data_spec: DataSpec, sizes: Mapping[str, int] | None = None) -> Program:
        """The compiled step for data of a spec; it is compiled once.

        Args:
            mode: `"train"`, `"test"` or `"predict"`.
            data_spec: The shapes and dtypes of the data, and how they nest.
            sizes: The symbolic sizes in the first step, if known.

        Raises:
            GraphcError: if the data do not fit the model.
        """
        family = self._programs.get(self._key(mode, data_spec))
        found = None if family is None else family.find(data_spec.shapes)
        if found is not None and found[0].is_current:
            return found[0]
        self._ensure_weights(data_spec)
        if mode == "train" and type(self).train_step is Steps.train_step and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        if family is None or found is not None:  # `found` was compiled with other rules of users' primitives
            family = Family(generalizes=not self.run_eagerly and self._own_function(mode) is None)
        program, _ = family.add(
            data_spec.shapes, lambda shapes, lengths: self._made(mode, data_spec, shapes, lengths, sizes)
        )
        # The parts that can be frozen, and the metrics, are collected once for each compilation: a walk over all layers
        # costs as much as a step of a small model.
        self._collected = [*self._flatten_layers(), *self.weights], self.metrics
        self._programs[self._key(mode, data_spec)] = family
        return program

    @property
    def made_programs(self) -> list[Program]:
        """All programs, in the order in which they were made."""
        return [program for family in self._programs.values() for _, program in family.programs]

    def _made(
        self, mode: str, data_spec: DataSpec, shapes: Any, lengths: Mapping[str, int], sizes: Mapping[str, int] | None
    ) -> Program:
        """A program for data of a spec with samples of these shapes."""
        spec = data_spec.with_shapes(shapes)
        own = self._own_function(mode)
        if self.run_eagerly or own is not None:
            return eager_program(self, spec, mode, own)
        try:
            return make(self, spec, mode, self._cursors, None if sizes is None else {**sizes, **lengths})
        finally:
            self._clear_losses()

    def _key(self, mode: str, data_spec: DataSpec) -> Any:
        """The key of programs in the cache: all that they depend on, but sizes."""
        flags: Any = None
        if mode == "train" and self._collected is not None:
            version = getattr(self.optimizer, "schedule_version", None)
            flags = version, tuple(part.trainable for part in self._collected[0])
        return mode, data_spec.without_sizes, flags, self.run_eagerly, settings.current()

    def make_train_function(self, force: bool = False) -> Any:
        """Sets and returns `train_function`, which trains on the next batch of an iterator and returns the logs.

        Subclasses may override it: `fit` then calls what it returns for each batch, and does not compile it.

        Args:
            force: Whether to make another one if there is one.
        """
        if self.train_function is None or force:
            self.train_function = lambda iterator: self._on_next("train", iterator)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Any:
        """Sets and returns `test_function`, likewise for evaluation."""
        if self.test_function is None or force:
            self.test_function = lambda iterator: self._on_next("test", iterator)
        return self.test_function

    def make_predict_function(self, force: bool = False) -> Any:
        """Sets and returns `predict_function`, which returns the outputs for the next batch of an iterator."""
        if self.predict_function is None or force:
            self.predict_function = lambda iterator: self._on_next("predict", iterator)
        return self.predict_function

    def _own_function(self, mode: str) -> Any:
        """What a subclass made to run steps of a mode; None if it overrides nothing."""
        name = f"make_{mode}_function"
        return None if getattr(type(self), name) is getattr(Trainer, name) else getattr(self, name)()

    def _on_next(self, mode: str, iterator: Iterator[Any]) -> Any:
        batch = self._batch_of(mode, next(iterator))
        program = self.program(mode, batch.spec)
        program.prepare(batch)
        outputs = program.run_once(batch)
        return program.unflatten(outputs) if isinstance(program, Prediction) else self._logs(program, outputs)

    def _batch_of(self, mode: str, data: Any) -> Batch:
        """A batch of an iterable, checked; a step that a subclass defines takes it as it came."""
        if self._has_own_step(mode):
            batch = batch_as_it_came(data)
        else:
            x, y, weight = unpack_x_y_sample_weight(data)
            batch = arrays_of(x, y, weight) if mode != "predict" else arrays_of(x)
        self.check_batch(batch, mode)
        return batch

    def clear_programs(self) -> None:
        """Drops the compiled programs, because the model has changed."""
        self.train_function = self.test_function = self.predict_function = None
        self._programs, self._collected, self._prediction_cache, self._lookups = {}, None, {}, {}

    def _ensure_weights(self, data_spec: DataSpec) -> None:
        """Creates the weights of a model that infers its shapes from the data."""
        if self.built and all(layer.built for layer in self._flatten_layers()):
            return
        if not (data_spec.rows and data_spec.structures[0] is not None):
            return  # a step of a subclass's own creates what it needs
        stand_ins = {leaf.name: KerasTensor((None, *leaf.shape), _floatx(leaf.dtype)) for leaf in data_spec.of("x")}
        with scope("", self.compile_origin, absolute=True), training_mode(False):
            try:
                infer_outputs(self, (data_spec.unflatten("x", stand_ins),), {})
            except Exception:
                # A model with steps of its own may not be one to call on the data; they create what they need.
                if not self._has_own_steps:
                    raise
                return
        self.built = True

    @property
    def _has_own_steps(self) -> bool:
        """Whether a subclass defines steps."""
        return any(map(self._has_own_step, MODES))

    def _has_own_step(self, mode: str) -> bool:
        """Whether a subclass defines what runs the steps of a mode."""
        step, function = f"{mode}_step", f"make_{mode}_function"
        kind = type(self)
        return getattr(kind, step) is not getattr(Steps, step) or (
            getattr(kind, function) is not getattr(Trainer, function)
        )

    def _require_compiled(self, method: str) -> None:
        if not self.compiled:
            raise StateError(
                f"`{method}` comes before `compile`",
                layer=self.name,
                where=describe(user_line()),
                hint="call model.compile(optimizer, loss) first",
            )

    # ---- checks on the host

    def check_batch(self, batch: Batch, mode: str) -> None:
        """Checks data against the model before anything runs; what a subclass's own step does with them is not known.

        Raises:
            ShapeError: if an input does not fit.
        """
        for leaf, wanted in () if self._has_own_step(mode) else self._match_inputs(batch.spec):
            shape = (None, *leaf.shape)
            if len(shape) == wanted.ndim and not (leaf.shape[-1:] == (1,) and wanted.shape[-1] != 1):
                check_input_shape(shape, wanted, batch.spec.display_name(leaf.name), describe(user_line()))
        strings = [leaf.name for leaf in batch.spec.leaves if leaf.dtype is dtypes.string]
        if strings and not any(layer._runs_on_host for layer in self._flatten_layers()):
            raise no_numbers(batch.arrays[strings[0]], batch.spec.display_name(strings[0]))
        for lookup in self._lookups_of(batch.spec):
            lookup.check(batch)

    def checked_layers(self, data_spec: DataSpec) -> frozenset[int]:
        """The layers, by identity, all of whose lookups in data of a spec are checked before a step."""
        return frozenset(lookup.lookup.owner for lookup in self._lookups_of(data_spec))

    def _lookups_of(self, data_spec: DataSpec) -> tuple[DataLookup, ...]:
        """The lookups of the model whose indices data of a spec hold; they are determined once."""
        key = data_spec, settings.current()
        if key not in self._lookups:
            self._ensure_weights(data_spec)
            found = data_lookups(self, data_spec)
            if found is None:
                return ()
            self._lookups[key] = found
        return self._lookups[key]

    @property
    def stateful_batch_size(self) -> int | None:
        """The batch size of stateful layers; None if there are none."""
        for layer in self._flatten_layers(include_self=False):
            states = tree.flatten(getattr(layer, "states", None) or [])
            if getattr(layer, "stateful", False) and states:
                return int(states[0].shape[0])
        return None

    def _match_inputs(self, data_spec: DataSpec) -> list[tuple[ArraySpec, KerasTensor]]:
        """The specs of the input arrays, each with its symbolic input; empty for a model without symbolic inputs."""
        return []

    # ---- single batches

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Runs one step of training on a batch.

        Args:
            x: Array or structure of arrays: the inputs.
            y: Likewise: the targets.
            sample_weight: A weight for each sample. None: equal weights.
            class_weight: Dictionary of class to weight.
            return_dict: Whether to return a dictionary.

        Returns:
            The loss and the metrics, as numbers in a list (one number where there is only the loss), or by name.

        Raises:
            GraphcError: if the data do not fit; the model is then unchanged.
        """
        self._require_compiled("train_on_batch")
        if class_weight is not None:
            sample_weight = with_class_weight(y, sample_weight, class_weight, self._output_names)
        return self._on_batch("train", arrays_of(x, y, sample_weight), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Evaluates the model on a batch; arguments and result are those of `train_on_batch`."""
        self._require_compiled("test_on_batch")
        return self._on_batch("test", arrays_of(x, y, sample_weight), return_dict)

    def _on_batch(self, mode: str, batch: Batch, return_dict: bool) -> Any:
        self.check_batch(batch, mode)
        program = self.program(mode, batch.spec)
        program.prepare(batch)
        self.reset_metrics()  # as in Keras, the results are those of this batch alone
        logs = self._logs(program, program.run_once(batch))
        return logs if return_dict else self._as_list(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for a batch.

        Args:
            x: Array or structure of arrays.

        Returns:
            NumPy array or a structure of them.
        """
        cached = self._cached_prediction(x)
        if cached is not None:
            results = cached.allocate(len(x))
            cached.run({"x0": x}, results, len(x), len(x))
            return cached.unflatten(results)
        batch = arrays_of(x, may_be_empty=True)
        prediction = self._prediction(x, batch)
        return prediction.unflatten(prediction.run_once(batch) if batch.size else prediction.empty_outputs())

    def _prediction(self, x: Any, data: Batch) -> Prediction:
        """The program that predicts for the user's data `x`, which are checked."""
        self.check_batch(data, "predict")
        program = self.program("predict", data.spec)
        assert isinstance(program, Prediction)
        program.prepare(data)
        known = type(x) is np.ndarray and data.arrays["x0"] is x
        # A model with lookups is not cached: the indices in each array must be checked.
        checked = any(lookup.inputs for lookup in self._lookups_of(data.spec))
        checked = checked or (isinstance(program, CompiledPrediction) and bool(program.host_calls))
        if known and isinstance(program, CompiledPrediction) and program.per_sample and not checked:
            self._prediction_cache[x.shape[1:], x.dtype] = settings.current(), program
        return program

    def _cached_prediction(self, x: Any) -> CompiledPrediction | None:
        """The cached program that predicted for an array of this shape and dtype, whose checks need not be repeated."""
        if type(x) is not np.ndarray or not x.shape or not x.shape[0]:
            return None
        found = self._prediction_cache.get((x.shape[1:], x.dtype))
        cached = found is not None and found[0] is settings.current() and found[1].is_current
        return found[1] if found is not None and cached and found[0].max_steps_per_epoch is None else None


def _floatx(dtype: Any) -> str:
    return settings.floatx() if dtype.is_float else str(dtype.name)
