"""Programs as Python source text: for graphc, as users write it, and for JAX, where tapes are functions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.transforms.random_programs.program import Block, Program, Query, Step, array

# What programs use besides the library.
HELPERS = '''
def ramp(shape):
    """Numbers that differ from each other."""
    count = int(np.prod(shape))
    return ((np.arange(count) * 0.61803 + 0.3) % 1.0 * 2.3).astype("float32").reshape(shape)
'''
GRAPHC_HELPERS = '''
def known(gradients, sources, before=()):
    """Gradients with zeros for None, and a number that tells where None was."""
    missing = sum(2**i for i, gradient in enumerate(gradients) if gradient is None)
    pairs = zip(gradients, sources, strict=True)
    return [
        *(ops.zeros((*before, *source.shape)) if gradient is None else gradient for gradient, source in pairs),
        ops.convert_to_tensor(np.int32(missing)),
    ]


def with_slope(f, slope):
    """A function with a gradient of the user's."""

    @ops.custom_gradient
    def both(x):
        return f(x), lambda *args, upstream=None: (args[0] if upstream is None else upstream) * slope(x)

    return both
'''
SCRIPT = """
inputs = {inputs}
state = {state}
first = [variable.numpy() for variable in state]


def run(function, backend):
    for variable, value in zip(state, first, strict=True):
        variable.assign(value)
    with graphc.backend(backend):
        calls = [[ops.convert_to_tensor(x * sign) for x in inputs] for sign in (1, -1)]
        results = [function(*call) for call in calls]
    return [dict(found, state=[variable.numpy() for variable in state]) for found in results]


for eager, compiled in zip(run(program, "numpy"), run(graphc.function(program), "{backend}"), strict=True):
    for name in eager:
        print(name, "eager:", eager[name], "compiled:", compiled[name])
"""
IMPORTS = "import numpy as np\n\nimport graphc\nfrom graphc import ops, random\n"


def source(program: Program, dialect: str = "graphc") -> str:
    """The function `program` of the inputs, which returns a dictionary of results."""
    lines = _Lines(dialect)
    params = ", ".join(name for name, _ in program.body.params)
    lines.add(0, f"def program({params}):")
    for step in program.body.steps:
        lines.step(1, step)
    results = ", ".join(f'"{name}": {name}' for name in program.body.results)
    lines.add(1, f"return {{{results}}}")
    return "\n".join(lines.lines) + "\n"


def definitions(program: Program) -> str:
    """The variables of a program for graphc."""
    lines = [f"{name} = graphc.Variable({array(values, type)})" for (name, type), values in program.variables]
    return "\n".join([*lines, f"generator = random.SeedGenerator({program.seed % 1000})"]) + "\n"


def module(program: Program) -> str:
    """Everything that a program for graphc needs, as a module's text."""
    return "\n".join([IMPORTS, HELPERS, GRAPHC_HELPERS, definitions(program), "", source(program)])


def script(program: Program, backend: str) -> str:
    """A script that runs a program eagerly and on a backend, and prints what differs."""
    inputs = ", ".join(array(values, type) for (_, type), values in program.inputs)
    state = ", ".join([*(name for (name, _), _ in program.variables), "generator.state"])
    return f"{module(program)}\n" + SCRIPT.format(inputs=f"[{inputs}]", state=f"[{state}]", backend=backend)


def words(text: str) -> set[str]:
    """The names in an expression."""
    return set(re.findall(r"[A-Za-z_]\w*", text))


class _Lines:
    """Lines of source text."""

    def __init__(self, dialect: str) -> None:
        self.lines: list[str] = []
        self.jax = dialect == "jax"
        self._count = 0

    def add(self, depth: int, line: str) -> None:
        self.lines.append("    " * depth + line)

    def name(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{self._count}"

    def body(self, depth: int, steps: Iterable[Step]) -> None:
        for step in steps:
            self.step(depth, step)

    def step(self, depth: int, step: Step) -> None:
        {"call": self._call, "if": self._if, "for": self._for, "tape": self._tape}[step.kind](depth, step)

    def function(self, depth: int, block: Block) -> str:
        """A block as a function; returns its name."""
        name = self.name("f")
        if block.decorator:
            self.add(depth, block.decorator)
        self.add(depth, f"def {name}({', '.join(param for param, _ in block.params)}):")
        self.body(depth + 1, block.steps)
        self.add(depth + 1, f"return {block.pattern.format(*block.results)}")
        return name

    def _call(self, depth: int, step: Step) -> None:
        names = {f"b{i}": self.function(depth, block) for i, block in enumerate(step.blocks)}
        text = step.text.format(*step.args, **names)
        target = step.pattern.format(*(name for name, _ in step.outs)) if step.outs else ""
        self.add(depth, f"{target} = {text}" if target else text)

    def _if(self, depth: int, step: Step) -> None:
        ((out, _),) = step.outs
        for head, block in zip((f"if {step.args[0]}:", "else:"), step.blocks, strict=True):
            self.add(depth, head)
            self.body(depth + 1, block.steps)
            self.add(depth + 1, f"{out} = {block.results[0]}")

    def _for(self, depth: int, step: Step) -> None:
        ((out, _),) = step.outs
        (block,) = step.blocks
        (loop, _), (carry, _) = block.params
        self.add(depth, f"{out} = {step.args[0]}")
        self.add(depth, f"for {loop} in {step.text.format(*step.args)}:")
        self.add(depth + 1, f"{carry} = {out}")
        self.body(depth + 1, block.steps)
        self.add(depth + 1, f"{out} = {block.results[0]}")

    # ---- tapes

    def _tape(self, depth: int, step: Step) -> None:
        (self._function_of_sources if self.jax else self._with_tape)(depth, step)

    def _with_tape(self, depth: int, step: Step) -> None:
        tape = self.name("tape")
        persistent = "persistent=True" if len(step.queries) > 1 else ""
        self.add(depth, f"with graphc.GradientTape({persistent}) as {tape}:")
        if step.watched:
            self.add(depth + 1, f"{tape}.watch([{', '.join(name for name, _ in step.watched)}])")
        self.body(depth + 1, step.blocks[0].steps)
        if not step.watched and not step.blocks[0].steps:
            self.add(depth + 1, "pass")
        for query in step.queries:
            sources = f"[{', '.join(query.sources)}]"
            if query.jacobian:
                found = f"known({tape}.jacobian({query.target}, {sources}), {sources}, {query.target}.shape)"
            else:
                weight = f", output_gradients={query.weighted}" if query.weighted else ""
                found = f"known({tape}.gradient({query.target}, {sources}{weight}), {sources})"
            self.add(depth, f"{', '.join((*query.outs, query.missing))} = {found}")

    def _function_of_sources(self, depth: int, step: Step) -> None:
        """A function of what is added to each source where the tape begins to know it: gradients are those by this."""
        sources = list(dict.fromkeys(source for query in step.queries for source in query.sources))
        targets = list(dict.fromkeys(query.target for query in step.queries))
        defined = [named for inner in step.blocks[0].steps for named in inner.outs]
        leaks = ", ".join(name for name, _ in defined)
        name, more, pull = self.name("recorded"), self.name("more"), self.name("pull")
        watched = [name for name, _ in step.watched]
        variables = [x for x in sources if x[0] == "v"]

        self.add(depth, f"def {name}({', '.join([more, *(f'{x}={x}' for x in watched)])}):")
        self._added(depth + 1, watched, sources, more)
        self.add(depth + 1, f"with watching([{', '.join(f'({x}, {more}[{sources.index(x)}])' for x in variables)}]):")
        self.add(depth + 2, "pass")
        for inner in step.blocks[0].steps:
            self.step(depth + 2, inner)
            self._added(depth + 2, [x for x, _ in inner.outs], sources, more)
        self.add(depth + 1, f"return [{', '.join(targets)}], [{leaks}]")

        inside = {x: f"ops.zeros({type.shape})" for x, type in defined}
        zeros = ", ".join(inside.get(x, f"zeros_of({x})") for x in sources)
        self.add(depth, f"{pull}, [{leaks}] = differentiate({name}, [{zeros}])")
        for query in step.queries:
            self._pulled(depth, query, pull, targets, sources)

    def _added(self, depth: int, names: Iterable[str], sources: list[str], more: str) -> None:
        for x in names:
            if x in sources:
                self.add(depth, f"{x} = {x} + {more}[{sources.index(x)}]")

    def _pulled(self, depth: int, query: Query, pull: str, targets: list[str], sources: list[str]) -> None:
        places = [sources.index(source) for source in query.sources]
        method = "jacobian" if query.jacobian else "gradient"
        weight = query.weighted or "None"
        found = f"{pull}.{method}({targets.index(query.target)}, {places}, {weight})"
        self.add(depth, f"{', '.join((*query.outs, query.missing))} = {found}")
