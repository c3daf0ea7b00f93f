"""A grant that was issued and could not be confirmed: nothing but proof ends it, and the next run asks about it first.

One in twenty of all steps and errors; P11VAULT_CAMPAIGN=1 takes all of them, P11VAULT_SEED=N another twentieth.
"""

import os
import random
import sqlite3
from contextlib import closing

import pytest

from cards import refused
from errorrows import EXCHANGE, RESULT, row_id
from flows import ALICE, BUSINESS, CLIENT_BUSINESS, PAGE, PERSON, SYSTEM_USER, Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault)

SEED = int(os.environ.get("P11VAULT_SEED", "20261123"))
RETRY, WAIT, LOGIN, STOP = 10, 11, 12, 15
ROBOT, APP, SESSION, THE_PAGE = ("ads/system-user/robot", "ads/app/main", "ads/session/alice",
                                 f"ads/page/{PAGE}")
ANN, BASIC = "photos/instagram/ann", "instagram_business_basic"
ADMIN = ("--from", ALICE, "--user-id", SYSTEM_USER, "--scope", "ads_read")
RESOLVED = "the grant issued to an interrupted run is now confirmed"
DAY = 86400


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """Alice has a page, and administers a business where the app is installed."""
    flow = Flow(ready_vault, graph, canaries)
    graph.add_business(business_id=BUSINESS, admins=[PERSON], system_users=[SYSTEM_USER],
                       installed=[[SYSTEM_USER, flow.app_id]])
    graph.add_business(business_id=CLIENT_BUSINESS)
    return flow


def sealed(flow, name):
    """State of each version of a record whose ciphertext is there."""
    with closing(sqlite3.connect(flow.vault.directory / "vault.db")) as store:
        return dict(store.execute("SELECT version, state FROM record WHERE name = ? AND jwe IS NOT "
                                  "NULL ORDER BY version", [name]))


# ---- a twentieth of everything ----

class Way:
    """One way to be issued a grant: what is there before, the verb, which inspection is of what was issued."""

    def __init__(self, name, verb, steps, which=1, current=False, waiting=1):
        self.name, self.verb, self.steps = name, verb, steps
        self.which, self.current, self.waiting = which, current, waiting

    def before(self):
        """Versions there are, by state."""
        return {1: "current"} if self.current else {}

    def pending(self):
        """The same when what was issued waits."""
        first = 1 + self.current
        return {**self.before(),
                **{version: "pending" for version in range(first, first + self.waiting)}}


WAYS = {
    "exchange": Way(ALICE, ("exchange", ALICE), ["debug_token", "exchange", "debug_token"], 2, True),
    "refresh": Way(ROBOT, ("refresh", ROBOT), ["debug_token", "exchange", "debug_token"], 2, True),
    "login": Way("ads/user/bob", ("login",), ["code", "exchange", "debug_token"], waiting=2),
    "pages": Way(THE_PAGE, ("pages", ALICE), ["debug_token", "pages", "debug_token"], 2),
    "app": Way(APP, ("issue", APP), ["app_token", "debug_token"]),
    "system-user": Way(ROBOT, ("issue", ROBOT, *ADMIN), ["system_user", "debug_token"]),
    "session": Way(SESSION, ("issue", SESSION, "--from", ALICE), ["session_info", "debug_token"]),
}
# An answer that is none: kind, options, exit code.
NONE = [("html_503", {}, RETRY), ("empty_200", {}, STOP), ("garbage", {}, STOP), ("cut", {}, RETRY),
        ("redirect", {"location": "https://evil.example/"}, STOP), ("data_array", {}, STOP),
        *(("http_error", {"status": status, "code": 4711}, code) for status, code in (
            (401, STOP), (403, STOP), (404, STOP), (408, STOP), (429, WAIT), (500, RETRY)))]


def everything():
    """All ways with all answers."""
    rows = [(f"{row_id(row)}", "http_error", {**row[4], "code": row[0], "subcode": row[1]}, row[2])
            for row in RESULT]
    rows += [(f"{kind}-{options.get('status', '')}", kind, options, code)
             for kind, options, code in NONE]
    for way in WAYS:
        for said, kind, options, code in rows:
            yield pytest.param(way, kind, options, code, id=f"{way}-{said}")


def some(found):
    """A twentieth, the same each time."""
    found = list(found)
    if os.environ.get("P11VAULT_CAMPAIGN") == "1":
        return found
    return random.Random(SEED).sample(found, len(found) // 20)


def prepare(flow, way):
    """What the verb needs."""
    if way == "refresh":
        flow.give(ROBOT, user_id=SYSTEM_USER, type="SYSTEM_USER", expires_in=DAY,
                  issued_at=1700000000)
    if way in ("pages", "system-user", "session"):
        flow.give_long()


def run(flow, way):
    """The verb; a login has its browser."""
    if WAYS[way].verb == ("login",):
        return flow.login(WAYS[way].name)
    return flow.run(*WAYS[way].verb)


@pytest.mark.parametrize("way, kind, options, code", some(everything()))
def test_an_error_leaves_both(flow, way, kind, options, code):
    """The old one and what was issued: both with their ciphertext, until the next run has proved the new one."""
    print(f"seed {SEED}")
    expected = WAYS[way]
    prepare(flow, way)
    asked = len(flow.steps())
    flow.graph.misbehave("debug_token", kind, expected.which, **options)
    result = run(flow, way)
    assert result.code == code and not result.out, result
    assert flow.steps()[asked:] == expected.steps
    assert sealed(flow, expected.name) == flow.states(expected.name) == expected.pending()
    assert flow.facts.outcome["result"] == "failed"
    flow.graph.tell("clear_misbehaviours")
    asked = len(flow.steps())
    flow.done("refresh", expected.name)
    assert flow.steps()[asked:] == ["debug_token"]
    newest = max(expected.pending())
    assert sealed(flow, expected.name) == {newest: "current"}
    assert flow.states(expected.name) == {**dict.fromkeys(range(1, newest), "previous"),
                                          newest: "current"}


# Where nothing but the token itself authorises the question, these codes are about it, and not of the kind that can be proof.
AT_ME = [row for row in EXCHANGE if row[0] not in (1, 100, 102, 190)]


@pytest.mark.parametrize("row", some(AT_ME * 3), ids=row_id)
def test_an_error_at_instagram(ready_vault, graph, canaries, row):
    """The same without a debugger."""
    print(f"seed {SEED}")
    flow = Flow(ready_vault, graph, canaries, "instagram", "photos")
    flow.give_old(ANN, BASIC)
    code, subcode, exit_code, _, options = row
    graph.misbehave("me", "http_error", 2, **{**options, "code": code, "subcode": subcode})
    result = flow.run("refresh", ANN)
    assert result.code == exit_code and not result.out, result
    assert sealed(flow, ANN) == {1: "current", 2: "pending"}
    graph.tell("clear_misbehaviours")
    assert RESOLVED in flow.done("refresh", ANN).err
    assert sealed(flow, ANN) == {2: "current"}


def test_a_dead_one_at_instagram(ready_vault, graph, canaries):
    """The token itself asks there: that it is refused as invalid is proof."""
    flow = Flow(ready_vault, graph, canaries, "instagram", "photos")
    flow.give_old(ANN, BASIC)
    graph.misbehave("me", "http_error", 2, code=190, subcode=0)
    assert flow.run("refresh", ANN).code == STOP
    assert sealed(flow, ANN) == {1: "current"}
    assert flow.states(ANN) == {1: "current", 2: "rejected"}


# ---- the next run ----

def leave_waiting(flow):
    """A long-lived grant that waits beside a short-lived one; how much was asked so far."""
    flow.token = flow.give(ALICE)
    flow.graph.misbehave("debug_token", "http_error", 2, code=368)
    assert flow.run("exchange", ALICE).code == STOP
    flow.graph.tell("clear_misbehaviours")
    return len(flow.steps())


def test_what_is_said(flow):
    """That it waits, also in `status`; and what confirms it."""
    flow.graph.misbehave("debug_token", "http_error", 2, code=368)
    refused(flow.run("exchange", ALICE), STOP, f"{ALICE}: inspect-result: ", "blocks the action",
            "; the new token waits to be confirmed")
    said = flow.done("status").out
    assert "a newer version waits to be confirmed" in said
    assert f"next: p11vault exchange {ALICE}" in said
    flow.graph.tell("clear_misbehaviours")
    flow.graph.misbehave("debug_token", "http_error", 1, code=506)
    refused(flow.run("exchange", ALICE), STOP,
            f"hint: ask about it again: p11vault exchange {ALICE}")


@pytest.mark.parametrize("verb", [("exchange", ALICE), ("refresh", ALICE), ("refresh", "--due")])
def test_it_is_asked_about_first(flow, verb):
    """The old one, which has ended meanwhile, is not asked at all, and nothing is exchanged beside it."""
    asked = leave_waiting(flow)
    flow.graph.set_token(flow.token, expires_at=1000000000)
    flow.graph.misbehave("debug_token", "http_error", 1, code=368)
    refused(flow.run(*verb), STOP, "blocks the action", "waits to be confirmed")
    assert sealed(flow, ALICE) == {2: "current", 3: "pending"}
    flow.graph.tell("clear_misbehaviours")
    assert RESOLVED in flow.done(*verb).err
    assert flow.steps()[asked:] == ["debug_token"] * 2
    assert sealed(flow, ALICE) == {3: "current"}


def test_proof_against_it(flow):
    """Then it goes, and the same run is issued another one."""
    asked = leave_waiting(flow)
    flow.graph.misbehave("debug_token", "wrong_user", 1, user_id="666")
    flow.done("exchange", ALICE)
    assert flow.steps()[asked:] == ["debug_token", "debug_token", "exchange", "debug_token"]
    assert flow.states(ALICE) == {1: "previous", 2: "previous", 3: "rejected", 4: "current"}


@pytest.mark.parametrize("old, states, steps", [
    ("alive", {1: "previous", 2: "rejected", 3: "current"},
     ["debug_token", "debug_token", "exchange", "debug_token"]),
    ("revoked", {1: "previous", 2: "current"}, ["debug_token", "debug_token"]),
    ("unknown", {1: "current", 2: "pending"}, ["debug_token", "debug_token"]),
])
def test_it_ends_no_later(flow, old, states, steps):
    """Whether it is needed hangs on the old one, which is asked before a live one is given up."""
    token = flow.give_long()
    flow.done("inspect", ALICE)
    flow.vault.done("grant", "rename", ALICE, "ads/user/eve")
    name = "ads/user/eve"
    flow.graph.misbehave("debug_token", "http_error", 2, code=368)
    assert flow.run("refresh", name).code == STOP
    flow.graph.tell("clear_misbehaviours")
    flow.graph.set_token(flow.newest_token("exchange")["token"],
                         expires_at=flow.graph.token(token)["expires_at"])
    if old == "revoked":
        flow.graph.tell("revoke", token=token)
    elif old == "unknown":
        flow.graph.misbehave("debug_token", "http_error", 2, code=368)
    asked = len(flow.steps())
    flow.graph.clock(60)
    result = flow.run("refresh", name)
    flow.graph.clock(0)
    assert result.code == (WAIT if old == "unknown" else 0), result
    assert flow.steps()[asked:] == steps
    assert flow.states(name) == states


# ---- a login, where nothing was before ----

def test_a_first_login(flow):
    """Neither grant is lost: `status` shows what waits, and `refresh --due` confirms it without the person."""
    name = "ads/user/bob"
    flow.graph.misbehave("debug_token", "http_error", 1, code=368)
    assert flow.login(name).code == STOP
    assert sealed(flow, name) == {1: "pending", 2: "pending"}
    said = flow.done("status").out
    assert (f"{name}  not inspected  60 d\n  it waits to be confirmed\n"
            f"  next: p11vault exchange {name}\n") in said
    flow.graph.tell("clear_misbehaviours")
    asked = len(flow.steps())
    assert f"{name}: {RESOLVED}" in flow.done("refresh", "--due").err
    assert flow.steps()[asked:].count("code") == 0
    assert flow.states(name) == {1: "previous", 2: "current"}
    assert sealed(flow, name) == {2: "current"} and flow.works(name)


def test_its_short_lived_grant(flow):
    """Where the long-lived one is proved to be dead, the other one waits for its own proof."""
    name = "ads/user/bob"
    flow.graph.misbehave("debug_token", "fields", 1, set={"is_valid": False})
    assert flow.login(name).code == STOP
    assert sealed(flow, name) == {1: "pending"}
    flow.graph.tell("clear_misbehaviours")
    flow.done("exchange", name)
    assert flow.states(name) == {1: "current", 2: "rejected"}


def test_one_after_the_other(flow):
    """The newest first; while another one waits, nothing is issued."""
    flow.graph.misbehave("debug_token", "http_error", 1, code=368)
    assert flow.login().code == STOP
    flow.graph.misbehave("debug_token", "fields", 1, set={"is_valid": False})
    asked = len(flow.steps())
    refused(flow.run("exchange", ALICE), STOP, "the token it issued is not valid")
    assert flow.steps()[asked:] == ["debug_token"]
    assert sealed(flow, ALICE) == {1: "current", 2: "pending"}


# ---- issue ----

def test_issue_confirms_first(flow):
    """And tells so; nothing is issued beside what waits."""
    flow.give_long()
    flow.graph.misbehave("debug_token", "http_error", 1, code=368)
    assert flow.run("issue", ROBOT, *ADMIN).code == STOP
    flow.graph.misbehave("debug_token", "http_error", 1, code=803)
    assert flow.run("issue", ROBOT, *ADMIN).code == STOP
    assert sealed(flow, ROBOT) == {1: "pending"}
    flow.graph.tell("clear_misbehaviours")
    result = flow.done("issue", ROBOT, *ADMIN)
    assert f"{ROBOT}: {RESOLVED}" in result.err and result.out.startswith(f"{ROBOT}: system-user")
    assert flow.steps() == ["system_user", *["debug_token"] * 3]
    assert flow.states(ROBOT) == {1: "current"}


def test_issue_for_somebody_else(flow):
    """What waits under the name is not given up for another user's."""
    flow.give_long()
    flow.graph.misbehave("debug_token", "http_error", 1, code=368)
    assert flow.run("issue", ROBOT, *ADMIN).code == STOP
    other = ("--from", ALICE, "--user-id", "666", "--scope", "ads_read")
    refused(flow.run("issue", ROBOT, *other), STOP, f"'{ROBOT}' is of {SYSTEM_USER}, not of 666",
            f"p11vault grant forget {ROBOT}")
    assert sealed(flow, ROBOT) == {1: "pending"}
