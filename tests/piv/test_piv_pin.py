"""PIN and PUK of a PIV card: three tries each, the lock, the way back; and a card that is taken out."""

import re

import pytest

from cards import grant_untouched, refused
from pivcard import FACTORY_PIN, PIN, PUK
from pivscene import P256, key
from scene import GRANT, LATER
from test_piv import LABELS, ONE_EXCHANGE, SERIALS, exchanged

WRONG, NEW_PIN, TRIES = "112233", "908172", 3
PUT_BACK = "run the command again"
# What each module makes of the tries that are left, one wrong PIN behind the other.
SAID = {"opensc": ["PIN is wrong", "PIN is wrong, one try is left", None],
        "ykcs11": ["PIN is wrong, the card warns that tries are running low",
                   "PIN is wrong, one try is left", None]}


def typed(scene, module, pin, **how):
    """An exchange with this PIN typed."""
    prompt = rf"PIN for {re.escape(LABELS[module])} {SERIALS[module]} \(exchange {GRANT}, 1 use\): $"
    return scene.exchange("--ask-pin", pty=[(prompt, pin)], **how)


def lock(scene):
    """As others do: the card's own tool, with wrong PINs."""
    for _ in range(TRIES):
        scene.card.tool("-a", "verify-pin", "-P", WRONG, fails=True)


def test_wrong_pin(ready_each, module):
    """One try for one entry; the last one is not taken; the right PIN puts the counter back."""
    with grant_untouched(ready_each.vault):
        refused(typed(ready_each, module, WRONG), 21, SAID[module][0])
    assert ready_each.card.facts["user"] == TRIES - 1
    with grant_untouched(ready_each.vault):
        refused(typed(ready_each, module, WRONG), 21, SAID[module][1])
    assert ready_each.card.facts["user"] == TRIES - 2
    ready_each.card.tool("-a", "verify-pin", "-P", PIN)
    assert typed(ready_each, module, PIN).code == 0
    assert ready_each.card.facts["user"] == TRIES


def test_wrong_pin_from_a_file(ready_each):
    """Tried once, and not again by the next job, nor the one behind that."""
    ready_each.pin_file.write_text(WRONG + "\n")
    with grant_untouched(ready_each.vault):
        refused(ready_each.exchange(), 21, "PIN is wrong", f"correct {ready_each.pin_file}")
    for _ in range(2):
        refused(ready_each.exchange(), 22, "not tried")
    assert ready_each.card.facts["user"] == TRIES - 1


def test_locked_and_unlocked(ready_each, module):
    """Said with the way out; the PUK gives a new PIN, as docs/yubikey.md says, and all is as before."""
    lock(ready_each)
    with grant_untouched(ready_each.vault):
        refused(ready_each.exchange("--ask-pin"), 22, "PIN is locked",
                "unlock it with the card's own tool and its SO PIN or PUK")
    ready_each.card.tool("-a", "unblock-pin", "-P", PUK, "-N", NEW_PIN)
    assert typed(ready_each, module, NEW_PIN).code == 0
    ready_each.pin_file.write_text(NEW_PIN + "\n")
    assert exchanged(ready_each, offset=2 * LATER) == ONE_EXCHANGE


def test_factory_pin(blank):
    """Told to the person who types it."""
    blank.put_anew(keys=P256, factory=True)
    asks = rf"PIN for {LABELS['opensc']} {SERIALS['opensc']} \(enrol, 1 use\): $"
    result = blank.vault.done("card", "enroll", key("9d"), "--sign", key("9c"), "--ask-pin",
                              pty=[(asks, FACTORY_PIN)])
    assert "has the PIN that it left the factory with" in result.terminal


# ---- taken out ----

MOMENTS = {
    "login": ("verify", "before", 0, ["C_Login failed: ", "is in its reader"]),
    "second login": ("verify", "before", 1, ["sign the log: ", "C_Login for this key failed: "]),
    "sign": ("use 9c", "before", 0, ["sign the log: ", "C_Sign failed: "]),
    "sign, answer lost": ("use 9c", "unanswered", 0, ["sign the log: ", "C_Sign failed: "]),
    "agree": ("use 9d", "before", 0, ["unwrap the key of app 'ads': ", "C_DeriveKey failed: "]),
    "agree, answer lost": ("use 9d", "unanswered", 0,
                           ["unwrap the key of app 'ads': ", "C_DeriveKey failed: "]),
}


@pytest.mark.parametrize("at, when, skip, words", MOMENTS.values(), ids=MOMENTS)
def test_taken_out(ready, at, when, skip, words):
    """No key is handed, nothing is lost, no PIN is tried again; with the card back it works at once."""
    ready.vault.done("audit", "checkpoint")  # a try that broke off is repeated only of a PIN that was accepted before
    mark = ready.house.tell("mark")["mark"]
    ready.house.tell("remove_at", at=at, when=when, skip=skip)
    with grant_untouched(ready.vault):
        refused(ready.exchange(), 23, *words)
    assert ready.house.counts(mark).get("verify", 0) <= 2
    assert ready.card.facts["user"] == TRIES
    assert not ready.graph.requests("exchange")[ready.requests:]
    ready.card.insert()
    assert exchanged(ready) == ONE_EXCHANGE


def test_taken_out_while_it_blinks(blank):
    """Pulling the card ends the wait for a touch at once."""
    blank.put_anew(keys=P256, policies={"9c": {"touch": "always"}})
    blank.enroll("9d", "9c")
    blank.make_ready()
    blank.house.tell("finger", after=None)
    blinks = blank.house.tell("wait", event="blinks", count=0)["count"]
    started = blank.vault.start("exchange", GRANT)
    blank.house.wait("blinks", blinks + 1)
    blank.card.remove()
    refused(started.finish(), 23, "sign the log: ", PUT_BACK)
