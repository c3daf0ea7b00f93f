"""A person's browser in a few lines: opens a login dialog and goes where it is sent."""

import http.client
import ssl
from urllib.parse import parse_qsl, urlsplit

DEADLINE = 30


class Redirect:
    """Where a dialog sent the browser."""

    def __init__(self, location):
        self.location = location
        parts = urlsplit(location)
        self.uri = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self.fragment = parts.fragment
        self.pairs = parse_qsl(parts.query, keep_blank_values=True)
        self.parameters = dict(self.pairs)

    def follow(self):
        """Bring it to the loopback address it names, as often as called; status and page."""
        parts = urlsplit(self.location)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE)
        try:
            # A browser keeps the fragment to itself.
            connection.request("GET", f"{parts.path or '/'}?{parts.query}")
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()


def open_dialog(graph, url):
    """GET a dialog's URL at the stand-in: a Redirect, or None when it shows a page of its own.

    With the answer `twice` the page loads the redirect two times: follow() it twice.
    """
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=graph.ca)
    connection = http.client.HTTPSConnection("localhost", graph.port, timeout=DEADLINE,
                                             context=context)
    try:
        connection.request("GET", parts.path + "?" + parts.query)
        response = connection.getresponse()
        response.read()
        location = response.headers["Location"] or response.headers["Content-Location"]
        return Redirect(location) if location else None
    finally:
        connection.close()
