"""Functions whose gradient is the user's, or is computed with less memory."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from graphc import dtypes, tree
from graphc.errors import ArgumentError
from graphc.ops.branches import run_branches
from graphc.tracing import (
    Tensor,
    as_tensor,
    bind_many,
    broadcast_to,
    current_trace,
    describe,
    operation,
    user_line,
)
from graphc.tracing.recording import eager_recording
from graphc.tracing.regions import Closure, trace_region
from graphc.tracing.traced import run_traced

__all__ = ["custom_gradient"]


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a function a gradient of its own.

    Args:
        f: A function of tensors, or structures of them, that returns `(output, grad_fn)`. `grad_fn(upstream)` returns
            the cotangent of each argument, given that of the output. It may read what `f` computed.

    Returns:
        A function that returns the output, and has the gradient `grad_fn`.

    Raises:
        ArgumentError: when it is called: if `f` does not return a pair, or `grad_fn` not one cotangent an argument.

    Example:

    >>> import graphc
    >>> @custom_gradient
    ... def clipped(x):
    ...     return x * x, lambda upstream: upstream * 0.5
    >>> float(graphc.grad(clipped)(3.0))
    0.5
    """
    if not callable(f):
        raise ArgumentError("`custom_gradient` takes a function", got=repr(f)[:80])

    @operation
    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, spec = tree.flatten_with_spec(args)
        arguments = [as_tensor(leaf) for leaf in leaves]

        def run(*tensors: Tensor) -> Any:
            given = tree.unflatten(spec, list(tensors))
            output, grad_fn = _output_and_gradient(f, given, kwargs)
            return output if current_trace() is None else _with_gradient(output, grad_fn, given, list(tensors))

        if current_trace() is None and eager_recording() is not None:
            # The operation holds a graph of the gradient, so that what the tape recorded can be differentiated again.
            return run_traced(run, arguments)
        return run(*arguments)

    return wrapped


def _output_and_gradient(f: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, Callable[..., Any]]:
    found = f(*args, **kwargs)
    if not isinstance(found, tuple | list) or len(found) != 2 or not callable(found[1]):
        raise ArgumentError(
            "a function of `custom_gradient` returns its output and a function for the gradient",
            where=describe(user_line()),
            got=repr(found)[:80],
            hint="return (output, grad_fn)",
        )
    return tree.map_structure(as_tensor, found[0], none_is_leaf=False), found[1]


def _with_gradient(output: Any, grad_fn: Callable[..., Any], args: Any, arguments: list[Tensor]) -> Any:
    leaves, spec = tree.flatten_with_spec(output)
    wanted = [i for i, x in enumerate(arguments) if x.type.dtype.is_inexact]

    def backward(*cotangents: Tensor) -> list[Tensor]:
        found = _called(grad_fn, tree.unflatten(spec, list(cotangents)), args)
        given = list(found) if isinstance(found, tuple | list) else [found]
        grads = tree.flatten(given) if len(given) == 1 or any(map(tree.is_nested, given)) else given
        if len(grads) != len(arguments):
            raise ArgumentError(
                "a custom gradient returns one cotangent for each argument",
                where=describe(user_line()),
                got=len(grads),
                expected=len(arguments),
            )
        return [_cotangent(grads[i], arguments[i]) for i in wanted]

    region = trace_region(backward, [x.type for x in leaves])
    closure = Closure([region])
    read, carried = closure.operands()
    if carried:
        raise ArgumentError("a custom gradient assigns to a variable", got=closure.carried[0].path)
    operands = [arguments[i] for i in wanted]
    inputs = [*(x.type for x in operands), *closure.constants_of(region), *region.arguments]
    found = bind_many(
        "custom_gradient",
        *leaves,
        *operands,
        *read,
        backward=closure.graph(region, {"c": inputs}, region.results),
        results=len(leaves),
        arguments=len(operands),
    )
    return tree.unflatten(spec, list(found))


def _cotangent(grad: Any, argument: Tensor) -> Tensor:
    tensor = as_tensor(0 if grad is None else grad, argument.type.dtype)
    return broadcast_to(tensor, argument.shape) if tensor.ndim == 0 else tensor


def _called(grad_fn: Callable[..., Any], upstream: Any, args: Any) -> Any:
    """Calls a gradient as it takes its arguments: the cotangent, one for each output, or `(*args, upstream=...)`."""
    try:
        parameters = list(inspect.signature(grad_fn).parameters.values())
    except (TypeError, ValueError):  # a builtin
        parameters = []
    required = [p for p in parameters if p.default is p.empty]
    if any(p.name == "upstream" and p.kind is p.KEYWORD_ONLY for p in required):
        return grad_fn(*args, upstream=upstream)
    positional = [p for p in required if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if isinstance(upstream, tuple | list) and len(positional) == len(upstream) > 1:
        return grad_fn(*upstream)
    return grad_fn(upstream)


def remat(f: Callable[..., Any]) -> Callable[..., Any]:
    """Lets the backward pass compute a function again, instead of keeping what it computed (gradient checkpointing).

    Args:
        f: A function of tensors and structures of them.

    Returns:
        A function that computes the same, and whose intermediate results are not kept for the backward pass.

    Example:

    >>> import graphc
    >>> float(graphc.grad(remat(lambda x: x * x))(3.0))
    6.0
    """
    if not callable(f):
        raise ArgumentError("`remat` takes a function", got=repr(f)[:80])

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if current_trace() is None:
            return f(*args, **kwargs)
        leaves, spec = tree.flatten_with_spec(args)
        arguments = [as_tensor(leaf) for leaf in leaves]
        region = trace_region(lambda *given: f(*given, **kwargs), [x.type for x in arguments], spec)
        closure = Closure([region])
        constants, carried = closure.operands()
        inputs = [*closure.constants_of(region), *closure.carried_of(region), *region.arguments]
        graph = closure.graph(region, {"c": inputs}, [*closure.last(region), *region.results])
        # The gradient of a branch runs the branch again.
        found = run_branches(as_tensor(0, dtypes.int32), [*constants, *carried, *arguments], (graph,))
        closure.assign(found[: len(carried)])
        return tree.unflatten(region.structure, list(found[len(carried) :]))

    return wrapped
