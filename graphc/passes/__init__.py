"""Rewrites of graphs, one per file, and the partition of a graph into groups that become kernels."""
