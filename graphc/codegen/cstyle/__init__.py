"""What C and CUDA source have in common: scalars, indices, loops, reductions."""
