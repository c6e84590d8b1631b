"""The pages: server-rendered, without scripts; everything they do goes through the node's commands.

The page acts as the node's owner over an in-process link, so that what it can do is what an owner's
connection can do, checked and logged alike.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from flask import Flask, Response, abort, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from mpyc_core.errors import MpcError
from mpyc_core.grid import checks
from mpyc_core.grid.answering import Asked
from mpyc_core.grid.cards import Card
from mpyc_core.grid.link import LocalLink
from mpyc_core.grid.node import Node
from mpyc_core.grid.owner import Owner

from .chart import accounts
from .drawing import draw
from .guard import HEADERS, Guard, same

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_FORM = 1 << 14
ENTRIES = 100


def create_app(node: Node, token: str, hosts: Iterable[str] = LOOPBACK, slow: float = 1.0) -> Flask:
    """The page of a node.

    Parameters
    ----------
    token : what the owner types to log in.
    hosts : names by which the page may be asked for.
    slow : seconds that a wrong token costs.
    """
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=MAX_FORM)
    app.jinja_env.filters["moment"] = _moment
    owner = Owner(LocalLink(node, node.owner))
    _guard(app, Guard(token, hosts, slow))
    _pages(app, node, owner)
    _buttons(app, owner)

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[str, int]:
        return render_template("message.html", text=error.description), error.code or 500

    @app.errorhandler(MpcError)
    def failed(error: MpcError) -> tuple[str, int]:
        return render_template("message.html", text=error.message), 409

    return app


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


# -- the door -----------------------------------------------------------------------------------
def _guard(app: Flask, guard: Guard) -> None:
    @app.before_request
    def enter() -> AnyResponse | None:
        g.session = guard.session(request.cookies.get(guard.cookie))
        if not guard.knows_host(request.host):
            g.session = None
            abort(421, "this page is not known by that name")
        if request.endpoint == "static":
            return None
        if request.method == "POST":
            _check_form(guard)
        if g.session is None and request.endpoint != "login":
            return redirect(url_for("login"))
        return None

    @app.after_request
    def protect(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers[name] = value
        return response

    @app.route("/login", methods=["GET", "POST"])
    def login() -> AnyResponse | tuple[str, int] | str:
        if request.method == "GET":
            return render_template("login.html", wrong=False)
        session = guard.login(request.form.get("token"))
        if session is None:
            return render_template("login.html", wrong=True), 403
        answer = redirect(url_for("home"))
        answer.set_cookie(guard.cookie, session.id, httponly=True, samesite="Strict")
        return answer

    @app.post("/logout")
    def logout() -> AnyResponse:
        guard.logout(g.session)
        answer = redirect(url_for("login"))
        answer.delete_cookie(guard.cookie)
        return answer


def _check_form(guard: Guard) -> None:
    """What changes something comes from a form of this page, in a session that is logged in."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if not guard.same_site(origin, site, request.host):
        abort(403, "this form was sent from another site")
    if request.endpoint == "login":
        return
    if g.session is None:
        abort(403, "log in first")
    if not same(request.form.get("form"), g.session.form):
        abort(403, "this form is not one of this page; reload it and try again")


# -- what is seen -------------------------------------------------------------------------------
def _pages(app: Flask, node: Node, owner: Owner) -> None:
    @app.context_processor
    def common() -> dict[str, Any]:
        session = g.get("session")
        return {"node": node.name, "form_token": None if session is None else session.form}

    @app.get("/")
    def home() -> str:
        cards = [
            Card.from_wire(x["card"], x["signature"], owner.key)
            for x in owner.call({"do": "search", "tags": []})[0]["cards"]
        ]
        return render_template("home.html", cards=cards, waiting=list(owner.requests))

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
        entries = owner.log
        shown = [_entry(e) for e in reversed(entries[-ENTRIES:])]
        return render_template("log.html", entries=shown, all=len(entries), head=node.audit.head())


def _asked(owner: Owner, key: str) -> Asked:
    """A request by its id."""
    found = next((x for x in owner.requests.all() if x.id == key), None)
    if not checks.identifier(key) or found is None:
        abort(404, "there is no such request")
    return found


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of the log for people."""
    hidden = {"number", "event", "time", "salt"}
    facts = {k: v.hex()[:16] if isinstance(v, bytes) else v for k, v in entry.items()}
    return {
        "number": entry["number"],
        "event": entry["event"],
        "time": entry["time"],
        "facts": {k: str(v)[:300] for k, v in facts.items() if k not in hidden},
    }


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
