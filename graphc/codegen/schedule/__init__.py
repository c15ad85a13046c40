"""Schedules, the same for all targets: flat offsets, merged axes, bound axes, wide accumulators."""
