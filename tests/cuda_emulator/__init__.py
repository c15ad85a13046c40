"""A CUDA driver on the CPU, for tests: see README.md."""
