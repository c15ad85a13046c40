"""The syntax tree of a function, found in the file of its code."""

from __future__ import annotations

import ast
import itertools
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType

from graphc.transforms.autograph.analysis import FunctionNode, parameters


@dataclass(frozen=True)
class Source:
    """Where a function is written.

    Args:
        node: Its syntax tree; shared, so it must be copied before it is changed.
        class_name: The class around it, by which names such as `__x` are mangled; None if there is none.
    """

    node: FunctionNode
    class_name: str | None


@lru_cache(maxsize=64)
def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):  # not Python's, such as a notebook's magic
        return None


def _functions(node: ast.AST, class_name: str | None) -> Iterator[Source]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield Source(child, class_name)
        yield from _functions(child, child.name if isinstance(child, ast.ClassDef) else class_name)


def _first_line(node: FunctionNode) -> int:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _fits(node: FunctionNode, code: CodeType) -> bool:
    """Whether a function in the file may be the one with this code: the file may have changed since."""
    name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    plain = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    names = parameters(node.args)
    mangled = all(given.endswith(name) for name, given in zip(names, code.co_varnames, strict=False))
    same_kinds = len(plain) == code.co_argcount + code.co_kwonlyargcount
    return (
        name == code.co_name
        and _first_line(node) == code.co_firstlineno
        and len(names) == count
        and (same_kinds and mangled)
    )


def _span(node: FunctionNode) -> tuple[tuple[int, int], tuple[int, int]]:
    return (node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0)


def _contains(node: FunctionNode, code: CodeType) -> bool:
    """Whether the instructions of a code object come from within a function's text."""
    start, end = _span(node)
    places = [
        (line, column)
        for line, _, column, last in code.co_positions()
        # Instructions at the start of a function have its line and no extent.
        if line is not None and column is not None and last != column
    ]
    return all(start <= place <= end for place in places)


def find(code: CodeType) -> Source | None:
    """The source of a function; None if there is none, or several functions may be it."""
    text = "".join(linecache.getlines(code.co_filename))
    tree = _parsed(text) if text else None
    if tree is None:
        return None
    found = [source for source in _functions(tree, None) if _fits(source.node, code)]
    if len(found) > 1:
        found = [source for source in found if _contains(source.node, code)]
        # Of lambdas inside each other, the innermost contains all instructions and nothing else does.
        found.sort(key=lambda source: _span(source.node)[0], reverse=True)
        found = found[:1] if _nested(found) else found
    return found[0] if len(found) == 1 else None


def _nested(found: list[Source]) -> bool:
    """Whether each of several functions, innermost first, lies within the next."""
    spans = [_span(source.node) for source in found]
    return all(outer[0] <= inner[0] and inner[1] <= outer[1] for inner, outer in itertools.pairwise(spans))
