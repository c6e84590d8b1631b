"""Compiled kernels: the loops that Numba turns into machine code."""
