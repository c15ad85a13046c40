"""Lowering: from a partition of a graph to kernels of the loop IR, and a plan that launches them."""
