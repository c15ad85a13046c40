"""Passes that choose how data is laid out and operations are split, for one target."""
