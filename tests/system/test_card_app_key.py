"""The card room, driven directly: cards, apps and app keys are what signed entries say."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from rooms import CARD_FAILED, FAULT, Room
from sealing import (
    b64, canonical, digest, jwk, new_key, public_of, seal, seal_app_key, thumbprint, unseal)
from telling import (  # noqa: F401
    Deviations, Use, fixture_facts, fixture_room, fixture_use, hand, prepared, refuse, sign,
    take_app_key)
from treelog import entry

NO_CARD = 20

deviation = Deviations()


@pytest.mark.parametrize("kind", ["card", "app", "app-key"])
def test_void_entries_do_not_count(room, use, kind):
    """An entry that grants trust, was never signed and is taken back."""
    planted = use.plant(kind)
    use.add("void", entry=planted, reason="never signed")
    sign(room, use)
    take_app_key(room.keys)
    hand(room, 0)


def test_an_app_key_made_by_others_and_signed(room, use):
    """The counterpart of the split view: the log names this key, so it is the app's."""
    app_key = new_key()
    for unlock in use.unlocks:
        unlock[3] = seal(app_key.public_key(), canonical({"name": unlock[1]}))
    use.set_intent()
    log_app_key(use, seal_app_key(app_key, [use.facts.card]), jwk=jwk(app_key.public_key()),
                kid=thumbprint(jwk(app_key.public_key())))
    sign(room, use)
    assert take_app_key(room.keys) == jwk(app_key.public_key())
    assert unseal(use.unlocks[1][3], hand(room, 1)[2]) == {"name": "ads/user/alice"}


@deviation("grants trust and was never signed", hint="p11vault audit show")
def planted_card(use):
    """A card."""
    use.plant("card")


@deviation("grants trust and was never signed", hint="p11vault audit show")
def planted_app(use):
    """An app, which would say where secrets go."""
    use.plant("app", origins=["https://evil.example"])


@deviation("grants trust and was never signed", hint="p11vault audit show")
def planted_app_key(use):
    """An app key."""
    use.plant("app-key", app="bds")


@deviation("grants trust and was never signed")
def planted_app_key_of_this_app(use):
    """The very one that is signed, once more: this use makes none."""
    use.plant("app-key")


@deviation("too many unsigned entries that grant trust")
def planted_more_than_are_looked_at(use):
    """The room keeps 64 of them."""
    for number in range(65):
        use.plant("app", app=f"a{number}")


@deviation("grants trust and was never signed")
def planted_after_the_void(use):
    """A void entry counts for what stands before it."""
    use.entries.insert(-1, entry("void", entry=len(use.entries), reason="x"))
    use.plant("app")


@deviation("grants trust and was never signed")
def planted_and_another_void(use):
    """A void entry counts for the one it names."""
    use.add("void", entry=use.plant("app") - 1, reason="x")


@deviation("the inclusion proof of entry 6 does not lead to the root")
def app_key_entry_changed(use):
    """It names another key."""
    use.entries[use.key_index] = use.entries[use.key_index].replace(b'"app":"ads"',
                                                                    b'"app":"bds"')
    use.leaves = Use(use.facts).leaves


@deviation("no inclusion proof can be right for entry 6 of 6")
def app_key_entry_not_signed(use):
    """It stands behind the checkpoint."""
    use.sign_trusted(count=use.key_index)


def of_app(use, change):
    """Changes the fields of `app`: 1 name, 2 record, 3 index, 4 entry, 5 proof."""
    def rewrite(orders):
        change(next(order for order in orders if order[0] == "app"))
    use.rewrite = rewrite


@deviation("does not lead to the root")
def app_key_proof_changed(use):
    """One bit."""
    of_app(use, lambda app: app.__setitem__(5, bytes([app[5][0] ^ 1]) + app[5][1:]))


@deviation("does not lead to the root")
def app_key_proof_short(use):
    """One hash less."""
    of_app(use, lambda app: app.__setitem__(5, app[5][:-32]))


@deviation("malformed inclusion proof")
def app_key_proof_cut(use):
    """No whole hash."""
    of_app(use, lambda app: app.__setitem__(5, app[5][:-1]))


@deviation("malformed inclusion proof")
def app_key_proof_endless(use):
    """More hashes than a tree can have."""
    of_app(use, lambda app: app.__setitem__(5, bytes(32 * 65)))


@deviation("does not lead to the root")
def app_key_of_another_place(use):
    """The same entry at another index."""
    of_app(use, lambda app: app.__setitem__(3, app[3] - 1))


@deviation("entry 5 is no 'app-key' entry")
def app_entry_as_app_key(use):
    """A signed entry of another kind."""
    use.key_index = use.facts.app_index


@deviation("its app key record is not the one in the log")
def app_key_of_another_app(use):
    """The name does not fit the entry."""
    use.app = "bds"


@deviation("its app key record is not the one in the log")
def app_key_record_swapped(use):
    """Another key for this very card."""
    use.app_record = seal_app_key(new_key(), [use.facts.card])


def log_app_key(use, record, **changes):
    """A signed log that knows this app key record."""
    use.app_record = record
    logged = {**use.facts.read_entry(use.key_index), "digest": digest(record), **changes}
    use.entries[use.key_index] = canonical(logged).encode()
    use.sign_trusted(count=len(use.entries) - 1)


@deviation("its record opens to another key than the log's")
def app_key_split_view(use):
    """The logged record, but this card's share of it opens to a key of somebody else."""
    log_app_key(use, seal_app_key(new_key(), [use.facts.card]))


@deviation("holds no key that opens app 'ads'", NO_CARD, "p11vault app show ads")
def app_key_of_another_card(use):
    """This card is no recipient."""
    log_app_key(use, seal_app_key(new_key(), [(jwk(new_key().public_key()), "ECDH-ES+A256KW")]))


@deviation("app key record cannot be opened")
def app_key_wrapped_badly(use):
    """This card's share is not what it should be."""
    record = json.loads(seal_app_key(new_key(), [use.facts.card]))
    record["recipients"][0]["encrypted_key"] = b64(bytes(40))
    log_app_key(use, canonical(record))


@deviation("the recipient's key is of another curve")
def app_key_of_another_curve(use):
    """This card's share names an ephemeral key that its own cannot agree with."""
    numbers = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    record = json.loads(seal_app_key(new_key(), [use.facts.card]))
    record["recipients"][0]["header"]["epk"] = {
        "crv": "P-384", "kty": "EC",
        **{name: b64(getattr(numbers, name).to_bytes(48, "big")) for name in "xy"}}
    log_app_key(use, canonical(record))


def test_a_content_key_of_another_size(programs):
    """An RSA card decrypts whatever was encrypted to it: a content key has 32 bytes."""
    with prepared(programs, "rsa:2048") as facts:
        use = Use(facts)
        card, algorithm = facts.card
        record = json.loads(seal_app_key(new_key(), [facts.card]))
        hashes = SHA256() if algorithm == "RSA-OAEP-256" else SHA1()
        record["recipients"][0]["encrypted_key"] = b64(public_of(card).encrypt(
            bytes(16), padding.OAEP(padding.MGF1(hashes), hashes, None)))
        with Room(programs, "card", facts.environment) as room:
            refuse(room, use, lambda use: log_app_key(use, canonical(record)),
                   (CARD_FAILED, "the card unwraps to 16 bytes where a key has 32", ""))


@deviation("this use is about an app already", FAULT)
def two_apps(use):
    """One use, one app."""
    use.rewrite = lambda orders: orders.insert(2, orders[1])


@deviation("this use is about an app already", FAULT)
def make_after_app(use):
    """Neither may a key be made then."""
    use.rewrite = lambda orders: orders.extend([use.recipient(), ["make", "bds"]])


@pytest.mark.parametrize("change, code, part, hint", deviation)
def test_no_key_when(room, use, change, code, part, hint):
    """Neither a signature nor a key; the reason is told."""
    refuse(room, use, change, (code, part, hint))
