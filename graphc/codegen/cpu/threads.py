"""Which of a kernel's loops the threads share."""

from __future__ import annotations

import math

from graphc.codegen.ir.kernel import Axis, Kernel

# Shares of neighbouring elements begin at multiples of this many: whole cache lines.
GRAIN = 64
# A loop of fewer points, or grains where they are neighbours, is not worth sharing where another is longer.
FEW = 16


def shared_axes(kernel: Kernel) -> tuple[Axis, ...]:
    """The loops whose points threads share: the outermost that has many, else the longest.

    An outermost loop whose extent is known at run time only, such as a batch, may have one point: it is shared together
    with the next loop, unless that one is to be vectorised.
    """

    def grains(axis: Axis) -> float:
        if not isinstance(axis.extent, int):
            return math.inf
        return axis.extent / GRAIN if axis == kernel.axes[-1] else axis.extent

    if len(kernel.axes) > 2 and not isinstance(kernel.axes[0].extent, int):
        return kernel.axes[:2]
    many = [axis for axis in kernel.axes if grains(axis) >= FEW]
    return tuple(many[:1]) if many else (max(kernel.axes, key=grains),)
