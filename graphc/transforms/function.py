"""`function`: Python functions that run as compiled programs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from graphc import config, tree
from graphc.compiler import Executable, preparing
from graphc.dtypes import as_dtype
from graphc.errors import ArgumentError, StateError
from graphc.graph.core import Graph
from graphc.graph.own import OwnRules, are_current, own_rules
from graphc.graph.types import TensorType
from graphc.runtime.state import StateBuffer
from graphc.tracing import (
    KerasTensor,
    Tensor,
    Traced,
    as_tensor,
    build,
    current_trace,
    describe,
    trace,
    user_line,
)
from graphc.tracing.recording import eager_recording
from graphc.tracing.state import in_stateless_scope
from graphc.transforms.autograph import convert, converting
from graphc.transforms.programs import SYMBOL_RANGE, Family, Pattern
from graphc.transforms.signature import Call, call_of, difference

if TYPE_CHECKING:
    from graphc.codegen.compilation import Compilation  # imported by what compiles, not by what builds a model

P = ParamSpec("P")
R = TypeVar("R")

# After so many compilations of one function a warning says what keeps changing.
_MANY = 5


@dataclass(frozen=True)
class CompiledCall:
    """A program of a function.

    Args:
        traced: The traced graph.
        executable: The program.
        rules: The rules of users' primitives with which it was compiled.
        buffers: The memory of its variables, by name of state.
        names: The names of its inputs.
    """

    traced: Traced
    executable: Executable
    rules: OwnRules
    buffers: Mapping[str, StateBuffer]
    names: tuple[str, ...]


# A program, and the symbolic sizes of a call that it takes.
Found = tuple[CompiledCall, dict[str, int]]


class Function(Generic[P, R]):
    """A Python function that is traced and compiled when it is called with arguments of a new signature.

    Args:
        function: A function of tensors and Python values; it may read and assign variables.
        recompile: `"allow"`, or `"error"`: a call that would compile a second program is an error.
        autograph: Whether Python's control flow over traced tensors becomes part of the graph.
    """

    def __init__(self, function: Callable[P, R], recompile: str = "allow", autograph: bool = True) -> None:
        if not callable(function):
            raise ArgumentError("`function` takes a function", where=describe(user_line()), got=repr(function)[:80])
        if recompile not in ("allow", "error"):
            raise ArgumentError("unknown recompile", got=repr(recompile), expected='"allow" or "error"')
        self.function = function
        self.recompile, self.autograph = recompile, autograph
        self._families: dict[Any, Family[CompiledCall]] = {}
        self._last: tuple[tuple[Any, ...], CompiledCall, dict[str, int]] | None = None
        self._compilations = 0
        update_wrapper(self, function)

    def __reduce__(self) -> str:
        """Pickles the function by its name, like any Python function; copies are the same object."""
        return self.function.__qualname__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """The function as a method: each object has programs of its own."""
        if instance is None:
            return self
        bound = getattr(instance, "__dict__", {}).get("_graphc_functions", {}).get(id(self))
        if bound is None or bound.function.__self__ is not instance:
            bound = Function(cast(Any, self.function).__get__(instance, owner), self.recompile, self.autograph)
            if hasattr(instance, "__dict__"):
                vars(instance).setdefault("_graphc_functions", {})[id(self)] = bound
        return bound

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the compiled function.

        Inside another trace it adds its operations to that graph; under an eager tape and in a `StatelessScope` its
        operations run one by one.
        """
        if current_trace() is not None or eager_recording() is not None or in_stateless_scope():
            return cast(R, tree.map_structure(_as_tensor, self._run(args, kwargs), none_is_leaf=False))
        call = call_of(args, kwargs)
        return cast(R, self.run(call, self.find(call) or self.compile(call)))

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs the Python function."""
        if current_trace() is None:
            return self.function(*args, **kwargs)
        with converting(self.autograph):
            return (convert(self.function) if self.autograph else self.function)(*args, **kwargs)

    # ---- programs

    def _key(self, call: Call) -> tuple[Any, ...]:
        return call.structure, call.parts, config.current()

    def find(self, call: Call) -> Found | None:
        """The program for a call, and its symbolic sizes; None if there is none yet."""
        family = self._families.get(self._key(call))
        found = None if family is None else family.find(call.shapes)
        return None if found is None or not are_current(found[0].rules) else found

    def compile(self, call: Call) -> Found:
        """Compiles a program for a call that no program takes; returns it, and its symbolic sizes.

        Raises:
            StateError: if the function must not compile again.
        """
        self._note_compilation(call)
        key, shapes = self._key(call), call.shapes
        family = self._families.get(key)
        if family is None or family.find(shapes) is not None:  # compiled with other rules of users' primitives
            family = Family()
        found = family.add(shapes, lambda pattern, sizes: self._compile(call, pattern, sizes))
        self._families[key] = family
        self._compilations += 1
        return found

    def run(self, call: Call, found: Found) -> Any:
        """Runs a program that takes a call, and returns the function's results."""
        program, sizes = found
        inputs = dict(zip(program.names, call.arrays, strict=True))
        outputs = program.executable.run(inputs, program.buffers, sizes)
        self._last = call.kind, program, sizes
        return tree.unflatten(program.traced.structure, [Tensor(output) for output in outputs])

    @preparing()
    def _compile(self, call: Call, pattern: Pattern, sizes: Mapping[str, int]) -> CompiledCall:
        dtypes = [as_dtype(array.dtype) for array in call.arrays]
        types = [TensorType(shape, dtype) for shape, dtype in zip(pattern, dtypes, strict=True)]

        def run(*tensors: Tensor) -> Any:
            return self._run(*call.filled(tensors))

        traced = trace(run, types, dict.fromkeys(sizes, SYMBOL_RANGE))
        buffers = {name: traced.variables[name].buffer for name in traced.graph.states}
        names = tuple(f"x{i}" for i in range(len(types)))
        return CompiledCall(traced, build(traced.graph, sizes=sizes), own_rules(traced.graph), buffers, names)

    def _note_compilation(self, call: Call) -> None:
        """Says what changed, where a function compiles again and again, or must not compile again."""
        if self._last is None or (self.recompile == "allow" and self._compilations < _MANY):
            return
        changed = difference(self.function, self._last[0], call.kind)
        name = getattr(self.function, "__qualname__", repr(self.function))
        if self.recompile == "error":
            raise StateError(
                f"the function `{name}` would compile again",
                where=describe(user_line()),
                got=changed,
                hint='pass tensors of the same shapes and dtypes, or make it with recompile="allow"',
            )
        warnings.warn(
            f"the function `{name}` compiles for the {self._compilations + 1}th time; what changed is {changed}. "
            "Python values are compared: pass numbers that change as tensors.",
            stacklevel=5,
        )

    # ---- what it compiles to

    def _shown(self, args: Any, kwargs: Any) -> tuple[CompiledCall, dict[str, int]]:
        if args or kwargs or self._last is None:
            call = call_of(args, kwargs)
            found = self.find(call) or self.compile(call)
            self._last = call.kind, *found
        return self._last[1], self._last[2]

    def graph(self, *args: Any, **kwargs: Any) -> Graph:
        """The traced graph for a call with these arguments; without arguments, of the last call."""
        return self._shown(args, kwargs)[0].traced.graph

    def lower(self, *args: Any, **kwargs: Any) -> Compilation:
        """The stages of the compilation for a call with these arguments; without arguments, of the last call."""
        return self._shown(args, kwargs)[0].executable.compilation

    def memory_report(self, *args: Any, **kwargs: Any) -> dict[str, int]:
        """The bytes of memory of a call with these arguments, by role; without arguments, of the last call."""
        program, sizes = self._shown(args, kwargs)
        return program.executable.memory(sizes)


def function(
    function: Callable[P, R] | None = None,
    *,
    recompile: str = "allow",
    autograph: bool = True,
    jit_compile: Any = None,
) -> Any:
    """Compiles a function of tensors: when it is called with arguments of a new signature, it is traced into a graph.

    Tensors, arrays and what NumPy can read are inputs of the program. Python's numbers, Booleans and text, and objects
    such as layers choose what is traced: another value compiles another program. The second size of an axis makes it
    symbolic, so that a third compiles nothing.

    Args:
        function: The function. None: a decorator is returned.
        recompile: `"error"`: a call that would compile a second program is an error. `"allow"`: it compiles, and after
            more than five times a warning says what changes.
        autograph: Whether Python's `if`, `while`, `for`, `and`, `or` and `not` over traced tensors become part of the
            graph: the function's source is converted.
        jit_compile: Accepted as in TensorFlow; functions are always compiled.

    Raises:
        ArgumentError: if `function` is no function.

    Example:

    >>> import numpy as np
    >>> @function
    ... def double(x):
    ...     return x + x
    >>> double(np.array([1.0, 2.0], "float32")).numpy()
    array([2., 4.], dtype=float32)
    """
    if function is None:
        return lambda given: Function(given, recompile, autograph)
    return Function(function, recompile, autograph)


def _as_tensor(leaf: Any) -> Any:
    return leaf if isinstance(leaf, KerasTensor) else as_tensor(leaf)
