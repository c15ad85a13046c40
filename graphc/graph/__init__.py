"""The typed tensor graph: types, nodes, builder, verifier, and its text, JSON and picture forms."""
