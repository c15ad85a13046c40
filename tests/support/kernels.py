"""Kernels written by hand, through the same code as those of graphs: interpreted, in C and in CUDA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc import dims
from graphc.codegen.cpu.render_program import render as render_c
from graphc.codegen.cpu.scratch import allot_scratch
from graphc.codegen.cpu.work import estimate_work
from graphc.codegen.cuda.render_program import render as render_cuda
from graphc.codegen.ir.check import check
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.lower.assemble import Assembly
from graphc.compiler.build import c_flags
from graphc.plan import Buffer, Launch, Plan
from graphc.runtime import cache
from graphc.runtime import cuda as gpu
from graphc.runtime.cpu import processor, toolchain
from graphc.runtime.cpu.program import CpuProgram
from tests.support.loop_interpreter import Cells, run_kernel, schedule

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]


def interpreted(kernels: Sequence[Kernel], inputs: Arrays, scheduled: bool) -> dict[str, Array]:
    """What kernels write, by buffer, from the loop interpreter; buffers of one name are one buffer."""
    results: dict[str, Array] = {}
    for kernel in kernels:
        check(kernel)
        cells = {p.name: Cells.holding(inputs[p.name]) for p in kernel.params if not p.written}
        for param in kernel.params:
            if param.written:
                cells[param.name] = Cells.empty(dims.evaluate(dims.product(param.shape), {}), param.dtype)
        run_kernel(schedule(kernel) if scheduled else kernel, cells, {})
        results |= {p.name: cells[p.name].array.reshape(p.shape) for p in kernel.params if p.written}
    return results


def compiled(kernels: Sequence[Kernel], inputs: Arrays, backend: str) -> dict[str, Array]:
    """The same from one program in C or CUDA."""
    params = {param.name: param for kernel in kernels for param in kernel.params}
    ids = {name: id for id, name in enumerate(params)}
    buffers = tuple(
        Buffer(ids[p.name], "output", p.dtype, dims.product(p.shape))
        if p.written
        else Buffer(ids[p.name], "input", p.dtype, dims.product(p.shape), p.name)
        for p in params.values()
    )
    steps = []
    for kernel in kernels:
        reads, writes = ([ids[p.name] for p in kernel.params if p.written is written] for written in (False, True))
        steps.append(Launch(kernel.name, tuple(ids[p.name] for p in kernel.params), tuple(reads), tuple(writes)))
    outputs = tuple(ids[p.name] for p in params.values() if p.written)
    plan = Plan(tuple(steps), buffers, outputs, {})
    scheduled = {kernel.name: schedule(kernel) for kernel in kernels}
    if backend == "cuda":
        source = render_cuda(plan, scheduled)
        cubin = gpu.build_cubin(source.text, gpu.device().arch, cache.default())
        found = gpu.CudaProgram(plan, cubin, source.geometry).run(inputs, {}, {}, 1)
    else:
        compiler = toolchain.find()
        whole = estimate_work(allot_scratch(Assembly(plan, scheduled), processor.vector_bytes()))
        c = render_c(whole.plan, whole.kernels, processor.vector_bytes())
        library = toolchain.build_shared(
            c.units, flags=c_flags(compiler), toolchain=compiler, cache=cache.default(), common=c.common
        )
        found = CpuProgram(whole.plan, library).run(inputs, {}, {}, 1)
    names = [p.name for p in params.values() if p.written]
    return {name: np.asarray(a).reshape(params[name].shape) for name, a in zip(names, found, strict=True)}
