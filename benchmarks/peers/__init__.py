"""One program for each measured system; each runs in a process and an environment of its own."""
