"""From functions to converted functions: source, cache, and which functions are converted at all."""

from __future__ import annotations
import __future__

import ast
import copy
import functools
import linecache
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MappingProxyType, MethodType, SimpleNamespace
from typing import Any, Final, TypeVar

from graphc.frames import is_users
from graphc.tracing import current_trace
from graphc.transforms.autograph import runtime
from graphc.transforms.autograph.rows import enumerate_, len_, range_, zip_
from graphc.transforms.autograph.source import Source, find
from graphc.transforms.autograph.transformer import RUNTIME, FunctionTransformer

F = TypeVar("F", bound=Callable[..., Any])

# The last constant of converted code, by which it is known.
_MARK = "graphc: converted"
_OPT_OUT = "_graphc_unconverted"
_FUTURE = functools.reduce(
    lambda flags, name: flags | getattr(__future__, name).compiler_flag, __future__.all_feature_names, 0
)
# Functions of graphc and of Python that call the functions that they are given.
_CALLING_MODULES = frozenset(
    {"graphc.ops.branches", "graphc.ops.gradients", "graphc.ops.loops", "graphc.transforms.gradients"}
)
_CALLERS = frozenset({map, filter, functools.reduce})
_REPLACED: Final = MappingProxyType({range: range_, enumerate: enumerate_, zip: zip_, len: len_})


def convert(function: F) -> F:
    """Converts a function, so that control flow over traced tensors becomes part of the graph.

    `if`, `while`, `for`, `break`, `continue`, `return`, `and`, `or`, `not`, chained comparisons and conditional
    expressions whose values are traced tensors become `ops.cond`, `ops.while_loop`, `ops.scan` and `ops.fori_loop`; for
    Python values they do what they do in Python. Functions that it calls are converted when they are called, those of
    graphc, of Python's library and of installed packages excepted.

    The function's source must be readable. It has the same globals, closure and defaults; its decorators do not run
    again. Side effects of Python, such as `print`, happen while the function is traced, and may happen more than once
    there.

    Args:
        function: A function, a bound method, or an object that can be called.

    Returns:
        The converted function; the same one where its source cannot be read.

    Example:

    >>> import graphc
    >>> from graphc import ops
    >>> def collatz(n):
    ...     steps = 0
    ...     while n > 1:
    ...         if n % 2 == 0:
    ...             n = n // 2
    ...         else:
    ...             n = 3 * n + 1
    ...         steps += 1
    ...     return steps
    >>> graphc.function(convert(collatz))(ops.array(27)).numpy().item()
    111
    """
    made: Any = function
    if isinstance(function, MethodType):
        made = MethodType(convert(function.__func__), function.__self__)
    elif isinstance(function, functools.partial):
        made = functools.partial(convert(function.func), *function.args, **function.keywords)
    elif isinstance(function, FunctionType):
        made = _converted_function(function)
    elif not isinstance(function, type | BuiltinFunctionType):
        call = getattr(type(function), "__call__", None)  # noqa: B004
        if isinstance(call, FunctionType) and _is_for_conversion(call):
            made = MethodType(_converted_function(call), function)
    return made  # type: ignore[no-any-return]


_enabled: ContextVar[bool] = ContextVar("graphc_autograph", default=True)


@contextmanager
def converting(enabled: bool) -> Iterator[None]:
    """A context in which functions that are traced are converted, or are not."""
    token = _enabled.set(enabled)
    try:
        yield
    finally:
        _enabled.reset(token)


def for_trace(function: Any) -> Any:
    """What to call for a function of the user: the converted function while a graph is traced, otherwise itself."""
    return converted(function) if current_trace() is not None and _enabled.get() else function


def do_not_convert(function: F) -> F:
    """Marks a function, so that it is called as it is from converted functions.

    Args:
        function: A function.

    Example:

    >>> @do_not_convert
    ... def f(x):
    ...     return x
    """
    setattr(function, _OPT_OUT, True)
    return function


def converted(function: Any) -> Any:
    """What converted code calls for a function: the converted function if it is the user's, otherwise the same.

    Args:
        function: Anything that can be called.
    """
    kind = type(function)
    if kind is FunctionType:
        if not _is_for_conversion(function):
            return _with_converted_arguments(function) if _takes_functions(function) else function
    elif kind is MethodType:
        if not (isinstance(function.__func__, FunctionType) and _is_for_conversion(function.__func__)):
            return function
    elif kind is type or kind is BuiltinFunctionType:
        if _takes_functions(function):
            return _with_converted_arguments(function)
        try:
            return _REPLACED.get(function, function)
        except TypeError:  # a class whose metaclass has no hash
            return function
    elif kind is functools.partial:
        return functools.partial(converted(function.func), *function.args, **function.keywords)
    return convert(function)


def _is_for_conversion(function: FunctionType) -> bool:
    code = function.__code__
    if code.co_consts[-1:] == (_MARK,) or getattr(function, _OPT_OUT, False):
        return False
    file = code.co_filename
    return is_users(file) and "site-packages" not in file and "dist-packages" not in file


def _takes_functions(function: Any) -> bool:
    """Whether it is a function that calls the functions that it is given while it is traced."""
    try:
        return function in _CALLERS or getattr(function, "__module__", None) in _CALLING_MODULES
    except TypeError:  # a class whose metaclass has no hash
        return False


def _with_converted_arguments(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(_argument, args), **{name: _argument(value) for name, value in kwargs.items()})

    return call


def _argument(value: Any) -> Any:
    if type(value) in (list, tuple):
        return type(value)(map(_argument, value))
    return converted(value) if isinstance(value, FunctionType | MethodType) else value


# ---- building functions

_RUNTIME_CELL = CellType(
    SimpleNamespace(**{name: getattr(runtime, name) for name in runtime.__all__}, converted=converted)
)


def _converted_function(function: FunctionType) -> FunctionType:
    if function.__code__.co_consts[-1:] == (_MARK,):
        return function
    linecache.lazycache(function.__code__.co_filename, function.__globals__)
    code = _converted_code(function.__code__, function.__code__.co_filename, function.__code__.co_qualname)
    if code is None:
        return function
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)) | {RUNTIME: _RUNTIME_CELL}
    closure = tuple(cells[name] for name in code.co_freevars)
    made = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__qualname__ = function.__qualname__
    made.__module__ = function.__module__
    made.__doc__ = function.__doc__
    # Where annotations are evaluated on demand, they stay so.
    for name in ("__annotate__",) if hasattr(function, "__annotate__") else ("__annotations__",):
        setattr(made, name, getattr(function, name))
    made.__dict__.update(function.__dict__)
    return made


@lru_cache(maxsize=4096)
def _converted_code(code: CodeType, filename: str, qualname: str) -> CodeType | None:
    """The converted code; None if the source cannot be read. Codes can be equal in different files, hence the names."""
    source = find(code)
    if source is None:
        return None
    module = _module(source, code.co_freevars)
    compiled = compile(module, filename, "exec", flags=code.co_flags & _FUTURE, dont_inherit=True)
    found = _named(compiled, code.co_name)
    assert set(found.co_freevars) <= {*code.co_freevars, RUNTIME}, (
        f"converted code reads other variables: {found.co_freevars}"
    )
    return _finished(found, qualname)


def _module(source: Source, free: tuple[str, ...]) -> ast.Module:
    """A module with the converted function, inside a function whose parameters are its free variables."""
    node = FunctionTransformer(_bare(copy.deepcopy(source.node))).rewrite()
    statement: ast.stmt = ast.copy_location(ast.Expr(node), node) if isinstance(node, ast.Lambda) else node
    if source.class_name is not None:
        around = ast.ClassDef(source.class_name, [], [], [statement], [])
        around.type_params = []  # type: ignore[attr-defined, unused-ignore]
        statement = ast.copy_location(around, node)
    # Inside a class's body, `__class__` is the class's own.
    names = [RUNTIME, *(name for name in free if not (source.class_name and name == "__class__"))]
    arguments = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
    # What the statement defines must not hide a global variable of that name.
    bound = getattr(statement, "name", None)
    hidden: list[ast.stmt] = [ast.Global([bound])] if bound is not None and bound not in free else []
    factory = ast.FunctionDef("@factory", arguments, [*hidden, statement], [], None)
    factory.type_params = []  # type: ignore[attr-defined, unused-ignore]
    return ast.fix_missing_locations(ast.Module([ast.copy_location(factory, node)], []))


def _bare(node: Any) -> Any:
    """A function without what runs when it is defined: decorators, defaults and annotations."""
    arguments = node.args
    arguments.defaults = [ast.Constant(None) for _ in arguments.defaults]
    arguments.kw_defaults = [default and ast.Constant(None) for default in arguments.kw_defaults]
    if isinstance(node, ast.Lambda):
        return node
    node.decorator_list, node.returns, node.type_params = [], None, []
    starred = [arg for arg in (arguments.vararg, arguments.kwarg) if arg is not None]
    for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred):
        arg.annotation = None
    return node


def _named(code: CodeType, name: str) -> CodeType:
    """The outermost function of a name in a module's code."""
    waiting = deque([code])
    while waiting:
        found = waiting.popleft()
        if found.co_name == name:
            return found
        waiting.extend(part for part in found.co_consts if isinstance(part, CodeType))
    raise AssertionError(f"{name} is not in the converted code")


def _finished(code: CodeType, qualname: str) -> CodeType:
    """Code, and that of the functions in it, with the names that tracebacks show, and marked as converted."""
    inner = (
        _finished(part, f"{qualname}.<locals>.{part.co_name}") if isinstance(part, CodeType) else part
        for part in code.co_consts
    )
    if code.co_name.startswith("@"):  # a block: shown as the function that it is a part of
        return code.replace(
            co_consts=(*inner, _MARK),
            co_name=code.co_name.partition(":")[2],
            co_qualname=qualname.rpartition(".<locals>")[0],
        )
    return code.replace(co_consts=(*inner, _MARK), co_qualname=qualname)
