"""What statements read and assign, and which variables are live after them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
# Names of methods that change a list, a dictionary or a set.
MUTATORS = frozenset(
    ("add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft", "insert")
    + ("intersection_update", "pop", "popitem", "popleft", "remove", "reverse", "setdefault", "sort")
    + ("symmetric_difference_update", "update")
)


@dataclass
class Uses:
    """The names that a piece of code uses in its own scope.

    Args:
        reads: The names that it reads, those that functions defined in it read included.
        writes: The names that it assigns or deletes, in order.
        captured: The names that functions and classes defined in it read.
        rebound: The names that functions defined in it assign, as `nonlocal`.
        shared: The names that it declares as `nonlocal` or `global`.
        global_names: The names that it declares as `global`.
        places: The attributes and elements that it assigns, `self.x` and `d["k"]`, by their text.
        containers: Where it assigns elements, and what methods such as `append` are called on, by its text.
    """

    reads: set[str] = field(default_factory=set)
    writes: dict[str, None] = field(default_factory=dict)
    captured: set[str] = field(default_factory=set)
    rebound: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    global_names: set[str] = field(default_factory=set)
    places: dict[str, ast.Attribute | ast.Subscript] = field(default_factory=dict)
    containers: dict[str, ast.expr] = field(default_factory=dict)


def root(node: ast.expr) -> str | None:
    """The variable that a chain of attributes starts from: `a` of `a.b.c`; None if it is another expression."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


class _Visitor(ast.NodeVisitor):
    """Collects the uses of names; functions and comprehensions inside are scopes of their own."""

    def __init__(self) -> None:
        self.uses = Uses()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.uses.reads.add(node.id)
        else:
            self.uses.writes[node.id] = None
            if isinstance(node.ctx, ast.Del):
                self.uses.reads.add(node.id)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.uses.reads.add(node.target.id)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.target)
            self.visit(node.value)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not isinstance(node.ctx, ast.Load) and root(node) is not None:
            self.uses.places[ast.unparse(node)] = node
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        simple = isinstance(node.slice, ast.Constant | ast.Name)
        if not isinstance(node.ctx, ast.Load) and root(node.value) is not None:
            self.uses.containers[ast.unparse(node.value)] = node.value
            if simple:
                self.uses.places[ast.unparse(node)] = node
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in MUTATORS and root(called.value) is not None:
            self.uses.containers[ast.unparse(called.value)] = called.value
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        self.uses.shared.update(node.names)
        self.uses.global_names.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.uses.shared.update(node.names)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.uses.writes[alias.asname or alias.name.split(".")[0]] = None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self.uses.writes[alias.asname or alias.name] = None

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.uses.writes[node.name] = None
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self.uses.writes[node.name] = None
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self.uses.writes[node.name] = None

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.uses.writes[node.rest] = None
        self.generic_visit(node)

    # ---- scopes

    def _visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def _add_inner(self, inner: Uses, bound: set[str]) -> None:
        free = (inner.reads | inner.captured) - bound
        self.uses.reads |= free
        self.uses.captured |= free
        self.uses.rebound |= (inner.rebound - bound) | (inner.shared - inner.global_names)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.uses.writes[node.name] = None
        self._visit_all([*node.decorator_list, *node.args.defaults, *node.args.kw_defaults])
        inner = uses_of(node.body)
        self._add_inner(inner, bound_names(node))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_all([*node.args.defaults, *node.args.kw_defaults])
        self._add_inner(uses_of([node.body]), bound_names(node))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.uses.writes[node.name] = None
        self._visit_all([*node.decorator_list, *node.bases, *node.keywords])
        self._add_inner(uses_of(node.body), set())

    def _visit_comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        inner = _Visitor()
        inner.generic_visit(node)
        bound = set(_uses([part.target for part in node.generators]).writes)
        self.uses.reads |= inner.uses.reads - bound
        self.uses.captured |= inner.uses.captured - bound
        self.uses.rebound |= inner.uses.rebound
        self.uses.containers.update(
            (text, value) for text, value in inner.uses.containers.items() if root(value) not in bound
        )
        # `:=` in a comprehension assigns a variable of the enclosing function.
        self.uses.writes.update((name, None) for name in inner.uses.writes if name not in bound)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension


def _uses(nodes: Iterable[ast.AST]) -> Uses:
    visitor = _Visitor()
    visitor._visit_all(nodes)
    return visitor.uses


def uses_of(nodes: Iterable[ast.AST]) -> Uses:
    """The uses of names in statements or expressions of one scope."""
    return _uses(nodes)


def parameters(arguments: ast.arguments) -> list[str]:
    """The names of a function's parameters."""
    plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    starred = [arg for arg in (arguments.vararg, arguments.kwarg) if arg is not None]
    return [arg.arg for arg in (*plain, *starred)]


def bound_names(function: FunctionNode) -> set[str]:
    """The local variables of a function."""
    body = [function.body] if isinstance(function, ast.Lambda) else function.body
    uses = uses_of(body)
    return {*parameters(function.args), *uses.writes} - uses.shared


def own_nodes(nodes: Sequence[ast.AST]) -> Iterable[ast.AST]:
    """All nodes of statements or expressions, without those inside functions and classes defined there."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


@dataclass(frozen=True)
class Live:
    """The variables that may be read later.

    Args:
        out: After a statement.
        head: Those that an iteration of a loop reads, if it is a loop, before it assigns them.
    """

    out: frozenset[str]
    head: frozenset[str] = frozenset()


class Liveness:
    """Computes, for each compound statement of a function without jumps, which variables are live.

    Args:
        body: The statements of the function.
        always: The names that count as live everywhere: those shared with other functions.
        stops: The flags that each loop tests before an iteration.
    """

    def __init__(self, body: Sequence[ast.stmt], always: set[str], stops: Mapping[ast.stmt, Sequence[str]]) -> None:
        self.live: dict[ast.stmt, Live] = {}
        self._stops = stops
        self._always = set(always)
        self._block(body, set(always))

    def _block(self, body: Sequence[ast.stmt], out: set[str]) -> set[str]:
        for statement in reversed(body):
            out = self._statement(statement, out) | self._always
        return out

    def _during(self, body: Sequence[ast.stmt], out: set[str], always: set[str]) -> set[str]:
        """A block from any point of which control may go where `always` is live."""
        before, self._always = self._always, self._always | always
        try:
            return self._block(body, out | always)
        finally:
            self._always = before

    def _statement(self, node: ast.stmt, out: set[str]) -> set[str]:
        match node:
            case ast.If():
                self.live[node] = Live(frozenset(out))
                return uses_of([node.test]).reads | self._block(node.body, out) | self._block(node.orelse, out)
            case ast.While() | ast.For() | ast.AsyncFor():
                return self._loop(node, out)
            case ast.Try() | ast.TryStar():
                return self._try(node, out)
            case ast.With() | ast.AsyncWith():
                uses = uses_of(node.items)
                # A context manager that suppresses an exception does so whenever the block is traced: then nothing is
                # assigned in any iteration, and the variables keep the values that they have outside of the loop.
                return uses.reads | (self._block(node.body, out) - set(uses.writes))
            case ast.Match():
                found = uses_of([node.subject]).reads | out
                for case in node.cases:
                    uses = uses_of([case.pattern, *([case.guard] if case.guard else [])])
                    found |= uses.reads | (self._block(case.body, out) - set(uses.writes))
                return found
        uses = uses_of([node])
        return uses.reads | (out - set(uses.writes))

    def _loop(self, node: ast.While | ast.For | ast.AsyncFor, out: set[str]) -> set[str]:
        if isinstance(node, ast.While):
            first, targets, test = set(), set(), uses_of([node.test]).reads
        else:
            target = uses_of([node.target])
            first, targets, test = uses_of([node.iter]).reads, set(target.writes), target.reads
        after = self._block(node.orelse, out)
        read = test | set(self._stops.get(node, ()))
        head = after | read
        while True:
            read |= self._block(node.body, head) - targets
            if read <= head:
                break
            head |= read
        self.live[node] = Live(frozenset(after), frozenset(read))
        return head | first

    def _try(self, node: ast.Try | ast.TryStar, out: set[str]) -> set[str]:
        final = self._block(node.finalbody, out)
        handlers: set[str] = set(final)
        for handler in node.handlers:
            kind = uses_of([handler.type]).reads if handler.type else set()
            handlers |= kind | (self._during(handler.body, final, final) - {handler.name or ""})
        follow = self._during(node.orelse, final, final)
        return self._during(node.body, follow, handlers)
