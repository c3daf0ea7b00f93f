"""A provider that sends more than it is asked for, or earlier, or closes: what becomes of grants, codes and facts."""

import json

import pytest

from cards import GRANT, Facts, grant_untouched, refused
from fakeroom import EXCHANGE, FakeRoom
from flows import Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from renewing import Fleet, later, listed
from test_card_faults import Shim

RETRY, STOP = 10, 15
BEHIND = "more bytes follow the end of the answer"
CRLF = {"extra_bytes": {"text": "\r\n"}, "stray": {"texts": ["\r\n"]}}
BOB, DAN, EVE = "ads/user/bob", "ads/user/dan", "ads/user/eve"


def facts_of(app_id, user_id, **more):
    """As debug_token tells them."""
    return {"data": {"app_id": app_id, "user_id": user_id, "type": "USER", "is_valid": True,
                     "expires_at": 4102444800, "scopes": [], **more}}


def asked(graph, before):
    """The steps since then, and over how many connections."""
    requests = graph.requests()[before:]
    return [one["step"] for one in requests], len({one["connection"] for one in requests})


# ---- more answers than requests ----

def test_two_stray_answers_behind_an_inspection(ready_vault, graph):
    """A dead token, and that it is fine: neither is believed, and the good grant's ciphertext stays."""
    dead = graph.add_token(ready_vault.app_id, ready_vault.user_id, revoked=True)
    graph.misbehave("debug_token", "stray", 1, bodies=[
        {"access_token": dead, "token_type": "bearer", "expires_in": 5183944},
        facts_of(ready_vault.app_id, ready_vault.user_id)])
    before = len(graph.requests())
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", GRANT), STOP, f"{GRANT}: inspect-input: {BEHIND}")
    assert asked(graph, before) == (["debug_token"], 1)
    ready_vault.done("exchange", GRANT)
    assert Facts(ready_vault).versions == {GRANT: (2, False)}


def test_grants_of_a_batch_do_not_get_each_others_facts(ready_vault, graph):
    """One stray answer shifts all that follow by one: so nothing follows it on its connection."""
    fleet = Fleet(ready_vault, graph)
    people = {BOB: "1001", DAN: "1002", EVE: "1003"}  # whose grants never expire: they are only looked at
    for name, user_id in people.items():
        fleet.know(name, user_id=user_id, expires_at=0, issued_at=1)
    ready_vault.done("grant", "forget", GRANT, "--yes")
    graph.misbehave("debug_token", "stray", 1, bodies=[
        facts_of(ready_vault.app_id, "666", expires_at=0)])
    result = fleet.refresh("--all", "--json")
    subjects = {name: json.loads(ready_vault.done("grant", "show", name, "--json").out)["subject"]
                for name in people}
    assert subjects == people
    assert result.code == STOP, result
    told = [one["error"] for one in listed(result).values() if "error" in one]
    assert len(told) == 1 and BEHIND in told[0], told
    assert fleet.calls() == ["debug_token"] * 3
    assert sorted(fleet.outcomes().values()) == ["done", "done", "failed"]


# ---- before anything was asked ----

@pytest.fixture(name="held")
def _held(ready_vault):
    """The card waits at its signature, when the connection stands already, until it is let go."""
    shim = Shim(ready_vault)
    shim.hold("C_Sign")
    return shim


EARLY = {
    "answer": ("early", "early", {"body": facts_of("1", "666")}), "timeout": ("early", "early", {}),
    "goodbye": ("close", "closed", {"how": "notify"}), "end": ("close", "closed", {"how": "fin"}),
}


@pytest.mark.parametrize("kind, event, options", EARLY.values(), ids=EARLY)
def test_before_the_first_request(ready_vault, graph, held, kind, event, options):
    """Nobody has been asked anything: another connection is made, and what came is not shown."""
    graph.misbehave("connect", kind, 1, **options)
    before, count = len(graph.requests()), graph.tell("wait", event=event, count=0)["count"]
    program = ready_vault.start("inspect", GRANT, "--json")
    held.wait_until_held()
    graph.wait(event, count + 1)
    held.let_go()
    result = program.finish()
    assert (result.code, "666" in result.out) == (0, False), result
    assert json.loads(result.out)["subject"] == ready_vault.user_id
    assert asked(graph, before) == (["debug_token"], 1)


UNASKED = """
import pathlib
honest_inspect = inspect
tries = pathlib.Path(%r)
def unasked(step):
    say("outcome", step[1], 10, 0, 0, 0, "", "the server closed the connection", "",
        canonical({"facts": {}}), 0, 0, 0, 0)
def inspect(step, slot):
    tries.write_text(tries.read_text() + "." if tries.exists() else ".")
    if len(tries.read_text()) > %d:
        honest_inspect(step, slot)
    else:
        unasked(step)
"""


def with_room(vault, script, *arguments):
    """A run whose exchange room is that script."""
    own = vault.programs
    with FakeRoom(own, "exchange", EXCHANGE + script) as directory:
        vault.programs = directory
        try:
            return vault.run(*arguments)
        finally:
            vault.programs = own


@pytest.mark.parametrize("times, code", [(1, 0), (2, RETRY)])
def test_another_connection_is_tried_once(ready_vault, times, code):
    """A room that could not ask says so; the second time that is what the person hears."""
    tries = ready_vault.directory / "tries"
    result = with_room(ready_vault, UNASKED % (str(tries), times) + "follow()", "inspect", GRANT)
    assert (result.code, len(tries.read_text())) == (code, 2), result
    assert code == 0 or "inspect-input: the server closed the connection" in result.err, result


def test_what_is_in_doubt_is_not_kept(ready_vault):
    """More came behind an inspection, when the next step was to be asked: its facts are not written down."""
    script = """
def exchange(step, slot):
    say("outcome", step[1], 15, 0, 0, 0, "", "the server sent more", "", canonical({"facts": {}}), 0, 0, 0, 0)
follow()
"""
    with grant_untouched(ready_vault):
        refused(with_room(ready_vault, script, "exchange", GRANT), STOP, "exchange: the server sent")
    assert "subject" not in json.loads(ready_vault.done("grant", "show", GRANT, "--json").out)


# ---- what was issued is not thrown away ----

@pytest.mark.parametrize("kind", CRLF)
def test_crlf_behind_an_issuing_answer(ready_vault, graph, kind):
    """The provider is asked about it over another connection, and then it counts."""
    graph.misbehave("exchange", kind, 1, **CRLF[kind])
    before = len(graph.requests())
    ready_vault.done("exchange", GRANT)
    assert asked(graph, before) == (["debug_token", "exchange", "debug_token"], 2)
    assert Facts(ready_vault).versions == {GRANT: (2, False)}


@pytest.mark.parametrize("kind", CRLF)
def test_it_waits_when_nobody_can_be_asked(ready_vault, graph, kind):
    """Pending, and the next run asks about it instead of asking for one more."""
    graph.misbehave("exchange", kind, 1, **CRLF[kind])
    graph.misbehave("debug_token", kind, 2, **CRLF[kind])
    refused(ready_vault.run("exchange", GRANT), STOP, f"{GRANT}: inspect-result: {BEHIND}")
    assert Facts(ready_vault).versions == {GRANT: (1, True)}
    before = len(graph.requests())
    ready_vault.done("exchange", GRANT)
    assert asked(graph, before)[0] == ["debug_token"]
    assert Facts(ready_vault).versions == {GRANT: (2, False)}


def test_somebody_elses_is_found_out(ready_vault, graph):
    """A stray answer in the place of the right one: what it issued is kept, asked about, and rejected."""
    other = graph.add_token(ready_vault.app_id, "666")
    graph.misbehave("exchange", "fields", 1, set={"access_token": other})
    graph.misbehave("exchange", "stray", 1, texts=["\r\n"])
    refused(ready_vault.run("exchange", GRANT), STOP, "belongs to another user")
    facts = Facts(ready_vault)
    assert facts.versions == {GRANT: (1, False)}
    assert [entry["state"] for entry in facts.entries
            if entry["type"] == "state" and entry["version"] == 2] == ["rejected"]


# ---- logins ----

@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """A person who says yes."""
    return Flow(ready_vault, graph, canaries)


@pytest.mark.parametrize("kind", CRLF)
def test_crlf_behind_the_code_s_answer(flow, kind):
    """It is confirmed before it is sent anywhere else; so it is kept as it is, short-lived."""
    flow.graph.misbehave("code", kind, 1, **CRLF[kind])
    result = flow.login(BOB)
    assert result.code == 0 and f"could not be lengthened now: {BEHIND}" in result.err, result
    assert flow.steps() == ["code", "debug_token"]
    assert flow.states(BOB) == {1: "current"}
    assert "(60 days)" in flow.done("exchange", BOB).out


@pytest.mark.parametrize("kind", CRLF)
def test_crlf_behind_the_long_lived_one(flow, kind):
    """Both are kept until it is confirmed."""
    flow.graph.misbehave("exchange", kind, 1, **CRLF[kind])
    assert flow.login(BOB).code == 0
    assert flow.steps() == ["code", "exchange", "debug_token"]
    assert flow.states(BOB) == {1: "previous", 2: "current"}


def test_an_idle_connection_costs_no_code(flow):
    """However long the card takes: the room with the code connects when it is done."""
    shim = Shim(flow.vault)
    shim.hold("C_Sign")
    flow.graph.misbehave("connect", "early", held=True)
    program = flow.vault.start("login", BOB, "--port", flow.port, "--yes", env=flow.browser())
    shim.wait_until_held()
    flow.graph.tell("release")  # who is connected by now has been idle for too long
    shim.let_go()
    result = program.finish()
    flow.check(result)
    assert result.code == 0, result
    assert flow.steps() == ["code", "exchange", "debug_token"]


def test_a_code_that_is_lost(flow):
    """Its room connects once, and another has no code: the person is told what to do."""
    script = UNASKED % (str(flow.vault.directory / "tries"), 1) + """
hear_room("login")
say("dialog", "https://www.facebook.com/")
say("came")
inspect = lambda step, slot: unasked(step)
follow()
"""
    with grant_untouched(flow.vault):
        result = with_room(flow.vault, script, "login", GRANT, "--port", flow.port)
    assert result.code == RETRY, result
    assert "code: the server closed the connection" in result.err, result
    assert "hint: its code is lost with the connection: run the same command again" in result.err


def test_a_device_s_code_that_is_lost(flow):
    """The connection ends with the answer that gave it: there is nothing to ask about it with."""
    token = flow.graph.set_app(flow.app_id)["client_token"]
    flow.rules(device_interval=0)
    flow.graph.misbehave("device_start", "close")
    with grant_untouched(flow.vault):
        result = flow.vault.run("login", GRANT, "--device", "--client-token-file", "-", stdin=token,
                                env=later(flow.vault, 0, 20))
    assert result.code == RETRY, result
    assert "device-poll: the server has closed the connection" in result.err, result
    assert "hint: its code is lost with the connection: run the same command again" in result.err
