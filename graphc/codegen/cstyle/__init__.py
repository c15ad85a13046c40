"""Printers shared by C and CUDA: scalars, indices, loops, reductions."""
