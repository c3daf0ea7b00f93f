"""The stand-in behaves as Meta's documents say for the calls used so far."""

import json
import os
import re
import signal
import stat
import time

import pytest

import graphcalls
from graphcalls import VERSION, Caller, proof
from standin import Refused

import answers  # the stand-in's own module, on the path since `standin` was imported

VECTORS = [
    ("foo_token", "foo_secret", None,
     "df4256903ba4e23636cc142117aa632133d75c642bd2a68955be1443bd14deb9"),
    ("123|foo_secret", "foo_secret", None,
     "de753c58fd58b03afca2340bbaeb4ecf987b5de4c09e39a63c944dd25efbc234"),
    ("long_token", "foo_secret", None,
     "7e91300ea91be4166282611d4fc700b473466f3ea2981dafbf492fc096995bf1"),
    ("foo_token", "shhhhh!is.my.secret", None,
     "796ba0d8a6b339e476a7b166a9e8ac0a395f7de736dc37de5f2f4397f5854eb8"),
    ("abc123", "xyz789", None,
     "4dad02ff1693df832f9c183fe400fc4f601360be06514acb4a73edb783eec345"),
    ("helloWorld", "PRIE7$oG2uS-Yf17kEnUEpi5hvW/#AFo", None,
     "cb064987988fcd658470d6a24f1c68f6d7982c80ab9efb08cb8c84ef88fd03e1"),
    ("foo_token", "foo_secret", 1700000000,
     "3a7876b8be7ac378e1d8f0c9aa6f39831d7601f7a96a6d11b72aebf8acffcb23"),
]


@pytest.fixture
def caller(graph):
    """An app with a user token, and a client."""
    made = Caller(graph)
    yield made
    made.close()


@pytest.mark.parametrize("token, secret, moment, expected", VECTORS)
def test_published_proofs(token, secret, moment, expected):
    """Both computations, the stand-in's and the tests', give the published values."""
    assert answers.appsecret_proof(secret, token, moment) == expected
    assert proof(secret, token, moment) == expected


def test_tokens_and_secrets_look_like_metas(caller):
    """EAA and letters and digits; 32 hexadecimal digits; ids beyond 2^53 as they are."""
    assert re.fullmatch("EAA[A-Za-z0-9]{100,}", caller.token)
    assert re.fullmatch("[0-9a-f]{32}", caller.secret)
    assert caller.inspect().data["data"]["user_id"] == "10153848260347724"


def test_exchange_issues_a_long_lived_token(caller):
    """A new string, about sixty days, confirmed by debug_token; the old one stays valid."""
    answer = caller.exchange()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    issued = answer.data
    assert issued["token_type"] == "bearer" and issued["expires_in"] == 5183944
    assert issued["access_token"] != caller.token
    facts = caller.inspect(input_token=issued["access_token"]).data["data"]
    assert abs(facts["expires_at"] - time.time() - 5183944) < 60
    assert facts["issued_at"] <= time.time() and facts["is_valid"] is True
    before = caller.inspect().data["data"]
    assert before["is_valid"] is True and "issued_at" not in before
    assert before["user_id"] == facts["user_id"] and before["app_id"] == facts["app_id"]
    assert before["data_access_expires_at"] == facts["data_access_expires_at"]


def test_exchange_by_get_as_documented(caller):
    """Meta's documents show GET with a query."""
    answer = caller.call("GET", VERSION + "/oauth/access_token", query=caller.exchange_fields())
    assert answer.status == 200 and answer.data["access_token"].startswith("EAA")


@pytest.mark.parametrize("changes, error", [
    ({"client_secret": "0" * 32}, (1, 0)),
    ({"client_secret": None}, (1, 0)),
    ({"client_id": "42"}, (101, 0)),
    ({"client_id": None}, (101, 0)),
    ({"fb_exchange_token": "EAAunknown"}, (190, 0)),
    ({"fb_exchange_token": None}, (100, 0)),
    ({"grant_type": "password"}, (100, 0)),
    ({"appsecret_proof": "0" * 64}, (100, 0)),
])
def test_exchange_refuses(caller, changes, error):
    """Each wrong or missing parameter has its code, and HTTP 400."""
    answer = caller.exchange(**changes)
    assert (answer.status, answer.error) == (400, error)


def test_exchange_error_texts(caller):
    """The texts that clients are known to compare."""
    wrong_secret = caller.exchange(client_secret="0" * 32).data["error"]
    assert wrong_secret["message"] == "Error validating client secret."
    assert wrong_secret["type"] == "OAuthException"


@pytest.mark.parametrize("facts, error", [
    ({"expires_in": -10}, (190, 463)),
    ({"revoked": 460}, (190, 460)),
    ({"type": "PAGE"}, (100, 0)),
])
def test_exchange_refuses_bad_tokens(caller, facts, error):
    """Expired, revoked, and kinds that have no exchange."""
    assert caller.exchange(fb_exchange_token=caller.add_token(**facts)).error == error


def test_exchange_refuses_a_token_of_another_app(graph, caller):
    """A token belongs to the app that got it."""
    other = Caller(graph)
    assert caller.exchange(fb_exchange_token=other.token).error == (190, 0)


def test_a_body_that_is_no_form_is_not_read(caller):
    """With another content type the parameters are not there."""
    answer = caller.call("POST", VERSION + "/oauth/access_token", caller.exchange_fields(),
                         Content_Type="text/plain")
    assert answer.error == (101, 0)


def test_repeated_parameters_are_refused(caller):
    """Stricter than Meta, who does not say which one counts."""
    answer = caller.call("POST", VERSION + "/oauth/access_token", caller.exchange_fields(),
                         query={"client_id": caller.app_id})
    assert answer.error == (100, 0)


def test_debug_token_facts(caller):
    """What is documented, with the documented types."""
    token = caller.add_token(type="PAGE", expires_at=0, data_access_expires_at=1800000000,
                             scopes=["pages_show_list"], profile_id="1353269864728879")
    answer = caller.inspect(input_token=token)
    assert answer.headers["Content-Type"] == "text/javascript; charset=UTF-8"
    assert answer.data["data"] == {
        "app_id": caller.app_id, "type": "PAGE", "application": "Stand-in app", "expires_at": 0,
        "data_access_expires_at": 1800000000, "is_valid": True, "user_id": "10153848260347724",
        "profile_id": "1353269864728879", "scopes": ["pages_show_list"],
        "granular_scopes": [{"scope": "pages_show_list"}]}


def test_debug_token_by_get_and_by_bearer(caller):
    """GET with a query as documented, the token in the query or in the header."""
    fields = caller.inspect_fields(method=None)
    path = VERSION + "/debug_token"
    assert caller.call("GET", path, query=fields).data["data"]["is_valid"]
    token = fields.pop("access_token")
    assert caller.call("GET", path, query=fields,
                       Authorization=f"Bearer {token}").data["data"]["is_valid"]
    assert caller.inspect(access_token=caller.token, appsecret_proof=None,
                          appsecret_time=None).data["data"]["is_valid"]


def test_debug_token_by_post_needs_method_get(caller):
    """A plain POST is another call."""
    assert caller.inspect(method=None).error == (100, 33)


@pytest.mark.parametrize("changes, error", [
    ({"access_token": None}, (104, 0)),
    ({"access_token": "42|abc"}, (101, 0)),
    ({"access_token": "EAAunknown"}, (190, 0)),
    ({"input_token": None}, (100, 0)),
    ({"appsecret_proof": "0" * 64}, (100, 0)),
    ({"appsecret_time": "yesterday"}, (100, 0)),
])
def test_debug_token_refuses(caller, changes, error):
    """Each wrong or missing parameter has its code, and HTTP 400."""
    answer = caller.inspect(**changes)
    assert (answer.status, answer.error) == (400, error)


def test_debug_token_with_a_wrong_app_secret(caller):
    """190 here means our own credentials, not the inspected token."""
    assert caller.inspect(access_token=f"{caller.app_id}|{'0' * 32}").error == (190, 0)


def test_debug_token_of_another_apps_token(graph, caller):
    """The text that Meta uses."""
    answer = caller.inspect(input_token=Caller(graph).token)
    assert answer.error == (100, 0)
    assert answer.data["error"]["message"] == (
        "(#100) The App_id in the input_token did not match the Viewing App")


@pytest.mark.parametrize("facts, subcode", [({"expires_in": -10}, 463), ({"revoked": 467}, 467)])
def test_debug_token_of_a_dead_token(caller, facts, subcode):
    """HTTP 200, is_valid false, and the error inside, where its key is `subcode`."""
    answer = caller.inspect(input_token=caller.add_token(**facts))
    data = answer.data["data"]
    assert answer.status == 200 and data["is_valid"] is False
    assert (data["error"]["code"], data["error"]["subcode"]) == (190, subcode)


def test_debug_token_of_an_unknown_token(caller):
    """HTTP 200 as well."""
    answer = caller.inspect(input_token="EAAunknown")
    assert answer.status == 200
    assert answer.data["data"]["error"]["code"] == 190


def test_revoke(graph, caller):
    """A revoked token stays known."""
    graph.tell("revoke", token=caller.token, subcode=460)
    assert caller.inspect().data["data"]["error"]["subcode"] == 460
    assert graph.tell("token_info", token=caller.token)["revoked"] == 460


@pytest.mark.parametrize("age, good", [(0, True), (299, True), (-290, True), (310, False),
                                       (-310, False)])
def test_timed_proof_lives_five_minutes(caller, age, good):
    """Older and later than that is as wrong as a wrong proof."""
    moment = int(time.time()) - age
    answer = caller.inspect(appsecret_time=moment,
                            appsecret_proof=proof(caller.secret, caller.app_token, moment))
    assert (answer.status == 200) is good


def test_proof_of_another_token(caller):
    """The proof belongs to the token of that very request."""
    answer = caller.inspect(appsecret_time=None, appsecret_proof=proof(caller.secret, caller.token))
    assert answer.data["error"]["type"] == "GraphMethodException"
    assert answer.data["error"]["message"] == (
        "Invalid appsecret_proof provided in the API argument")


def test_proof_can_be_required(graph):
    """Plain and timed pass; without any the call is refused."""
    caller = Caller(graph, require_proof=True)
    assert caller.inspect().status == 200
    plain = proof(caller.secret, caller.app_token)
    assert caller.inspect(appsecret_time=None, appsecret_proof=plain).status == 200
    answer = caller.inspect(appsecret_time=None, appsecret_proof=None)
    assert answer.data["error"]["message"] == (
        "API calls from the server require an appsecret_proof argument")
    caller.close()


def test_clock_can_be_wrong(graph, caller):
    """A client with a right clock is then refused, and sees why in Date."""
    graph.tell("set_clock", offset=3600)
    answer = caller.inspect()
    assert answer.error == (100, 0)
    assert answer.headers["Date"]


@pytest.mark.parametrize("path", ["/debug_token", "/v26/debug_token", "/v99.0/debug_token",
                                  "/v26.0/debug_token/", "/v26.0/nothing", "/v026.0/debug_token"])
def test_paths_that_are_not_there(caller, path):
    """The version part has one form, and unversioned calls are refused."""
    assert caller.call("POST", path, caller.inspect_fields()).error == (2500, 0)


@pytest.mark.parametrize("asked, used", [("v26.0", "v26.0"), ("v23.0", "v23.0"),
                                         ("v9.0", "v21.0")])
def test_version_that_served(caller, asked, used):
    """A version that has expired is served by the oldest usable one, and the header says so."""
    answer = caller.call("POST", f"/{asked}/debug_token", caller.inspect_fields())
    assert answer.headers["facebook-api-version"] == used


def test_error_headers(caller):
    """The support ids, and WWW-Authenticate in Meta's own syntax on HTTP 400 too."""
    answer = caller.inspect(access_token="EAAunknown")
    assert answer.headers["x-fb-trace-id"] == answer.data["error"]["fbtrace_id"]
    assert answer.headers["x-fb-request-id"]
    assert answer.headers["WWW-Authenticate"] == (
        'OAuth "Facebook Platform" "invalid_token" '
        '"Invalid OAuth access token - Cannot parse access token"')


def test_one_connection_serves_many_requests(graph, caller):
    """HTTP/1.1 keep-alive, errors included; TLS 1.2 at least, HTTP/1.1 by ALPN."""
    for call in (caller.inspect, caller.exchange, lambda: caller.exchange(client_id="1")):
        assert call().headers["Connection"] == "keep-alive"
    assert {one["connection"] for one in graph.requests()} == {1}
    assert caller.connection.sock.version() in ("TLSv1.2", "TLSv1.3")


def test_record_has_names_and_no_values(graph, caller, canaries):
    """What tests assert upon is there; what is secret is not, wherever it was sent."""
    for name, value in (("app", caller.secret), ("token", caller.token)):
        canaries.add(name, value)
    caller.inspect()
    fields = caller.inspect_fields(method=None)
    caller.call("GET", VERSION + "/debug_token", query=fields,
                Authorization=f"Bearer {caller.token}")
    caller.exchange()
    canaries.add_issued(graph)
    posted, asked, exchanged = graph.requests()
    assert posted["form_names"] == ["method", "input_token", "access_token", "appsecret_proof",
                                    "appsecret_time"]
    assert posted["query_names"] == [] and posted["proof"] == "timed"
    assert (posted["method"], posted["effective_method"]) == ("POST", "GET")
    assert posted["path"] == "/v26.0/debug_token"
    assert posted["content_type"] == graphcalls.FORM
    assert asked["query_names"] == list(fields) and asked["bearer"] is True
    assert "Authorization" in asked["header_names"]
    assert exchanged["step"] == "exchange" and exchanged["proof"] == "none"
    record = graph.directory / "requests.jsonl"
    assert [json.loads(line) for line in record.read_text().splitlines()] == graph.requests()
    assert canaries.leaks([graph.directory]) == []


def test_files_are_private_and_complete(graph):
    """Only this user reads the keys and talks to the control socket."""
    assert int((graph.directory / "port").read_text()) == graph.port
    for file in graph.directory.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


@pytest.mark.parametrize("fields", [
    {"command": "dance"}, {"command": "add_token", "app_id": "1", "user_id": "1"},
    {"command": "token_info", "token": "x"}, {"command": "add_app", "colour": "red"},
    {"command": "set_misbehaviour", "step": "exchange", "kind": "dance"},
    {"command": "set_misbehaviour", "step": "dance", "kind": "slow"},
    {"command": "set_misbehaviour", "step": "debug_token", "kind": "unchanged_expiry"},
    {"command": "__init__", "house": 1},
])
def test_control_refuses_nonsense(graph, fields):
    """With a reason, and the connection still serves."""
    with pytest.raises(Refused):
        graph.tell(**fields)
    assert graph.tell("add_app", app_id="7")["app_id"] == "7"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, None])
def test_ends_when_told(graph, caller, number):
    """By signal or by the end of its input, with clients connected and one kept waiting."""
    graph.misbehave("exchange", "silent")
    caller.send("POST", VERSION + "/oauth/access_token", caller.exchange_fields())
    graph.wait("request:exchange")
    assert graph.stop(number) == 0


def test_ends_by_control_command(graph):
    """The command is answered first."""
    assert graph.tell("shutdown") == {}
    os.waitid(os.P_PID, graph.process.pid, os.WEXITED | os.WNOWAIT)
    assert graph.stop() == 0
