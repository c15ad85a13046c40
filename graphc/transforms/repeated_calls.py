"""Layers that are called eagerly again and again: from some call on, they run as one compiled program.

Operation by operation, a call costs a pass over memory and some Python for each of them. A call of a kind that has run
`CALLS` times is traced and compiled, like a `graphc.function` of the layer; the same kind means the same structure,
dtypes, shapes and Python arguments, with the layer's attributes and the configuration as they were. The number of calls
decides, not the time that they take, so that a script gives the same bits each time.

Only layers of graphc whose parts are all layers of graphc are compiled: a user's `call` may print, count or read what
changes, which tracing would do once. In a user's model, its layers and blocks are compiled one by one. Under a tape,
which must see each operation, nothing is.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import ref

from graphc import tree
from graphc.errors import GraphcError, StateError
from graphc.tracing import Tensor, current_trace, describe, get_mask, set_mask, user_line
from graphc.tracing.conversion import tensor_of_list
from graphc.tracing.large import has_compiler
from graphc.tracing.lookups import Lookup, Table, recorded_lookups
from graphc.tracing.recording import eager_recording
from graphc.tracing.state import in_stateless_scope
from graphc.tracing.trace import required_trace
from graphc.transforms.function import Found, Function
from graphc.transforms.signature import Call, call_of

if TYPE_CHECKING:
    from graphc.layers.layer import Layer

# How many calls of a kind run eagerly before it is compiled.
CALLS = 8
# How many kinds of calls are counted at a time.
_KINDS = 256

# Whether the calls of an enclosing layer are counted: its parts are compiled with it.
_counted: ContextVar[bool] = ContextVar("graphc_enclosing_calls_are_counted", default=False)


@contextmanager
def _counting() -> Iterator[None]:
    token = _counted.set(True)
    try:
        yield
    finally:
        _counted.reset(token)


class _NotCompiled(Exception):
    """A call of the layer has effects that a program does not have."""


class RepeatedCalls(Function[..., Any]):
    """The eager calls of a layer, while its attributes and those of its parts stay as they are.

    It is the layer's `call` as a compiled function, which compiles as often as there are kinds of calls. It does not
    hold the layer, whose weights would else stay in memory until a collection of cycles.

    Args:
        layer: The layer.
        run: A function of the layer, the training mode and the arguments of `call`, which computes the outputs.
    """

    def __init__(self, layer: Layer, run: Callable[..., Any]) -> None:
        super().__init__(type(layer).call, autograph=False)
        self._layer, self._outputs_of = ref(layer), run
        self._parts = layer._flatten_layers(include_self=False)
        self._changes = self._changes_of(layer)
        self._compiles = all(_is_ours(part) and not part._runs_on_host for part in (layer, *self._parts))
        self._results: list[_Results] = []
        self._counts: Counter[Any] = Counter()

    def _changes_of(self, layer: Layer) -> list[int]:
        return [layer._attribute_changes, *[part._attribute_changes for part in self._parts]]

    def is_current(self, layer: Layer) -> bool:
        """Whether no attribute of the layer and its parts was set since."""
        return self._changes_of(layer) == self._changes

    def outputs(self, layer: Layer, training: bool | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The outputs, computed by a program if there is one for such a call, or if it has come often enough."""
        if not self._compiles:
            return self._outputs_of(layer, training, args, kwargs)
        call = _described(training, args, kwargs)
        found = self.find(call)
        if found is None and self._is_due(call):
            found = self._compiled(call)
        if found is not None:
            ((number, tensors),) = self.run(call, found).items()
            return self._results[number].restored(tensors)
        with _counting():
            outputs = self._outputs_of(layer, training, args, kwargs)
        self._counts[call.kind] += 1
        return outputs

    def _is_due(self, call: Call) -> bool:
        if len(self._counts) > _KINDS:
            self._counts.clear()
        return self._counts[call.kind] >= CALLS and has_compiler()

    def _note_compilation(self, call: Call) -> None:
        pass  # any number is expected

    def _compiled(self, call: Call) -> Found | None:
        """Compiles a program for a call; None where it cannot be: it then stays eager, which is right in any case."""
        try:
            return self.compile(call)
        except (GraphcError, _NotCompiled) as error:
            self._compiles = False
            if not isinstance(error, StateError | _NotCompiled):
                name = getattr(self._layer(), "name", None)
                warnings.warn(f"{name!r} runs eagerly, since it does not compile: {error}", stacklevel=5)
            return None

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[int, list[Tensor]]:
        """What is traced: it returns a list of tensors, by the number of its description in `_results`."""
        layer, (given, training, masks) = self._layer(), args
        assert layer is not None  # it is being called
        leaves = tree.flatten_with_spec(given)[0]
        for place, mask in masks.items():
            set_mask(leaves[place], mask)
        with recorded_lookups() as lookups:
            outputs = self._outputs_of(layer, training, *given)
        if any(part._losses for part in (layer, *self._parts)):
            layer._clear_losses()
            raise _NotCompiled
        results, tensors = _Results.of(outputs, lookups)
        self._results.append(results)
        return {len(self._results) - 1: tensors}


@dataclass(frozen=True)
class _Results:
    """The list of tensors that a program returns.

    Args:
        structure: The tree spec of the layer's outputs.
        outputs: For each of them its position in the list; an output may stand in several places.
        masks: The position of an output, and of its mask.
        tables: The tables that are read, and the positions of the indices.
    """

    structure: Any
    outputs: tuple[int, ...]
    masks: tuple[tuple[int, int], ...]
    tables: tuple[tuple[Table, int], ...]

    @classmethod
    def of(cls, outputs: Any, lookups: Sequence[Lookup]) -> tuple[_Results, list[Tensor]]:
        """The description of a call's results, and the list.

        Raises:
            _NotCompiled: if an output is no tensor, or indices belong to the body of a loop.
        """
        leaves, structure = tree.flatten_with_spec(outputs)
        builder, tensors, positions = required_trace("a program").builder, list[Tensor](), dict[int, int]()

        def position(tensor: Any) -> int:
            outer = isinstance(tensor, Tensor) and (tensor.traced is None or tensor.traced.builder is builder)
            if not outer:
                raise _NotCompiled
            if id(tensor) not in positions:
                positions[id(tensor)] = len(tensors)
                tensors.append(tensor)
            return positions[id(tensor)]

        found = tuple(map(position, leaves))
        masks = {position(x): position(mask) for x in leaves if (mask := get_mask(x)) is not None}
        tables = tuple((lookup.table, position(lookup.indices)) for lookup in lookups)
        return cls(structure, found, tuple(masks.items()), tables), tensors

    def restored(self, tensors: Sequence[Tensor]) -> Any:
        """The layer's outputs with their masks.

        Raises:
            DataError: if an index is outside of its table.
        """
        for table, position in self.tables:
            table.check(tensors[position].array, describe(user_line()))
        for position, mask in self.masks:
            set_mask(tensors[position], tensors[mask])
        return tree.unflatten(self.structure, [tensors[position] for position in self.outputs])


def is_counted() -> bool:
    """Whether a layer's call counts: it is eager, no tape records it, and no enclosing layer is counted."""
    eager = current_trace() is None and eager_recording() is None and not in_stateless_scope()
    return eager and not _counted.get()


def _described(training: bool | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """The arguments of a call, with the masks that they carry."""
    args = tuple(map(tensor_of_list, args))
    call = call_of(((args, kwargs), training, {}), {})
    masks = {place: mask for place, leaf in enumerate(call.leaves) if (mask := get_mask(leaf)) is not None}
    return call_of(((args, kwargs), training, masks), {}) if masks else call


def _is_ours(layer: Any) -> bool:
    """Whether a layer runs code of graphc alone: that of its class, and the functions in its attributes."""
    return all(map(_of_graphc, (type(layer), *layer._functions())))


def _of_graphc(thing: Any) -> bool:
    module = getattr(thing, "__module__", None) or ""
    return module.partition(".")[0] == __name__.partition(".")[0]
