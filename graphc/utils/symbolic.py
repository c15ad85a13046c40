"""The graph of symbolic tensors."""

from __future__ import annotations

from typing import Any

from graphc.tracing import KerasTensor


def get_source_inputs(tensor: Any) -> Any:
    """The inputs from which a symbolic tensor is computed, each once.

    Args:
        tensor: A symbolic tensor; anything else is returned as it is.

    Example:

    >>> import graphc
    >>> a, b = graphc.Input((2,), name="a"), graphc.Input((2,), name="b")
    >>> [x.name for x in get_source_inputs(a + b * a)]
    ['a', 'b']
    """
    if not isinstance(tensor, KerasTensor):
        return tensor
    sources: list[KerasTensor] = []
    seen: set[int] = set()
    waiting = [tensor]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        inputs = current.node.inputs if current.node is not None else ()
        if not inputs:
            sources.append(current)
        waiting.extend(reversed(inputs))
    return sources
