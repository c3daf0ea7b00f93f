"""`revoke`: one permission taken back, or a grant ended at the provider and then here."""

import sqlite3
from contextlib import closing

import pytest

from cards import GRANT, SoftCard, grant_untouched, refused, untouched
from flows import ALICE, PAGE, PERSON, SYSTEM_USER, Flow
from killing import kills
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

ROBOT, THE_PAGE = "ads/system-user/robot", f"ads/page/{PAGE}"
USAGE, RETRY, WAIT, LOGIN, STOP = 2, 10, 11, 12, 15


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """Grants of a person, a page and a system user."""
    flow = Flow(ready_vault, graph, canaries)
    flow.tokens = {ALICE: flow.give_long(), THE_PAGE: flow.give(
        THE_PAGE, type="PAGE", profile_id=PAGE, expires_at=0), ROBOT: flow.give(
            ROBOT, user_id=SYSTEM_USER, type="SYSTEM_USER", expires_at=0)}
    return flow


def left(flow, name):
    """Ciphertexts of a name that are still there."""
    with closing(sqlite3.connect(flow.vault.directory / "vault.db")) as store:
        return store.execute("SELECT count(*) FROM record WHERE name = ? AND jwe IS NOT NULL",
                             [name]).fetchone()[0]


@pytest.mark.parametrize("name, step", [(ALICE, "take_back"), (ROBOT, "revoke")])
def test_ended(flow, name, step):
    """There first, then here: gone from the lists, no ciphertext left, in the log for ever."""
    before, spy = flow.facts, SoftCard(flow.vault).spy()
    result = flow.done("revoke", name, "--yes")
    assert (result.out, spy.logins) == ("", 1)
    assert f"{name}: ended at the provider and forgotten" in result.err
    assert flow.steps() == [step] and flow.graph.token(flow.tokens[name])["revoked"]
    facts = flow.facts
    assert name not in facts.versions and facts.sealed == before.sealed
    assert facts.outcome["result"] == "done" and left(flow, name) == 0
    new = facts.entries[len(before.entries):]
    assert [entry["verb"] for entry in new if entry["type"] == "intent"] == ["revoke"]
    assert [entry["state"] for entry in new if entry["type"] == "state"] == ["forgotten"]
    refused(flow.run("inspect", name), USAGE, name)
    flow.vault.done("import", name, stdin="EAABafter")
    assert flow.facts.versions[name][0] == before.versions[name][0] + 1


def test_others_stay(flow):
    """Ending a system user's grant ends no other."""
    flow.done("revoke", ROBOT, "--yes")
    assert flow.works(ALICE) and set(flow.facts.versions) == {ALICE, THE_PAGE}


def test_all_of_a_person_ends(flow):
    """The person's page grants are dead, too, which the next look says."""
    flow.graph.set_token(flow.tokens[THE_PAGE], parent=flow.tokens[ALICE])
    flow.done("revoke", ALICE, "--yes")
    assert flow.run("inspect", THE_PAGE).code == LOGIN


@pytest.mark.parametrize("rule", ["success", "true"])
def test_one_permission(flow, rule):
    """It is gone from the grant, which stays; both shapes of the answer are taken."""
    bob = "ads/user/bob"
    assert flow.login(bob, "--scope", "ads_read", "--rerequest").code == 0
    flow.graph.rules(take_back_shape=rule)
    try:
        result = flow.done("revoke", bob, "--permission", "ads_read", "--yes")
    finally:
        flow.graph.rules(take_back_shape="success")
    assert f"{bob}: permission 'ads_read' taken back" in result.err
    assert flow.steps()[-1] == "take_back" and "ads_read" not in flow.works(bob)["scopes"]
    assert "declined   ads_read" in flow.done("permissions", bob).out


def test_a_permission_that_was_never_granted(flow):
    """The provider says so, and nothing changes."""
    with grant_untouched(flow.vault):
        result = flow.run("revoke", ALICE, "--permission", "ads_read", "--yes")
    assert result.code == STOP and not result.out, result


@pytest.mark.parametrize("kind, options, code", [
    ("http_error", {"code": 190, "subcode": 458}, LOGIN), ("quota", {}, WAIT),
    ("html_503", {}, RETRY), ("garbage", {}, STOP), ("cut", {}, RETRY),
    ("http_error", {"shape": "false"}, STOP)],
    ids=["dead", "quota", "html", "garbage", "cut", "false"])
@pytest.mark.parametrize("name, step", [(ALICE, "take_back"), (ROBOT, "revoke")])
def test_it_is_not_ended(flow, name, step, kind, options, code):
    """What the provider has not confirmed stays here."""
    flow.graph.misbehave(step, kind, **options)
    count = left(flow, name)
    with grant_untouched(flow.vault):
        result = flow.run("revoke", name, "--yes")
    assert result.code == code, result
    assert left(flow, name) == count > 0


def test_a_dead_one_is_forgotten_by_hand(flow):
    """The hint of a refusal leads on."""
    flow.graph.set_token(flow.tokens[ALICE], revoked=458)
    result = flow.run("revoke", ALICE, "--yes")
    assert result.code == LOGIN, result
    flow.done("grant", "forget", ALICE, "--yes")
    assert ALICE not in flow.facts.versions


def test_kinds_without_an_end(flow):
    """A page's grant ends with the person's or in the provider's own settings."""
    with untouched(flow.vault):
        refused(flow.run("revoke", THE_PAGE, "--yes"), USAGE,
                f"then: p11vault grant forget {THE_PAGE}")
        refused(flow.run("revoke", ROBOT, "--permission", "ads_read", "--yes"), USAGE,
                "has no call that ends")
    assert not flow.steps()


@pytest.mark.parametrize("typed, code", [("y", 0), ("n", USAGE), ("", USAGE), (None, USAGE)])
def test_a_person_is_asked(flow, typed, code):
    """Nothing is ended that nobody has said yes to; the default is no."""
    question = rf"end {ALICE} at the provider, with all that was granted to the app\? \[y/N\] $"
    result = flow.run("revoke", ALICE, pty=None if typed is None else [(question, typed)])
    assert result.code == code, result
    assert flow.steps() == (["take_back"] if code == 0 else [])
    assert code == 0 or "nothing was revoked" in result.err


def test_names_that_are_none(flow):
    """Nobody is asked."""
    with untouched(flow.vault):
        for name in ("ads/user/none", "none/user/x", "ads/secret"):
            refused(flow.run("revoke", name, "--yes"), USAGE)
    assert not flow.steps()


def test_killed(flow):
    """At any message the grant is here or forgotten, never between."""
    def live():
        flow.graph.set_token(flow.tokens[ROBOT], revoked=0)
    with closing(kills(flow.vault, "front", ["sendto"], 3, ("revoke", ROBOT, "--yes"),
                       prepare=live)) as runs:
        for where, _ in runs:
            flow.vault.done("audit", "verify")
            result = flow.vault.run("revoke", ROBOT, "--yes")
            ended = flow.graph.token(flow.tokens[ROBOT])["revoked"]
            assert ended and result.code in (0, LOGIN, USAGE), (where, result)
            assert (ROBOT in flow.facts.versions) is (result.code == LOGIN), where
    flow.check()


def test_two_of_one_person(flow):
    """Both are of one person: ending one leaves the other here, and dead."""
    token = flow.give("ads/user/ann", expires_in=5184000, issued_at=1700000000)
    flow.done("revoke", ALICE, "--yes")
    assert flow.graph.token(token)["revoked"] == 458
    result = flow.run("inspect", "ads/user/ann")
    assert result.code == LOGIN and "the user has removed the app" in result.err, result
    assert flow.columns("ads/user/ann")["valid"] is False and GRANT not in flow.facts.versions
    assert PERSON == flow.columns("ads/user/ann")["subject"]
