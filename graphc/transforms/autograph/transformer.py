"""Rewrites a function's syntax tree so that control flow calls the runtime.

`if`, `while` and `for` become calls whose arguments are functions with the blocks as bodies. Variables that blocks
assign are `nonlocal` there, so that they are cells, which the runtime reads and sets. Where control flow cannot be
rewritten it stays Python's, and conditions are checked. Positions in the user's file are kept.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any

from graphc.transforms.autograph.analysis import (
    FunctionNode,
    Live,
    Liveness,
    Uses,
    bound_names,
    own_nodes,
    parameters,
    root,
    uses_of,
)
from graphc.transforms.autograph.jumps import RETURNED, load, lower, must_stay

# The variable through which converted code reaches the runtime.
RUNTIME = "@runtime"
# The variable with the item of an iteration.
ITEM = "@item"

_FIXED = (ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Await)
_ASSIGNS = "`:=` assigns a variable of the function"
_FRAME_READERS = frozenset({"locals", "vars", "dir", "eval", "exec"})


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(load(RUNTIME), name, ast.Load()), list(args), [])


def _thunk(body: ast.expr) -> ast.Lambda:
    return ast.copy_location(ast.Lambda(ast.arguments([], [], None, [], [], None, []), body), body)


def _is_fixed(nodes: Iterable[ast.expr]) -> bool:
    """Whether expressions must be evaluated in the function itself: they assign a variable, or wait."""
    return any(isinstance(node, _FIXED) for node in own_nodes(list(nodes)))


def _has_calls(nodes: Iterable[ast.expr]) -> bool:
    return any(isinstance(node, ast.Call) for node in own_nodes(list(nodes)))


def _declarations(body: Sequence[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """The docstring and declarations of a body, and its other statements."""
    first = [body[0]] if body and ast.get_docstring(_as_module(body), clean=False) is not None else []
    found = [node for node in own_nodes(list(body)) if isinstance(node, ast.Global | ast.Nonlocal)]
    removed = _WithoutDeclarations()
    rest = [removed.visit(statement) for statement in body[len(first) :]]
    return [*first, *found], rest


def _as_module(body: Sequence[ast.stmt]) -> ast.Module:
    return ast.Module(list(body[:1]), [])


class _WithoutDeclarations(ast.NodeTransformer):
    """Replaces declarations, which are collected at the start of the function."""

    def _replace(self, node: ast.Global | ast.Nonlocal) -> ast.stmt:
        return ast.copy_location(ast.Pass(), node)

    visit_Global = visit_Nonlocal = _replace

    def _keep(self, node: ast.AST) -> ast.AST:
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = _keep


class FunctionTransformer(ast.NodeTransformer):
    """Rewrites one function; functions defined in it are rewritten by transformers of their own.

    Args:
        node: The function, which is changed.
    """

    def __init__(self, node: FunctionNode) -> None:
        self._node = node
        self._name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        self._first = positional[0].arg if positional else None
        self._stays: str | None = None
        self._uses = Uses()
        self._locals: set[str] = set()
        self._liveness: dict[ast.stmt, Live] = {}
        self._stops: dict[ast.stmt, list[str]] = {}
        self._exits: dict[ast.stmt, tuple[str, str]] = {}
        self._loops: list[ast.stmt] = []
        # The number of `try` statements with handlers around the code that is rewritten.
        self._guards = 0

    def rewrite(self) -> FunctionNode:
        """The function, with control flow that calls the runtime."""
        node = self._node
        if isinstance(node, ast.Lambda):
            self._uses = uses_of([node.body])
            node.body = self.visit(node.body)
            return node
        self._stays = must_stay(node.body)
        if isinstance(node, ast.AsyncFunctionDef):
            self._stays = "asynchronous functions run in Python"
        self._uses = uses_of(node.body)
        bound = bound_names(node)
        start, rest = _declarations(node.body)
        if self._stays is None:
            lowered = lower(rest)
            rest, self._stops, self._exits = lowered.body, lowered.stops, lowered.exits
            always = self._uses.shared & set(self._uses.writes)
            self._liveness = Liveness(rest, always, self._stops).live
            self._locals = (bound | set(uses_of(rest).writes)) - self._uses.shared
        body = self._block(rest)
        node.body = [*start, *self._bindings(parameters(node.args)), *body] or [ast.Pass()]
        return node

    def _bindings(self, params: Sequence[str]) -> list[ast.stmt]:
        """A statement that never runs, and makes local variables of names that only blocks assign."""
        names = sorted(self._locals - set(params))
        if not names:
            return []
        binding = ast.Assign([ast.Name(name, ast.Store()) for name in names], ast.Constant(None))
        body = getattr(self._node, "body", None)
        at = body[0] if isinstance(body, list) and body else self._node
        return [ast.copy_location(ast.If(ast.Constant(False), [binding], []), at)]

    def _block(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        for statement in body:
            found = self.visit(statement)
            done += found if isinstance(found, list) else [found]
        return done

    # ---- statements

    def _function(self, kind: str, block: Sequence[ast.stmt], at: ast.AST, item: bool = False) -> ast.FunctionDef:
        """A function with a block, which is rewritten, as its body."""
        names = [*uses_of(block).writes, *self._rebound(block)]
        body = self._block(block)
        outer = [name for name in names if name in self._uses.global_names]
        free = [name for name in names if name not in outer]
        declared: list[ast.stmt] = [ast.Global(outer)] if outer else []
        declared += [ast.Nonlocal(free)] if free else []
        args = [ast.arg(ITEM)] if item else []
        arguments = ast.arguments([], args, None, [], [], None, [])
        # The name before the colon is the variable's, the rest is what tracebacks show.
        made = ast.FunctionDef(f"@{kind}:{self._name}", arguments, [*declared, *(body or [ast.Pass()])], [], None)
        made.type_params = []  # type: ignore[attr-defined, unused-ignore]
        return ast.copy_location(made, at)

    def _rebound(self, block: Sequence[ast.stmt]) -> list[str]:
        """The variables that calls in a block may assign, as functions that are defined here do."""
        return sorted(self._uses.rebound) if any(isinstance(node, ast.Call) for node in own_nodes(block)) else []

    def _info(self, node: ast.stmt, uses: Uses, body: Sequence[ast.stmt]) -> ast.expr:
        """What the runtime is told about a statement: a constant, in the order of `runtime.Info`."""
        live = self._liveness[node]
        rebound = self._rebound([node])
        names = [*uses.writes, *(name for name in rebound if name not in uses.writes)]
        names = [name for name in names if name not in self._uses.global_names]
        kept = self._uses.captured.union(rebound)
        if _FRAME_READERS & self._uses.reads:
            kept |= set(names)
        loop = node if node in self._exits else self._loops[-1] if self._loops else None
        passing = self._liveness[loop].out | self._liveness[loop].head if loop else self._uses.shared
        return _constant(
            (
                tuple(names),
                tuple(sorted(live.out & set(names))),
                tuple(sorted(live.head & set(names))),
                tuple(name for name in names if name in kept),
                tuple(name for name in names if name not in passing),
                (RETURNED, *(self._exits[loop] if loop else ())),
                tuple(name for name in uses.writes if name in self._uses.global_names),
                any(_raises(block) for block in _branches(node)) if isinstance(node, ast.If) else _raises(body),
                self._guards > 0,
            )
        )

    def _places(self, uses: Uses) -> ast.expr:
        """The attributes and elements that a statement assigns, and the containers that it changes, as a tuple."""
        found: list[ast.expr] = []
        for text, node in uses.places.items():
            if root(node.value) in uses.writes:
                continue
            base = _as_loads(node.value)
            if isinstance(node, ast.Attribute):
                found.append(_tuple(ast.Constant(text), _thunk(base), ast.Constant(True), _constant_thunk(node.attr)))
            elif not (isinstance(node.slice, ast.Name) and node.slice.id in uses.writes):
                key = _thunk(_as_loads(node.slice))
                found.append(_tuple(ast.Constant(text), _thunk(base), ast.Constant(False), key))
        containers: list[ast.expr] = [
            _tuple(ast.Constant(text), _thunk(_as_loads(node)))
            for text, node in uses.containers.items()
            if root(node) not in uses.writes
        ]
        return _tuple(_tuple(*found), _tuple(*containers))

    def visit_If(self, node: ast.If) -> Any:
        if self._stays is not None:
            node.test = self._checked(node.test, "if")
            node.body, node.orelse = self._block(node.body), self._block(node.orelse)
            return node
        uses = uses_of([*node.body, *node.orelse])
        info, places = self._info(node, uses, []), self._places(uses)
        test = self.visit(node.test)
        then = self._function("then", node.body, node)
        orelse = self._function("else", node.orelse, node)
        call = _call("if_", test, load(then.name), load(orelse.name), info, places)
        return [then, orelse, ast.copy_location(ast.Expr(call), _located(node.test, node))]

    def visit_While(self, node: ast.While) -> Any:
        if self._stays is not None:
            node.test = self._checked(node.test, "while")
            node.body, node.orelse = self._block(node.body), self._block(node.orelse)
            return node
        uses = uses_of(node.body)
        info, places, stop = self._info(node, uses, node.body), self._places(uses), self._stop(node)
        pure = ast.Constant(not _has_calls([node.test]))
        test = _thunk(self.visit(node.test))
        self._loops.append(node)
        body = self._function("body", node.body, node)
        self._loops.pop()
        call = _call("while_", test, pure, load(body.name), stop, info, places)
        return [body, ast.copy_location(ast.Expr(call), _located(node.test, node))]

    def visit_For(self, node: ast.For) -> Any:
        if self._stays is not None:
            node.iter = _call("python_items", self.visit(node.iter), ast.Constant(self._stays))
            node.body, node.orelse = self._block(node.body), self._block(node.orelse)
            return node
        take = ast.copy_location(ast.Assign([node.target], load(ITEM)), node.target)
        uses = uses_of([take, *node.body])
        info, places, stop = self._info(node, uses, node.body), self._places(uses), self._stop(node)
        iterable = self.visit(node.iter)
        self._loops.append(node)
        body = self._function("body", [take, *node.body], node, item=True)
        self._loops.pop()
        call = _call("for_", iterable, load(body.name), stop, info, places)
        return [body, ast.copy_location(ast.Expr(call), _located(node.iter, node))]

    def _stop(self, loop: ast.stmt) -> ast.expr:
        """A function that says whether a loop ends; None where nothing leaves it."""
        flags = [load(flag) for flag in self._stops.get(loop, [])]
        if not flags:
            return ast.Constant(None)
        return _thunk(flags[0] if len(flags) == 1 else _call("or_", flags[0], ast.Constant(True), _thunk(flags[1])))

    def _try(self, node: ast.Try | ast.TryStar) -> Any:
        self._guards += bool(node.handlers)
        body = self._block(node.body)
        self._guards -= bool(node.handlers)
        for handler in node.handlers:
            check = ast.copy_location(ast.Expr(_call("caught")), handler)
            handler.body = [check, *self._block(handler.body)]
        node.body, node.orelse, node.finalbody = body, self._block(node.orelse), self._block(node.finalbody)
        return node

    visit_Try = visit_TryStar = _try

    def visit_Assert(self, node: ast.Assert) -> Any:
        node.test = self._checked(node.test, "assert")
        if node.msg is not None:
            node.msg = self.visit(node.msg)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is not None:
            node.target, node.value = self.visit(node.target), self.visit(node.value)
        return node

    def visit_match_case(self, node: ast.match_case) -> Any:
        if node.guard is not None:
            node.guard = self._checked(node.guard, "case", "Python decides which case matches")
        node.body = self._block(node.body)
        return node

    # ---- scopes

    def _nested(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Any:
        arguments = node.args
        arguments.defaults = [self.visit(default) for default in arguments.defaults]
        arguments.kw_defaults = [default and self.visit(default) for default in arguments.kw_defaults]
        return FunctionTransformer(node).rewrite()

    visit_FunctionDef = visit_AsyncFunctionDef = _nested

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        node.args.defaults = [self.visit(default) for default in node.args.defaults]
        node.args.kw_defaults = [default and self.visit(default) for default in node.args.kw_defaults]
        return FunctionTransformer(node).rewrite()

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        return _Methods().visit(node)

    # ---- expressions

    def _checked(self, test: ast.expr, construct: str, because: str | None = None) -> ast.expr:
        """A condition that must be a Python value."""
        reason = ast.Constant(because or self._stays)
        return ast.copy_location(_call("python_value", self.visit(test), ast.Constant(construct), reason), test)

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        first, *others = node.values
        name = "and" if isinstance(node.op, ast.And) else "or"
        if _is_fixed(others):
            node.values = [
                *(self._checked(value, name, _ASSIGNS) for value in node.values[:-1]),
                self.visit(node.values[-1]),
            ]
            return node
        pure = ast.Constant(not _has_calls(others))
        thunks = [_thunk(self.visit(value)) for value in others]
        return ast.copy_location(_call(f"{name}_", self.visit(first), pure, *thunks), node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        node.operand = self.visit(node.operand)
        if not isinstance(node.op, ast.Not):
            return node
        return ast.copy_location(_call("not_", node.operand), node)

    def visit_Compare(self, node: ast.Compare) -> Any:
        fixed = _is_fixed(node.comparators)
        node.left, node.comparators = self.visit(node.left), [self.visit(value) for value in node.comparators]
        if len(node.ops) == 1 or fixed:
            return node
        names = _constant(tuple(type(op).__name__ for op in node.ops))
        second, *others = node.comparators
        return ast.copy_location(_call("compare", names, node.left, second, *map(_thunk, others)), node)

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        if _is_fixed([node.body, node.orelse]):
            node.test = self._checked(node.test, "if", _ASSIGNS)
            node.body, node.orelse = self.visit(node.body), self.visit(node.orelse)
            return node
        test, body, orelse = self.visit(node.test), self.visit(node.body), self.visit(node.orelse)
        return ast.copy_location(_call("if_expression", test, _thunk(body), _thunk(orelse)), node)

    def visit_comprehension(self, node: ast.comprehension) -> Any:
        node.iter = self.visit(node.iter)
        node.ifs = [self._checked(test, "if", "Python makes the elements of a comprehension") for test in node.ifs]
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        node.args = [self.visit(arg) for arg in node.args]
        node.keywords = [self.visit(keyword) for keyword in node.keywords]
        if isinstance(node.func, ast.Name) and node.func.id == "super":
            if not node.args and not node.keywords and self._first is not None:
                # The block may be in another function than the method.
                node.args = [load("__class__"), load(self._first)]
            return node
        node.func = ast.copy_location(_call("converted", self.visit(node.func)), node.func)
        return node


class _Methods(ast.NodeTransformer):
    """Rewrites the functions in a class's body, and nothing else: its names are no cells."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        return FunctionTransformer(node).rewrite()

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        return FunctionTransformer(node).rewrite()


def _branches(node: ast.If) -> list[list[ast.stmt]]:
    return [node.body, node.orelse]


def _located(part: ast.expr, whole: ast.stmt) -> ast.AST:
    """The part of a statement that has a position in the user's file."""
    return part if hasattr(part, "lineno") else whole


def _raises(block: Sequence[ast.stmt]) -> bool:
    """Whether a block raises an exception whatever its values are."""
    return any(
        isinstance(statement, ast.Raise) or (isinstance(statement, ast.With) and _raises(statement.body))
        for statement in block
    )


def _constant(value: Any) -> ast.Constant:
    """A constant of any kind that code objects hold, tuples included."""
    return ast.Constant(value)


def _tuple(*parts: ast.expr) -> ast.expr:
    return ast.Tuple(list(parts), ast.Load())


def _constant_thunk(value: str) -> ast.expr:
    return ast.Lambda(ast.arguments([], [], None, [], [], None, []), ast.Constant(value))


class _Loads(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(load(node.id), node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        return ast.copy_location(ast.Attribute(self.visit(node.value), node.attr, ast.Load()), node)


def _as_loads(node: ast.expr) -> ast.expr:
    """A copy of a name, a constant or a chain of attributes, to be read."""
    return _Loads().visit(node) if not isinstance(node, ast.Constant) else node
