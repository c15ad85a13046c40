"""The frozen configuration, and the source of each of its fields.

A field is decided by the first of these that names it: the innermost `override` around the call, a `set_*` function,
an environment variable, the config file, the default. The config file is TOML; it is `config.toml` in the user's
config folder of this platform (on Linux `~/.config/graphc/`), or the file that `GRAPHC_CONFIG` names:

    backend = "cpu"
    threads = 4
    cache_dir = "~/.cache/graphc"

| field | variable | in words |
| --- | --- | --- |
| `backend` | `GRAPHC_BACKEND` | `numpy`, `cpu` or `cuda`; not set: the best present |
| `threads` | `GRAPHC_THREADS` | how many threads a program may use; not set: as many as the machine allows |
| `floatx` | `GRAPHC_FLOATX` | the dtype of weights and of Python floats |
| `epsilon` | `GRAPHC_EPSILON` | the fuzz factor of losses and layers |
| `image_data_format` | `GRAPHC_IMAGE_DATA_FORMAT` | `channels_last` or `channels_first` |
| `cache_dir` | `GRAPHC_CACHE` | folder of built artefacts and data sets; not set: the user's cache folder |
| `dump` | `GRAPHC_DUMP` | folder for dumps of every stage of compilations; not set: none |
| `compiler` | `GRAPHC_CC` | the C compiler; not set: `$CC`, then the machine's own |
| `products` | `GRAPHC_PRODUCTS` | on `cpu`: `generated`, by a `library`, or as `measured`, on which bits then depend |
| `interactive_logging` | `GRAPHC_INTERACTIVE_LOGGING` | whether messages are printed; if not, they are logged |
| `max_epochs` | `GRAPHC_MAX_EPOCHS` | how many epochs `fit` runs at most; not set: as many as it is asked for |
| `max_steps_per_epoch` | `GRAPHC_MAX_STEPS_PER_EPOCH` | how many steps a pass over data has at most |
| `flash_attention` | `GRAPHC_FLASH_ATTENTION` | kept for programs that ask; the compiler chooses |
| `traceback_filtering` | `GRAPHC_TRACEBACK_FILTERING` | kept for programs that ask; tracebacks are always whole |
| `dtype_policy` | `GRAPHC_DTYPE_POLICY` | the dtype policy of layers without one; not set: `floatx` |
| `verify` | `GRAPHC_VERIFY` | whether graphs and kernels are checked after each pass of a compilation; not set: no |
"""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from graphc import lazy
from graphc.config_checks import BACKENDS as BACKENDS
from graphc.config_checks import CHECKS, OPTIONAL
from graphc.config_checks import DATA_FORMATS as DATA_FORMATS
from graphc.config_checks import FLOATX as FLOATX
from graphc.config_checks import PRODUCTS as PRODUCTS
from graphc.errors import ArgumentError, FileError


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of graphc; the module's table describes the fields."""

    backend: str | None = None
    threads: int | None = None
    floatx: str = "float32"
    epsilon: float = 1e-7
    image_data_format: str = "channels_last"
    cache_dir: Path | None = None
    dump: Path | None = None
    compiler: str | None = None
    products: str = "generated"
    interactive_logging: bool = True
    max_epochs: int | None = None
    max_steps_per_epoch: int | None = None
    traceback_filtering: bool = True
    flash_attention: bool = True
    dtype_policy: str | None = None
    verify: bool = False


FIELDS = tuple(f.name for f in fields(Config))

_VARIABLES = MappingProxyType(
    {
        "backend": "GRAPHC_BACKEND",
        "threads": "GRAPHC_THREADS",
        "floatx": "GRAPHC_FLOATX",
        "epsilon": "GRAPHC_EPSILON",
        "image_data_format": "GRAPHC_IMAGE_DATA_FORMAT",
        "cache_dir": "GRAPHC_CACHE",
        "dump": "GRAPHC_DUMP",
        "compiler": "GRAPHC_CC",
        "products": "GRAPHC_PRODUCTS",
        "interactive_logging": "GRAPHC_INTERACTIVE_LOGGING",
        "max_epochs": "GRAPHC_MAX_EPOCHS",
        "max_steps_per_epoch": "GRAPHC_MAX_STEPS_PER_EPOCH",
        "traceback_filtering": "GRAPHC_TRACEBACK_FILTERING",
        "flash_attention": "GRAPHC_FLASH_ATTENTION",
        "dtype_policy": "GRAPHC_DTYPE_POLICY",
        "verify": "GRAPHC_VERIFY",
    }
)


# Environment variables of the project's own scripts and tests.
_TOOLS = frozenset(f"GRAPHC_{name}" for name in ("NVCC", "REQUIRE_CUDA", "EMULATE", "WHEELS", "CI_VENV"))


def _checked(name: str, value: object, source: str) -> Any:
    """The value in its final type, or an `ArgumentError` that names the source and the field."""
    if name not in CHECKS:
        near = difflib.get_close_matches(name, FIELDS, n=1)
        raise ArgumentError(
            f"{source}: there is no setting {name!r}",
            got=repr(name),
            expected="one of " + ", ".join(FIELDS),
            hint=f"did you mean {near[0]!r}?" if near else None,
        )
    if value is None and name in OPTIONAL:
        return None
    try:
        return CHECKS[name](value)
    except ValueError as error:
        raise ArgumentError(f"{source}: bad value for {name!r}", got=repr(value), expected=str(error)) from None


# ---------------------------------------------------------------- the file and the environment

# Any: each value has passed the check of its field, and so has that field's type.
_Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """The fields and values of one source; compared by identity, so that hashing is free."""

    values: _Values


_EMPTY = _Layer(MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class _Base:
    """The settings of file and environment: the merged config and the source of each field that is not a default."""

    config: Config
    sources: Mapping[str, str]


_NAMES = ("GRAPHC_CONFIG", "XDG_CONFIG_HOME", "HOME", *_VARIABLES.values())
_ENCODED = tuple(map(os.environ.encodekey, _NAMES))
_Snapshot = tuple[str | bytes | None, ...]


def _environment() -> _Snapshot:
    """The raw values of the variables in `_NAMES`, in that order."""
    # Looked up below `os.environ`, whose own `get` encodes each name anew and raises an exception for each variable
    # that is not set: settings are read at every run of a program, where that took longer than small programs run.
    data = getattr(os.environ, "_data", None)
    return tuple(map(os.environ.get, _NAMES) if data is None else map(data.get, _ENCODED))


@lru_cache(maxsize=16)
def _base(environment: _Snapshot) -> _Base:
    """Reads file and environment once per distinct environment: a later change of a variable is seen, at little cost.

    The file itself is read once a process; a config that changes under a running program would be a surprise. An empty
    variable counts as not set.
    """
    variables = {name: os.fsdecode(value) for name, value in zip(_NAMES, environment, strict=True) if value}
    _refuse_misspelt()
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    path, given = _file(variables)
    for name, value in _read(path, given).items():
        values[name] = value
        sources[name] = f"config file {path}"
    for name, variable in _VARIABLES.items():
        if variable in variables:
            values[name] = _checked(name, _parse(name, variables[variable]), f"environment variable {variable}")
            sources[name] = variable
    return _Base(Config(**values), MappingProxyType(sources))


def _refuse_misspelt() -> None:
    """Raises for an unknown variable, which is probably misspelt."""
    known = {"GRAPHC_CONFIG", *_VARIABLES.values()}
    for name in os.environ:
        if not name.startswith("GRAPHC_") or name in known or name in _TOOLS:
            continue
        part, parts = name.removeprefix("GRAPHC_"), sorted(other.removeprefix("GRAPHC_") for other in known)
        near = difflib.get_close_matches(part, parts, n=1, cutoff=0.65)
        near = near or [other for other in parts if len(part) > 1 and other.startswith(part)]
        if near:
            raise ArgumentError(
                f"there is no environment variable {name}",
                got=name,
                expected="one of " + ", ".join(sorted(known)),
                hint=f"did you mean GRAPHC_{near[0]}?",
            )
        warnings.warn(f"the environment variable {name} is no setting of graphc", stacklevel=2)


def _file(variables: Mapping[str, str]) -> tuple[Path, bool]:
    """The config file, and whether the user named it (then it must exist)."""
    if "GRAPHC_CONFIG" in variables:
        return Path(os.path.expanduser(variables["GRAPHC_CONFIG"])), True
    import platformdirs  # noqa: PLC0415

    return platformdirs.user_config_path("graphc", appauthor=False) / "config.toml", False


def _read(path: Path, given: bool) -> _Values:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if not given:
            return _EMPTY.values
        raise ArgumentError(f"there is no config file {path}", hint="create it, or unset GRAPHC_CONFIG") from None
    except OSError as error:
        raise FileError(f"the config file {path} cannot be read", got=error.strerror) from error
    import tomllib  # noqa: PLC0415

    try:
        table = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:  # bad UTF-8, or bad TOML
        raise ArgumentError(f"the config file {path} is not valid TOML", got=error) from None
    layer = {name: _checked(name, value, f"config file {path}") for name, value in table.items()}
    # A relative path in a file is relative to that file: it does not depend on the working directory.
    return {name: path.parent / value if isinstance(value, Path) else value for name, value in layer.items()}


def _as_switch(text: str) -> object:
    return {"1": True, "0": False}.get(text, text)


def _parse(name: str, text: str) -> object:
    """Converts a variable's text to the type of its field; text that is no number stays text and fails the check."""
    kinds: dict[str, Callable[[str], object]] = {
        **dict.fromkeys(("threads", "max_epochs", "max_steps_per_epoch"), int),
        **dict.fromkeys(("verify", "interactive_logging", "traceback_filtering", "flash_attention"), _as_switch),
        "epsilon": float,
    }
    try:
        return kinds.get(name, str)(text)
    except ValueError:
        return text


# ---------------------------------------------------------------- settings made by the program


class _Process:
    """Holds the settings of the `set_*` functions, for the whole process.

    Keras's `set_floatx` and its like are process-wide by contract, so one mutable cell is needed. It is this one; its
    content is an immutable mapping that is replaced as a whole, so that a reader in another thread sees the old or
    the new settings and never a mixture.
    """

    __slots__ = ("layer",)

    def __init__(self) -> None:
        self.layer: _Layer = _EMPTY


_process = _Process()

# The scoped overrides live in a context variable and not in `_process`: each thread and each asyncio task has its own,
# so that `with override(...)` in one never affects compilations in another. It holds only the overridden fields, so
# that a `set_*` of another field inside the scope is still seen.
_scoped: ContextVar[_Layer] = ContextVar("graphc_config", default=_EMPTY)


def current() -> Config:
    """Returns the settings that hold at this point of the program.

    Raises:
        ArgumentError: if the config file or a variable has an unknown name or a bad value.
        FileError: if the config file exists and cannot be read.

    Example:

    >>> with override(backend="numpy", threads=2):
    ...     current().backend, current().threads
    ('numpy', 2)
    """
    return _merged(_environment(), _process.layer, _scoped.get())


@lru_cache(maxsize=64)
def _merged(environment: _Snapshot, process: _Layer, scoped: _Layer) -> Config:
    """The settings of all sources together: the same object as long as no source changes."""
    return replace(_base(environment).config, **{**process.values, **scoped.values})


def where(field: str) -> str:
    """Returns the source of a field's value, to be shown to the user.

    Args:
        field: Name of a field of `Config`.

    Returns:
        `"context"` for an `override`, `"argument"` for a `set_*` function, the name of an environment variable,
        `"config file PATH"`, or `"default"`.

    Raises:
        ArgumentError: if there is no such field, or as for `current`.

    Example:

    >>> with override(epsilon=1e-5):
    ...     where("epsilon")
    'context'
    """
    if field not in FIELDS:
        _checked(field, None, "where()")
    if field in _scoped.get().values:
        return "context"
    if field in _process.layer.values:
        return "argument"
    return _base(_environment()).sources.get(field, "default")


@contextmanager
def override(**settings: object) -> Iterator[Config]:
    """Changes settings inside a `with` block, for the current thread or asyncio task alone.

    Args:
        **settings: Fields of `Config` and their values.

    Returns:
        A context manager that gives the `Config` in force inside.

    Raises:
        ArgumentError: if a name is unknown or a value bad.

    Example:

    >>> with override(floatx="bfloat16"):
    ...     floatx()
    'bfloat16'
    """
    layer = {name: _checked(name, value, "override()") for name, value in settings.items()}
    token = _scoped.set(_Layer(MappingProxyType({**_scoped.get().values, **layer})))
    try:
        yield current()
    finally:
        _scoped.reset(token)


def _set(name: str, value: object, source: str) -> None:
    layer = {**_process.layer.values, name: _checked(name, value, source)}
    _process.layer = _Layer(MappingProxyType(layer))


def set_backend(backend: str | None) -> None:
    """Chooses the backend for the whole process; `None` chooses the best one present.

    Whether the backend is present is checked when a graph is compiled for it.

    Args:
        backend: `"numpy"`, `"cpu"`, `"cuda"` or `None`.

    Raises:
        ArgumentError: if there is no backend of that name.
    """
    _set("backend", backend, "set_backend()")


def floatx() -> str:
    """Returns the default float dtype, as a string.

    Example:

    >>> floatx()
    'float32'
    """
    return current().floatx


def set_floatx(value: str) -> None:
    """Sets the default float dtype for the whole process.

    Args:
        value: `"float16"`, `"bfloat16"`, `"float32"` or `"float64"`.

    Raises:
        ArgumentError: if it is none of these.
    """
    _set("floatx", value, "set_floatx()")


def epsilon() -> float:
    """Returns the fuzz factor used in numeric expressions.

    Example:

    >>> epsilon()
    1e-07
    """
    return current().epsilon


def set_epsilon(value: float) -> None:
    """Sets the fuzz factor used in numeric expressions, for the whole process.

    Args:
        value: A number above 0.

    Raises:
        ArgumentError: if it is not a finite number above 0.
    """
    _set("epsilon", value, "set_epsilon()")


def image_data_format() -> str:
    """Returns the default image data format.

    Example:

    >>> image_data_format()
    'channels_last'
    """
    return current().image_data_format


def set_image_data_format(data_format: str) -> None:
    """Sets the default image data format for the whole process.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.

    Raises:
        ArgumentError: if it is neither.
    """
    _set("image_data_format", data_format, "set_image_data_format()")


def enable_interactive_logging() -> None:
    """Has messages printed, which is the default."""
    _set("interactive_logging", True, "enable_interactive_logging()")


def disable_interactive_logging() -> None:
    """Has messages given to the logger `graphc` of Python's `logging`, for programs that nobody watches."""
    _set("interactive_logging", False, "disable_interactive_logging()")


def is_interactive_logging_enabled() -> bool:
    """Whether messages are printed.

    Example:

    >>> is_interactive_logging_enabled()
    True
    """
    return current().interactive_logging


def max_epochs() -> int | None:
    """How many epochs `fit` runs at most; None: as many as it is asked for."""
    return current().max_epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Bounds the number of epochs of each `fit`, to try a long program quickly.

    Args:
        max_epochs: A positive integer. None: no bound.

    Raises:
        ArgumentError: if it is neither.
    """
    _set("max_epochs", max_epochs, "set_max_epochs()")


def max_steps_per_epoch() -> int | None:
    """How many steps `fit`, `evaluate` and `predict` run at most in a pass over the data; None: all."""
    return current().max_steps_per_epoch


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Bounds the number of steps in a pass over the data of `fit`, `evaluate` and `predict`.

    Args:
        max_steps_per_epoch: A positive integer. None: no bound.

    Raises:
        ArgumentError: if it is neither.
    """
    _set("max_steps_per_epoch", max_steps_per_epoch, "set_max_steps_per_epoch()")


def enable_traceback_filtering() -> None:
    """Accepted as in Keras: errors name the user's line, and tracebacks are whole in any case."""
    _set("traceback_filtering", True, "enable_traceback_filtering()")


def disable_traceback_filtering() -> None:
    """Accepted as in Keras: tracebacks are whole in any case."""
    _set("traceback_filtering", False, "disable_traceback_filtering()")


def is_traceback_filtering_enabled() -> bool:
    """Which of the two functions was called last."""
    return current().traceback_filtering


def enable_unsafe_deserialization() -> None:
    """Refused: code in files is never run.

    Raises:
        ArgumentError: always.
    """
    raise ArgumentError(
        "code in files is never run",
        got="enable_unsafe_deserialization()",
        hint="register the functions of your model with `register_keras_serializable`, or pass `custom_objects`",
    )


def enable_flash_attention() -> None:
    """Accepted as in Keras: attention is always fused with its softmax where that is faster."""
    _set("flash_attention", True, "enable_flash_attention()")


def disable_flash_attention() -> None:
    """Accepted as in Keras: the compiler decides how attention is computed; the results are the same."""
    _set("flash_attention", False, "disable_flash_attention()")


def is_flash_attention_enabled() -> bool | None:
    """False after `disable_flash_attention`, else None, as in Keras where attention decides by itself."""
    return None if current().flash_attention else False


def is_nnx_enabled() -> bool:
    """False: there is no JAX."""
    return False


def set_default_policy(name: str | None) -> None:
    """Sets the name of the dtype policy of layers without one; `set_dtype_policy` takes policies, too."""
    _set("dtype_policy", name, "set_dtype_policy()")


# The functions of dtype policies are in a module of a higher rank, and imported when they are used.
__getattr__, __dir__ = lazy.attributes(
    __name__,
    (),
    dict.fromkeys(("dtype_policy", "set_dtype_policy"), "graphc.dtype_policies") | {"backend": "graphc.backend"},
)
