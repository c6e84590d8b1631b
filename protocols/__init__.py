"""Sharings and the operations on them, behind one interface for every protocol."""
