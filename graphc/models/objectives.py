"""The objectives of a compiled model: the losses and metrics of its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from graphc import losses, metrics, tree
from graphc.errors import ArgumentError, DataError, GraphcError
from graphc.losses import Loss, LossFunctionWrapper
from graphc.metrics import Mean, MeanMetricWrapper, Metric
from graphc.models.data import Classes
from graphc.models.outputs import Outputs, Place
from graphc.tracing import Tensor, as_tensor, current_origin, describe, scope, snake_case, user_line
from graphc.transforms.autograph import for_trace
from graphc.utils.arguments import number

T = TypeVar("T")


@dataclass(frozen=True)
class OutputLoss:
    """The loss of one output, or of a structure of several.

    Args:
        place: Its place in the structure of the outputs.
        loss: The loss.
        factor: The weight of the loss in the total. None: 1.
    """

    place: Place
    loss: Loss
    factor: Any


@dataclass(frozen=True)
class WeightedLoss:
    """A loss as given to `compile`, with its weight in the total."""

    loss: Loss | None
    factor: Any = None


class CompileLoss:
    """The loss of a model: the weighted sum of the losses of its outputs.

    Args:
        loss: As given to `compile`.
        loss_weights: A factor for each output, or for each loss, as given to `compile`.

    Attributes:
        output_losses: The losses, in the order in which they were given; None before `build`.
        trackers: The means of the losses, where there are several.
    """

    def __init__(self, loss: Any, loss_weights: Any = None) -> None:
        self.spec = tree.map_structure(_loss_of, loss, none_is_leaf=False) if loss is not None else None
        self.weights = loss_weights
        self.output_losses: list[OutputLoss] | None = None
        self.trackers: list[Metric] = []

    def build(self, outputs: Outputs) -> list[OutputLoss]:
        """Matches the losses with the model's outputs, once.

        Raises:
            ArgumentError: if losses or their weights do not fit the outputs.
        """
        if self.output_losses is None:
            placed = outputs.places(self.spec, "loss")
            if not isinstance(outputs.structure, Mapping):
                placed.sort(key=lambda pair: pair[0].indices.start)
            self._require_all(outputs, placed)
            self.output_losses = self._weighted(outputs, placed)
            if len(self.output_losses) > 1:
                names = [outputs.loss_name(part.place, part.loss.name) for part in self.output_losses]
                self.trackers = [Mean(name=f"{name}_loss") for name in names]
        return self.output_losses

    def _require_all(self, outputs: Outputs, placed: list[tuple[Place, Any]]) -> None:
        """Raises an error where losses given by name do not name all outputs: one may be misspelt or forgotten."""
        named = {index for place, _ in placed for index in place.indices}
        if isinstance(self.spec, Mapping) and not isinstance(outputs.structure, Mapping) and len(named) != len(outputs):
            raise ArgumentError(
                "loss does not name all outputs of the model",
                got=", ".join(map(repr, self.spec)),
                expected=", ".join(map(repr, outputs.names)),
                hint="give None for an output without a loss",
            )

    def _weighted(self, outputs: Outputs, placed: list[tuple[Place, Any]]) -> list[OutputLoss]:
        """The losses with their weights: one for each output, or one for each loss, nested as the losses are."""
        losses_of = [part for part in placed if part[1] is not None]
        if self.weights is None:
            return [OutputLoss(place, loss, None) for place, loss in losses_of]
        starts = [place.indices.start for place, _ in placed]
        if len(set(starts)) == len(starts) and all(len(place.indices) == 1 for place, _ in placed):
            factors = self._factors(outputs, [place.indices.start for place, _ in losses_of])
            return [OutputLoss(place, loss, factors[place.indices.start]) for place, loss in losses_of]
        try:
            pairs = tree.map_structure(WeightedLoss, self.spec, self.weights)
        except GraphcError as error:
            raise ArgumentError(
                "loss_weights does not fit the losses, of which some apply to several outputs",
                where=describe(user_line()),
                got=repr(self.weights)[:200],
                expected="a number for each loss, nested as the losses are",
            ) from error
        parts = [(place, pair) for place, pair in outputs.places(pairs, "loss") if pair and pair.loss is not None]
        for _, pair in parts:
            _check_factor(pair.factor)
        return [OutputLoss(place, pair.loss, pair.factor) for place, pair in parts]

    def _factors(self, outputs: Outputs, needed: list[int]) -> list[Any]:
        factors = outputs.per_output(self.weights, "loss_weights", shared=True)
        for factor in factors:
            _check_factor(factor)
        missing = [outputs.names[index] for index in needed if factors[index] is None]
        if missing and isinstance(self.weights, Mapping):
            raise ArgumentError(
                "loss_weights does not name all outputs that have a loss",
                got=", ".join(map(repr, self.weights)),
                expected=f"also {', '.join(map(repr, missing))}",
                hint="give 1.0 for a loss that counts as it is",
            )
        return factors

    def __call__(self, y_true: Any, outputs: Outputs, sample_weight: Any = None) -> Tensor | None:
        """The total loss; None if no output has a loss. If several have one, the mean of each is tracked too."""
        parts = self.build(outputs)
        wanted, weights = self.targets(y_true, outputs), weights_of(sample_weight, outputs)
        self.output_losses = parts = [_chosen(part, wanted, outputs) for part in parts]
        for index, classes in self.classes(outputs).items():
            _note_labels(wanted[index], classes)
        trackers: list[Metric | None] = [*self.trackers] or [None] * len(parts)
        total: Any = None
        for part, tracker in zip(parts, trackers, strict=True):
            for index in part.place.indices:
                if wanted[index] is None:
                    raise missing_target(outputs, index, "loss")
            with scope(part.loss.name):
                target, weight = outputs.picked(part.place, wanted), _weight_at(part.place, weights, outputs)
                value = as_tensor(part.loss(target, outputs.at(part.place), weight))
                if tracker is not None:
                    batch = as_tensor(outputs.leaves[part.place.indices.start]).shape[0]
                    tracker.update_state(value, sample_weight=batch)
                value = value if part.factor is None else value * part.factor
                total = value if total is None else total + value
        return total  # type: ignore[no-any-return]

    def targets(self, y_true: Any, outputs: Outputs) -> list[Any]:
        """The target of each output. `y_true` may have one for each output, or one for each output with a loss."""
        needed = sorted({index for part in self.build(outputs) for index in part.place.indices})
        if len(needed) == 1 < len(outputs) and not isinstance(y_true, list | tuple | Mapping):
            y_true = [y_true]
        if isinstance(y_true, list | tuple) and len(y_true) == len(needed) < len(outputs):
            result: list[Any] = [None] * len(outputs)
            for index, target in zip(needed, y_true, strict=True):
                result[index] = target
            return result
        return outputs.per_output(y_true, "targets")

    def classes(self, outputs: Outputs) -> dict[int, Classes]:
        """The valid integer labels, by index of the output, for the outputs whose targets are integer labels."""
        sparse = [part for part in self.build(outputs) if _is_sparse(part.loss) and len(part.place.indices) == 1]
        found = {part.place.indices.start: _ignored(part.loss) for part in sparse}
        shapes = {index: tuple(outputs.leaves[index].shape) for index in found}
        return {
            index: Classes(shapes[index][-1], ignored)
            for index, ignored in found.items()
            if shapes[index] and isinstance(shapes[index][-1], int)
        }


_labels: ContextVar[list[tuple[Any, Classes]] | None] = ContextVar("graphc_labels", default=None)


@contextmanager
def noted_labels() -> Iterator[list[tuple[Any, Classes]]]:
    """A context that notes the targets which losses treat as integer labels, each with its valid labels."""
    found: list[tuple[Any, Classes]] = []
    token = _labels.set(found)
    try:
        yield found
    finally:
        _labels.reset(token)


def _note_labels(target: Any, classes: Classes) -> None:
    found = _labels.get()
    if found is not None:
        found.append((target, classes))


def missing_target(outputs: Outputs, index: int, what: str) -> DataError:
    """The error for an output that has a loss or a metric but no target."""
    return DataError(
        f"there is no target for the output {outputs.names[index]!r}, which has a {what}",
        where=describe(user_line()),
        hint="give one in `y`, or None as its loss and no metrics",
    )


def weights_of(sample_weight: Any, outputs: Outputs) -> list[Any]:
    """The sample weights of each output; a single array applies to all outputs."""
    if sample_weight is None:
        return [None] * len(outputs)
    return outputs.per_output(sample_weight, "sample_weight", shared=True)


def _is_sparse(loss: Loss) -> bool:
    return getattr(loss, "fn", None) is losses.sparse_categorical_crossentropy


def _ignored(loss: Loss) -> int | None:
    ignored: int | None = getattr(loss, "_fn_kwargs", {}).get("ignore_class")
    return ignored


def _loss_of(spec: Any) -> Any:
    if isinstance(spec, str) and spec.lower() in _CROSSENTROPY:
        return LossFunctionWrapper(_undecided, name=spec)
    found = losses.get(spec)
    if found is None or isinstance(found, Loss):
        return found
    return LossFunctionWrapper(found, name=spec if isinstance(spec, str) else name_of_function(found))


def _undecided(y_true: Any, y_pred: Any) -> Any:
    """Stands for the cross-entropy that `_chosen` puts in its place."""
    raise NotImplementedError("a loss is chosen when targets and predictions are known")


def _chosen(part: OutputLoss, targets: list[Any], outputs: Outputs) -> OutputLoss:
    """The loss of an output, where that depends on the shape of its target."""
    index = part.place.indices.start
    if targets[index] is None or getattr(part.loss, "fn", None) is not _undecided:
        return part
    known = (losses.binary_crossentropy, losses.sparse_categorical_crossentropy, losses.categorical_crossentropy)
    function = by_shape(known, targets[index], as_tensor(outputs.leaves[index]))
    return replace(part, loss=LossFunctionWrapper(function, name=part.loss.name))


def _check_factor(factor: Any) -> None:
    if not hasattr(factor, "shape"):  # a variable may change between steps: its value is not checked
        number("a weight in loss_weights", factor, optional=True)


def _weight_at(place: Place, weights: list[Any], outputs: Outputs) -> Any:
    """The sample weights of the loss at a place: one array that applies to all its outputs, or theirs, nested alike."""
    first = weights[place.indices.start]
    return first if all(weights[i] is first for i in place.indices) else outputs.picked(place, weights)


def name_of_function(function: Any) -> str:
    """The name of a function or callable object in logs."""
    return snake_case(getattr(function, "__name__", type(function).__name__))


class CompileMetrics(Metric):
    """The metrics of a model's outputs.

    Args:
        specs: The metrics, as given to `compile`.
        weighted: The metrics that apply sample weights, as given to `compile`.
        names: Returns the names of the outputs that are known now; None: they have none.
    """

    def __init__(self, specs: Any, weighted: Any, names: Callable[[], Sequence[str] | None]) -> None:
        super().__init__(name="compile_metrics")
        self._output_names = names
        for what, given in (("metrics", specs), ("weighted_metrics", weighted)):
            if given and not isinstance(given, list | tuple | Mapping):
                raise ArgumentError(f"{what} is a list or a dictionary", got=repr(given), hint=f"pass [{given!r}]")
        self._specs = specs or None
        self._weighted = weighted or None
        for spec in (*_listed(specs), *_listed(weighted)):
            if isinstance(spec, str) and spec not in _BY_SHAPE:
                metrics.get(spec)
        self.members: list[tuple[int, Metric, str, bool]] | None = None

    @property
    def variables(self) -> list[Any]:
        """The variables of all metrics."""
        return [v for _, metric, _, _ in self.members or () for v in metric.variables]

    @property
    def names(self) -> list[str]:
        """The names of the metrics, without the names of outputs."""
        return [metric.name for _, metric, _, _ in self.members or ()]

    def build(self, outputs: Outputs, y_true: list[Any]) -> None:
        """Matches the metrics with the outputs, whose shapes decide what `"accuracy"` means.

        Raises:
            ArgumentError: if the metrics do not fit the outputs.
            DataError: if an output with a metric has no target.
        """
        if self.members is not None:
            return
        members: list[tuple[int, Metric, str, bool]] = []
        counts: dict[str, int] = {}
        for specs, weighted in ((self._specs, False), (self._weighted, True)):
            for i, given in enumerate(_by_output(specs, outputs, "weighted_metrics" if weighted else "metrics")):
                for spec in _flat(given):
                    if y_true[i] is None:
                        raise missing_target(outputs, i, "metric")
                    metric = _metric_of(spec, y_true[i], as_tensor(outputs.leaves[i]))
                    name = outputs.metric_name(i, metric.name)
                    if weighted and name in counts:
                        name = outputs.metric_name(i, f"weighted_{metric.name}")
                    members.append((i, metric, _counted(name, counts), weighted))
        self.members = members

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Updates the metrics with a batch.

        Args:
            y_true: The targets, one for each output.
            y_pred: The outputs.
            sample_weight: Weights of samples, one for all outputs or one for each; or None.

        Raises:
            ArgumentError: if targets or metrics do not fit the outputs.
            DataError: if an output with a metric has no target.
        """
        outputs = Outputs(y_pred, self._output_names())
        wanted, weights = outputs.per_output(y_true, "targets"), weights_of(sample_weight, outputs)
        self.build(outputs, wanted)
        for i, metric, name, weighted in self.members or ():
            if wanted[i] is None:
                raise missing_target(outputs, i, "metric")
            with scope(f"metrics/{name}"):
                try:
                    for_trace(metric.update_state)(wanted[i], outputs.leaves[i], **_weight_of(weights[i], weighted))
                except GraphcError as error:
                    origin = current_origin()
                    raise error.locate(layer=origin.layer, where=describe(origin)) from None

    def reset_state(self) -> None:
        """Resets all metrics, each as it says."""
        for _, metric, _, _ in self.members or ():
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """The results by name."""
        return {name: for_trace(metric.result)() for _, metric, name, _ in self.members or ()}


def _by_output(specs: Any, outputs: Outputs, what: str) -> list[Any]:
    if specs is None:
        return []
    if len(outputs) > 1:
        return outputs.per_output(specs, what, listed=True)
    if isinstance(specs, Mapping):
        specs = [part for _, part in outputs.match(specs, what, listed=True)]
    return [tree.flatten(specs)]


def _counted(name: str, counts: dict[str, int]) -> str:
    """A unique name: the second `mae` is `mae_1`."""
    count = counts[name] = counts.get(name, 0) + 1
    return name if count == 1 else f"{name}_{count - 1}"


def _weight_of(weight: Any, weighted: bool) -> dict[str, Any]:
    return {"sample_weight": weight} if weighted and weight is not None else {}


def _listed(specs: Any) -> list[Any]:
    return [spec for spec in tree.flatten(specs) if spec is not None] if specs is not None else []


def _flat(given: Any) -> list[Any]:
    if given is None:
        return []
    specs = list(given) if isinstance(given, list | tuple) else [given]
    if None in specs:
        raise ArgumentError("a metric is None", where=describe(user_line()), got=repr(given)[:80])
    return specs


def by_shape(choices: tuple[T, T, T], y_true: Any, y_pred: Tensor) -> T:
    """What is for one probability, for integer labels, or for one-hot labels, as shapes tell."""
    binary, sparse, dense = choices
    wanted = as_tensor(y_true)
    if y_pred.shape[-1] == 1:
        return binary
    return sparse if wanted.ndim < y_pred.ndim or wanted.shape[-1] == 1 else dense


_CROSSENTROPY = ("crossentropy", "ce")
# Names whose metric depends on the shapes of targets and predictions: binary, integer labels, one-hot labels.
_BY_SHAPE: Mapping[str, tuple[type[Metric], type[Metric], type[Metric]]] = {
    **dict.fromkeys(
        ("accuracy", "acc"),
        (metrics.BinaryAccuracy, metrics.SparseCategoricalAccuracy, metrics.CategoricalAccuracy),
    ),
    **dict.fromkeys(
        _CROSSENTROPY,
        (metrics.BinaryCrossentropy, metrics.SparseCategoricalCrossentropy, metrics.CategoricalCrossentropy),
    ),
}


def _metric_of(spec: Any, y_true: Any, y_pred: Tensor) -> Metric:
    """The metric for a name, a function or an object; a metric created from a name is named so."""
    if isinstance(spec, str) and spec.lower() in _BY_SHAPE:
        return by_shape(_BY_SHAPE[spec.lower()], y_true, y_pred)(name=spec)
    found = metrics.get(spec)
    if isinstance(found, Metric):
        if isinstance(spec, str):
            found.name = spec
        return found
    return MeanMetricWrapper(found, name=name_of_function(found))
