"""Axes split, moved and merged by a pattern that names them."""

from __future__ import annotations

import re
from typing import Any

from graphc import dims
from graphc.dims import Dim
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.shaping import transpose
from graphc.tracing import Tensor, as_tensor, infers, operation
from graphc.tracing.shapes import reshape as _reshape

__all__ = ["rearrange"]

# An axis of a tensor: the names of the axes that it consists of.
_Group = list[str]
_TOKENS = re.compile(r"\s*(?:(\()|(\))|(\.\.\.)|(\w+))")


def _groups(side: str, pattern: str) -> list[_Group]:
    """The axes of one side of a pattern; `...` is an axis of that name."""
    found: list[_Group] = []
    open_group: _Group | None = None
    position = 0
    text = side.strip()
    while position < len(text):
        match = _TOKENS.match(text, position)
        if match is None or (match[1] and open_group is not None) or (match[2] and open_group is None):
            raise ArgumentError("this is no pattern of `rearrange`", got=repr(pattern), expected="'b (h k) -> b h k'")
        position = match.end()
        if match[1]:
            open_group = []
        elif match[2]:
            found.append(open_group or [])
            open_group = None
        elif open_group is not None:
            open_group.append(match[3] or match[4])
        else:
            found.append([match[3] or match[4]] if match[4] != "1" else [])
    if open_group is not None:
        raise ArgumentError("a parenthesis of the pattern is not closed", got=repr(pattern))
    return found


def _named(groups: list[_Group], pattern: str) -> list[str]:
    names = [name for group in groups for name in group]
    if len(set(names)) != len(names):
        raise ArgumentError("each axis has a name of its own", got=repr(pattern))
    return names


def _expanded(groups: list[_Group], more: list[str]) -> list[_Group]:
    """The groups with `...` replaced by the axes that it stands for."""
    found: list[_Group] = []
    for group in groups:
        if group == ["..."]:
            found += [[name] for name in more]
        else:
            found.append([name for part in group for name in (more if part == "..." else [part])])
    return found


@operation
def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Tensor:
    """Splits, moves and merges axes by a pattern, as in einops.

    Args:
        tensor: Tensor.
        pattern: The names of its axes, `->`, and the names of the axes of the result. A group in parentheses is one
            axis that consists of several; `...` stands for any number of axes, and `1` for an axis of size 1.
        **axes_lengths: The sizes of axes; of each group on the left all but one are needed.

    Returns:
        A tensor of the same elements.

    Raises:
        ArgumentError: if the pattern is invalid, or a size is missing.
        ShapeError: if the tensor does not fit the pattern.

    Example:

    >>> rearrange([[1, 2, 3, 4]], "a (b c) -> c (a b)", b=2).numpy().tolist()
    [[1, 3], [2, 4]]
    """
    x = as_tensor(tensor)
    sides = pattern.split("->") if isinstance(pattern, str) else []
    if len(sides) != 2:
        raise ArgumentError("this is no pattern of `rearrange`", got=repr(pattern), expected="'b h w -> b (h w)'")
    given, wanted = (_groups(side, pattern) for side in sides)
    count = x.ndim - len([group for group in given if group != ["..."]])
    more = [f"...{i}" for i in range(count)] if ["..."] in given else []
    given, wanted = _expanded(given, more), _expanded(wanted, more)
    if len(given) != x.ndim:
        raise ShapeError("the tensor does not fit the pattern", got=f"{x.type}, {pattern!r}")
    names = _named(given, pattern)
    if sorted(names) != sorted(_named(wanted, pattern)):
        raise ArgumentError("both sides of a pattern have the same axes", got=repr(pattern))
    if set(axes_lengths) - set(names):
        raise ArgumentError("the pattern has no such axis", got=", ".join(sorted(set(axes_lengths) - set(names))))
    sizes: dict[str, Dim] = {}
    for group, dim in zip(given, x.shape, strict=True):
        sizes |= _sizes(group, dim, axes_lengths, pattern)
    split = _reshape(x, tuple(sizes[name] for name in names))
    order = [names.index(name) for group in wanted for name in group]
    return _reshape(transpose(split, order), tuple(dims.product(sizes[name] for name in group) for group in wanted))


def _sizes(group: _Group, dim: Dim, lengths: dict[str, int], pattern: str) -> dict[str, Dim]:
    """The sizes of the axes of which an axis consists."""
    sizes: dict[str, Dim] = {name: lengths[name] for name in group if name in lengths}
    known = dims.product(sizes.values())
    unknown = [name for name in group if name not in lengths]
    if len(unknown) > 1:
        raise ArgumentError(
            "of the axes in a group all sizes but one are needed",
            got=f"({' '.join(group)}) in {pattern!r}",
            hint=f"rearrange(x, {pattern!r}, {unknown[0]}=...)",
        )
    fits = known != 0 and dims.mod(dim, known) == 0 if unknown else known == dim
    if not (fits or infers()):
        raise ShapeError(
            "the size of an axis does not fit the pattern",
            got=f"{dim} for ({' '.join(group)}) in {pattern!r}",
            expected=f"a multiple of {known}" if unknown else str(known),
        )
    for name in unknown:
        sizes[name] = dims.floordiv(dim, known)
    return sizes
