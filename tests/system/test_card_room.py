"""The card room, driven directly: keys only for records that an intent of this use names.

Each deviation changes one thing of what a front tells for an exchange that would succeed.
"""

import pytest

from rooms import FAULT, NONE, Room, key_way, parse, receive
from sealing import b64, new_key, public_of, seal, thumbprint, unb64, unseal
from telling import (  # noqa: F401
    Deviations, fixture_facts, fixture_room, fixture_use, hand, refuse, sign, take_app_key)
from treelog import checkpoint, entry, verify_note

deviation = Deviations()


# ---- what succeeds ----

def test_keys_for_what_an_intent_names(room, use):
    """The control: the room signs the log as told, with the card, and each key opens its record."""
    note, size, *_ = sign(room, use)
    vkey = use.facts.read_entry(use.facts.card_index)["sign"]
    assert verify_note(note, vkey) == checkpoint(use.origin, use.leaves(len(use.entries)))
    assert size == len(use.entries)
    app_key = take_app_key(room.keys)
    assert thumbprint(app_key) == use.facts.read_entry(use.key_index)["kid"]
    for number, name, version, jwe in use.unlocks:
        _, _, key = hand(room, number)
        payload = unseal(jwe, key)
        assert (payload["name"], payload["version"]) == (name, version)
    number, *both = hand_both(room, 0, 1)
    assert (number, both) == (0, [*hand(room, 0)[1:], *hand(room, 1)])
    slot = hand(room, len(use.unlocks))
    assert hand(room, len(use.unlocks)) == slot
    assert public_of(slot[1]) and slot[2] != key
    room.send("end")
    assert room.wait() == 0
    assert room.on_keys() == []


def hand_both(room, first, second):
    """The fields of two keys that were asked for at once: they come in one packet."""
    room.send("hand", first, second)
    assert room.expect("handed") == [first, second]
    name, values = parse(receive(room.keys))
    assert (name, len(values)) == ("key", 6)
    return values


def test_a_new_exchange_room(room, use):
    """`again`: it learns the app key first, and keys flow to it and not to the old one."""
    sign(room, use)
    app_key = take_app_key(room.keys)
    keys, way = key_way("card")
    with keys:
        with way:
            room.send("again", descriptors=[way.fileno()])
        assert take_app_key(keys) == app_key
        hand(room, 0, keys)
        room.send("end")
        assert room.wait() == 0
        assert room.on_keys() == []


def test_a_log_signed_by_another_trusted_key(room, use):
    """What the tests with checkpoints of our own rest upon."""
    use.sign_trusted()
    use.add("intent", **use.intent())
    sign(room, use)


def test_a_batch(room, use):
    """What the deviations of batches rest upon."""
    in_batch(use, "exchange 1 grants of ads")
    assert sign(room, use)[1] == len(use.entries)


# ---- what is refused ----

@deviation("no intent in the log names this use")
def no_intent(use):
    """Nothing was announced."""
    use.entries.pop()


@deviation("no intent in the log names this use")
def intent_of_another_use(use):
    """It was announced by somebody else."""
    use.set_intent(use="f" * 32)


@deviation("no intent in the log names this use")
def intent_without_a_use(use):
    """A use without a name is no use."""
    use.use = ""


@deviation("no intent in the log names this use")
def intent_of_a_signed_use(use):
    """The same use once more, after its intent was signed."""
    use.sign_trusted()


@deviation("no intent in the log names this use")
def intent_for_another_purpose(use):
    """The person was told something else when the PIN was asked for."""
    use.purpose = "exchange ads/user/bob"


@deviation("no intent in the log names this use")
def intent_for_another_verb(use):
    """The same, by what is done."""
    use.set_intent(verb="call")


def opens(use, **changes):
    """The intent names the grant differently."""
    use.set_intent(opens=[use.intent()["opens"][0], {**use.intent()["opens"][1], **changes}])


@deviation("no intent names record 'ads/user/alice' version 1")
def intent_names_another_record(use):
    """By name."""
    opens(use, name="ads/user/bob")


@deviation("no intent names record 'ads/user/alice' version 1")
def intent_names_another_version(use):
    """By number."""
    opens(use, version=2)


@deviation("no intent names record 'ads/user/alice' version 1")
def intent_names_another_digest(use):
    """By content."""
    opens(use, digest="0" * 64)


@deviation("no intent names record 'ads/user/alice' version 1")
def intent_names_one_record_of_two(use):
    """The first only."""
    use.set_intent(opens=use.intent()["opens"][:1])


@deviation("no intent names record 'ads/secret' version 1")
def records_named_by_the_intent_of_another_use(use):
    """Ours names nothing."""
    use.entries.insert(-1, entry("intent", **use.intent(use="f" * 32)))
    use.set_intent(opens=[])


@deviation("this use has an outcome already")
def intent_answered(use):
    """The use is over."""
    use.add("outcome", use=use.use, result="failed", code="retry")


ONE = "c" * 32


def in_batch(use, purpose, **changes):
    """The intent is one of a batch, for which the person has typed the PIN."""
    use.purpose = purpose
    use.set_intent(use=ONE, batch=use.use, **changes)


@deviation("this use has an outcome already")
def one_of_a_batch_answered(use):
    """An intent of a batch is a use of its own, with an outcome of its own."""
    in_batch(use, "exchange 1 grants of ads")
    use.add("outcome", use=ONE, result="failed", code="retry")


@deviation("the intents in the log are not those the PIN was for")
def fewer_intents_than_the_person_was_told(use):
    """One is announced where the prompt said two."""
    in_batch(use, "exchange 2 grants of ads")


@deviation("the intents in the log are not those the PIN was for")
def more_intents_than_the_person_was_told(use):
    """Two are announced where the prompt said one."""
    in_batch(use, "exchange 1 grants of ads")
    use.add("intent", **use.intent(use="d" * 32, batch=use.use, name="ads/user/bob"))


@deviation("the intents in the log are not those the PIN was for")
def intents_of_another_app(use):
    """The prompt named another app than the one whose key is opened."""
    in_batch(use, "exchange 1 grants of bds")


@deviation("no intent in the log names this use")
def batch_for_another_verb(use):
    """The person was told of an exchange."""
    in_batch(use, "exchange 1 grants of ads", verb="call")


@deviation("no intent in the log names this use")
def batch_for_a_part_of_the_verb(use):
    """What a verb begins with is no verb."""
    in_batch(use, "exchange 1 grants of ads", verb="exch")


@deviation("1 records where the use is for 2")
def fewer_records_than_counted(use):
    """The person was told of two."""
    use.unlocks.pop()


@deviation("record 2 is not one of the 2 of this use", FAULT)
def more_records_than_counted(use):
    """The person was told of two."""
    use.unlocks.append([2, *use.unlocks[1][1:]])


@deviation("record 1 is not one of the 2 of this use", FAULT)
def records_out_of_order(use):
    """Numbers are places."""
    use.unlocks.reverse()


@deviation("no intent names record 'ads/user/alice' version 1")
def record_changed(use):
    """Its tag, one bit."""
    head, tag = use.unlocks[1][3].rsplit(".", 1)
    use.unlocks[1][3] = f"{head}.{b64(bytes([unb64(tag)[0] ^ 1]) + unb64(tag)[1:])}"


@deviation("record is damaged")
def record_cut(use):
    """No JWE any more."""
    use.unlocks[1][3] = use.unlocks[1][3].rsplit(".", 1)[0]


@deviation("record 'ads/user/alice' is sealed to another app")
def record_of_another_app(use):
    """Properly sealed and announced, but to a key that is not this app's."""
    use.unlocks[1][3] = seal(new_key().public_key(), "{}")
    use.set_intent()


@deviation("no intent names record 'ads/secret' version 1")
def records_after_the_entries(use):
    """Then no intent was looked at for them."""
    use.rewrite = lambda orders: orders.sort(key=lambda order: order[0] == "unlock")


@pytest.mark.parametrize("change, code, part, hint", deviation)
def test_no_key_when(room, use, change, code, part, hint):
    """Neither a signature nor a key; the reason is told."""
    refuse(room, use, change, (code, part, hint))


@pytest.mark.parametrize("number, asked", [
    (3, [3, NONE]), (4, [4, NONE]), (1 << 32, [1 << 32, NONE]), (NONE, [NONE, NONE]),
    (NONE, [NONE, 0]), (3, [0, 3]), (1 << 32, [0, 1 << 32])])
def test_keys_that_were_not_counted(room, use, number, asked):
    """Two records and a slot are three keys; where one of two is none, the other is not sent either."""
    sign(room, use)
    room.send("hand", *asked)
    room.refuses(FAULT, f"there is no key {number} to hand", keys=["appkey"])


def test_no_exchange_room(programs, facts, use):
    """Without a way for it there is no key at all."""
    with Room(programs, "card", facts.environment, keys=False) as room:
        sign(room, use)
        room.send("hand", 0, NONE)
        room.refuses(FAULT, "there is no key 0 to hand")
