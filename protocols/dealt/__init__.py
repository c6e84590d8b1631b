"""Correlated randomness from a crypto provider: a dealer that holds no share and sees no data.

Each party has one seed in common with the dealer and derives most of its randomness from it; what
cannot be derived (the products that make randomness useful) the dealer sends to one party as
corrections.

    want.py         one correlation that one primitive needs, as data
    source.py       the randomness that one party and the dealer have in common
    correlation.py  what a kind of correlation is, and the registry of kinds
    kinds.py        triples, squares, truncation pairs, edaBits, daBits
    provider.py     the dealer as a party sees it
    local.py        a dealer inside a simulation: it protects nothing
"""
