"""Functions in C99 for operations that libraries compute: they run on one thread, and take no memory of their own."""

from __future__ import annotations

from graphc.graph.registry import PortableFunction
from graphc.graph.types import TensorType

_TYPES = {
    **{"bool": "unsigned char", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long"},
    **{"uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned", "uint64": "unsigned long long"},
    **{"float16": "float16", "bfloat16": "bfloat16", "float32": "float", "float64": "double"},
    **{"complex64": "float", "complex128": "double"},
}


def _function(name: str, x: TensorType, axes: int, body: str) -> PortableFunction:
    """A function whose body runs for each part of the last axes of the first operand.

    Args:
        name: What it does.
        x: The first operand.
        axes: The number of axes of a part.
        body: What it does for the part `part`. `TYPE` is the type of elements in memory.
    """
    name = f"gc_{name}_{x.dtype.name}_{x.rank}"
    parts = " * ".join(f"extents[{axis}]" for axis in range(x.rank - axes)) or "1"
    text = f"""static void {name}(void *const *places, const long *extents) {{
  const long parts = {parts}, n = extents[{x.rank - 1}];
  for (long part = 0; part < parts; ++part) {{
{body}
  }}
}}
"""
    return PortableFunction(name, text.replace("TYPE", _TYPES[x.dtype.name]))


def sorted_rows(x: TensorType) -> PortableFunction:
    """Heap sort of each row and of the positions in it: as no two positions are equal, it is stable."""
    value = f"gc_from_{x.dtype.name}" if x.dtype.accumulator is not x.dtype else ""
    nan = "a == a && (a < b || b != b || (a == b && i < j))" if x.dtype.is_float else "a < b || (a == b && i < j)"
    both = "if (a != a && b != b) is_less = i < j;" if x.dtype.is_float else ""
    less = f"""
#define GC_BEFORE(I, J) \\
  {{ \\
    const {_TYPES[x.dtype.accumulator.name]} a = {value}(values[I]), b = {value}(values[J]); \\
    const int i = order[I], j = order[J]; \\
    is_less = {nan}; \\
    {both} \\
  }}
"""
    made = _function(
        "sort",
        x,
        1,
        """    const TYPE *const from = (const TYPE *)places[0] + part * n;
    TYPE *const values = (TYPE *)places[1] + part * n;
    int *const order = (int *)places[2] + part * n;
    for (long e = 0; e < n; ++e) {
      values[e] = from[e];
      order[e] = (int)e;
    }
    for (long start = n / 2, end = n; end > 1;) {
      int is_less = 0;
      if (start > 0) {
        --start;
      } else {
        const TYPE value = values[--end];
        const int position = order[end];
        values[end] = values[0];
        order[end] = order[0];
        values[0] = value;
        order[0] = position;
      }
      for (long root = start, child = 2 * root + 1; child < end; root = child, child = 2 * root + 1) {
        if (child + 1 < end) {
          GC_BEFORE(child, child + 1)
          child += is_less;
        }
        GC_BEFORE(root, child)
        if (!is_less) break;
        const TYPE value = values[root];
        const int position = order[root];
        values[root] = values[child];
        order[root] = order[child];
        values[child] = value;
        order[child] = position;
      }
    }""",
    )
    return PortableFunction(made.name, f"{less}{made.definition}#undef GC_BEFORE\n")


def fourier(x: TensorType, inverse: bool) -> PortableFunction:
    """Cooley and Tukey's transform where the number of elements is a power of 2, else the sums themselves."""
    sign = "" if inverse else "-"
    return _function(
        "ifft" if inverse else "fft",
        x,
        1,
        f"""    const TYPE *const from = (const TYPE *)places[0] + 2 * part * n;
    TYPE *const to = (TYPE *)places[1] + 2 * part * n;
    const double turn = {sign}6.28318530717958647693;
    if (n & (n - 1)) {{
      for (long k = 0; k < n; ++k) {{
        double re = 0, im = 0;
        for (long j = 0, jk = 0; j < n; ++j, jk = (jk + k) % n) {{
          const double angle = turn * (double)jk / (double)n, c = cos(angle), s = sin(angle);
          re += from[2 * j] * c - from[2 * j + 1] * s;
          im += from[2 * j] * s + from[2 * j + 1] * c;
        }}
        to[2 * k] = (TYPE)re;
        to[2 * k + 1] = (TYPE)im;
      }}
      continue;
    }}
    for (long e = 0, reversed = 0; e < n; ++e) {{
      to[2 * reversed] = from[2 * e];
      to[2 * reversed + 1] = from[2 * e + 1];
      long bit = n >> 1;
      for (; reversed & bit; bit >>= 1) reversed ^= bit;
      reversed |= bit;
    }}
    for (long half = 1; half < n; half *= 2) {{
      for (long k = 0; k < half; ++k) {{
        const double angle = turn * (double)k / (double)(2 * half);
        const TYPE c = (TYPE)cos(angle), s = (TYPE)sin(angle);
        for (long e = k; e < n; e += 2 * half) {{
          TYPE *const low = to + 2 * e, *const high = to + 2 * (e + half);
          const TYPE re = high[0] * c - high[1] * s, im = high[0] * s + high[1] * c;
          high[0] = low[0] - re;
          high[1] = low[1] - im;
          low[0] += re;
          low[1] += im;
        }}
      }}
    }}""",
    )


def same_bytes(x: TensorType) -> PortableFunction:
    """A copy of all bytes."""
    size = x.dtype.numpy.itemsize
    name = f"gc_bytes_{x.rank}_{size}"
    count = " * ".join(["(size_t)1", *(f"(size_t)extents[{axis}]" for axis in range(x.rank))])
    text = f"""static void {name}(void *const *places, const long *extents) {{
  (void)extents;
  memcpy(places[1], places[0], {count} * {size});
}}
"""
    return PortableFunction(name, text)


def cholesky_factor(x: TensorType) -> PortableFunction:
    """Cholesky and Banachiewicz: row by row; NaN where a matrix is not positive definite."""
    return _function(
        "cholesky",
        x,
        2,
        """    const TYPE *const from = (const TYPE *)places[0] + part * n * n;
    TYPE *const to = (TYPE *)places[1] + part * n * n;
    int failed = 0;
    for (long row = 0; row < n; ++row) {
      for (long column = 0; column < n; ++column) {
        double sum = from[row * n + column];
        for (long k = 0; k < column && column <= row; ++k)
          sum -= (double)to[row * n + k] * (double)to[column * n + k];
        if (column == row) failed |= !(sum > 0);
        to[row * n + column] = (TYPE)(column > row ? 0 : column == row ? sqrt(sum) : sum / to[column * n + column]);
      }
    }
    if (failed)
      for (long e = 0; e < n * n; ++e) to[e] = (TYPE)GC_NAN;""",
    )


def triangular_solution(a: TensorType, lower: bool, transposed: bool) -> PortableFunction:
    """Substitution, row by row."""
    element = "a[j * n + row]" if transposed else "a[row * n + j]"
    forward = lower is not transposed
    return _function(
        f"triangular_{'lower' if lower else 'upper'}{'_transposed' * transposed}",
        a,
        2,
        f"""    const long k = extents[{2 * a.rank - 1}];
    const TYPE *const a = (const TYPE *)places[0] + part * n * n, *const b = (const TYPE *)places[1] + part * n * k;
    TYPE *const x = (TYPE *)places[2] + part * n * k;
    for (long step = 0; step < n; ++step) {{
      const long row = {"step" if forward else "n - 1 - step"};
      for (long c = 0; c < k; ++c) {{
        double sum = b[row * k + c];
        for (long j = {"0" if forward else "row + 1"}; j < {"row" if forward else "n"}; ++j)
          sum -= (double){element} * (double)x[j * k + c];
        x[row * k + c] = (TYPE)(sum / (double)a[row * n + row]);
      }}
    }}""",
    )
