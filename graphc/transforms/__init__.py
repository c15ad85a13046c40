"""Transformations of Python functions of tensors: gradients, compiled functions, control flow from source."""
