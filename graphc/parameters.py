"""Constructor arguments that classes declare: one mechanism for `__init__`, configurations and docstrings.

    @exported("keras.layers")
    @configured
    class Dense(Layer):
        units: int
        activation: Any = None
        use_bias: bool = True
        kernel_initializer: Any = "glorot_uniform"

`__init__` takes the annotated attributes of the class in their order, then those that its base classes declare, whose
defaults it may change in their place, then the arguments of the first `__init__` that is written out, here that of
`Layer`, which gets its own. Each is converted as the
kind of its name says (`kernel_initializer` by `initializers.get`) and becomes an attribute; then `_prepare` runs, where
the class checks them and derives others. `get_config` writes the attributes back, each as its kind says, and the
docstring gets what is known of arguments that it does not mention. A class may have tables `_kinds` (the kinds by name,
or by `*_` and the last word of names), `_former` (arguments by the names that they had; None: ignored) and `_unwritten`
(arguments that configurations leave out while they are None), and a `_prefix` of the names of its attributes.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MethodType
from typing import Any, TypeVar, cast, overload

from graphc.errors import CallError
from graphc.frames import warn

C = TypeVar("C", bound=type)

REQUIRED = inspect.Parameter.empty
_WIDTH = 120


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Kind:
    """What arguments of one name, or with one last word in their name, have in common.

    Args:
        doc: What a docstring says of them; `{}` stands for the words before the last one.
        decode: Makes the attribute of what the caller gives; raises an error if it cannot be used.
        encode: Makes what a configuration holds of the attribute.
        attribute: The name of the attribute, if it is another one.
        written: Whether configurations hold it.
    """

    doc: str
    decode: Callable[[Any], Any] = _same
    encode: Callable[[Any], Any] = _same
    attribute: str | None = None
    written: bool = True


_PLAIN = Kind("")


@dataclass(frozen=True)
class Declared:
    """An argument that a class declares: its name, its default, which may be `REQUIRED`, and its kind."""

    name: str
    default: Any
    kind: Kind
    attribute: str


def _kind(cls: type, name: str) -> Kind:
    kinds: Mapping[str, Kind] = getattr(cls, "_kinds", {})
    return kinds.get(name) or kinds.get("*_" + name.rpartition("_")[2]) or _PLAIN


def _own(cls: type) -> dict[str, Declared]:
    """What a class declares itself. Its defaults are taken off: properties of base classes may have these names."""
    found = {}
    for name, annotation in vars(cls).get("__annotations__", {}).items():
        if name.startswith("_") or "ClassVar" in str(annotation):
            continue
        kind = _kind(cls, name)
        attribute = kind.attribute or getattr(cls, "_prefix", "") + name
        found[name] = Declared(name, vars(cls).get(name, REQUIRED), kind, attribute)
        if name in vars(cls):
            delattr(cls, name)
    return found


def declared_of(cls: type) -> dict[str, Declared]:
    """The arguments that a class and its base classes declare, by name, in the order of `__init__`."""
    return getattr(cls, "_declared", {})


def declared_config(obj: Any) -> dict[str, Any]:
    """The part of an object's configuration that its class declares."""
    unwritten = getattr(obj, "_unwritten", ())
    fields = {name: field for name, field in declared_of(type(obj)).items() if field.kind.written}
    found = {name: (field, getattr(obj, field.attribute)) for name, field in fields.items()}
    return {
        name: field.kind.encode(value)
        for name, (field, value) in found.items()
        if value is not None or name not in unwritten
    }


class _Constructor:
    """The `__init__` of a class that declares its arguments.

    Args:
        cls: The class.
        defaults: Other defaults of arguments of its base class.
    """

    def __init__(self, cls: type, defaults: Mapping[str, Any]) -> None:
        self._cls, self._defaults = cls, dict(defaults)
        self.__name__, self.__qualname__ = "__init__", f"{cls.__qualname__}.__init__"

    @overload
    def __get__(self, instance: None, owner: Any = None) -> _Constructor: ...
    @overload
    def __get__(self, instance: object, owner: Any = None) -> MethodType: ...
    def __get__(self, instance: object, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    @cached_property
    def _written(self) -> Callable[..., None]:
        """The first `__init__` among the base classes that is written out."""
        inits = (vars(base).get("__init__") for base in self._cls.__mro__[1:])
        written = next(init for init in inits if init is not None and not isinstance(init, _Constructor))
        return cast("Callable[..., None]", written)

    @cached_property
    def _base(self) -> dict[str, inspect.Parameter]:
        """The arguments of that `__init__`."""
        if self._written is object.__init__:
            return {}
        named = list(inspect.signature(self._written).parameters.items())[1:]
        changed = {name: p.replace(default=self._defaults.get(name, p.default)) for name, p in named}
        return {name: p for name, p in changed.items() if p.kind is not p.VAR_POSITIONAL}

    @cached_property
    def __signature__(self) -> inspect.Signature:
        """The signature of `__init__`, in which the arguments of a base class that come by name are `**kwargs`."""
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        declared = declared_of(self._cls)
        parameters = [inspect.Parameter("self", kind)]
        parameters += [inspect.Parameter(d.name, kind, default=d.default) for d in declared.values()]
        parameters += [p for name, p in self._base.items() if p.kind is kind and name not in declared]
        if any(p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in self._base.values()):
            parameters.append(inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD))
        return inspect.Signature(parameters)

    def _renamed(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Keyword arguments by their present names, with a warning for each former one."""
        former: Mapping[str, str | None] = getattr(self._cls, "_former", {})
        for name in former.keys() & kwargs.keys():
            now = former[name]
            what = "has no effect any more" if now is None else f"is now {now}"
            warn(f"{name} of {self._cls.__name__} {what}")
            value = kwargs[name]
            kwargs = {other: given for other, given in kwargs.items() if other != name}
            if now is not None:
                kwargs[now] = value
        return kwargs

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """All arguments by name, defaults included."""
        parameters = {name: p for name, p in list(self.__signature__.parameters.items())[1:] if name != "kwargs"}
        if len(args) > len(parameters):
            raise CallError(
                f"{self._cls.__name__} takes at most {len(parameters)} positional arguments", got=f"{len(args)}"
            )
        given = dict(zip(parameters, args, strict=False))
        twice = given.keys() & kwargs.keys()
        if twice:
            raise CallError(f"{self._cls.__name__} got an argument twice", got=", ".join(sorted(twice)))
        unknown = [name for name in kwargs if name not in parameters and name not in self._base]
        if unknown and not any(p.kind is p.VAR_KEYWORD for p in self._base.values()):
            raise CallError(
                f"{self._cls.__name__} takes no such argument", got=", ".join(unknown), expected=", ".join(parameters)
            )
        given |= kwargs
        missing = [name for name, p in parameters.items() if name not in given and p.default is REQUIRED]
        if missing:
            raise CallError(
                f"{self._cls.__name__} needs {' and '.join(missing)}", hint=f"see help({self._cls.__name__})"
            )
        return {name: p.default for name, p in parameters.items()} | given

    def __call__(self, instance: Any, /, *args: Any, **kwargs: Any) -> None:
        named, declared = self._named(args, self._renamed(kwargs)), declared_of(self._cls)
        rest = {name: value for name, value in named.items() if name in self._base or name not in declared}
        self._written(instance, **(self._defaults | rest))
        for name, field in declared.items():
            if name not in self._base:
                setattr(instance, field.attribute, field.kind.decode(named[name]))
        instance._prepare()


class _Documentation:
    """The docstring of a class, with what is known of arguments that it does not mention."""

    def __init__(self, cls: type, text: str) -> None:
        self._cls, self._text = cls, text

    def __get__(self, instance: object, owner: Any = None) -> str:
        return self._complete

    @cached_property
    def _complete(self) -> str:
        lines = self._text.rstrip().split("\n")
        mentioned, end = _arguments(lines)
        known = {name: _doc(self._cls, name) for name in _signature_of(self._cls).parameters}
        added = [line for name, doc in known.items() if doc and name not in mentioned for line in _entry(name, doc)]
        if not added:
            return self._text
        if not mentioned:
            added = ["    Args:", *added, ""]
        return "\n".join([*lines[:end], *added, *lines[end:], "    "])


def _arguments(lines: list[str]) -> tuple[set[str], int]:
    """The arguments that a docstring mentions, and the line behind them: where others belong."""
    if "    Args:" in lines:
        first = lines.index("    Args:") + 1
        count = next((i for i, line in enumerate(lines[first:]) if not line.startswith("        ")), len(lines) - first)
        entries = lines[first : first + count]
        names = {line.strip().partition(":")[0] for line in entries if not line.startswith("         ")}
        return names, first + count
    sections = ("    Returns:", "    Raises:", "    Example:")
    return set(), next((i for i, line in enumerate(lines) if line in sections), len(lines))


def _signature_of(cls: type) -> inspect.Signature:
    init = vars(cls)["__init__"]
    assert isinstance(init, _Constructor)
    return init.__signature__


def _doc(cls: type, name: str) -> str:
    """What docstrings say of an argument."""
    return _kind(cls, name).doc.format(name.rpartition("_")[0].replace("_", " "))


def _entry(name: str, doc: str) -> Iterator[str]:
    yield from textwrap.wrap(
        f"{name}: {doc}", _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 12, break_long_words=False
    )


def configured(cls: Any = None, /, *, without: Iterable[str] = (), **defaults: Any) -> Any:
    """Decorates a class that declares the arguments of its constructor.

    Args:
        cls: The class.
        without: Arguments that a base class declares and this one does not take.
        **defaults: Other defaults of arguments that its base class takes.

    Example:

    >>> class Base:
    ...     def __init__(self, *, name="base"):
    ...         self.name = name
    ...     def _prepare(self):
    ...         pass
    >>> @configured(name="pair")
    ... class Pair(Base):
    ...     first: int
    ...     second: int = 2
    >>> pair = Pair(1)
    >>> pair.first, pair.second, pair.name, declared_config(pair)
    (1, 2, 'pair', {'first': 1, 'second': 2})
    """
    if cls is None:
        return lambda decorated: configured(decorated, without=without, **defaults)
    own = _own(cls)
    inherited = {name: field for name, field in declared_of(cls).items() if name not in without}
    new = {name: field for name, field in own.items() if name not in inherited}
    cls._declared = new | {name: own.get(name, field) for name, field in inherited.items()}
    cls.__init__ = _Constructor(cls, defaults)
    if cls.__doc__ is not None:
        cls.__doc__ = _Documentation(cls, cls.__doc__)
    return cls
