"""Dense layers with an einsum equation as their product."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from graphc import ops, regularizers
from graphc.errors import ArgumentError, ShapeError
from graphc.initializers import VarianceScaling
from graphc.layers.input_spec import InputSpec
from graphc.layers.kinds import KINDS, refuse_unsupported
from graphc.layers.layer import Layer
from graphc.parameters import Kind, configured
from graphc.registration import exported

_MODULE = "keras.layers"

_FORMS = (
    re.compile(r"(?P<x>[a-zA-Z]+),(?P<w>[a-zA-Z]+)->(?P<y>[a-zA-Z]+)"),
    re.compile(r"(?P<left>\.\.\.)(?P<x>[a-zA-Z]+),(?P<w>[a-zA-Z]+)->\.\.\.(?P<y>[a-zA-Z]+)"),
    re.compile(r"(?P<x>[a-zA-Z]{2,})(?P<right>\.\.\.),(?P<w>[a-zA-Z]+)->(?P<y>[a-zA-Z]+)\.\.\."),
)


@dataclass(frozen=True)
class Plan:
    """The shapes that follow from an equation and the input's shape, and the input and output axes of the kernel."""

    kernel: tuple[Any, ...]
    bias: tuple[Any, ...] | None
    output: tuple[Any, ...]
    input_axes: list[int]
    output_axes: list[int]


def plan(equation: str, bias_axes: str | None, input_shape: Any, output_shape: tuple[Any, ...]) -> Plan:
    """Computes the shapes of kernel, bias and output.

    Args:
        equation: `"ab,bc->ac"`; an ellipsis may precede or follow the indices of input and output.
        bias_axes: The indices of the output that the bias has.
        input_shape: Tuple of integers and None.
        output_shape: The sizes of the output without the batch and the ellipsis; None for those of the input.

    Raises:
        ArgumentError: if the equation is not of this form, or an index is undefined.
        ShapeError: if the sizes of an index differ in input and output.
    """
    found = next((match for form in _FORMS if (match := form.fullmatch(equation.replace(" ", "")))), None)
    if found is None:
        raise ArgumentError(
            "the equation is not understood",
            got=repr(equation),
            expected="'ab,bc->ac', '...b,bc->...c' or 'ab...,bc->ac...'",
        )
    x, w, y = found["x"], found["w"], found["y"]
    groups = found.groupdict()
    hidden = len(input_shape) - len(x)
    if hidden < 0 or (hidden and not (groups.get("left") or groups.get("right"))):
        raise ShapeError("the equation does not fit the input", got=f"shape {tuple(input_shape)}", expected=equation)
    before = hidden if groups.get("left") else 0
    if before:
        dots, behind = tuple(input_shape[:before]), ()
        output = (*dots, *output_shape)
    else:
        behind = tuple(input_shape[len(x) :])
        output = (input_shape[0], *output_shape, *behind)
    sizes = dict(zip(x, input_shape[before:], strict=False))
    wanted = dict(zip(y, output[before:], strict=False))
    for index, size in sizes.items():
        if wanted.get(index) not in (None, size):
            raise ShapeError(
                f"input and output differ at the index {index!r}",
                got=f"{size} and {wanted[index]}",
                expected="one size",
            )
    return Plan(
        tuple(_size(index, wanted, sizes, equation) for index in w),
        _bias(bias_axes, y, wanted, len(behind)),
        output,
        [axis for axis, index in enumerate(w) if index not in wanted],
        [axis for axis, index in enumerate(w) if index in wanted],
    )


def _size(index: str, wanted: dict[str, Any], sizes: dict[str, Any], equation: str) -> Any:
    if index not in wanted and index not in sizes:
        raise ArgumentError(f"the kernel's index {index!r} is in neither input nor output", got=repr(equation))
    return wanted[index] if index in wanted else sizes[index]


def _bias(axes: str | None, y: str, wanted: dict[str, Any], behind: int) -> tuple[Any, ...] | None:
    """The shape of the bias, from its first index on, with size 1 for the indices that it lacks."""
    if axes is None:
        return None
    for index in axes:
        if index not in y:
            raise ArgumentError("the bias has an index that the output lacks", got=repr(index), expected=f"of {y!r}")
    first = min(y.index(index) for index in axes)
    return (*(wanted[index] if index in axes else 1 for index in y[first:]), *(1,) * behind)


@exported(_MODULE)
@configured
class EinsumDense(Layer):
    """`activation(einsum(equation, inputs, kernel) + bias)`.

    Args:
        equation: An einsum equation, such as `"abc,cd->abd"`, possibly with an ellipsis, as in `"...x,xy->...y"`.
        output_shape: The sizes of the output without the batch and the ellipsis; None for a size that is the input's.
        bias_axes: The indices of the output that the bias has, such as `"d"`. None: no bias.

    Raises:
        ArgumentError: if low-rank updates or quantization are requested.

    Example:

    >>> EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")(ops.ones((2, 32, 128))).shape
    (2, 32, 64)
    """

    # `output_shape` is a property of layers.
    _kinds = MappingProxyType({**KINDS, "output_shape": Kind("", attribute="partial_output_shape")})
    _unwritten = frozenset({"lora_rank", "lora_alpha", "gptq_unpacked_column_size"})

    equation: str
    output_shape: Any
    activation: Any = None
    bias_axes: str | None = None
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    lora_rank: Any = None
    lora_alpha: Any = None
    gptq_unpacked_column_size: Any = None
    quantization_config: Any = None

    def _prepare(self) -> None:
        refuse_unsupported(self, "lora_rank", "gptq_unpacked_column_size", "quantization_config")
        shape: Any = vars(self)["partial_output_shape"]
        self.partial_output_shape: tuple[Any, ...] = (shape,) if isinstance(shape, int) else tuple(shape)

    def _plan(self, input_shape: Any) -> Plan:
        return plan(self.equation, self.bias_axes, input_shape, self.partial_output_shape)

    def build(self, input_shape: Any = None) -> None:
        """Creates kernel and bias."""
        shapes = self._plan(input_shape)
        self.input_spec = InputSpec(ndim=len(input_shape))
        self.kernel = self.add_weight(
            name="kernel",
            shape=shapes.kernel,
            initializer=self._scaled(shapes),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None if shapes.bias is None else self._new_weight("bias", shapes.bias)

    def _scaled(self, shapes: Plan) -> Any:
        """The kernel's initializer, with the input and output axes of the kernel."""
        given = self.kernel_initializer
        if not isinstance(given, VarianceScaling) or (given.input_axes is not None and given.output_axes is not None):
            return given
        config = {**given.get_config(), "seed": given.seed}
        return type(given).from_config({**config, "input_axes": shapes.input_axes, "output_axes": shapes.output_axes})

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output."""
        return self._plan(input_shape).output

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The outputs."""
        outputs = ops.einsum(self.equation, inputs, self.kernel)
        if self.bias is not None:
            outputs = ops.add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "activity_regularizer": regularizers.serialize(self.activity_regularizer)}
