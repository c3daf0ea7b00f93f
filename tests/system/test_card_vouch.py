"""The card room, driven directly: which card that is elsewhere it signs for."""

import base64
import hashlib
import json

import pytest

from sealing import canonical, jwk, new_key, thumbprint
from telling import (  # noqa: F401
    Deviations, Use, begin, fixture_facts, fixture_room, refuse, tell)
from treelog import Signer, verify_note

NOT_SIGNED_FOR = "grants trust and was never signed: this card does not sign for it"

deviation = Deviations()


class Vouching(Use):
    """A use that enrols a card by its export.  What a test changes of the card changes its signature, too."""

    def __init__(self, facts):
        super().__init__(facts)
        self.count = self.slots = 0
        self.unlocks, self.key_index = [], facts.key_index
        self.signer = Signer("p11vault/card")
        key = jwk(new_key().public_key())
        self.card = {"alg": "ECDH-ES+A256KW", "card": "b0b", "jwk": key, "kid": thumbprint(key),
                     "label": "bob", "manufacturer": "m", "model": "n", "sign": self.signer.vkey}
        self.agreed = None  # another fingerprint than that of the card
        self.entry = {}  # other members of its entry

    @property
    def text(self):
        """What the card has signed."""
        return "p11vault card export 1\n" + canonical(self.card) + "\n"

    def complete(self):
        """The purpose, the intent and the entry."""
        seen = self.agreed or f"SHA256:{hashlib.sha256(self.text.encode()).hexdigest()}"
        name = f"{self.card['card']} {seen}"
        self.purpose = f"card enroll {name}"
        self.set_intent(verb="card enroll", name=name, origin="", opens=[], seals=[])
        proof = base64.b64encode(self.signer.sign_text(self.text)).decode()
        own = self.card["sign"].replace("p11vault/card", self.origin, 1)
        changed = {**self.card, "sign": own, "proof": proof, **self.entry}
        self.plant("card", **changed)
        if changed["proof"] is None:
            entry = json.loads(self.entries[-2])
            del entry["proof"]
            self.entries[-2] = canonical(entry).encode()

    def orders(self):
        """The head and the log behind it."""
        return [self.head(), *self.tail()]


@pytest.fixture(name="use")
def _use(facts):
    """What would succeed, once it is complete."""
    return Vouching(facts)


def test_signed_for(room, use):
    """The person has typed the PIN for this very fingerprint."""
    use.complete()
    begin(room, use)
    tell(room, [*use.orders(), ["sign"]])
    note, size, *_ = room.expect("signed")
    assert size == len(use.entries)
    verify_note(note, use.facts.read_entry(use.facts.card_index)["sign"])


@deviation(NOT_SIGNED_FOR)
def another_fingerprint(use):
    """The prompt named another card's."""
    use.agreed = f"SHA256:{hashlib.sha256(b'other').hexdigest()}"
    use.complete()


@deviation(NOT_SIGNED_FOR)
def another_signing_key(use):
    """Put in by the front behind the person's back."""
    use.entry = {"sign": Signer(use.origin).vkey}
    use.complete()


@deviation(NOT_SIGNED_FOR)
def another_unwrapping_key(use):
    """The same, where it hurts most."""
    key = jwk(new_key().public_key())
    use.entry = {"jwk": key, "kid": thumbprint(key)}
    use.complete()


@deviation(NOT_SIGNED_FOR)
def no_proof(use):
    """A card that says nothing of itself."""
    use.entry = {"proof": None}
    use.complete()


@deviation(NOT_SIGNED_FOR)
def signed_by_another(use):
    """Right but for the signature."""
    use.signer = Signer("p11vault/card")
    use.complete()


@deviation(NOT_SIGNED_FOR)
def key_for_another_vault(use):
    """Its signing key would be known under a name that is not this vault's."""
    use.entry = {"sign": use.card["sign"]}
    use.complete()


@deviation(NOT_SIGNED_FOR)
def kid_of_another_key(use):
    """The card itself says so, and its fingerprint is right."""
    use.card["kid"] = thumbprint(jwk(new_key().public_key()))
    use.complete()


@deviation(NOT_SIGNED_FOR)
def algorithm_of_another_kind(use):
    """An EC key cannot do RSA."""
    use.card["alg"] = "RSA-OAEP"
    use.complete()


@deviation(NOT_SIGNED_FOR)
def for_another_purpose(use):
    """Right in itself, but the PIN was typed for a removal."""
    use.complete()
    use.purpose = "card remove b0b"
    use.set_intent(verb="card remove", name="b0b", origin="", opens=[], seals=[])


@pytest.mark.parametrize("change, code, part, hint", deviation)
def test_not_signed_for(room, use, change, code, part, hint):
    """The reason is told, and nothing is signed."""
    refuse(room, use, change, (code, part, hint))
