"""How CUDA C++ writes scalars."""

from __future__ import annotations

from types import MappingProxyType

from graphc import dtypes
from graphc.codegen.cstyle.expr import TYPES, Dialect

CUDA = Dialect(
    types=MappingProxyType({**TYPES, dtypes.float16: "__half"}),
    to_float32=MappingProxyType({dtypes.float16: "__half2float", dtypes.bfloat16: "gc_from_bfloat16"}),
    from_float=MappingProxyType(
        {
            (dtypes.float16, None): "__float2half((float)({}))",
            (dtypes.float16, dtypes.float64): "__double2half({})",
            (dtypes.bfloat16, None): "gc_to_bfloat16((float)({}))",
        }
    ),
)
