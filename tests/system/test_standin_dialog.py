"""The stand-in's login dialog and what is done with its codes."""

import base64
import hashlib
import http.client
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from browsing import Redirect, open_dialog
from graphcalls import VERSION, Caller
from graphsteps import CLIENT_BUSINESS, PERSON, SYSTEM_USER, URI, World

VERIFIER = "a-verifier-of-forty-three-characters-at-least.~_"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())[:-1].decode()
PKCE = {"scope": "openid", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}


@pytest.fixture
def world(graph):
    """Apps, a person, and a client."""
    made = World(graph)
    yield made
    made.caller.close()


def test_a_grant_comes_back_as_code_and_state(world):
    """Behind what the redirect URI has already, with Facebook's fragment."""
    back = world.dialog(state="x&y z", scope="email,pages_show_list")
    assert back.location.startswith(URI + "&code=AQ")
    assert list(back.parameters) == ["from", "code", "state"]
    assert back.parameters["state"] == "x&y z" and back.fragment == "_=_"


def test_granted_and_denied_scopes(graph, world):
    """With return_scopes; what was declined is asked again only by auth_type=rerequest."""
    graph.person(PERSON, decline=["email"])
    asked = {"scope": "email pages_show_list", "return_scopes": "true"}
    found = world.dialog(**asked).parameters
    assert found["granted_scopes"] == "public_profile,pages_show_list"
    assert found["denied_scopes"] == "email"
    graph.person(PERSON, decline=[])
    assert world.dialog(**asked).parameters["denied_scopes"] == "email"
    assert world.dialog(auth_type="rerequest", **asked).parameters["denied_scopes"] == ""
    token = redeem(world).data["access_token"]
    assert graph.token(token)["scopes"] == ["public_profile", "email", "pages_show_list"]


def test_cancelled(graph, world):
    """The three words of Meta's documents, and the state."""
    graph.person(PERSON, answer="cancel")
    back = world.dialog()
    assert "error_description=Permissions+error." in back.location
    assert back.parameters == {
        "from": "meta", "error": "access_denied", "error_reason": "user_denied",
        "error_description": "Permissions error.", "state": "opaque-state"}


def test_error_code_redirect(graph, world):
    """The other form, without `error`."""
    graph.person(PERSON, answer="error_code", error_code=1349003, error_message="Later")
    found = world.dialog().parameters
    assert (found["error_code"], found["error_message"]) == ("1349003", "Later")
    assert "error" not in found and "code" not in found


@pytest.mark.parametrize("fragment, expected", [("", ""), ("#_", "_"), ("#_=_", "_=_")])
def test_fragments(graph, world, fragment, expected):
    """Any of those that are seen."""
    graph.person(PERSON, fragment=fragment)
    assert world.dialog().fragment == expected


def test_a_redirect_that_comes_twice(graph, world):
    """One code, brought two times; and a page that does so in a browser."""
    graph.person(PERSON, answer="twice")
    came = []

    class Listener(BaseHTTPRequestHandler):
        """The client's end of the loopback redirect."""

        def do_GET(self):
            """Note what came."""
            came.append(Redirect(self.path).parameters["code"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        uri = f"http://127.0.0.1:{server.server_address[1]}/back"
        graph.set_app(world.caller.app_id, mode="development", redirect_uris=[uri])
        back = world.dialog(redirect_uri=uri)
        for _ in range(2):
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            assert back.follow()[0] == 200
            thread.join()
    assert came == [back.parameters["code"]] * 2
    assert page_of(graph, world.dialog_url(redirect_uri=uri)).count("/back?code=AQ") == 2


def page_of(graph, url):
    """The page that a dialog shows."""
    context = ssl.create_default_context(cafile=graph.ca)
    connection = http.client.HTTPSConnection("localhost", graph.port, timeout=30, context=context)
    connection.request("GET", url.split(str(graph.port), 1)[1])
    page = connection.getresponse().read().decode()
    connection.close()
    return page


@pytest.mark.parametrize("changes", [
    {"app_id": "42"}, {"redirect_uri": None}, {"redirect_uri": "https://evil.example/"},
    {"redirect_uri": URI + "&more=1"}, {"state": None}, {"response_type": "token"},
    {"auth_type": "dance"}, {"auth_type": "reauthenticate"}, {"config_id": "7"},
    {"code_challenge": CHALLENGE}, {**PKCE, "scope": "email"},
    {**PKCE, "code_challenge_method": "plain"}, {"colour": "red"}, {"client_secret": "x"},
    {"path": "/v99.0/dialog/oauth"}, {"path": "/dialog/oauth"},
])
def test_dialogs_that_go_nowhere(world, changes):
    """A page, no redirect: not even with an error."""
    assert world.dialog(**changes) is None


@pytest.mark.parametrize("mode, uri, good", [
    ("development", "http://127.0.0.1:4711/back", True),
    ("development", "http://localhost:4711/back", True),
    ("development", "http://app.example/back", False),
    ("live", "http://127.0.0.1:4711/back", False),
    ("live", "https://app.example/back", True),
    ("live", "https://app.example/back#x", False),
])
def test_insecure_redirects(graph, world, mode, uri, good):
    """http is for loopback addresses, and for apps in development."""
    graph.set_app(world.caller.app_id, mode=mode, redirect_uris=[uri])
    assert bool(world.dialog(redirect_uri=uri)) is good


def test_nobody_at_the_browser(graph):
    """Then a page asks them to log in."""
    app = graph.add_app(redirect_uris=[URI])
    url = (f"{graph.origin}{VERSION}/dialog/oauth?client_id={app['app_id']}&state=x"
           "&redirect_uri=https%3A%2F%2Fapp.example%2Flogin%3Ffrom%3Dmeta")
    assert open_dialog(graph, url) is None


def redeem(world, **changes):
    """The code grant."""
    return world.caller.post("oauth/access_token", **world.code_fields(**changes))


def test_a_code_becomes_a_short_lived_token(graph, world):
    """One to two hours, and debug_token does not say when it was issued."""
    answer = redeem(world, code=world.code(scope="email"))
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.data["token_type"] == "bearer" and 3600 <= answer.data["expires_in"] <= 7200
    facts = world.caller.inspect(input_token=answer.data["access_token"]).data["data"]
    assert facts["user_id"] == PERSON and "issued_at" not in facts
    assert facts["scopes"] == ["public_profile", "email"]
    assert graph.tell("tokens", made_by="code")["tokens"][0]["token"] == (
        answer.data["access_token"])


def test_a_code_by_get_and_with_its_grant_type(world):
    """As documented, and as others send it."""
    fields = world.code_fields(grant_type="authorization_code")
    assert world.caller.ask("oauth/access_token", **fields).status == 200


def test_a_code_is_used_once(world):
    """36009 and a challenge that is not of RFC 6750."""
    fields = world.code_fields()
    assert world.caller.post("oauth/access_token", **fields).status == 200
    answer = world.caller.post("oauth/access_token", **fields)
    assert (answer.status, answer.error) == (400, (100, 36009))
    assert answer.headers["WWW-Authenticate"] == (
        'OAuth "Facebook Platform" "invalid_code" "This authorization code has been used."')


def test_a_code_brought_by_many_at_once(graph, world):
    """One of them gets the token."""
    fields, callers, came = world.code_fields(), [Caller(graph) for _ in range(6)], []

    def bring(caller):
        came.append(caller.post("oauth/access_token", **fields).status)
        caller.close()

    threads = [threading.Thread(target=bring, args=[caller]) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came) == [200] + [400] * 5


@pytest.mark.parametrize("changes, error", [
    ({"client_secret": "0" * 32}, (1, 0)), ({"client_id": "42"}, (101, 0)),
    ({"client_id": None}, (101, 0)), ({"code": "AQunknown"}, (100, 0)),
    ({"redirect_uri": None}, (100, 36008)), ({"redirect_uri": URI + "x"}, (100, 36008)),
    ({"code_verifier": VERIFIER}, (100, 36010)),
])
def test_codes_that_are_refused(world, changes, error):
    """And a refused attempt does not use the code up."""
    code = world.code()
    assert redeem(world, **{"code": code, **changes}).error == error
    assert redeem(world, code=code).status == 200


def test_codes_expire(graph, world):
    """By the stand-in's clock; the subcode can be chosen."""
    graph.rules(code_seconds=60, expired_code_subcode=36000)
    code = world.code()
    graph.clock(61)
    assert redeem(world, code=code).error == (100, 36000)


def test_a_redirect_mismatch_may_be_191(graph, world):
    """As others have seen."""
    graph.rules(redirect_mismatch_code=191, redirect_mismatch_subcode=0)
    assert redeem(world, redirect_uri="https://app.example/").error == (191, 0)


def test_a_code_with_a_verifier_needs_no_secret(graph, world):
    """And gives an id_token, which counts as a secret that went out."""
    answer = redeem(world, code=world.code(nonce="n", **PKCE), code_verifier=VERIFIER,
                    client_secret=None)
    assert answer.status == 200 and answer.data["id_token"].count(".") == 2
    assert graph.issued("id token") == [answer.data["id_token"]]


@pytest.mark.parametrize("verifier, secret, error", [
    (VERIFIER[::-1], None, (100, 36010)), (None, True, (100, 36010)),
    (VERIFIER, "0" * 32, (1, 0)), ("short", None, (100, 36010))])
def test_verifiers_that_are_refused(world, verifier, secret, error):
    """Another one, none, one that is too short; and a wrong secret stays wrong."""
    secret = world.caller.secret if secret is True else secret
    answer = redeem(world, code=world.code(**PKCE), code_verifier=verifier, client_secret=secret)
    assert answer.error == error


def test_the_verifier_may_do_without_openid(graph, world):
    """By rule."""
    graph.rules(pkce_needs_openid=False)
    code = world.code(**{**PKCE, "scope": "email"})
    assert redeem(world, code=code, code_verifier=VERIFIER).status == 200


def test_a_nonce_comes_back_in_the_metadata(world):
    """With auth_type=reauthenticate."""
    code = world.code(auth_type="reauthenticate", auth_nonce="n-1")
    token = redeem(world, code=code).data["access_token"]
    assert world.caller.inspect(input_token=token).data["data"]["metadata"] == {
        "auth_type": "reauthenticate", "auth_nonce": "n-1"}


def test_a_configuration_for_system_users(graph, world):
    """Login for Business: no scope, two parameters more, a token without an end."""
    graph.set_app(world.caller.app_id, configs={"77": {
        "token": "system_user", "system_user_id": SYSTEM_USER, "scopes": ["ads_read"]}})
    fields = {"config_id": "77", "override_default_response_type": "true"}
    assert world.dialog(config_id="77") is None
    assert world.dialog(scope="email", **fields) is None
    answer = redeem(world, code=world.code(**fields))
    assert "expires_in" not in answer.data
    token = answer.data["access_token"]
    facts = world.caller.inspect(input_token=token).data["data"]
    assert (facts["type"], facts["expires_at"]) == ("SYSTEM_USER", 0)
    answer = world.caller.ask("me", token, fields="client_business_id")
    assert answer.data == {"client_business_id": CLIENT_BUSINESS, "id": SYSTEM_USER}


def test_redirects_can_misbehave(graph, world):
    """Another state, none, or parameters that come twice."""
    graph.misbehave("dialog", "fields", which=1, set={"state": "other"})
    graph.misbehave("dialog", "fields", which=2, remove=["state"])
    graph.misbehave("dialog", "duplicate_keys", which=3)
    assert world.dialog().parameters["state"] == "other"
    assert "state" not in world.dialog().parameters
    assert [name for name, _ in world.dialog().pairs] == ["from", "code", "state", "code", "state"]
