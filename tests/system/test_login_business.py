"""`login --config-id`: Login for Business, where the configuration decides what kind of grant is issued."""

import json
import re

import pytest

from cards import SoftCard, refused, untouched
from flows import ALICE, PERSON, SYSTEM_USER, Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

NEVER, SIXTY, SHORT, LONG = "7001", "7002", "7003", "7004"
SYSTEM = {"token": "system_user", "system_user_id": SYSTEM_USER, "scopes": ["ads_management"]}
PERSONAL = {"token": "user", "scopes": ["ads_read"]}
DAYS = 5184000
CONFIGS = {NEVER: {**SYSTEM, "expires_in": 0}, SIXTY: {**SYSTEM, "expires_in": DAYS},
           SHORT: PERSONAL, LONG: {**PERSONAL, "expires_in": DAYS}}
USER, BUSINESS = "ads/user/shop", "ads/system-user/shop"
USAGE, RETRY, LOGIN, STOP = 2, 10, 12, 15


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """The app with its configurations, and Ann at the browser."""
    flow = Flow(ready_vault, graph, canaries)
    graph.set_app(flow.app_id, configs=CONFIGS)
    return flow



# ---- of the kind that the name says ----

@pytest.mark.parametrize("config, expiry", [(NEVER, "never expires"), (SIXTY, r"\S+ \S+ \(60 days\)")])
def test_a_system_users_grant(flow, config, expiry):
    """Kept as it is: nothing is exchanged, which would need another parameter or make a never-ending one end."""
    result = flow.login(BUSINESS, "--config-id", config)
    assert result.code == 0, result
    assert re.fullmatch(rf"{BUSINESS}: system-user {SYSTEM_USER}, {expiry}\n", result.out), result
    assert flow.steps() == ["code", "debug_token", "debug_token"]
    assert flow.states(BUSINESS) == {1: "current"} and flow.states(USER) == {}
    intent = next(one for one in reversed(flow.facts.entries) if one["type"] == "intent")
    assert (intent["name"], intent["seals"]) == (BUSINESS, [BUSINESS, USER])
    assert flow.works(BUSINESS)["type"] == "SYSTEM_USER"


def test_a_persons_grant(flow):
    """Short-lived as from any login: lengthened."""
    result = flow.login(USER, "--config-id", SHORT)
    assert result.code == 0 and "(60 days)" in result.out, result
    assert flow.steps() == ["code", "debug_token", "exchange", "debug_token"]
    assert flow.states(USER) == {1: "previous", 2: "current"}
    assert flow.works(USER)["subject"] == PERSON


def test_a_persons_grant_that_lives_long(flow):
    """Not exchanged: it would not live longer."""
    result = flow.login(USER, "--config-id", LONG)
    assert result.code == 0 and "(60 days)" in result.out, result
    assert flow.steps() == ["code", "debug_token", "debug_token"]
    assert flow.states(USER) == {1: "current"}


# ---- of another kind ----

def test_a_system_users_grant_under_a_persons_name(flow):
    """It goes under a free name of its kind; the person's grant stays as it was."""
    before = flow.columns(ALICE)
    result = flow.login(ALICE, "--config-id", NEVER)
    assert result.code == 0, result
    kept = "ads/system-user/alice"
    assert f"the provider issued a grant of kind 'system-user': it becomes {kept}" in result.err
    assert result.out == f"{kept}: system-user {SYSTEM_USER}, never expires\n"
    assert flow.steps() == ["code", "debug_token", "debug_token"]
    assert flow.columns(ALICE) == before and flow.states(kept) == {1: "current"}
    assert flow.states(ALICE) == {1: "current", 2: "previous"}
    intent = next(one for one in reversed(flow.facts.entries) if one["type"] == "intent")
    assert (intent["name"], intent["seals"]) == (ALICE, [ALICE, kept])
    assert flow.facts.outcome["result"] == "done"
    assert flow.works(kept)["type"] == "SYSTEM_USER"
    assert flow.works(ALICE)["type"] == "USER"


def test_a_persons_grant_under_a_system_users_name(flow):
    """The same the other way round, and lengthened there."""
    result = flow.login(BUSINESS, "--config-id", SHORT, "--json")
    assert result.code == 0 and json.loads(result.out)["name"] == USER, result
    assert flow.steps() == ["code", "debug_token", "exchange", "debug_token"]
    assert flow.states(BUSINESS) == {1: "previous"}
    assert flow.states(USER) == {1: "previous", 2: "current"}
    assert flow.works(USER)["subject"] == PERSON


def test_only_a_free_name_is_taken(flow):
    """What is there already is another system user's, as far as is known."""
    assert flow.login(BUSINESS, "--config-id", NEVER).code == 0
    before = flow.columns(BUSINESS)
    for number in (2, 3):
        result = flow.login(USER, "--config-id", SIXTY)
        assert result.code == 0 and result.out.startswith(f"{BUSINESS}-{number}: "), result
    assert flow.columns(BUSINESS) == before
    assert [flow.states(f"{BUSINESS}{end}") for end in ("", "-2", "-3")] == [{1: "current"}] * 3


def test_a_long_label(flow):
    """Cut, so that the number fits behind it."""
    label = "x" * 64
    for kept in (label, "x" * 61 + "-2"):
        result = flow.login(f"ads/user/{label}", "--config-id", NEVER)
        assert result.code == 0 and result.out.startswith(f"ads/system-user/{kept}: "), result


def test_the_person_says_no(flow):
    """Nothing is kept under either name."""
    result = flow.login(USER, "--config-id", NEVER, pty=[
        (rf"keep it as {BUSINESS}\? \[y/N\] $", "n")])
    assert result.code == USAGE and "the account was not confirmed" in result.err, result
    assert flow.states(BUSINESS) == {1: "rejected"} and flow.states(USER) == {1: "previous"}


# ---- what cannot be asked about is not lost ----

@pytest.mark.parametrize("name, config, kept", [
    (USER, NEVER, BUSINESS), (BUSINESS, NEVER, BUSINESS), (USER, SHORT, USER)])
@pytest.mark.parametrize("which", [1, 2])
def test_the_provider_cannot_be_asked(flow, name, config, kept, which):
    """The next run goes on with what was issued: nobody logs in again."""
    flow.graph.misbehave("debug_token", "html_503", which)
    result = flow.login(name, "--config-id", config)
    assert result.code == RETRY, result
    waiting = kept if which == 2 else name
    assert f"p11vault login {waiting} --config-id {config}" in result.err, result
    assert "pending" in flow.states(waiting).values()
    flow.graph.tell("clear_misbehaviours")
    result = flow.run("login", waiting, "--config-id", config)
    assert result.code == 0 and result.out.startswith(f"{kept}: "), result
    assert flow.steps().count("code") == 1 and flow.works(kept)


@pytest.mark.parametrize("name, config", [(USER, SHORT), (BUSINESS, NEVER)])
def test_one_that_has_died(flow, name, config):
    """It waits no more: the next login begins with the person again."""
    flow.graph.misbehave("debug_token", "html_503", 1)
    assert flow.login(name, "--config-id", config).code == RETRY
    for one in flow.graph.tell("tokens", made_by="code")["tokens"]:
        flow.graph.set_token(one["token"], revoked=460)
    result = flow.run("login", name, "--config-id", config)
    assert result.code == LOGIN and "waits" not in result.err, result
    assert flow.states(name) == {1: "rejected"}
    assert flow.login(name, "--config-id", config).code == 0


@pytest.mark.parametrize("verb", ["exchange", "refresh"])
@pytest.mark.parametrize("name, config, kept", [(USER, NEVER, BUSINESS), (BUSINESS, SHORT, USER)])
def test_of_another_kind_for_other_verbs(flow, verb, name, config, kept):
    """They leave it waiting, and say how it gets a name of its kind; a plain login would give it up."""
    flow.graph.misbehave("debug_token", "html_503", 1)
    assert flow.login(name, "--config-id", config).code == RETRY
    refused(flow.run(verb, name), STOP, "of another kind", "waits to be confirmed",
            f"hint: go on with it: p11vault login {name} --config-id ID")
    assert flow.states(name) == {1: "pending"}
    assert flow.done("login", name, "--config-id", config).out.startswith(f"{kept}: ")


def test_another_kind_than_a_login_gives(flow):
    """Nobody knows what it is: it waits."""
    flow.graph.misbehave("debug_token", "fields", set={"type": "PAGE"})
    result = flow.login(USER, "--config-id", NEVER)
    assert result.code == STOP and "of kind neither 'user' nor 'system-user'" in result.err, result
    assert flow.states(USER) == {1: "pending"}
    flow.graph.tell("clear_misbehaviours")
    assert flow.done("login", USER, "--config-id", NEVER).out.startswith(f"{BUSINESS}: ")


# ---- what cannot be ----

@pytest.mark.parametrize("arguments, words", [
    ((BUSINESS,), ["gives a grant of kind 'user'", f"p11vault login {BUSINESS} --config-id ID"]),
    (("ads/page/1", "--config-id", NEVER), ["gives a grant of kind 'user'"]),
    ((BUSINESS, "--config-id", "x"), ["the id of a login configuration is a number"]),
    ((BUSINESS, "--config-id", NEVER, "--scope", "a"), ["name one of the two"]),
], ids=range(4))
def test_what_cannot_be_asked_for(flow, arguments, words):
    """Before anybody is asked."""
    spy = SoftCard(flow.vault).spy()
    with untouched(flow.vault):
        refused(flow.run("login", *arguments, env=flow.browser()), USAGE, *words)
    assert spy.logins == 0 and not flow.told.exists()


def test_a_family_without_configurations(ready_vault, graph, canaries):
    """Instagram has none."""
    flow = Flow(ready_vault, graph, canaries, "instagram", "photos")
    with untouched(flow.vault):
        refused(flow.run("login", "photos/instagram/ann", "--config-id", NEVER), USAGE,
                "instagram has no login configurations")
