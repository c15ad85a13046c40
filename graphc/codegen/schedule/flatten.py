"""Indices of several dimensions as offsets into flat buffers."""

from __future__ import annotations

from dataclasses import replace

from graphc import dims
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.ir.rewrite import map_accesses
from graphc.dims import Dim
from graphc.primitives.views import ravel


def flatten(kernel: Kernel) -> Kernel:
    """The kernel with each buffer as one axis: indices become offsets."""
    shapes = {param.name: param.shape for param in kernel.params}

    def offset(buffer: str, index: tuple[Dim, ...]) -> tuple[str, tuple[Dim, ...]]:
        return buffer, (ravel(index, shapes[buffer]),) if buffer else index

    params = tuple(replace(param, shape=(dims.product(param.shape),)) for param in kernel.params)
    return replace(kernel, params=params, body=tuple(map_accesses(stmt, offset) for stmt in kernel.body))
