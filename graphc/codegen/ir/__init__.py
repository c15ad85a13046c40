"""The loop IR: its grammar, how it is walked, printed, checked, and what a kernel costs."""
