"""The card room, driven directly: it signs no log that is not consistent with the last checkpoint.

Each deviation changes one thing of the log that a front tells, or of the keys that are trusted.
"""

import pytest

from rooms import FAULT
from telling import (  # noqa: F401
    Deviations, begin, fixture_facts, fixture_room, fixture_use, refuse, sign)
from treelog import Signer, entry, frontier

OTHER = "p11vault/" + "0" * 32

deviation = Deviations()


# ---- the entries behind the checkpoint ----

def of_entries(use, change):
    """Changes the orders that tell the tail."""
    def rewrite(orders):
        tail = [order for order in orders if order[0] == "entry"]
        orders[:] = [order for order in orders if order[0] != "entry"] + change(tail)
    use.rewrite = rewrite


@deviation("entry 9 where entry 8 belongs")
def first_entry_skipped(use):
    """The tail begins later."""
    of_entries(use, lambda tail: tail[1:])


@deviation("declares void what a card has signed for", hint="p11vault audit show")
def void_of_a_signed_entry(use):
    """It would count where the checkpoint between the two is cut away."""
    use.add("void", entry=use.facts.card_index, reason="x")


@deviation("entry 10 where entry 9 belongs")
def entry_skipped(use):
    """One in the middle is left out."""
    of_entries(use, lambda tail: tail[:1] + tail[2:])


@deviation("entry 9 where entry 8 belongs")
def entries_reordered(use):
    """Two change places."""
    of_entries(use, lambda tail: [tail[1], tail[0], *tail[2:]])


@deviation("entry 8 where entry 9 belongs")
def entry_twice(use):
    """The same one again."""
    of_entries(use, lambda tail: [tail[0], *tail])


@deviation("entry 7 where entry 8 belongs")
def signed_entry_again(use):
    """One that the checkpoint covers is told as new."""
    of_entries(use, lambda tail: [["entry", 7, use.entries[7]], *tail])


@deviation("entry 8 where entry 0 belongs")
def entries_before_the_checkpoint(use):
    """Nothing is known of the log yet."""
    use.rewrite = lambda orders: orders.sort(key=lambda order: order[0] != "entry")


def spoil(use, text):
    """The first entry of the tail reads differently."""
    use.entries[use.signed] = text


@deviation("entry 8: read an entry: its bytes are not canonical")
def entry_with_white_space(use):
    """The same JSON in other bytes."""
    spoil(use, use.entries[8].replace(b",", b", ", 1))


@deviation("entry 8: read an entry: its bytes are not canonical")
def entry_with_keys_in_another_order(use):
    """The same JSON in other bytes."""
    spoil(use, b'{"v":1,' + use.entries[8].replace(b',"v":1', b"")[1:])


@deviation("entry 8: read an entry: it has a member that does not belong there")
def entry_with_an_unknown_member(use):
    """Nobody looks at it, so it may say anything."""
    spoil(use, entry("void", entry=0, reason="x", more="x"))


@deviation("entry 8: read an entry: its text")
def entry_with_a_key_twice(use):
    """Readers differ in which one counts."""
    spoil(use, b'{"v":1,' + entry("void", entry=0, reason="x")[1:])


@deviation("entry 8: read an entry: it has no type that is known")
def entry_of_an_unknown_type(use):
    """It may grant anything."""
    spoil(use, entry("trust"))


@deviation("entry 8: read an entry: it is not of version 1")
def entry_of_another_version(use):
    """Or of this one written as text."""
    spoil(use, entry("void", entry=0, reason="x").replace(b'"v":1', b'"v":"1"'))


@deviation("entry 8: read an entry: its text")
def entry_cut(use):
    """No JSON any more."""
    spoil(use, use.entries[8][:-1])


@deviation("entry 8: read an entry: its text")
def entry_empty(use):
    """No bytes at all."""
    spoil(use, b"")


@deviation("entry 8: read an entry: more than 32768 bytes")
def entry_too_long(use):
    """By one byte."""
    size = len(entry("void", entry=0, reason=""))
    spoil(use, entry("void", entry=0, reason="x" * (32769 - size)))


# ---- the checkpoint ----

def of_head(use, note=None, nodes=None):
    """Changes what is told of the signed head."""
    def rewrite(orders):
        orders[0][1] = orders[0][1] if note is None else note(orders[0][1])
        orders[0][2] = orders[0][2] if nodes is None else nodes(orders[0][2])
    use.rewrite = rewrite


@deviation("the log was changed since checkpoint 8 was signed", hint="p11vault audit verify")
def frontier_changed(use):
    """One bit: some entry below is not the signed one."""
    of_head(use, nodes=lambda nodes: nodes[:-1] + bytes([nodes[-1] ^ 1]))


@deviation("the log's tree does not fit its last checkpoint")
def frontier_of_another_size(use):
    """A perfect tree of eight entries is one node, not two."""
    of_head(use, nodes=lambda nodes: b"".join(frontier(use.leaves(4)) * 2))


@deviation("the log's tree does not fit its last checkpoint")
def frontier_missing(use):
    """No tree at all."""
    of_head(use, nodes=lambda nodes: b"")


@deviation("the signature of key")
def note_of_another_size(use):
    """The size is under the signature."""
    of_head(use, note=lambda note: note.replace("\n8\n", "\n9\n", 1))


@deviation("the signature of key")
def note_of_another_root(use):
    """So is the root."""
    other = Signer(use.origin).sign(use.leaves(4)).split("\n")[2]
    of_head(use, note=lambda note: note.replace(note.split("\n")[2], other, 1))


@deviation("malformed note")
def note_without_signature(use):
    """Three good lines."""
    of_head(use, note=lambda note: note[:note.index("\n\n") + 1])


@deviation("the note is signed by no trusted key")
def note_by_an_untrusted_key(use):
    """A good checkpoint, but of nobody."""
    use.sign(Signer(use.origin), use.signed)


@deviation("the note is signed by no trusted key")
def note_by_the_key_of_another_vault(use):
    """Trusted, but for that vault alone."""
    signer = Signer(OTHER)
    use.set_trust(use.facts.trust, signer.vkey)
    use.sign(signer, use.signed, use.origin)


@deviation("the checkpoint is of another log")
def note_of_another_vault(use):
    """Signed by a key of this one."""
    signer = Signer(use.origin)
    use.set_trust(use.facts.trust, signer.vkey)
    use.sign(signer, use.signed, OTHER)


@deviation("the log has no checkpoint although this vault has trusted cards")
def checkpoint_missing(use):
    """As if nothing had ever been signed."""
    use.signed = 0
    of_head(use, note=lambda note: "")


@deviation("no inclusion proof can be right for entry 6 of 6")
def checkpoint_rolled_back(use):
    """A good one from before the app was signed."""
    use.sign_trusted(count=6)


@deviation("a second checkpoint", FAULT)
def checkpoint_twice(use):
    """One log, one head."""
    use.rewrite = lambda orders: orders.insert(1, orders[0])


@deviation("malformed inclusion proof")
def checkpoint_after_the_app(use):
    """Nothing is signed yet that the app key could be under."""
    use.rewrite = lambda orders: orders.append(orders.pop(0))


def extends(use, proof, at=1):
    """A proof that the head contains an older one, which is told for the head on the card."""
    use.rewrite = lambda orders: orders.insert(at, ["extends", proof])


@deviation("malformed consistency proof")
def consistency_proof_endless(use):
    """More hashes than a tree can have."""
    extends(use, bytes(32 * 65))


@deviation("malformed consistency proof")
def consistency_proof_cut(use):
    """No whole hash."""
    extends(use, bytes(33))


@deviation("malformed consistency proof")
def consistency_proof_before_the_checkpoint(use):
    """Of which head?"""
    extends(use, bytes(32), at=0)


@deviation("nothing is known of the log", FAULT)
def nothing_told(use):
    """`sign` is the first order."""
    use.rewrite = lambda orders: orders.clear()


@pytest.mark.parametrize("change, code, part, hint", deviation)
def test_no_signature_when(room, use, change, code, part, hint):
    """Neither a signature nor a key; the reason is told."""
    refuse(room, use, change, (code, part, hint))


def test_too_many_records(room, use):
    """More than a use may have."""
    use.count = 16385
    room.send("open", *use.opening())
    room.refuses(FAULT, "too many records for one use")


def test_logging_in_is_all_that_open_does(room, use):
    """The room says `ready` and waits; ending it then is no failure."""
    begin(room, use)
    room.send("end")
    assert room.wait() == 0
    assert room.on_keys() == []


def test_the_control(room, use):
    """What all of the above deviate from."""
    assert sign(room, use)[1] == len(use.entries)
