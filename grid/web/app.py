"""The owner's page: data sets, requests with their computation drawn, budgets, audit log."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from mpyc_core.grid import checks
from mpyc_core.grid.answering import Asked
from mpyc_core.grid.cards import Card
from mpyc_core.grid.link import LocalLink
from mpyc_core.grid.node import Node
from mpyc_core.grid.owner import Owner
from mpyc_core.privacy.budget import dataset_account

from .chart import accounts
from .door import LOOPBACK, log_page, shop
from .drawing import draw

PAGES = (("home", "Data and requests"), ("budgets", "Budgets"), ("log", "Audit log"))


def create_app(node: Node, token: str, hosts: Iterable[str] = LOOPBACK, slow: float = 1.0) -> Flask:
    """The page of a node.

    Parameters
    ----------
    token : what the owner types to log in.
    hosts : names by which the page may be asked for.
    slow : seconds that a wrong token costs.
    """
    app = shop(node, PAGES, token, hosts, slow)
    owner = Owner(LocalLink(node, node.owner))
    _pages(app, node, owner)
    _buttons(app, owner)
    return app


# -- what is seen -------------------------------------------------------------------------------
def _pages(app: Flask, node: Node, owner: Owner) -> None:
    @app.get("/")
    def home() -> str:
        cards = [
            Card.from_wire(x["card"], x["signature"], owner.key)
            for x in owner.call({"do": "search", "tags": []})[0]["cards"]
        ]
        cards.sort(key=lambda card: card.name.casefold())
        found = owner.accounts
        spent = {card.id: found[dataset_account(card.group)][2] for card in cards}
        return render_template("home.html", cards=cards, spent=spent, waiting=list(owner.requests))

    @app.get("/requests/<key>")
    def one(key: str) -> str:
        found = _asked(owner, key)
        return render_template("request.html", asked=found, picture=draw(found.computation))

    @app.get("/budgets")
    def budgets() -> str:
        limits = {name: (row[0], row[2]) for name, row in owner.accounts.items() if row[0] > 0}
        return render_template("budgets.html", accounts=accounts(limits, owner.log))

    @app.get("/log")
    def log() -> str:
        return log_page(node, owner.log)


def _asked(owner: Owner, key: str) -> Asked:
    """A request by its id."""
    found = next((x for x in owner.requests.all() if x.id == key), None)
    if not checks.identifier(key) or found is None:
        abort(404, "there is no such request")
    return found


# -- what is done -------------------------------------------------------------------------------
def _buttons(app: Flask, owner: Owner) -> None:
    @app.post("/requests/<key>/accept")
    def accept(key: str) -> AnyResponse:
        _asked(owner, key).accept()
        return redirect(url_for("home"))

    @app.post("/requests/<key>/deny")
    def deny(key: str) -> AnyResponse:
        reason = request.form.get("reason", "")
        if not checks.text(reason):
            abort(400, "a reason is text of at most 4096 characters")
        _asked(owner, key).deny(reason)
        return redirect(url_for("home"))
