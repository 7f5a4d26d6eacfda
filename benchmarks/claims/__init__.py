"""One file per claim. A claim has a docstring, a `measure(bench)`, and the sides that it compares."""
