"""Instagram Login: an app of its own, a host for codes, another for all else, no debugger."""

import json
import re
import time

import pytest

from cards import SoftCard, grant_untouched, refused, untouched
from flows import PERSON, SIXTY_DAYS, Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

ANN = "photos/instagram/ann"
BASIC = "instagram_business_basic"
OTHER = "10153848260347725"
USAGE, RETRY, WAIT, LOGIN, CONFIG, STOP = 2, 10, 11, 12, 14, 15


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """The app `photos`, whose id and secret are Instagram's own."""
    return Flow(ready_vault, graph, canaries, "instagram", "photos")


def old(flow, **facts):
    """A long-lived grant that is old enough to be refreshed; its token."""
    return flow.give_old(ANN, BASIC, **facts)


@pytest.mark.parametrize("shape", ["data", "list", "flat"])
def test_login(flow, shape):
    """Three shapes of the answer to a code: the same grant, long-lived, and it works."""
    flow.rules(code_shape=shape)
    result = flow.login(ANN, "--scope", BASIC)
    assert result.code == 0, result
    assert re.fullmatch(rf"{ANN}: instagram {PERSON}, expires \S+ \(60 days\)\n", result.out)
    assert flow.steps() == ["code", "exchange", "me"]
    code, exchange, me = flow.graph.requests()[-3:]
    assert code["method"] == "POST" and not code["query_names"]
    assert (exchange["method"], exchange["path"]) == ("GET", "/access_token")
    assert set(exchange["query_secret_names"]) == {"access_token", "client_secret"}
    assert me["bearer"] and not me["query_secret_names"] and me["proof"] == "none"
    assert flow.states(ANN) == {1: "previous", 2: "current"}
    columns = flow.columns(ANN)
    assert abs(columns["expires"] - time.time() - SIXTY_DAYS) < 120
    assert json.loads(flow.done("inspect", ANN, "--json").out)["subject"] == PERSON


def test_the_dialog(flow):
    """Its own path, and none of Facebook's parameters."""
    assert flow.login(ANN).code == 0
    assert "/oauth/authorize?" in flow.seen["url"] and "auth_type" not in flow.seen["url"]
    assert flow.seen["location"].endswith("#_")


@pytest.mark.parametrize("options", [("--rerequest",), ("--reauthorize",)])
def test_what_the_dialog_does_not_know(flow, options):
    """Refused, not left out."""
    with untouched(flow.vault):
        refused(flow.run("login", ANN, "--port", flow.port, *options, env=flow.browser()), USAGE,
                "has no configurations, authentication types or PKCE")


def test_two_origins(flow, graph):
    """The code goes to its own origin, in a room of its own; one login to the card serves both."""
    spy = SoftCard(flow.vault).spy()
    other = graph.origin.replace("localhost", "127.0.0.1")
    flow.vault.configure(f"[origin {other}]\nca = {graph.ca}\n")
    made = graph.add_app(family="instagram", redirect_uris=[flow.redirect], mode="development")
    flow.canaries.add("other secret", made["secret"])
    flow.vault.done("app", "add", "more", "--provider", "instagram", "--id", made["app_id"],
                    "--origin", graph.origin, "--code-origin", other, stdin=made["secret"])
    logins = spy.logins
    result = flow.login("more/instagram/ann")
    assert result.code == 0, result
    requests = flow.graph.requests()[-3:]
    assert [one["step"] for one in requests] == ["code", "exchange", "me"]
    assert requests[0]["connection"] != requests[1]["connection"] == requests[2]["connection"]
    assert spy.logins == logins + 1
    shown = json.loads(flow.done("app", "show", "more", "--json").out)
    assert set(shown["origins"]) == {graph.origin, other}
    steps = [entry for entry in flow.facts.entries if entry["type"] == "step"]
    assert [one["origin"] for one in steps[-3:]] == [other, graph.origin, graph.origin]


@pytest.mark.parametrize("answer, code", [("cancel", LOGIN), ("error_code", CONFIG)])
def test_declined(flow, answer, code):
    """As at Facebook."""
    flow.person(answer=answer, error_code=100, error_message="x")
    with untouched(flow.vault):
        result = flow.login(ANN)
    assert result.code == code, result
    assert flow.steps() == []


@pytest.mark.parametrize("kind, options, code", [
    ("http_error", {"shape": "instagram", "code": 400, "message": "Invalid code"}, LOGIN),
    ("html_503", {}, RETRY), ("cut", {}, RETRY), ("garbage", {}, STOP), ("echo", {}, LOGIN)],
    ids=["error", "html", "cut", "garbage", "echo"])
def test_the_code_is_not_taken(flow, kind, options, code):
    """Sent once; errors here have a shape of their own."""
    flow.graph.misbehave("code", kind, **options)
    result = flow.login(ANN)
    assert result.code == code and not result.out, result
    assert flow.steps() == ["code"] and ANN not in flow.facts.versions


def test_it_stays_short_lived(flow):
    """An hour is known of the grant of a code; exchange lengthens it later."""
    flow.graph.misbehave("exchange", "html_503")
    result = flow.login(ANN)
    assert result.code == 0 and "the grant is short-lived" in result.err, result
    assert abs(flow.columns(ANN)["expires"] - time.time() - 3600) < 120
    flow.graph.tell("clear_misbehaviours")
    assert "(60 days)" in flow.done("exchange", ANN).out


def test_another_account(flow):
    """Asked, and refused without a terminal."""
    assert flow.login(ANN).code == 0
    flow.person(OTHER)
    result = flow.login(ANN)
    assert result.code == USAGE and f"it was {PERSON} before" in result.err, result
    assert flow.columns(ANN)["subject"] == PERSON


@pytest.mark.parametrize("same", [False, True])
def test_refresh(flow, same):
    """Sixty days more for one that is a day old, with a new string or the old one."""
    flow.rules(refresh_same_token=same)
    old(flow)
    try:
        result = flow.done("refresh", ANN)
    finally:
        flow.rules()
    assert "(60 days)" in result.out and flow.steps() == ["me", "refresh", "me"]
    request = flow.graph.requests("refresh")[-1]
    assert request["query_secret_names"] == ["access_token"]
    assert flow.facts.versions[ANN] == (2, False)
    assert json.loads(flow.done("inspect", ANN, "--json").out)["subject"] == PERSON


def test_too_young(flow):
    """The age of an imported grant only the provider knows: it says so, and the old one stays."""
    old(flow, issued_at=int(time.time()) - 3600)
    with grant_untouched(flow.vault):
        result = flow.run("refresh", ANN)
    assert result.code == STOP and not result.out, result


def test_due_knows_the_age(flow):
    """A grant of today is looked at, not refreshed."""
    assert flow.login(ANN).code == 0
    flow.done("refresh", "--all")
    assert "refresh" not in flow.steps() and flow.steps().count("me") == 2


@pytest.mark.parametrize("kind, options, code", [
    ("http_error", {"code": 190, "subcode": 0}, LOGIN), ("quota", {}, WAIT),
    ("html_503", {}, RETRY)], ids=["dead", "quota", "html"])
def test_inspect_what_cannot_be_told(flow, kind, options, code):
    """A bare 190 with subcode 0 is a dead grant; no answer is none."""
    old(flow)
    flow.graph.misbehave("me", kind, **options)
    result = flow.run("inspect", ANN)
    assert result.code == code, result
    if code == LOGIN:
        assert f"p11vault login {ANN}" in result.err
        assert flow.columns(ANN).get("valid") is False


def test_a_wrong_secret(flow):
    """The hint says whose secret it must be."""
    flow.vault.done("app", "set-secret", "photos", stdin="0" * 32)
    result = flow.login(ANN)
    assert result.code == CONFIG and "p11vault app set-secret photos" in result.err and not result.out, result
    assert flow.steps() == ["code"]


@pytest.mark.parametrize("verb", [("pages", ANN), ("permissions", ANN), ("revoke", ANN, "--yes"),
                                  ("issue", "photos/app/x"),
                                  ("issue", "photos/user/x", "--from", ANN)])
def test_what_the_family_does_not_have(flow, verb):
    """Said before anybody is asked."""
    old(flow)
    with untouched(flow.vault):
        refused(flow.run(*verb), USAGE)
    assert not flow.steps()


def test_nothing_in_a_log_or_an_error(flow):
    """The URL with secret and token exists only in locked memory: -v says nothing of it."""
    flow.graph.misbehave("exchange", "echo", code=100)
    old(flow, expires_in=3600, issued_at=0)
    result = flow.run("exchange", ANN, "-v")
    assert result.code == STOP, result
    flow.graph.tell("clear_misbehaviours")
    flow.done("exchange", ANN, "-v")
