"""What a compiled model is trained and judged by: the losses and metrics of its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc import losses, metrics, tree
from graphc.errors import ArgumentError, GraphcError
from graphc.losses import Loss, LossFunctionWrapper
from graphc.metrics import Mean, MeanMetricWrapper, Metric
from graphc.registration import choices
from graphc.tracing import Tensor, as_tensor, current_origin, describe, scope


def flat_outputs(y_pred: Any) -> list[Tensor]:
    """The outputs of a model in order."""
    return [as_tensor(leaf) for leaf in tree.flatten(y_pred)]


def per_output(spec: Any, names: list[str], what: str, structure: Any = None) -> list[Any]:
    """What a user gave for each output: one thing for the only one, a list, or a dictionary by name.

    Args:
        spec: What the user gave.
        names: The names of the outputs.
        what: What it is, for errors.
        structure: How the outputs nest; a dictionary of outputs is in the order of its sorted keys.

    Raises:
        ArgumentError: if the numbers differ or a name is unknown.
    """
    if isinstance(spec, Mapping):
        unknown = [key for key in spec if key not in names]
        if unknown:
            raise ArgumentError(
                f"{what} names an output that the model has not",
                got=repr(unknown[0]),
                expected=f"one of {', '.join(names)}",
                hint=choices(unknown[0], names),
            )
        return [spec.get(name) for name in names]
    if isinstance(spec, list | tuple):
        if len(spec) != len(names):
            raise ArgumentError(
                f"{what} does not fit the model's outputs", got=f"{len(spec)}", expected=f"{len(names)}: {names}"
            )
        return list(spec)
    return [spec] * len(names)


class CompileLoss:
    """The loss of a model: the weighted sum of the losses of its outputs.

    Args:
        loss: As given to `compile`.
        loss_weights: A factor for each output, as given to `compile`.
    """

    def __init__(self, loss: Any, loss_weights: Any = None) -> None:
        self.spec = tree.map_structure(_loss_of, loss, none_is_leaf=False) if loss is not None else None
        self.weights = loss_weights
        self.parts: list[Loss | None] | None = None
        self.factors: list[float | None] = []
        self.trackers: list[Metric] = []
        self._tracked: list[int] = []

    def build(self, names: list[str]) -> None:
        """Learns the names of the model's outputs."""
        if self.parts is not None:
            return
        spec = self.spec
        if isinstance(spec, list | tuple) and len(names) == 1 and len(spec) == 1:
            spec = spec[0]
        self.parts = per_output(spec, names, "loss")
        self.factors = per_output(self.weights, names, "loss_weights") if self.weights is not None else []
        if len(names) > 1:
            self._tracked = [i for i, part in enumerate(self.parts) if part is not None]
            self.trackers = [Mean(name=f"{names[i]}_loss") for i in self._tracked]

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor | None:
        """The loss; None where no output has one. Each output's own is noted where there are several."""
        assert self.parts is not None
        predicted, wanted = flat_outputs(y_pred), _targets(y_true, y_pred, self.parts)
        weights = _weights(sample_weight, len(predicted))
        total: Any = None
        for i, part in enumerate(self.parts):
            if part is None:
                continue
            with scope(part.name):
                value = as_tensor(part(wanted[i], predicted[i], weights[i]))
                if self.trackers:
                    tracker = self.trackers[self._tracked.index(i)]
                    tracker.update_state(value, sample_weight=predicted[i].shape[0])
                factor = self.factors[i] if self.factors else None
                value = value if factor is None else value * factor
                total = value if total is None else total + value
        return total  # type: ignore[no-any-return]

    def sparse_outputs(self) -> list[int]:
        """The outputs whose targets are integer labels."""
        return [i for i, part in enumerate(self.parts or ()) if part is not None and _is_sparse(part)]


def wants_classes(objective: CompileLoss | None, outputs: int) -> list[bool]:
    """For each output, whether its targets are integer labels; also before the outputs have names."""
    if objective is None:
        return [False] * outputs
    parts = objective.parts or tree.flatten(objective.spec)
    return [part is not None and _is_sparse(part) for part in (parts * outputs if len(parts) == 1 else parts)]


def _is_sparse(loss: Loss) -> bool:
    function = getattr(loss, "fn", None)
    return function is losses.sparse_categorical_crossentropy and not getattr(loss, "_fn_kwargs", {}).get(
        "ignore_class"
    )


def _loss_of(spec: Any) -> Any:
    found = losses.get(spec)
    if found is None or isinstance(found, Loss):
        return found
    name = found.__name__ if hasattr(found, "__name__") else type(found).__name__
    return LossFunctionWrapper(found, name=name)


def _targets(y_true: Any, y_pred: Any, parts: list[Any]) -> list[Any]:
    """The target of each output that has a loss."""
    if isinstance(y_true, Mapping) and isinstance(y_pred, Mapping):
        return [y_true.get(key) for key in sorted(y_pred)]
    given = [leaf for leaf in tree.flatten(y_true) if leaf is not None]
    if len(given) == len(parts):
        return given
    needed = [i for i, part in enumerate(parts) if part is not None]
    if len(given) != len(needed):
        raise ArgumentError(
            "the number of targets does not fit the model's outputs", got=f"{len(given)}", expected=f"{len(needed)}"
        )
    result: list[Any] = [None] * len(parts)
    for i, target in zip(needed, given, strict=True):
        result[i] = target
    return result


def _weights(sample_weight: Any, count: int) -> list[Any]:
    if sample_weight is None:
        return [None] * count
    given = tree.flatten(sample_weight)
    return given * count if len(given) == 1 else given


class CompileMetrics(Metric):
    """The metrics of a model's outputs.

    Args:
        specs: As given to `compile`.
        weighted: Likewise: those that sample weights count for.
    """

    def __init__(self, specs: Any, weighted: Any) -> None:
        super().__init__(name="compile_metrics")
        self._specs = specs
        self._weighted = weighted
        for spec in (*_listed(specs), *_listed(weighted)):
            if isinstance(spec, str) and spec not in _BY_SHAPE:
                metrics.get(spec)
        self.members: list[tuple[int, Metric, str, bool]] | None = None

    @property
    def variables(self) -> list[Any]:
        """The variables of all metrics."""
        return [v for _, metric, _, _ in self.members or () for v in metric.variables]

    def build(self, names: list[str], y_true: list[Any], y_pred: list[Tensor]) -> None:
        """Learns the outputs, from which `"accuracy"` takes its meaning."""
        if self.members is not None:
            return
        members: list[tuple[int, Metric, str, bool]] = []
        taken: set[str] = set()
        for specs, weighted in ((self._specs, False), (self._weighted, True)):
            for i, given in enumerate(self._by_output(specs, names)):
                for spec in _flat(given):
                    metric, name = _metric_of(spec, y_true[i], y_pred[i])
                    name = name if len(names) == 1 else f"{names[i]}_{name}"
                    name = f"weighted_{name}" if name in taken and weighted else name
                    taken.add(name)
                    members.append((i, metric, name, weighted))
        self.members = members

    def _by_output(self, specs: Any, names: list[str]) -> list[Any]:
        if specs is None:
            return []
        if isinstance(specs, Mapping) or len(names) == 1:
            return per_output(specs, names, "metrics") if isinstance(specs, Mapping) else [specs]
        if isinstance(specs, list | tuple) and len(specs) == len(names):
            return list(specs)
        if isinstance(specs, list | tuple) and not any(isinstance(part, list | tuple) for part in specs):
            return [specs] * len(names)
        return per_output(specs, names, "metrics")

    def update_state(self, y_true: list[Any], y_pred: list[Tensor], weights: list[Any]) -> None:
        """Takes a batch in."""
        for i, metric, name, weighted in self.members or ():
            if y_true[i] is None:
                continue
            with scope(f"metrics/{name}"):
                try:
                    metric.update_state(y_true[i], y_pred[i], **_weight_of(weights[i], weighted))
                except GraphcError as error:
                    origin = current_origin()
                    raise error.locate(layer=origin.layer, where=describe(origin)) from None

    def result(self) -> dict[str, Any]:
        """The results by name."""
        return {name: metric.result() for _, metric, name, _ in self.members or ()}


def _weight_of(weight: Any, weighted: bool) -> dict[str, Any]:
    return {"sample_weight": weight} if weighted and weight is not None else {}


def _listed(specs: Any) -> list[Any]:
    return [spec for spec in tree.flatten(specs) if spec is not None] if specs is not None else []


def _flat(given: Any) -> list[Any]:
    return [spec for spec in (given if isinstance(given, list | tuple) else [given]) if spec is not None]


# Names whose meaning depends on the shapes of targets and predictions: for one number, for integer labels, else.
_BY_SHAPE: Mapping[str, tuple[type[Metric], type[Metric], type[Metric]]] = {
    **dict.fromkeys(
        ("accuracy", "acc"),
        (metrics.BinaryAccuracy, metrics.SparseCategoricalAccuracy, metrics.CategoricalAccuracy),
    ),
    **dict.fromkeys(
        ("crossentropy", "ce"),
        (metrics.BinaryCrossentropy, metrics.SparseCategoricalCrossentropy, metrics.CategoricalCrossentropy),
    ),
}


def _metric_of(spec: Any, y_true: Any, y_pred: Tensor) -> tuple[Metric, str]:
    if isinstance(spec, str) and spec.lower() in _BY_SHAPE:
        binary, sparse, dense = _BY_SHAPE[spec.lower()]
        wanted = as_tensor(y_true)
        if y_pred.shape[-1] == 1:
            cls = binary
        elif wanted.ndim < y_pred.ndim or wanted.shape[-1] == 1:
            cls = sparse
        else:
            cls = dense
        return cls(name=spec), spec
    found = metrics.get(spec)
    if isinstance(found, Metric):
        name = spec if isinstance(spec, str) else found.name
        if isinstance(spec, str):
            found.name = spec
        return found, name
    name = getattr(found, "__name__", type(found).__name__)
    return MeanMetricWrapper(found, name=name), name
