"""Binds the `vector` axis: the one along which a kernel's reads and writes are mostly contiguous."""

from __future__ import annotations

from dataclasses import replace

from graphc.codegen.ir.kernel import Axis, For, Kernel, Reduce, Stmt
from graphc.codegen.ir.strides import axis_names, stride
from graphc.codegen.ir.walk import loads, stores


def bind_vector(kernel: Kernel) -> Kernel:
    """Marks the axis along which the kernel's reads and writes are mostly contiguous.

    Among reductions this decides between rows (lanes share a reduction) and columns (each lane has its own).
    """
    inner = [stmt for stmt in kernel.body if isinstance(stmt, (Reduce, For))]
    if kernel.contraction is not None or not inner or not kernel.axes:
        axes = kernel.axes[:-1] + tuple(replace(axis, bind="vector") for axis in kernel.axes[-1:])
        return replace(kernel, axes=axes if not inner or kernel.contraction else kernel.axes)
    last = kernel.axes[-1]
    # Accesses that do not depend on both axes are to small buffers, and decide only between equals.
    for whole in (True, False):
        columns = sum(_contiguous(stmt, last.name, stmt.axes if whole else ()) for stmt in inner)
        rows = sum(_contiguous(stmt, stmt.axes[-1].name, (last,) if whole else ()) for stmt in inner if stmt.axes)
        if columns != rows:
            break
    if columns > rows:
        return replace(kernel, axes=(*kernel.axes[:-1], replace(last, bind="vector")))
    return kernel


def _contiguous(stmt: Stmt, axis: str, others: tuple[Axis, ...]) -> int:
    """The number of contiguous accesses along an axis, of those that depend on one of the other axes."""
    accesses = [load.index[0] for load in loads((stmt,))] + [store.index[0] for store in stores((stmt,))]
    names = {other.name for other in others}
    return sum(stride(o, axis) == 1 and (not names or bool(names & axis_names((o,)))) for o in accesses)
