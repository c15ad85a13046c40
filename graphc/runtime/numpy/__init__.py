"""The reference device: a graph that the interpreter runs."""
