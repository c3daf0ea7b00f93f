"""`inspect` and `permissions`: what the provider says of a grant, for people and as JSON."""

import json
import time

import pytest

from cards import GRANT, SoftCard, refused, untouched
from flows import ALICE, DAY, PAGE, PERSON, SIXTY_DAYS, SYSTEM_USER, Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

USAGE, RETRY, WAIT, LOGIN, STOP, NO_CARD = 2, 10, 11, 12, 15, 20
BIG = "9007199254740993"  # one more than 2^53 holds


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """Alice has a long-lived grant that was never inspected."""
    flow = Flow(ready_vault, graph, canaries)
    flow.token = flow.give_long()
    return flow


def lines(result):
    """Words and what stands behind them."""
    found = {}
    for line in result.out.splitlines():
        found.setdefault(line[:12].strip(), []).append(line[12:].strip())
    return found


def test_all_that_the_debugger_shows(flow):
    """For people and as JSON: the same facts."""
    flow.graph.set_token(flow.token, metadata={"sso": "chrome", "auth_type": "reauthorize"},
                         targets={"pages_show_list": [PAGE]})
    plain, data = flow.done("inspect", ALICE), json.loads(
        flow.done("inspect", ALICE, "--json").out)
    shown = lines(plain)
    assert shown["app"] == [flow.app_id] and shown["type"] == ["USER"]
    assert (shown["subject"], shown["valid"]) == ([PERSON], ["yes"])
    assert (shown["login by"], shown["session"]) == (["reauthorize"], ["chrome"])
    assert sorted(shown["permission"]) == [f"pages_show_list {PAGE}", "public_profile"]
    assert {"issued", "expires", "data until", "app name"} <= set(shown)
    assert data["name"] == ALICE and (data["app_id"], data["subject"]) == (flow.app_id, PERSON)
    assert (data["valid"], data["type"]) == (1, "USER")
    assert data["expires"] - time.time() > SIXTY_DAYS - DAY
    assert data["scopes"] == ["public_profile", "pages_show_list"]
    assert flow.steps() == ["debug_token"] * 2


def test_another_version_answers(flow):
    """A version that was retired is said: in words with what mends it, and in each JSON result."""
    words = "meta answered with version v25.0 of its API: v26.0, which was asked for, is retired"
    flow.graph.rules(served_version="v25.0")
    flow.graph.clock(60)
    try:
        told = [flow.done("inspect", ALICE, "--json"), flow.done("exchange", ALICE, "--json"),
                flow.done("issue", "ads/app/own", "--json")]
    finally:
        flow.graph.rules(served_version="")
    for result in told:
        assert json.loads(result.out)["api_version"] == "v25.0", result
        assert result.err.count(words) == 1, result
        assert "hint: set api-version in [meta] of the configuration" in result.err, result
    result = flow.done("inspect", ALICE, "--json")
    assert "api_version" not in json.loads(result.out) and "version" not in result.err, result


@pytest.mark.parametrize("count, code", [(128, 0), (129, STOP)])
def test_many_scopes(flow, count, code):
    """As many as fit into the log, each as long as can be; one more is said to be too many."""
    scopes = [f"{number:03}".ljust(127, "s") for number in range(count)]
    flow.graph.misbehave("debug_token", "fields", set={"scopes": scopes})
    result = flow.run("inspect", ALICE, "--json")
    assert result.code == code, result
    assert "scopes are not a list of at most 128 words" in result.err or json.loads(
        result.out)["scopes"] == flow.columns()["scopes"] == scopes


def test_what_it_leaves_behind(flow):
    """The clear columns are brought up to date; nothing is sealed; one login to the card."""
    spy, before = SoftCard(flow.vault).spy(), flow.facts
    flow.done("inspect", ALICE)
    facts = flow.facts
    assert (facts.sealed, facts.versions) == (before.sealed, before.versions)
    assert facts.outcome["result"] == "done" and spy.logins == 1
    columns = flow.columns()
    assert (columns["subject"], columns["valid"]) == (PERSON, True)
    assert "60 d" in flow.done("status").out


@pytest.mark.parametrize("facts, code, words, state", [
    ({"expires_at": 1000000000}, LOGIN, "the token has expired", "expired"),
    ({"revoked": 460}, LOGIN, "has changed the password", "revoked"),
    ({"revoked": 458}, LOGIN, "has removed the app", "revoked"),
    ({"expires_at": 0}, 0, "", "never expires"),
    ({"data_access_expires_at": 1000000000}, 0, "", "data access expired"),
    ({"data_access_expires_at": 0}, 0, "", "valid"),
    ({"expires_at": int(time.time()) + 5 * DAY}, 0, "", "expiring"),
], ids=["expired", "password", "removed", "never", "data-access", "no-end-of-data", "soon"])
def test_states(flow, facts, code, words, state):
    """Each is told apart from the others, and kept."""
    flow.graph.set_token(flow.token, **facts)
    result = flow.run("inspect", ALICE, "--json")
    assert result.code == code and words in result.err, result
    assert json.loads(result.out)["name"] == ALICE
    assert json.loads(flow.done("status", "--json").out)[0]["state"] == state
    if code:
        assert f"p11vault login {ALICE}" in result.err
        plain = lines(flow.run("inspect", ALICE))
        assert plain["valid"] == ["no"]
    shown = lines(flow.run("inspect", ALICE))
    if "data_access_expires_at" in facts:
        ends = facts["data_access_expires_at"]
        assert shown["data until"] == ["no end" if ends == 0 else "2001-09-09T01:46:40Z"]
    if facts.get("expires_at") == 0:
        assert shown["expires"] == ["never"]


@pytest.mark.parametrize("kind, options, code", [
    ("quota", {"code": 4}, WAIT), ("html_503", {}, RETRY), ("cut", {}, RETRY),
    ("garbage", {}, STOP), ("empty_200", {}, STOP), ("data_array", {}, STOP)],
    ids=["quota", "html", "cut", "garbage", "empty", "array"])
def test_unknown(flow, kind, options, code):
    """Not asked is not dead: nothing is shown, and what was known stays."""
    flow.done("inspect", ALICE)
    before = flow.columns()
    flow.graph.misbehave("debug_token", kind, **options)
    for more in ((), ("--json",)):
        result = flow.run("inspect", ALICE, *more)
        assert result.code == code, result
        assert not result.out and "p11vault login" not in result.err
    assert flow.columns() == before
    assert flow.facts.outcome["result"] == "failed"


@pytest.mark.parametrize("kind, options", [
    ("numbers_as_strings", {}), ("fields", {"set": {"user_id": int(BIG)}}),
    ("fields", {"set": {"user_id": BIG}}), ("fields", {"remove": ["expires_at", "issued_at"]}),
    ("duplicate_keys", {"equal": True})], ids=["text", "number", "big", "missing", "twice"])
def test_shapes(flow, kind, options):
    """Numbers as text, ids beyond 2^53, missing ends."""
    flow.graph.misbehave("debug_token", kind, **options)
    result = flow.run("inspect", ALICE, "--json")
    if kind == "duplicate_keys":
        assert result.code == STOP and not result.out, result
        return
    data = json.loads(result.out)
    assert result.code == 0, result
    if "user_id" in options.get("set", {}):
        assert data["subject"] == BIG
    if "remove" in options:
        assert "expires" not in data and "expires" not in lines(flow.done("inspect", ALICE))


def test_other_kinds(flow):
    """A page acts as one; a system user's grant has its own type."""
    flow.give(f"ads/page/{PAGE}", type="PAGE", profile_id=PAGE, expires_at=0,
              data_access_expires_at=0)
    shown = lines(flow.done("inspect", f"ads/page/{PAGE}"))
    assert (shown["acts as"], shown["type"], shown["expires"]) == ([PAGE], ["PAGE"], ["never"])
    flow.give("ads/system-user/robot", user_id=SYSTEM_USER, type="SYSTEM_USER", expires_at=0)
    assert flow.works("ads/system-user/robot")["subject"] == SYSTEM_USER


def test_another_apps_grant(flow):
    """Not ours to look into."""
    other = flow.graph.add_app()
    token = flow.graph.add_token(other["app_id"], PERSON)
    flow.vault.done("import", "ads/user/bob", stdin=token)
    result = flow.run("inspect", "ads/user/bob")
    assert result.code == STOP and not result.out, result


@pytest.mark.parametrize("verb", ["inspect", "permissions"])
@pytest.mark.parametrize("name, words", [
    ("ads/user/none", "ads/user/none"), ("none/user/x", "none"), ("ads/secret", "")])
def test_names_that_are_none(flow, verb, name, words):
    """Nothing is shown, nobody asked, nothing written."""
    with untouched(flow.vault):
        for more in ((), ("--json",)):
            refused(flow.run(verb, name, *more), USAGE, words)
    assert not flow.steps()


def test_a_card_that_is_not_there(flow):
    """No facts come out of nothing."""
    SoftCard(flow.vault).take_out()
    for more in ((), ("--json",)):
        result = flow.run("inspect", ALICE, *more)
        assert (result.code, result.out) == (NO_CARD, ""), result


# ---- permissions ----

def test_permissions(flow):
    """Granted and declined, for people and as JSON."""
    flow.person(decline=["ads_read"])
    assert flow.login("ads/user/bob", "--scope", "ads_read,pages_show_list").code == 0
    flow.done("permissions", "ads/user/bob")
    asked = flow.graph.requests("permissions")[-1]
    assert (asked["method"], asked["proof"], asked["query_names"]) == ("POST", "timed", [])
    plain = flow.done("permissions", "ads/user/bob").out.splitlines()
    data = json.loads(flow.done("permissions", "ads/user/bob", "--json").out)
    assert data["public_profile"] == data["pages_show_list"] == "granted"
    assert data["ads_read"] == "declined"
    assert sorted(plain) == sorted(f"{state:10} {name}" for name, state in data.items())


@pytest.mark.parametrize("kind, options, code", [
    ("http_error", {"code": 190, "subcode": 460}, LOGIN), ("quota", {}, WAIT),
    ("garbage", {}, STOP), ("html_503", {}, RETRY)], ids=["dead", "quota", "garbage", "html"])
def test_permissions_that_are_not_told(flow, kind, options, code):
    """Nothing is shown."""
    flow.graph.misbehave("permissions", kind, **options)
    result = flow.run("permissions", ALICE, "--json")
    assert result.code == code and not result.out, result
    assert flow.facts.versions == {GRANT: (2, False)}
