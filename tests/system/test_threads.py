"""Threads: as Instagram, with its own words, a numeric user id, app tokens and one host for all."""

import json
import re
import time

import pytest

from cards import grant_untouched, refused, untouched
from flows import PERSON, Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

ANN, APP = "posts/threads/ann", "posts/app/main"
BASIC = "threads_basic"
USAGE, LOGIN, PERMISSION, CONFIG, STOP = 2, 12, 13, 14, 15


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """The app `posts`, whose id and secret are Threads' own."""
    return Flow(ready_vault, graph, canaries, "threads", "posts")


def old(flow, **facts):
    """A long-lived grant that is old enough to be refreshed; its token."""
    return flow.give_old(ANN, BASIC, **facts)


@pytest.mark.parametrize("user_id", [PERSON, "9007199254740993"])
def test_login(flow, user_id):
    """The id comes as a bare number, also one beyond 2^53; the grant is long-lived and works."""
    flow.person(user_id)
    result = flow.login(ANN, "--scope", f"{BASIC},threads_content_publish")
    assert result.code == 0, result
    assert re.fullmatch(rf"{ANN}: threads {user_id}, expires \S+ \(60 days\)\n", result.out)
    assert flow.steps() == ["code", "exchange", "me"]
    code, exchange, me = flow.graph.requests()[-3:]
    assert (code["path"], code["query_names"]) == ("/oauth/access_token", [])
    assert set(exchange["query_secret_names"]) == {"access_token", "client_secret"}
    assert me["path"] == "/v1.0/me" and me["bearer"]
    assert len({code["connection"], exchange["connection"], me["connection"]}) == 1
    assert json.loads(flow.done("inspect", ANN, "--json").out)["subject"] == user_id


@pytest.mark.parametrize("answer, code", [("cancel", LOGIN), ("error_code", CONFIG)])
def test_declined(flow, answer, code):
    """As at Facebook."""
    flow.person(answer=answer, error_code=100, error_message="x")
    with untouched(flow.vault):
        result = flow.login(ANN)
    assert result.code == code, result


@pytest.mark.parametrize("code, subcode, words", [
    (100, 36009, "used"), (100, 36007, "expired")], ids=["used", "expired"])
def test_the_code_is_not_taken(flow, code, subcode, words):
    """Sent once; the reason is said."""
    flow.graph.misbehave("code", "http_error", code=code, subcode=subcode)
    result = flow.login(ANN)
    assert result.code == LOGIN and words in result.err, result
    assert flow.steps() == ["code"] and ANN not in flow.facts.versions


def test_refresh(flow):
    """Sixty days more for one that is a day old."""
    old(flow)
    assert "(60 days)" in flow.done("refresh", ANN).out
    assert flow.steps() == ["me", "refresh", "me"]
    assert flow.graph.requests("refresh")[-1]["query_secret_names"] == ["access_token"]
    assert flow.facts.versions[ANN] == (2, False)


@pytest.mark.parametrize("facts, code", [
    ({"issued_at": int(time.time()) - 3600}, STOP), ({"scopes": []}, PERMISSION)],
    ids=["young", "permission"])
def test_no_refresh(flow, facts, code):
    """Too young, or without the basic permission: the old one stays."""
    old(flow, **facts)
    with grant_untouched(flow.vault):
        result = flow.run("refresh", ANN)
    assert result.code == code and not result.out, result


def test_another_users_grant_comes_back(flow):
    """Whose the refreshed grant is says /me, and it is compared."""
    old(flow)
    flow.graph.misbehave("me", "wrong_user", 2, user_id="999")
    flow.graph.misbehave("me", "fields", 2, set={"id": "999"}, at="top")
    result = flow.run("refresh", ANN)
    assert result.code == STOP and "another user" in result.err, result
    assert flow.facts.versions[ANN] == (1, False)


@pytest.mark.parametrize("method", ["post", "get"])
def test_app_token(flow, method):
    """By POST unless the configuration says GET; never one after the other."""
    if method == "get":
        text = flow.vault.config.read_text()
        flow.vault.config.write_text(text.replace("[threads]\n", "[threads]\napp-token = get\n"))
    else:
        flow.rules(post=["app_token"])
    try:
        result = flow.vault.run("issue", APP)
    finally:
        flow.graph.rules(post=[])
    assert [one["method"] for one in flow.graph.requests("app_token")][-1] == method.upper()
    assert flow.steps()[0] == "app_token" and flow.steps().count("app_token") == 1
    assert result.code == 0, result
    assert result.out == f"{APP}: app, never expires\n"
    assert flow.facts.versions[APP] == (1, False) and flow.steps() == ["app_token"]
    refused(flow.run("inspect", APP), USAGE, "says nothing of a grant of kind 'app'")
    flow.done("refresh", APP)
    assert flow.steps() == ["app_token"]


@pytest.mark.parametrize("verb", [("pages", ANN), ("permissions", ANN), ("revoke", ANN, "--yes"),
                                  ("issue", "posts/session/x", "--from", ANN)])
def test_what_the_family_does_not_have(flow, verb):
    """Said before anybody is asked."""
    old(flow)
    with untouched(flow.vault):
        refused(flow.run(*verb), USAGE)
    assert not flow.steps()
