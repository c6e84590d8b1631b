"""The plaintext protocol: the same interface without secrets. The oracle of every test."""

from mpyc_core.protocols.registry import register_protocol

from .protocol import Plain

register_protocol(Plain)

__all__ = ["Plain"]
