"""The stand-in's token endpoint beyond codes, codes for clients, and tokens inspected."""

import base64
import hmac
import json
import time

import pytest

from graphcalls import Caller
from graphsteps import PAGE, PERSON, SIXTY_DAYS, SYSTEM_USER, URI, World
from standin import Refused


@pytest.fixture
def world(graph):
    """Apps, a person, and a client."""
    made = World(graph)
    yield made
    made.caller.close()


def endpoint(world, method="post", **fields):
    """The token endpoint, without a secret unless one is given."""
    call = world.caller.post if method == "post" else world.caller.ask
    return call("oauth/access_token", client_id=world.caller.app_id, **fields)


@pytest.mark.parametrize("method", ["post", "get"])
def test_app_token(world, method):
    """APPID|opaque, without an end; it speaks for the app, and is told as an app token."""
    answer = endpoint(world, method, grant_type="client_credentials",
                      client_secret=world.caller.secret)
    token = answer.data["access_token"]
    assert set(answer.data) == {"access_token", "token_type"}
    assert token.startswith(world.caller.app_id + "|") and world.caller.secret not in token
    facts = world.caller.inspect(access_token=token, input_token=token, appsecret_proof=None,
                                 appsecret_time=None).data["data"]
    assert facts == {"app_id": world.caller.app_id, "type": "APP", "is_valid": True,
                     "application": "Stand-in app", "scopes": []}
    assert world.caller.ask("me", token).error == (100, 0)


def test_a_system_user_is_renewed_with_the_flag(world):
    """Sixty days from now; the old token keeps working; without the flag it is refused."""
    old = world.business_token(expires_in=3600)
    fields = {"grant_type": "fb_exchange_token", "client_secret": world.caller.secret,
              "fb_exchange_token": old}
    assert endpoint(world, **fields).error == (100, 0)
    answer = endpoint(world, set_token_expires_in_60_days="true", **fields)
    assert answer.data["expires_in"] == 5183944
    new = world.caller.inspect(input_token=answer.data["access_token"]).data["data"]
    assert (new["type"], new["user_id"]) == ("SYSTEM_USER", SYSTEM_USER)
    assert world.caller.inspect(input_token=old).data["data"]["is_valid"]


@pytest.mark.parametrize("facts", [{"expires_at": 0}, {"expires_at": 1}])
def test_system_users_that_cannot_be_renewed(world, facts):
    """One without an end, and one that has expired."""
    answer = endpoint(world, grant_type="fb_exchange_token", client_secret=world.caller.secret,
                      fb_exchange_token=world.business_token(**facts),
                      set_token_expires_in_60_days="true")
    assert answer.error == ((100, 0) if facts["expires_at"] == 0 else (190, 463))


def test_a_second_exchange_may_extend_nothing(graph, world):
    """By rule: a new string, the expiry of before."""
    graph.rules(long_lived_extends=False)
    before = world.user(expires_in=86400)
    answer = world.caller.exchange(fb_exchange_token=before)
    assert answer.data["expires_in"] <= 86400
    assert world.caller.exchange().data["expires_in"] == 5183944


def test_session_info(graph, world):
    """Its parent's expiry, no data, and it dies with the parent."""
    parent = world.user()
    answer = endpoint(world, grant_type="fb_attenuate_token", fb_exchange_token=parent)
    token = answer.data["access_token"]
    assert token.startswith("XAA") and abs(answer.data["expires_in"] - SIXTY_DAYS) < 60
    facts = world.caller.inspect(input_token=token).data["data"]
    assert facts["user_id"] == PERSON and facts["is_valid"]
    for path in ("me", "me/accounts", "me/permissions", PERSON):
        assert world.caller.ask(path, token).error == (190, 0)
    assert world.caller.exchange(fb_exchange_token=token).error == (100, 0)
    graph.tell("revoke", token=parent)
    assert not world.caller.inspect(input_token=token).data["data"]["is_valid"]


def test_session_info_takes_no_secret(world):
    """A secret that is sent without need is a mistake."""
    answer = endpoint(world, grant_type="fb_attenuate_token", fb_exchange_token=world.user(),
                      client_secret=world.caller.secret)
    assert answer.error == (100, 0)


def test_a_client_gets_a_token_of_its_own(graph, world):
    """Code and redemption; the machine id is given once and then sent along."""
    code = world.client_code()
    answer = endpoint(world, redirect_uri=URI, code=code)
    assert set(answer.data) == {"access_token", "expires_in", "machine_id"}
    assert graph.token(answer.data["access_token"])["user_id"] == PERSON
    again = endpoint(world, "get", redirect_uri=URI, code=world.client_code(),
                     machine_id=answer.data["machine_id"])
    assert again.data["machine_id"] == answer.data["machine_id"]
    assert again.data["access_token"] != answer.data["access_token"]
    assert graph.issued("machine id") == [answer.data["machine_id"]]


def test_redemptions_that_are_refused(world):
    """Used, another URI, an unknown machine, with a secret, and as an authorisation code."""
    code = world.client_code()
    for changes, error in (({"redirect_uri": "https://app.example/"}, (100, 36008)),
                           ({"machine_id": "nobody"}, (100, 0)),
                           ({"client_secret": world.caller.secret}, (100, 0)),
                           ({}, None), ({}, (100, 36009))):
        answer = endpoint(world, **{"redirect_uri": URI, "code": code, **changes})
        assert (answer.error if error else answer.status) == (error or 200)
    assert endpoint(world, redirect_uri=URI, code=world.code()).error == (1, 0)


@pytest.mark.parametrize("changes, error", [
    ({"client_secret": "0" * 32}, (1, 0)), ({"redirect_uri": "https://app.example/"}, (100, 0)),
    ({"redirect_uri": ""}, (100, 0)), ({"access_token": "EAAunknown"}, (190, 0))])
def test_client_codes_that_are_refused(world, changes, error):
    """Each with its code."""
    answer = world.caller.ask("oauth/client_code", **world.client_code_fields(**changes))
    assert answer.error == error


def test_a_client_code_needs_a_long_lived_token(graph, world):
    """And one of this very app."""
    for token in (world.caller.token, Caller(graph).token):
        answer = world.caller.ask("oauth/client_code",
                                  **world.client_code_fields(access_token=token))
        assert answer.error == (100, 0)


@pytest.mark.parametrize("path", ["oauth/client_code", "oauth/revoke", "debug_token"])
def test_post_in_place_of_get(graph, world, path):
    """Unproved, so it is refused until a rule allows it."""
    step = {"oauth/client_code": "client_code", "oauth/revoke": "revoke"}.get(path, "debug_token")
    fields = world.request(step).query or world.caller.inspect_fields(method=None)
    graph.rules(post_as_get=[])
    assert world.caller.post(path, **fields).error == (100, 33)
    assert world.caller.post(path, method="get", **fields).error == (100, 33)
    graph.rules(post_as_get=[step])
    assert world.caller.post(path, method="get", **fields).status == 200
    graph.rules(post_as_get=[], post=[step])
    fields = world.request(step).query or world.caller.inspect_fields(method=None)
    assert world.caller.post(path, **fields).status == 200


def test_everything_that_the_debugger_tells(world):
    """Target ids of scopes, metadata, the profile that a token acts as."""
    token = world.user(type="PAGE", profile_id=PAGE, metadata={"sso": "ios"}, issued_at=1700000000,
                       targets={"pages_show_list": [PAGE, 10153848260347725]})
    data = world.caller.inspect(input_token=token).data["data"]
    assert data["granular_scopes"] == [
        {"scope": "public_profile"},
        {"scope": "pages_show_list", "target_ids": [PAGE, "10153848260347725"]}]
    assert data["metadata"] == {"sso": "ios"} and data["profile_id"] == PAGE
    assert data["issued_at"] == 1700000000


def test_the_debugger_knows_every_kind(graph, world):
    """Types as they are told; tokens of other families are not Facebook's business."""
    found = {kind: world.caller.inspect(input_token=token).data["data"]["type"]
             for kind, token in (
                 ("user", world.user()), ("page", world.user(type="PAGE", profile_id=PAGE)),
                 ("system user", world.business_token()), ("app", world.caller.app_token))}
    assert found == {"user": "USER", "page": "PAGE", "system user": "SYSTEM_USER", "app": "APP"}
    other = graph.add_token(world.instagram["app_id"], "5")
    assert world.caller.inspect(input_token=other).error == (100, 0)
    wrong = f"{world.caller.app_id}|{'0' * 32}"
    assert world.caller.inspect(input_token=wrong).data["data"]["is_valid"] is False


def test_data_access_ends_before_the_token(world):
    """The debugger says valid; data says 190/493."""
    token = world.user(data_access_expires_at=int(time.time()) - 5)
    assert world.caller.inspect(input_token=token).data["data"]["is_valid"] is True
    assert world.caller.ask("me", token).error == (190, 493)


def test_signed_requests(graph, world):
    """Signature and payload as an app's callback gets them."""
    text = graph.tell("signed_request", app_id=world.caller.app_id, user_id=PERSON,
                      issued_at=1700000000)["signed_request"]
    signature, payload = text.split(".")
    assert json.loads(base64.urlsafe_b64decode(payload + "==")) == {
        "algorithm": "HMAC-SHA256", "user_id": PERSON, "issued_at": 1700000000}
    expected = hmac.digest(world.caller.secret.encode(), payload.encode(), "sha256")
    assert base64.urlsafe_b64decode(signature + "=") == expected


def test_tokens_can_be_made_older(graph, world):
    """Without setting the clock, which would spoil timed proofs."""
    token = world.user()
    graph.set_token(token, issued_at=1700000000, expires_at=1700000001)
    data = world.caller.inspect(input_token=token).data["data"]
    assert data["issued_at"] == 1700000000 and data["error"]["subcode"] == 463


def test_rules_that_there_are_not(graph):
    """Or of another kind are refused."""
    for wrong in ({"dance": True}, {"page_limit": "7"}, {"code_shape": "round"}):
        with pytest.raises(Refused, match="ValueError"):
            graph.rules(**wrong)
    assert graph.rules()["page_limit"] == 25
