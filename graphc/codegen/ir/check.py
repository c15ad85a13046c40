"""The invariants of kernels."""

from __future__ import annotations

from collections.abc import Set

from graphc import dims
from graphc.codegen.ir.kernel import Contract, For, Kernel, Let, Reduce, Stmt, Store
from graphc.codegen.ir.walk import stores, walk
from graphc.dims import Dim
from graphc.errors import VerificationError
from graphc.exprs import Expr, Index, Load, Var


def check(kernel: Kernel) -> None:
    """Verifies that a kernel is well formed: names are bound once and before use, buffers and ranks exist and fit.

    Raises:
        VerificationError: if not.
    """
    names = [param.name for param in kernel.params]
    if len(set(names)) != len(names):
        raise VerificationError("a kernel binds a buffer twice", got=kernel.name)
    known = {axis.name for axis in kernel.axes}
    _check_block(kernel, kernel.body, known)
    written = {store.buffer for store in stores(kernel.body)}
    for param in kernel.params:
        if param.written != (param.name in written):
            raise VerificationError("a kernel's parameter has the wrong role", got=f"{kernel.name}: {param}")


def _check_block(kernel: Kernel, body: tuple[Stmt, ...], known: set[str]) -> None:
    for stmt in body:
        match stmt:
            case Let(name, value):
                _check_expr(kernel, value, known)
                _bind(kernel, name, known)
            case Store(buffer, index, value):
                _check_access(kernel, buffer, index, known)
                _check_expr(kernel, value, known)
                if kernel.param(buffer).dtype is not value.dtype:
                    raise VerificationError("a store changes the dtype", got=f"{kernel.name}: {stmt}")
            case For(axes, inner):
                _check_block(kernel, inner, known | {axis.name for axis in axes})
            case Reduce(axes, lets, accumulators, after):
                inside = known | {axis.name for axis in axes}
                _check_block(kernel, lets, inside)
                inside |= {let.name for let in lets if isinstance(let, Let)}
                for accumulator in accumulators:
                    _check_expr(kernel, accumulator.value, inside)
                    _bind(kernel, accumulator.name, known)
                _check_block(kernel, after, inside | known)
            case Contract(name, axes, lets, lhs, rhs, _, within):
                inside = known | {axis.name for axis in axes}
                _check_block(kernel, lets, inside)
                inside |= {let.name for let in lets}
                for expr in (lhs, rhs, *within):
                    _check_expr(kernel, expr, inside)
                _bind(kernel, name, known)


def _bind(kernel: Kernel, name: str, known: set[str]) -> None:
    if name in known:
        raise VerificationError("a kernel binds a name twice", got=f"{kernel.name}: {name}")
    known.add(name)


def _check_expr(kernel: Kernel, expr: Expr, known: set[str]) -> None:
    for part in walk(expr):
        if isinstance(part, Load):
            _check_access(kernel, part.buffer, part.index, known)
            if kernel.param(part.buffer).dtype is not part.dtype:
                raise VerificationError("a load changes the dtype", got=f"{kernel.name}: {part}")
        elif isinstance(part, (Var, Index)):
            names = {part.name} if isinstance(part, Var) else dims.loop_names(part.dim)
            _check_known(kernel, names, known)


def _check_access(kernel: Kernel, buffer: str, index: tuple[Dim, ...], known: set[str]) -> None:
    param = next((param for param in kernel.params if param.name == buffer), None)
    if param is None:
        raise VerificationError("a kernel uses a buffer it has not", got=f"{kernel.name}: {buffer}")
    if len(index) != len(param.shape):
        raise VerificationError("an index has the wrong rank", got=f"{kernel.name}: {buffer}{list(index)}")
    for dim in index:
        _check_known(kernel, dims.loop_names(dim), known)


def _check_known(kernel: Kernel, names: Set[str], known: set[str]) -> None:
    if not names <= known:
        unknown = sorted(names - known)
        raise VerificationError("a kernel uses names that are not bound", got=f"{kernel.name}: {unknown}")
