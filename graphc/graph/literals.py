"""The text form of attributes, types and origins in graphs: writing and reading.

value  = none | true | false | integer | float | complex(float, float) | "text"
       | size | dtype | array | @body | (value, ..)
size   = symbol | <expression>              `B`, `<2*B + 1>`; numbers are integers
array  = dtype[sizes]{number, ..} | dtype[sizes]"base64 of the bytes"
type   = dtype[size, ..]                    sizes are plain expressions here
origin = layer file:line                    either may be missing; "quoted" if not plain
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim, IntExpr
from graphc.dtypes import DType
from graphc.errors import FileError, GraphcError
from graphc.graph.types import Array, Loc, Origin, TensorType

# Arrays of up to this many elements are written as numbers.
SHOWN_ELEMENTS = 16
# A shortened text leaves out arrays of more bytes.
SHOWN_BYTES = 256

_WORDS = {"none": None, "true": True, "false": False, "nan": float("nan"), "inf": float("inf")}
_DTYPES = {dtype.name: dtype for dtype in dtypes.ALL}
_PLAIN = re.compile(r"[A-Za-z0-9_./<>\-]+")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NUMBER = re.compile(r"-?(inf\b|(\d+\.?\d*([eE][-+]?\d+)?))")
_STRING = re.compile(r'"([^"\\]|\\.)*"')


# ---- writing


def format_value(value: Any, body: Callable[[Any], str], shorten: bool = False) -> str:
    """An attribute as text.

    Args:
        value: The attribute.
        body: Returns the name of a graph that is an attribute.
        shorten: Whether the contents of large arrays are left out.
    """
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case complex():
            return f"complex({value.real!r}, {value.imag!r})"
        case str():
            return quote(value)
        case IntExpr():
            text = str(value)
            plain = _NAME.fullmatch(text) and text not in _WORDS and text not in _DTYPES
            return text if plain else f"<{text}>"
        case DType():
            return value.name
        case Array():
            return _format_array(value, shorten)
        case tuple():
            parts = [format_value(part, body, shorten) for part in value]
            return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
    return body(value)


def quote(text: str) -> str:
    """A text in quotes, on one line, with unprintable characters escaped."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def format_constant(array: Array, shorten: bool) -> str:
    """A constant, whose type stands beside it: scalars are plain numbers."""
    numbers = _numbers(array) if array.shape == () else None
    return _format_array(array, shorten) if numbers is None else format_value(numbers[0], str)


def _numbers(array: Array) -> list[Any] | None:
    """The elements as numbers, each as short as its dtype allows; None where that would not be exact."""
    values = array.numpy().reshape(-1)
    numbers = list(map(_shortest, values)) if array.dtype.is_inexact else values.tolist()
    # NaNs have many bit patterns, of which a number in text preserves one.
    return numbers if _from_numbers(numbers, array.dtype) == array.data else None


def _shortest(value: Any) -> float | complex:
    """A number as short as its dtype allows."""
    if isinstance(value, np.complexfloating):
        return complex(float(str(value.real)), float(str(value.imag)))
    return float(str(value))


def _format_array(array: Array, shorten: bool) -> str:
    head = f"{array.dtype.name}[{', '.join(map(str, array.shape))}]"
    numbers = _numbers(array) if len(array.data) <= SHOWN_ELEMENTS * array.dtype.itemsize else None
    if numbers is not None:
        return f"{head}{{{', '.join(format_value(number, str) for number in numbers)}}}"
    if shorten and len(array.data) > SHOWN_BYTES:
        return f"{head}{{..}}"
    return f'{head}"{base64.b64encode(array.data).decode()}"'


def _from_numbers(numbers: list[Any], dtype: DType) -> bytes:
    with np.errstate(all="ignore"):
        return np.asarray(numbers, dtype.numpy).tobytes()


def format_type(type: TensorType) -> str:
    """A type as text, such as `float32[B, 128]`."""
    return str(type)


def format_loc(loc: Loc) -> str:
    """Origins as text, such as `sequential/dense train.py:12`."""
    return ", ".join(_format_origin(origin) for origin in loc)


def _format_origin(origin: Origin) -> str:
    parts = [_plain(origin.layer)] if origin.layer else []
    if origin.file or origin.line:
        parts.append(f"{_plain(origin.file)}:{origin.line}")
    return " ".join(parts) or "?"


def _plain(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote(text)


# ---- reading


class Scanner:
    """Reads a line from left to right.

    Args:
        text: The line.
        where: The name of the line in errors.
        bodies: The graphs by their names, for `@name`.
    """

    def __init__(self, text: str, where: str, bodies: dict[str, Any]) -> None:
        self.text = text
        self.where = where
        self.bodies = bodies
        self.position = 0

    def fail(self, expected: str) -> FileError:
        """An error that names the expected token at the current position."""
        rest = self.text[self.position :]
        got = rest[:40] + ("..." if len(rest) > 40 else "") if rest else "the end of the line"
        return FileError("the text of a graph cannot be read", where=self.where, got=got, expected=expected)

    def skip(self) -> None:
        """Skips blanks."""
        while self.position < len(self.text) and self.text[self.position] == " ":
            self.position += 1

    def at(self, token: str) -> bool:
        """Whether a token comes next; blanks before it do not count."""
        self.skip()
        return self.text.startswith(token, self.position)

    def accept(self, token: str) -> bool:
        """Skips a token, if it comes next; returns whether it did."""
        is_next = self.at(token)
        if is_next:
            self.position += len(token)
        return is_next

    def expect(self, token: str) -> None:
        """Skips a token that must come next."""
        if not self.accept(token):
            raise self.fail(repr(token))

    def match(self, pattern: re.Pattern[str], expected: str) -> str:
        """Skips and returns text that matches a pattern."""
        self.skip()
        match = pattern.match(self.text, self.position)
        if match is None:
            raise self.fail(expected)
        self.position = match.end()
        return match.group()

    def name(self) -> str:
        """An identifier."""
        return self.match(_NAME, "a name")

    def integer(self) -> int:
        """A number without sign."""
        return int(self.match(re.compile(r"\d+"), "a number"))

    def string(self) -> str:
        """A quoted text."""
        text = self.match(_STRING, "a quoted text")
        try:
            value: str = json.loads(text)
        except ValueError:
            raise self.fail("a quoted text") from None
        return value

    def end(self) -> None:
        """Raises unless only blanks are left."""
        self.skip()
        if self.position != len(self.text):
            raise self.fail("the end of the line")


def read_value(scan: Scanner) -> Any:
    """An attribute."""
    scan.skip()
    start = scan.text[scan.position : scan.position + 1]
    if start == '"':
        return scan.string()
    if start == "(":
        return _read_tuple(scan)
    if scan.accept("<"):
        return read_size(scan, ">", closing=True)
    if scan.accept("@"):
        name = scan.match(re.compile(r"\d+"), "the number of a body")
        if name not in scan.bodies:
            raise scan.fail("a body that stands above")
        return scan.bodies[name]
    if start == "-" or start.isdigit():
        return _read_number(scan)
    word = scan.name()
    if word == "complex" and scan.at("("):
        return _read_complex(scan)
    if word in _WORDS:
        return _WORDS[word]
    if word in _DTYPES:
        return _read_array(scan, _DTYPES[word]) if scan.at("[") else _DTYPES[word]
    return dims.size(word)


def _read_tuple(scan: Scanner) -> tuple[Any, ...]:
    scan.expect("(")
    parts: list[Any] = []
    while not scan.accept(")"):
        parts.append(read_value(scan))
        if not scan.at(")"):
            scan.expect(",")
    return tuple(parts)


def _read_complex(scan: Scanner) -> complex:
    parts = _read_tuple(scan)
    if [type(part) for part in parts] != [float, float]:
        raise scan.fail("a real and an imaginary part")
    return complex(*parts)


def _read_number(scan: Scanner) -> int | float:
    text = scan.match(_NUMBER, "a number")
    return float(text) if re.search(r"[.einf]", text) else int(text)


def read_size(scan: Scanner, stops: str, closing: bool = False) -> Dim:
    """A size, up to one of the characters `stops` outside parentheses, which is skipped with `closing`."""
    begin, depth = scan.position, 0
    while scan.position < len(scan.text):
        here = scan.text[scan.position]
        if depth == 0 and here in stops:
            break
        depth += (here == "(") - (here == ")")
        scan.position += 1
    else:
        raise scan.fail(f"one of {stops}")
    text = scan.text[begin : scan.position]
    scan.position += closing
    try:
        return dims.parse(text)
    except GraphcError:
        scan.position = begin
        raise scan.fail("a size") from None


def _read_shape(scan: Scanner) -> tuple[Dim, ...]:
    scan.expect("[")
    sizes: list[Dim] = []
    while not scan.accept("]"):
        sizes.append(read_size(scan, ",]"))
        scan.accept(",")
    return tuple(sizes)


def read_type(scan: Scanner) -> TensorType:
    """A type."""
    word = scan.name()
    if word not in _DTYPES:
        raise scan.fail("a dtype")
    return TensorType(_read_shape(scan), _DTYPES[word])


def _read_array(scan: Scanner, dtype: DType) -> Array:
    shape = _read_shape(scan)
    count = dims.product(shape)
    if not isinstance(count, int):
        raise scan.fail("an array of known shape")
    if scan.at('"'):
        try:
            data = base64.b64decode(scan.string(), validate=True)
        except (binascii.Error, ValueError):
            raise scan.fail("base64") from None
    else:
        scan.expect("{")
        if scan.at(".."):
            raise scan.fail("the contents of an array (this text was shortened)")
        numbers: list[Any] = []
        while not scan.accept("}"):
            numbers.append(read_value(scan))
            scan.accept(",")
        try:
            data = _from_numbers(numbers, dtype)
        except (TypeError, ValueError, OverflowError):
            raise scan.fail(f"numbers of {dtype.name}") from None
    if len(data) != count * dtype.itemsize:
        raise scan.fail(f"{count} elements")
    return Array(dtype, tuple(int(size) for size in shape if isinstance(size, int)), data)


def read_loc(scan: Scanner) -> Loc:
    """Origins, up to the end of the line."""
    origins = [_read_origin(scan)]
    while scan.accept(","):
        origins.append(_read_origin(scan))
    scan.end()
    return tuple(origins)


def _read_origin(scan: Scanner) -> Origin:
    if scan.accept("?"):
        return Origin()
    layer, file = "", _read_plain(scan)
    if not scan.at(":"):
        layer = file
        scan.skip()
        if scan.position == len(scan.text) or scan.at(","):
            return Origin(layer)
        file = _read_plain(scan)
    scan.expect(":")
    return Origin(layer, file, scan.integer())


def _read_plain(scan: Scanner) -> str:
    return scan.string() if scan.at('"') else scan.match(_PLAIN, "a layer or a file")
