"""`return`, `break` and `continue` inside compound statements, rewritten as flags and branches.

`if a: return x` followed by more statements becomes `if a: value = x` with these statements in the `else` branch. Where
a jump leaves several levels, statements after it are guarded by a flag, and loops test it. Names that start with `@`
cannot be names in the user's code.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from graphc.transforms.autograph.analysis import SCOPES, own_nodes

VALUE = "@value"
RETURNED = "@return"

Jump = ast.Return | ast.Break | ast.Continue
Loop = ast.While | ast.For


def load(name: str) -> ast.Name:
    """An expression that reads a variable."""
    return ast.Name(name, ast.Load())


def assign(name: str, value: ast.expr, at: ast.AST) -> ast.stmt:
    """A statement that assigns to a variable, at the position of another node."""
    return ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], value), at)


def is_flag(name: str) -> bool:
    """Whether a variable is a flag of this module: after it is set, no statement of the loop or function runs."""
    return name.startswith("@") and name != VALUE


@dataclass
class Lowered:
    """A function's body without jumps in compound statements.

    Args:
        body: Its statements.
        stops: The flags that end each loop.
        exits: The flags that end an iteration of each loop.
    """

    body: list[ast.stmt]
    stops: dict[ast.stmt, list[str]] = field(default_factory=dict)
    exits: dict[ast.stmt, tuple[str, str]] = field(default_factory=dict)


def _jumps(statements: Sequence[ast.stmt]) -> set[type[Jump]]:
    """The kinds of jumps that leave a block."""
    found: set[type[Jump]] = set()
    for statement in statements:
        if isinstance(statement, ast.Return | ast.Break | ast.Continue):
            found.add(type(statement))
        elif isinstance(statement, ast.While | ast.For | ast.AsyncFor):
            found |= (_jumps(statement.body) & {ast.Return}) | _jumps(statement.orelse)
        elif not isinstance(statement, SCOPES):
            for block in blocks(statement):
                found |= _jumps(block)
    return found


def blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    """The blocks of statements inside a compound statement that is no scope."""
    match statement:
        case ast.If() | ast.While() | ast.For() | ast.AsyncFor():
            return [statement.body, statement.orelse]
        case ast.With() | ast.AsyncWith():
            return [statement.body]
        case ast.Try() | ast.TryStar():
            handlers = [handler.body for handler in statement.handlers]
            return [statement.body, *handlers, statement.orelse, statement.finalbody]
        case ast.Match():
            return [case.body for case in statement.cases]
    return []


def leaves(statements: Sequence[ast.stmt]) -> bool:
    """Whether control never reaches the end of a block."""
    for statement in statements:
        if isinstance(statement, ast.Return | ast.Break | ast.Continue | ast.Raise):
            return True
        if isinstance(statement, ast.If) and leaves(statement.body) and leaves(statement.orelse):
            return True
    return False


def must_stay(body: Sequence[ast.stmt]) -> str | None:
    """Why the control flow of a function must stay Python's; None if it can be rewritten."""
    for node in own_nodes(body):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return "generators run step by step, in Python"
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
            return "asynchronous functions run in Python"
        if isinstance(node, ast.comprehension) and node.is_async:
            return "asynchronous functions run in Python"
        if isinstance(node, ast.Try | ast.TryStar) and _jumps(node.finalbody):
            return "`finally` is left by `return`, `break` or `continue`"
    return None


class _Lowering:
    def __init__(self) -> None:
        self.stops: dict[ast.stmt, list[str]] = {}
        self.exits: dict[ast.stmt, tuple[str, str]] = {}
        self._loops: list[tuple[str, str]] = []
        self._count = 0

    def _flags(self, jumps: set[type[Jump]]) -> list[str]:
        names = [RETURNED] if ast.Return in jumps else []
        if ast.Break in jumps:
            names.append(self._loops[-1][0])
        if ast.Continue in jumps:
            names.append(self._loops[-1][1])
        return names

    def block(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        """The statements without jumps."""
        done: list[ast.stmt] = []
        for index, statement in enumerate(statements):
            jumps = _jumps([statement])
            rest = statements[index + 1 :]
            if isinstance(statement, ast.Return | ast.Break | ast.Continue):
                return [*done, *self._jump(statement)]
            if isinstance(statement, ast.While | ast.For):
                done += self._loop(statement)
            elif isinstance(statement, ast.If) and jumps and leaves(statement.body):
                statement.orelse = self.block([*statement.orelse, *rest])
                statement.body = self.block(statement.body)
                return [*done, statement]
            elif isinstance(statement, ast.If) and jumps and leaves(statement.orelse):
                statement.body = self.block([*statement.body, *rest])
                statement.orelse = self.block(statement.orelse)
                return [*done, statement]
            else:
                done.append(self._inside(statement))
            if jumps and rest:
                return [*done, self._unless(self._flags(jumps), rest)]
        return done

    def _unless(self, flags: list[str], rest: Sequence[ast.stmt]) -> ast.stmt:
        tests: list[ast.expr] = [ast.UnaryOp(ast.Not(), load(flag)) for flag in flags]
        test = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)
        guard = ast.copy_location(ast.If(test, [], []), rest[0])
        guard.body = self.block(rest)
        return guard

    def _jump(self, statement: Jump) -> list[ast.stmt]:
        (flag,) = self._flags({type(statement)})
        set_flag = assign(flag, ast.Constant(True), statement)
        if not isinstance(statement, ast.Return):
            return [set_flag]
        value = statement.value or ast.copy_location(ast.Constant(None), statement)
        return [assign(VALUE, value, statement), set_flag]

    def _inside(self, statement: ast.stmt) -> ast.stmt:
        """The statement with the blocks in it lowered."""
        match statement:
            case ast.If():
                statement.body, statement.orelse = self.block(statement.body), self.block(statement.orelse)
            case ast.With() | ast.AsyncWith():
                statement.body = self.block(statement.body)
            case ast.Try() | ast.TryStar():
                jumps = _jumps(statement.body)
                statement.body = self.block(statement.body)
                if jumps and statement.orelse:
                    statement.orelse = [self._unless(self._flags(jumps), statement.orelse)]
                else:
                    statement.orelse = self.block(statement.orelse)
                for handler in statement.handlers:
                    handler.body = self.block(handler.body)
                statement.finalbody = self.block(statement.finalbody)
            case ast.Match():
                for case in statement.cases:
                    case.body = self.block(case.body)
        return statement

    def _loop(self, loop: Loop) -> list[ast.stmt]:
        if isinstance(loop, ast.While) and any(isinstance(node, ast.NamedExpr) for node in own_nodes([loop.test])):
            # `:=` in a test assigns a variable, and a region's test cannot.
            negated = ast.copy_location(ast.UnaryOp(ast.Not(), loop.test), loop.test)
            leave = ast.copy_location(ast.If(negated, [ast.copy_location(ast.Break(), loop.test)], []), loop.test)
            loop.test = ast.copy_location(ast.Constant(True), loop.test)
            loop.body = [leave, *loop.body]
            if loop.orelse:
                # The loop's own `break` skips `else`, this one does not.
                done = self._name("exhausted")
                leave.body.insert(0, assign(done, ast.Constant(True), loop))
                otherwise = ast.copy_location(ast.If(load(done), loop.orelse, []), loop)
                loop.orelse = []
                return [assign(done, ast.Constant(False), loop), *self.block([loop, otherwise])]
        jumps = _jumps(loop.body)
        names = self._name("break"), self._name("continue")
        self._loops.append(names)
        body = self.block(loop.body)
        self._loops.pop()
        stops, before = [], []
        if ast.Return in jumps:
            stops.append(RETURNED)
        if ast.Break in jumps:
            stops.append(names[0])
            before.append(assign(names[0], ast.Constant(False), loop))
        if ast.Continue in jumps:
            body = [assign(names[1], ast.Constant(False), loop), *body]
        orelse, loop.body, loop.orelse = loop.orelse, body, []
        self.stops[loop], self.exits[loop] = stops, names
        if not orelse:
            return [*before, loop]
        return [*before, loop, *([self._unless(stops, orelse)] if stops else self.block(orelse))]

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"@{kind}{self._count}"


def lower(body: Sequence[ast.stmt]) -> Lowered:
    """The body of a function with the jumps in its compound statements rewritten.

    Args:
        body: The statements, which are changed; none of them is a reason for `must_stay`.
    """
    lowering = _Lowering()
    nested = [statement for statement in body if not isinstance(statement, ast.Return)]
    if ast.Return not in _jumps(nested):
        end = next((i for i, statement in enumerate(body) if isinstance(statement, ast.Return)), len(body))
        return Lowered([*lowering.block(body[:end]), *body[end : end + 1]], lowering.stops, lowering.exits)
    whole = list(body)
    if not leaves(whole):
        whole.append(ast.copy_location(ast.Return(None), whole[-1]))
    start = assign(RETURNED, ast.Constant(False), whole[0])
    last = ast.copy_location(ast.Return(load(VALUE)), whole[-1])
    return Lowered([start, *lowering.block(whole), last], lowering.stops, lowering.exits)
