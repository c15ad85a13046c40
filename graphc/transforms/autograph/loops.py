"""Loops over traced values: iterations pass on the carries of `ops.while_loop`, `ops.scan` or `ops.fori_loop`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc import ops, tree
from graphc.errors import GraphcError
from graphc.graph.types import TensorType
from graphc.tracing import Tensor, as_tensor, result_dtype
from graphc.transforms.autograph.branches import Again, Leaf, tracing_block
from graphc.transforms.autograph.jumps import RETURNED, VALUE
from graphc.transforms.autograph.rows import Rows
from graphc.transforms.autograph.state import UNDEFINED, AnySlot, Info, Slot, State
from graphc.transforms.autograph.values import (
    Carried,
    adapt,
    error,
    fits,
    is_number,
    is_numeric,
    is_traced,
    same,
    show,
    truth,
    type_of,
    widen,
    zeros,
)

# How often a loop is traced to find the types of what starts as Python numbers.
_ATTEMPTS = 4


class Loop:
    """A loop whose iterations are a region.

    Args:
        construct: The statement, for messages.
        state: What its body assigns.
        info: What the transformer knows.
        runs: Whether there is certainly one iteration at least.
    """

    def __init__(self, construct: str, state: State, info: Info, runs: bool = False) -> None:
        self._construct = construct
        self._state = state
        self._info = info
        self._runs = runs
        self._before = state.get()
        self._types: dict[Leaf, TensorType] = {}
        self._attempts = 0
        # Variables without a value before the loop that get one in every iteration: they start as zeros.
        self._started: dict[int, Any] = {}
        # Those of them that the last attempt found: their tree spec, and types of tensors or other leaves.
        self._new: dict[int, tuple[Any, list[Any]]] = {}
        self._carries: dict[Leaf, TensorType] = {}
        # The carries with which the iteration began that is traced now, and as the body sees them.
        self._now: dict[Leaf, Tensor] = {}
        self._given: dict[Leaf, Any] = {}
        # The leaves that the body does not change: Python numbers, which are not carried, and others.
        self._fixed: set[Leaf] = set()
        self._unchanged: set[Leaf] = set()

    # ---- what is carried

    def _is_needed(self, slot: AnySlot) -> bool:
        return not isinstance(slot, Slot) or slot.name in self._info.live or slot.name in self._info.head

    def _is_carried(self, place: int) -> bool:
        slot = self._state.slots[place]
        return self._start(place) is not UNDEFINED and (self._is_needed(slot) or slot.name in self._info.kept)

    def _start(self, place: int) -> Any:
        return self._started.get(place, self._before[place])

    def _may_start_as_zeros(self, slot: AnySlot) -> bool:
        return slot.name == VALUE or (self._runs and slot.name not in self._info.head and isinstance(slot, Slot))

    def _carried(self) -> dict[Leaf, Any]:
        """The numeric leaves of the carried variables before the loop."""
        return {
            (place, position): leaf
            for place in range(len(self._before))
            if self._is_carried(place)
            for position, leaf in enumerate(tree.flatten_with_spec(self._start(place))[0])
            if is_numeric(leaf) and (place, position) not in self._fixed
        }

    def _unpack(self, tensors: Sequence[Tensor], later: bool = False) -> None:
        """Assigns the variables from the carries; after the loop only those that may be read."""
        by_leaf = dict(zip(self._carries, tensors, strict=True))
        for place, slot in enumerate(self._state.slots):
            dropped = later and isinstance(slot, Slot) and slot.name not in (*self._info.live, *self._info.kept)
            if not self._is_carried(place) or dropped:
                slot.set(UNDEFINED)
                continue
            leaves, spec = tree.flatten_with_spec(self._start(place))
            found = []
            for position, leaf in enumerate(leaves):
                tensor = by_leaf.get((place, position), leaf)
                if later and (place, position) in self._unchanged:
                    tensor = leaf
                elif not later and is_number(leaf) and isinstance(tensor, Tensor):
                    tensor = Carried(tensor.traced, self, (place, position))
                self._given[place, position] = tensor
                found.append(tensor)
            slot.set(tree.unflatten(spec, found))

    # ---- tracing

    def run(self, region: Callable[[list[Tensor]], Sequence[Tensor]]) -> None:
        """Adds the loop to the graph, and assigns what it computes.

        Args:
            region: From the first carries to the last ones; it calls `iteration` while it traces the body.
        """
        for slot, value in zip(self._state.slots, self._before, strict=True):
            if value is UNDEFINED and slot.name in self._info.head and slot.name != VALUE:
                raise self._undefined(slot)
        while True:
            self._start_new()
            self._unchanged.clear()
            carried = self._carried()
            self._carries = {leaf: self._types.get(leaf) or type_of(value) for leaf, value in carried.items()}
            first = [adapt(value, self._carries[leaf]) for leaf, value in carried.items()]
            try:
                results = region(first)
                break
            except Again as again:
                if again.owner is not self:
                    raise
            finally:
                self._state.set(self._before)
        self._unpack(results, later=True)

    def holds(self, carries: Sequence[Tensor], test: Callable[[], Tensor]) -> Tensor:
        """Evaluates a test on the variables of an iteration."""
        self._unpack(carries)
        try:
            return test()
        finally:
            self._state.set(self._before)

    def iteration(self, carries: Sequence[Tensor], body: Callable[[], Any]) -> list[Tensor]:
        """Traces the body on the variables of an iteration; returns the next carries."""
        self._now = dict(zip(self._carries, carries, strict=True))
        self._state.set(self._before)
        snapshot = self._state.snapshot()
        self._unpack(carries)
        with tracing_block(f"the body of {self._construct}", self._info):
            body()
        values = self._state.get()
        self._state.set(self._before)
        snapshot.check(self._construct)
        return self._next(values)

    def _next(self, values: Sequence[Any]) -> list[Tensor]:
        found: dict[Leaf, Tensor] = {}
        for place, slot in enumerate(self._state.slots):
            start, value = self._start(place), values[place]
            if start is UNDEFINED:
                if value is not UNDEFINED and self._is_needed(slot):
                    self._start_as_zeros(place, slot, value)
            elif self._is_carried(place):
                if not slot.name.startswith("@") and self._is_dead(values, value):
                    found |= {leaf: tensor for leaf, tensor in self._now.items() if leaf[0] == place}
                    continue
                if value is UNDEFINED:
                    raise self._differ(slot, start, value)
                found |= self._leaves(place, slot, start, value)
        return [found[leaf] for leaf in self._carries]

    def _keep(self, leaf: Leaf, before: Any) -> None:
        """Notes that the body does not change a carry; what is a Python number then stays one."""
        if is_number(before):
            self._fixed.add(leaf)
            raise Again(self)
        self._unchanged.add(leaf)

    def _is_dead(self, values: Sequence[Any], value: Any) -> bool:
        """Whether a variable is not read again after this iteration, since it leaves the function or the loop."""
        flags = {
            slot.name: flag
            for slot, flag in zip(self._state.slots, values, strict=True)
            if slot.name in self._info.exits and flag is not UNDEFINED
        }
        return flags.get(RETURNED) is True or (value is UNDEFINED and any(flag is not False for flag in flags.values()))

    def _leaves(self, place: int, slot: AnySlot, start: Any, value: Any) -> dict[Leaf, Tensor]:
        (first, spec), (new, other) = tree.flatten_with_spec(start), tree.flatten_with_spec(value)
        if spec != other:
            raise self._differ(slot, start, value)
        found: dict[Leaf, Tensor] = {}
        for position, (before, after) in enumerate(zip(first, new, strict=True)):
            leaf = place, position
            if leaf not in self._carries:
                if not same(before, after):
                    raise self._differ(slot, start, value)
                continue
            if not is_numeric(after):
                raise self._differ(slot, start, value)
            type = self._carries[leaf]
            if after is self._given.get(leaf):
                self._keep(leaf, before)
            if fits(after, type):
                found[leaf] = adapt(after, type)
                continue
            self.widen(leaf, after)
            widen(before, after)
            raise self._differ(slot, start, value)
        return found

    def widen(self, leaf: Leaf, other: Any) -> None:
        """Has the loop traced once more, if a carry is a Python number before it and can get the dtype of a value."""
        place, position = leaf
        before, type = tree.flatten_with_spec(self._start(place))[0][position], type_of(other)
        widened = TensorType(type.shape, result_dtype(before, other))
        self._attempts += 1
        if is_number(before) and not type.shape and widened != self._carries[leaf] and self._attempts <= _ATTEMPTS:
            self._types[leaf] = widened
            raise Again(self)

    def _start_as_zeros(self, place: int, slot: AnySlot, value: Any) -> None:
        if not self._may_start_as_zeros(slot):
            raise self._undefined(slot)
        leaves, spec = tree.flatten_with_spec(value)
        self._new[place] = spec, [type_of(leaf) if is_numeric(leaf) else leaf for leaf in leaves]
        raise Again(self)

    def _start_new(self) -> None:
        """Makes the zeros with which variables start, in the enclosing graph."""
        for place, (spec, leaves) in self._new.items():
            started = [zeros(leaf) if isinstance(leaf, TensorType) else leaf for leaf in leaves]
            self._started[place] = tree.unflatten(spec, started)
        self._new.clear()

    # ---- errors

    def _undefined(self, slot: AnySlot) -> GraphcError:
        return error(
            f"`{slot.name}` has no value before {self._construct} over traced values, which may run no iteration",
            got="undefined before, assigned in the body",
            expected="a value of the shape and dtype that the body gives it",
            hint=f"define `{slot.name}` before the loop",
        )

    def _differ(self, slot: AnySlot, before: Any, after: Any) -> GraphcError:
        name = "what the function returns" if slot.name == VALUE else f"`{slot.name}`"
        if is_number(before) and is_numeric(after) and type_of(after).shape:
            hint = f"start with a tensor of that shape, such as `ops.full({type_of(after).shape}, {before!r})`"
        elif is_numeric(before) and is_numeric(after):
            hint = "use `ops.cast` or `ops.reshape`, before the loop or in its body, so that it stays the same"
        else:
            hint = "start with tensors or numbers in the structure that an iteration leaves; `ops.scan` stacks results"
        return error(
            f"{name} changes its type in {self._construct} over traced values",
            got=f"{show(before)} before, {show(after)} after an iteration",
            expected="the same shape and dtype in every iteration",
            hint=hint,
        )


def while_region(state: State, info: Info, first: Any, body: Callable[[], Any], goes_on: Callable[[], Any]) -> None:
    """Adds a `while` loop to the graph: `ops.while_loop`, which carries whether there is another iteration.

    Args:
        state: What its body assigns.
        info: What the transformer knows.
        first: Whether there is a first iteration: the test is evaluated once before the loop, as in Python.
        body: A function with the block as its body.
        goes_on: A function that says after an iteration whether there is another.
    """
    loop = Loop("`while`", state, info)

    def iteration(_: Tensor, *carries: Tensor) -> list[Tensor]:
        going: list[Tensor] = []

        def run() -> None:
            body()
            value = goes_on()
            going.append(truth(value, "`while`") if is_traced(value) else as_tensor(bool(value)))

        last = loop.iteration(carries, run)
        return [*going, *last]

    def region(carries: list[Tensor]) -> Sequence[Tensor]:
        return list(ops.while_loop(lambda going, *_: going, iteration, [truth(first, "`while`"), *carries])[1:])

    loop.run(region)


def for_region(construct: str, state: State, info: Info, rows: Rows, body: Callable[[Any], Any], stop: Any) -> None:
    """Adds a `for` loop to the graph: `ops.scan` over known sizes, `ops.fori_loop`, or `ops.while_loop` if it stops."""
    if isinstance(rows.length, int) and rows.length < 1:
        return
    loop = Loop(construct, state, info, rows.runs)

    def iteration(number: Tensor, elements: Sequence[Tensor], carries: Sequence[Tensor]) -> list[Tensor]:
        return loop.iteration(carries, lambda: body(rows.item(number, elements)))

    def row(number: Tensor) -> list[Tensor]:
        return [sequence[number] for sequence in rows.sequences]

    def scanned(first: list[Tensor]) -> Sequence[Tensor]:
        def step(carry: Any, elements: Any) -> Any:
            number, *carries = carry
            return (number + 1, *iteration(number, elements, carries)), ()

        last, _ = ops.scan(step, (as_tensor(0), *first), tuple(rows.sequences), length=rows.length)
        return list(last[1:])

    def counted(first: list[Tensor]) -> Sequence[Tensor]:
        def step(number: Tensor, carries: Sequence[Tensor]) -> list[Tensor]:
            return iteration(number, row(number), carries)

        found: Sequence[Tensor] = ops.fori_loop(0, rows.length, step, first)
        return found

    def stopped(first: list[Tensor]) -> Sequence[Tensor]:
        def goes_on(number: Tensor, *carries: Tensor) -> Tensor:
            going = loop.holds(carries, lambda: ops.logical_not(truth(stop(), construct)))
            return ops.logical_and(number < rows.length, going)

        def step(number: Tensor, *carries: Tensor) -> list[Tensor]:
            return [number + 1, *iteration(number, row(number), carries)]

        limit = rows.length if isinstance(rows.length, int) else None
        return list(ops.while_loop(goes_on, step, [as_tensor(0), *first], maximum_iterations=limit)[1:])

    known = not is_traced(rows.length)
    loop.run(stopped if stop is not None else scanned if known else counted)
