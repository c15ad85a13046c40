"""Implementations of the library calls in a plan, on each target."""

from __future__ import annotations

from dataclasses import replace

from graphc import dtypes
from graphc.codegen.lower.assemble import Assembly
from graphc.codegen.target import Target
from graphc.errors import BackendError
from graphc.graph.registry import LibraryRule, NativeFunction, PortableFunction, primitive
from graphc.graph.types import TensorType, at_origin
from graphc.plan import Branch, Buffer, LibraryCall, Loop, Plan, Step, While


def native_function(step: LibraryCall, plan: Plan) -> NativeFunction | None:
    """The library's function for a call; None where there is none."""
    return _rule(step, plan).native


def portable_function(step: LibraryCall, plan: Plan) -> PortableFunction | None:
    """The function of exported C for a call; None where there is none."""
    return _rule(step, plan).portable


def _rule(step: LibraryCall, plan: Plan) -> LibraryRule:
    ids = (*step.operands, *step.results)
    types = [TensorType(shape, plan.buffers[id].dtype) for shape, id in zip(step.shapes, ids, strict=True)]
    lower = primitive(step.operation).lower
    assert lower is not None
    rule: LibraryRule = lower(tuple(types[: len(step.operands)]), **step.attrs)
    return rule


def bind_to_host(assembly: Assembly, target: Target) -> Assembly:
    """Binds library calls to LAPACK where it is installed and has the function, else to the reference.

    The plan gets a buffer for the references' addresses, which the program fills in at run time.
    """
    plan = assembly.plan
    if not plan.calls():
        return assembly

    def bound(step: Step) -> Step:
        if isinstance(step, Loop | While | Branch):
            return step.with_blocks(*(tuple(map(bound, block)) for block in step.blocks))
        native = native_function(step, plan) if isinstance(step, LibraryCall) and target.has_lapack else None
        return replace(step, native=native.symbol) if isinstance(step, LibraryCall) and native is not None else step

    plan = replace(plan, steps=tuple(map(bound, plan.steps)))
    if any(not call.native for call in plan.calls()):
        table = Buffer(len(plan.buffers), "functions", dtypes.uint64, len(plan.calls()))
        plan = replace(plan, buffers=(*plan.buffers, table))
    return replace(assembly, plan=plan)


def refuse(assembly: Assembly, target: Target) -> Assembly:
    """Refuses library calls: the target has no libraries. For portable C some operations have functions in C.

    Raises:
        BackendError: if there is a call; it names the operation, the layer and the line.
    """
    portable = target.backend == "c99"
    for call in assembly.plan.calls():
        if portable and portable_function(call, assembly.plan) is not None:
            continue
        error = BackendError(
            f"`{call.operation}` has no implementation {'in portable C' if portable else 'on the backend cuda'}",
            got=f"a call of it, for {', '.join(map(str, call.shapes[: len(call.operands)]))}",
            hint="export a model that ends before it" if portable else "choose the backend cpu for this program",
        )
        raise at_origin(error, call.origins)
    return assembly
