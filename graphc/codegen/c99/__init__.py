"""C99 for any machine: one thread, no libraries but C's own, memory of a fixed size."""
