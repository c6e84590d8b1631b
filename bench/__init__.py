"""Benchmarks: `python -m bench kernels|protocols|ml|scaling`, at the root of the repository."""
