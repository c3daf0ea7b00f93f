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
USAGE, RETRY, WAIT, LOGIN, STOP, BUSY = 2, 10, 11, 12, 15, 31


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

    def ended():
        return bool(flow.graph.token(flow.tokens[ROBOT])["revoked"])
    with closing(kills(flow.vault, "front", ["sendto"], 3, ("revoke", ROBOT, "--yes"),
                       prepare=live)) as runs:
        for where, _ in runs:
            flow.vault.done("audit", "verify")
            is_here, is_dead = ROBOT in flow.facts.versions, ended()
            result = flow.vault.run("revoke", ROBOT, "--yes")
            # Gone with the first run; dead there and still here; or ended now.
            assert result.code == (USAGE if not is_here else LOGIN if is_dead else 0), (where, result)
            assert ended() and (ROBOT in flow.facts.versions) is (is_here and is_dead), where
    flow.check()


# ---- what ends with it ----

ANN, BOB, SESSION = "ads/user/ann", "ads/user/bob", "ads/session/robot"
STRANGER = "10100000000000077"


@pytest.fixture(name="family")
def _family(flow):
    """Inspected grants of Alice, with those of a page and a session; and one of somebody else."""
    flow.give_long(ANN)
    flow.give_long(BOB, user_id=STRANGER)
    for name in (ALICE, ANN, BOB, ROBOT):
        flow.done("inspect", name)
    flow.done("issue", THE_PAGE, "--from", ALICE)
    flow.done("issue", SESSION, "--from", ALICE)
    return flow


def conditions(flow):
    """What `status` says of each grant."""
    return {grant["name"]: grant["state"] for grant in flow.facts.grants}


def test_what_ends_with_it(family):
    """Named before anybody is asked; known to be dead afterwards, in the change that forgets it."""
    before, spy = family.facts, SoftCard(family.vault).spy()
    asked = len(family.steps())
    result = family.done("revoke", ALICE, "--yes")
    said = result.err.splitlines()
    start = said.index(f"{ALICE}: this also ends all grants of the same person and app:")
    assert sorted(said[start + 1:start + 4]) == [f"  {THE_PAGE}", f"  {SESSION}", f"  {ANN}"]
    assert sorted(line for line in said if line.endswith(": ended too")) == [
        f"{name}: ended too" for name in (THE_PAGE, SESSION, ANN)]
    assert family.steps()[asked:] == ["take_back"] and spy.logins == 1
    assert conditions(family) == {ANN: "revoked", THE_PAGE: "revoked", SESSION: "revoked",
                                  BOB: "valid", ROBOT: "never expires"}
    new = family.facts.entries[len(before.entries):]
    [intent] = [entry for entry in new if entry["type"] == "intent"]
    assert [one["name"] for one in intent["opens"]] == ["ads/secret", ALICE]
    states = {entry["name"]: entry for entry in new if entry["type"] == "state"}
    assert set(states) == {ALICE, ANN, THE_PAGE, SESSION}
    assert {entry["use"] for entry in states.values()} == {intent["use"]}
    assert states[ANN]["columns"]["valid"] is False and states[ANN]["state"] == "current"


def test_a_person_sees_what_ends_with_it(family):
    """The question comes once, behind the list; no changes nothing."""
    question = rf"end {ALICE} at the provider, with all that was granted to the app\? \[y/N\] $"
    result = family.run("revoke", ALICE, pty=[(question, "n")])
    assert result.code == USAGE and f"  {ANN}" in result.terminal + result.err, result
    assert conditions(family)[ANN] == "valid" and "take_back" not in family.steps()


def test_the_provider_refuses(family):
    """What is not ended there is not dead here."""
    family.graph.misbehave("take_back", "html_503")
    assert family.run("revoke", ALICE, "--yes").code == RETRY
    assert conditions(family)[ANN] == "valid"


def test_a_permission_alone(family):
    """Nothing ends with it."""
    assert family.login("ads/user/eve", "--scope", "ads_read", "--rerequest").code == 0
    result = family.done("revoke", "ads/user/eve", "--permission", "ads_read", "--yes")
    assert "with it" not in result.err and conditions(family)[ANN] == "valid"


def test_another_process_at_work(family):
    """Nobody renews what is about to end: the provider is not asked before."""
    family.graph.misbehave("debug_token", "silent")
    count = len(family.graph.requests("debug_token")) + 1
    program = family.vault.start("inspect", ANN)
    family.graph.wait("request:debug_token", count)
    refused(family.vault.run("revoke", ALICE, "--yes"), BUSY, f"{ANN}, which ends with it",
            "working on this grant")
    family.graph.tell("release")
    assert program.finish().code == 0 and "take_back" not in family.steps()


def test_one_that_was_never_inspected(flow):
    """Whose it is nobody knows: it is named, and left to the next look."""
    token = flow.give(ANN, expires_in=5184000, issued_at=1700000000)
    flow.done("inspect", ALICE)
    result = flow.done("revoke", ALICE, "--yes")
    assert f"  {ANN}, if it is the same person's (not inspected yet)" in result.err, result
    assert flow.graph.token(token)["revoked"] == 458
    assert "valid" not in flow.columns(ANN)
    result = flow.run("inspect", ANN)
    assert result.code == LOGIN and "the user has removed the app" in result.err, result
    assert flow.columns(ANN)["valid"] is False and GRANT not in flow.facts.versions
    assert PERSON == flow.columns(ANN)["subject"]
