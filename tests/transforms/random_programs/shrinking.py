"""Smaller programs that fail like a given one."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.transforms.random_programs.program import Block, Program, Query, Step, Type, constant, steps_of
from tests.transforms.random_programs.rendering import source, words

# The kind of a failure; None where a program does not fail.
Kind = Callable[[Program], "str | None"]
Types = dict[str, Type]


def shrunk(program: Program, kind: Kind, most: int = 600) -> Program:
    """A program from which nothing can be left out so that it still fails in the same way.

    Args:
        program: A program that fails.
        kind: Tells how a program fails.
        most: How many programs may be tried.
    """
    wanted, tried, types = kind(program), 0, _types(program)
    assert wanted is not None
    progress = True
    while progress and tried < most:
        progress = False
        for smaller in _variants(program):
            candidate = _repaired(smaller, types)
            if tried >= most or _cost(candidate) >= _cost(program):
                continue
            tried += 1
            if kind(candidate) == wanted:
                program, progress = candidate, True
                break
    return program


def size(program: Program) -> int:
    """The number of steps."""
    return sum(1 for _ in steps_of(program.body))


def _cost(program: Program) -> tuple[int, int]:
    """How large a program is: its steps without constants, which replace others, and what is read."""
    steps = sum(1 for step in steps_of(program.body) if "ops.convert_to_tensor" not in step.text)
    return steps, len(source(program)) + len(program.variables) + len(program.inputs)


# ---- smaller parts


def _variants(program: Program) -> Iterator[Program]:
    results = program.body.results
    if len(results) > 1:
        for count in (len(results) // 2, 1):
            for first in range(0, len(results), count):
                yield replace(program, body=replace(program.body, results=results[first : first + count]))
    if results:
        yield replace(program, body=replace(program.body, results=()))
    for body in _blocks(program.body, _types(program)):
        yield replace(program, body=body)
    used = {word for step in steps_of(program.body) for text in _texts(step) for word in words(text)}
    used |= set(results)
    for variable in program.variables:
        if variable[0][0] not in used:
            yield replace(program, variables=tuple(other for other in program.variables if other != variable))
    for given in program.inputs:
        if given[0][0] not in used:
            inputs = tuple(other for other in program.inputs if other != given)
            body = replace(program.body, params=tuple(named for named, _ in inputs))
            yield replace(program, inputs=inputs, body=body)


def _blocks(block: Block, types: Types) -> Iterator[Block]:
    """Smaller blocks."""
    steps = block.steps
    count = len(steps)
    while count:
        for first in range(0, len(steps), count):
            yield replace(block, steps=steps[:first] + steps[first + count :])
        count //= 2
    for i, step in enumerate(steps):
        for found in (*_tapes(step), *_branches(step), *_with_smaller_blocks(step, types)):
            yield replace(block, steps=(*steps[:i], *found, *steps[i + 1 :]))
        for arg in step.args if len(step.outs) == 1 else ():
            out, type = step.outs[0]
            if types.get(arg) == type:
                yield _renamed(replace(block, steps=steps[:i] + steps[i + 1 :]), {out: arg})
            elif step.blocks and type.dtype == "float32":
                yield replace(
                    block, steps=(*steps[:i], Step("call", "ops.sin({0})", step.outs, (arg,)), *steps[i + 1 :])
                )
    if block.decorator:
        yield replace(block, decorator="")


def _tapes(step: Step) -> Iterator[tuple[Step, ...]]:
    """A tape without some of its queries and sources, or no tape."""
    if step.kind == "tape" and not step.queries:
        yield step.blocks[0].steps
    for query in step.queries:
        others = tuple(other for other in step.queries if other != query)
        smaller = [_without(query, by) for by in query.sources] if len(query.sources) > 1 else []
        if query.weighted:
            smaller.append(replace(query, weighted=""))
        yield (replace(step, queries=others),)
        yield from ((replace(step, queries=(*others, other)),) for other in smaller)
    for named in step.watched:
        yield (replace(step, watched=tuple(other for other in step.watched if other != named)),)


def _branches(step: Step) -> Iterator[tuple[Step, ...]]:
    """One of several branches, or the body of a function, where the step is."""
    switch = step.text.startswith("ops.switch")
    if step.kind == "if" or (step.kind == "call" and step.text.startswith(("ops.cond", "ops.switch", "{b0}("))):
        for block in step.blocks:
            params = zip(block.params, step.args[switch:], strict=False)
            given = (Step("call", "{0}", (param,), (arg,)) for param, arg in params)
            same = (Step("call", "{0}", (out,), (name,)) for out, name in zip(step.outs, block.results, strict=True))
            yield (*given, *block.steps, *same)


def _with_smaller_blocks(step: Step, types: Types) -> Iterator[tuple[Step, ...]]:
    """The step with less in a block, or with a block that returns a parameter."""
    for i, block in enumerate(step.blocks):
        smaller = list(_blocks(block, types))
        for place, result in enumerate(block.results):
            others = (name for name, type in block.params if name != result and type == types.get(result))
            smaller += (
                replace(block, results=(*block.results[:place], name, *block.results[place + 1 :])) for name in others
            )
        yield from ((replace(step, blocks=(*step.blocks[:i], other, *step.blocks[i + 1 :])),) for other in smaller)


def _renamed(block: Block, names: dict[str, str]) -> Block:
    """A block that reads other values."""

    def each(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.get(name, name) for name in values)

    steps = (
        replace(
            step,
            args=each(step.args),
            blocks=tuple(_renamed(inner, names) for inner in step.blocks),
            watched=tuple((names.get(name, name), type) for name, type in step.watched),
            queries=tuple(
                replace(query, target=each((query.target,))[0], sources=each(query.sources)) for query in step.queries
            ),
        )
        for step in block.steps
    )
    return replace(block, steps=tuple(steps), results=each(block.results))


def _without(query: Query, by: str) -> Query:
    kept = [i for i, other in enumerate(query.sources) if other != by]
    sources, outs = (tuple(part[i] for i in kept) for part in (query.sources, query.outs))
    return replace(query, sources=sources, outs=outs)


# ---- programs that are whole


def _types(program: Program) -> Types:
    named = [out for step in steps_of(program.body) for out in step.outs]
    named += [param for step in steps_of(program.body) for block in step.blocks for param in block.params]
    return dict(named) | dict(program.body.params)


def _texts(step: Step) -> Iterator[str]:
    yield step.text
    yield from step.args
    for query in step.queries:
        yield from (*query.sources, query.target, query.weighted)
    yield from (name for name, _ in step.watched)
    yield from (text for block in step.blocks for text in (block.pattern, *block.results))


def _repaired(program: Program, types: Types) -> Program:
    """The program with constants for what it reads and nothing computes, without gradients that nothing can give."""
    body = _consistent(program.body)
    known = {name for (name, _), _ in (*program.inputs, *program.variables)}
    missing = dict.fromkeys(_undefined(body, known))
    constants = tuple(_constant(name, types[name]) for name in missing if name in types)
    return replace(program, body=replace(body, steps=constants + body.steps))


def _consistent(block: Block) -> Block:
    return replace(block, steps=tuple(_consistent_step(step) for step in block.steps))


def _consistent_step(step: Step) -> Step:
    blocks = tuple(_consistent(block) for block in step.blocks)
    if step.kind != "tape":
        return replace(step, blocks=blocks)
    defined = {named[0]: named[1] for inner in blocks[0].steps for named in inner.outs}
    watched = {name for name, _ in step.watched}
    queries = []
    for query in step.queries:
        for by in query.sources:
            if by[0] != "v" and by not in watched and by not in defined:
                query = _without(query, by)
        if query.sources:
            queries.append(query)
    wanted = {*defined, *(name for query in queries for name in (*query.outs, query.missing))}
    known = dict(step.outs) | defined
    outs = tuple((name, type) for name, type in known.items() if name in wanted)
    return replace(step, blocks=blocks, queries=tuple(queries), outs=outs)


def _undefined(block: Block, known: set[str]) -> Iterator[str]:
    """Names of values that are read where they are not known."""
    known = known | {name for name, _ in block.params}
    for step in block.steps:
        inner = set(known)
        if step.kind == "tape":
            inner |= {name for named in step.blocks[0].steps for name, _ in named.outs}
        yield from (name for name in _values(step) if name not in inner)
        for each in step.blocks:
            yield from _undefined(each, known)
        known |= {name for name, _ in step.outs}
    yield from (name for name in block.results if name not in known)


def _values(step: Step) -> Iterator[str]:
    yield from step.args
    yield from (name for name, _ in step.watched)
    for query in step.queries:
        yield from (name for name in (query.target, query.weighted) if name)


def _constant(name: str, type: Type) -> Step:
    rng = random.Random(int(re.sub(r"\D", "", name)))
    return Step("call", constant(rng, type), ((name, type),))
