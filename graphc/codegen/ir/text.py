"""The loop IR as text, for people."""

from __future__ import annotations

from graphc.codegen.ir.kernel import Axis, Contract, For, Kernel, Let, Reduce, Stmt, Store
from graphc.exprs import Call, Cast, Const, Expr, Index, Load, Var

INFIX = {
    **{"add": "+", "sub": "-", "mul": "*", "div": "/", "bit_and": "&", "bit_or": "|", "bit_xor": "^"},
    **{"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and": "and", "or": "or", "xor": "xor"},
}
# Python's signs of stores that combine.
_SIGNS = {"sum": "+", "prod": "*"}


def format_kernel(kernel: Kernel) -> str:
    """A kernel as indented text: its buffers, its axes, and the statements of each point."""
    lines = [f"kernel {kernel.name}  # {kernel.comment}"]
    for param in kernel.params:
        use = "inout" if param.read and param.written else "out" if param.written else "in"
        lines.append(f"  {use:<5} {param.name}: {param.dtype.name}[{', '.join(map(str, param.shape))}] = {param.value}")
    if kernel.by_library:
        lines.append("  the contraction by a library, block by block")
    lines.append(f"  for {_axes(kernel.axes)}:")
    _block(kernel.body, "    ", lines)
    return "\n".join(lines) + "\n"


def _axes(axes: tuple[Axis, ...]) -> str:
    return ", ".join(f"{a.name} < {a.extent}" + (f" ({a.bind})" if a.bind != "serial" else "") for a in axes) or "once"


def _block(body: tuple[Stmt, ...], indent: str, lines: list[str]) -> None:
    for stmt in body:
        match stmt:
            case Let(name, value):
                lines.append(f"{indent}{name} = {_expr(value)}")
            case Store(buffer, index, value, combine):
                place = f"{buffer}[{', '.join(map(str, index))}]"
                lines.append(f"{indent}{place} {_SIGNS.get(combine, combine)}= {_expr(value)}")
            case For(axes, inner):
                lines.append(f"{indent}for {_axes(axes)}:")
                _block(inner, indent + "  ", lines)
            case Reduce(axes, inner, accumulators, after):
                lines.append(f"{indent}reduce {_axes(axes)}:")
                _block(inner, indent + "  ", lines)
                for a in accumulators:
                    where = f" at {_expr(a.position)}" if a.position is not None else ""
                    part = f".{a.part}" if a.part else ""
                    lines.append(f"{indent}  {a.name} = {a.combine}{part}({_expr(a.value)}){where}")
                _block(after, indent + "  ", lines)
            case Contract(name, axes, inner, lhs, rhs, _, within):
                where = "".join(f" where {_expr(condition)}" for condition in within)
                lines.append(f"{indent}contract {_axes(axes)}{where}:")
                _block(inner, indent + "  ", lines)
                lines.append(f"{indent}  {name} = sum({_expr(lhs)} * {_expr(rhs)})")


def _expr(expr: Expr) -> str:
    match expr:
        case Const(value):
            return str(value)
        case Var(name):
            return name
        case Index(dim):
            return f"({dim})"
        case Load(buffer, index, _, guard):
            place = f"{buffer}[{', '.join(map(str, index))}]"
            return place if guard is None else f"({place} if {_expr(guard)})"
        case Cast(arg, dtype):
            return f"{dtype.name}({_expr(arg)})"
        case Call(name, args):
            if name in INFIX:
                return f"({_expr(args[0])} {INFIX[name]} {_expr(args[1])})"
            return f"{name}({', '.join(map(_expr, args))})"
