"""`audit verify` holds the log against what it says itself of cards: who may have signed it, and what stays."""

import json

import pytest

from tampering import check_refused, fixture_good  # noqa: F401
from treelog import Signer, entry, leaf

USE = "0123456789abcdef0123456789abcdef"


class Card:
    """A card in software that the trust file knows; it signs whatever it is told to."""

    def __init__(self, copy, store, serial):
        origin = "p11vault/" + store.one("SELECT id FROM vault")
        self._store, self.serial, self._signer = store, serial, Signer(origin)
        with copy.trust.open("a", encoding="utf-8") as trust:
            trust.write(self._signer.vkey + "\n")
        self.enrol()

    def enrol(self):
        """Its entry and its row."""
        known = json.loads(self._store.entry("card")[1])
        text = entry("card", **{**{key: known[key] for key in ("model", "manufacturer", "kid", "jwk",
                                                               "alg")},
                                "card": self.serial, "label": "x", "sign": self._signer.vkey,
                                "use": USE})
        index = self._store.append(text, "card", self.serial)
        self._store("INSERT INTO card VALUES (?, ?, ?, ?)", index, self.serial, "x", known["kid"])

    def remove(self):
        """The entry that says so; its index."""
        text = entry("removal", card=self.serial, kid="x", lost=True, apps=[], use=USE)
        return self._store.append(text, "removal", self.serial)

    def sign(self):
        """A checkpoint over everything."""
        texts = self._store("SELECT text FROM entry ORDER BY idx")
        note = self._signer.sign([leaf(text.encode()) for text, in texts])
        self._store("INSERT INTO checkpoint VALUES (?, ?)", len(texts), note)
        return len(texts)


@pytest.fixture(name="pair")
def _pair(good):
    """A copy with two more cards; the first has signed for both."""
    with good.copy() as (copy, store):
        one, two = Card(copy, store, "one"), Card(copy, store, "two")
        one.sign()
        yield copy, store, one, two


def test_signed_by_a_card_that_was_removed(pair):
    """Its signature counts up to its removal and no further, whatever the trust file says."""
    copy, _, one, two = pair
    removal = two.remove()
    one.sign()
    assert copy.verify().code == 0
    one.enrol()
    size = two.sign()
    check_refused(copy.verify(), f"checkpoint {size}: it is signed by card 'two', which entry "
                                 f"{removal} has removed")


def test_signing_its_own_removal(pair):
    """Nor over the removal itself."""
    copy, _, _, two = pair
    removal = two.remove()
    size = two.sign()
    check_refused(copy.verify(), f"checkpoint {size}: it is signed by card 'two', which entry "
                                 f"{removal} has removed")


def test_signed_by_a_card_that_was_enrolled_again(pair):
    """The newest entry about it counts."""
    copy, _, one, two = pair
    two.remove()
    one.sign()
    two.enrol()
    two.sign()
    assert copy.verify().code == 0, copy.verify()


def test_a_removal_that_is_void(pair):
    """No card has signed for it: it removes nothing."""
    copy, store, _, two = pair
    store.append(entry("void", entry=two.remove(), reason="x"), "void", "")
    two.sign()
    assert copy.verify().code == 0, copy.verify()


def test_what_is_signed_cannot_be_declared_void(pair):
    """Where the checkpoint over it is cut away, it would look as if it never counted."""
    copy, store, one, two = pair
    removal = two.remove()
    one.sign()
    void = store.append(entry("void", entry=removal, reason="x"), "void", "")
    check_refused(copy.verify(), f"entry {void}: it declares void what a card has signed for")
