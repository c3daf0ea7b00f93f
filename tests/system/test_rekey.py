"""`app rekey` beside other processes: what is sealed to the old key is moved, or not sealed."""

import json

import pytest

from cards import GRANT, Facts, SoftCard, refused
from test_main_job import USER, exchange_again
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

BOB = "ads/user/bob"
WORKING = "another process is working with app 'ads'"
REKEYING = "another process is giving app 'ads' another key"
WAIT = "hint: wait for it to end"


def app_key(vault):
    """The thumbprint of the app's key."""
    return json.loads(vault.done("app", "show", "ads", "--json").out)["key"]


def asks_pin(vault):
    """A PIN that a person types, so that a verb waits; what is typed."""
    card = SoftCard(vault)
    card.change("pin-source", None)
    return card.pin.read_text()


def token_of(ready_vault, graph):
    """A token of the app, as the provider issues it."""
    return graph.tell("add_token", app_id=ready_vault.app_id, user_id=USER)["token"]


# ---- two processes ----

def test_nothing_is_sealed_to_the_old_key_meanwhile(ready_vault, graph):
    """While `app rekey` waits for its PIN, nobody imports, logs in, issues, exchanges or forgets."""
    pin, before = asks_pin(ready_vault), app_key(ready_vault)
    token = token_of(ready_vault, graph)
    others = [(("import", BOB), token), (("app", "set-secret", "ads"), "0" * 32),
              (("exchange", GRANT), None), (("login", BOB, "--paste"), None),
              (("issue", "ads/app/own"), None), (("inspect", GRANT), None),
              (("grant", "rename", GRANT, BOB), None), (("grant", "forget", GRANT, "--yes"), None)]
    results = []

    def others_try():
        results.extend(ready_vault.run(*verb, stdin=stdin) for verb, stdin in others)
        return pin

    ready_vault.done("app", "rekey", "ads",
                     pty=[(r"PIN .*\(app rekey ads, 1 use\): $", others_try)])
    assert len(results) == len(others)
    for result in results:
        refused(result, 31, REKEYING, WAIT)
    assert app_key(ready_vault) != before
    assert set(Facts(ready_vault).versions) == {GRANT}
    ready_vault.done("import", BOB, stdin=token)
    prompt = r"PIN .*: $"
    for name in (GRANT, BOB):
        ready_vault.done("inspect", name, pty=[(prompt, pin)])
    ready_vault.done("audit", "verify")


def test_no_other_key_while_something_is_sealed(ready_vault, graph):
    """A token being typed, a login that a person has open, a use of the card: the key stays."""
    token, key, results = token_of(ready_vault, graph), app_key(ready_vault), []

    def rekeys(typed):
        def answer():
            results.append(ready_vault.run("app", "rekey", "ads"))
            return typed
        return answer

    ready_vault.done("import", BOB, pty=[("access token: $", rekeys(token))])
    pasted = ready_vault.run("login", BOB, "--paste", pty=[("address.*: $", rekeys(b"\x03"))])
    assert pasted.code != 0
    pin = asks_pin(ready_vault)
    ready_vault.done("inspect", GRANT, pty=[("PIN .*: $", rekeys(pin))])
    assert len(results) == 3
    for result in results:
        refused(result, 31, WORKING, WAIT)
    assert app_key(ready_vault) == key
    prompt = [("PIN .*: $", pin)]
    assert "3 records sealed anew" in ready_vault.done("app", "rekey", "ads", pty=prompt).err
    for name in (GRANT, BOB):
        ready_vault.done("inspect", name, pty=prompt)
    ready_vault.done("audit", "verify")


def test_two_uses_at_once(ready_vault, graph):
    """One use of an app does not keep another one out."""
    pin = asks_pin(ready_vault)
    token = token_of(ready_vault, graph)
    ready_vault.done("import", BOB, stdin=token)
    prompt, results = "PIN .*: $", []

    def another():
        results.append(ready_vault.run("inspect", BOB, pty=[(prompt, pin)]))
        return pin

    ready_vault.done("inspect", GRANT, pty=[(prompt, another)])
    assert [result.code for result in results] == [0], results


# ---- what waits to be confirmed ----

@pytest.mark.parametrize("name, verb, hint", [
    (GRANT, ("exchange", GRANT), f"hint: p11vault exchange {GRANT}\n"),
    ("ads/app/own", ("issue", "ads/app/own"),
     "hint: p11vault issue ads/app/own; or give it up: p11vault grant forget ads/app/own\n"),
], ids=["replacing", "new"])
def test_pending(ready_vault, graph, name, verb, hint):
    """The hint is a command that helps, whether or not there is a grant that can be exchanged."""
    which = 2 if name == GRANT else 1
    graph.misbehave("debug_token", "http_error", which=which, status=500, code=2)
    assert ready_vault.run(*verb).code == 10
    graph.tell("clear_misbehaviours")
    result = ready_vault.run("app", "rekey", "ads")
    refused(result, 14, f"'{name}' ", "waits to be confirmed")
    assert hint in result.err
    ready_vault.done(*verb)
    ready_vault.done("app", "rekey", "ads")
    ready_vault.done("audit", "verify")


def test_pending_is_given_up(ready_vault, graph):
    """The other way out, when nothing was there before."""
    graph.misbehave("debug_token", "http_error", which=1, status=500, code=2)
    assert ready_vault.run("issue", "ads/app/own").code == 10
    graph.tell("clear_misbehaviours")
    assert ready_vault.run("app", "rekey", "ads").code == 14
    ready_vault.done("grant", "forget", "ads/app/own", "--yes")
    ready_vault.done("app", "rekey", "ads")
    exchange_again(ready_vault, graph)
