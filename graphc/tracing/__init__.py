"""Tracing of Python functions into graphs: tensors, variables, traces, symbolic tensors, compiled functions."""

from graphc.registration import snake_case
from graphc.tracing.arrays import Array
from graphc.tracing.conversion import as_tensor, result_dtype
from graphc.tracing.elementwise import elementwise
from graphc.tracing.names import auto_name, given_name, next_count, reset_names
from graphc.tracing.origins import current_origin, current_path, describe, scope, user_line
from graphc.tracing.shapes import broadcast_shapes, broadcast_to
from graphc.tracing.symbolic import (
    BATCH,
    FunctionOperation,
    KerasTensor,
    Node,
    Operation,
    has_symbolic,
    operation,
    symbolic_leaves,
)
from graphc.tracing.tensor import Tensor, bind, bind_many, cast, get_mask, lift, set_mask
from graphc.tracing.trace import ANY_SIZE, Trace, current_trace, infers, keras_shape, outermost_trace, untraced
from graphc.tracing.traced import Traced, build, trace, variables_of
from graphc.tracing.variable import Variable, autocast

__all__ = [
    "ANY_SIZE",
    "BATCH",
    "Array",
    "FunctionOperation",
    "KerasTensor",
    "Node",
    "Operation",
    "Tensor",
    "Trace",
    "Traced",
    "Variable",
    "as_tensor",
    "auto_name",
    "autocast",
    "bind",
    "bind_many",
    "broadcast_shapes",
    "broadcast_to",
    "build",
    "cast",
    "current_origin",
    "current_path",
    "current_trace",
    "describe",
    "elementwise",
    "get_mask",
    "given_name",
    "has_symbolic",
    "infers",
    "keras_shape",
    "lift",
    "next_count",
    "operation",
    "outermost_trace",
    "reset_names",
    "result_dtype",
    "scope",
    "set_mask",
    "snake_case",
    "symbolic_leaves",
    "trace",
    "untraced",
    "user_line",
    "variables_of",
]
