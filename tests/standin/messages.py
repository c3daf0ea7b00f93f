"""One HTTP request as the stand-in understood it, and one answer before it is sent."""

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlencode

SECRET_NAMES = ("access_token", "input_token", "fb_exchange_token", "client_secret", "code",
                "code_verifier", "appsecret_proof", "revoke_token", "machine_id", "id_token",
                "signed_request", "fb_exchange_nonce")


@dataclass
class Request:
    """Method, path and parameters; parameters keep their order and where they stood."""

    method: str
    path: str
    headers: list
    query: list = field(default_factory=list)
    form: list = field(default_factory=list)
    content_type: str = ""
    items: list = field(default_factory=list)  # of a batch: [method, path]

    def value(self, name):
        """A parameter by name; the form goes before the query, None when it is nowhere."""
        for pairs in (self.form, self.query):
            for key, value in pairs:
                if key == name:
                    return value
        return None

    def effective_method(self):
        """Graph takes other methods as a POST with a `method` parameter."""
        override = self.value("method") if self.method == "POST" else None
        return (override or self.method).upper()

    def repeated(self):
        """Names that were given more than once."""
        names = [key for key, _ in self.form + self.query]
        return sorted({name for name in names if names.count(name) > 1})

    def header(self, name):
        """A header field's value, or None."""
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    def bearer(self):
        """The token of an Authorization header, or None."""
        scheme, _, token = (self.header("Authorization") or "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token else None

    def secrets_given(self):
        """Every secret value in the request; only a misbehaviour that echoes them asks."""
        found = [value for key, value in self.form + self.query if key in SECRET_NAMES]
        return found + ([self.bearer()] if self.bearer() else [])

    def proof_form(self):
        """How the request proves the app secret, for the record."""
        if self.value("appsecret_proof") is None:
            return "none"
        return "plain" if self.value("appsecret_time") is None else "timed"

    def line(self, step, connection):
        """What is recorded: names and our own statements, never a value that was sent."""
        return {
            "step": step,
            "connection": connection,
            "method": self.method,
            "effective_method": self.effective_method(),
            "path": self.path,
            "query_names": [key for key, _ in self.query],
            "query_secret_names": [key for key, _ in self.query if key in SECRET_NAMES],
            "header_names": [key for key, _ in self.headers],
            "form_names": [key for key, _ in self.form],
            "content_type": self.content_type,
            "bearer": self.bearer() is not None,
            "proof": self.proof_form(),
            **({"items": self.items} if self.items else {}),
        }


@dataclass
class Redirect:
    """Where a dialog sends the browser: parameters stay apart until the last moment."""

    uri: str
    parameters: dict
    fragment: str = ""
    doubled: dict = field(default_factory=dict)  # parameters that come a first time with these

    def location(self):
        """The URL."""
        pairs = list(self.doubled.items()) + list(self.parameters.items())
        joint = "&" if "?" in self.uri else "?"
        return self.uri + joint + urlencode(pairs) + self.fragment


@dataclass
class Answer:
    """What goes back.  Misbehaviours change it at any depth: data, body, framing or raw bytes."""

    status: int = 200
    data: object = None
    headers: list = field(default_factory=list)
    redirect: Redirect = None
    body: bytes = None     # overrides data
    framing: str = "length"
    close: bool = False
    raw: bytes = None      # overrides everything
    delivery: object = None
    farewell: str = "notify"  # how a closed connection ends: notify, fin or reset
    hangs_up: bool = False    # it ends, and the answer does not say so

    def payload(self):
        """The body: given bytes, else the data as JSON."""
        if self.body is not None:
            return self.body
        return json.dumps(self.data, separators=(",", ":")).encode()

    def put_body(self, body):
        """Another body; what was a redirect is an answer like any other then."""
        self.body = body
        if self.redirect:
            self.redirect, self.status = None, 200

    def chunk(self, size):
        """Chunked coding of what the body is now, with extensions and a trailer."""
        data = self.payload()
        parts = [data[start:start + size] for start in range(0, len(data), size)]
        coded = b"".join(b"%x;note=1\r\n%s\r\n" % (len(part), part) for part in parts)
        self.body = coded + b"0\r\nx-trailer: 1\r\n\r\n"
        self.framing = "chunked"
        self.set_header("Transfer-Encoding", "chunked")

    def set_header(self, name, value):
        """Replace a header field, or add it."""
        self.headers = [(k, v) for k, v in self.headers if k.lower() != name.lower()]
        self.headers.append((name, value))

    def wire(self):
        """Head and framed body as they go onto the connection."""
        if self.raw is not None:
            return b"", self.raw
        body = self.payload()
        fields = list(self.headers)
        if self.redirect:
            fields.append(("Location", self.redirect.location()))
        if self.framing == "length":
            fields.append(("Content-Length", str(len(body))))
        fields.append(("Connection", "close" if self.close else "keep-alive"))
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}"] + [f"{k}: {v}" for k, v in fields]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), body
