"""A web page for a node's owner: data sets, requests, budgets over time, and the audit log.

app.py        pages and buttons
guard.py      login, sessions, cross-site tokens, headers
serving.py    a server on loopback
drawing.py    a computation as a picture
chart.py      budgets over time, from the audit log
"""
