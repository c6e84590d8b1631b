"""Parties, authenticated channels, bytes and rounds; it knows no numbers and no protocols."""
