"""`refresh`: what is due, what can be done for it, and that one grant's trouble is not another's."""

import re
import sqlite3
from contextlib import closing

import pytest

from cards import GRANT, Facts, SoftCard, refused
from flows import SYSTEM_USER
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from program import at_a_terminal
from renewing import DAY, PERSON, Fleet, later, listed, long_lived

BOB, EVE, DAN = "ads/user/bob", "ads/user/eve", "ads/user/dan"
PAGE = "1353269864728879"
ROBOT = "ads/system-user/robot"
RETRY, WAIT, LOGIN, LOG, BUSY = 10, 11, 12, 30, 31
TOGETHER = 50
CHECK, RENEWAL = ["debug_token"], ["debug_token", "exchange", "debug_token"]


@pytest.fixture(name="fleet")
def _fleet(ready_vault, graph):
    """The app `ads` with the grant of alice, of which nothing is known yet."""
    yield Fleet(ready_vault, graph)
    Fleet(ready_vault, graph)  # no usage header for whoever is next


# ---- which grants ----

def test_due(fleet):
    """20 days left or fewer, or an end that nobody knows; nothing twice."""
    fleet.know(BOB, **long_lived(10))
    fleet.know(EVE, **long_lived(40))
    result = fleet.done("--due")
    assert fleet.calls() == RENEWAL * 2
    assert re.fullmatch(rf"{GRANT}: user {PERSON}, expires .* \(60 days\)\n"
                        rf"{BOB}: user {PERSON}, expires .* \(60 days\)\n", result.out), result
    assert fleet.versions == {GRANT: 2, BOB: 2, EVE: 1}
    before = Facts(fleet.vault).entries
    result = fleet.done("--due")
    assert ("nothing is due" in result.err, result.out, fleet.calls()) == (True, "", [])
    assert Facts(fleet.vault).entries == before


def test_checked_daily(fleet):
    """A day later each grant is looked at once, and renewed only when its end is near."""
    fleet.know(BOB, **long_lived(50))
    fleet.know(EVE, **long_lived(20.5))
    fleet.give("ads/page/1", type="PAGE", profile_id="1", expires_at=0)
    fleet.done("--due")
    assert fleet.versions == {GRANT: 2, BOB: 1, EVE: 1, "ads/page/1": 1}
    assert fleet.done("--due").out == "" and fleet.calls() == []
    fleet.done("--due", env=later(fleet.vault, DAY + 60))
    assert sorted(fleet.calls()) == sorted(CHECK * 3 + RENEWAL)
    assert fleet.versions == {GRANT: 2, BOB: 1, EVE: 2, "ads/page/1": 1}
    fleet.done("--due", env=later(fleet.vault, DAY + 120))
    assert fleet.calls() == []


@pytest.mark.parametrize("verb", [("refresh", "--due"), ("refresh", ROBOT), ("exchange", ROBOT)],
                         ids=["due", "refresh", "exchange"])
def test_one_that_never_expires(fleet, verb):
    """Nobody knew that of the import: it is not made into one of sixty days, which would live on beside it."""
    fleet.know(GRANT, **long_lived(50))
    fleet.give(ROBOT, user_id=SYSTEM_USER, type="SYSTEM_USER", expires_at=0)
    fleet.forget_calls()
    result = fleet.vault.run(*verb)
    assert result.code == 0 and result.out == f"{ROBOT}: system-user {SYSTEM_USER}, never expires\n"
    assert f"{ROBOT}: never expires, so there is nothing to do\n" in result.err
    assert fleet.calls() == CHECK and fleet.versions[ROBOT] == 1
    assert fleet.outcomes().get(ROBOT, "done") == "done"
    fleet.done("--due")
    assert fleet.calls() == []


def test_a_person_that_never_expires(fleet):
    """The same for a user's grant."""
    fleet.give(BOB, expires_at=0)
    fleet.forget_calls()
    result = fleet.vault.done("exchange", BOB)
    assert "never expires, so there is nothing to do" in result.err
    assert fleet.calls() == CHECK and fleet.versions[BOB] == 1


def test_all(fleet):
    """Every grant is asked about; those that have nothing to gain are only looked at."""
    fleet.know(BOB, **long_lived(50))
    fleet.know("ads/user/never", expires_at=0, issued_at=1)
    fleet.give("ads/page/1", type="PAGE", profile_id="1", expires_at=0)
    fleet.give("ads/session/one", session_info=True)
    token = fleet.graph.tell("add_token", app_id=fleet.apps["ads"], user_id=PERSON, type="APP")
    fleet.vault.done("import", "ads/app/main", stdin=token["token"])
    result = fleet.done("--all", "--json")
    assert fleet.calls().count("exchange") == 2
    assert fleet.calls().count("debug_token") == 2 * 2 + 4
    assert set(listed(result)) == {GRANT, BOB, "ads/user/never", "ads/page/1", "ads/session/one",
                                   "ads/app/main"}
    assert all("error" not in one for one in listed(result).values())
    assert {name for name, version in fleet.versions.items() if version == 2} == {GRANT, BOB}
    assert set(fleet.outcomes().values()) == {"done"}


def test_names(fleet):
    """Those and no others; a person may want more than what is due."""
    fleet.know(BOB, **long_lived(50))
    fleet.know(EVE, **long_lived(10))
    fleet.done(BOB)
    assert (fleet.calls(), fleet.versions) == (RENEWAL, {GRANT: 1, BOB: 2, EVE: 1})


@pytest.mark.parametrize("words", [(), ("--due", "--all"), (GRANT, "--due"), (GRANT, GRANT)])
def test_usage(fleet, words):
    """One way to say which."""
    refused(fleet.refresh(*words), 2)
    assert fleet.calls() == []


def test_unknown_name(fleet):
    """It stops no other."""
    result = fleet.refresh("ads/user/nobody", GRANT)
    assert result.code == 2 and "there is no 'ads/user/nobody'" in result.err, result
    assert fleet.versions == {GRANT: 2}


# ---- what may come of it ----

def test_a_damaged_one_stops_no_other(fleet):
    """What it brought into the job before it was found out is taken out again."""
    fleet.know(BOB, **long_lived(10))
    fleet.graph.misbehave("debug_token", "http_error", 2, status=500, code=2)
    assert fleet.refresh(BOB).code == RETRY
    fleet.graph.tell("clear_misbehaviours")
    with closing(sqlite3.connect(fleet.vault.directory / "vault.db")) as store:
        store.execute("UPDATE record SET subject = '1' WHERE name = ? AND state = 'pending'", [BOB])
        store.commit()
    fleet.know(EVE, **long_lived(10))
    result = fleet.refresh("--due")
    assert result.code == LOG and f"{EVE}: user" in result.out, result
    assert f"{BOB}: record '{BOB}' version 2: the record's clear columns are not" in result.err


def test_not_extended(fleet):
    """No later end is no success: an outcome of its own, and the old one stays."""
    fleet.graph.rules(long_lived_extends=False)
    fleet.know(BOB, **long_lived(10))
    result = fleet.refresh("--due")
    assert result.code == WAIT, result
    assert fleet.outcomes() == {GRANT: "done", BOB: "not-extended"}
    assert fleet.versions[BOB] == 1
    assert f"{GRANT}: user" in result.out and BOB not in result.out
    fleet.vault.done("audit", "verify")


def test_one_failure_stops_no_other(fleet):
    """Each on its own, and the gravest decides."""
    fleet.give(BOB, EVE, DAN, **long_lived(10))
    fleet.graph.misbehave("exchange", "http_error", 2, code=190, subcode=460)
    fleet.graph.misbehave("exchange", "html_503", 3)
    result = fleet.refresh("--due")
    assert result.code == LOGIN, result
    assert "2 of 4 grants failed" in result.err and len(result.out.splitlines()) == 2
    assert sorted(fleet.versions.values()) == [1, 1, 2, 2]
    failed = [name for name, version in fleet.versions.items() if version == 1]
    for name in failed:
        assert f"p11vault: error: {name}: exchange: " in result.err
    fleet.vault.done("audit", "verify")
    fleet.done("--due")
    assert fleet.calls() == RENEWAL * 2


def test_dead_grants_cost_no_call(fleet):
    """A person must act, today as yesterday; the others go on."""
    page = fleet.give("ads/page/1", type="PAGE", profile_id="1", expires_at=0)
    fleet.graph.tell("revoke", token=page)
    [hint] = [line for line in fleet.vault.run("inspect", "ads/page/1").err.splitlines()
              if line.startswith("hint: ")]
    assert hint.endswith("p11vault pages ads/user/LABEL"), hint
    fleet.graph.tell("revoke", token=fleet.know(BOB, **long_lived(50)))
    fleet.graph.tell("set_token", token=fleet.know(EVE, **long_lived(50)), expires_at=1700000000)
    for name in (BOB, EVE):
        assert fleet.vault.run("inspect", name).code == LOGIN
    result = fleet.refresh("--due")
    assert result.code == LOGIN and fleet.calls() == RENEWAL, result
    for name in (BOB, EVE):
        assert f"{name}: dead at the provider: log in again: p11vault login {name}\n" in result.err
    assert "ads/page/1: dead at the provider: log in again as a user of the page" in result.err
    assert "3 grants need a person" in result.err
    assert "hint: p11vault status" in result.err
    result = fleet.refresh("--due")
    assert result.code == LOGIN and fleet.calls() == [], result
    assert f"p11vault login {BOB}" in result.err
    # What is named is asked about all the same: the person may know better.
    assert fleet.refresh(BOB).code == LOGIN and fleet.calls() == CHECK


def test_a_clock_that_is_ahead(fleet):
    """Dead is what the provider says, not a clock: a grant that lives for hours yet is renewed."""
    fleet.done("--due")
    fleet.know(BOB, **long_lived(0.5))
    result = fleet.refresh("--due", env=later(fleet.vault, DAY))
    assert result.code == 0 and BOB in result.out and "dead" not in result.err, result
    assert fleet.versions[BOB] == 2
    fleet.graph.tell("set_token", token=fleet.know(EVE, **long_lived(0.5)), expires_at=1700000000)
    result = fleet.refresh("--due", env=later(fleet.vault, DAY))
    assert result.code == LOGIN and "inspect-input: " in result.err, result


@pytest.mark.parametrize("family, word", [("instagram", "ig"), ("threads", "th")])
def test_a_day_old(fleet, family, word):
    """Instagram and Threads renew nothing younger: no call is spent on that."""
    scope = {"instagram": "instagram_business_basic", "threads": "threads_basic"}[family]
    name = f"{word}/{family}/ann"
    fleet.add_app(word, family, testers=[PERSON])
    fleet.done("--due")
    token = fleet.give(name, **long_lived(50, scopes=[scope]))
    fleet.graph.set_token(token, made_at=int(fleet.graph.token(token)["issued_at"]) - DAY)
    fleet.done("--due")
    assert fleet.calls() == ["me", "refresh", "me"]
    assert fleet.versions[name] == 2
    fleet.graph.clock(60)  # the other app's grant has something to gain
    fleet.done("--all")
    assert "refresh" not in fleet.calls() and fleet.versions[name] == 2
    result = fleet.done(name)
    assert fleet.calls() == ["me"]
    assert f"{name}: looked at only: the provider renews nothing younger than 24 hours" in result.err
    fleet.done("--due", env=later(fleet.vault, 2 * DAY))
    assert "refresh" not in fleet.calls(), "58 days are left"


# ---- quotas ----

@pytest.mark.parametrize("limit, code, subcode", [
    ("app", 4, None), ("temporary", 341, None), ("custom", 613, None),
    ("pages", 80001, None), (None, 9, None)])
def test_limit_of_an_app(fleet, limit, code, subcode):
    """The rest of its grants is told without a call; another app goes on."""
    fleet.add_app("more")
    fleet.give(BOB, EVE, "more/user/ann", "more/user/ben", **long_lived(10))
    if limit:
        fleet.graph.misbehave("exchange", "quota", 1, limit=limit, minutes=19)
    else:
        fleet.graph.misbehave("exchange", "http_error", 1, code=code)
    result = fleet.refresh("--due", "--json")
    assert result.code == WAIT, result
    told = listed(result)
    assert [told[name]["code"] for name in (GRANT, BOB, EVE)] == ["wait"] * 3
    assert f"code {code}" in told[GRANT]["error"]
    assert "not asked" in told[BOB]["error"] and "not asked" in told[EVE]["error"]
    assert fleet.calls() == ["debug_token", "exchange", *RENEWAL * 2]
    assert fleet.versions == {GRANT: 1, BOB: 1, EVE: 1, "more/user/ann": 2, "more/user/ben": 2}
    assert set(fleet.outcomes().values()) == {"failed", "done"}
    fleet.vault.done("audit", "verify")


def test_too_many_requests(fleet):
    """The same without a code of the provider's."""
    fleet.give(BOB, **long_lived(10))
    fleet.graph.misbehave("exchange", "http_error", 1, status=429, code=0, shape="false")
    result = fleet.refresh("--due")
    assert result.code == WAIT and "not asked" in result.err, result
    assert fleet.calls() == ["debug_token", "exchange"]


@pytest.mark.parametrize("code", [17, 32])
def test_limit_of_one_user(fleet, code):
    """Or of one page, and not the app's: the others are asked about."""
    fleet.give(BOB, **long_lived(10))
    fleet.graph.misbehave("exchange", "http_error", 1, code=code)
    result = fleet.refresh("--due")
    assert result.code == WAIT and "not asked" not in result.err, result
    assert fleet.versions == {GRANT: 1, BOB: 2}


def test_budget(fleet):
    """Three quarters of an app's calls, and no more: the rest is for those who need it more."""
    fleet.give(BOB, EVE, **long_lived(10))
    fleet.graph.usage(app={"call_count": 74, "total_time": 10, "total_cputime": 3})
    fleet.done(GRANT, BOB)
    assert fleet.calls() == RENEWAL * 2
    fleet.graph.usage(app={"call_count": 75, "total_time": 10, "total_cputime": 3})
    result = fleet.refresh(EVE, BOB)
    assert result.code == WAIT and len(fleet.calls()) == 3, result
    assert "the app has used 75 % of its calls: not asked" in result.err
    assert "hint: run it again in 60 minutes: what is done stays done" in result.err


# ---- one card, one login ----

def test_one_login_an_app(fleet):
    """However many grants: one login, one unwrapped app key, one checkpoint."""
    fleet.add_app("more")
    fleet.give(BOB, EVE, DAN, "more/user/ann", "more/user/ben", **long_lived(10))
    before, spy = fleet.checkpoints(), SoftCard(fleet.vault).spy()
    fleet.done("--due")
    assert fleet.checkpoints() - before == 2
    assert spy.logins == 2
    assert (spy.calls("C_Sign"), spy.calls("C_DeriveKey")) == (2, 2)


# ---- telling ----

def test_progress(fleet):
    """A bar on a terminal, only lines in a pipe."""
    names = [f"ads/user/u{number}" for number in range(11)]
    fleet.give(*names, **long_lived(10))
    code, out, shown = at_a_terminal(fleet.vault, "err", "refresh", "--due")
    assert code == 0 and len(out.splitlines()) == 12
    assert "\r[##" in shown and "12 of 12" in shown and "failed" not in shown
    assert shown.endswith("\r\x1b[K"), "the bar is gone at the end"
    fleet.graph.clock(60)  # so that there is something to gain
    piped = fleet.done("--all")
    assert "\r" not in piped.err + piped.out and "[#" not in piped.err
    assert len(piped.out.splitlines()) == 12


# ---- at once ----

def test_many_processes(fleet):
    """One of them does it; the others are told to wait, or find that nothing is due."""
    fleet.forget_calls()
    started = [fleet.vault.start("refresh", "--due") for _ in range(TOGETHER)]
    results = [one.finish(120) for one in started]
    assert fleet.calls().count("exchange") == 1
    assert {result.code for result in results} <= {0, BUSY}
    assert any(result.code == 0 and GRANT in result.out for result in results)
    assert fleet.versions == {GRANT: 2}
    fleet.vault.done("audit", "verify")


def test_named_while_another_works(fleet):
    """A name is refused while its grant is worked on."""
    fleet.forget_calls()
    asked = len(fleet.graph.requests("exchange"))
    fleet.graph.misbehave("exchange", "silent", 1)
    first = fleet.vault.start("refresh", GRANT)
    fleet.graph.wait("request:exchange", asked + 1)
    refused(fleet.vault.run("refresh", GRANT), BUSY, GRANT)
    fleet.graph.tell("release")
    assert first.finish().code == 0
    assert fleet.calls() == RENEWAL
