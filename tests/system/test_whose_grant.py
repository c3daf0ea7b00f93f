"""Whose a grant is stands in the store, and every step that asks about one compares it: another one is never taken for it."""

import json
import sqlite3
from contextlib import closing

import pytest

from cards import GRANT, Facts, grant_untouched, refused
from flows import ALICE, BUSINESS, CLIENT_BUSINESS, DAY, PAGE, PERSON, SYSTEM_USER, Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault)

STOP = 15
OTHER, STORED = "the stored token belongs to another user", "the stored token is for another page"
PHONE, ROBOT, SESSION, THE_PAGE = ("ads/user/phone", "ads/system-user/robot", "ads/session/alice",
                                   f"ads/page/{PAGE}")
ADMIN = ("--from", ALICE, "--user-id", SYSTEM_USER, "--scope", "ads_read")


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """Alice's long-lived grant was inspected once: whose it is, is known."""
    flow = Flow(ready_vault, graph, canaries)
    graph.add_business(business_id=BUSINESS, admins=[PERSON], system_users=[SYSTEM_USER],
                       installed=[[SYSTEM_USER, flow.app_id]])
    graph.add_business(business_id=CLIENT_BUSINESS)
    flow.token = flow.give_long(expires_in=30 * DAY)
    flow.done("inspect", ALICE)
    return flow


def known(flow, name=ALICE):
    """All that the store says of a grant."""
    return flow.columns(name)


@pytest.mark.parametrize("verb", [("exchange", ALICE), ("refresh", ALICE), ("refresh", "--all"),
                                  ("inspect", ALICE), ("pages", ALICE)],
                         ids=["exchange", "refresh", "all", "inspect", "pages"])
def test_another_user_now(flow, verb):
    """Every inspection says so, also that of what would be issued: nothing is asked for and nothing changed."""
    flow.graph.misbehave("debug_token", "wrong_user", user_id="666")
    before, asked = known(flow), len(flow.steps())
    with grant_untouched(flow.vault):
        result = flow.run(*verb)
        assert result.code == STOP and OTHER in result.err, result
    assert f"hint: check which token is meant; then import it: p11vault import {ALICE}" in result.err
    assert flow.steps()[asked:] == ["debug_token"] and known(flow) == before


@pytest.mark.parametrize("verb", ["exchange", "refresh"])
def test_another_user_was_issued(flow, verb):
    """Only the issued one is another's: it is rejected, and the good one stays."""
    flow.graph.misbehave("debug_token", "wrong_user", 2, user_id="666")
    refused(flow.run(verb, ALICE), STOP, "inspect-result: the issued token belongs to another user")
    assert flow.states(ALICE) == {1: "previous", 2: "current", 3: "rejected"}


def test_dead_and_of_another_user(flow):
    """What is said of somebody else's grant is not said of this one."""
    before = known(flow)
    flow.graph.misbehave("debug_token", "fields", set={
        "user_id": "666", "is_valid": False, "error": {"code": 190, "subcode": 460}})
    refused(flow.run("refresh", ALICE), STOP, OTHER)
    assert known(flow) == before


def test_the_first_inspection_says_whose_it_is(flow):
    """Of an import nobody knows it; from then on it is the yardstick."""
    flow.vault.done("import", ALICE, stdin=flow.token)
    assert "subject" not in known(flow)
    flow.graph.misbehave("debug_token", "wrong_user", 1, user_id="666")
    flow.done("inspect", ALICE)
    assert known(flow)["subject"] == "666"
    flow.graph.tell("clear_misbehaviours")
    refused(flow.run("refresh", ALICE), STOP, OTHER)
    flow.vault.done("import", ALICE, stdin=flow.token)
    flow.done("inspect", ALICE)
    assert known(flow)["subject"] == PERSON


def test_the_first_exchange_says_whose_it_is(flow):
    """Both of its inspections must agree."""
    flow.vault.done("import", ALICE, stdin=flow.token)
    flow.graph.misbehave("debug_token", "wrong_user", 2, user_id="666")
    refused(flow.run("exchange", ALICE), STOP, "the issued token belongs to another user")


def test_it_is_known_of_what_waits(flow):
    """A grant that was issued carries with it whose it must be: a later run can tell, also where nothing else is left."""
    flow.graph.misbehave("debug_token", "http_error", 1, code=368)
    assert flow.run("issue", ROBOT, *ADMIN).code == STOP
    flow.graph.misbehave("debug_token", "wrong_user", 1, user_id="666")
    refused(flow.run("refresh", ROBOT), STOP, "the issued token belongs to another user")
    assert flow.states(ROBOT) == {1: "rejected"}


# ---- pages ----

def test_another_page(flow):
    """A page's grant acts as its page, whoever it was made from; the page is kept with it, also under another label."""
    flow.done("pages", ALICE)
    shop = "ads/page/shop"
    flow.done("grant", "rename", THE_PAGE, shop)
    before = known(flow, shop)
    flow.graph.misbehave("debug_token", "fields", set={"profile_id": "666"})
    refused(flow.run("refresh", shop), STOP, STORED)
    result = flow.run("inspect", shop)
    assert result.code == STOP and STORED in result.err, result
    assert known(flow, shop) == before
    flow.graph.tell("clear_misbehaviours")
    flow.graph.misbehave("debug_token", "wrong_user", user_id="10153848260347725")
    flow.done("inspect", shop)


def test_the_name_of_another_page(flow):
    """A page is not put in the place of another one that somebody has imported under its id."""
    flow.give(THE_PAGE, type="PAGE", profile_id="666", expires_at=0)
    flow.done("inspect", THE_PAGE)
    result = flow.run("pages", ALICE)
    assert result.code == STOP and f"'{THE_PAGE}' is of 666, not of {PAGE}" in result.err, result
    assert flow.states(THE_PAGE) == {1: "current"}
    asked = len(flow.steps())
    refused(flow.run("issue", THE_PAGE, "--from", ALICE), STOP, f"is of 666, not of {PAGE}",
            f"p11vault grant forget {THE_PAGE}")
    assert flow.steps()[asked:] == []


# ---- issue ----

def test_issue_over_another_users(flow):
    """Nobody is asked."""
    flow.done("issue", ROBOT, *ADMIN)
    asked = len(flow.steps())
    other = ("--from", ALICE, "--user-id", "666", "--scope", "ads_read")
    refused(flow.run("issue", ROBOT, *other), STOP, f"'{ROBOT}' is of {SYSTEM_USER}, not of 666")
    assert flow.steps()[asked:] == [] and flow.states(ROBOT) == {1: "current"}


@pytest.mark.parametrize("name, options, words", [
    (PHONE, ("--from", ALICE, "--redirect"), "the issued token belongs to another user"),
    (SESSION, ("--from", ALICE), "the issued token belongs to another user"),
    (ROBOT, ADMIN, "the issued token belongs to another user"),
], ids=["client", "session", "system-user"])
def test_another_users_was_issued(flow, name, options, words):
    """By what was asked for, or by whose grant it was made from."""
    more = (flow.redirect,) if options[-1] == "--redirect" else ()
    flow.graph.misbehave("debug_token", "wrong_user", 1, user_id="666")
    refused(flow.run("issue", name, *options, *more), STOP, words)
    assert flow.states(name) == {1: "rejected"}


# ---- login ----

def test_login_asks_the_person(flow):
    """Over a grant of somebody else the person decides: that is what the question is for."""
    other = "10153848260347725"
    flow.person(other)
    result = flow.login(ALICE, "--yes")
    assert result.code == 0 and f"{ALICE}: it was {PERSON} before" in result.err, result
    assert json.loads(flow.done("grant", "show", ALICE, "--json").out)["subject"] == other


# ---- what an error leaves ----

@pytest.mark.parametrize("answer", [
    {"is_valid": False, "error": {"code": 190, "subcode": 460}},
    {"is_valid": False, "error": {"code": 190}, "scopes": []}], ids=["changed", "unknown"])
def test_an_error_changes_validity_alone(flow, answer):
    """What was known of the grant stays, so that a login as somebody else is still noticed."""
    before = known(flow)
    flow.graph.misbehave("debug_token", "fields", at="top", set={"data": answer})
    assert flow.run("inspect", ALICE).code == 12
    assert known(flow) == {**before, "valid": False}
    flow.graph.tell("clear_misbehaviours")
    flow.person("10153848260347725")
    result = flow.login(ALICE)
    assert result.code == 2 and f"{ALICE}: it was {PERSON} before" in result.err, result


@pytest.mark.parametrize("answer, kept", [
    ({"is_valid": False, "error": {"code": 190, "subcode": 460}}, [2, 3]),
    ({"app_id": "999"}, [2, 3]), ({}, [3])], ids=["dead", "app", "good"])
def test_what_an_import_has_replaced(flow, answer, kept):
    """It can be opened until the import has been proved to be good, and not only until it was asked about."""
    flow.give_long()
    flow.graph.misbehave("debug_token", "fields", set=answer)
    assert (flow.run("inspect", ALICE).code == 0) is (kept == [3])
    with closing(sqlite3.connect(flow.vault.directory / "vault.db")) as store:
        assert [version for version, in store.execute(
            "SELECT version FROM record WHERE name = ? AND jwe IS NOT NULL ORDER BY version",
            [ALICE])] == kept


@pytest.mark.parametrize("kind, options", [
    ("http_error", {"code": 368}), ("http_error", {"code": 190}), ("html_503", {}),
    ("fields", {"remove": ["is_valid"]}), ("fields", {"set": {"type": "PAGE"}})],
    ids=["blocked", "secret", "html", "no-validity", "kind"])
def test_an_answer_that_proves_nothing_changes_nothing(flow, kind, options):
    """Neither of the columns nor of what the grant has replaced."""
    before = known(flow)
    flow.graph.misbehave("debug_token", kind, **options)
    assert flow.run("inspect", ALICE).code != 0
    assert known(flow) == before and Facts(flow.vault).versions == {GRANT: (2, False)}
