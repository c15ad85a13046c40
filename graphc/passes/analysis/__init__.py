"""Analyses of graphs: index maps of reads, precedence of groups, triangular masks."""
