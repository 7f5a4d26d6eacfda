"""Drives: carries commands of the core to ports, and their answers back."""
