"""Wrong in the body, in head and framing, or in time."""

import json
import re

from delivery import Cut, Followed, Last, Silent, Trickle
from messages import Answer

INTERIM = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"

# The body.

def garbage(case):
    """Status 200 with something that is no JSON."""
    case.answer.put_body(bytes(case.option("text", "}{ not JSON \x00\x7f \x1b[31m"), "utf-8"))


def html_503(case):
    """A load balancer's page."""
    case.answer.put_body(
        b"<!DOCTYPE html><html><body><h1>Service Unavailable</h1></body></html>\n")
    case.answer.status = 503
    case.answer.set_header("Content-Type", "text/html; charset=utf-8")


def empty_200(case):
    """Status 200 and no body."""
    case.answer.put_body(b"")
    case.answer.status = 200


def query_string(case):
    """The answer of old versions: access_token=…&expires=…"""
    data = case.described()
    text = f"access_token={data.get('access_token', '')}&expires={data.get('expires_in', '')}"
    case.answer.put_body(text.encode())
    case.answer.set_header("Content-Type", "text/plain; charset=UTF-8")


def duplicate_keys(case):
    """Every key of the inner object stands twice, first with another value."""
    equal, inner = case.option("equal", False), case.described()
    if case.answer.redirect:
        case.answer.redirect.doubled = {key: value if equal else "0"
                                        for key, value in inner.items()}
    else:
        case.answer.body = _doubled(case.answer.data, inner, equal).encode()


def _doubled(value, inner, equal):
    """JSON in which the object `inner` has each of its keys twice."""
    if isinstance(value, list):
        return "[" + ",".join(_doubled(item, inner, equal) for item in value) + "]"
    if not isinstance(value, dict):
        return json.dumps(value)
    members = []
    for key, item in value.items():
        member = f"{json.dumps(key)}:{_doubled(item, inner, equal)}"
        first = member if equal else json.dumps(key) + ':"0"'
        members += [first, member] if value is inner else [member]
    return "{" + ",".join(members) + "}"


def deep(case):
    """Arrays inside arrays."""
    depth = int(case.option("depth", 100000))
    case.answer.put_body(b"[" * depth + b"]" * depth)


def trailing(case):
    """A second JSON value behind the first, inside the body."""
    case.answer.body = case.answer.payload() + bytes(case.option("text", "{}"), "utf-8")


def huge(case):
    """A body that is far too long: JSON that never gets to the point."""
    size = int(case.option("bytes", 4 * 1024 * 1024))
    filler = b'{"filler":"' + b"a" * size + b'",'
    case.answer.body = filler + case.answer.payload()[1:]


# Head and framing.

def huge_header(case):
    """One header field, or with `count` many small ones."""
    count = int(case.option("count", 1))
    size = int(case.option("bytes", 64 * 1024 if count == 1 else 16))
    case.answer.headers += [(f"x-filler-{n}", "a" * size) for n in range(count)]


def headers(case):
    """Set named header fields: {"set": {...}}."""
    for name, value in case.option("set", {}).items():
        case.answer.set_header(name, value)


def redirect(case):
    """302 to another origin."""
    case.answer.redirect = None
    case.answer.status = int(case.option("status", 302))
    case.answer.set_header("Location", case.option("location", "https://localhost:1/elsewhere"))
    case.answer.body = b""


def close(case):
    """Connection: close after this answer."""
    case.answer.close = True


def until_close(case):
    """No length at all: the end of the connection ends the body (`how`: notify, fin, reset)."""
    case.answer.framing, case.answer.close = "close", True
    case.answer.farewell = case.option("how", "notify")


def chunked(case):
    """Chunked coding in small chunks, with an extension and a trailer."""
    case.answer.chunk(int(case.option("size", 7)))


def chunked_bad(case):
    """Chunked coding broken in one of several ways."""
    chunked(case)
    old, new = {"size": (rb"^[0-9a-f]+;", b"zz;"), "negative": (rb"^", b"-"),
                "overflow": (rb"^[0-9a-f]+;", b"f" * 17 + b";"),
                "no_crlf": (rb"\r\n0\r\n", b"XX0\r\n"),
                "bare_lf": (rb"^([^\r]+)\r\n", rb"\1\n")}[case.option("how", "size")]
    case.answer.body = re.sub(old, new, case.answer.body, count=1)


def both_lengths(case):
    """Chunked coding and a Content-Length."""
    chunked(case)
    case.answer.framing = "length"


def two_content_lengths(case):
    """Two Content-Length fields that differ by `more`, which may be 0."""
    length = len(case.answer.payload()) + int(case.option("more", 1))
    case.answer.headers.append(("Content-Length", str(length)))


def content_encoding(case):
    """A content coding that nobody asked for."""
    case.answer.set_header("Content-Encoding", case.option("coding", "gzip"))


def early_hints(case):
    """Interim answers before the real one."""
    head, body = case.answer.wire()
    case.answer.raw = INTERIM * int(case.option("count", 1)) + head + body


def extra_bytes(case):
    """Bytes behind the end of the body."""
    head, body = case.answer.wire()
    case.answer.raw = head + body + bytes(case.option("text", "HTTP/1.1 200 OK\r\n\r\n"), "utf-8")


def stray(case):
    """What nobody asked for, behind the answer: `texts`, and answers with `bodies`, each a TLS record of its own."""
    texts = [text.encode() for text in case.option("texts", [])]
    texts += [b"".join(Answer(data=data).wire()) for data in case.option("bodies", [])]
    case.answer.delivery = Followed(texts, case.option("held", False), case.release)


def hang_up(case):
    """The connection ends with an answer that does not say so, or (`held`) later (`how`: notify, fin, reset)."""
    case.answer.hangs_up = True
    case.answer.delivery = Followed([], True, case.release) if case.option("held", False) else Last()
    case.answer.farewell = case.option("how", "notify")


def bad_head(case):
    """A head that breaks the grammar in one of several ways."""
    head, body = case.answer.wire()
    old, new = {"fold": (b"\r\nPragma: ", b"\r\nPragma:\r\n "),
                "bare_lf": (b"\r\nPragma", b"\nPragma"),
                "bare_cr": (b"\r\nPragma", b"\rPragma"),
                "nul": (b"no-cache\r\n", b"no\0cache\r\n"),
                "space": (b"Pragma:", b"Pragma :"),
                "version": (b"HTTP/1.1 ", b"HTTP/2.0 "),
                "status": (b"HTTP/1.1 ", b"HTTP/1.1 0"),
                "no_colon": (b"Pragma:", b"Pragma")}[case.option("how", "fold")]
    case.answer.raw = head.replace(old, new, 1) + body


def raw(case):
    """Exactly these bytes, given in hexadecimal, then the end of the connection."""
    case.answer.raw, case.answer.close = bytes.fromhex(case.option("hex", "")), True


# Time.

def slow(case):
    """One byte at a time."""
    case.answer.delivery = Trickle(float(case.option("interval", 0.05)), case.release)


def silent(case):
    """No answer until released, for some seconds, or until the client goes."""
    case.answer.delivery = Silent(case, INTERIM * int(case.option("interim", 0)),
                                  head=case.option("head", None), body=case.option("after", None))


def cut(case):
    """The connection ends in the middle: {"part": "head"|"body", "after": N, "how": "fin"}."""
    case.answer.delivery = Cut(case.option("part", "body"), int(case.option("after", 0)))
    case.answer.farewell, case.answer.close = case.option("how", "fin"), True
