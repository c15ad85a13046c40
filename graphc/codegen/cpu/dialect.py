"""How C99 for the CPU writes scalars and independent loops."""

from __future__ import annotations

from types import MappingProxyType

from graphc import dtypes
from graphc.codegen.cstyle.expr import TYPES, Dialect

C = Dialect(
    types=MappingProxyType({**TYPES, dtypes.bool_: "_Bool", dtypes.float16: "float16"}),
    # Halves are bits, float16 too: gcc 12 has no vectors of the conversions that processors have.
    to_float32=MappingProxyType({dtypes.float16: "gc_from_float16", dtypes.bfloat16: "gc_from_bfloat16"}),
    from_float=MappingProxyType(
        {
            (dtypes.float16, None): "gc_to_float16({})",
            (dtypes.float16, dtypes.float64): "gc_to_float16_float64({})",
            (dtypes.bfloat16, None): "gc_to_bfloat16((float)({}))",
        }
    ),
    rounding="gc_round_",
    has_vector_math=True,
    simd="#pragma omp simd",
)
