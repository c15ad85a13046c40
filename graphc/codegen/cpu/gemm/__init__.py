"""Contractions in C: tiling, packing, micro-kernels, masks, and products by a BLAS library."""
