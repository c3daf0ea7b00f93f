"""A login in the exchange room: orders, redirects as a browser sends them, and what comes back."""

import http.client
import json
import socket
from contextlib import closing
from urllib.parse import parse_qs, urlencode, urlsplit

from canary import Canaries

BUSY = 31
CODE = "AQB-canary-" + Canaries().app_secret
ADDRESSES = ("127.0.0.1", "::1")


def has_ipv6():
    """This machine has ::1."""
    with closing(socket.socket(socket.AF_INET6)) as one:
        try:
            one.bind(("::1", 0))
        except OSError:
            return False
        return True


def free_port():
    """One that was free at both addresses just now."""
    while True:
        with closing(socket.socket()) as four, closing(socket.socket(socket.AF_INET6)) as six:
            four.bind(("127.0.0.1", 0))
            port = four.getsockname()[1]
            if not has_ipv6():
                return port
            try:
                six.bind(("::1", port))
            except OSError:
                continue
            return port


class Login:
    """One login in a room that has been told nothing yet."""

    def __init__(self, room, port, seconds=20, **changes):
        self.room, self.port = room, port
        self.dialog = {"client_id": "1234567890", "api_version": "v26.0",
                       "redirect_uri": f"http://localhost:{port}/", "scopes": "ads_read",
                       **changes}
        self.seconds = seconds
        self.address = None

    def order(self, provider="meta", origin="", text=None, port=None):
        """`login`; a test changes one thing of it."""
        self.room.send("login", provider, origin,
                       json.dumps(self.dialog) if text is None else text,
                       self.port if port is None else port, self.seconds)

    def begin(self):
        """The order, and the address that the room has made of it."""
        self.order()
        self.address, = self.room.expect("dialog")
        return self

    @property
    def asked(self):
        """The parameters of the dialog."""
        return {name: value for name, (value,) in parse_qs(urlsplit(self.address).query).items()}

    @property
    def state(self):
        """What the answer must bring back."""
        return self.asked["state"]

    def answer(self, **changes):
        """The query of the answer; a parameter None is left out."""
        given = {"code": CODE, "state": self.state, **changes}
        return urlencode({name: value for name, value in given.items() if value is not None})

    def url(self, query=None):
        """Where the provider sends the browser."""
        return f"{self.dialog['redirect_uri']}?{self.answer() if query is None else query}"

    def get(self, target, method="GET", host="127.0.0.1", **headers):
        """A request as a browser sends it: status, headers, page."""
        with closing(http.client.HTTPConnection(host, self.port, timeout=20)) as connection:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, target,
                               headers={"Host": f"localhost:{self.port}", **names})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def redirect(self, query=None, **how):
        """The redirect address with a query."""
        return self.get(f"/?{self.answer() if query is None else query}", **how)

    def came(self):
        """The room has the code, and goes on waiting for orders."""
        assert self.room.expect("came") == []
        self.room.close()
        self.room.wait()

    def listens(self):
        """Somebody can connect."""
        for host in ADDRESSES:
            try:
                socket.create_connection((host, self.port), timeout=20).close()
                return True
            except OSError:
                continue
        return False
