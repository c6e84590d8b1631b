"""The registry's page: nodes and their data sets, a search by tags, the log; nodes struck out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from flask import Flask, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from mpyc_core.grid import checks
from mpyc_core.grid.entries import Entry, plain
from mpyc_core.grid.link import LocalLink
from mpyc_core.grid.owner import Owner
from mpyc_core.grid.registered import SILENT, Registry
from mpyc_core.grid.registry import RegistryNode

from .door import LOOPBACK, log_page, shop

PAGES = (("home", "Nodes and data"), ("log", "Log"))


def create_hub(
    node: RegistryNode, token: str, hosts: Iterable[str] = LOOPBACK, slow: float = 1.0
) -> Flask:
    """The page of a registry; parameters as of `create_app`."""
    app = shop(node, PAGES, token, hosts, slow)
    link = LocalLink(node, node.owner)
    operator, registry = Owner(link), Registry(link)

    @app.get("/")
    def home() -> str:
        given = request.args.get("tags", "").split()
        tags = [tag for tag in given if checks.tag(tag)]
        everything = registry.entries()
        shown = [entry for entry in everything if entry.fits(tags)]
        return render_template(
            "hub.html",
            entries=shown,
            quiet={e.curve for e in shown if time.time() - e.heard > SILENT},
            hits={e.curve: [c for c in e.cards if _has(c.tags, tags)] for e in shown},
            nodes=len(everything),
            sets=sum(len(e.cards) for e in everything),
            profile=_profile(everything),
            tags=" ".join(tags),
            wrong=[tag for tag in given if tag not in tags],
        )

    @app.get("/log")
    def log() -> str:
        return log_page(node, operator.log)

    @app.post("/strike")
    def strike() -> AnyResponse:
        key = request.form.get("key", "")
        found = next((entry for entry in registry.entries() if entry.curve == key), None)
        if found is None:
            abort(404, "there is no such node")
        registry.strike(found)
        return redirect(url_for("home"))

    return app


def _has(own: Iterable[str], wanted: Iterable[str]) -> bool:
    return {plain(tag) for tag in wanted} <= {plain(tag) for tag in own}


def _profile(entries: Iterable[Entry]) -> list[tuple[str, int]]:
    """The most frequent tags."""
    counts = Counter(tag for entry in entries for card in entry.cards for tag in card.tags)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:24]
