"""Gradients of functions: `grad`, `value_and_grad`, `vjp`, `jvp`, `jacobian`, `hessian`, of any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from graphc import tree
from graphc.errors import ArgumentError, DTypeError
from graphc.tracing import Tensor, Variable, as_tensor, bind, current_origin, describe, operation, user_line
from graphc.transforms.tape import GradientTape

Argnums = int | Sequence[int]


def value_and_grad(fun: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the value of `fun`, a scalar, and its gradient by some arguments.

    Args:
        fun: A function of tensors and structures of them that returns a floating-point scalar.
        argnums: The position of the argument to differentiate by, or several.
        has_aux: Whether `fun` returns a pair: the scalar, and something that is passed on.

    Returns:
        A function that returns `(value, gradient)`, or `((value, aux), gradient)`; for several arguments the gradient
        is a tuple. Gradients are nested like the arguments, and zeros where the value does not depend on one.

    Raises:
        ArgumentError: by the function: if the value is no scalar.
        DTypeError: by the function: if it is not a float, or an argument is not.

    Example:

    >>> value, gradient = value_and_grad(lambda x: x * x)(3.0)
    >>> float(value), float(gradient)
    (9.0, 6.0)
    """
    _check_function(fun)

    @wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with GradientTape() as tape:
            inputs, given = _watched(tape, args, argnums)
            found = fun(*given, **kwargs)
        value, aux = _pair(found, has_aux)
        output = _scalar(value)
        gradients = tape.gradient(output, inputs, unconnected_gradients="zero")
        result = gradients[0] if isinstance(argnums, int) else tuple(gradients)
        return ((output, aux) if has_aux else output), result

    return wrapped


def grad(fun: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of `fun`, a scalar; arguments are those of `value_and_grad`.

    Returns:
        A function that returns the gradient, or `(gradient, aux)`.

    Example:

    >>> float(grad(grad(lambda x: x * x * x))(2.0))
    12.0
    """
    both = value_and_grad(fun, argnums, has_aux)

    @wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value of a function, and a function that multiplies cotangents with its Jacobian: `c^T J`.

    Args:
        fun: A function of tensors and structures of them.
        *primals: Its arguments: floats.
        has_aux: Whether `fun` returns a pair: the value, and something that is passed on.

    Returns:
        `(value, vjp_fun)` or `(value, vjp_fun, aux)`. `vjp_fun(cotangents)`, nested like the value, returns a tuple
        with the cotangent of each argument.

    Example:

    >>> value, vjp_fun = vjp(lambda x, y: x * y, 3.0, 4.0)
    >>> [float(part) for part in vjp_fun(1.0)]
    [4.0, 3.0]
    """
    _check_function(fun)
    tape = GradientTape(persistent=True)
    with tape:
        inputs, given = _watched(tape, primals, range(len(primals)))
        found = fun(*given)
    value, aux = _pair(found, has_aux)
    outputs = tree.map_structure(as_tensor, value, none_is_leaf=False)

    def vjp_fun(cotangents: Any) -> tuple[Any, ...]:
        leaves, spec = tree.flatten_with_spec(cotangents)
        wanted, expected = tree.flatten_with_spec(outputs)
        if spec != expected:
            raise _error(ArgumentError("cotangents are nested like the value", got=str(spec), expected=str(expected)))
        return tuple(tape.gradient(wanted, inputs, output_gradients=leaves, unconnected_gradients="zero"))

    return (outputs, vjp_fun, aux) if has_aux else (outputs, vjp_fun)


@operation
def jvp(
    fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> tuple[Any, ...]:
    """The value of a function, and its change when its arguments change: `J t`, forward mode.

    Args:
        fun: A function of tensors and structures of them.
        primals: A tuple of its arguments: floats.
        tangents: A tuple of changes, nested and shaped like the arguments.
        has_aux: Whether `fun` returns `(value, aux)`, where `aux` is anything.

    Returns:
        `(value, change)`, nested alike; with `has_aux` also `aux`.

    Example:

    >>> value, change = jvp(lambda x: x * x, (3.0,), (1.0,))
    >>> float(value), float(change)
    (9.0, 6.0)
    """
    _check_function(fun)
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        raise _error(ArgumentError("`jvp` takes tuples of primals and of tangents", got=repr(tangents)[:80]))
    tape = GradientTape(persistent=True)
    with tape:
        inputs, given = _watched(tape, tuple(primals), range(len(primals)))
        found = fun(*given)
    found, aux = found if has_aux else (found, None)
    leaves, spec = tree.flatten_with_spec(tree.map_structure(as_tensor, found, none_is_leaf=False))
    sources, changes = tree.flatten_with_spec(inputs)[0], tree.flatten_with_spec(list(tangents))[0]
    if len(sources) != len(changes):
        raise _error(ArgumentError("tangents are nested like primals", got=len(changes), expected=len(sources)))
    change = tree.unflatten(spec, tape.forward(leaves, sources, changes))
    return (tree.unflatten(spec, leaves), change, *((aux,) if has_aux else ()))


def jacobian(fun: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the derivative of each element of `fun` by each element of some arguments.

    Args:
        fun: A function of tensors and structures of them.
        argnums: The position of the argument to differentiate by, or several.

    Returns:
        A function that returns, nested like the value of `fun` and in each place like the arguments, tensors of shape
        `(*value.shape, *argument.shape)`.

    Example:

    >>> jacobian(lambda x: x * x)([1.0, 2.0]).numpy().tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    _check_function(fun)

    @wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        tape = GradientTape(persistent=True)
        with tape:
            inputs, given = _watched(tape, args, argnums)
            found = fun(*given, **kwargs)

        def derivative(leaf: Any) -> Any:
            parts = tape.jacobian(_float(leaf), inputs, unconnected_gradients="zero")
            return parts[0] if isinstance(argnums, int) else tuple(parts)

        return tree.map_structure(derivative, found, none_is_leaf=False)

    return wrapped


def hessian(fun: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the second derivatives of `fun` by some arguments: the Jacobian of its Jacobian.

    Args:
        fun: A function of tensors and structures of them.
        argnums: The position of the argument to differentiate by, or several.

    Example:

    >>> hessian(lambda x: x[0] * x[1] * x[1])([1.0, 2.0]).numpy().tolist()
    [[0.0, 4.0], [4.0, 2.0]]
    """
    return jacobian(jacobian(fun, argnums), argnums)


def _watched(tape: GradientTape, args: tuple[Any, ...], argnums: Argnums | range) -> tuple[list[Any], list[Any]]:
    """The arguments to differentiate by as watched tensors, and all arguments with these in their places."""
    places = [argnums] if isinstance(argnums, int) else list(argnums)
    given = list(args)
    for place in places:
        if not -len(args) <= place < len(args):
            raise _error(ArgumentError("argnums names an argument that is not there", got=place, expected=len(args)))
        given[place] = tree.map_structure(_own, _as_tensors(args[place]), none_is_leaf=False)
        tape.watch(given[place])
    return [given[place] for place in places], given


def _as_tensors(argument: Any) -> Any:
    """An argument as a structure of tensors; a list of numbers is one tensor."""
    if isinstance(argument, list) and tree.flatten(argument) and not any(map(_is_tensor, tree.flatten(argument))):
        return as_tensor(argument)
    return argument


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, Tensor | Variable) or hasattr(leaf, "__array__")


def _own(leaf: Any) -> Tensor:
    """A tensor that equals an argument, and has a gradient of its own."""
    return bind("identity", _float(leaf))


def _float(leaf: Any) -> Tensor:
    tensor = as_tensor(leaf)
    if not tensor.type.dtype.is_inexact:
        raise _error(
            DTypeError(
                "gradients are of floats, by floats",
                got=str(tensor.type),
                hint="cast it to a float dtype, or leave the argument out of argnums",
            )
        )
    return tensor


def _scalar(value: Any) -> Tensor:
    if not isinstance(value, Tensor | Variable | int | float) and not hasattr(value, "__array__"):
        raise _error(ArgumentError("a function whose gradient is taken returns a scalar", got=repr(value)[:80]))
    tensor = _float(value)
    if tensor.type.dtype.is_complex:
        raise _error(DTypeError("gradients are of real losses", got=str(tensor.type), hint="take ops.real or ops.abs"))
    if tensor.ndim:
        raise _error(
            ArgumentError(
                "a function whose gradient is taken returns a scalar",
                got=str(tensor.type),
                hint="sum its result, or use `jacobian`",
            )
        )
    return tensor


def _pair(found: Any, has_aux: bool) -> tuple[Any, Any]:
    if not has_aux:
        return found, None
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise _error(ArgumentError("with has_aux the function returns a pair", got=repr(found)[:80]))
    return found[0], found[1]


def _check_function(fun: Any) -> None:
    if not callable(fun):
        raise _error(ArgumentError("what is differentiated is a function", got=repr(fun)[:80]))


def _error(error: Any) -> Any:
    return error.locate(layer=current_origin().layer or None, where=describe(user_line()))
