"""Passes over scans: loop distribution, trimming, vectorization over the loop axis."""
