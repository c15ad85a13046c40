"""Schedules, the same for all targets: how a kernel's loops run, by legible rules from the strides of its accesses.

A schedule keeps what a kernel computes: indices become offsets, axes that are traversed as one are merged, and an axis
is bound as `vector`, which tells renderers where neighbouring elements lie in memory.
"""
