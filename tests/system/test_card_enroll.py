"""The card room, driven directly: what an enrolment and the making of an app key may sign."""

import json

import pytest

from rooms import FAULT, NONE, REFUSED
from sealing import canonical, digest, thumbprint
from telling import (  # noqa: F401
    begin, fixture_facts, fixture_room, fixture_use, log_in, take_app_key, tell)
from treelog import Signer

CONFIG, USAGE = 14, 2


# ---- enrolling ----

def enroll(room, use):
    """Up to the keys, which are on the card already; what the room says of the card."""
    room.send("enroll", *use.opening()[:4], "", "", use.origin, str(use.trust))
    log_in(room)
    return room.expect("enrolled")


def test_enrolling_signs_its_own_card(room, use):
    """The control: this card's entry, behind a sound checkpoint."""
    enroll(room, use)
    use.plant("card")
    tell(room, [use.head(), *use.tail(), ["sign"]])
    assert room.expect("signed")[1] == len(use.entries)


@pytest.mark.parametrize("kind, changes", [("card", {"kid": "x" * 43}), ("app", {}),
                                           ("app-key", {})])
def test_enrolling_signs_nothing_else(room, use, kind, changes):
    """Another card or an app must not slip in with it."""
    enroll(room, use)
    use.plant("card")
    use.plant(kind, **changes)
    tell(room, [use.head(), *use.tail(), ["sign"]])
    room.refuses(REFUSED, "grants trust and was never signed", "p11vault audit show")


def test_enrolling_without_the_card(room, use):
    """What was enrolled must be in the log."""
    enroll(room, use)
    tell(room, [use.head(), *use.tail(), ["sign"]])
    room.refuses(REFUSED, "what this session made is not in the log")


def begin_log_again(room, use):
    """A log of the vault and this card, without a checkpoint."""
    card = canonical(use.facts.read_entry(use.facts.card_index)).encode()
    use.entries, use.signed = [use.entries[0], card], 0
    tell(room, [["checkpoint", "", b""], *use.tail(), ["sign"]])


def test_enrolling_does_not_begin_the_log_again(room, use):
    """A vault with another trusted card has a checkpoint; without it the log was cut off."""
    use.set_trust(use.facts.trust, Signer(use.origin).vkey)
    enroll(room, use)
    begin_log_again(room, use)
    room.refuses(REFUSED, "the log has no checkpoint although this vault has trusted cards")


def test_enrolling_again_after_a_crash(room, use):
    """This card's own key may stand in the trust file before its first checkpoint was kept."""
    enroll(room, use)
    begin_log_again(room, use)
    assert room.expect("signed")[1] == 2


# ---- making an app key ----

def make(room, use):
    """Up to the new key; `made` as record, public JWK, kid and cards."""
    use.count = use.slots = 0
    begin(room, use)
    tell(room, [use.head(), use.recipient(), ["make", "bds"]])
    return room.expect("made")


def log_made(use, made, **changes):
    """The entries that a front writes for a new app."""
    record, key, kid, cards = made
    use.plant("app", app="bds")
    use.plant("app-key", **{"app": "bds", "digest": digest(record), "jwk": json.loads(key),
                            "kid": kid, "cards": json.loads(cards), **changes})


def test_making_an_app_key(room, use):
    """The control: signed with its entries, sealed to the enrolled card; no key to hand."""
    made = record, key, kid, cards = make(room, use)
    assert take_app_key(room.keys) == json.loads(key)
    assert thumbprint(json.loads(key)) == kid
    card_kid = thumbprint(use.facts.card[0])
    assert json.loads(cards) == [card_kid]
    assert [one["header"]["kid"] for one in json.loads(record)["recipients"]] == [card_kid]
    log_made(use, made)
    tell(room, [*use.tail(), ["sign"]])
    assert room.expect("signed")[1] == len(use.entries)
    room.send("hand", 0, NONE)
    room.refuses(FAULT, "there is no key 0 to hand")


def test_an_app_key_that_is_not_logged(room, use):
    """Nobody could ever check it."""
    make(room, use)
    tell(room, [*use.tail(), ["sign"]])
    room.refuses(REFUSED, "what this session made is not in the log", keys=["appkey"])


@pytest.mark.parametrize("changes", [
    {"kid": "x" * 43}, {"digest": "0" * 64}, {"app": "cds"}], ids=lambda changes: [*changes][0])
def test_an_app_key_logged_differently(room, use, changes):
    """The card signs for the key that was made here, and for no other."""
    log_made(use, make(room, use), **changes)
    tell(room, [*use.tail(), ["sign"]])
    room.refuses(REFUSED, "grants trust and was never signed", "p11vault audit show",
                 keys=["appkey"])


def test_another_app_beside_the_one_made(room, use):
    """Nor for a second one that slips in."""
    log_made(use, make(room, use))
    use.plant("app", app="cds")
    tell(room, [*use.tail(), ["sign"]])
    room.refuses(REFUSED, "grants trust and was never signed", keys=["appkey"])


def recipient(use, place, change):
    """`recipient` with one field changed."""
    order = use.recipient()
    order[place] = change(order[place])
    return order


@pytest.mark.parametrize("orders, code, part", [
    (lambda use: [], CONFIG, "an app key without a card to open it"),
    (lambda use: [use.recipient()] * 17, CONFIG, "more than 16 cards for one app"),
    (lambda use: [recipient(use, 1, lambda index: index + 1)], REFUSED, "does not lead to"),
    (lambda use: [recipient(use, 1, lambda index: 8)], REFUSED, "no inclusion proof can be right"),
    (lambda use: [recipient(use, 2, lambda text: text.replace(b"ECDH-ES+A256KW", b"RSA-OAEP"))],
     REFUSED, "does not lead to"),
    (lambda use: [recipient(use, 3, lambda proof: proof[:-1])], REFUSED, "malformed inclusion"),
    (lambda use: [["recipient", 5, use.entries[5], b"".join(use.proof(5))]], REFUSED,
     "entry 5 is no 'card' entry"),
], ids=["none", "too-many", "other-place", "unsigned", "changed", "bad-proof", "no-card"])
def test_recipients_that_are_none(room, use, orders, code, part):
    """An app key is made for cards of the signed log alone."""
    begin(room, use)
    tell(room, [use.head(), *orders(use), ["make", "bds"]])
    room.refuses(code, part)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x" * 65])
def test_app_names_that_are_none(room, use, name):
    """Names are checked here, too."""
    begin(room, use)
    tell(room, [use.head(), use.recipient(), ["make", name]])
    room.refuses(USAGE, "name")


def test_two_app_keys(room, use):
    """One use, one app."""
    make(room, use)
    room.send("make", "cds")
    room.refuses(FAULT, "this use is about an app already", keys=["appkey"])


def test_an_enrolment_makes_no_app_key(room, use):
    """A card that nobody trusts yet vouches for nothing but itself."""
    enroll(room, use)
    tell(room, [use.head(), use.recipient(), ["make", "bds"]])
    room.refuses(FAULT, "this use is about an app already")
