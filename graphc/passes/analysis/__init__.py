"""What passes find out about a graph: how operands are read, what precedes what, which elements are known."""
