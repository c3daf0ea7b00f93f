"""The card room, driven directly, at a card that computes wrongly or makes other keys than were ordered."""

import pytest

from rooms import CARD_FAILED, Room
from telling import Use, fixture_facts, log_in, SOFTHSM  # noqa: F401

KEY_PAIR, DERIVE, READ = "C_GenerateKeyPair", "C_DeriveKey", "C_GetAttributeValue"


class Wrong:
    """Enrolments of a card that has no keys yet, each with a copy of its own."""

    def __init__(self, programs, facts, base):
        self.programs, self.facts, self.base = programs, facts, base
        self.counts = base / "counts"

    def enroll(self, kind, plan=""):
        """A room that has been told to enrol, with one fault; until it has logged in."""
        place = self.base / f"card-{len(list(self.base.iterdir()))}"
        self.counts.unlink(missing_ok=True)
        environment = {**self.facts.card_at(self.facts.vault.base / "blank", place),
                       "P11FAULT_MODULE": SOFTHSM, "P11FAULT_COUNTS": str(place / "counts"),
                       "P11FAULT_PLAN": plan}
        self.counts = place / "counts"
        room = Room(self.programs, "card", environment, arguments=["--writable", str(place)])
        use = Use(self.facts)
        opening = [str(self.programs / "faults/shim.so"), *use.opening()[1:4]]
        room.send("enroll", *opening, kind, "", use.origin, str(use.trust))
        log_in(room)
        return room

    def calls(self):
        """Their names, in order."""
        return [line.split()[0] for line in self.counts.read_text("ascii").splitlines()]

    def refuses(self, kind, plan, words):
        """What the room says of a fault; no key of it may be trusted."""
        with self.enroll(kind, plan) as room:
            room.refuses(CARD_FAILED, words)


@pytest.fixture(name="wrong")
def _wrong(programs, facts, tmp_path):
    return Wrong(programs, facts, tmp_path)


@pytest.mark.parametrize("kind", ["ec:P-256", "ec:P-384"])
def test_an_agreement_that_is_wrong(wrong, kind):
    """What the card has derived is not what stands here: with that key nothing could ever be opened."""
    with wrong.enroll(kind) as room:
        room.expect("enrolled")
    calls = wrong.calls()
    at = calls.index(DERIVE) + 1
    number = calls[:at].count(READ) + 1
    assert READ in calls[at:at + 2], calls[at:at + 3]
    wrong.refuses(kind, f"{READ}:{number}:garbage", "the card's ECDH gives another result than ours")


def test_a_decryption_that_is_wrong(wrong):
    """Whatever hash is inside."""
    wrong.refuses("rsa:2048", "C_Decrypt:0:garbage",
                  "the card decrypts to another text than was encrypted")


@pytest.mark.parametrize("number", [1, 2], ids=["unwraps", "signs"])
def test_a_key_that_may_leave_the_card(wrong, number):
    """It is not kept, and nothing is signed."""
    wrong.refuses("ec:P-256", f"{KEY_PAIR}:{number}:loose",
                  "the key it made is not as ordered: it can leave the card")
    calls = wrong.calls()
    assert calls.count(KEY_PAIR) == number
    assert calls[calls.index(KEY_PAIR):].count("C_DestroyObject") >= 2
    assert "C_Sign" not in calls
