"""The printers of C and CUDA: what they note while they print, and what differs between targets."""

from __future__ import annotations

import re

import pytest

from graphc import dims, dtypes
from graphc.codegen.compilation import Compilation
from graphc.codegen.cpu.dialect import C
from graphc.codegen.cpu.functions import KernelText
from graphc.codegen.cstyle.expr import Dialect, ExprPrinter
from graphc.codegen.cstyle.loops import LoopPrinter
from graphc.codegen.cuda.dialect import CUDA
from graphc.codegen.target import Target
from graphc.dtypes import DType
from graphc.exprs import Call, Cast, Index, Load, Var
from graphc.graph.builder import Builder
from graphc.graph.types import TensorType

FLOAT = dtypes.float32
BATCH = dims.size("B")


def test_names_are_noted_where_they_are_printed() -> None:
    printer = ExprPrinter({"B": "size0"}, C)
    i, j = dims.axis("i", 10), dims.axis("j", 5)
    value = Load("b0", (i * BATCH + dims.floordiv(j, 2),), FLOAT, Var("v1", dtypes.bool_))
    printer.expr(Call("add", (value, Cast(Index(j, dtypes.int32), FLOAT)), FLOAT))
    assert printer.names == {"b0", "i", "j", "size0", "v1"}


def test_a_function_declares_what_its_body_mentions_and_nothing_else() -> None:
    params = {"b0": "const float *restrict b0", "b1": "float *restrict b1", "size0": "long size0"}
    text = KernelText("k0", {"B": "size0"}, params)
    text.begin_functions({"width": 32, "tile_rows": 8})

    def body(f: LoopPrinter) -> None:
        # Names that are part of others, and that only look like one, are none.
        f.out(f"b10[{f.scalars.use('n0')}] = b0_{f.scalars.use('width')} + {f.scalars.expr(Index(BATCH, FLOAT))};")

    text.function("epilogue", body)
    printed = str(text.functions)
    assert "enum { width = 32 };" in printed
    assert "long size0 = given->size0;" in printed
    assert "const long n0 = part->n0;" in printed
    assert "given->b" not in printed
    assert printed.count("part->") == 1


@pytest.mark.parametrize("rows, depth, columns", [(BATCH, 700, 48), (37, 37, 5), (BATCH, BATCH, 130), (200, 9, 1000)])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("is_expression", [False, True])
def test_functions_of_contractions_declare_what_they_use(
    rows: dims.Dim, depth: dims.Dim, columns: dims.Dim, turned: bool, is_expression: bool
) -> None:
    builder = Builder({"B": (1, 1024)})
    shapes = (rows, depth), (columns, depth) if turned else (depth, columns)
    a, b = (builder.input(name, TensorType(shape, FLOAT)) for name, shape in zip("ab", shapes, strict=True))
    if is_expression:
        a, b = builder.apply("exp", a), builder.apply("exp", b)
    axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (1 if turned else 0,)}
    graph = builder.finish([builder.apply("relu", builder.apply("contract", a, b, **axes))])
    source = Compilation(graph, Target("cpu")).source
    assert source is not None
    functions = re.findall(r"^static \w+ k\d+_\w+\(.*?^}", "\n".join(source.kernels.values()), re.DOTALL | re.MULTILINE)
    assert functions
    for function in functions:
        declared = re.findall(r"(?:(\w+) = given->|const long (\w+) = (?:part|block)->|enum { (\w+) = )", function)
        for name in (one for names in declared for one in names if one):
            assert len(re.findall(rf"(?<!>)\b{name}\b", function)) > 1, f"{name} is declared and not used:\n{function}"


@pytest.mark.parametrize(
    "dialect, source, target, wanted",
    [
        (C, dtypes.float64, dtypes.float16, "gc_to_float16_float64(x)"),
        (C, FLOAT, dtypes.float16, "gc_to_float16(x)"),
        (C, dtypes.float16, FLOAT, "gc_from_float16(x)"),
        (C, dtypes.float16, dtypes.int32, "(int)(gc_from_float16(x))"),
        (C, dtypes.float16, dtypes.bfloat16, "gc_to_bfloat16((float)(gc_from_float16(x)))"),
        (C, dtypes.int32, dtypes.bool_, "(_Bool)(x)"),
        (CUDA, dtypes.float64, dtypes.float16, "__double2half(x)"),
        (CUDA, dtypes.int64, dtypes.float16, "__float2half((float)(x))"),
        (CUDA, dtypes.float16, dtypes.float64, "(double)(__half2float(x))"),
        (CUDA, dtypes.bfloat16, FLOAT, "gc_from_bfloat16(x)"),
        (CUDA, FLOAT, FLOAT, "x"),
    ],
)
def test_conversions_are_spelled_as_the_target_has_them(
    dialect: Dialect, source: DType, target: DType, wanted: str
) -> None:
    assert ExprPrinter({}, dialect).cast("x", source, target) == wanted


def test_float32_is_rounded_to_a_half_in_one_step_where_the_target_can() -> None:
    rounded = Cast(Cast(Var("x", FLOAT), dtypes.float16), FLOAT)
    assert ExprPrinter({}, C).expr(rounded) == "gc_round_float16(x)"
    assert ExprPrinter({}, CUDA).expr(rounded) == "__half2float(__float2half((float)(x)))"


@pytest.mark.parametrize("dim", [7, -7, BATCH, BATCH + 1, 2 * BATCH, -BATCH, BATCH * BATCH, dims.floordiv(BATCH, 2)])
def test_integers_have_parentheses_where_they_need_them(dim: dims.Dim) -> None:
    printer = ExprPrinter({"B": "n"}, C)
    text = printer.grouped(dim)
    assert (text == printer.dim(dim)) == text.isidentifier() or text == "7"
    for n in (1, 5):
        assert eval(f"100 - {text}".replace("/", "//"), {"n": n}) == 100 - dims.evaluate(dim, {"B": n})
