"""Keys that want to be touched: what is said while the card waits, and that a touch that never comes costs nothing else."""

import re

import pytest

from cards import grant_untouched, refused
from pivscene import P256
from scene import GRANT, LATER
from test_piv import ONE_EXCHANGE, WORK, exchanged

ALWAYS = {slot: {"touch": "always"} for slot in ("9c", "9d")}
BLINKS = "waiting for the card: touch it if it blinks"
PATIENCE = 5.5  # seconds that these cards wait; a YubiKey waits for 15
WAITS = "if the card blinked, it waited for a touch: run the command again, and touch it then"


def test_told_while_it_waits(blank_each):
    """A second after the PIN, at each wait: for the key's proof, for the signature; not where a finger is at once there."""
    blank_each.put_anew(keys=P256, policies=ALWAYS)
    blank_each.house.tell("finger", after=1.3)
    assert blank_each.enroll("9d", "9c").err.count(BLINKS) == 2
    assert blank_each.vault.done("audit", "checkpoint").err.count(BLINKS) == 1
    blank_each.house.tell("finger", after=0)
    assert BLINKS not in blank_each.vault.done("audit", "checkpoint").err


@pytest.mark.parametrize("slot, doing", [("9c", "sign the log: "), ("9d", "unwrap the key of app 'ads': ")],
                         ids=["sign", "unwrap"])
def test_nobody_touches_it(blank_each, slot, doing):
    """One wait, by a job with its PIN in a file: no second try of key or PIN, and the next run works."""
    blank_each.put_anew(keys=P256, policies={slot: ALWAYS[slot]}, touch=PATIENCE)
    blank_each.enroll("9d", "9c")
    blank_each.make_ready()
    blank_each.house.tell("finger", after=None)
    mark = blank_each.house.tell("mark")["mark"]
    with grant_untouched(blank_each.vault):
        result = blank_each.exchange()
        refused(result, 23, doing, WAITS)
    counts = blank_each.house.counts(mark)
    assert (counts[f"use {slot}"], counts["verify"]) == (1, 2), counts
    assert blank_each.card.facts == {"user": 3, "puk": 3, "logged_in": 0}
    blank_each.house.tell("finger", after=0)
    assert exchanged(blank_each, offset=2 * LATER) == ONE_EXCHANGE


def test_a_touch_that_lasts(blank):
    """The policy "cached" for both keys: one touch is enough for an exchange."""
    cached = {slot: {"touch": "cached"} for slot in ("9c", "9d")}
    blank.put_anew(keys=P256, policies=cached)
    blank.enroll("9d", "9c")
    blank.make_ready()
    blinks = blank.house.tell("wait", event="blinks", count=0)["count"]
    assert blank.cost(only=WORK) == ONE_EXCHANGE
    assert blank.house.tell("wait", event="blinks", count=0)["count"] == blinks + 1


def test_deadline_shorter_than_the_wait(blank):
    """A card that waits longer than `deadline` is left alone, and nothing of it is tried again."""
    blank.put_anew(keys=P256, policies=ALWAYS)
    blank.enroll("9d", "9c")
    blank.make_ready()
    text = blank.vault.config.read_text()
    blank.vault.config.write_text(re.sub("deadline = 30", "deadline = 2", text))
    blank.house.tell("finger", after=None)
    mark = blank.house.tell("mark")["mark"]
    refused(blank.exchange(), 23, "did not answer in time", "touch the card when it blinks")
    assert blank.house.counts(mark).get("verify", 0) <= 2
    blank.house.tell("clear")
    assert GRANT in blank.vault.done("grant", "list").out
