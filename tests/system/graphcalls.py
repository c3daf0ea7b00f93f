"""A plain HTTPS client that sends what p11vault should send, for the tests of the stand-in."""

import hashlib
import hmac
import http.client
import json
import ssl
import time
from urllib.parse import urlencode

FORM = "application/x-www-form-urlencoded"
VERSION = "/v26.0"
DEADLINE = 30


def proof(secret, token, moment=None):
    """appsecret_proof, computed here once more and not by the stand-in's code."""
    message = token if moment is None else f"{token}|{moment}"
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def _given(fields):
    """Without those that are None."""
    return {name: value for name, value in fields.items() if value is not None}


def _versioned(path):
    return path if path.startswith("/") else f"{VERSION}/{path}"


class Answer:
    """Status, header fields and body of one answer."""

    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def data(self):
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self):
        """Code and subcode of Graph's error object."""
        error = self.data["error"]
        return error["code"], error.get("error_subcode", 0)


class Caller:
    """One app and one user token at a stand-in, and the calls that use them."""

    def __init__(self, graph, **app):
        self.graph = graph
        made = graph.tell("add_app", **app)
        self.app_id, self.secret = made["app_id"], made["secret"]
        self.token = self.add_token()
        self.connection = None

    def add_token(self, **facts):
        """One more token of this app."""
        facts.setdefault("user_id", "10153848260347724")
        return self.graph.tell("add_token", app_id=self.app_id, **facts)["token"]

    @property
    def app_token(self):
        """The app access token in the form that needs no call."""
        return f"{self.app_id}|{self.secret}"

    def connect(self):
        """A new connection that trusts the stand-in's authority and wants a proper goodbye."""
        context = ssl.create_default_context(cafile=self.graph.ca)
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        self.connection = http.client.HTTPSConnection("localhost", self.graph.port,
                                                      timeout=DEADLINE, context=context)
        self.connection.connect()
        self.connection.sock.suppress_ragged_eofs = False
        return self.connection

    def send(self, method, path, form=None, query=None, **headers):
        """One request on the open connection, or on a new one; the answer is not read yet."""
        connection = self.connection or self.connect()
        target = path + ("?" + urlencode(query) if query else "")
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if form is not None:
            headers.setdefault("Content-Type", FORM)
        connection.request(method, target, urlencode(form) if form is not None else None, headers)
        return connection

    def call(self, method, path, form=None, query=None, **headers):
        """One request and its answer."""
        return Answer(self.send(method, path, form, query, **headers).getresponse())

    def ask(self, path, bearer=None, **query):
        """GET with a query; the token as a bearer.  A path without a first / gets a version."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return self.call("GET", _versioned(path), query=_given(query), **headers)

    def post(self, path, bearer=None, **form):
        """POST with a form; the token as a bearer."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return self.call("POST", _versioned(path), _given(form), **headers)

    def exchange_fields(self, **changes):
        """The parameters of fb_exchange_token; None leaves one out."""
        fields = {"grant_type": "fb_exchange_token", "client_id": self.app_id,
                  "client_secret": self.secret, "fb_exchange_token": self.token, **changes}
        return _given(fields)

    def exchange(self, **changes):
        """fb_exchange_token as POST form."""
        return self.call("POST", VERSION + "/oauth/access_token", self.exchange_fields(**changes))

    def inspect_fields(self, **changes):
        """The parameters of debug_token with a timed proof; None leaves one out."""
        moment = int(time.time())
        fields = {"method": "get", "input_token": self.token, "access_token": self.app_token,
                  "appsecret_proof": proof(self.secret, self.app_token, moment),
                  "appsecret_time": moment, **changes}
        return _given(fields)

    def inspect(self, **changes):
        """debug_token as POST with method=get."""
        return self.call("POST", VERSION + "/debug_token", self.inspect_fields(**changes))

    def step(self, step):
        """The call of that name."""
        return {"exchange": self.exchange, "debug_token": self.inspect}[step]()

    def close(self):
        """End the connection; the next call makes a new one."""
        if self.connection:
            self.connection.close()
            self.connection = None
