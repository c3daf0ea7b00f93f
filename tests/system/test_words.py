"""Words that a person reads: what is said must be so, and the hint must help."""

import json

import pytest

from cards import GRANT, WRONG_PIN, SoftCard, refused
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from renewing import Fleet, long_lived

BOB, EVE = "ads/user/bob", "ads/user/eve"


def test_somebody_is_at_the_terminal(ready_vault):
    """A PIN from a file that was rejected is not tried again, whoever sits there."""
    SoftCard(ready_vault).pin.write_text(WRONG_PIN)
    refused(ready_vault.run("exchange", GRANT, pty=[]), 21, "PIN is wrong")
    SoftCard(ready_vault).pin.write_text(WRONG_PIN + "1")
    result = ready_vault.run("exchange", GRANT, pty=[])
    refused(result, 22, "a wrong PIN was given before, so the PIN from pin-source is not tried", "--ask-pin")
    assert "nobody" not in result.err


@pytest.mark.parametrize("word, seconds", [
    ("card", ["list", "enroll", "export", "remove"]), ("audit", ["show", "verify", "key"])],
    ids=["card", "audit"])
def test_verbs_that_begin_alike(vault, word, seconds):
    """--help behind their first word lists them, and no others."""
    result = vault.start_bare(word, "--help").finish()
    verbs = [line.split()[:2] for line in result.out.splitlines() if line.startswith("  ") and "--" not in line[:5]]
    assert result.code == 0 and all([word, second] in verbs for second in seconds), result
    assert {first for first, _ in verbs if first != "-v"} == {word}, result


def test_a_mistyped_second_word(vault):
    """The first one is right, and that is said."""
    refused(vault.start_bare("audit", "shwo").finish(), 2,
            "there is no verb 'audit shwo'; 'audit' needs one of: show, verify, ", "hint: p11vault audit --help")


def test_status_of_nothing(ready_vault):
    """An app that is not there is an error; one without grants is not."""
    refused(ready_vault.run("status", "nope"), 2, "there is no app 'nope' (there is: ads)", "p11vault app add")
    refused(ready_vault.run("status", "nope", "--json"), 2, "there is no app 'nope'")
    ready_vault.done("app", "add", "more", "--id", "1234567891", stdin="0123456789abcdef" * 2)
    result = ready_vault.done("status", "more")
    assert result.out == "" and "there are no grants of more yet" in result.err, result


def test_a_revoked_grant_has_no_days_left(ready_vault, graph):
    """Whatever its expiry says."""
    fleet = Fleet(ready_vault, graph)
    graph.tell("revoke", token=fleet.know(BOB, **long_lived(50)))
    assert ready_vault.run("inspect", BOB).code == 12
    lines = ready_vault.done("status").out.splitlines()
    assert f"{BOB}  revoked" in lines, lines
    [told] = [one for one in json.loads(ready_vault.done("status", "--json").out) if one["name"] == BOB]
    assert told["expires"] > 0


def test_every_grant_that_needs_a_person_is_counted(ready_vault, graph):
    """One that was known to be dead, and one that turns out to be: both, and both are said."""
    fleet = Fleet(ready_vault, graph)
    graph.tell("revoke", token=fleet.know(BOB, **long_lived(50)))
    assert ready_vault.run("inspect", BOB).code == 12
    graph.tell("revoke", token=ready_vault.token)
    result = ready_vault.run("refresh", "--all")
    assert result.code == 12 and "p11vault: error: 2 grants need a person\n" in result.err, result
    assert f"{BOB}: dead at the provider" in result.err and f"p11vault: error: {GRANT}: " in result.err
    fleet.know(EVE, **long_lived(50))
    graph.tell("revoke", token=fleet.know("ads/user/dan", **long_lived(50)))
    result = ready_vault.run("refresh", "--all")
    assert result.code == 12 and "p11vault: error: 3 grants need a person\n" in result.err, result


def test_a_path_that_is_none(ready_vault):
    """The person chose it, so that is looked at first."""
    result = ready_vault.run("call", GRANT, "GET", "nope")
    assert result.code == 14 and "the provider does not know the path of the call" in result.err, result
    assert "hint: check the path; when that is right: api-version in [meta]" in result.err


def test_an_entry_that_is_none(ready_vault):
    """A checkpoint would not make it."""
    count = len(ready_vault.done("audit", "export", "--lines").out.splitlines())
    for number in (count, 9999):
        refused(ready_vault.run("audit", "prove", str(number)), 2,
                f"there is no entry {number}: the log has {count}, from 0 on", "hint: p11vault audit show")


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["table", "json"])
def test_no_entry_matches(ready_vault, options):
    """Silence would look like a log that is empty."""
    result = ready_vault.done("audit", "show", "--grant", "nope", *options)
    assert (result.out, result.said) == ("", "no entry matches\n")


def test_what_comes_next(vault):
    """A command that works: without a module nothing can be listed."""
    result = vault.done("init")
    assert f"next: add to {vault.config} the line [module opensc] and below it path = " in result.err, result
    assert result.err.endswith("; then: p11vault card list\n")


def test_what_comes_next_with_a_module(vault):
    """It is there, so its cards can be looked at; a soft card is the one to enrol."""
    vault.configure("[module opensc]\npath = /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so\n")
    assert vault.done("init").err.endswith("\nnext: p11vault card list\n")


def test_what_comes_next_with_a_soft_card(vault):
    """It is the one to enrol."""
    assert vault.done("init", "--soft").err.endswith("\nnext: p11vault card enroll\n")
