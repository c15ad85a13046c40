"""Transformations of Python functions of tensors."""
