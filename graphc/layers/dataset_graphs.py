"""Layers that are called in the functions of a TensorFlow data set, on tensors that have no values.

`dataset.map(lambda x, y: (layer(x), y))` traces its function into a graph of TensorFlow. A layer adds one node to it,
which calls the layer on arrays (`tf.numpy_function`). TensorFlow is never imported: who has such tensors has it.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from graphc import tree
from graphc.tracing import Array, KerasTensor, as_tensor

# The threads of a data set call a layer one at a time.
_lock = threading.Lock()


def is_in_dataset_graph(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether an argument is a tensor of a graph of TensorFlow."""
    return "tensorflow" in sys.modules and any(map(_is_symbolic, tree.flatten((args, kwargs))))


def _is_symbolic(leaf: Any) -> bool:
    kind = type(leaf)
    return kind.__module__.startswith("tensorflow") and kind.__name__ == "SymbolicTensor"


def add_node(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Adds the call of a layer to the graph of TensorFlow that is being traced.

    Args:
        layer: The layer.
        args: Its positional arguments, with tensors of the graph anywhere within.
        kwargs: Its keyword arguments.

    Returns:
        Tensors of the graph, nested as the layer's outputs.
    """
    tensorflow = sys.modules["tensorflow"]
    leaves, spec = tree.flatten_with_spec((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if _is_symbolic(leaf)]
    outputs, nesting = tree.flatten_with_spec(_specs_of_outputs(layer, leaves, spec))

    def compute(*arrays: Array) -> list[Array]:
        given = dict(zip(places, arrays, strict=True))
        own_args, own_kwargs = tree.unflatten(spec, [given.get(i, leaf) for i, leaf in enumerate(leaves)])
        with _lock:
            found = tree.flatten(layer(*own_args, **own_kwargs))
        return [as_tensor(x).numpy().astype(out.type.dtype.numpy) for x, out in zip(found, outputs, strict=True)]

    types = [getattr(tensorflow, out.dtype) for out in outputs]
    results = tensorflow.numpy_function(compute, [leaves[i] for i in places], types)
    for result, out in zip(results, outputs, strict=True):
        result.set_shape(out.shape)
    return tree.unflatten(nesting, list(results))


def _specs_of_outputs(layer: Any, leaves: list[Any], spec: Any) -> Any:
    """The symbolic outputs of the layer for tensors of the shapes and dtypes that the graph knows."""

    def stand_in(leaf: Any) -> Any:
        return KerasTensor(tuple(leaf.shape.as_list()), leaf.dtype.name) if _is_symbolic(leaf) else leaf

    args, kwargs = tree.unflatten(spec, [stand_in(leaf) for leaf in leaves])
    return layer.compute_output_spec(*args, **kwargs)
