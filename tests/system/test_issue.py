"""`issue`: grants made from the app itself or from a grant that is held."""

import json
import re

import pytest

from cards import GRANT, SoftCard, grant_untouched, refused, untouched
from fixtures import ROOT
from flows import ALICE, BUSINESS, CLIENT_BUSINESS, PAGE, PERSON, SYSTEM_USER, Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

APP, SESSION, ROBOT, NARROW = (f"ads/{one}" for one in (
    "app/main", "session/alice", "system-user/robot", "system-user/narrow"))
PHONE, THE_PAGE = "ads/user/phone", f"ads/page/{PAGE}"
ADMIN = ("--from", ALICE, "--user-id", SYSTEM_USER, "--scope", "ads_read,ads_management")
FOR_CLIENT = ("--from", ROBOT, "--business", CLIENT_BUSINESS)
USAGE, RETRY, LOGIN, PERMISSION, CONFIG, STOP, BUSY = 2, 10, 12, 13, 14, 15, 31


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """Alice is long-lived and administers a business where the app is installed."""
    flow = Flow(ready_vault, graph, canaries)
    flow.give_long()
    graph.add_business(business_id=BUSINESS, admins=[PERSON], system_users=[SYSTEM_USER],
                       installed=[[SYSTEM_USER, flow.app_id]])
    graph.add_business(business_id=CLIENT_BUSINESS)
    return flow


def robot(flow, **facts):
    """A system user's grant of a client business."""
    flow.give(ROBOT, **{"user_id": SYSTEM_USER, "type": "SYSTEM_USER", "expires_at": 0,
                        "data_access_expires_at": 0, "client_business_id": CLIENT_BUSINESS,
                        "scopes": ["ads_read", "ads_management"],
                        "targets": {"ads_read": ["11", "12"]}, "issued_at": 1700000000, **facts})


def made(flow, name, *options, steps, opens):
    """A grant that is issued: what is said, asked and logged; its columns."""
    before = flow.facts
    result = flow.done("issue", name, *options)
    assert flow.steps() == [*steps, "debug_token"]
    facts = flow.facts
    new = facts.entries[len(before.entries):]
    [intent] = [entry for entry in new if entry["type"] == "intent"]
    assert (intent["verb"], intent["name"], intent["seals"]) == ("issue", name, [name])
    assert [entry["name"] for entry in intent["opens"]] == ["ads/secret", *opens]
    assert facts.outcome["result"] == "done" and facts.versions[name] == (1, False)
    columns = flow.columns(name)
    subject = f" {columns['subject']}" if "subject" in columns else ""
    assert result.out.startswith(f"{name}: {name.split('/')[1]}{subject}, "), result
    assert not result.err.strip() or "sanitizer" in result.err
    return columns, result.out.strip()


# ---- each kind ----

def test_app_token(flow):
    """From the app alone; it never ends and is nobody's."""
    columns, said = made(flow, APP, steps=["app_token"], opens=[])
    assert said == f"{APP}: app, never expires" and columns["expires"] == 0
    assert flow.works(APP)["type"] == "APP"


def test_session_info(flow):
    """Ends with the grant it was made from, and no secret of the app is opened for it."""
    columns, _ = made(flow, SESSION, "--from", ALICE, steps=["session_info"], opens=[ALICE])
    parent = flow.graph.token(flow.newest_token("session_info")["parent"])
    assert columns["expires"] == parent["expires_at"]
    request = flow.graph.requests("session_info")[-1]
    assert "client_secret" not in request["form_names"] and request["proof"] == "none"


def test_a_client_of_its_own(flow):
    """Code and redemption in one go; the client sends no secret."""
    columns, said = made(flow, PHONE, "--from", ALICE, "--redirect", flow.redirect,
                         steps=["client_code", "redeem"], opens=[ALICE])
    assert columns["subject"] == PERSON and "(60 days)" in said
    request = flow.graph.requests("redeem")[-1]
    assert not {"client_secret", "machine_id"} & set(request["form_names"])
    assert flow.works(PHONE) and flow.works(ALICE)


def test_a_client_keeps_its_machine_id(flow):
    """The second redemption says which client it is; the id is sealed with the grant."""
    options = ("--from", ALICE, "--redirect", flow.redirect)
    flow.done("issue", PHONE, *options)
    flow.done("issue", PHONE, *options)
    assert "machine_id" in flow.graph.requests("redeem")[-1]["form_names"]
    assert len({one for one in flow.graph.issued("machine id")}) == len(
        flow.graph.issued("machine id"))
    flow.done("issue", PHONE, *options)
    assert "machine_id" in flow.graph.requests("redeem")[-1]["form_names"]
    intents = [entry for entry in flow.facts.entries if entry["type"] == "intent"]
    assert [one["name"] for one in intents[-1]["opens"]] == ["ads/secret", PHONE, ALICE]


def test_a_single_page(flow):
    """Its label is the page's id."""
    columns, said = made(flow, THE_PAGE, "--from", ALICE, steps=["pages"], opens=[ALICE])
    assert columns["expires"] == 0 and said.endswith("never expires")
    assert flow.works(THE_PAGE)["profile"] == PAGE


def test_system_user(flow):
    """Sixty days unless somebody says otherwise."""
    columns, said = made(flow, ROBOT, *ADMIN, steps=["system_user"], opens=[ALICE])
    assert columns["subject"] == SYSTEM_USER and "(60 days)" in said
    assert columns["scopes"] == ["ads_read", "ads_management"]
    assert "set_token_expires_in_60_days" in flow.graph.requests("system_user")[-1]["form_names"]
    assert flow.works(ROBOT)["type"] == "SYSTEM_USER"


def test_system_user_for_ever(flow):
    """--never."""
    columns, said = made(flow, ROBOT, *ADMIN, "--never", steps=["system_user"], opens=[ALICE])
    assert columns["expires"] == 0 and said.endswith("never expires")


@pytest.mark.parametrize("verb", ["exchange", "refresh"])
def test_system_user_renewed(flow, verb):
    """By exchange and by refresh, which name the sixty days; never by a person."""
    flow.done("issue", ROBOT, *ADMIN)
    flow.graph.clock(60)
    assert "(60 days)" in flow.done(verb, ROBOT).out
    assert "set_token_expires_in_60_days" in flow.graph.requests("exchange")[-1]["form_names"]
    assert flow.columns(ROBOT)["subject"] == SYSTEM_USER
    manual = (ROOT / "docs/man/p11vault.1").read_text()
    [verbs] = re.findall(r"A system user's grant expires in 60 days.*?;\n(.*?)renew it", manual, re.DOTALL)
    assert verb in re.findall(r"\.Cm (\w+)", verbs)


def test_what_confirms_a_system_users_grant(flow):
    """One that could not be confirmed: `status` names the verb that does it."""
    flow.done("issue", ROBOT, *ADMIN)
    flow.graph.clock(60)
    flow.graph.misbehave("debug_token", "html_503", 2)
    assert flow.run("refresh", ROBOT).code == RETRY
    [told] = [one for one in json.loads(flow.done("status", "--json").out) if one["name"] == ROBOT]
    assert told["pending"] and told["command"] == f"p11vault refresh {ROBOT}", told
    assert "issued to an interrupted run is now confirmed" in flow.done("refresh", ROBOT).err


def test_narrowed(flow):
    """Fewer permissions and assets, for the client business; the same system user."""
    robot(flow)
    columns, said = made(flow, NARROW, *FOR_CLIENT, "--scope", "ads_read", "--assets", "11",
                         steps=["narrow"], opens=[ROBOT])
    assert (columns["subject"], columns["scopes"]) == (SYSTEM_USER, ["ads_read"])
    assert "(60 days)" in said
    assert flow.works(NARROW)["granular"] == "ads_read=11"


def test_as_json(flow):
    """On standard output."""
    result = flow.done("issue", ROBOT, *ADMIN, "--json")
    data = json.loads(result.out)
    assert set(data) == {"name", "subject", "expires"} and data["subject"] == SYSTEM_USER
    assert data["expires"] == flow.columns(ROBOT)["expires"]


def test_again(flow):
    """The new one takes the place of the old; one login to the card each."""
    spy = SoftCard(flow.vault).spy()
    for number in (1, 2):
        flow.done("issue", APP)
        assert spy.logins == number
    assert flow.states(APP) == {1: "previous", 2: "current"}


# ---- what is refused ----

@pytest.mark.parametrize("name, options, words", [
    (APP, ("--from", ALICE), "no grant of kind 'app' from one of kind 'user'"),
    (SESSION, (), "issues no grant of kind 'session' to an app by itself"),
    (PHONE, ("--from", APP), "no grant of kind 'user' from one of kind 'app'"),
    (ALICE, ("--from", ALICE), "a grant cannot be made from itself"),
    (SESSION, ("--from", "other/user/alice"), "is of another app"),
    (ROBOT, ("--from", ALICE, "--user-id", "1", "--business", "2"), "cannot be used together"),
    (SESSION, ("--from", "ads/user/none"), "ads/user/none"),
    ("ads/instagram/x", ("--from", ALICE), "no grant of kind 'instagram'"),
    (PHONE, ("--from", ALICE), "a client's redirect address is missing"),
    (ROBOT, ("--from", ALICE), "the system user's id is missing"),
    (NARROW, ("--from", ALICE, "--business", "x/y"), ""),
], ids=range(11))
def test_what_cannot_be(flow, name, options, words):
    """Before anybody is asked."""
    result = flow.run("issue", name, *options)
    assert result.code == USAGE and words in result.err and not result.out, result
    assert not flow.steps() and flow.facts.versions == {GRANT: (2, False)}


@pytest.mark.parametrize("name, options, code", [
    (ROBOT, (*ADMIN[:2], "--user-id", "999", "--scope", "ads_read"), PERMISSION),
    (THE_PAGE[:-1] + "0", ("--from", ALICE), PERMISSION),
    (PHONE, ("--from", ALICE, "--redirect", "https://app.example/wrong"), STOP),
], ids=["system-user", "page", "redirect"])
def test_the_provider_refuses(flow, name, options, code):
    """Nothing is sealed; the log says what was opened for it."""
    with grant_untouched(flow.vault):
        result = flow.run("issue", name, *options)
    assert result.code == code and not result.out, result


def test_more_than_the_grant_has(flow):
    """Narrowing takes permissions away, it gives none."""
    robot(flow)
    with grant_untouched(flow.vault):
        result = flow.run("issue", NARROW, *FOR_CLIENT, "--scope", "ads_read,pages_show_list")
    assert result.code == PERMISSION, result


def test_a_business_that_wants_an_end(flow):
    """It takes no grant for ever."""
    flow.graph.add_business(business_id=BUSINESS, admins=[PERSON], system_users=[SYSTEM_USER],
                            installed=[[SYSTEM_USER, flow.app_id]], must_expire=True)
    with grant_untouched(flow.vault):
        result = flow.run("issue", ROBOT, *ADMIN, "--never")
    assert result.code == STOP and not result.out, result
    assert "(60 days)" in flow.done("issue", ROBOT, *ADMIN).out


@pytest.mark.parametrize("name, options, step", [
    (APP, (), "app_token"), (SESSION, ("--from", ALICE), "session_info"),
    (ROBOT, ADMIN, "system_user")], ids=["app", "session", "system-user"])
@pytest.mark.parametrize("kind, facts, code", [
    ("wrong_app", {}, STOP), ("html_503", {}, RETRY), ("garbage", {}, STOP), ("cut", {}, RETRY),
    ("quota", {}, 11), ("http_error", {"code": 190, "subcode": 460}, LOGIN)],
    ids=["app", "html", "garbage", "cut", "quota", "dead"])
def test_the_step_goes_wrong(flow, name, options, step, kind, facts, code):
    """No grant becomes current, whatever the provider says; what was issued waits until it is proved to be another's."""
    flow.graph.misbehave(step, kind, **facts)
    result = flow.run("issue", name, *options)
    if (step, code) == ("app_token", LOGIN):
        code = CONFIG  # no grant is in that call: what was refused is the app's secret
    assert result.code == code and not result.out, result
    assert flow.states(name) == ({1: "pending"} if kind == "wrong_app" else {})
    assert flow.facts.outcome["result"] == "failed"


def test_another_user_than_the_old_ones(flow):
    """A client's grant is of the person it was made from."""
    flow.done("inspect", ALICE)
    flow.graph.misbehave("debug_token", "wrong_user", user_id="999")
    result = flow.run("issue", PHONE, "--from", ALICE, "--redirect", flow.redirect)
    assert result.code == STOP and "belongs to another user" in result.err, result
    assert flow.states(PHONE) == {1: "rejected"}


def test_a_code_of_a_client_is_redeemed_once(flow):
    """Whatever comes back."""
    flow.graph.misbehave("redeem", "cut")
    result = flow.run("issue", PHONE, "--from", ALICE, "--redirect", flow.redirect)
    assert result.code == RETRY and flow.steps() == ["client_code", "redeem"], result


def test_an_empty_code(flow):
    """Some say that 200 without a body stands for an error."""
    flow.graph.misbehave("client_code", "empty_200")
    with grant_untouched(flow.vault):
        result = flow.run("issue", PHONE, "--from", ALICE, "--redirect", flow.redirect)
    assert result.code == STOP and flow.steps() == ["client_code"], result


def test_a_lock(flow):
    """Nobody else works on the name at the same time."""
    flow.graph.misbehave("app_token", "silent")
    count = len(flow.graph.requests("app_token")) + 1
    program = flow.vault.start("issue", APP)
    flow.graph.wait("request:app_token", count)
    refused(flow.vault.run("issue", APP), BUSY, "working on this grant")
    flow.graph.tell("release")
    assert program.finish().code == 0
    with untouched(flow.vault):
        flow.done("status")
