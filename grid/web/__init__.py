"""Web pages for a node's owner and for a registry's operator.

app.py        the owner's: data sets, requests, budgets over time, audit log
hub.py        the registry's: nodes, their data sets, search, log
door.py       login, sessions, forms, errors: what both have
guard.py      whom the door lets in, and which site may press buttons
serving.py    a server on loopback
drawing.py    a computation as a picture
chart.py      budgets over time, from the audit log
"""
