"""The plaintext protocol: the same interface without secrets. The oracle of every test."""

from .protocol import Plain

__all__ = ["Plain"]
