"""The door of a page: login, sessions, forms of this page alone, and errors as pages.

Pages are rendered by the server, without scripts, and act as the owner over an in-process link, so
that what they can do is what an owner's connection can do, checked and logged alike.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from flask import Flask, Response, abort, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from mpyc_core.errors import MpcError
from mpyc_core.grid.node import Node

from .guard import HEADERS, Guard, same

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_FORM = 1 << 14
ENTRIES = 100
HIDDEN = ("number", "event", "time", "salt")


def shop(
    node: Node, pages: Sequence[tuple[str, str]], token: str, hosts: Iterable[str], slow: float
) -> Flask:
    """A page with its door; what is behind it is added by the caller.

    Parameters
    ----------
    pages : (endpoint, name) of those that everybody inside can go to.
    token, hosts, slow : as of `Guard`.
    """
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=MAX_FORM)
    app.jinja_env.filters.update(moment=_moment, short=_short)
    _guard(app, Guard(token, hosts, slow))

    @app.context_processor
    def common() -> dict[str, Any]:
        session = g.get("session")
        return {
            "node": node.name,
            "kind": node.kind,
            "pages": pages,
            "form_token": None if session is None else session.form,
        }

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[str, int]:
        return render_template("message.html", text=error.description), error.code or 500

    @app.errorhandler(MpcError)
    def failed(error: MpcError) -> tuple[str, int]:
        return render_template("message.html", text=error.message), 409

    return app


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _short(text: str, length: int = 12) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


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


# -- the log ------------------------------------------------------------------------------------
def log_page(node: Node, entries: Sequence[dict[str, Any]]) -> str:
    """The audit log, latest first."""
    shown = [_entry(e) for e in reversed(entries[-ENTRIES:])]
    head = node.audit.head()
    return render_template("log.html", entries=shown, all=len(entries), head=head)


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of the log for people."""
    return {
        "number": entry["number"],
        "event": entry["event"],
        "time": entry["time"],
        "facts": {k: _fact(v)[:300] for k, v in entry.items() if k not in HIDDEN and v != []},
    }


def _fact(value: Any) -> str:
    """A fact in one line."""
    if isinstance(value, bytes):
        return value.hex()[:16]
    if isinstance(value, dict):
        return ", ".join(f"{k} {_fact(v)}" for k, v in value.items() if v is not None) or "none"
    if isinstance(value, (list, tuple)):
        return " ".join(map(_fact, value))
    return str(value)
