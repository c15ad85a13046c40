"""Hashes of bytes that do not depend on the process: FarmHash's 64-bit fingerprint, and SipHash-2-4 with a key.

Sources: G. Pike, FarmHash (2014), the function `Fingerprint64`; Aumasson and Bernstein, SipHash (2012). TensorFlow's
`to_hash_bucket_fast` and `to_hash_bucket_strong` are these, modulo the number of buckets.
"""

from __future__ import annotations

from collections.abc import Iterable

_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _fetch(text: bytes, start: int, size: int = 8) -> int:
    return int.from_bytes(text[start : start + size], "little")


def _rotated(x: int, by: int) -> int:
    x &= _MASK
    return (x >> by | x << (64 - by)) & _MASK


def _shifted(x: int) -> int:
    x &= _MASK
    return x ^ x >> 47


def _mixed(u: int, v: int, factor: int) -> int:
    a = _shifted((u ^ v) * factor)
    b = _shifted((v ^ a) * factor)
    return b * factor & _MASK


def fingerprint(text: bytes) -> int:
    """FarmHash's fingerprint, from 0 to `2 ** 64 - 1`.

    Example:

    >>> fingerprint(b"hello")
    13009744463427800296
    """
    size = len(text)
    if size <= 16:
        return _up_to_16(text, size)
    factor = _K2 + size * 2
    if size <= 32:
        a, b = _fetch(text, 0) * _K1, _fetch(text, 8)
        c, d = _fetch(text, size - 8) * factor, _fetch(text, size - 16) * _K2
        return _mixed(_rotated(a + b, 43) + _rotated(c, 30) + d & _MASK, a + _rotated(b + _K2, 18) + c & _MASK, factor)
    return _up_to_64(text, size, factor) if size <= 64 else _long(text, size)


def _up_to_16(text: bytes, size: int) -> int:
    factor = _K2 + size * 2
    if size >= 8:
        a, b = _fetch(text, 0) + _K2 & _MASK, _fetch(text, size - 8)
        return _mixed(_rotated(b, 37) * factor + a & _MASK, (_rotated(a, 25) + b) * factor & _MASK, factor)
    if size >= 4:
        return _mixed(size + (_fetch(text, 0, 4) << 3), _fetch(text, size - 4, 4), factor)
    if size == 0:
        return _K2
    first, last = text[0] + (text[size >> 1] << 8), size + (text[-1] << 2)
    return _shifted(first * _K2 & _MASK ^ last * _K0 & _MASK) * _K2 & _MASK


def _up_to_64(text: bytes, size: int, factor: int) -> int:
    a, b = _fetch(text, 0) * _K2 & _MASK, _fetch(text, 8)
    c, d = _fetch(text, size - 8) * factor & _MASK, _fetch(text, size - 16) * _K2 & _MASK
    y = _rotated(a + b, 43) + _rotated(c, 30) + d & _MASK
    z = _mixed(y, a + _rotated(b + _K2, 18) + c & _MASK, factor)
    e, f = _fetch(text, 16) * factor & _MASK, _fetch(text, 24)
    g, h = (y + _fetch(text, size - 32)) * factor & _MASK, (z + _fetch(text, size - 24)) * factor & _MASK
    return _mixed(_rotated(e + f, 43) + _rotated(g, 30) + h & _MASK, e + _rotated(f + a, 18) + g & _MASK, factor)


def _weak(text: bytes, start: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_fetch(text, start + 8 * i) for i in range(4))
    a = a + w & _MASK
    b = _rotated(b + a + z, 21)
    c = a
    a = a + x + y & _MASK
    return a + z & _MASK, b + _rotated(a, 44) + c & _MASK


def _long(text: bytes, size: int) -> int:
    x, y = 81, 81 * _K1 + 113 & _MASK
    z = _shifted(y * _K2 + 113) * _K2 & _MASK
    v, w = (0, 0), (0, 0)
    x = x * _K2 + _fetch(text, 0) & _MASK
    end = (size - 1) // 64 * 64

    def step(start: int, factor: int, last: bool) -> None:
        nonlocal x, y, z, v, w
        x = _rotated(x + y + v[0] + _fetch(text, start + 8), 37) * factor & _MASK
        y = _rotated(y + v[1] + _fetch(text, start + 48), 42) * factor & _MASK
        x ^= w[1] * (9 if last else 1) & _MASK
        y = y + v[0] * (9 if last else 1) + _fetch(text, start + 40) & _MASK
        z = _rotated(z + w[0], 33) * factor & _MASK
        v = _weak(text, start, v[1] * factor & _MASK, x + w[0] & _MASK)
        w = _weak(text, start + 32, z + w[1] & _MASK, y + _fetch(text, start + 16) & _MASK)
        x, z = z, x

    for start in range(0, end, 64):
        step(start, _K1, False)
    factor = _K1 + ((z & 0xFF) << 1) & _MASK
    w = (w[0] + (size - 1 & 63) & _MASK, w[1])
    v = (v[0] + w[0] & _MASK, v[1])
    w = (w[0] + v[0] & _MASK, w[1])
    step(end + (size - 1 & 63) - 63, factor, True)
    first = _mixed(v[0], w[0], factor) + _shifted(y) * _K0 + z & _MASK
    return _mixed(first, _mixed(v[1], w[1], factor) + x & _MASK, factor)


def siphash(key: Iterable[int], text: bytes) -> int:
    """SipHash-2-4 with a key of two 64-bit numbers.

    Example:

    >>> key = [int.from_bytes(bytes(range(i, i + 8)), "little") for i in (0, 8)]
    >>> hex(siphash(key, bytes(range(15))))  # the example of the paper
    '0xa129ca6149be45e5'
    """
    first, second = (part & _MASK for part in key)
    v = [
        first ^ 0x736F6D6570736575,
        second ^ 0x646F72616E646F6D,
        first ^ 0x6C7967656E657261,
        second ^ 0x7465646279746573,
    ]

    def rounds(count: int) -> None:
        a, b, c, d = v
        for _ in range(count):
            a, c = a + b & _MASK, c + d & _MASK
            b, d = _rotated(b, 51) ^ a, _rotated(d, 48) ^ c
            a = _rotated(a, 32)
            c, a = c + b & _MASK, a + d & _MASK
            b, d = _rotated(b, 47) ^ c, _rotated(d, 43) ^ a
            c = _rotated(c, 32)
        v[:] = a, b, c, d

    whole = len(text) // 8 * 8
    last = _fetch(text, whole, len(text) - whole) | (len(text) & 0xFF) << 56
    for word in (*(_fetch(text, i) for i in range(0, whole, 8)), last):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


_CROSS = 0xC6A4A7935BD1E995


def combined(numbers: Iterable[int]) -> int:
    """One hash of several, in their order: TensorFlow's `FingerprintCat64`, with its default key first."""
    found = 0xDECAFCAFFE
    for number in numbers:
        found ^= _CROSS ^ (_shifted(number * _CROSS) * _CROSS & _MASK)
        found = _shifted(_shifted(found * _CROSS) * _CROSS)
    return found
