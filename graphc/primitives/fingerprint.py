"""A digest of what Python functions do: of their code, and of all that it reads.

It is the same in every process, and another one where the code of a function changes, of a function that it calls, a
number that it reads, or a default. What is part of Python, of graphc or of an installed package counts by its name and
the package's version.
"""

from __future__ import annotations

import dis
import enum
import functools
import hashlib
import inspect
import os
import sys
import sysconfig
import types
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from graphc.dims import IntExpr
from graphc.dtypes import DType

# What reaches more than this many values is not followed.
MOST_VALUES = 20_000

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PACKAGE = __name__.partition(".")[0]
# Parts of graphc whose objects stay as they are made.
_CONSTANT_PARTS = ("dims", "dtypes", "exprs", "graph", "primitives")
_PATHS = sysconfig.get_paths()
_INSTALLED = tuple({_PATHS[name] + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME")
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM")
# What classes hold for Python itself, and what is written there in other words as well.
_NOT_OF_A_CLASS = (
    *("__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__"),
    *("_abc_impl", "__dataclass_params__", "__annotations__", "__annotate_func__", "__annotations_cache__"),
)
# Of the flags of types in C: made by a class statement, and not by C.
_HEAP_TYPE, _IMMUTABLE_TYPE = 1 << 9, 1 << 8
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), type(NotImplemented))
# A name that nothing has (yet).
_ABSENT = object()


class _Unknown(Exception):
    """Something whose contents cannot be told."""


def fingerprint(*values: Any) -> str | None:
    """The digest of values, functions among them.

    Args:
        *values: Functions, numbers, texts, arrays, and structures and objects made of these.

    Returns:
        Hexadecimal digits; None where something has no contents that can be told, such as an open file.

    Example:

    >>> fingerprint(lambda x: x + 1) == fingerprint(lambda x: x + 1), fingerprint(len) == fingerprint(abs)
    (True, False)
    """
    walk = _Walk()
    try:
        for value in values:
            walk.add(value)
    except (_Unknown, RecursionError):
        return None
    return walk.digest()


@lru_cache(maxsize=4096)
def _is_installed(file: str) -> bool:
    """Whether a file is part of Python, of graphc or of an installed package."""
    if file.startswith("<frozen") or file.startswith(_OURS):
        return True
    return file.startswith(_INSTALLED) or "site-packages" in file or "dist-packages" in file


@lru_cache(maxsize=1024)
def _names_read(code: types.CodeType) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The names of globals, of attributes and of modules that code reads, functions within it included."""
    found: tuple[dict[str, None], ...] = ({}, {}, {})
    for step in dis.get_instructions(code):
        for names, reads in zip(found, (_GLOBALS, _ATTRIBUTES, ("IMPORT_NAME",)), strict=True):
            if step.opname in reads:
                names[step.argval] = None
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            for names, more in zip(found, _names_read(inner), strict=True):
                names.update(dict.fromkeys(more))
    return tuple(found[0]), tuple(found[1]), tuple(found[2])


@lru_cache(maxsize=1024)
def _code_digest(code: types.CodeType) -> str:
    """The digest of code by itself, which never changes."""
    walk = _Walk()
    walk.say("code", code.co_code.hex(), code.co_flags, getattr(code, "co_exceptiontable", b"").hex())
    walk.say(code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    walk.say(code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    for constant in code.co_consts:
        walk.add(constant)
    return walk.digest()


class _Walk:
    """Follows values and hashes what they are."""

    def __init__(self) -> None:
        self.words: list[str] = []
        # What was met and may lead back to itself, kept alive so that nothing else gets its identity.
        self.met: dict[int, tuple[int, Any]] = {}
        self.count = 0

    def digest(self) -> str:
        """The digest of all that was said."""
        return hashlib.sha256(repr(self.words).encode("utf-8", "surrogatepass")).hexdigest()

    def say(self, *words: object) -> None:
        """Adds texts to what is hashed."""
        self.words.extend(map(str, words))

    def add(self, value: Any) -> None:
        """Hashes a value and all that it reaches."""
        self.count += 1
        if self.count > MOST_VALUES:
            raise _Unknown
        if type(value) in _PLAIN:
            self.say("value", type(value).__name__, repr(value))
            return
        # Equal constants are one object or several, as the code was compiled or loaded: they are told again.
        if type(value) not in (tuple, frozenset, types.CodeType):
            known = self.met.get(id(value))
            if known is not None:
                self.say("met", known[0])
                return
            self.met[id(value)] = len(self.met), value
        self._add_new(value)

    def _add_new(self, value: Any) -> None:
        match value:
            case types.FunctionType():
                self._function(value)
            case types.CodeType():
                self.say(_code_digest(value))
            case types.ModuleType():
                self._named(value, value.__name__)
            case enum.Enum():
                self.say("member", value.name)
                self.add(type(value))
            case type():
                self._class(value)
            case DType():
                self.say("dtype", value.name)
            case IntExpr():
                self.say("size", value)
            case np.dtype():
                self.say("numpy dtype", value.str, value.descr if value.names else value.name)
            case np.ndarray() | np.generic():
                self._array(np.asarray(value))
            case np.ufunc():
                self._ufunc(value)
            case functools.partial():
                self._parts("partial", value.func, value.args, value.keywords)
            case types.MethodType() | types.MethodWrapperType():
                self._parts("method", value.__self__, value.__name__)
            case types.BuiltinFunctionType():
                self._builtin(value)
            case staticmethod() | classmethod():
                self._parts(type(value).__name__, value.__func__)
            case property():
                self._parts("property", value.fget, value.fset, value.fdel)
            case types.CellType():
                self._cell(value)
            case _ if type(value) in (tuple, list):
                self._parts(type(value).__name__, *value)
            case _ if type(value) in (set, frozenset):
                self._unordered(value)
            case _ if type(value) in (dict, types.MappingProxyType):
                self._parts("mapping", *(part for item in value.items() for part in item))
            case _:
                self._object(value)

    def _parts(self, kind: str, *parts: Any) -> None:
        self.say(kind, len(parts))
        for part in parts:
            self.add(part)

    def _unordered(self, values: Iterable[Any]) -> None:
        """Hashes of texts, and so the order of sets, differ from process to process."""
        found = sorted(str(fingerprint(value)) for value in values)
        if "None" in found:
            raise _Unknown
        self._parts("set", *found)

    def _named(self, value: Any, name: str) -> None:
        """What counts by its name and the version of its package."""
        package = (getattr(value, "__module__", None) or name).partition(".")[0]
        self.say("named", name, package, getattr(sys.modules.get(package), "__version__", ""))

    def _function(self, function: types.FunctionType) -> None:
        if _is_installed(function.__code__.co_filename):
            # Closures and defaults tell functions apart that were made by one function.
            self._named(function, function.__qualname__)
            self.add(function.__defaults__)
            self.add(function.__kwdefaults__)
            self.add(function.__closure__)
            return
        self.say("function", _code_digest(function.__code__))
        self.add(function.__defaults__)
        self.add(function.__kwdefaults__)
        self.add(function.__closure__)
        names, attributes, modules = _names_read(function.__code__)
        builtins = function.__globals__.get("__builtins__", {})
        known: Mapping[str, Any] = builtins if isinstance(builtins, dict) else vars(builtins)
        for name in names:
            self.say("global", name)
            self._read(function.__globals__.get(name, known.get(name, _ABSENT)), attributes)
        for name in modules:
            self.say("import", name)
            self._read(sys.modules.get(name, _ABSENT), attributes)

    def _read(self, value: Any, attributes: tuple[str, ...]) -> None:
        """A global that code reads; of a module of the user, what code reads of it."""
        if value is _ABSENT:
            self.say("absent")
            return
        self.add(value)
        if isinstance(value, types.ModuleType) and not _is_installed(getattr(value, "__file__", None) or "<frozen>"):
            for name in attributes:
                if name in vars(value):
                    self.say("attribute", name)
                    self._read(vars(value)[name], attributes)

    def _cell(self, cell: types.CellType) -> None:
        try:
            contents = cell.cell_contents
        except ValueError:
            self.say("empty cell")
            return
        self._parts("cell", contents)

    def _builtin(self, function: types.BuiltinFunctionType) -> None:
        owner = function.__self__
        if owner is None or isinstance(owner, types.ModuleType):
            self._named(function, function.__qualname__)
            return
        self._parts("method", owner, function.__name__)

    def _array(self, array: np.ndarray[Any, Any]) -> None:
        if array.dtype.hasobject:
            raise _Unknown
        self.say("array", array.dtype.str, array.shape, hashlib.sha256(np.ascontiguousarray(array).data).hexdigest())

    def _ufunc(self, function: np.ufunc) -> None:
        if getattr(np, function.__name__, None) is not function:
            raise _Unknown
        self.say("ufunc", function.__name__, np.__version__)

    def _class(self, kind: type) -> None:
        if not _is_python(kind) or _found_by_name(kind):
            self._named(kind, kind.__qualname__)
            return
        self.say("class", kind.__qualname__)
        self._parts("bases", *kind.__bases__)
        for name, value in sorted(vars(kind).items()):
            if name not in _NOT_OF_A_CLASS and not _is_access(value):
                self.say(name)
                self.add(value)

    def _object(self, value: Any) -> None:
        """An object: what a package has under a name, or one of a class in Python with its contents."""
        if _found_by_name(value):
            self._named(value, value.__qualname__)
            return
        wrapped = getattr(value, "__wrapped__", None)
        if type(value).__module__ == "functools" and isinstance(wrapped, types.FunctionType):
            self._parts("wrapper", wrapped)
            return
        kind = type(value)
        bases = [base for base in kind.__mro__ if not _is_python(base)]
        if not set(bases) <= {object, tuple, list, dict, set, frozenset} or any(map(_changes, kind.__mro__)):
            raise _Unknown
        self._parts("object", kind)
        for base in (tuple, list, dict, set, frozenset):
            if isinstance(value, base):
                self.add(base(value))
        self.add(dict(getattr(value, "__dict__", {})))
        for name in (name for base in kind.__mro__ for name in _slots(base)):
            self.say(name)
            if hasattr(value, name):
                self.add(getattr(value, name))


def _found_by_name(value: Any) -> bool:
    """Whether an installed package has an object under the name that it says it has."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return False
    home = sys.modules.get(module)
    found = functools.reduce(lambda holder, part: getattr(holder, part, None), name.split("."), home)
    return found is value and _is_installed(getattr(home, "__file__", None) or "<frozen>")


def _is_access(value: Any) -> bool:
    """Whether an attribute of a class only tells how objects hold theirs."""
    return (
        type(value).__module__ in ("builtins", "_collections")
        and inspect.isdatadescriptor(value)
        and (not isinstance(value, property))
    )


def _changes(kind: type) -> bool:
    """Whether objects of a class of graphc's change while programs run: layers and variables do, types do not."""
    package, _, part = kind.__module__.partition(".")
    return package == _PACKAGE and part.partition(".")[0] not in _CONSTANT_PARTS


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _is_python(kind: type) -> bool:
    """Whether a class was made by Python code; objects of others hold what is not among their attributes."""
    return bool(kind.__flags__ & _HEAP_TYPE) and not kind.__flags__ & _IMMUTABLE_TYPE
