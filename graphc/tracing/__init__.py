"""What turns Python calls into graphs: tensors, variables, traces, symbolic tensors, compiled functions."""

from graphc.tracing.function import Function, Traced, build, function, gradients, trace, variables_of
from graphc.tracing.names import auto_name, reset_names, snake_case
from graphc.tracing.origins import current_origin, current_path, describe, scope, user_line
from graphc.tracing.symbolic import (
    BATCH,
    Call,
    FunctionOperation,
    KerasTensor,
    Operation,
    has_symbolic,
    operation,
    symbolic_leaves,
)
from graphc.tracing.tensor import (
    Array,
    Tensor,
    as_tensor,
    bind,
    broadcast_shapes,
    broadcast_to,
    cast,
    elementwise,
    lift,
    result_dtype,
)
from graphc.tracing.trace import ANY_SIZE, Trace, current_trace, keras_shape, untraced
from graphc.tracing.variable import Variable, autocast

__all__ = [
    "ANY_SIZE",
    "BATCH",
    "Array",
    "Call",
    "Function",
    "FunctionOperation",
    "KerasTensor",
    "Operation",
    "Tensor",
    "Trace",
    "Traced",
    "Variable",
    "as_tensor",
    "auto_name",
    "autocast",
    "bind",
    "broadcast_shapes",
    "broadcast_to",
    "build",
    "cast",
    "current_origin",
    "current_path",
    "current_trace",
    "describe",
    "elementwise",
    "function",
    "gradients",
    "has_symbolic",
    "keras_shape",
    "lift",
    "operation",
    "reset_names",
    "result_dtype",
    "scope",
    "snake_case",
    "symbolic_leaves",
    "trace",
    "untraced",
    "user_line",
    "variables_of",
]
