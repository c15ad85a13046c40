"""What programs need where JAX runs them: `ops` of JAX's functions, control flow in Python, variables and tapes.

JAX computes operations and derivatives, Python runs loops and branches one step after the other: an implementation as
plain as can be of what programs mean. Variables are cells; a read is a constant (nothing flows through an assignment)
plus what the tapes that watch the variable add to it, which is zero and has the gradient that they are asked for.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.transforms.random_programs.program import Program, Type


class Cell:
    """A variable."""

    def __init__(self, world: World, values: Any) -> None:
        self._world = world
        self.raw = jnp.asarray(values)

    @property
    def value(self) -> Any:
        read = jax.lax.stop_gradient(self.raw)
        for watched in self._world.watched:
            if self in watched:
                read = read + watched[self]
        return read

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.raw.shape)

    def assign(self, value: Any) -> None:
        self.raw = jnp.asarray(_plain(value), self.raw.dtype)

    def assign_add(self, value: Any) -> None:
        self.assign(self.value + value)

    def assign_sub(self, value: Any) -> None:
        self.assign(self.value - value)

    def __add__(self, other: Any) -> Any:
        return self.value + other

    def __mul__(self, other: Any) -> Any:
        return self.value * other

    def __sub__(self, other: Any) -> Any:
        return self.value - other

    def __rsub__(self, other: Any) -> Any:
        return other - self.value

    def __rmul__(self, other: Any) -> Any:
        return other * self.value


def _plain(value: Any) -> Any:
    if isinstance(value, Cell):
        return value.value
    return [_plain(part) for part in value] if isinstance(value, list) else value


class Ops:
    """JAX's functions under Keras's names, and control flow."""

    _OTHERS: dict[str, Callable[..., Any]] = {  # noqa: RUF012
        "cast": lambda x, dtype: jnp.asarray(x).astype(dtype),
        "convert_to_tensor": jnp.asarray,
        "erf": jax.scipy.special.erf,
        "rsqrt": jax.lax.rsqrt,
        "logsumexp": jax.nn.logsumexp,
        "softsign": jax.nn.soft_sign,
        "slice_update": lambda x, start, update: jax.lax.dynamic_update_slice(x, update, start),
        "stop_gradient": jax.lax.stop_gradient,
    }

    def __getattr__(self, name: str) -> Any:
        function = self._OTHERS.get(name) or getattr(jnp, name, None) or getattr(jax.nn, name)
        return lambda *args, **kwargs: function(*(_plain(arg) for arg in args), **kwargs)

    def associative_scan(self, f: Any, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
        rank = (elems[0] if isinstance(elems, tuple) else elems).ndim
        return jax.lax.associative_scan(f, elems, reverse=reverse, axis=axis % rank)

    def cond(self, test: Any, true: Any, false: Any) -> Any:
        return true() if test else false()

    def switch(self, index: Any, branches: Sequence[Any], *operands: Any) -> Any:
        return branches[max(0, min(int(index), len(branches) - 1))](*operands)

    def while_loop(self, test: Any, body: Any, carry: Any, maximum_iterations: int | None = None) -> Any:
        count, carry = 0, tuple(jnp.asarray(x) for x in carry)
        while test(*carry) and count != maximum_iterations:
            carry, count = body(*carry), count + 1
        return carry

    def fori_loop(self, first: Any, last: Any, body: Any, carry: Any) -> Any:
        for i in range(int(first), int(last)):
            carry = body(jnp.int32(i), carry)
        return carry

    def scan(self, f: Any, carry: Any, xs: Any, length: int | None = None, reverse: bool = False) -> Any:
        order = list(range(len(xs) if length is None else length))
        rows: dict[int, Any] = {}
        for i in reversed(order) if reverse else order:
            carry, rows[i] = f(carry, None if xs is None else xs[i])
        return carry, jnp.stack([rows[i] for i in order])

    def map(self, f: Any, xs: Any) -> Any:
        count = len(xs[0]) if isinstance(xs, tuple) else len(xs)
        return jnp.stack([f(tuple(x[i] for x in xs) if isinstance(xs, tuple) else xs[i]) for i in range(count)])

    vectorized_map = map


class Pull:
    """The gradients of targets by sources."""

    def __init__(self, targets: list[Any], pull: Callable[..., Any]) -> None:
        self.targets = targets
        self.pull = pull

    def _by(self, place: int, cotangent: Any) -> list[Any]:
        ones = [jnp.zeros_like(target) for target in self.targets]
        ones[place] = jnp.asarray(cotangent, "float32")
        (found,) = self.pull(ones)
        return list(found)

    def gradient(self, target: int, sources: list[int], weight: Any) -> list[Any]:
        found = self._by(target, jnp.ones_like(self.targets[target]) if weight is None else weight)
        return [*(found[source] for source in sources), jnp.int32(0)]

    def jacobian(self, target: int, sources: list[int], weight: Any) -> list[Any]:
        value = self.targets[target]
        rows = [self._by(target, unit) for unit in _units(value.shape)]
        columns = [jnp.stack([row[source] for row in rows]) for source in sources]
        return [*(x.reshape((*value.shape, *x.shape[1:])) for x in columns), jnp.int32(0)]


def _units(shape: tuple[int, ...]) -> list[Any]:
    count = int(np.prod(shape))
    return [row.reshape(shape) for row in np.eye(count, dtype="float32")]


class World:
    """Names for the text of a program."""

    def __init__(self, program: Program) -> None:
        self.cells = {name: Cell(self, np.array(v, type.dtype)) for (name, type), v in program.variables}
        self.watched: list[dict[Cell, Any]] = []

    @contextmanager
    def watching(self, pairs: list[tuple[Cell, Any]]) -> Iterator[None]:
        self.watched.append(dict(pairs))
        try:
            yield
        finally:
            self.watched.pop()

    def differentiate(self, f: Callable[..., Any], points: list[Any]) -> tuple[Pull, Any]:
        """The gradients of a function that returns targets and more; variables keep what it assigned to them."""

        def run(given: list[Any]) -> Any:
            targets, others = f(given)
            return targets, (others, {name: cell.raw for name, cell in self.cells.items()})

        targets, pull, (others, raws) = jax.vjp(run, points, has_aux=True)
        for name, cell in self.cells.items():
            cell.raw = raws[name]
        return Pull(targets, pull), others

    # ---- the functions of `graphc`

    def value_and_grad(self, f: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
        def both(*args: Any) -> Any:
            places = [argnums] if isinstance(argnums, int) else list(argnums)
            pull, (value,) = self.differentiate(lambda given: self._called(f, args, places, given), _at(args, places))
            found = pull.gradient(0, list(range(len(places))), None)[:-1]
            return value, found[0] if isinstance(argnums, int) else tuple(found)

        return both

    def grad(self, f: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
        return lambda *args: self.value_and_grad(f, argnums)(*args)[1]

    def jacobian(self, f: Callable[..., Any]) -> Callable[..., Any]:
        def rows(x: Any) -> Any:
            pull, _ = self.differentiate(lambda given: self._called(f, (x,), [0], given), [x])
            return pull.jacobian(0, [0], None)[0]

        return rows

    def hessian(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return self.jacobian(self.jacobian(f))

    def jvp(self, f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        """Reverse mode twice: what is asked for is linear in the cotangent."""
        pull, (value,) = self.differentiate(lambda given: self._called(f, primals, [0], given), list(primals))
        back = lambda cotangent: pull.pull([cotangent])[0][0]  # noqa: E731
        return value, jax.vjp(back, jnp.zeros_like(value))[1](tangents[0])[0]

    def _called(self, f: Callable[..., Any], args: tuple[Any, ...], places: list[int], given: list[Any]) -> Any:
        filled = list(args)
        for place, value in zip(places, given, strict=True):
            filled[place] = value
        value = f(*filled)
        return [value], [value]

    def names(self) -> dict[str, Any]:
        """What the text of a program reads."""
        graphc = types.SimpleNamespace(
            function=lambda f: f,
            remat=lambda f: f,
            grad=self.grad,
            value_and_grad=self.value_and_grad,
            jacobian=self.jacobian,
            hessian=self.hessian,
            jvp=self.jvp,
        )
        return {
            "np": np,
            "ops": Ops(),
            "graphc": graphc,
            "watching": self.watching,
            "differentiate": self.differentiate,
            "zeros_of": lambda x: jnp.zeros(x.shape, "float32"),
            "with_slope": with_slope,
            **self.cells,
        }


def _at(args: tuple[Any, ...], places: list[int]) -> list[Any]:
    return [args[place] for place in places]


def with_slope(f: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function with a gradient of its own."""
    both = jax.custom_vjp(f)
    both.defvjp(lambda x: (f(x), x), lambda x, upstream: (upstream * slope(x),))
    return both


def as_array(values: Any, type: Type) -> Any:
    return jnp.asarray(np.array(values, type.dtype))
