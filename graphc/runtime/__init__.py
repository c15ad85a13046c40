"""Running plans: toolchains, the cache of what they build, memory, and a device each for NumPy, C and CUDA."""
