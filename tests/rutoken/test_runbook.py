"""docs/runbook.md with two cards: what an operator does when one of them is gone."""

import json

import pytest

from card import OTHER_SERIAL, SERIAL
from cards import refused
from scene import GRANT, LATER
from test_rutoken import ONE_EXCHANGE, exchange, exchanged


@pytest.fixture
def recovery(ready):
    """A second card, enrolled after the app was there, to which the app is sealed since."""
    card = ready.second_card()
    ready.vault.done("card", "enroll", f"pkcs11:serial={OTHER_SERIAL}")
    card.remove()
    ready.vault.done("app", "reseal", "ads")
    assert sealed_to(ready) == {SERIAL, OTHER_SERIAL}
    return card


def sealed_to(scene):
    """The serials of the cards that open the app."""
    lines = scene.vault.done("app", "show", "ads").out.splitlines()
    return {line.split()[1] for line in lines if line.startswith("card")}


def state(scene):
    """What `status` says of the grant."""
    grants = json.loads(scene.vault.done("status", "--json").out)
    return next(grant["state"] for grant in grants if grant["name"] == GRANT)


def test_recovery_card(ready, recovery):
    """It opens the app alone."""
    ready.card.remove()
    recovery.insert()
    assert exchanged(ready) == ONE_EXCHANGE


def test_lost_card(ready, recovery):
    """Removed with the other one; nothing opens with it any more, and status says what is exposed."""
    ready.card.remove()
    recovery.insert()
    ready.vault.done("card", "remove", SERIAL, "--lost", "--yes")
    assert sealed_to(ready) == {OTHER_SERIAL} and state(ready) == "exposed"
    ready.vault.done("app", "rekey", "ads")
    assert exchanged(ready) == ONE_EXCHANGE
    ready.vault.done("audit", "verify")
    recovery.remove()
    ready.card.insert()
    refused(exchange(ready, offset=2 * LATER), 20, "no card fits")


def test_removing_asks(ready, recovery):
    """Without a person to answer nothing is removed, and the hint is the whole command."""
    assert recovery.serial == OTHER_SERIAL
    refused(ready.vault.run("card", "remove", SERIAL, "--lost"), 2, "nothing was changed",
            f"hint: p11vault card remove {SERIAL} --lost --yes")
    assert sealed_to(ready) == {SERIAL, OTHER_SERIAL}


def test_broken_card(ready, recovery):
    """Removed without being lost: nothing is exposed."""
    ready.card.remove()
    recovery.insert()
    ready.vault.done("card", "remove", SERIAL, "--yes")
    assert sealed_to(ready) == {OTHER_SERIAL} and state(ready) != "exposed"
    assert exchanged(ready) == ONE_EXCHANGE


def test_taken_out_while_rekeying(ready, recovery):
    """All or none: with the card back it is done again, and everything opens before and after."""
    assert recovery.serial == OTHER_SERIAL
    ready.house.tell("remove_at", at="decipher")
    result = ready.vault.run("app", "rekey", "ads")
    assert result.code == 23, result
    ready.card.insert()
    assert exchanged(ready) == ONE_EXCHANGE
    ready.vault.done("app", "rekey", "ads")
    assert exchanged(ready, offset=2 * LATER) == ONE_EXCHANGE


def test_last_card(ready):
    """The only card that opens an app is not removed."""
    result = ready.vault.run("card", "remove", SERIAL, "--yes")
    assert result.code != 0 and "hint: " in result.err, result
    assert exchanged(ready) == ONE_EXCHANGE
