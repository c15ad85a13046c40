"""Schedules, the same for all targets: the order and binding of a kernel's loops, from the strides of its accesses.

A schedule does not change the results of a kernel: indices become offsets, axes that can be traversed as one are
merged, and an axis is bound as `vector`, along which renderers find neighbouring elements in memory.
"""
