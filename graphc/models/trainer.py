"""Training, evaluation and prediction: `compile`, `fit`, `evaluate`, `predict` and their kin."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc import config as settings
from graphc import losses as loss_table
from graphc import optimizers, tree
from graphc.errors import ArgumentError, DataError, StateError
from graphc.graph.types import Origin
from graphc.layers import Layer
from graphc.layers.layer import training_mode
from graphc.metrics import Mean
from graphc.models.data import Batch, Signature, arrays_of, check_labels, with_class_weight
from graphc.models.functional import check_fit
from graphc.models.objectives import CompileLoss, CompileMetrics, flat_outputs
from graphc.models.program import Prediction, Program, make
from graphc.tracing import KerasTensor, Tensor, Variable, as_tensor, describe, scope, untraced, user_line
from graphc.tracing.symbolic import infer_outputs


class Trainer(Layer):
    """The part of a model that trains: objectives, programs, and single steps."""

    optimizer: Any
    compile_origin: Origin
    random_step: Variable
    compiled: bool
    _cursors: dict[str, Variable]
    _programs: dict[Any, Program]
    _known: tuple[list[Variable], list[Any]] | None
    _ready: dict[Any, tuple[settings.Config, Prediction]]
    _compile_loss: CompileLoss | None
    _compile_metrics: CompileMetrics | None
    _loss_tracker: Mean
    _output_names: list[str] | None
    _compile_config: dict[str, Any]
    steps_per_execution: int
    stop_training: bool

    _internal = Layer._internal | {"random_step", "_cursors", "_compile_config", "_programs", "_known", "_loss_tracker"}
    _internal |= {"_ready", "_compile_loss", "_compile_metrics", "optimizer", "history"}

    def _prepare_trainer(self) -> None:
        """What a model has before it is compiled."""
        self.optimizer, self.compiled, self.stop_training = None, False, False
        self.compile_origin = self._origin
        self._compile_loss, self._compile_metrics = None, None
        self.forget_programs()
        self._output_names, self._compile_config, self.steps_per_execution = None, {}, 1
        with scope("", absolute=True):
            # Steps count from 1: what is drawn outside of training has 0, and other numbers.
            self.random_step = Variable(np.uint32(1), name="random_step", trainable=False)
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
        """Says how the model is trained and judged.

        Args:
            optimizer: Name or object.
            loss: Name, function or object; for several outputs a list, or a dictionary by output.
            loss_weights: A factor for each output, likewise. None: ones.
            metrics: Names, functions or objects, as a list; for several outputs a list of lists or a dictionary.
            weighted_metrics: Likewise; sample weights count for these.
            run_eagerly: Not supported: a step is always compiled.
            steps_per_execution: How many steps lie between two calls of callbacks' batch methods.
            jit_compile: Accepted as in Keras; a step is always compiled.
            auto_scale_loss: Accepted as in Keras; without effect, since losses are formed in float32.

        Raises:
            ArgumentError: if a name is unknown, or something not supported is asked for.
        """
        if run_eagerly:
            raise ArgumentError("run_eagerly is not supported: a step is always compiled", hint="leave it False")
        if not isinstance(steps_per_execution, int) or steps_per_execution < 1:
            raise ArgumentError("steps_per_execution is a positive integer", got=repr(steps_per_execution))
        self._refuse_own_steps()
        chosen = optimizers.get(optimizer)
        compile_loss = CompileLoss(loss, loss_weights) if loss is not None else None
        compile_metrics = CompileMetrics(metrics, weighted_metrics)
        self.compile_origin = user_line()
        self.optimizer, self._compile_loss, self._compile_metrics = chosen, compile_loss, compile_metrics
        self.steps_per_execution = steps_per_execution
        self.compiled, self.stop_training = True, False
        self.forget_programs()
        self._compile_config = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": False,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }

    @property
    def loss(self) -> Any:
        """The loss, as it was given to `compile`."""
        return self._compile_config.get("loss")

    @property
    def metrics(self) -> list[Any]:
        """The metrics: the loss, the ones given to `compile`, and those of layers."""
        if not self.compiled:
            return super().metrics
        own = [m for m in super().metrics if m is not self._loss_tracker and m is not self._compile_metrics]
        trackers = self._compile_loss.trackers if self._compile_loss is not None else []
        own = [m for m in own if not any(m is tracker for tracker in trackers)]
        named = [self._compile_metrics] if self._compile_metrics is not None else []
        return [self._loss_tracker, *named, *trackers, *own]

    def _known_metrics(self) -> list[Any]:
        return self.metrics if self._known is None else self._known[1]

    @property
    def metrics_names(self) -> list[str]:
        """The names of the metrics."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """Starts all metrics anew."""
        for metric in self._known_metrics():
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, float]:
        """What the metrics say now, by name."""
        results: dict[str, Any] = {}
        with untraced():
            for metric in self._known_metrics():
                value = metric.result()
                results.update(value if isinstance(value, Mapping) else {metric.name: value})
        return {name: _number(results[name]) for name in sorted(results)}

    def _in_order(self, logs: Mapping[str, float]) -> Any:
        """Results as Keras lists them: the loss, then the metrics in the order of `metrics`."""
        names: list[str] = []
        for metric in self._known_metrics():
            if isinstance(metric, CompileMetrics):
                names += [name for _, _, name, _ in metric.members or ()]
            else:
                names.append(metric.name)
        values = [logs[name] for name in names if name in logs]
        return values[0] if len(values) == 1 else values

    # ---- what a step computes

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of a batch: that of `compile`, and those that layers added. Subclasses may define it anew.

        Args:
            x: The inputs.
            y: The targets.
            y_pred: The outputs.
            sample_weight: Weights of samples, or None.
            training: Whether the model trains.

        Returns:
            A scalar tensor.

        Raises:
            StateError: if there is nothing to make small.
        """
        total: Any = None
        if self._compile_loss is not None and y is not None:
            self._compile_loss.build(self._names(y_pred))
            total = self._compile_loss(y, y_pred, sample_weight)
        for loss in self.losses:
            total = loss if total is None else total + loss
        if total is None:
            if training:
                raise StateError(
                    "there is no loss to make small",
                    where=describe(self.compile_origin),
                    hint="pass `loss` to compile and `y` to fit, or call `add_loss` in a layer",
                )
            return as_tensor(0.0)
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes a batch into the metrics of `compile`. Subclasses may define it anew."""
        if self._compile_metrics is None or y is None:
            return
        predicted = flat_outputs(y_pred)
        wanted: list[Any] = [as_tensor(leaf) for leaf in tree.flatten(y) if leaf is not None]
        if isinstance(y, Mapping) and isinstance(y_pred, Mapping):
            wanted = [y.get(key) for key in sorted(y_pred)]
        if len(wanted) != len(predicted):
            return
        weights: list[Any] = [None] * len(predicted) if sample_weight is None else tree.flatten(sample_weight)
        weights = weights * len(predicted) if len(weights) == 1 else weights
        names = self._names(y_pred)
        self._compile_metrics.build(names, wanted, predicted)
        self._compile_metrics.update_state(wanted, predicted, weights)

    def track(self, loss: Tensor, size: Any, y: Any, y_pred: Any, sample_weight: Any, x: Any) -> None:
        """Takes the loss and the metrics of a batch in."""
        with scope("metrics/loss"):
            self._loss_tracker.update_state(loss, sample_weight=size)
        self.compute_metrics(x, y, y_pred, sample_weight)

    def _names(self, y_pred: Any) -> list[str]:
        """The names of the outputs."""
        if isinstance(y_pred, Mapping):
            return sorted(y_pred)
        count = len(tree.flatten(y_pred))
        known = self._output_names
        return known if known is not None and len(known) == count else [f"output_{i + 1}" for i in range(count)]

    # ---- programs

    def program(self, mode: str, signature: Signature, sizes: Mapping[str, int] | None = None) -> Program:
        """The compiled step for data of a kind; it is compiled once.

        Args:
            mode: `"train"`, `"test"` or `"predict"`.
            signature: What the data look like.
            sizes: The sizes in the first step, if they are known.

        Raises:
            GraphcError: if the data do not fit the model.
        """
        found = self._programs.get(self._key(mode, signature))
        if found is not None:
            return found
        self._ensure_weights(signature)
        if mode == "train":
            self._ensure_optimizer()
        found = make(self, signature, mode, self._cursors, sizes)
        self._forget_losses()
        # Weights and metrics are looked up once for each compilation: walking through all layers costs as much as a
        # step of a small model.
        self._known = self.weights, self.metrics
        self._programs[self._key(mode, signature)] = found
        return found

    def _key(self, mode: str, signature: Signature) -> Any:
        """What a program depends on."""
        flags = None
        if mode == "train" and self._known is not None:
            flags = self.trainable, tuple(v.trainable for v in self._known[0])
        return mode, signature, flags, settings.current()

    def forget_programs(self) -> None:
        """Drops what was compiled, because the model has changed."""
        self._programs, self._known, self._ready = {}, None, {}

    def _ensure_weights(self, signature: Signature) -> None:
        """Makes the weights of a model that learns its shapes from the data."""
        if self.built and all(layer.built for layer in self._flatten_layers()):
            return
        stand_ins = {leaf.name: KerasTensor((None, *leaf.shape), _floatx(leaf.dtype)) for leaf in signature.of("x")}
        with scope("", self.compile_origin, absolute=True), training_mode(False):
            infer_outputs(self, (signature.nested("x", stand_ins),), {})
        self.built = True

    def _ensure_optimizer(self) -> None:
        weights = self.trainable_variables
        if not self.optimizer.built:
            self.optimizer.build(weights)
        if not weights:
            warnings.warn("the model has no weights to train", stacklevel=3)

    def _refuse_own_steps(self) -> None:
        """A step that a subclass wrote itself would not be what is compiled: better to say so than to pass it over."""
        for method in ("train_step", "test_step", "predict_step"):
            if hasattr(type(self), method):
                raise StateError(
                    f"a model's own `{method}` is not supported yet",
                    layer=self.name,
                    where=describe(user_line()),
                    hint="override compute_loss or compute_metrics instead",
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
        """Checks data against the model before anything runs.

        Raises:
            ShapeError: if an input does not fit.
            DataError: if a label is out of range.
            ArgumentError: if targets are missing.
        """
        leaves = batch.signature.of("x")
        wanted = self._input_specs()
        if wanted is not None and len(wanted) == len(leaves):
            for leaf, spec in zip(leaves, wanted, strict=True):
                shape = (None, *leaf.shape)
                if len(shape) == spec.ndim and not (leaf.shape[-1:] == (1,) and spec.shape[-1] != 1):
                    name = "x" if len(leaves) == 1 else f"x[{int(leaf.name[1:])}]"
                    check_fit(shape, spec, name, describe(user_line()))
        if mode == "train" and self._compile_loss is not None and batch.signature.structures[1] is None:
            raise DataError(
                "there are no targets", where=describe(user_line()), hint="pass `y`, which the loss compares with"
            )
        self._check_targets(batch)

    @property
    def batch_of_states(self) -> int | None:
        """The size of a batch for which layers keep states; None where none do."""
        for layer in self._flatten_layers(include_self=False):
            states = tree.flatten(getattr(layer, "states", None) or [])
            if getattr(layer, "stateful", False) and states:
                return int(states[0].shape[0])
        return None

    def _input_specs(self) -> list[KerasTensor] | None:
        """The symbolic inputs of the model; None where it has none."""
        return None

    def _output_specs(self) -> list[KerasTensor] | None:
        return None

    def _check_targets(self, batch: Batch) -> None:
        """Labels must be classes: on a device they would silently pick the wrong one."""
        targets, outputs = batch.signature.of("y"), self._output_specs()
        if self._compile_loss is None or outputs is None or len(targets) != len(outputs):
            return
        spec = tree.flatten(self._compile_loss.spec)
        for i, (leaf, output) in enumerate(zip(targets, outputs, strict=True)):
            loss = spec[i] if len(spec) == len(targets) else spec[0]
            sparse = getattr(loss, "fn", None) is loss_table.sparse_categorical_crossentropy
            classes = output.shape[-1] if output.ndim else None
            ignored = getattr(loss, "_fn_kwargs", {}).get("ignore_class")
            if sparse and classes is not None and ignored is None:
                name = "y" if len(targets) == 1 else f"y[{i}]"
                check_labels(batch.arrays[leaf.name], int(classes), name, describe(user_line()))

    # ---- single batches

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Does one step of training on a batch.

        Args:
            x: Array or structure of arrays: the inputs.
            y: Likewise: the targets.
            sample_weight: A weight for each sample. None: all count alike.
            class_weight: Dictionary of class to weight.
            return_dict: Whether to return a dictionary.

        Returns:
            The loss and the metrics, as numbers in a list (one number where there is only the loss), or by name.

        Raises:
            GraphcError: if the data do not fit; nothing has then changed.
        """
        self._require_compiled("train_on_batch")
        if class_weight is not None:
            sample_weight = with_class_weight(y, sample_weight, class_weight)
        return self._on_batch("train", arrays_of(x, y, sample_weight), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Judges the model on a batch; arguments and result are those of `train_on_batch`."""
        self._require_compiled("test_on_batch")
        return self._on_batch("test", arrays_of(x, y, sample_weight), return_dict)

    def _on_batch(self, mode: str, batch: Batch, return_dict: bool) -> Any:
        self.check_batch(batch, mode)
        self.reset_metrics()  # as in Keras: the numbers are those of this batch alone
        self.program(mode, batch.signature).run_once(batch)
        logs = self.get_metrics_result()
        return logs if return_dict else self._in_order(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for a batch.

        Args:
            x: Array or structure of arrays.

        Returns:
            NumPy array or a structure of them.
        """
        ready = self._ready_for(x)
        if ready is not None:
            results = ready.results(len(x))
            ready.run({"x0": x}, results, len(x), len(x))
            return ready.structured(results)
        batch = arrays_of(x)
        prediction = self._prediction(x, batch)
        return prediction.structured(prediction.run_once(batch))

    def _prediction(self, x: Any, data: Batch) -> Prediction:
        """The program that predicts for the user's data `x`, which are checked."""
        self.check_batch(data, "predict")
        program = self.program("predict", data.signature)
        assert isinstance(program, Prediction)
        if type(x) is np.ndarray and data.arrays["x0"] is x and program.by_sample:
            self._ready[x.shape[1:], x.dtype] = settings.current(), program
        return program

    def _ready_for(self, x: Any) -> Prediction | None:
        """The program that predicted for an array like this before: what was checked then holds for this one, too."""
        if type(x) is not np.ndarray or not x.shape or not x.shape[0]:
            return None
        found = self._ready.get((x.shape[1:], x.dtype))
        return found[1] if found is not None and found[0] is settings.current() else None


def _number(value: Any) -> Any:
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array


def _floatx(dtype: Any) -> str:
    return settings.floatx() if dtype.is_float else str(dtype.name)
