"""The stand-in can be told to misbehave: every kind once, as seen by a client."""

import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import time

import pytest

from graphcalls import VERSION, Caller
from standin import STANDIN, Refused

import control  # the stand-in's own modules, on the path since `standin` was imported
import meta_rules
import misbehave

CUT = (http.client.IncompleteRead, http.client.RemoteDisconnected, OSError)


@pytest.fixture
def caller(graph):
    """An app with a user token, and a client."""
    made = Caller(graph)
    yield made
    made.close()


def received(caller, step="debug_token"):
    """All bytes of the answer up to the end of the connection, unparsed."""
    fields = {"debug_token": caller.inspect_fields, "exchange": caller.exchange_fields}[step]()
    path = {"debug_token": "/debug_token", "exchange": "/oauth/access_token"}[step]
    stream = caller.send("POST", VERSION + path, fields, Connection="close").sock
    found = b""
    while data := stream.recv(65536):
        found += data
    return found


def test_nothing_is_wrong_unless_ordered(graph, caller):
    """By number, from the order on; for one step; until taken back."""
    caller.inspect()
    graph.misbehave("debug_token", "empty_200", which=2)
    graph.misbehave("exchange", "empty_200", which=[1, 3])
    assert [bool(caller.inspect().body) for _ in range(3)] == [True, False, True]
    assert [bool(caller.exchange().body) for _ in range(4)] == [False, True, False, True]
    graph.misbehave("debug_token", "empty_200")
    assert [bool(caller.inspect().body) for _ in range(2)] == [False, False]
    graph.tell("clear_misbehaviours")
    assert caller.inspect().body


def test_several_work_together_in_order(graph, caller):
    """Facts, then framing."""
    graph.misbehave("exchange", "numbers_as_strings")
    graph.misbehave("exchange", "chunked")
    answer = caller.exchange()
    assert answer.data["expires_in"] == "5183944"
    assert answer.headers["Transfer-Encoding"] == "chunked"


def test_wrong_app(graph, caller):
    """At debug_token another id; at exchange a token that debug_token then calls foreign."""
    graph.misbehave("debug_token", "wrong_app", which=1)
    assert caller.inspect().data["data"]["app_id"] != caller.app_id
    graph.misbehave("exchange", "wrong_app")
    issued = caller.exchange().data["access_token"]
    assert caller.inspect(input_token=issued).error == (100, 0)


def test_wrong_user(graph, caller):
    """At debug_token, and at exchange for the token it issues."""
    graph.misbehave("debug_token", "wrong_user", which=1, user_id="55")
    assert caller.inspect().data["data"]["user_id"] == "55"
    graph.misbehave("exchange", "wrong_user", user_id="66")
    issued = caller.exchange().data["access_token"]
    assert caller.inspect(input_token=issued).data["data"]["user_id"] == "66"


@pytest.mark.parametrize("same", [False, True])
def test_unchanged_expiry(graph, caller, same):
    """The exchange succeeds and extends nothing, with a new string or the old one."""
    graph.misbehave("exchange", "unchanged_expiry", same_token=same)
    answer = caller.exchange().data
    assert (answer["access_token"] == caller.token) is same
    assert answer["expires_in"] <= 3600
    after = caller.inspect(input_token=answer["access_token"]).data["data"]["expires_at"]
    assert after == caller.inspect().data["data"]["expires_at"]


def test_expiry_unknown_and_never(graph, caller):
    """Without expires_in; and with no end at all."""
    graph.misbehave("exchange", "no_expires_in", which=1)
    graph.misbehave("exchange", "never_expires", which=2)
    for never in (False, True):
        answer = caller.exchange().data
        assert "expires_in" not in answer
        facts = caller.inspect(input_token=answer["access_token"]).data["data"]
        assert (facts["expires_at"] == 0) is never
    graph.misbehave("debug_token", "never_expires")
    assert caller.inspect().data["data"]["expires_at"] == 0


def test_numbers_as_strings(graph, caller):
    """Numbers only: is_valid stays a boolean."""
    graph.misbehave("debug_token", "numbers_as_strings")
    data = caller.inspect().data["data"]
    assert isinstance(data["expires_at"], str) and data["is_valid"] is True


def test_fields_and_data_array(graph, caller):
    """Single facts changed; data as an array."""
    graph.misbehave("debug_token", "fields", which=1, set={"type": "DANCER"}, remove=["user_id"])
    data = caller.inspect().data["data"]
    assert data["type"] == "DANCER" and "user_id" not in data
    graph.misbehave("debug_token", "data_array")
    assert caller.inspect().data["data"][0]["is_valid"] is True


def test_errors_of_any_kind(graph, caller):
    """Status, code, subcode and is_transient as ordered; the same inside a 200."""
    order = {"code": 2, "subcode": 99, "transient": True, "message": "later"}
    graph.misbehave("exchange", "http_error", which=1, status=500, **order)
    graph.misbehave("exchange", "error_in_200", which=2, **order)
    for status in (500, 200):
        answer = caller.exchange()
        assert (answer.status, answer.error) == (status, (2, 99))
        assert answer.data["error"]["is_transient"] is True


def test_echo(graph, caller):
    """Every secret comes back in the message and in a header."""
    graph.misbehave("exchange", "echo")
    answer = caller.exchange()
    for secret in (caller.secret, caller.token):
        assert secret in answer.data["error"]["message"]
        assert secret in answer.headers["x-echo"]


def test_bodies_that_are_no_json(graph, caller):
    """Garbage, a page, nothing, the form of old versions, two values, too deep."""
    kinds = ["garbage", "html_503", "empty_200", "query_string", "trailing", "deep"]
    for number, kind in enumerate(kinds, 1):
        graph.misbehave("exchange", kind, which=number)
    found = [caller.exchange() for _ in kinds]
    assert [one.status for one in found] == [200, 503, 200, 200, 200, 200]
    for answer in found:
        with pytest.raises((ValueError, RecursionError)):
            print(answer.data)
    assert found[1].headers["Content-Type"].startswith("text/html")
    assert found[2].body == b""
    assert found[3].body.startswith(b"access_token=EAA") and b"&expires=5183944" in found[3].body
    assert found[5].body.startswith(b"[[[[")


@pytest.mark.parametrize("step, name", [("exchange", "access_token"), ("debug_token", "user_id")])
def test_duplicate_keys(graph, caller, step, name):
    """Twice the same key, with two values."""
    graph.misbehave(step, "duplicate_keys")
    pairs = []
    json.loads(caller.step(step).body, object_pairs_hook=pairs.extend)
    values = [value for key, value in pairs if key == name]
    assert len(values) == 2 and values[0] == "0" and values[1] != "0"


def test_huge(graph, caller):
    """A body beyond every limit, a header field likewise, and very many of them."""
    graph.misbehave("debug_token", "huge", which=1)
    assert len(caller.inspect().body) > 4 * 1024 * 1024
    graph.misbehave("debug_token", "huge_header", which=1)
    assert len(received(caller).split(b"\r\n\r\n")[0]) > 64 * 1024
    caller.close()
    graph.misbehave("debug_token", "huge_header", which=1, count=500)
    assert received(caller).split(b"\r\n\r\n")[0].count(b"\r\n") > 500


def test_redirect(graph, caller):
    """To another origin."""
    graph.misbehave("debug_token", "redirect", location="https://evil.invalid/x")
    answer = caller.inspect()
    assert (answer.status, answer.headers["Location"]) == (302, "https://evil.invalid/x")


def test_headers(graph, caller):
    """Any field."""
    graph.misbehave("debug_token", "headers", set={"facebook-api-version": "v1.0"})
    assert caller.inspect().headers["facebook-api-version"] == "v1.0"


def test_close(graph, caller):
    """Announced, done, and the next request comes on a new connection."""
    graph.misbehave("debug_token", "close")
    assert caller.inspect().headers["Connection"] == "close"
    graph.wait("closed")
    caller.inspect()
    assert [one["connection"] for one in graph.requests()] == [1, 2]


def test_until_close(graph, caller):
    """A body without a length ends with the connection: properly, or cut by an attacker."""
    graph.misbehave("debug_token", "until_close", which=1)
    graph.misbehave("debug_token", "until_close", which=2, how="fin")
    answer = caller.inspect()
    assert "Content-Length" not in answer.headers and answer.data["data"]["is_valid"]
    caller.close()
    with pytest.raises(ssl.SSLError):
        received(caller)


def test_chunked(graph, caller):
    """Small chunks with extensions and a trailer."""
    graph.misbehave("debug_token", "chunked", size=3)
    assert caller.inspect().data["data"]["is_valid"]


@pytest.mark.parametrize("how, sign", [
    ("size", b"\r\n\r\nzz;"), ("negative", b"\r\n\r\n-7;"), ("overflow", b"f" * 17 + b";"),
    ("no_crlf", b"XX0\r\n"), ("bare_lf", b"7;note=1\n{")])
def test_chunked_bad(graph, caller, how, sign):
    """Each way to break it."""
    graph.misbehave("debug_token", "chunked_bad", how=how)
    assert sign in received(caller)


@pytest.mark.parametrize("kind, options, signs", [
    ("both_lengths", {}, [b"Transfer-Encoding: chunked\r\n", b"Content-Length: "]),
    ("content_encoding", {}, [b"Content-Encoding: gzip\r\n"]),
    ("early_hints", {"count": 3}, [b"HTTP/1.1 103 ", b"HTTP/1.1 200 OK\r\n"]),
    ("extra_bytes", {}, [b"}HTTP/1.1 200 OK\r\n\r\n"]),
    ("raw", {"hex": b"HELLO".hex()}, [b"HELLO"]),
    ("bad_head", {"how": "fold"}, [b"\r\nPragma:\r\n no-cache\r\n"]),
    ("bad_head", {"how": "bare_lf"}, [b"\nPragma"]),
    ("bad_head", {"how": "bare_cr"}, [b"\rPragma"]),
    ("bad_head", {"how": "nul"}, [b"no\0cache"]),
    ("bad_head", {"how": "space"}, [b"Pragma : no-cache"]),
    ("bad_head", {"how": "version"}, [b"HTTP/2.0 200"]),
    ("bad_head", {"how": "status"}, [b"HTTP/1.1 0200"]),
    ("bad_head", {"how": "no_colon"}, [b"Pragma no-cache"]),
])
def test_framing_and_grammar(graph, caller, kind, options, signs):
    """The bytes on the wire are the wrong ones that were ordered."""
    graph.misbehave("debug_token", kind, **options)
    found = received(caller)
    assert all(sign in found for sign in signs)


@pytest.mark.parametrize("more", [0, 1])
def test_two_content_lengths(graph, caller, more):
    """Equal or different."""
    graph.misbehave("debug_token", "two_content_lengths", more=more)
    lengths = [int(line.split(b":")[1]) for line in received(caller).split(b"\r\n")
               if line.startswith(b"Content-Length")]
    assert len(lengths) == 2 and lengths[0] - lengths[1] == more


def test_slow(graph, caller):
    """Byte by byte, each a read of its own; a release sends the rest at once."""
    graph.misbehave("debug_token", "slow", interval=0.001)
    assert caller.inspect().data["data"]["is_valid"]
    graph.tell("clear_misbehaviours")
    graph.misbehave("debug_token", "slow", interval=1000)
    connection = caller.send("POST", VERSION + "/debug_token", caller.inspect_fields())
    assert connection.sock.recv(1000) == b"H"
    graph.tell("release")
    assert connection.sock.recv(1000).startswith(b"TTP/1.1 200")


def test_silent(graph, caller):
    """Until released, or for some time."""
    graph.misbehave("exchange", "silent", which=1)
    graph.misbehave("exchange", "silent", which=2, seconds=0.2)
    connection = caller.send("POST", VERSION + "/oauth/access_token", caller.exchange_fields())
    graph.wait("request:exchange")
    connection.sock.settimeout(0.05)
    with pytest.raises(TimeoutError):
        connection.sock.recv(1)
    connection.sock.settimeout(30)
    graph.tell("release")
    assert connection.sock.recv(8) == b"HTTP/1.1"
    caller.close()
    before = time.monotonic()
    assert caller.exchange().status == 200
    assert time.monotonic() - before >= 0.2


@pytest.mark.parametrize("options, begin", [
    ({"interim": 2}, b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" * 2),
    ({"head": 8}, b"HTTP/1.1"), ({"after": 1}, None)])
def test_silent_after_the_beginning(graph, caller, options, begin):
    """Interim answers, a part of the head, or of the body; the rest when released."""
    graph.misbehave("exchange", "silent", **options)
    stream = caller.send("POST", VERSION + "/oauth/access_token", caller.exchange_fields(),
                         Connection="close").sock
    found = b""
    while len(found) < len(begin) if begin else not found.endswith(b"\r\n\r\n{"):
        found += stream.recv(1)
    assert begin in (None, found)
    stream.settimeout(0.05)
    with pytest.raises(TimeoutError):
        stream.recv(1)
    stream.settimeout(30)
    graph.tell("release")
    while data := stream.recv(65536):
        found += data
    assert found.endswith(b"}") and found.count(b"HTTP/1.1") == 1 + options.get("interim", 0)


@pytest.mark.parametrize("held", [False, True])
def test_stray(graph, caller, held):
    """Behind the answer, each in a record of its own; at once, or later; the connection goes on."""
    graph.misbehave("debug_token", "stray", 1, texts=["\r\n"], bodies=[{"a": 1}], held=held)
    assert caller.inspect().status == 200
    if held:
        caller.connection.sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            caller.connection.sock.recv(1)
        caller.connection.sock.settimeout(30)
        graph.tell("release")
    found = [caller.connection.sock.recv(65536) for _ in range(2)]
    assert found[0] == b"\r\n" and found[1].startswith(b"HTTP/1.1 200 OK\r\n")
    assert found[1].endswith(b'\r\n\r\n{"a":1}')


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("how, error", [("notify", None), ("fin", ssl.SSLError)])
def test_hang_up(graph, caller, how, error, held):
    """The answer says that the connection stays, and it does not."""
    graph.misbehave("debug_token", "hang_up", 1, how=how, held=held)
    assert caller.inspect().headers["Connection"] == "keep-alive"
    graph.tell("release")
    with pytest.raises(error) if error else contextlib.nullcontext():
        assert caller.connection.sock.recv(1) == b""


@pytest.mark.parametrize("kind, options", [("silent", {}), ("slow", {"interval": 1000})])
def test_held_back_answers_end_with_the_client(graph, caller, kind, options):
    """The stand-in notices at once that nobody waits any more."""
    graph.misbehave("exchange", kind, **options)
    caller.send("POST", VERSION + "/oauth/access_token", caller.exchange_fields())
    graph.wait("request:exchange")
    caller.close()
    graph.wait("closed")


@pytest.mark.parametrize("part, after", [("head", 0), ("head", 30), ("body", 0), ("body", 25)])
def test_cut(graph, caller, part, after):
    """In the head or in the body, after so many bytes."""
    graph.misbehave("exchange", "cut", part=part, after=after, how="notify")
    head, end_of_head, body = received(caller, "exchange").partition(b"\r\n\r\n")
    assert len(body if end_of_head else head) == after
    assert bool(end_of_head) is (part == "body")


@pytest.mark.parametrize("how, error", [("fin", None), ("reset", ConnectionResetError)])
def test_cut_without_goodbye(graph, caller, how, error):
    """TLS sees an end that nobody announced; TCP sees an end or a reset."""
    graph.misbehave("exchange", "cut", part="body", after=10, how=how)
    with pytest.raises(ssl.SSLError):
        received(caller, "exchange")
    caller.close()
    connection = caller.send("POST", VERSION + "/oauth/access_token", caller.exchange_fields())
    graph.wait("closed", 2)
    with socket.socket(fileno=os.dup(connection.sock.fileno())) as tcp:
        with pytest.raises(error) if error else contextlib.nullcontext():
            while tcp.recv(65536):
                pass


@pytest.mark.parametrize("kind, error", [
    ("untrusted", ssl.SSLCertVerificationError),
    ("other_name", ssl.SSLCertVerificationError),
    ("old_tls", ssl.SSLError), ("garbage", ssl.SSLError), ("cut", OSError), ("reset", OSError),
])
def test_connections_that_fail(graph, caller, kind, error):
    """Before any request; the next connection is good again."""
    graph.misbehave("connect", kind, which=1)
    with pytest.raises(error):
        caller.connect()
    caller.close()
    graph.wait("closed")
    assert caller.inspect().status == 200


def test_the_bad_certificates_are_bad_in_one_way_only(graph, caller):
    """Trusted by its own authority; and from our authority, for another name."""
    graph.misbehave("connect", "untrusted", which=1)
    graph.misbehave("connect", "other_name", which=2)
    for kind, name in (("untrusted", "localhost"), ("other_name", "graph.invalid")):
        context = ssl.create_default_context(
            cafile=graph.tell("certificate", kind=kind)["ca"])
        with socket.create_connection(("127.0.0.1", graph.port), 30) as tcp:
            context.wrap_socket(tcp, server_hostname=name).close()
    assert caller.inspect().status == 200


def test_connect_silent_and_close(graph, caller):
    """No handshake until released; a handshake and then the end."""
    graph.misbehave("connect", "silent", which=1, seconds=0.1)
    assert caller.inspect().status == 200
    caller.close()
    graph.misbehave("connect", "close", which=1)
    with pytest.raises(CUT):
        caller.inspect()
    graph.wait("handshake", 2)


@pytest.mark.parametrize("how, error", [("notify", None), ("fin", ssl.SSLError)])
def test_connect_close(graph, caller, how, error):
    """In each way to say goodbye."""
    graph.misbehave("connect", "close", which=1, how=how)
    with pytest.raises(error) if error else contextlib.nullcontext():
        assert caller.connect().sock.recv(1) == b""


def test_connect_early(graph, caller):
    """A time-out before any request, or an answer, which the next request is then given."""
    graph.misbehave("connect", "early", which=1)
    stream = caller.connect().sock
    graph.wait("early")
    assert stream.recv(65536).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert stream.recv(1) == b""
    caller.close()
    graph.misbehave("connect", "early", which=1, body={"a": 1})
    caller.connect()
    graph.wait("early", 2)
    assert caller.inspect().data == {"a": 1}


def test_connect_early_held(graph, caller):
    """Only who does not ask in time gets it."""
    graph.misbehave("connect", "early", held=True)
    assert caller.inspect().status == 200
    caller.close()
    stream = caller.connect().sock
    graph.wait("handshake", 2)
    graph.tell("release")
    assert stream.recv(65536).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_orders_that_make_no_sense(graph):
    """Refused at once, so that a test cannot pass because nothing happened."""
    for step, kind in (("connect", "echo"), ("exchange", "data_array"), ("other", "no_expires_in")):
        with pytest.raises(Refused):
            graph.misbehave(step, kind)
    for kind, options in (("http_error", {"shape": "round"}), ("quota", {"limit": "sky"})):
        with pytest.raises(Refused):
            graph.misbehave("call", kind, **options)


def test_every_kind_and_command_is_documented():
    """The tables of the README name exactly what there is, with the right steps."""
    text = (STANDIN / "README.md").read_text(encoding="utf-8")
    commands, kinds = text.split("## Control")[1].split("## Misbehaviours")
    commands, rules = commands.split("### Rules")
    letters = {letter: set(re.findall(r"`(\w+)`", steps))
               for letter, steps in re.findall(r"^\| ([AIXLC]) \| (.+) \|$", kinds, re.M)}
    letters["A"] |= letters["I"] | letters["L"]
    documented = {(kind, step)
                  for kind, steps in re.findall(r"^\| `(\w+)` \| ([AIXLC ]+) \|", kinds, re.M)
                  for letter in steps.split() for step in letters[letter]}
    assert documented == set(possible_orders())
    assert set(re.findall(r"^\| `(\w+)` \|", commands, re.M)) == set(control.Control.COMMANDS)
    first_columns = "".join(re.findall(r"^\| (`.+?) \|", rules, re.M))
    assert set(re.findall(r"`(\w+)`", first_columns)) == set(meta_rules.RULES)


def possible_orders():
    """Every pair of kind and step that is accepted."""
    for kind in {*misbehave.KINDS, *misbehave.CONNECT_KINDS}:
        for step in (*misbehave.HTTP_STEPS, "connect"):
            try:
                misbehave.check(step, kind)
            except ValueError:
                continue
            yield kind, step
