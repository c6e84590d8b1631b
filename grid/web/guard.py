"""Who may see the page, and which site may press its buttons.

A token that the node prints opens a session; the session is an unguessable cookie that scripts
cannot read and other sites cannot send. Every form carries a token of its own session; whatever
changes something is checked for it. Requests that name another host than the page's own are
refused, so that a foreign name which is made to point to this machine leads nowhere.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mpyc_core.entropy import fresh_key

HOURS = 12
MAX_SESSIONS = 64
SLOW = 1.0
"""Seconds that a wrong token costs whoever types it."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def fresh_token() -> str:
    """128 bits, as text."""
    return fresh_key(16).hex()


def same(given: str | None, wanted: str) -> bool:
    """Whether two tokens are equal, in constant time."""
    return given is not None and hmac.compare_digest(given.encode(), wanted.encode())


@dataclass(frozen=True)
class Session:
    """One browser that has logged in.

    Parameters
    ----------
    form : the token that its forms carry.
    """

    id: str = field(default_factory=fresh_token, repr=False)
    form: str = field(default_factory=fresh_token, repr=False)
    ends: float = field(default_factory=lambda: time.monotonic() + HOURS * 3600)


class Guard:
    """The door of one page.

    Parameters
    ----------
    token : what is to be typed to log in.
    hosts : names by which the page may be asked for.
    slow : seconds that a wrong token costs.
    """

    def __init__(self, token: str, hosts: Iterable[str], slow: float = SLOW) -> None:
        self._token, self._hosts, self._slow = token, frozenset(hosts), slow
        self.cookie = f"mpyc-core-{fresh_token()[:8]}"  # browsers share cookies among ports
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._wrong = threading.Lock()

    def login(self, given: str | None) -> Session | None:
        """A session for who has the token; wrong ones are answered slowly, one after the other."""
        if not same(given, self._token):
            with self._wrong:
                time.sleep(self._slow)
            return None
        found = Session()
        with self._lock:
            now = time.monotonic()
            live = [s for s in self._sessions.values() if s.ends > now][1 - MAX_SESSIONS :]
            self._sessions = {s.id: s for s in [*live, found]}
        return found

    def session(self, cookie: str | None) -> Session | None:
        """The session of a cookie, unless it has ended."""
        found = self._sessions.get(cookie or "")
        return found if found is not None and found.ends > time.monotonic() else None

    def logout(self, session: Session) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(session.id, None)

    def knows_host(self, host: str) -> bool:
        """Whether a request asks for this page by a name of its own."""
        return (urlsplit(f"//{host}").hostname or "") in self._hosts

    def same_site(self, origin: str | None, site: str | None, host: str) -> bool:
        """Whether a browser says that a form was sent from a page of this host."""
        if site is not None and site not in ("same-origin", "none"):
            return False
        return origin is None or urlsplit(origin).netloc == host
