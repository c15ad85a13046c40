"""What tests share: samples of primitives, random graphs, a NumPy evaluator of lowering rules, backends."""
