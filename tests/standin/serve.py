"""One thread per connection: TLS, requests read, answers sent, events announced."""

from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

import misbehave
from delivery import Gone, Plain
from messages import Answer, Request

BODY_MAX = 1024 * 1024
FORM = "application/x-www-form-urlencoded"


class Conversation(BaseHTTPRequestHandler):
    """The requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"

    def __init__(self, link, number, house):
        self.link, self.number, self.house = link, number, house
        super().__init__(link.tls, ("127.0.0.1", 0), None)

    def log_message(self, *_):
        """Say nothing: what was asked stands in the record, without values."""

    def handle_one_request(self):
        """As in the base class, but any method is Graph's to judge."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self._serve(self._read())

    def _read(self):
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 <= size <= BODY_MAX:
            raise Gone
        body = self.rfile.read(size)
        if len(body) < size:
            raise Gone
        parts = urlsplit(self.path)
        content_type = (self.headers.get("Content-Type") or "").split(";")[0].strip().lower()
        request = Request(self.command, parts.path, list(self.headers.items()),
                          content_type=content_type)
        request.query = parse_qsl(parts.query, keep_blank_values=True)
        if content_type == FORM:
            request.form = parse_qsl(body.decode("latin-1"), keep_blank_values=True)
        return request

    def _serve(self, request):
        state, step = self.house.state, self.house.graph.step_of(request)
        release = self.house.release  # before the announcement: a release after it must count
        orders = state.misbehaviours_for(step)
        answer, facts = self.house.graph.answer(request)
        misbehave.apply(orders, misbehave.Case(request, answer, state, release, facts))
        state.record(request.line(step, self.number))
        self._send(answer)
        state.announce(f"answer:{step}")

    def _send(self, answer: Answer):
        if (self.headers.get("Connection") or "").lower() == "close":
            answer.close = True
        self.link.farewell = answer.farewell
        head, body = answer.wire()
        (answer.delivery or Plain()).send(self.link, head, body)
        self.close_connection = answer.close or answer.hangs_up


class Connection:
    """From accept to the end, including the misbehaviours that come before any request."""

    def __init__(self, link, number, house):
        self.link, self.number, self.house = link, number, house

    def run(self):
        """The thread's whole life; a client that goes away is no fault."""
        state = self.house.state
        orders = state.misbehaviours_for("connect")
        state.announce("connection")
        try:
            if self._begin(orders):
                Conversation(self.link, self.number, self.house)
        except (Gone, OSError):
            pass
        finally:
            self.link.close()
            state.announce("closed")

    def _begin(self, orders):
        """The handshake; false when the connection was ordered to end without a request."""
        certificate, release = "good", self.house.release
        self.link.farewell = "fin"
        for order in orders:
            if order.kind == "reset":
                self.link.farewell = "reset"
                return False
            if order.kind == "cut":
                return False
            if order.kind == "garbage":
                self.link.tcp.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\nplain text, no TLS\n")
                return False
            if order.kind == "silent":
                self.link.pause(order.options.get("seconds"), release)
            elif order.kind not in ("close", "early"):
                certificate = order.kind
        self.link.handshake(self.house.certificates.context(certificate))
        self.link.farewell = "notify"
        self.house.state.announce("handshake")
        return all(self._goes_on(order, release) for order in orders)

    def _goes_on(self, order, release):
        """What was ordered to come before any request; false when the connection ends with it."""
        options = order.options
        if order.kind == "close":
            self.link.farewell = options.get("how", "notify")
            return False
        if order.kind != "early":
            return True
        if options.get("held") and not self.link.pause(None, release, or_asked=True):
            return True
        said = Answer(data=options["body"]) if "body" in options else Answer(408, close=True)
        self.link.send(b"".join(said.wire()))
        self.house.state.announce("early")
        return not said.close
