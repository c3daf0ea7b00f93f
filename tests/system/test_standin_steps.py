"""Every step of the stand-in: recorded by its name, and misbehaving in every way."""

import json

import pytest

from graphsteps import World

import meta_usage  # the stand-in's own modules, on the path since `standin` was imported
import misbehave

# The error table of Meta's documents: code and subcode.
ERRORS = [
    (1, 0), (1, 99), (2, 0), (2, 1504044), (3, 0), (4, 0), (4, 1504022), (4, 1504039), (9, 0),
    (10, 0), (17, 0), (17, 2446079), (17, 1349172), (31, 1349174), (32, 0), (100, 0), (100, 33),
    (100, 36009), (101, 0), (102, 0), (104, 0), (190, 0), (190, 458), (190, 459), (190, 460),
    (190, 463), (190, 464), (190, 467), (190, 483), (190, 492), (190, 493), (191, 0), (200, 0),
    (200, 1870034), (294, 0), (341, 0), (368, 1390008), (368, 4854002), (368, 1404082), (412, 0),
    (450, 0), (452, 0), (463, 1349152), (506, 0), (613, 0), (613, 1996), (613, 1487742),
    (613, 5044001), (960, 0), (1609005, 0), (2500, 0), (2635, 0), (2642, 0), (80000, 2446079),
    (80001, 0), (80002, 0), (80003, 2446079), (80004, 2446079), (80005, 0), (80006, 0),
    (80008, 0), (80009, 0), (80014, 0), (-1, 0)]

OPTIONS = {"http_error": {"code": 368, "subcode": 1390008}, "fields": {"set": {"x_mark": "here"}},
           "huge": {"bytes": 100000}, "headers": {"set": {"x-mark": "here"}}, "deep": {"depth": 99},
           "raw": {"hex": b"HELLO".hex()}, "slow": {"interval": 0}, "silent": {"seconds": 0},
           "cut": {"part": "head", "after": 20, "how": "notify"}}
# What the bytes of the answer then have in them.
SIGNS = {"fields": b"x_mark", "http_error": b'"error_subcode":1390008',
         "error_in_200": b"HTTP/1.1 200 ", "quota": b"X-App-Usage: ", "echo": b"x-echo: ",
         "garbage": b"}{ not JSON", "html_503": b"HTTP/1.1 503 ", "deep": b"[[[[",
         "query_string": b"\r\n\r\naccess_token=", "trailing": b"{}", "huge": b"a" * 100000,
         "huge_header": b"a" * 65536, "headers": b"x-mark: here", "close": b"Connection: close",
         "redirect": b"Location: https://localhost:1/", "chunked": b";note=1\r\n",
         "chunked_bad": b"zz;note=1", "both_lengths": b"Transfer-Encoding: chunked",
         "content_encoding": b"Content-Encoding: gzip", "early_hints": b"HTTP/1.1 103 ",
         "extra_bytes": b"HTTP/1.1 200 OK\r\n\r\n", "bad_head": b"Pragma:\r\n ", "raw": b"HELLO"}
ENDINGS = {"empty_200": b"\r\n\r\n"}


@pytest.fixture
def world(graph):
    """Everything that the steps need."""
    made = World(graph)
    yield made
    made.caller.close()


def send(world, sent, **headers):
    """One request of a step and its answer."""
    return world.caller.call(sent.method, sent.path, sent.form, sent.query,
                             **sent.headers, **headers)


def received(world, sent):
    """All bytes of the answer up to the end of the connection."""
    caller = world.caller
    caller.close()
    stream = caller.send(sent.method, sent.path, sent.form, sent.query, **sent.headers,
                         Connection="close").sock
    found = b""
    while data := stream.recv(65536):
        found += data
    caller.close()
    return found


@pytest.mark.parametrize("step", misbehave.HTTP_STEPS)
def test_every_step_works_and_is_recorded(graph, world, step):
    """By its name; the record tells where its secrets were."""
    sent = world.request(step)
    answer = send(world, sent)
    assert answer.status == {"dialog": 302, "other": 400}.get(step, 200), answer.body
    line = graph.requests()[-1]
    assert line["step"] == step
    secret = {"client_code": ["client_secret", "access_token"],
              "revoke": ["client_secret", "revoke_token", "access_token"],
              "refresh": ["access_token"]}
    assert line["query_secret_names"] == secret.get(step, [])


@pytest.mark.parametrize("step", misbehave.HTTP_STEPS)
def test_every_misbehaviour_at_every_step(graph, world, step):
    """The answer has the sign of what was ordered."""
    for kind in misbehave.KINDS:
        if step not in misbehave.SOME_STEPS.get(kind, misbehave.HTTP_STEPS):
            continue
        sent = world.request(step)
        before = len(graph.issued("token"))
        graph.misbehave(step, kind, **OPTIONS.get(kind, {}))
        found = received(world, sent)
        graph.tell("clear_misbehaviours")
        assert SIGNS.get(kind, b"") in found, (kind, found[:2000])
        assert found.endswith(ENDINGS.get(kind, b"")), kind
        check_facts(world, step, kind, found, graph.issued("token")[before:])


def check_facts(world, step, kind, found, issued):
    """What is wrong in what was said, or in what will be said of the tokens."""
    head, _, body = found.partition(b"\r\n\r\n")
    first = world.graph.token(issued[0]) if issued else {}
    said = head + body
    if kind == "wrong_app":
        ours = (world.caller.app_id, world.instagram["app_id"], world.threads["app_id"])
        assert first["app_id"] not in ours if first else b"app_id" in said
    elif kind == "wrong_user":
        assert first["user_id"] == "10150000000000001" if first else b"10150000000000001" in said
    elif kind == "never_expires":
        assert first["expires_at"] == 0 if first else b"expires_at" in said
    elif kind == "numbers_as_strings" and step != "dialog":
        assert not any(type(one) is int for one in leaves(json.loads(body)))
    elif kind == "no_expires_in":
        assert b"expires_in" not in body
    elif kind == "unchanged_expiry":
        assert b"expires_in" in body
    elif kind == "data_array":
        assert isinstance(json.loads(body)["data"], list)
    elif kind == "duplicate_keys" and step != "dialog":
        assert b':"0","' in body
    elif kind == "duplicate_keys":
        assert b"code=0&state=0&code=AQ" in head
    elif kind == "cut":
        assert len(found) == 20


def leaves(value):
    """Every value in a JSON document that is neither object nor array."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def test_every_error_of_the_table(graph, world):
    """Code and subcode as ordered, whatever the step; is_transient and error_data too."""
    for number, (code, subcode) in enumerate(ERRORS):
        step = misbehave.HTTP_STEPS[number % len(misbehave.HTTP_STEPS)]
        sent = world.request(step)
        graph.misbehave(step, "http_error", code=code, subcode=subcode, transient=True,
                        set={"error_data": '{"blame":"x"}', "error_user_title": "Sorry"})
        answer = send(world, sent)
        graph.tell("clear_misbehaviours")
        assert (answer.status, answer.error) == (400, (code, subcode))
        assert answer.data["error"]["is_transient"] is True
        assert answer.data["error"]["error_data"] == '{"blame":"x"}'


@pytest.mark.parametrize("shape, expected", [
    ("instagram", {"error_type": "OAuthException", "code": 400, "error_message": "no"}),
    ("rest", {"error_code": 7, "error_msg": "no", "error_reason": "OAuthException"}),
    ("oauth", {"error": "invalid_grant", "error_description": "no"}),
    ("false", {"success": False}),
])
def test_error_shapes(graph, world, shape, expected):
    """The shapes that a client has to take beside Graph's own."""
    graph.misbehave("code", "http_error", code=7, message="no", shape=shape)
    assert send(world, world.request("code")).data == expected


@pytest.mark.parametrize("limit", meta_usage.QUOTAS)
def test_quotas(graph, world, limit):
    """The code of a limit and its header; no Retry-After."""
    graph.misbehave("pages", "quota", limit=limit, minutes=7)
    answer = send(world, world.request("pages"))
    code, subcode, kind = meta_usage.QUOTAS[limit]
    assert answer.error == (code, subcode) and "Retry-After" not in answer.headers
    header = answer.headers[meta_usage.NAMES[kind]]
    assert "100" in header and (kind not in ("business", "ad_account") or "7" in header
                                or "420" in header)


def test_usage_headers(graph, world):
    """Meta's own samples, one with the same key twice; for all steps or one; until taken back."""
    graph.usage(app=True, business=True, ad_account=True, page=True, insights=True)
    answer = send(world, world.request("me"))
    assert json.loads(answer.headers["X-App-Usage"]) == {
        "call_count": 28, "total_time": 25, "total_cputime": 25}
    assert json.loads(answer.headers["X-Ad-Account-Usage"])["acc_id_util_pct"] == 9.67
    pairs = json.loads(answer.headers["X-Business-Use-Case-Usage"],
                       object_pairs_hook=lambda found: found)
    keys = [key for key, _ in pairs]
    assert len(keys) == 3 and len(set(keys)) == 2
    graph.usage()
    graph.usage(step="call", app={"call_count": 99, "total_time": 1, "total_cputime": 1})
    assert "X-App-Usage" not in send(world, world.request("me")).headers
    assert '"call_count": 99' in send(world, world.request("call")).headers["X-App-Usage"]


def test_the_version_that_served(graph, world):
    """Another one than was asked for."""
    graph.rules(served_version="v24.0")
    assert send(world, world.request("me")).headers["facebook-api-version"] == "v24.0"


def test_a_step_misbehaves_alone(graph, world):
    """Steps that share a path are told apart."""
    graph.misbehave("code", "empty_200")
    assert send(world, world.request("app_token")).body
    assert send(world, world.request("redeem")).body
    assert not send(world, world.request("code")).body
