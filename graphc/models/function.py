"""A graph of operations as a function: `Function`."""

from __future__ import annotations

from typing import Any

from graphc import tree
from graphc.models.functional import LayerGraph
from graphc.registration import exported
from graphc.tracing import KerasTensor, Operation


@exported("keras", "Function")
class Function(Operation):
    """The operations between symbolic tensors, as a function of the inputs.

    Args:
        inputs: Symbolic tensor, or a structure of them.
        outputs: Likewise.
        name: Its name.

    Raises:
        ArgumentError: if an output does not come from the inputs.

    Example:

    >>> from graphc import Input, ops
    >>> x = Input((2,))
    >>> f = Function(x, ops.sum(x * 2.0, axis=-1))
    >>> f(ops.ones((3, 2))).numpy().tolist()
    [4.0, 4.0, 4.0]
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None) -> None:
        super().__init__(name)
        self._graph = LayerGraph(inputs, outputs, strict=False)

    @property
    def operations(self) -> list[Operation]:
        """The operations, each once, in topological order."""
        return list(self._graph.operations)

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs, as a list."""
        return self._graph.flat_inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, as a list."""
        return self._graph.flat_outputs

    def call(self, inputs: Any) -> Any:
        """The outputs."""
        return self._graph.run(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for those of the inputs."""
        leaves = [input_shape] if _is_shape(input_shape) else list(input_shape)
        given = [KerasTensor(shape, x.dtype) for shape, x in zip(leaves, self.inputs, strict=True)]
        return tree.map_structure(lambda x: x.shape, self.compute_output_spec(given if len(given) > 1 else given[0]))


def _is_shape(value: Any) -> bool:
    return all(size is None or isinstance(size, int) for size in value)
