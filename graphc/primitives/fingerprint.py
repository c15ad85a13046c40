"""Digests of Python functions: of their code, and of all values that it reads.

A digest is the same in every process. It changes with the code of the function, with the code of functions that it
calls, with the values that it reads, and with its defaults. Objects of Python, of graphc and of installed packages are
hashed by their names and the version of the package.
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

# The most values that are followed from a function; functions that reach more have no digest.
MOST_VALUES = 20_000

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PACKAGE = __name__.partition(".")[0]
# Packages and modules of graphc whose objects are immutable.
_CONSTANT_PARTS = ("dims", "dtypes", "exprs", "graph", "primitives")
_PATHS = sysconfig.get_paths()
_INSTALLED = tuple({_PATHS[name] + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME")
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM")
# Attributes of classes that Python itself sets, or that repeat others.
_NOT_OF_A_CLASS = (
    *("__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__"),
    *("_abc_impl", "__dataclass_params__", "__annotations__", "__annotate_func__", "__annotations_cache__"),
)
# Flags of types in C that tell classes made by a class statement from classes of C.
_HEAP_TYPE, _IMMUTABLE_TYPE = 1 << 9, 1 << 8
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), type(NotImplemented))
# The value of an undefined name.
_ABSENT = object()


class _Unknown(Exception):
    """Raised for an object whose contents are not accessible."""


def fingerprint(*values: Any) -> str | None:
    """The digest of values, functions among them.

    Args:
        *values: Functions, numbers, texts, arrays, and structures and objects made of these.

    Returns:
        Hexadecimal digits; None where the contents of an object are not accessible, such as an open file's.

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
    """The names of the globals, attributes and modules that code reads, nested functions included."""
    names: tuple[dict[str, None], ...] = ({}, {}, {})
    for step in dis.get_instructions(code):
        for group, reads in zip(names, (_GLOBALS, _ATTRIBUTES, ("IMPORT_NAME",)), strict=True):
            if step.opname in reads:
                group[step.argval] = None
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            for group, more in zip(names, _names_read(inner), strict=True):
                group.update(dict.fromkeys(more))
    return tuple(names[0]), tuple(names[1]), tuple(names[2])


@lru_cache(maxsize=1024)
def _code_digest(code: types.CodeType) -> str:
    """The digest of a code object by itself; it is cached, since code objects are immutable."""
    walk = _Walk()
    walk.say("code", code.co_code.hex(), code.co_flags, getattr(code, "co_exceptiontable", b"").hex())
    walk.say(code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    walk.say(code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    for constant in code.co_consts:
        walk.add(constant)
    return walk.digest()


class _Walk:
    """Hashes values and all values that they refer to."""

    def __init__(self) -> None:
        self.words: list[str] = []
        # Visited objects, which may be part of cycles; references keep them alive, so that ids stay unique.
        self.visited: dict[int, tuple[int, Any]] = {}
        self.count = 0

    def digest(self) -> str:
        """The digest of all words so far."""
        return hashlib.sha256(repr(self.words).encode("utf-8", "surrogatepass")).hexdigest()

    def say(self, *words: object) -> None:
        """Adds words to the hashed ones."""
        self.words.extend(map(str, words))

    def add(self, value: Any) -> None:
        """Hashes a value and all values that it refers to."""
        self.count += 1
        if self.count > MOST_VALUES:
            raise _Unknown
        if type(value) in _PLAIN:
            self.say("value", type(value).__name__, repr(value))
            return
        # Equal constants are one object or several, depending on how code was loaded: they are hashed each time.
        if type(value) not in (tuple, frozenset, types.CodeType):
            known = self.visited.get(id(value))
            if known is not None:
                self.say("met", known[0])
                return
            self.visited[id(value)] = len(self.visited), value
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
        """Hashes sets by sorted digests: hashes of texts, and so the order of sets, differ between processes."""
        digests = sorted(str(fingerprint(value)) for value in values)
        if "None" in digests:
            raise _Unknown
        self._parts("set", *digests)

    def _named(self, value: Any, name: str) -> None:
        """Hashes an object by its name and the version of its package."""
        package = (getattr(value, "__module__", None) or name).partition(".")[0]
        self.say("named", name, package, getattr(sys.modules.get(package), "__version__", ""))

    def _function(self, function: types.FunctionType) -> None:
        if _is_installed(function.__code__.co_filename):
            # Functions made by one outer function differ in their closures and defaults.
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
        """Hashes a global that code reads; of a user's module also the attributes that code reads."""
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
        """Hashes an object: by name if a package exports it, else its class and contents if the class is Python's."""
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
    """Whether an installed package has this object under the object's own `__qualname__`."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return False
    home = sys.modules.get(module)
    named = functools.reduce(lambda holder, part: getattr(holder, part, None), name.split("."), home)
    return named is value and _is_installed(getattr(home, "__file__", None) or "<frozen>")


def _is_access(value: Any) -> bool:
    """Whether an attribute of a class is a descriptor of a slot or of `__dict__`."""
    return (
        type(value).__module__ in ("builtins", "_collections")
        and inspect.isdatadescriptor(value)
        and (not isinstance(value, property))
    )


def _changes(kind: type) -> bool:
    """Whether a class is one of graphc's mutable ones: layers and variables are, types are not."""
    package, _, part = kind.__module__.partition(".")
    return package == _PACKAGE and part.partition(".")[0] not in _CONSTANT_PARTS


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _is_python(kind: type) -> bool:
    """Whether a class is defined in Python; objects of other classes may have contents besides attributes."""
    return bool(kind.__flags__ & _HEAP_TYPE) and not kind.__flags__ & _IMMUTABLE_TYPE
