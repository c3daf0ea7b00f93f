"""The card room, driven directly: whose checkpoints it believes."""

import pytest

from rooms import REFUSED
from telling import (  # noqa: F401
    Deviations, begin, fixture_facts, fixture_room, fixture_use, refuse, sign, tell)
from treelog import Signer

CONFIG = 14

deviation = Deviations()


def without_checkpoint(use):
    """The head is told as if nothing had ever been signed."""
    def rewrite(orders):
        orders[0][1] = ""
    use.rewrite = rewrite


@deviation("the note is signed by no trusted key")
def nobody_trusted(use):
    """The trust file is empty."""
    use.set_trust()


@deviation("a tree without a checkpoint")
def nobody_trusted_and_no_checkpoint(use):
    """A tree that nobody can have signed."""
    use.set_trust()
    without_checkpoint(use)


@deviation("no inclusion proof can be right for entry 6 of 0")
def nobody_trusted_and_nothing_signed(use):
    """Then there can be no app either."""
    use.set_trust()
    use.signed = 0
    without_checkpoint(use)


@deviation("has no signing key that the trust file knows", CONFIG, "p11vault card enroll")
def this_card_not_trusted(use):
    """Another card is; the log is sound."""
    signer = Signer(use.origin)
    use.set_trust(signer.vkey)
    use.sign(signer, use.signed)


def end_trust(use, size):
    """The card's key counts for so many entries, because the card was removed."""
    use.set_trust(f"{use.facts.trust.splitlines()[-1]} until {size}")


@deviation("has no signing key that the trust file knows", CONFIG, "p11vault card enroll")
def this_card_removed(use):
    """What it signed before counts, but it signs nothing new."""
    end_trust(use, use.signed)


@deviation("is signed by a key that counts for")
def head_signed_after_the_removal(use):
    """The newest head is by a card that was removed before."""
    end_trust(use, use.signed - 1)


@pytest.mark.parametrize("change, code, part, hint", deviation)
def test_no_signature_when(room, use, change, code, part, hint):
    """Neither a signature nor a key; the reason is told."""
    refuse(room, use, change, (code, part, hint))


def missing(use):
    """There is none."""
    use.trust = use.trust.with_name("no-trust")


def writable_by_the_group(use):
    """Others could add their keys."""
    use.set_trust(use.facts.trust, mode=0o620)


def writable_by_all(use):
    """Others could add their keys."""
    use.set_trust(use.facts.trust, mode=0o602)


def a_directory(use):
    """No file at all."""
    use.trust = use.trust.parent


def with_a_bad_line(use):
    """One bad line spoils all."""
    use.set_trust(use.facts.trust, "p11vault/x")


def with_a_key_cut(use):
    """The key is not the one that its id names."""
    use.set_trust(use.facts.trust.strip()[:-8])


@pytest.mark.parametrize("change, part, hint", [
    (missing, "No such file", ""),
    (writable_by_the_group, "can be written by others", "chmod go-w"),
    (writable_by_all, "can be written by others", "chmod go-w"),
    (a_directory, "not a regular file", ""),
    (with_a_bad_line, "not a verifier key", ""),
    (with_a_key_cut, "not a public key", ""),
])
def test_trust_files_that_are_none(room, use, change, part, hint):
    """Refused before the card is asked for anything."""
    change(use)
    room.send("open", *use.opening())
    row = room.receive()
    assert row[0] == "fail" and row[1][1].startswith("trust file: "), row
    assert (row[1][0], part in row[1][1], hint in row[1][2]) == (CONFIG, True, True), row
    assert room.wait() == CONFIG
    assert room.on_keys() == []


def test_a_removed_card_opens_no_new_app(room, use):
    """Whatever the front says: the trust file is the user's."""
    end_trust(use, use.signed)
    begin(room, use)
    tell(room, [use.head(), use.recipient()])
    room.refuses(REFUSED, "is of a card that is not trusted")


def test_keys_of_other_vaults_do_no_harm(room, use):
    """The control: one file may serve several vaults."""
    use.set_trust("# ann's", Signer("p11vault/" + "0" * 32).vkey, "", use.facts.trust)
    assert sign(room, use)[1] == len(use.entries)
