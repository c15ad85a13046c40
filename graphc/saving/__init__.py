"""Files: weights, and objects as configurations."""
