"""`login` in a browser: a person logs in, and the grant that comes of it is kept."""

import functools
import json
import re
import signal
import socket
from urllib.parse import parse_qs, urlsplit

import pytest

from cards import SoftCard, grant_untouched, refused, untouched
from flows import ALICE, PERSON, Flow
from logging_in import free_port
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from watching import Watched

BOB = "ads/user/bob"
OTHER = "10153848260347725"
USAGE, RETRY, LOGIN, CONFIG, STOP, BUSY = 2, 10, 12, 14, 15, 31


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """The app `ads` with a redirect address, and Ann at the browser."""
    return Flow(ready_vault, graph, canaries)


# ---- a login that succeeds ----

def test_login(flow):
    """What is said and kept, in which order the provider is asked, and that the grant works."""
    before = flow.facts
    result = flow.login(BOB, "--scope", "ads_read,pages_show_list")
    assert result.code == 0, result
    assert re.fullmatch(rf"{BOB}: user {PERSON}, expires \d{{4}}-\d\d-\d\d \(60 days\)\n",
                        result.out), result
    assert "log in at the provider in the browser" in result.err
    assert f"{BOB}: user {PERSON}, permissions: public_profile, ads_read, pages_show_list" in result.err
    assert flow.steps() == ["code", "exchange", "debug_token"]
    facts = flow.facts
    new = facts.entries[len(before.entries):]
    intent = next(entry for entry in new if entry["type"] == "intent")
    assert (intent["verb"], intent["name"], intent["seals"]) == ("login", BOB, [BOB])
    assert [entry["name"] for entry in intent["opens"]] == ["ads/secret"]
    assert (facts.outcome["result"], facts.outcome["use"]) == ("done", intent["use"])
    assert [entry["step"] for entry in new if entry["type"] == "step"] == [
        "code", "exchange", "inspect-result"]
    assert flow.states(BOB) == {1: "previous", 2: "current"}
    columns = flow.columns(BOB)
    assert (columns["subject"], columns["valid"]) == (PERSON, True)
    assert columns["scopes"] == ["public_profile", "ads_read", "pages_show_list"]
    assert flow.works(BOB)["subject"] == PERSON


def test_the_page_for_the_browser(flow):
    """Only its user reads it; the argument names it alone; the card room is not there yet."""
    assert flow.login(BOB).code == 0
    seen = flow.seen
    assert (seen["mode"], seen["rooms"]) == (0o600, ["p11vault-exchan"])
    assert seen["argument"].startswith(f"file://{flow.vault.directory}/login-")
    assert "no-referrer" in seen["page"]
    status, page = seen["answers"][0]
    assert status == 200 and "<html" in page and "http-equiv" not in page
    query = parse_qs(urlsplit(seen["url"]).query)
    assert query["redirect_uri"] == [flow.redirect] and query["response_type"] == ["code"]
    assert len(query["state"][0]) == 64


def test_each_login_has_its_own_state(flow):
    """Twice the same would let an old answer in."""
    states = set()
    for _ in range(2):
        assert flow.login(BOB).code == 0
        states |= set(parse_qs(urlsplit(flow.seen["url"]).query)["state"])
    assert len(states) == 2


def test_the_result_as_json(flow):
    """On standard output, one line."""
    result = flow.login(BOB, "--json")
    data = json.loads(result.out)
    assert set(data) == {"name", "subject", "expires", "not_granted"}
    assert (data["name"], data["subject"], data["not_granted"]) == (BOB, PERSON, [])
    assert data["expires"] == flow.columns(BOB)["expires"]


def test_one_login_to_the_card(flow):
    """One signature for the whole, and the PIN is not tried before the code has come."""
    spy = SoftCard(flow.vault).spy()
    log = spy.file
    count = f"grep -c ': C_Login$' {log}"
    assert flow.login(BOB, between=[["/bin/sh", "-c", count]]).code == 0
    assert flow.seen["between"][0][0] != 0  # nothing was found, or there is no file yet
    assert spy.logins == 1


def test_what_others_see(flow):
    """While a person is asked for PIN and account: no code, token or PIN in any listing."""
    pin = (SoftCard(flow.vault).directory / "pin").read_text()
    flow.vault.environment = functools.partial(flow.vault.environment, **flow.browser())
    program = Watched(flow.vault, ["login", BOB, "--port", flow.port, "--ask-pin"], [
        (rf"PIN for .* \(login {BOB}, 1 use\): $", pin), (r"keep it as .*\? \[y/N\] $", "y")])
    result = program.finish()
    assert result.code == 0, result
    assert [set(seen) for seen in program.seen] == [{"front", "card", "exchange"}] * 2
    flow.check(result)  # the codes and tokens are watched for from here on
    for seen in (process for moment in program.seen for process in moment.values()):
        assert flow.canaries.leaks(texts=seen.texts) == []


def test_it_takes_the_place_of_the_old_one(flow):
    """The imported grant was of the same person as far as is known."""
    flow.done("exchange", ALICE)
    result = flow.login()
    assert result.code == 0 and "before" not in result.err
    states = flow.states(ALICE)
    assert states.pop(max(states)) == "current" and set(states.values()) == {"previous"}
    assert flow.works(ALICE)


def test_what_is_asked_of_the_dialog(flow):
    """Kinds of authentication in one list; a fresh nonce where the password is asked for."""
    options = ("--rerequest", "--reauthorize", "--reauthenticate")
    assert flow.login(BOB, *options).code == 0
    query = parse_qs(urlsplit(flow.seen["url"]).query)
    assert query["auth_type"] == ["rerequest,reauthorize,reauthenticate"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{16,31}", query["auth_nonce"][0])


def test_the_password_is_asked_for(flow):
    """The nonce of the dialog comes back with the grant; another one is not believed."""
    assert flow.login(BOB, "--reauthenticate").code == 0
    nonce = parse_qs(urlsplit(flow.seen["url"]).query)["auth_nonce"][0]
    facts = flow.works(BOB)
    assert (facts["auth_type"], facts["auth_nonce"]) == ("reauthenticate", nonce)
    flow.graph.misbehave("debug_token", "fields",
                         set={"metadata": {"auth_type": "reauthenticate", "auth_nonce": "older"}})
    result = flow.login(BOB, "--reauthenticate")
    assert result.code == USAGE and "in another login" in result.err, result
    assert flow.facts.versions[BOB] == (2, False)


def test_proof_key_with_openid(flow):
    """The challenge goes to the dialog, the verifier with the code; the id_token is dropped."""
    assert flow.login(BOB, "--scope", "openid,pages_show_list").code == 0
    query = parse_qs(urlsplit(flow.seen["url"]).query)
    assert query["code_challenge_method"] == ["S256"]
    code = next(one for one in flow.graph.requests("code")[::-1])
    assert {"code_verifier", "client_secret"} <= set(code["form_names"])


def test_a_declined_permission_is_named(flow):
    """The grant is kept with what was granted, and --rerequest asks once more."""
    scopes = "ads_read,email,ads_management"
    flow.person(decline=["ads_read", "ads_management"])
    result = flow.login(BOB, "--scope", scopes)
    may = re.search(rf"^{BOB}: user {PERSON}, permissions: (.*)$", result.err, re.MULTILINE)[1].split(", ")
    assert result.code == 0 and set(may) & set(scopes.split(",")) == {"email"}, result
    assert f"{BOB}: asked for and not granted: ads_read,ads_management\n" in result.err
    assert f"p11vault login {BOB} --scope {scopes} --rerequest" in result.err
    flow.person()
    result = flow.login(BOB, "--scope", scopes, "--json")
    assert json.loads(result.out)["not_granted"] == ["ads_read", "ads_management"]
    result = flow.login(BOB, "--scope", scopes, "--rerequest")
    assert "not granted" not in result.err and "hint" not in result.err, result


def test_what_is_not_known_of_permissions(flow):
    """A configuration's are not asked for by us: nothing is said of them."""
    flow.graph.set_app(flow.app_id, configs={"7": {"scopes": ["ads_read"]}})
    flow.person(decline=["ads_read"])
    assert "not_granted" not in json.loads(flow.login(BOB, "--config-id", "7", "--json").out)


def test_the_redirect_comes_twice(flow):
    """A prefetching browser: the code is exchanged once."""
    flow.person(answer="twice")
    assert flow.login(BOB, visits=2).code == 0
    assert flow.steps().count("code") == 1
    assert flow.seen["answers"][0][0] == 200


def test_visits_that_are_no_answer(flow):
    """Another state, none, another path: shown to be strange, and the login goes on."""
    strays = [f"{flow.redirect}?code=AQmine&state=wrong", f"{flow.redirect}?code=AQmine",
              f"{flow.redirect}favicon.ico?x", f"{flow.redirect}?",
              f"{flow.redirect}?error=access_denied&error_reason=user_denied",
              f"{flow.redirect}?error_code=2&error_message=x"]
    assert flow.login(BOB, strays=strays).code == 0
    statuses = [status for status, _ in flow.seen["answers"]]
    assert statuses[-1] == 200 and all(status >= 400 for status in statuses[:-1])
    assert flow.steps().count("code") == 1


def test_work_goes_on_while_a_person_logs_in(flow):
    """Another run signs the log in between; the login's own view of it is not too old."""
    vault = flow.vault
    other = [vault.programs / "p11vault", "--config", vault.config, "--vault", vault.directory,
             "exchange", ALICE]
    assert flow.login(BOB, between=[other]).code == 0
    assert flow.seen["between"][0][0] == 0, flow.seen["between"]
    assert set(flow.facts.versions) == {ALICE, BOB}


# ---- a login that fails ----

@pytest.mark.parametrize("facts, code, words", [
    ({"answer": "cancel"}, LOGIN, ["the person has declined the login",
                                   f"p11vault login {BOB} --rerequest"]),
    ({"answer": "error_code", "error_code": 1349126, "error_message": "App not active"},
     CONFIG, ["the login dialog refuses the request (code 1349126)"]),
    ({"answer": "error_code", "error_code": 2, "error_message": "x"}, RETRY,
     ["the provider's service is down for the moment (code 2)", "try again in a few minutes"]),
], ids=["cancel", "error-code", "out-of-order"])
def test_the_dialog_says_no(flow, facts, code, words):
    """With or without `error`; nothing is written, no card asked, and the page says so, too."""
    flow.person(**facts)
    spy = SoftCard(flow.vault).spy()
    with untouched(flow.vault):
        refused_login(flow.login(BOB), code, *words)
    assert flow.steps() == [] and spy.logins == 0
    assert flow.seen["answers"][0][0] == 200


def refused_login(result, code, *words):
    """As refused(), beside what a login says on its way."""
    result.err = "\n".join(line for line in result.err.splitlines()
                           if line.startswith(("p11vault: error: ", "hint: ")))
    refused(result, code, *words)


def test_a_busy_port(flow):
    """The hint says how to take another; nothing was opened and nobody asked."""
    with socket.socket() as other, untouched(flow.vault):
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", flow.port))
        other.listen()
        result = flow.login(BOB)
        refused(result, BUSY, f"port {flow.port} of this machine is taken",
                f"p11vault login {BOB} --port N")
    assert not flow.told.exists()


@pytest.mark.parametrize("options, words", [
    (("--port", "0"), "is not a port"), (("--port", "x"), "is not a port"),
    (("--redirect", "http://localhost:1/"), "leads to port 1"),
    (("--redirect", "https://app.example/"), "does not lead to this machine"),
    (("--scope", "a b"), "scopes are words with one comma"),
    (("--config-id", "1", "--scope", "a"), "name one of the two"),
    (("--device", "--config-id", "1"), "a device login has no configurations"),
    (("--client-token-file", "x"), "is for --device only"),
], ids=range(8))
def test_options_that_cannot_be(flow, options, words):
    """Before anybody is asked."""
    with untouched(flow.vault):
        refused(flow.run("login", BOB, *options, env=flow.browser()), USAGE, words)
    assert not flow.told.exists()


@pytest.mark.parametrize("name, words", [
    ("ads/page/1", "gives a grant of kind 'user'"), ("ads/secret", ""), ("none/user/x", "none")])
def test_names_that_cannot_be(flow, name, words):
    """Another kind comes by another verb."""
    with untouched(flow.vault):
        result = flow.run("login", name, env=flow.browser())
    assert result.code == USAGE and words in result.err and not flow.told.exists()


def test_another_account(flow):
    """Without a terminal it does not take the old one's place; with --yes it does."""
    flow.done("exchange", ALICE)
    flow.person(OTHER)
    with grant_untouched(flow.vault) as before:
        result = flow.login()
        refused_login(result, USAGE, "the account was not confirmed: the grant is not kept")
        before.sealed = flow.facts.sealed  # the new one was kept until it was refused
    states = flow.states(ALICE)
    assert states[max(states)] == "rejected" and "current" in states.values()
    assert flow.columns()["subject"] == PERSON
    assert flow.login(ALICE, "--yes").code == 0
    assert flow.columns()["subject"] == OTHER


@pytest.mark.parametrize("typed, code", [("y", 0), ("n", USAGE), ("", USAGE)])
def test_a_person_is_asked(flow, typed, code):
    """At a terminal always, and what is not yes is no."""
    flow.done("exchange", ALICE)
    flow.person(OTHER)
    result = flow.login(pty=[(rf"keep it as {ALICE}\? \[y/N\] $", typed)])
    assert result.code == code, result
    assert f"{ALICE}: it was {PERSON} before" in result.err
    assert (flow.columns()["subject"] == OTHER) is (code == 0)


@pytest.mark.parametrize("step, kind, options", [
    ("exchange", "http_error", {"code": 2, "transient": True, "status": 500}),
    ("exchange", "html_503", {}), ("exchange", "quota", {}), ("exchange", "cut", {}),
], ids=["transient", "html", "quota", "cut"])
def test_it_stays_short_lived(flow, step, kind, options):
    """The provider does not lengthen it now: the login was not in vain."""
    flow.graph.misbehave(step, kind, **options)
    result = flow.login(BOB)
    assert result.code == 0 and "the grant is short-lived" in result.err, result
    assert f"p11vault exchange {BOB}" in result.err
    assert flow.states(BOB) == {1: "current"}
    flow.graph.tell("clear_misbehaviours")
    assert "(60 days)" in flow.done("exchange", BOB).out
    assert flow.steps().count("code") == 1


@pytest.mark.parametrize("kind, options, code", [
    ("http_error", {"code": 100, "subcode": 36009}, LOGIN),
    ("http_error", {"code": 1, "message": "Error validating client secret."}, CONFIG),
    ("html_503", {}, RETRY), ("garbage", {}, STOP), ("cut", {}, RETRY), ("echo", {}, LOGIN),
], ids=["used", "secret", "html", "garbage", "cut", "echo"])
def test_the_code_is_not_taken(flow, kind, options, code):
    """It is sent once, whatever the answer; the old grant stays."""
    flow.graph.misbehave("code", kind, **options)
    with grant_untouched(flow.vault):
        result = flow.login()
        assert result.code == code, result
    assert flow.steps() == ["code"]


@pytest.mark.parametrize("kind, options, long", [
    ("wrong_app", {}, "rejected"), ("fields", {"set": {"is_valid": False}}, "rejected"),
    ("fields", {"set": {"type": "PAGE"}}, "pending")],
    ids=["app", "invalid", "kind"])
def test_the_provider_denies_it(flow, kind, options, long):
    """What the debugger says of the new grant decides; the old one stays, and of the short-lived one nothing was said."""
    flow.graph.misbehave("debug_token", kind, **options)
    result = flow.login()
    assert result.code == STOP and not result.out, result
    assert flow.states(ALICE) == {1: "current", 2: "pending", 3: long}
    flow.graph.tell("clear_misbehaviours")
    flow.done("exchange", ALICE)
    assert list(flow.states(ALICE).values()).count("current") == 1
    assert not flow.facts.versions[ALICE][1]


def test_it_cannot_be_asked_about(flow):
    """Then the new one waits, and the next run asks again."""
    flow.done("exchange", ALICE)
    flow.graph.clock(60)
    flow.graph.misbehave("debug_token", "html_503")
    assert flow.login().code == RETRY
    version, pending = flow.facts.versions[ALICE]
    assert (version, pending) == (2, True)
    flow.graph.tell("clear_misbehaviours")
    result = flow.done("exchange", ALICE)
    assert "issued to an interrupted run is now confirmed" in result.err
    assert flow.facts.versions[ALICE] == (4, False)


# ---- broken off ----

def test_two_logins_for_one_name(flow):
    """The second one ends at once."""
    vault = flow.vault
    other = [vault.programs / "p11vault", "--config", vault.config, "--vault", vault.directory,
             "login", BOB, "--port", free_port()]
    assert flow.login(BOB, between=[other]).code == 0
    code, _, err = flow.seen["between"][0]
    assert code == BUSY and "working on this grant" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ended_while_a_person_logs_in(flow, number):
    """No page and no process is left, and nothing was written."""
    front = ["/bin/sh", "-c", f"kill -{int(number)} $(cat {flow.vault.base}/front)"]
    with untouched(flow.vault):
        program = flow.vault.start("login", BOB, "--port", flow.port,
                                   env=flow.browser(visits=0, between=[front]))
        flow.vault.write("front", str(program.pid))
        result = program.finish()
        assert result.code == -number, result
        assert not flow.vault.processes.left()
        flow.check(result)
