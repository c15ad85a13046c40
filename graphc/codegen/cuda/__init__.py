"""CUDA C++ for the GPU."""
