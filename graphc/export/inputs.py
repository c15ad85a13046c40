"""What an exported model takes and returns: symbolic tensors for its inputs, and names of its outputs."""

from __future__ import annotations

from typing import Any

from graphc import tree
from graphc.errors import ArgumentError, StateError
from graphc.layers.shapes import map_shapes
from graphc.models.program import Step
from graphc.tracing import KerasTensor, describe, user_line


def symbolic_inputs(model: Any, input_signature: Any) -> tuple[tuple[KerasTensor, ...], Any]:
    """Symbolic tensors for the inputs of a model, and the structure in which it takes them.

    Args:
        model: The model.
        input_signature: A structure of `InputSpec`, symbolic tensors or arrays like the inputs. None: the inputs that
            the model has.

    Raises:
        ArgumentError: if a part of the signature has no shape.
        StateError: if it is not known what the model takes.
    """
    leaves, spec = tree.flatten_with_spec(_structure(model, input_signature))
    return tuple(_symbolic(leaf, place) for place, leaf in enumerate(leaves)), spec


def _structure(model: Any, given: Any) -> Any:
    if given is not None:
        # Keras's signatures are lists of the arguments of `call`.
        return given[0] if isinstance(given, list | tuple) and len(given) == 1 else given
    if getattr(model, "_graph", None) is not None:
        return model.input
    shapes = getattr(model, "_build_args", None) or {}
    if not model.built or "input_shape" not in shapes:
        raise StateError(
            "it is not known what the model takes",
            layer=model.name,
            where=describe(user_line()),
            hint="call it on data first, or pass `input_signature`, such as [graphc.InputSpec(shape=(None, 784))]",
        )
    return map_shapes(lambda shape: KerasTensor((None, *shape[1:])), shapes["input_shape"])


def _symbolic(leaf: Any, place: int) -> KerasTensor:
    shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
    if shape is None or not len(shape):
        raise ArgumentError(
            "an input signature tells the shape and the dtype of each input",
            got=repr(leaf)[:80],
            expected="an InputSpec with a shape, a symbolic tensor or an array, with the batch as first axis",
        )
    name = getattr(leaf, "name", None) or f"input_{place}"
    sizes = tuple(size if isinstance(size, int) else None for size in shape)
    return KerasTensor((None, *sizes[1:]), dtype if dtype is not None else "float32", name=name)


def output_names(model: Any, step: Step) -> tuple[str, ...]:
    """The names of the outputs of a traced model: their keys, the model's names, or numbers."""
    count = len(step.graph.outputs)
    named = tree.unflatten(step.structure, list(range(count)))
    if isinstance(named, dict):
        return tuple("/".join(map(str, path)) for path in tree.paths(named))
    names = list(getattr(model, "_output_names", None) or ())
    return tuple(names) if len(names) == count else tuple(f"output_{i}" for i in range(count))
