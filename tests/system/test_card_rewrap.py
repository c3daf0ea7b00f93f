"""The card room, driven directly: an app key goes to other cards only as the PIN was for, and never without a trace."""

import json

import pytest

from rooms import FAULT, REFUSED, Room
from sealing import digest
from telling import Use, begin, fixture_facts, tell  # noqa: F401


@pytest.fixture(name="use")
def _use(facts):
    """An app key that is to be sealed anew."""
    use = Use(facts)
    use.purpose, use.count, use.slots = "app reseal ads", 0, 0
    use.set_intent(verb="app reseal", name="ads", opens=[], seals=[])
    return use


@pytest.fixture(name="room")
def _room(programs, facts):
    """A card room without a way to an exchange room: none is needed."""
    with Room(programs, "card", facts.environment, keys=False) as room:
        yield room


def app(use):
    """`app` and its fields."""
    key = use.entries[use.key_index]
    return ["app", use.app, use.app_record, use.key_index, key, b"".join(use.proof(use.key_index))]


def rewrap(room, use):
    """Up to the digest of what was made."""
    begin(room, use)
    tell(room, [use.head(), app(use), use.recipient(), *use.tail(), ["rewrap"]])


def log_rewrapped(room, use, made, **changes):
    """The entry that a front writes then, told to the room."""
    hex_digest, key, kid, cards = made
    use.add("app-key", **{"app": "ads", "digest": hex_digest, "jwk": json.loads(key), "kid": kid,
                          "cards": json.loads(cards), "use": use.use, **changes})
    tell(room, [["entry", len(use.entries) - 1, use.entries[-1]], ["sign"]])


@pytest.mark.parametrize("verb, name", [("app reseal", "ads"), ("card remove", "0123456789abcdef")])
def test_the_record_follows_the_signature(room, use, verb, name):
    """The control.  Before the signature only the digest is told."""
    use.purpose = f"{verb} {name}"
    use.set_intent(verb=verb, name=name, opens=[], seals=[])
    rewrap(room, use)
    made = room.expect("rewrapped")
    log_rewrapped(room, use, made)
    assert room.expect("signed")[1] == len(use.entries)
    [record] = room.expect("sealed")
    assert digest(record) == made[0] and record != use.app_record
    assert [one["header"]["kid"] for one in json.loads(record)["recipients"]] == json.loads(made[3])


@pytest.mark.parametrize("purpose", [
    "exchange ads/user/alice", "app reseal bds", "app rekey ads", "app reseal ads ", "enrol",
    "audit checkpoint", "card removed x"])
def test_not_what_the_pin_was_for(room, use, purpose):
    """Nothing is unwrapped for a front that says one thing to the person and orders another."""
    use.purpose = purpose
    rewrap(room, use)
    room.refuses(REFUSED, "the PIN was not for sealing the key of app 'ads' anew")


def test_without_an_intent(room, use):
    """It would leave no trace."""
    del use.entries[-1]
    rewrap(room, use)
    room.refuses(REFUSED, "no intent in the log names this use")


def test_before_the_intent(room, use):
    """Nor when it may still come."""
    begin(room, use)
    tell(room, [use.head(), app(use), use.recipient(), ["rewrap"]])
    room.refuses(REFUSED, "no intent in the log names this use")


@pytest.mark.parametrize("changes", [
    {"digest": "0" * 64}, {"kid": "x" * 43}, {"app": "bds"}], ids=lambda changes: [*changes][0])
def test_logged_differently(room, use, changes):
    """The card signs for the record that was made, which is not told otherwise."""
    rewrap(room, use)
    log_rewrapped(room, use, room.expect("rewrapped"), **changes)
    room.refuses(REFUSED, "grants trust and was never signed", "p11vault audit show")


def test_not_logged(room, use):
    """No entry, no signature, no record."""
    rewrap(room, use)
    room.expect("rewrapped")
    room.send("sign")
    room.refuses(REFUSED, "what this session made is not in the log")


def test_twice(room, use):
    """One use, one record."""
    rewrap(room, use)
    room.expect("rewrapped")
    room.send("rewrap")
    room.refuses(FAULT, "this use is not about sealing an app key anew")


def test_another_key_needs_its_purpose(room, use):
    """A new key is made for a PIN that was typed for that."""
    begin(room, use)
    tell(room, [use.head(), app(use), use.recipient(), *use.tail(), ["rekey"]])
    room.refuses(REFUSED, "the PIN was not for sealing the key of app 'ads' anew")
