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

BOB = "ads/user/bob"
USAGE, LOGIN, CONFIG = 2, 12, 14


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """An app with a client token."""
    flow = Flow(ready_vault, graph, canaries)
    flow.client_token = graph.set_app(flow.app_id)["client_token"]
    return flow


def start(flow, *options, name=BOB, sooner=20):
    """A login that has told its code, as far as the provider knows; it waits a part of the time."""
    count = len(flow.graph.requests("device_start")) + 1
    if sooner > 1:
        flow.rules(device_interval=0)
    program = flow.vault.start("login", name, "--device", "--client-token", flow.client_token,
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
    assert flow.works(BOB)


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
    flow.client_token = "0" * 32
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
    result = flow.run("login", BOB, "--device", "--client-token", flow.client_token)
    assert result.code == 20 and "type" not in result.err, result
    assert len(flow.graph.requests()) == before


@pytest.mark.parametrize("family", ["instagram", "threads"])
def test_families_without_devices(ready_vault, graph, canaries, family):
    """They have no such call."""
    flow = Flow(ready_vault, graph, canaries, family, "photos")
    with untouched(flow.vault):
        result = flow.run("login", f"photos/{family}/ann", "--device", "--client-token", "x" * 32)
        refused(result, USAGE, "has no device login")
