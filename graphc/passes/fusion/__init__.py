"""Fusion: which operations share a kernel, which are inlined, and which are rematerialized."""
