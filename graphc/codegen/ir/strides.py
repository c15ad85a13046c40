"""Strides: the growth of offsets into memory along axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphc import dims
from graphc.dims import Dim


def stride(offset: Dim, axis: str) -> Dim | None:
    """The stride of an offset along an axis; None where it is not constant."""
    if isinstance(offset, int):
        return 0
    total: Dim = 0
    for monomial, coefficient in offset.terms:
        names = [atom.name for atom in monomial if atom.kind == "axis"]
        nested = any(atom.kind in ("div", "mod") and axis in axis_names((_as_dim(atom),)) for atom in monomial)
        if nested or names.count(axis) > 1:
            return None
        if axis in names:
            term: Dim = coefficient
            for atom in monomial:
                term = term * (1 if atom.kind == "axis" and atom.name == axis else _as_dim(atom))
            total = total + term
    return total


def _as_dim(atom: dims.Atom) -> Dim:
    return dims.IntExpr((((atom,), 1),))


def without(offset: Dim, axes: set[str]) -> Dim:
    """The offset with some axes at 0."""
    return with_axes(offset, dict.fromkeys(axes, 0))


def with_axes(dim: Dim, values: Mapping[str, Dim]) -> Dim:
    """The expression with some axes replaced. A symbolic size may have an axis's name, and stays."""

    def leaf(atom: dims.Atom) -> Dim:
        return values[atom.name] if atom.kind == "axis" and atom.name in values else _as_dim(atom)

    return dims.rebuild(dim, leaf)


def axis_names(values: Iterable[Dim]) -> set[str]:
    """The names of the axes that some expressions mention."""
    return {atom.name for value in values for atom in dims.atoms(value) if atom.kind == "axis"}
