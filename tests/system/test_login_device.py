"""`login --device`: a code is typed at the provider's page on another device.

The program waits as long as the provider asks for, five seconds at least; one test waits with it.
"""

import re

import pytest

from cards import SoftCard, refused, untouched
from graphcalls import Caller
from flows import ALICE, PERSON, Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from renewing import later
from watching import Watched

BOB = "ads/user/bob"
USAGE, LOGIN, CONFIG = 2, 12, 14


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries, tmp_path):
    """An app with a client token, in a file of its user alone."""
    flow = Flow(ready_vault, graph, canaries)
    flow.client_token = graph.set_app(flow.app_id)["client_token"]
    canaries.add("client token", flow.client_token)
    flow.file = given(tmp_path, flow.client_token)
    return flow


def given(directory, client_token, mode=0o600):
    """A file with a client token."""
    file = directory / "client-token"
    file.write_text(client_token + "\n")
    file.chmod(mode)
    return file


def start(flow, *options, name=BOB, sooner=20):
    """A login that has told its code, as far as the provider knows; it waits a part of the time."""
    count = len(flow.graph.requests("device_start")) + 1
    if sooner > 1:
        flow.rules(device_interval=0)
    program = flow.vault.start("login", name, "--device", "--client-token-file", flow.file,
                               *options, env=later(flow.vault, 0, sooner))
    flow.graph.wait("answer:device_start", count)
    return program


def finish(flow, program):
    """Its result, checked."""
    result = program.finish()
    flow.check(result)
    return result


def test_device(flow):
    """Code, address and time are told; the device code itself never leaves the exchange room."""
    program = start(flow, "--scope", "public_profile,pages_show_list", sooner=2)
    typed = flow.graph.device_answer()["user_code"]
    result = finish(flow, program)
    assert result.code == 0, result
    assert f"open https://www.facebook.com/device and type {typed} (within 7 minutes)" in result.err
    assert re.fullmatch(rf"{BOB}: user {PERSON}, expires \S+ \(60 days\)\n", result.out)
    assert flow.steps() == ["device_start", "device_poll", "exchange", "debug_token"]
    facts = flow.facts
    assert facts.outcome["result"] == "done" and facts.versions[BOB] == (2, False)
    assert flow.columns(BOB)["scopes"] == ["public_profile", "pages_show_list"]
    assert "not granted" not in result.err and flow.works(BOB)


def test_a_declined_permission(flow):
    """Named as after a login in a browser."""
    program = start(flow, "--scope", "public_profile,ads_read", sooner=2)
    flow.graph.device_answer(decline=["ads_read"])
    result = finish(flow, program)
    assert result.code == 0 and f"{BOB}: asked for and not granted: ads_read\n" in result.err


# ---- the client token ----

def denied(flow, *options, **how):
    """A login whose client token comes in some way and is not the app's; what was asked of the provider."""
    asked = len(flow.graph.requests("device_start"))
    result = flow.run("login", BOB, "--device", *options, **how)
    assert result.code == CONFIG and not result.out, result
    return flow.graph.requests("device_start")[asked:]


def test_the_client_token_from_a_file(flow, tmp_path):
    """Of its user alone; "-" is standard input."""
    file = given(tmp_path, "0" * 32)
    assert len(denied(flow, "--client-token-file", file)) == 1
    assert len(denied(flow, "--client-token-file", "-", stdin="0" * 32)) == 1
    file.chmod(0o644)
    before = len(flow.graph.requests())
    with untouched(flow.vault):
        refused(flow.run("login", BOB, "--device", "--client-token-file", file), CONFIG, "chmod 600")
    assert len(flow.graph.requests()) == before


def test_the_client_token_is_typed(flow):
    """At a terminal, without echo; in no argument and no environment of the three programs."""
    wrong = flow.canaries.add("typed client token", "0f" * 16)
    program = Watched(flow.vault, ["login", BOB, "--device", "--ask-pin"], [
        (r"client token, from the app's dashboard: $", wrong),
        (rf"PIN for .* \(login {BOB}, 1 use\): $", (SoftCard(flow.vault).directory / "pin").read_text())])
    result = program.finish()
    assert result.code == CONFIG, result
    flow.check(result)
    for seen in (process for moment in program.seen for process in moment.values()):
        assert flow.canaries.leaks(texts=seen.texts) == []


@pytest.mark.parametrize("text, words", [
    ("", "it is empty"), ("a|b", "the client token is not valid"), ("a b", "byte 2 of 3 is white"),
    ("0" * 200, "the client token is not valid")], ids=range(4))
def test_a_client_token_that_is_none(flow, text, words):
    """Found before the card is asked."""
    spy = SoftCard(flow.vault).spy()
    with untouched(flow.vault):
        refused(flow.run("login", BOB, "--device", stdin=text), USAGE, words)
    assert spy.logins == 0


@pytest.mark.parametrize("option", [("--client-token", "{}"), ("--client-token={}",)])
def test_no_client_token_among_the_arguments(flow, option):
    """It was taken there once: refused, not repeated, and how it is given now."""
    words = [word.format(flow.client_token) for word in option]
    with untouched(flow.vault):
        refused(flow.run("login", BOB, "--device", *words), USAGE, "other users can read arguments",
                "--client-token-file FILE")


# ---- the device ----

def test_asked_too_fast(flow):
    """slow_down: five seconds more between two polls."""
    program = start(flow, sooner=1)
    flow.rules(device_interval=9)
    caller = Caller(flow.graph)
    caller.post("device/login_status", code=flow.graph.issued("device code")[-1],
                access_token=f"{flow.app_id}|{flow.client_token}")  # somebody asks in between
    flow.graph.device_answer()
    result = finish(flow, program)
    assert result.code == 0 and flow.steps().count("device_poll") == 3, result


def test_pending(flow):
    """What is not confirmed yet is no failure."""
    program = start(flow, sooner=2)
    count = len(flow.graph.requests("device_poll"))
    flow.graph.wait("answer:device_poll", count + 1)
    flow.graph.device_answer()
    result = finish(flow, program)
    assert result.code == 0 and flow.steps().count("device_poll") == 2, result


def test_declined(flow):
    """The person says no: that is in the log, and the old grant stays."""
    before = flow.facts
    program = start(flow, name=ALICE)
    flow.graph.device_answer("decline")
    result = finish(flow, program)
    assert result.code == LOGIN and not result.out, result
    facts = flow.facts
    assert (facts.sealed, facts.versions) == (before.sealed, before.versions)
    assert (facts.outcome["result"], facts.outcome["subcode"]) == ("failed", 1349173)


def test_the_code_expires(flow):
    """Nobody has typed it."""
    program = start(flow)
    flow.graph.clock(421)
    result = finish(flow, program)
    assert result.code == LOGIN and f"p11vault login {BOB}" in result.err, result


def test_a_wrong_client_token(flow):
    """The app's own settings are wrong, not the person."""
    flow.file.write_text("0" * 32)
    result = finish(flow, start(flow))
    assert result.code == CONFIG and not result.out, result


def test_another_account(flow):
    """As with a browser: not in the place of the old one unless somebody says so."""
    flow.done("exchange", ALICE)
    flow.person("10153848260347725")
    program = start(flow, name=ALICE)
    flow.graph.device_answer()
    result = finish(flow, program)
    assert result.code == USAGE and f"it was {PERSON} before" in result.err, result
    assert flow.columns()["subject"] == PERSON


def test_a_card_that_is_not_there(flow):
    """Then nobody is told to type anything."""
    SoftCard(flow.vault).take_out()
    before = len(flow.graph.requests())
    result = flow.run("login", BOB, "--device", stdin=flow.client_token)
    assert result.code == 20 and "type" not in result.err, result
    assert len(flow.graph.requests()) == before


@pytest.mark.parametrize("family", ["instagram", "threads"])
def test_families_without_devices(ready_vault, graph, canaries, family):
    """They have no such call."""
    flow = Flow(ready_vault, graph, canaries, family, "photos")
    with untouched(flow.vault):
        result = flow.run("login", f"photos/{family}/ann", "--device", stdin="x" * 32)
        refused(result, USAGE, "has no device login")
