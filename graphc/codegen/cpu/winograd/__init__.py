"""Convolutions in C with fewer multiplications, by Winograd's minimal filtering."""
