"""Programs for the CPU: the C toolchain, the thread pool, memory between runs, the cache of programs."""
