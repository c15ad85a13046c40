"""`if` on a traced condition: both blocks are traced as branches of `ops.cond`, and what they assign is its results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphc import ops, tree
from graphc.errors import ControlFlowError, GraphcError
from graphc.graph.types import TensorType
from graphc.tracing import Tensor, as_tensor
from graphc.transforms.autograph.jumps import RETURNED, VALUE, is_flag
from graphc.transforms.autograph.state import UNDEFINED, AnySlot, Info, Slot, State
from graphc.transforms.autograph.values import adapt, common_type, error, fits, is_numeric, same, show, widen, zeros

# A leaf of a variable's value: the positions of the variable and of the leaf.
Leaf = tuple[int, int]


class Again(BaseException):
    """Raised inside a region that must be traced once more, with what is known now; users' handlers must not catch it.

    Args:
        owner: What traces the region.
    """

    def __init__(self, owner: object) -> None:
        super().__init__("a region is traced once more")
        self.owner = owner


@contextmanager
def tracing_block(block: str, info: Info) -> Iterator[None]:
    """A context in which a block is traced, and errors say so.

    Raises:
        ControlFlowError: if the block calls its own function without end, or raises an exception which a handler of the
            function would catch, whatever the values are.
    """
    try:
        yield
    except ControlFlowError:
        raise
    except RecursionError as problem:
        raise error(
            f"a function calls itself in {block} on a traced value, which is traced whatever the value is, without end",
            got="Python's limit of nested calls",
            hint="write a loop: `while`, or `ops.while_loop`",
        ) from problem
    except Exception as problem:
        if info.guarded:
            raise error(
                f"an exception leaves {block} on a traced value: a handler of the function would catch it while it is"
                " traced, whatever the value is",
                got=f"{type(problem).__name__}: {problem}",
                hint="put `try` inside the block, or choose values with `ops.where`",
            ) from problem
        if not isinstance(problem, GraphcError):
            problem.add_note(f"(while {block} on a traced value was traced, which happens whatever the value is)")
        raise


class Choice:
    """The branches of one `if`, and how the values that they assign become one.

    Args:
        construct: The statement, for messages.
        blocks: The functions of the branches.
        state: What they assign.
        info: What the transformer knows.
    """

    def __init__(self, construct: str, blocks: Sequence[Callable[[], Any]], state: State, info: Info) -> None:
        self._construct = construct
        self._blocks = blocks
        self._state = state
        self._info = info
        self._before = state.get()
        self._values: list[list[Any]] = [[], []]
        # The leaves that are results of the region; None until both branches are known.
        self._plan: dict[Leaf, TensorType] | None = None
        self._merged: dict[Leaf, TensorType] = {}
        # The values whose leaves are replaced by results, by position of the variable.
        self._structures: dict[int, Any] = {}
        # The leaves that the branches return, with their types.
        self._offered: dict[Leaf, TensorType] = {}

    def run(self, condition: Tensor) -> None:
        """Adds the region to the graph, and assigns what it computes."""
        while True:
            try:
                results = ops.cond(condition, self._first, self._second)
                break
            except Again as again:
                if again.owner is not self:
                    raise
                self._plan = dict(self._merged)
            finally:
                self._state.set(self._before)
        self._assign(results)

    def _first(self) -> list[Tensor]:
        values = self._trace(0)
        if self._plan is None:
            # Taken from the first branch; the second knows whether that was right.
            optimistic = {
                (place, position): as_tensor(leaf)
                for place, slot in enumerate(self._state.slots)
                if values[place] is not UNDEFINED and (self._is_needed(slot) or self._is_kept(slot))
                for position, leaf in enumerate(tree.flatten_with_spec(values[place])[0])
                if is_numeric(leaf)
            }
            self._offered = {leaf: tensor.type for leaf, tensor in optimistic.items()}
            return list(optimistic.values())
        self._offered = self._plan
        return self._results(values)

    def _second(self) -> list[Tensor]:
        values = self._trace(1)
        self._merged = self._merge()
        if any(self._offered.get(leaf) != type for leaf, type in self._merged.items()):
            assert self._plan is None, "a branch gives other types when it is traced again"
            raise Again(self)
        return self._results(values)

    def _trace(self, number: int) -> list[Any]:
        """Runs a block on the variables as they are before the `if`; returns what it leaves in them."""
        self._state.set(self._before)
        snapshot = self._state.snapshot()
        with tracing_block(f"a branch of {self._construct}", self._info):
            self._blocks[number]()
        self._values[number] = self._state.get()
        self._state.set(self._before)
        snapshot.check(self._construct)
        return self._values[number]

    def _results(self, values: Sequence[Any]) -> list[Tensor]:
        """The results of a branch: tensors for the leaves that are offered."""
        known = self._merged
        found = []
        for (place, position), type in self._offered.items():
            leaves = [] if values[place] is UNDEFINED else tree.flatten_with_spec(values[place])[0]
            leaf = leaves[position] if position < len(leaves) else None
            usable = known.get((place, position)) == type and is_numeric(leaf) and fits(leaf, type)
            found.append(adapt(leaf, type) if usable else zeros(type))
        return found

    def _is_needed(self, slot: AnySlot) -> bool:
        return not isinstance(slot, Slot) or slot.name in self._info.live

    def _is_kept(self, slot: AnySlot) -> bool:
        return slot.name in self._info.kept

    def _is_dead(self, number: int, slot: AnySlot) -> bool:
        """Whether a variable is never read again after a branch: the branch leaves the loop or the function."""
        if is_flag(slot.name):
            return False
        if slot.name == VALUE:
            return self._values[number][self._place(VALUE)] is UNDEFINED
        flags = {
            other.name
            for other, value in zip(self._state.slots, self._values[number], strict=True)
            if other.name in self._info.exits and value is True
        }
        return isinstance(slot, Slot) and (RETURNED in flags or (bool(flags) and slot.name in self._info.local))

    def _place(self, name: str) -> int:
        return next(place for place, slot in enumerate(self._state.slots) if slot.name == name)

    def _merge(self) -> dict[Leaf, TensorType]:
        """The leaves that differ between the branches, with their types."""
        found: dict[Leaf, TensorType] = {}
        self._structures = {}
        for place, slot in enumerate(self._state.slots):
            a, b = self._values[0][place], self._values[1][place]
            if a is b or not (self._is_needed(slot) or self._is_kept(slot)):
                continue
            dead = self._is_dead(0, slot), self._is_dead(1, slot)
            if all(dead):
                continue
            a, b = (b if dead[0] else a), (a if dead[1] else b)
            self._structures[place] = a
            if a is b:  # one branch leaves: the other's value is the only one that is read
                leaves = [] if a is UNDEFINED else tree.flatten_with_spec(a)[0]
                found |= {(place, i): as_tensor(leaf).type for i, leaf in enumerate(leaves) if _moves(leaf)}
            elif a is UNDEFINED or b is UNDEFINED:
                if self._is_needed(slot):
                    raise self._undefined(slot, a, b)
                self._structures[place] = UNDEFINED
            else:
                found |= {(place, position): type for position, type in self._pairs(slot, a, b).items()}
        return found

    def _pairs(self, slot: AnySlot, a: Any, b: Any) -> dict[int, TensorType]:
        (first, spec), (second, other) = tree.flatten_with_spec(a), tree.flatten_with_spec(b)
        if spec != other:
            raise self._differ(slot, a, b)
        found = {}
        for position, (x, y) in enumerate(zip(first, second, strict=True)):
            if same(x, y):
                continue
            type = common_type(x, y) if is_numeric(x) and is_numeric(y) else None
            if type is None and is_numeric(x) and is_numeric(y):
                widen(x, y)
                widen(y, x)
            if type is None:
                raise self._differ(slot, a, b)
            found[position] = type
        return found

    def _undefined(self, slot: AnySlot, a: Any, b: Any) -> GraphcError:
        return error(
            f"`{slot.name}` is assigned in one branch only of {self._construct} on a traced value, and read later",
            got=f"{show(a)} if the condition holds, {show(b)} otherwise",
            expected="a value in both branches",
            hint=f"define `{slot.name}` before, or in both branches",
        )

    def _differ(self, slot: AnySlot, a: Any, b: Any) -> GraphcError:
        name = "what the function returns" if slot.name == VALUE else f"`{slot.name}`"
        tensors = is_numeric(a) and is_numeric(b)
        if slot.name == VALUE and (a is None or b is None):
            hint = "return a tensor on every path; without `return`, a function returns None"
        elif tensors:
            hint = "use `ops.cast`, `ops.reshape` or `ops.broadcast_to` in one branch"
        else:
            hint = "give both branches tensors or numbers, or choose by a Python value"
        return error(
            f"{name} differs in type between the branches of {self._construct} on a traced value"
            if tensors
            else f"{name} differs between the branches of {self._construct} on a traced value: no graph chooses it",
            got=f"{show(a)} if the condition holds, {show(b)} otherwise",
            expected="the same shape and dtype" if tensors else "tensors or numbers in the same structure",
            hint=hint,
        )

    def _assign(self, results: Sequence[Tensor]) -> None:
        tensors = dict(zip(self._offered, results, strict=True))
        for place, slot in enumerate(self._state.slots):
            if place in self._structures:
                slot.set(self._rebuilt(place, tensors))
            elif self._values[0][place] is self._values[1][place]:
                slot.set(self._values[0][place])
            else:  # not read any more
                slot.set(UNDEFINED)

    def _rebuilt(self, place: int, tensors: dict[Leaf, Tensor]) -> Any:
        value = self._structures[place]
        if value is UNDEFINED:
            return value
        leaves, spec = tree.flatten_with_spec(value)
        return tree.unflatten(
            spec, [tensors[key] if (key := (place, i)) in self._merged else leaf for i, leaf in enumerate(leaves)]
        )


def _moves(leaf: Any) -> bool:
    """Whether a leaf may be part of a branch's graph, so that it must be a result of it."""
    return is_numeric(leaf) and hasattr(leaf, "__tensor__")
