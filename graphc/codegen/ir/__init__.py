"""The loop IR: its grammar, traversals, text form, checks, and the cost of kernels."""
