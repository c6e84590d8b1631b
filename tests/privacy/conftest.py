"""Fixtures of the privacy tests."""

from .tape import tape

__all__ = ["tape"]
