"""Benchmarks: `python -m bench kernels|protocols|ml`, from the root of the repository."""
