"""Serialization of objects to configurations in Keras's format, and the registry of names of objects.

A built-in class is serialized with its module in Keras 3 (`keras.layers`), so that configurations can be exchanged with
Keras in both directions.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from graphc import dtypes
from graphc.errors import ArgumentError, CallError, GraphcError
from graphc.parameters import declared_config

T = TypeVar("T")

# The registry of the objects that configurations can name. It is filled by imports and by users' decorators.
_BUILTIN: dict[str, Any] = {}
_CUSTOM: dict[str, Any] = {}
# The packages that register built-in classes when they are imported, by the names of these classes.
_LATER: dict[str, str] = {}
_HOMES = (
    *("keras.layers", "keras", "keras.initializers", "keras.regularizers", "keras.constraints", "keras.optimizers"),
    *("keras.losses", "keras.metrics", "keras.optimizers.schedules"),
)
# The time that a comparison takes grows with the length of names, and files may hold any.
_LONG_NAME = 200
_scoped: ContextVar[Mapping[str, Any] | None] = ContextVar("graphc_custom_objects", default=None)


class _Shared:
    """The layers that occur several times in a configuration, which are one layer when it is read.

    Attributes:
        counts: How often each was written, by identity; None: they are not counted any more, and get numbers.
        numbers: The numbers of those that occur several times, by identity.
        made: What was made of configurations with a number.
    """

    def __init__(self) -> None:
        self.counts: dict[int, int] | None = {}
        self.numbers: dict[int, int] = {}
        self.made: dict[int, Any] = {}

    def number(self) -> bool:
        """Numbers what was counted; whether there is anything."""
        self.numbers = {key: i for i, (key, n) in enumerate((self.counts or {}).items(), 1) if n > 1}
        self.counts = None
        return bool(self.numbers)


_sharing: ContextVar[_Shared | None] = ContextVar("graphc_shared_objects", default=None)
_SHARED_ID = "shared_object_id"


def serialize_whole(obj: Any) -> Any:
    """Serializes an object such that a layer that occurs several times in it is one layer again when it is read."""
    token = _sharing.set(_Shared())
    try:
        config = serialize_keras_object(obj)
        shared = _sharing.get()
        return serialize_keras_object(obj) if shared is not None and shared.number() else config
    finally:
        _sharing.reset(token)


@contextmanager
def shared_objects() -> Iterator[None]:
    """A context in which configurations are read that `serialize_whole` made."""
    token = _sharing.set(_Shared())
    try:
        yield
    finally:
        _sharing.reset(token)


def exported(module: str, *aliases: str) -> Callable[[T], T]:
    """Registers a built-in class or function as `module.name`, and under its aliases in Keras."""

    def register(thing: T) -> T:
        name = str(getattr(thing, "__name__", ""))
        if isinstance(thing, type):
            thing._keras_module = module  # type: ignore[attr-defined]
        for known in (name, *aliases):
            _BUILTIN[f"{module}.{known}"] = thing
        return thing

    return register


def exported_functions(functions: Iterable[Callable[..., Any]]) -> None:
    """Registers built-in functions, such as losses and activations: configurations name them without a module."""
    _BUILTIN.update({f"builtins.{function.__name__}": function for function in functions})


def exported_later(module: str, names: Iterable[str], package: str) -> None:
    """Tells that classes are registered as `module.name` when a package is imported."""
    _LATER.update({f"{module}.{name}": package for name in names})


def _built_in(known: str) -> Any:
    """The built-in class or function of this name, or None."""
    if known not in _BUILTIN and known in _LATER:
        import_module(_LATER[known])
    return _BUILTIN.get(known)


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Registers a user's class or function for configurations.

    Args:
        package: The prefix of its registered name.
        name: Its name. None: that of the class.

    Returns:
        A decorator that returns its argument.

    Raises:
        ArgumentError: if a class without `get_config` is decorated.

    Example:

    >>> @register_keras_serializable(package="mine")
    ... class Twice:
    ...     def get_config(self):
    ...         return {}
    >>> get_registered_name(Twice)
    'mine>Twice'
    """

    def register(thing: T) -> T:
        known = f"{package}>{name or getattr(thing, '__name__', '')}"
        if isinstance(thing, type) and not hasattr(thing, "get_config"):
            raise ArgumentError(f"the class {known!r} has no `get_config`", hint="define it, so that it can be saved")
        _CUSTOM[known] = thing
        return thing

    return register


def get_registered_name(obj: Any) -> str:
    """The name under which a class or function was registered, else its own name."""
    for name, thing in _CUSTOM.items():
        if thing is obj:
            return name
    return str(obj.__name__)


def get_registered_object(name: str, custom_objects: Any = None, module_objects: Any = None) -> Any:
    """The class or function that was registered under a name; None if there is none."""
    for table in (_scoped.get() or {}, _CUSTOM, custom_objects or {}, module_objects or {}):
        if name in table:
            return table[name]
    return None


def get_custom_objects() -> dict[str, Any]:
    """The classes and functions that users registered, by name; entries that are added to it are registered, too."""
    return _CUSTOM


@contextmanager
def custom_object_scope(custom_objects: Mapping[str, Any]) -> Iterator[None]:
    """A context in which configurations may name these objects.

    Args:
        custom_objects: Classes and functions by name.
    """
    token = _scoped.set({**(_scoped.get() or {}), **custom_objects})
    try:
        yield
    finally:
        _scoped.reset(token)


def choices(name: object, known: Iterable[str]) -> str | None:
    """A hint with the known names that are nearest to an unknown one."""
    text = str(name)
    near = difflib.get_close_matches(text, list(known), n=3) if len(text) < _LONG_NAME else []
    return f"did you mean {' or '.join(map(repr, near))}?" if near else None


def named(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Looks a name up among the user's registered objects and in a table.

    Raises:
        ArgumentError: if there is none, with the nearest names.
    """
    if name in table:
        return table[name]
    custom: Any = get_registered_object(name)
    if custom is not None:
        return custom  # type: ignore[no-any-return]
    raise ArgumentError(
        f"there is no {kind} of this name",
        got=repr(name)[:_LONG_NAME],
        expected="one of " + ", ".join(sorted({key for key in table if key.islower()})),
        hint=choices(name, table),
    )


def builtin(kind: str, module: str, name: str) -> Any:
    """Looks up a built-in object of a Keras module by name: a class by its own name or its name in snake case.

    Raises:
        ArgumentError: if it has none, with the nearest names.
    """
    start = f"{module}."
    known = {key.removeprefix(start): thing for key, thing in _BUILTIN.items() if key.startswith(start)}
    return named(kind, name, known | {snake_case(key): thing for key, thing in known.items()})


def snake_case(name: str) -> str:
    """The name of a class in snake case, as in Keras's names of layers.

    Example:

    >>> snake_case("GlobalAveragePooling2D"), snake_case("ReLU"), snake_case("AdamW")
    ('global_average_pooling2d', 're_lu', 'adam_w')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def serialize_keras_object(obj: Any) -> Any:
    """Serializes an object to plain data: numbers and strings unchanged, objects with `get_config` as a dictionary.

    Raises:
        ArgumentError: if it cannot be written.
    """
    if obj is None or isinstance(obj, bool | int | float | str):
        return obj
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, list):
        return [serialize_keras_object(part) for part in obj]
    if isinstance(obj, tuple):
        return tuple(serialize_keras_object(part) for part in obj)
    if isinstance(obj, dict):
        return {key: serialize_keras_object(part) for key, part in obj.items()}
    if isinstance(obj, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if isinstance(obj, slice):
        parts = {name: serialize_keras_object(getattr(obj, name)) for name in ("start", "stop", "step")}
        return {"class_name": "__slice__", "config": parts}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if hasattr(obj, "__tensor__") and not hasattr(obj, "get_config"):
        array = obj.numpy()
        return {"class_name": "__tensor__", "config": {"value": array.tolist(), "dtype": array.dtype.name}}
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode()}}
    if isinstance(obj, FunctionType):
        return _function_config(obj)
    if hasattr(obj, "get_config"):
        return _object_config(obj)
    raise ArgumentError("this object cannot be written to a configuration", got=repr(obj), hint="give it `get_config`")


# A function without a name. Keras writes its code, which is never run here: who reads the file passes the function.
_LAMBDA, _LAMBDA_NAME = "__lambda__", "<lambda>"
# The name of the layer whose configuration is read; and whether configurations keep functions as they are.
_owner: ContextVar[str | None] = ContextVar("graphc_owner", default=None)
_keeps_functions: ContextVar[bool] = ContextVar("graphc_keeps_functions", default=False)


@contextmanager
def functions_kept() -> Iterator[None]:
    """A context in which configurations hold functions themselves: they are for copies, and not for files."""
    token = _keeps_functions.set(True)
    try:
        yield
    finally:
        _keeps_functions.reset(token)


def _function_config(function: FunctionType) -> Any:
    if _keeps_functions.get():
        return function
    if function.__name__ == _LAMBDA_NAME:
        return {"class_name": _LAMBDA, "config": {"name": _LAMBDA_NAME}}
    known = get_registered_name(function)
    return {"module": "builtins", "class_name": "function", "config": known, "registered_name": "function"}


def _object_config(obj: Any) -> dict[str, Any]:
    cls = type(obj)
    module = vars(cls).get("_keras_module")
    if _counts_as_repeated(obj):
        return {}  # the configuration is written once more, with numbers
    result = {
        "module": module or cls.__module__,
        "class_name": cls.__name__,
        "config": serialize_keras_object(obj.get_config()),
        "registered_name": None if module else get_registered_name(cls),
    }
    if hasattr(obj, "get_build_config"):
        build = obj.get_build_config()
        if build is not None:
            result["build_config"] = serialize_build_config(build)
    if getattr(obj, "compiled", False) and hasattr(obj, "get_compile_config"):
        result["compile_config"] = obj.get_compile_config()
    shared = _sharing.get()
    if shared is not None and id(obj) in shared.numbers:
        result[_SHARED_ID] = shared.numbers[id(obj)]
    return result


def _counts_as_repeated(obj: Any) -> bool:
    """Counts a layer, where layers are counted; whether it was counted before."""
    shared = _sharing.get()
    if shared is None or shared.counts is None or not hasattr(obj, "get_build_config"):
        return False
    shared.counts[id(obj)] = shared.counts.get(id(obj), 0) + 1
    return shared.counts[id(obj)] > 1


def serialize_build_config(config: dict[str, Any]) -> dict[str, Any]:
    """Converts tuples to lists, as in JSON."""
    parts = {key: serialize_build_config(part) if isinstance(part, dict) else part for key, part in config.items()}
    return {key: list(part) if isinstance(part, tuple) else part for key, part in parts.items()}


def deserialize_keras_object(config: Any, custom_objects: Any = None, safe_mode: bool = True, **kwargs: Any) -> Any:
    """Creates an object from the result of `serialize_keras_object`. Code in configurations is never run.

    Args:
        config: The configuration.
        custom_objects: Classes and functions of the user, by name.
        safe_mode: Accepted as in Keras; it is always on.

    Raises:
        ArgumentError: if the configuration names something unknown.
    """
    if not safe_mode:
        raise ArgumentError("code in configurations is never run", hint="leave safe_mode on, and pass custom_objects")
    if isinstance(config, list | tuple):
        parts = [deserialize_keras_object(part, custom_objects) for part in config]
        return tuple(parts) if isinstance(config, tuple) else parts
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: deserialize_keras_object(part, custom_objects) for key, part in config.items()}
    inner = config["config"]
    if config["class_name"] == "__tuple__":  # of earlier versions
        return tuple(deserialize_keras_object(part, custom_objects) for part in inner["value"])
    if config["class_name"] == "__slice__":
        return slice(*(deserialize_keras_object(inner[name]) for name in ("start", "stop", "step")))
    if config["class_name"] == "__ellipsis__":
        return Ellipsis
    if config["class_name"] == "__bytes__":
        return str(inner["value"]).encode()
    if config["class_name"] in ("__numpy__", "__tensor__"):
        return np.array(inner["value"], dtype=dtypes.as_dtype(inner["dtype"]).numpy)
    if config["class_name"] == _LAMBDA:
        return _passed_function(_LAMBDA_NAME, custom_objects)
    if config["class_name"] == "function":
        try:
            return _find(config.get("module"), str(inner), inner, custom_objects)
        except ArgumentError:
            return _passed_function(str(inner)[:80], custom_objects)
    number, shared = config.get(_SHARED_ID), _sharing.get()
    if shared is not None and isinstance(number, int) and number in shared.made:
        return shared.made[number]
    cls = _find(config.get("module"), config["class_name"], config.get("registered_name"), custom_objects)
    with custom_object_scope(custom_objects or {}):
        obj = _made_from(cls, inner)
    if shared is not None and isinstance(number, int):
        shared.made[number] = obj
    build = config.get("build_config")
    if build and hasattr(obj, "build_from_config") and not obj.built:
        obj.build_from_config(build)
    return obj


def _passed_function(name: str, custom_objects: Any) -> Any:
    """The function that the caller passed for one in a configuration: by the name of the layer, or by its own.

    Raises:
        ArgumentError: if there is none.
    """
    owner = _owner.get()
    for known in (owner, name):
        found = get_registered_object(known, custom_objects) if known is not None else None
        if callable(found) and not isinstance(found, type):
            return found
    raise ArgumentError(
        "a configuration needs a function, whose code is not read from files",
        layer=owner,
        got=repr(name),
        hint=f"pass it: custom_objects={{{(owner or name) if name == _LAMBDA_NAME else name!r}: function}}",
    )


def _made_from(cls: Any, config: Any) -> Any:
    """An object of a class, from its configuration."""
    with owner_of_functions(config.get("name") if isinstance(config, dict) else None):
        return _object_from(cls, config)


@contextmanager
def owner_of_functions(name: Any) -> Iterator[None]:
    """A context in which the configuration of a layer is read, whose functions may come by its name."""
    token = _owner.set(name if isinstance(name, str) else _owner.get())
    try:
        yield
    finally:
        _owner.reset(token)


def _object_from(cls: Any, config: Any) -> Any:
    if not hasattr(cls, "from_config"):
        raise CallError(f"{cls.__name__} cannot be made from a configuration", hint="define its `from_config`")
    try:
        return cls.from_config(config)
    except TypeError as error:
        if isinstance(error, GraphcError):
            raise
        raise CallError(
            f"{cls.__name__} cannot be made from its configuration",
            got=str(error),
            hint="its `from_config` deserializes the objects that `get_config` returned among the arguments",
        ) from error


def _find(module: str | None, name: str, registered: Any, custom_objects: Any) -> Any:
    for known in (registered, name):
        found = get_registered_object(known, custom_objects) if known else None
        if found is not None:
            return found
    # Keras 3.6 and before wrote functions without their package.
    named_so = [thing for key, thing in _CUSTOM.items() if name in (key, key.rpartition(">")[2])]
    if registered == name and len(named_so) == 1 and isinstance(named_so[0], FunctionType):
        return named_so[0]
    # Configurations of before Keras 3 name no module.
    for home in (module,) if module is not None else _HOMES:
        found = _built_in(f"{home}.{name}")
        if found is not None and registered not in (None, "", name):
            # Who registered a class of their own under the name of a built-in one would get another object.
            raise ArgumentError(
                "a configuration names a registered class, and a built-in one",
                got=f"{str(registered)[:80]!r} and {home}.{name}",
                hint="pass the class in custom_objects, or register it",
            )
        if found is not None:
            return found
    raise ArgumentError(
        "a configuration names something unknown",
        got=f"{module}.{name}"[:_LONG_NAME],
        hint=choices(f"{module}.{name}", _BUILTIN) or "pass it in custom_objects, or register it",
    )


class Configurable:
    """The base class of objects that are completely described by a configuration."""

    if TYPE_CHECKING:  # the arguments that a class declares become its `__init__` at run time

        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal object."""
        return declared_config(self)

    def _prepare(self) -> None:
        """Checks the arguments that the class declares, which are attributes now, and derives others."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates an object from a configuration that `get_config` returned."""
        return cls(**config)


def resolve(kind: str, identifier: Any, table: Mapping[str, Any]) -> Any:
    """Resolves a name, a configuration, a class, a function or an object to an object.

    Raises:
        ArgumentError: if it is none of these, or the name is unknown.
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        found = deserialize_keras_object(identifier)
    elif isinstance(identifier, str):
        found = named(kind, identifier, table)
    else:
        found = identifier
    if isinstance(found, type):
        found = found()
    if not callable(found) and not hasattr(found, "get_config"):
        raise ArgumentError(f"this is no {kind}", got=repr(identifier), expected="a name, an object or a configuration")
    return found
