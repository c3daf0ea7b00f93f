"""One HTTP request as the stand-in understood it, and one answer before it is sent."""

import json
from dataclasses import dataclass, field
from http import HTTPStatus

TOKEN_FIELDS = ("access_token", "input_token", "fb_exchange_token")


@dataclass
class Request:
    """Method, path and parameters; parameters keep their order and where they stood."""

    method: str
    path: str
    headers: list
    query: list = field(default_factory=list)
    form: list = field(default_factory=list)
    content_type: str = ""

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
        named = TOKEN_FIELDS + ("client_secret", "appsecret_proof")
        found = [value for key, value in self.form + self.query if key in named]
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
            "header_names": [key for key, _ in self.headers],
            "form_names": [key for key, _ in self.form],
            "content_type": self.content_type,
            "bearer": self.bearer() is not None,
            "proof": self.proof_form(),
        }


@dataclass
class Answer:
    """What goes back.  Misbehaviours change it at any depth: data, body, framing or raw bytes."""

    status: int = 200
    data: object = None
    headers: list = field(default_factory=list)
    body: bytes = None     # overrides data
    framing: str = "length"
    close: bool = False
    raw: bytes = None      # overrides everything
    delivery: object = None
    farewell: str = "notify"  # how a closed connection ends: notify, fin or reset

    def payload(self):
        """The body: given bytes, else the data as JSON."""
        if self.body is not None:
            return self.body
        return json.dumps(self.data, separators=(",", ":")).encode()

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
        if self.framing == "length":
            fields.append(("Content-Length", str(len(body))))
        fields.append(("Connection", "close" if self.close else "keep-alive"))
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}"] + [f"{k}: {v}" for k, v in fields]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), body
