"""Data one cannot see: nodes of data owners, pointers, search, requests and budgeted release."""
